"""What a video may be called in a library.

A `video_id` is typed on command lines, stands in links and JSON, and must never be a path.
"""

from __future__ import annotations

import re
import unicodedata

from pipeline.errors import RowError
from pipeline.ingest.plain_text import clean_text

LONGEST_VIDEO_ID = 200
LONGEST_SLUG = 120


def check_video_id(value: object) -> str:
    """`value` if it can name a video: 1 to 200 printable characters, no slash or backslash, no
    space at either end, not "." or "..". Raises `RowError` otherwise."""
    if not isinstance(value, str):
        raise RowError(f"video_id must be a string, not {type(value).__name__}")
    if not value or len(value) > LONGEST_VIDEO_ID:
        raise RowError(f"video_id must have 1 to {LONGEST_VIDEO_ID} characters")
    if (
        not value.isprintable()
        or set(value) & set("/\\")
        or value != value.strip()
        or value in (".", "..")
    ):
        raise RowError(
            f"video_id {clean_text(value)[:40]!r}: only printable characters, no slashes, "
            "no space at either end"
        )
    return value


def slug_of(stem: str) -> str:
    """A `video_id` for a file's stem: lower case, letters, digits and marks of any script kept,
    everything else one "-" between them. Never empty, never with "-" at either end."""
    folded = unicodedata.normalize("NFKC", stem).lower()
    kept = "".join(c if unicodedata.category(c)[0] in "LNM" else "-" for c in folded)
    slug = re.sub("-+", "-", kept).strip("-")[:LONGEST_SLUG].strip("-")
    return slug or "video"

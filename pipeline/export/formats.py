"""The formats that are exported, and what a file in one of them is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pipeline.errors import UsageError

Format = Literal["otio", "edl", "fcpxml", "vtt", "srt", "csv", "html", "reel", "chapters"]
FORMATS: tuple[Format, ...] = get_args(Format)

# (MIME type, end of a file's name)
_KINDS: Mapping[Format, tuple[str, str]] = {
    "otio": ("application/json", ".otio"),
    "edl": ("text/plain; charset=utf-8", ".edl"),
    "fcpxml": ("application/xml", ".fcpxml"),
    "vtt": ("text/vtt; charset=utf-8", ".vtt"),
    "srt": ("application/x-subrip; charset=utf-8", ".srt"),
    "csv": ("text/csv; charset=utf-8", ".csv"),
    "html": ("text/html; charset=utf-8", ".html"),
    "reel": ("video/mp4", ".mp4"),
    "chapters": ("text/plain; charset=utf-8", ".chapters.txt"),
}


@dataclass(frozen=True, slots=True)
class Export:
    """`data` is the file's bytes, or where it lies. `notes` say what a user should know."""

    format: Format
    mime: str
    filename: str
    data: bytes | Path
    notes: tuple[str, ...] = ()


def chosen_format(form: str) -> Format:
    """Raises `UsageError` for a format that is none."""
    for known in FORMATS:
        if known == form:
            return known
    raise UsageError(f"--format {form!r} is not there", f"one of {', '.join(FORMATS)}")


def as_export(form: Format, name: str, data: str | Path, notes: Sequence[str] = ()) -> Export:
    """`name` is a question or a title: what the file is called after."""
    mime, suffix = _KINDS[form]
    content = data.encode() if isinstance(data, str) else data
    return Export(form, mime, f"{slug(name)}{suffix}", content, tuple(notes))


def slug(name: str) -> str:
    """A short name for a file, of letters and digits that every file system takes."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return plain[:60].strip("-") or "footnote"

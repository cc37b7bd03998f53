"""What is known of a video beside its text, made fit to keep: clean, in one place, not too long.

It comes from strangers: a title or a tag is text like any other, and a thousand tags are spam.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.ingest.plain_text import clean_text
from pipeline.media.probe import MediaInfo
from pipeline.types import Metadata

_LONGEST_LINE = 500  # characters of a title, a name, a place, a tag
_LONGEST_DESCRIPTION = 20_000
_MOST = 200  # people, tags


def clean_metadata(metadata: Metadata) -> Metadata:
    """The same without control characters, empty and repeated entries, and without excess."""
    return Metadata(
        title=clean_line(metadata.title),
        date=metadata.date,
        people=clean_list(metadata.people),
        place=clean_line(metadata.place),
        tags=clean_list(metadata.tags),
        description=clean_text(metadata.description)[:_LONGEST_DESCRIPTION].rstrip(),
        url=clean_line(metadata.url) if len(metadata.url) <= 2 * _LONGEST_LINE else "",
        language=metadata.language,
    )


def clean_line(text: str) -> str:
    return " ".join(clean_text(text[: 4 * _LONGEST_LINE]).split())[:_LONGEST_LINE].rstrip()


def clean_list(texts: Iterable[str]) -> tuple[str, ...]:
    """Each once, whatever its case; the first `_MOST`."""
    found: dict[str, str] = {}
    for text in map(clean_line, texts):
        if text:
            found.setdefault(text.casefold(), text)
    return tuple(found.values())[:_MOST]


def container_metadata(info: MediaInfo) -> Metadata:
    """What the tags of the file say."""
    return clean_metadata(
        Metadata(
            title=info.title,
            date=info.date,
            people=info.people,
            place=info.place,
            tags=info.tags,
            description=info.description,
        )
    )

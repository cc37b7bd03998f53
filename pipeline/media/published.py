"""What the publisher says of a video: the .info.json that yt-dlp leaves beside it, and its
.description; and what all files beside a video that hold no speech come to.

A field of the wrong type is left out and named; a file that cannot be read is one line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.errors import MediaError
from pipeline.media import language as languages
from pipeline.media.chapters import from_description, from_json, read_chapters
from pipeline.media.probe import Chapter
from pipeline.media.sidecars import kind_of
from pipeline.media.subtitles import is_chapters
from pipeline.media.text_file import finite, one_line, read_json, read_text
from pipeline.types import Metadata

_URL = re.compile(r"https?://[^\s<>\"\\]+", re.IGNORECASE)
_DAY = re.compile(r"\d{8}")
_LATEST = 1e7  # seconds
# Who made it and who is in it; several fields name the same person.
_PEOPLE = ("uploader", "channel", "creators", "creator", "artists", "artist", "cast")
_STRINGS = ("title", "fulltitle", "description", "webpage_url", "language", "location")
# What only the info.json of a video has; a .json of another program has none of them.
_SIGNS = ("extractor", "webpage_url", "upload_date", "uploader", "channel", "_type", "formats")


@dataclass(frozen=True, slots=True)
class Published:
    """`chapters` have the best origin there is: a file of them, the info, the description.

    `duration` is what the info claims, 0.0 when it does not.
    """

    metadata: Metadata = field(default_factory=Metadata)
    chapters: tuple[Chapter, ...] = ()
    duration: float = 0.0
    problems: tuple[str, ...] = ()


def read_published(sidecars: Sequence[str | Path], duration: float = 0.0) -> Published:
    """What the sidecars say beside speech. Never raises for their content.

    `duration` is the video's own, 0.0 where there is no video: then the info's is taken.
    """
    known, listed = Published(), tuple[Chapter, ...]()
    for path in map(Path, sidecars):
        kind = kind_of(path)
        try:
            if kind == "info":
                info = from_info(read_json(path), path.name, duration)
                metadata = _filled(info.metadata, known.metadata)
                known = replace(info, metadata=metadata, problems=(*known.problems, *info.problems))
            elif kind == "description":
                text = read_text(path)
                metadata = _filled(known.metadata, Metadata(description=text.strip()))
                known = replace(known, metadata=metadata)
            elif kind == "chapters" or (kind == "subtitles" and is_chapters(path)):
                listed = listed or read_chapters(path, duration)
        except MediaError as error:
            known = replace(known, problems=(*known.problems, error.message))
    duration = duration or known.duration
    described = from_description(known.metadata.description, duration)
    return replace(known, chapters=listed or known.chapters or described)


def is_info(value: object) -> bool:
    """Whether the JSON of a file is what yt-dlp writes of a video."""
    return isinstance(value, dict) and any(sign in value for sign in _SIGNS)


def from_info(info: Any, name: str, duration: float = 0.0) -> Published:
    """An info's facts; `name` is the file's, for what is said of it."""
    if not isinstance(info, dict):
        raise MediaError(f"{name} holds no JSON object")
    wrong = [key for key in _STRINGS if not isinstance(info.get(key, ""), str | None)]
    lists = {key: _texts(info.get(key)) for key in (*_PEOPLE, "tags")}
    wrong += [key for key, texts in lists.items() if texts is None]
    when = _date(info.get("upload_date") or info.get("release_date"))
    if when is None:
        wrong.append("upload_date")
    claimed = finite(info.get("duration")) or 0.0
    if not 0 <= claimed <= _LATEST:
        wrong.append("duration")
        claimed = 0.0
    if not isinstance(info.get("chapters"), list | None):
        wrong.append("chapters")
    people = dict.fromkeys(person for key in _PEOPLE for person in lists[key] or ())
    url = one_line(info.get("webpage_url"))
    metadata = Metadata(
        title=one_line(info.get("title")) or one_line(info.get("fulltitle")),
        date=when or "",
        people=tuple(people),
        place=one_line(info.get("location")),
        tags=tuple(dict.fromkeys(lists["tags"] or ())),
        description=_paragraphs(info.get("description")),
        url=url if _URL.fullmatch(url) else "",
        language=languages.normal(one_line(info.get("language"))),
    )
    problems = (f"{name}: left out, being of a wrong type: {', '.join(wrong)}",) if wrong else ()
    return Published(metadata, from_json(info, duration or claimed), claimed, problems)


def _filled(first: Metadata, second: Metadata) -> Metadata:
    """`first`, with `second` where it says nothing."""
    names = Metadata.__dataclass_fields__
    return Metadata(**{name: getattr(first, name) or getattr(second, name) for name in names})


def _texts(value: object) -> list[str] | None:
    """The texts of a list, or one text; None for another type."""
    if value is None or isinstance(value, str):
        return [text] if (text := one_line(value)) else []
    if not isinstance(value, list):
        return None
    return [text for item in value if (text := one_line(item))]


def _date(value: object) -> str | None:
    """ "2024-05-01" of "20240501", "" for nothing, None for what is no date."""
    if value is None:
        return ""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return None


def _paragraphs(value: object) -> str:
    lines = value.splitlines() if isinstance(value, str) else []
    return "\n".join(one_line(line) for line in lines).strip()

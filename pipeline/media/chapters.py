"""Chapters from files beside a video, and from a description that lists them.

    ffmetadata     ;FFMETADATA1, [CHAPTER], TIMEBASE=1/1000, START=, END=, title=   (ffmpeg)
    OGM            CHAPTER01=00:00:00.000, CHAPTER01NAME=Intro                      (mkvmerge)
    WebVTT         cues whose text is the title                                     (browsers)
    JSON           a list, or {"chapters": [...]}, of {"start_time", "title"}: yt-dlp's, ffprobe's,
                   and {"startTime"} of podcasts
    lines          "0:00 Intro", as people write them below a video on YouTube

Chapters without an end last until the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.errors import MediaError
from pipeline.media.probe import Chapter
from pipeline.media.subtitles import read_vtt, says_chapters
from pipeline.media.text_file import finite, one_line, read_json, read_text

_MOST = 5000  # chapters
_TITLE = 300  # characters
_LATEST = 1e7  # seconds
_LAST = 1.0  # seconds given to a last chapter where nobody knows where the video ends
_FEWEST_LINES = 3  # in a description: fewer times are remarks
_LINE = re.compile(
    r"^[\s\-*\u2022\u25b6(\[]*((?:\d{1,2}:)?\d{1,3}:[0-5]\d(?:\.\d+)?)[)\]]?"
    r"(?:\s*[-\u2013\u2014:|.]+)?\s+(\S.*)$"
)
_OGM = re.compile(r"^CHAPTER(\d{1,5})(NAME)?\s*=(.*)$", re.IGNORECASE | re.MULTILINE)
_STAMP = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?)")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NANOSECOND = Fraction(1, 1_000_000_000)

# (start, end, None where the next one's start is meant, title)
_Rough = tuple[float, float | None, str]


def read_chapters(path: str | Path, duration: float = 0.0) -> tuple[Chapter, ...]:
    """The chapters in a file, in order; none for a text that turns out to be something else.

    Raises `MediaError` for a file that calls itself one of chapters and cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        return from_json(read_json(path), duration)
    text = read_text(path)
    if text.startswith(";FFMETADATA"):
        return settled(_ffmetadata(text), duration)
    if text.startswith("WEBVTT") and (_is_named(path) or says_chapters(text)):
        return settled(_webvtt(text), duration)
    if re.match(r"\s*CHAPTER\d", text, re.IGNORECASE):
        return settled(_ogm(text), duration)
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1 and all(_LINE.match(line) for line in lines):
        return settled(_listed(text), duration)
    if path.suffix.lower() == ".txt" and not _is_named(path):
        return ()
    raise MediaError(f"{path.name} holds no chapters that Footnote can read")


def _is_named(path: Path) -> bool:
    """Whether the file's name says that it holds chapters: what it may hold besides is too much."""
    return "chapters" in path.name.casefold().split(".")


def from_json(value: Any, duration: float = 0.0) -> tuple[Chapter, ...]:
    """Chapters of a JSON value: a list of them, or an object that has one."""
    if isinstance(value, dict):
        value = value.get("chapters")
    rows = value if isinstance(value, list) else []
    return settled((_from_object(row) for row in rows if isinstance(row, dict)), duration)


def from_description(text: str, duration: float = 0.0) -> tuple[Chapter, ...]:
    """Chapters listed in a description: three or more ascending times of which the first is 0:00,
    each at the beginning of its line. None where there is no such list."""
    listed = _listed(text)
    starts = [start for start, _, _ in listed]
    if len(listed) < _FEWEST_LINES or starts[0] or any(a >= b for a, b in pairwise(starts)):
        return ()
    return settled(listed, duration)


def settled(rough: Iterable[_Rough | None], duration: float) -> tuple[Chapter, ...]:
    """Chapters in order, each with an end, none beyond `duration` (0: unknown)."""
    usable = [r for r in rough if r and 0 <= r[0] <= _LATEST and (not duration or r[0] < duration)]
    ordered = sorted(usable, key=lambda chapter: chapter[0])[:_MOST]
    if not ordered:
        return ()
    follow = [start for start, _, _ in ordered[1:]]
    follow.append(duration or ordered[-1][0] + _LAST)
    made = []
    for (start, end, title), after in zip(ordered, follow, strict=True):
        until = after if end is None or end <= start or end > _LATEST else end
        until = min(until, duration) if duration else until
        if until > start:
            made.append(Chapter(start, until, one_line(title)[:_TITLE]))
    return tuple(made)


# ---------------------------------------------------------------- formats


def _ffmetadata(text: str) -> list[_Rough]:
    """Sections [CHAPTER]; a line that ends in a backslash goes on."""
    found: list[_Rough] = []
    for section in re.split(r"^\[CHAPTER\]\s*$", text, flags=re.MULTILINE)[1:]:
        body = re.split(r"^\[\w+\]\s*$", section, maxsplit=1, flags=re.MULTILINE)[0]
        fields: dict[str, str] = {}
        for line in re.split(r"(?<!\\)\n", body):
            name, _, value = line.partition("=")
            if not line.startswith((";", "#")):
                fields[name.strip().lower()] = _ESCAPED.sub(r"\1", value)
        unit = _timebase(fields.get("timebase", ""))
        start, end = finite(fields.get("start")), finite(fields.get("end"))
        if start is not None:
            until = None if end is None else end * unit
            found.append((start * unit, until, fields.get("title", "")))
    return found


def _timebase(text: str) -> float:
    try:
        unit = Fraction(text.strip()) if len(text) < 40 else _NANOSECOND
    except (ValueError, ZeroDivisionError):
        unit = _NANOSECOND
    return float(unit)


def _ogm(text: str) -> list[_Rough]:
    starts: dict[str, float] = {}
    names: dict[str, str] = {}
    for number, name, value in _OGM.findall(text):
        if name:
            names[number] = value
        elif match := _STAMP.fullmatch(value.strip()):
            starts[number] = _seconds(match[0])
    return [(start, None, names.get(number, "")) for number, start in starts.items()]


def _webvtt(text: str) -> list[_Rough]:
    cues = read_vtt(text)
    return [(cue.start, cue.end, " ".join(line.text for line in cue.lines)) for cue in cues]


def _from_object(row: dict[str, Any]) -> _Rough | None:
    tags = row.get("tags")
    title = row.get("title") or (tags.get("title") if isinstance(tags, dict) else "")
    start = _time(row, "start_time", "startTime", "start")
    if start is None:
        return None
    return start, _time(row, "end_time", "endTime", "end"), one_line(title)


def _time(row: dict[str, Any], *names: str) -> float | None:
    """Seconds, as a number, as text, or as "h:mm:ss", from the first of these that is there."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str) and (match := _STAMP.fullmatch(value.strip())):
            return _seconds(match[0])
        if (number := finite(value)) is not None:
            return number
    return None


def _listed(text: str) -> Sequence[_Rough]:
    matches = (_LINE.match(line[:1000]) for line in text.split("\n"))
    return [(_seconds(match[1]), None, match[2]) for match in matches if match]


def _seconds(stamp: str) -> float:
    seconds = 0.0
    for part in stamp.replace(",", ".").split(":"):
        seconds = seconds * 60 + float(part)
    return seconds

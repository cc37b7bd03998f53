"""Timed text made elsewhere: the JSONL that `footnote import` reads.

One row is one segment: `{"video_id","start","end","text","source"}` and optionally `title,
speaker, path, duration, url, date, language, people, place, tags, description`; times in seconds,
`people` and `tags` lists of texts, or one text. A row that cannot be used is reported with its line
number and what is wrong with it, and the others go in.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from pipeline.errors import RowError, UsageError
from pipeline.ingest.metadata import clean_list
from pipeline.ingest.names import check_video_id, slug_of
from pipeline.ingest.plain_text import clean_text
from pipeline.media.probe import Chapter
from pipeline.types import SOURCES, Metadata, Segment, Source

__all__ = ["ImportedVideo", "RowProblem", "Rows", "iso_date", "read_rows", "slug_of"]

REQUIRED = ("video_id", "start", "end", "text", "source")
OPTIONAL = (
    "title", "speaker", "path", "duration", "url", "date", "language",
    "people", "place", "tags", "description",
)  # fmt: skip

# Four months. More is milliseconds, or not a video.
LATEST_SECOND = 1e7
_ROUNDING = 0.1  # seconds that an end may lie behind a duration that was rounded
_MOST_WARNINGS = 100
_LONGEST_LINE = 16 << 20
# What one video's rows may each give; the first that does holds for the video.
_OF_VIDEO = ("title", "path", "url", "date", "language", "place", "description")
_LISTS_OF_VIDEO = ("people", "tags")
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]+)*")
_URL = re.compile(r"https?://[^\s<>\"\\]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ImportedVideo:
    """All good rows of one video, its segments in (start, end) order, rows of equal times as in
    the file. `duration` is the one given, else the end of the last row."""

    video_id: str
    title: str
    segments: tuple[Segment, ...]
    path: str = ""
    duration: float = 0.0
    url: str = ""
    date: str = ""  # ISO 8601, UTC
    language: str = ""
    people: tuple[str, ...] = ()
    place: str = ""
    tags: tuple[str, ...] = ()
    description: str = ""
    sidecars: tuple[tuple[str, int, int], ...] = ()  # the files it was read from, with stamps
    chapters: tuple[Chapter, ...] = ()  # of those files; rows bring theirs as segments

    def metadata(self) -> Metadata:
        """What the import says of the video; a title that is only its id says nothing."""
        title = "" if self.title == self.video_id else self.title
        return Metadata(
            title, self.date, self.people, self.place, self.tags, self.description, self.url,
            self.language,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A line (counted from 1) and what is wrong with it."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Rows:
    """`errors` are rows left out; `warnings` are things in rows that went in all the same."""

    videos: tuple[ImportedVideo, ...]
    errors: tuple[RowProblem, ...]
    warnings: tuple[RowProblem, ...]


@dataclass(slots=True)
class _Gathered:
    """The rows of one video while the file is read."""

    segments: list[tuple[int, Segment]] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    duration: float = 0.0


def read_rows(path: str | Path) -> Rows:
    """Read a JSONL file, one line at a time; videos come in the order of their first good row.

    UTF-8 with or without a byte order mark, any line ends, empty lines skipped. Raises
    `UsageError` where the file cannot be read as such at all.
    """
    reading = _Reading()
    try:
        with Path(path).open("rb") as file:
            _refuse_other_encodings(file, path)
            for number, line in _lines(file):
                reading.take(number, line)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    return reading.finish()


class _Reading:
    """What has been read so far."""

    def __init__(self) -> None:
        self.videos: dict[str, _Gathered] = {}
        self.errors: list[RowProblem] = []
        self.warnings: dict[str, RowProblem] = {}  # by what it is about: each is said once

    def take(self, number: int, line: bytes | None) -> None:
        try:
            row = _object(line)
            if row is None:
                return
            self._add(number, row)
        except RowError as error:
            self.errors.append(RowProblem(number, error.message))

    def _add(self, number: int, row: Mapping[str, Any]) -> None:
        missing = [name for name in REQUIRED if row.get(name) is None]
        if missing:
            raise RowError(f"missing {', '.join(missing)}{_misspelt(row, missing)}")
        video_id = check_video_id(row["video_id"])
        segment = _segment(row)
        duration = _seconds(row, "duration") if row.get("duration") is not None else 0.0
        facts = {name: value for name in _OF_VIDEO if (value := _fact(row, name))}
        lists = {name: texts for name in _LISTS_OF_VIDEO if (texts := _texts(row, name))}
        segment = _within(segment, duration)
        self._warn_of_unknown(number, row)
        video = self.videos.setdefault(video_id, _Gathered())
        video.segments.append((number, segment))
        for name, texts in lists.items():
            if video.lists.setdefault(name, texts) != texts:
                self._warn(number, f"{name} of {video_id}", "differ from those before: kept")
        self._keep_first(number, video_id, video, facts, duration)

    def _keep_first(
        self, number: int, video_id: str, video: _Gathered, facts: dict[str, str], duration: float
    ) -> None:
        for name, value in facts.items():
            first = video.facts.setdefault(name, value)
            # A video can be spoken in several languages: that differs by row, and may.
            if first != value and name != "language":
                self._warn(number, f"{name} of {video_id}", f"is {value!r}, was {first!r}: kept")
        video.duration = video.duration or duration
        if duration and duration != video.duration:
            self._warn(
                number, f"duration of {video_id}", f"is {duration:g}, was {video.duration:g}: kept"
            )

    def _warn_of_unknown(self, number: int, row: Mapping[str, Any]) -> None:
        for name in row.keys() - {*REQUIRED, *OPTIONAL}:
            self._warn(
                number, f"key {clean_text(name)[:80]!r}", f"is unknown: ignored{_near(name)}"
            )

    def _warn(self, number: int, about: str, message: str) -> None:
        if len(self.warnings) < _MOST_WARNINGS:
            self.warnings.setdefault(about, RowProblem(number, f"{about} {message}"))

    def finish(self) -> Rows:
        videos = [self._video(video_id, video) for video_id, video in self.videos.items()]
        return Rows(
            tuple(video for video in videos if video.segments),
            tuple(sorted(self.errors, key=lambda problem: problem.line)),
            tuple(sorted(self.warnings.values(), key=lambda problem: problem.line)),
        )

    def _video(self, video_id: str, video: _Gathered) -> ImportedVideo:
        """The rows of a video, without those beyond a duration that another row gave."""
        good = []
        for number, segment in video.segments:
            try:
                good.append(_within(segment, video.duration))
            except RowError as error:
                self.errors.append(RowProblem(number, error.message))
        good.sort(key=lambda segment: (segment.start, segment.end))
        return ImportedVideo(
            video_id,
            video.facts.get("title", video_id),
            tuple(good),
            video.facts.get("path", ""),
            video.duration or max((segment.end for segment in good), default=0.0),
            video.facts.get("url", ""),
            video.facts.get("date", ""),
            video.facts.get("language", ""),
            video.lists.get("people", ()),
            video.facts.get("place", ""),
            video.lists.get("tags", ()),
            video.facts.get("description", ""),
        )


# ---------------------------------------------------------------- lines


def _refuse_other_encodings(file: BinaryIO, path: str | Path) -> None:
    start = file.read(4)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UsageError(f"{path} is UTF-16, not UTF-8", f"iconv -f UTF-16 -t UTF-8 {path}")
    if start[:2] == b"\x1f\x8b":
        raise UsageError(f"{path} is compressed", f"gunzip -k {path}")
    file.seek(3 if start[:3] == b"\xef\xbb\xbf" else 0)


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """(number from 1, line); None for a line too long to be a row, which is not kept."""
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        whole = True
        while len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            line, whole = file.readline(_LONGEST_LINE), False
        yield number, line if whole else None


def _object(line: bytes | None) -> dict[str, Any] | None:
    """The JSON object of a line, None for a blank one."""
    if line is None:
        raise RowError(f"longer than {_LONGEST_LINE >> 20} MB: not a row")
    if not line.strip():
        return None
    try:
        row = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise RowError(f"not UTF-8 at byte {error.start + 1}") from error
    except json.JSONDecodeError as error:
        raise RowError(f"not JSON: {error.msg} at character {error.pos + 1}") from error
    except (ValueError, RecursionError) as error:
        raise RowError("not JSON: a number or a nesting too large") from error
    if not isinstance(row, dict):
        raise RowError(f"not a JSON object but {_kind(row)}")
    return row


def _no_constant(name: str) -> NoReturn:
    raise RowError(f"{name} is not a number of seconds")


# ---------------------------------------------------------------- fields


def _segment(row: Mapping[str, Any]) -> Segment:
    start, end = _seconds(row, "start"), _seconds(row, "end")
    if end <= start:
        raise RowError(f"end {end:g} is not after start {start:g}")
    text = clean_text(_string(row, "text"))
    if not text:
        raise RowError("text is empty")
    return Segment(
        _source(row),
        start,
        end,
        text,
        speaker=clean_text(_string(row, "speaker")),
        language=_language(_string(row, "language")),
    )


def _within(segment: Segment, duration: float) -> Segment:
    """The segment, ending with the video where rounding made it end later."""
    if not duration or segment.end <= duration:
        return segment
    if segment.end - duration > _ROUNDING or segment.start >= duration:
        raise RowError(f"end {segment.end:g} is beyond the video's duration {duration:g}")
    return replace(segment, end=duration)


def _source(row: Mapping[str, Any]) -> Source:
    source = _string(row, "source")
    if source not in SOURCES:
        near = difflib.get_close_matches(source.lower(), SOURCES, n=1, cutoff=0.0)[0]
        raise RowError(f"unknown source {clean_text(source)[:40]!r}; did you mean {near!r}?")
    return source


def _seconds(row: Mapping[str, Any], name: str) -> float:
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowError(f"{name} must be a number of seconds, not {_kind(value)}")
    if not 0 <= value <= LATEST_SECOND:  # nan never gets here: the JSON reader refuses it
        what = "negative" if value < 0 else f"more than {LATEST_SECOND:g} seconds"
        raise RowError(f"{name} is {what}")
    return float(value)


def _string(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowError(f"{name} must be a string, not {_kind(value)}")
    return value


def _fact(row: Mapping[str, Any], name: str) -> str:
    value = clean_text(_string(row, name))
    if name == "description":
        return value
    value = value.replace("\n", " ")
    if not value:
        return ""
    if name == "date":
        return iso_date(value)
    if name == "language":
        return _language(value)
    if name == "url" and not _URL.fullmatch(value):
        raise RowError(f"url {value[:80]!r} is not an http or https address")
    return value


def _texts(row: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The texts of a list, or one text."""
    value = row.get(name)
    if value is None or isinstance(value, str):
        value = [value or ""]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RowError(f"{name} must be a list of texts, or one text, not {_kind(value)}")
    return clean_list(value)


def _language(value: str) -> str:
    value = value.strip()
    match = _LANGUAGE.fullmatch(value)
    if value and not match:
        raise RowError(f"language {clean_text(value)[:40]!r} is not a code such as 'en'")
    return match[1].lower() if match else ""


def iso_date(value: str) -> str:
    """A date or a time as ISO 8601 in UTC: "2024-05-01" or "2024-05-01T09:30:00Z".

    A time without a zone is taken as UTC. Raises `RowError` for anything that is not ISO 8601.
    """
    try:
        if len(value) <= 10:
            return date.fromisoformat(value).isoformat()
        moment = datetime.fromisoformat(value)
        utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RowError(f"date {value[:40]!r} is not ISO 8601 such as 2024-05-01") from error
    return utc.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _kind(value: object) -> str:
    names = {
        type(None): "null",
        bool: "true or false",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "a number")


def _near(name: str) -> str:
    near = difflib.get_close_matches(name.lower()[:80], (*REQUIRED, *OPTIONAL), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _misspelt(row: Mapping[str, Any], missing: list[str]) -> str:
    """ " (is 'txt' meant?)" where an unknown key looks like a missing one."""
    unknown = [name for name in row if name not in REQUIRED and name not in OPTIONAL]
    for name in unknown[:20]:
        if difflib.get_close_matches(name.lower()[:80], missing, n=1):
            return f" (there is {clean_text(name)[:40]!r})"
    return ""

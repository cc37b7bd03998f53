"""A saved answer or report: what `ask --json` or `report --json` wrote, read again.

Nothing in such a file is believed: every value is checked as it is read, and an error names the
place. `recheck` tells whether what it says still holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pipeline.errors import ClockError, UsageError
from pipeline.types import (
    CITABLE,
    Citation,
    Segment,
    Sentence,
    SourceText,
    SourceVideo,
    Verdict,
    Word,
    check_interval,
)

LARGEST = 200_000_000  # bytes of a file that is read


@dataclass(frozen=True, slots=True)
class Saved:
    """An answer or a report as its JSON tells it. `written` is the text that was shown, None in a
    report; `videos` and `evidence` are empty where the file carries none."""

    subject: str
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    written: str | None
    videos: tuple[SourceVideo, ...] = ()
    evidence: tuple[SourceText, ...] = ()
    embedding: str = ""
    verifier: str = ""

    @property
    def has_evidence(self) -> bool:
        return bool(self.evidence) or not self.citations


# ---------------------------------------------------------------- reading


def load_saved(path: Path) -> Saved:
    """Raises `UsageError`, with the place, for a file that holds no answer or report."""
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is too large for an answer", "footnote ask --json")
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", "footnote verify FILE"
        ) from error
    except RecursionError as error:
        raise UsageError(f"{path} is nested too deeply", "footnote ask --json") from error
    except ValueError as error:  # not JSON, or not UTF-8
        raise UsageError(f"{path} is no JSON: {error}", "footnote ask QUESTION --json") from error
    try:
        return read_saved(value)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", error.hint) from error


def read_saved(value: object) -> Saved:
    """The value of `ask --json` or `report --json`. Raises `UsageError` that names the place."""
    if not isinstance(value, Mapping):
        raise _malformed("", "an object is expected")
    is_report = "topic" in value and "sections" in value
    if not is_report and not ("question" in value and "sentences" in value):
        raise _malformed("", "it is neither an answer nor a report")
    citations = tuple(_citation(row, at) for row, at in _rows(value, "citations"))
    markers = [citation.marker for citation in citations]
    if twice := {marker for marker in markers if markers.count(marker) > 1}:
        raise _malformed("citations", f"marker {min(twice)} stands there twice")
    known = frozenset(markers)
    if not is_report:
        sentences = tuple(_sentence(row, at, known) for row, at in _rows(value, "sentences"))
        written = _text(value, "answer", "answer")
        return Saved(_text(value, "question", "question"), sentences, citations, written)
    return Saved(
        _text(value, "topic", "topic"),
        tuple(
            _sentence(row, at, known)
            for section, place in _rows(value, "sections")
            for row, at in _rows(section, "sentences", f"{place}.")
        ),
        citations,
        None,
        tuple(_video(row, at) for row, at in _rows(value, "videos")),
        tuple(_source_text(row, at) for row, at in _rows(value, "evidence")),
        _text(value, "embedding", "embedding", ""),
        _text(value, "verifier", "verifier", ""),
    )


def _malformed(place: str, why: str) -> UsageError:
    return UsageError(
        f"{place}: {why}" if place else why,
        "verify takes what `footnote ask --json` or `footnote report --json` wrote",
    )


def _rows(value: Mapping[str, Any], name: str, above: str = "") -> list[tuple[Any, str]]:
    """(object, place) of each row of a list of objects."""
    rows = value.get(name)
    if not isinstance(rows, list):
        raise _malformed(f"{above}{name}", "a list is expected")
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise _malformed(f"{above}{name}[{number}]", "an object is expected")
    return [(row, f"{above}{name}[{number}]") for number, row in enumerate(rows)]


def _text(value: Mapping[str, Any], name: str, place: str, default: str | None = None) -> str:
    found = value.get(name, default)
    if not isinstance(found, str):
        raise _malformed(place, "a text is expected")
    return found


def _seconds(value: Mapping[str, Any], name: str, place: str) -> float:
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _malformed(f"{place}.{name}", "a number of seconds is expected")
    return float(found)


def _marker(value: object, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _malformed(place, "a whole number from 1 is expected")
    return value


def _verdict(value: Mapping[str, Any], place: str) -> Verdict:
    found = next((v for v in get_args(Verdict) if v == value.get("verdict")), None)
    if found is None:
        raise _malformed(f"{place}.verdict", f"one of {', '.join(get_args(Verdict))} is expected")
    verdict: Verdict = found
    return verdict


def _sentence(row: Mapping[str, Any], place: str, known: frozenset[int]) -> Sentence:
    cited = row.get("citations")
    if not isinstance(cited, list):
        raise _malformed(f"{place}.citations", "a list is expected")
    markers = tuple(_marker(m, f"{place}.citations[{n}]") for n, m in enumerate(cited))
    for number, marker in enumerate(markers):
        if marker not in known:
            raise _malformed(f"{place}.citations[{number}]", f"there is no citation {marker}")
    return Sentence(_text(row, "text", f"{place}.text"), markers, _verdict(row, place))


def _citation(row: Mapping[str, Any], place: str) -> Citation:
    texts = ("video_id", "title", "quote", "link")
    video_id, title, quote, address = (_text(row, name, f"{place}.{name}") for name in texts)
    start, end = _interval(row, place)
    source = next((s for s in CITABLE if s == row.get("source")), None)
    if source is None:
        raise _malformed(f"{place}.source", f"one of {', '.join(sorted(CITABLE))} is expected")
    return Citation(
        marker=_marker(row.get("marker"), f"{place}.marker"),
        video_id=video_id,
        title=title,
        start=start,
        end=end,
        quote=quote,
        source=source,
        verdict=_verdict(row, place),
        link=address,
        date=_text(row, "date", f"{place}.date", ""),
        speaker=_text(row, "speaker", f"{place}.speaker", ""),
    )


def _interval(row: Mapping[str, Any], place: str) -> tuple[float, float]:
    start, end = _seconds(row, "start", place), _seconds(row, "end", place)
    try:
        check_interval(start, end, place)
    except ClockError as error:
        raise _malformed(place, f"{start} to {end} is no interval") from error
    return start, end


def _video(row: Mapping[str, Any], place: str) -> SourceVideo:
    names = ("video_id", "title", "date", "sha256", "url", "language")
    texts = {name: _text(row, name, f"{place}.{name}") for name in names}
    return SourceVideo(**texts, duration=_seconds(row, "duration", place))


def _source_text(row: Mapping[str, Any], place: str) -> SourceText:
    inner, at = row.get("segment"), f"{place}.segment"
    if not isinstance(inner, Mapping):
        raise _malformed(at, "an object is expected")
    start, end = _interval(inner, at)
    spoken = tuple(
        Word(
            _seconds(word, "start", where),
            _seconds(word, "end", where),
            _text(word, "text", f"{where}.text"),
        )
        for word, where in _rows(inner, "words", f"{at}.")
    )
    source = next((s for s in CITABLE if s == inner.get("source")), None)
    if source is None:
        raise _malformed(f"{at}.source", f"one of {', '.join(sorted(CITABLE))} is expected")
    text, speaker, language = (
        _text(inner, name, f"{at}.{name}") for name in ("text", "speaker", "language")
    )
    segment = Segment(source, start, end, text, speaker, language, words=spoken)
    return SourceText(_text(row, "video_id", f"{place}.video_id"), segment)

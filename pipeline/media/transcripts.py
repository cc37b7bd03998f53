"""What Whisper heard, from the files it leaves: JSON, with word times where it gave them, and TSV.

JSON is read as openai-whisper writes it (`--output_format json`), and as faster-whisper, WhisperX
(`score` for a probability, words without times) and whisper.cpp (milliseconds under `offsets`)
do. The doubts that the file holds become flags, by the thresholds of `models.whispers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.media import language as languages
from pipeline.media.cues import SubtitleTrack
from pipeline.media.sidecars import language_in
from pipeline.media.text_file import finite, one_line, read_json, read_text
from pipeline.models.whispers import Heard, flags
from pipeline.types import Segment, Word

_TSV_HEADER = ["start", "end", "text"]
_MILLISECOND = 1e-3
_TICK = 0.02  # Whisper's resolution: what it gives no length is at least this long
_LATEST = 1e7  # seconds; more is milliseconds, or no video


def read_transcript(path: str | Path) -> SubtitleTrack | None:
    """One transcript; None for a JSON or TSV file that is something else.

    Raises `MediaError` for a file that is broken, empty or too large.
    """
    path = Path(path)
    if path.suffix.lower() == ".tsv" or is_tsv(read_text(path)):
        rows, language = _tsv_rows(read_text(path)), ""
    else:
        rows, language = _json_rows(read_json(path))
    if rows is None:
        return None
    language = language or language_in(path)
    made = [_segment(row, language) for row in rows]
    segments = sorted(
        (segment for segment in made if isinstance(segment, Segment)),
        key=lambda segment: (segment.start, segment.end),
    )
    bad = made.count(None)
    problems = (f"rows left out, as they have no usable time or text: {bad}",) if bad else ()
    return SubtitleTrack(language, path.name, tuple(segments), problems)


def is_tsv(text: str) -> bool:
    """Whether a text begins as Whisper's TSV does."""
    first = text[:100].split("\n", 1)[0]
    return [name.strip().lower() for name in first.split("\t")] == _TSV_HEADER


def is_transcript(value: object) -> bool:
    """Whether the JSON of a file is what a Whisper leaves."""
    return _json_rows(value)[0] is not None


# ---------------------------------------------------------------- formats to rows

# A row is {"start", "end", "text"} in seconds, and maybe "words", "speaker" and Whisper's doubts.
_Rows = Sequence[Mapping[str, Any] | None]


def _json_rows(value: Any) -> tuple[_Rows | None, str]:
    """(the rows, None where a row is none; their language); no rows at all for other JSON."""
    if not isinstance(value, dict):
        return None, ""
    if isinstance(value.get("segments"), list):
        language = value.get("language")
        rows = [row if isinstance(row, dict) else None for row in value["segments"]]
        timed = [row for row in rows if row and "start" in row and "text" in row]
        if not rows or timed or "language" in value:
            return rows, languages.normal(language) if isinstance(language, str) else ""
    if isinstance(value.get("transcription"), list):  # whisper.cpp
        result = value.get("result")
        language = result.get("language") if isinstance(result, dict) else ""
        cpp = [_cpp_row(row) for row in value["transcription"]]
        return cpp, languages.normal(language) if isinstance(language, str) else ""
    return None, ""


def _cpp_row(row: Any) -> dict[str, Any] | None:
    offsets = row.get("offsets") if isinstance(row, dict) else None
    if not isinstance(offsets, dict):
        return None
    return {
        "start": _seconds(offsets.get("from")),
        "end": _seconds(offsets.get("to")),
        "text": row.get("text"),
    }


def _tsv_rows(text: str) -> _Rows | None:
    if not is_tsv(text):
        return None
    return [_tsv_row(line) for line in text.split("\n")[1:] if line.strip()]


def _tsv_row(line: str) -> dict[str, Any]:
    start, end, text = [*line.split("\t", 2), "", ""][:3]
    return {"start": _seconds(start), "end": _seconds(end), "text": text}


def _seconds(milliseconds: object) -> float | None:
    number = finite(milliseconds)
    return None if number is None else number * _MILLISECOND


# ---------------------------------------------------------------- rows to segments


def _segment(row: Mapping[str, Any] | None, language: str) -> Segment | str | None:
    """The segment, "" for a row that says nothing, None for one that cannot be used."""
    if row is None or not isinstance(row.get("text"), str):
        return None
    text, start, end = one_line(row["text"]), finite(row.get("start")), finite(row.get("end"))
    if start is None or end is None or not 0 <= start <= end <= _LATEST:
        return None
    if not text:
        return ""
    end = max(end, start + _TICK)
    words = tuple(_words(row.get("words"), start, end))
    return Segment(
        "speech",
        start,
        end,
        text,
        speaker=one_line(row.get("speaker")),
        language=language,
        flags=flags(_heard(row, start, end, text)),
        words=words,
    )


def _words(words: object, start: float, end: float) -> Iterator[Word]:
    """The words that have times, within the segment and in order."""
    reached = start
    for word in words if isinstance(words, list) else ():
        if not isinstance(word, dict):
            continue
        text = one_line(word.get("word", word.get("text")))
        begin, until = finite(word.get("start")), finite(word.get("end"))
        if not text or begin is None or until is None or begin > until:
            continue
        begin = min(max(begin, reached), end)
        reached = min(max(until, begin), end)
        yield Word(begin, reached, text, _share(word.get("probability", word.get("score"))))


def _share(value: object) -> float:
    number = finite(value)
    return 1.0 if number is None else min(max(number, 0.0), 1.0)


def _heard(row: Mapping[str, Any], start: float, end: float, text: str) -> Heard:
    """The row with Whisper's own doubts, none where the file has none."""
    doubts = (finite(row.get(name)) for name in ("avg_logprob", "no_speech_prob"))
    logprob, no_speech = (0.0 if doubt is None else doubt for doubt in doubts)
    ratio = finite(row.get("compression_ratio"))
    return Heard(start, end, text, (), logprob, no_speech, 1.0 if ratio is None else ratio)

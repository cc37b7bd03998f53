"""A video as a language model reads it: lines with times, speech, pictures and screen interleaved.

A line holds a sentence or two (Chapter-Llama, Ventura et al. 2025: speech and captions in one list,
by time). What stands in it is data: it cannot begin a line of its own, nor hold a time in brackets.
A reply names lines by their times, and is held to them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.ingest.clock import SegmentClock
from pipeline.ingest.function_words import telling_words
from pipeline.ingest.plain_text import clean_text
from pipeline.ingest.sentences import sentences
from pipeline.prompts import as_data
from pipeline.types import HOW, Segment, Source, clock

_LINE_SECONDS, _LEAST_LINE_SECONDS = 15.0, 4.0  # of speech on one line, in a long video and a short
_STAMP_ROOM = 8  # characters
_LINE_CHARACTERS = 240
_SCREEN_CHARACTERS = 200
_REACH = 20.0  # seconds between a time in a reply and the line that it means
_STAMP = r"(?:\d{1,2}:)?\d{1,3}:\d{2}"
_FIGURE = re.compile(r"\d|[^\x00-\x7f]")
_STAMPS = re.compile(_STAMP)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the transcript: `text` is fit for a prompt."""

    start: float
    end: float
    text: str
    source: Source


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines that fit into one prompt."""

    lines: tuple[Line, ...]
    number: int  # from 1
    count: int

    @property
    def text(self) -> str:
        return "\n".join(f"{clock(line.start)} {line.text}" for line in self.lines)

    @property
    def name(self) -> str:
        """What it is to the video, in words."""
        if self.count == 1:
            return "the whole transcript of it"
        return f"part {self.number} of {self.count} of its transcript"


def parts_of(segments: Sequence[Segment], room: int) -> list[Part]:
    """The transcript in parts of at most about `room` characters, of about the same length.

    `segments` are citable ones, by time; what nobody said is left out.
    """
    lines = _lines([segment for segment in segments if not segment.invented])
    total = sum(len(line.text) + _STAMP_ROOM for line in lines)
    count = max(1, -(-total // max(room, 1)))
    parts: list[list[Line]] = [[]]
    filled = 0
    for line in lines:
        if parts[-1] and filled >= total * len(parts) / count:
            parts.append([])
        parts[-1].append(line)
        filled += len(line.text) + _STAMP_ROOM
    return [Part(tuple(part), n, len(parts)) for n, part in enumerate(parts, 1) if part]


def _lines(segments: Sequence[Segment]) -> list[Line]:
    """Speech in lines of a few sentences, everything else as it is, by time.

    A line of speech ends where something new is seen, so that the two can be told apart. Left out
    are text that stood on the screen before, and what has no telling word ("Right", "Yeah").
    """
    lines: list[Line] = []
    run: list[Segment] = []
    seconds = _line_seconds(segments)
    shown: set[str] = set()
    for segment in (piece for whole in segments for piece in _pieces(whole, seconds)):
        if _says_nothing(segment) or (segment.source == "screen" and segment.text in shown):
            continue
        if run and (segment.source != "speech" or not _continues(run, segment, seconds)):
            lines.append(_line(run))
            run = []
        if segment.source == "speech":
            run.append(segment)
        else:
            shown.add(segment.text)
            lines.append(_line([segment]))
    lines += [_line(run)] if run else []
    return sorted((line for line in lines if line.text), key=lambda line: (line.start, line.end))


def _says_nothing(segment: Segment) -> bool:
    """What listeners say ("Right", "Yeah, exactly"); numbers and other scripts say something."""
    return (
        segment.source == "speech"
        and not telling_words(segment.text)
        and not _FIGURE.search(segment.text)
    )


def _line_seconds(segments: Sequence[Segment]) -> float:
    """Shorter lines in short videos, where a chapter is short."""
    end = max((segment.end for segment in segments), default=0.0)
    return min(_LINE_SECONDS, max(_LEAST_LINE_SECONDS, end / 60))


def _pieces(segment: Segment, seconds: float) -> list[Segment]:
    """A long turn in its sentences, each with its own time."""
    if segment.source != "speech" or segment.end - segment.start <= seconds:
        return [segment]
    spans = sentences(segment.text)
    times = SegmentClock(segment).intervals(spans)
    return [
        replace(segment, start=start, end=end, text=segment.text[a:b], words=())
        for (a, b), (start, end) in zip(spans, times, strict=True)
    ] or [segment]


def _continues(run: Sequence[Segment], segment: Segment, seconds: float) -> bool:
    length = sum(len(s.text) for s in run) + len(segment.text)
    return (
        segment.speaker == run[-1].speaker
        and segment.end - run[0].start <= seconds
        and length <= _LINE_CHARACTERS
    )


def _line(run: Sequence[Segment]) -> Line:
    first = run[0]
    text = " ".join(segment.text for segment in run)
    if first.source == "screen":
        shown = " / ".join(line for line in clean_text(text).split("\n") if line.strip())
        text = shown[:_SCREEN_CHARACTERS]
    said = as_data(text)
    how = HOW[first.source] + (f" by {as_data(first.speaker)}" if first.speaker else "")
    return Line(
        first.start, max(s.end for s in run), f"{how}: {said}" if said else "", first.source
    )


# ---------------------------------------------------------------- times in a reply


def times_in(text: str) -> list[float]:
    """Seconds of the clock times in a text, in its order."""
    return [_seconds(stamp) for stamp in _STAMPS.findall(text)]


def _seconds(stamp: str) -> float:
    seconds = 0
    for figure in stamp.split(":"):
        seconds = seconds * 60 + int(figure)
    return float(seconds)


def line_at(time: float, lines: Sequence[Line]) -> Line | None:
    """The line that a time in a reply means: the one that begins in that second, else that covers
    it, else the nearest one; None where there is none near. `lines` are by time."""
    if not lines:
        return None
    at = bisect_right(lines, time + 0.999, key=lambda line: line.start)
    near = lines[max(0, at - 4) : at + 1]
    best = min(near, key=lambda line: (_distance(time, line), abs(int(line.start) - time)))
    return best if _distance(time, best) <= _REACH else None


def _distance(time: float, line: Line) -> float:
    if int(line.start) == time:
        return -1.0
    return max(line.start - time, time - line.end, 0.0)

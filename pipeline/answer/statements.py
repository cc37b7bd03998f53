"""Whole sentences over stored segments: what an answer can quote, and when it was said.

Subtitles cut a sentence where the line is full, and one turn of a talk may hold twenty sentences
in one segment. An answer quotes and cites sentences, so they are rebuilt here, each with the
stored segments it lies in and the interval of its own words.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.ingest.sentences import sentences
from pipeline.types import CITABLE, Segment, Source

# Longest statement, in columns (a wide East Asian character counts two).
MAX_WIDTH = 240
MAX_WIDTH_WITHOUT_MARKS = 130  # speech without punctuation reads worse: quote less of it
MIN_WIDTH = 9  # "Yes." or "Twelve." says nothing alone: it is joined to its neighbour
MIN_SCREEN_WIDTH = 40  # a line of a slide needs the lines around it
SENTENCE_GAP = 3.0  # seconds of silence that no sentence spans
PAUSE = 0.3  # seconds between two segments at which an unpunctuated speaker took breath
WORD_REACH = 40  # characters ahead at which a timed word is still looked for in its segment
LONG_UTTERANCE = 12.0  # seconds; within a longer segment a sentence's time is estimated

_MARK = re.compile(r"[.!?…,;:।؟](?=\s|$)|[。！？、，；]")  # noqa: RUF001
_CLAUSE_END = re.compile(r"[,;:–—](?=\s)\s*|[、，；]")  # noqa: RUF001
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Statement:
    """Stored text that reads by itself: `text` is `" ".join(segment texts)[offset:]`'s beginning.

    `segments` are consecutive segments of one source (and one speaker) of one video.
    """

    video_id: str
    segments: tuple[Segment, ...]
    offset: int
    text: str
    start: float
    end: float

    @property
    def source(self) -> Source:
        return self.segments[0].source

    @property
    def speaker(self) -> str:
        return self.segments[0].speaker

    @property
    def language(self) -> str:
        return self.segments[0].language

    @property
    def doubtful(self) -> bool:
        return any(segment.doubtful for segment in self.segments)


def statements(video_id: str, segments: Sequence[Segment]) -> list[Statement]:
    """The citable statements of `segments` (of one video), by start, then end.

    Chapters and summaries give none. A statement is a sentence; a very short one is joined to
    its neighbour, one that is too long is cut where the speaker paused or a clause ended.
    """
    found = [
        statement
        for run in _runs(segments)
        for begin, stop in _spans(run)
        if (statement := cut(video_id, run, begin, stop)) is not None
    ]
    return sorted(found, key=lambda s: (s.start, s.end, s.offset))


def cut(video_id: str, run: Sequence[Segment], begin: int, stop: int) -> Statement | None:
    """The statement at characters [begin, stop) of `run`'s texts joined by single spaces.

    None where there is nothing but blanks and marks.
    """
    joined = " ".join(segment.text for segment in run)
    text = joined[begin:stop]
    if not any(character.isalnum() for character in text):
        return None
    begin += len(text) - len(text.lstrip())
    text = text.strip()
    stop = begin + len(text)
    first, last, base = _covered(run, begin, stop)
    covered = tuple(run[first : last + 1])
    start, end = _interval(covered, begin - base, stop - base)
    return Statement(video_id, covered, begin - base, text, start, end)


def one_line(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


# ---------------------------------------------------------------- where a sentence may run on


def _runs(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Segments over which a sentence may run on: speech of one speaker without a long silence.

    Captions, screens and sounds are each complete in themselves.
    """
    streams: dict[tuple[str, str], list[Segment]] = {}
    for segment in sorted(segments, key=lambda s: (s.start, s.end)):
        if segment.source in CITABLE and not segment.invented:
            streams.setdefault((segment.source, segment.language), []).append(segment)
    for (source, _), stream in streams.items():
        run: list[Segment] = []
        for segment in stream:
            if run and not (source == "speech" and _continues(run[-1], segment)):
                yield run
                run = []
            run.append(segment)
        yield run


def _continues(before: Segment, after: Segment) -> bool:
    return before.speaker == after.speaker and after.start - before.end <= SENTENCE_GAP


def _covered(run: Sequence[Segment], begin: int, stop: int) -> tuple[int, int, int]:
    """(first, last, base): the segments that hold [begin, stop), and where the first begins."""
    offsets = _offsets(run)
    first = max(i for i, offset in enumerate(offsets) if offset <= begin)
    last = max(i for i, offset in enumerate(offsets) if offset < stop)
    return first, last, offsets[first]


def _offsets(run: Sequence[Segment]) -> list[int]:
    lengths = (len(segment.text) + 1 for segment in run)
    return [0, *itertools.accumulate(lengths)][: len(run)]


# ---------------------------------------------------------------- sentences of a fair length


def _spans(run: Sequence[Segment]) -> list[tuple[int, int]]:
    joined = " ".join(segment.text for segment in run)
    on_screen = run[0].source == "screen"
    units = sentences(joined, lines=on_screen)
    breaks = _breaks(run)
    return [
        span
        for begin, stop in _join_short(joined, units, MIN_SCREEN_WIDTH if on_screen else MIN_WIDTH)
        for span in _cut_long(joined, begin, stop, breaks)
    ]


def _join_short(text: str, spans: Sequence[tuple[int, int]], least: int) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for begin, stop in spans:
        if joined:
            before = joined[-1]
            short = min(width(text[before[0] : before[1]]), width(text[begin:stop])) < least
            if short and width(text[before[0] : stop]) <= MAX_WIDTH // 2:
                joined[-1] = (before[0], stop)
                continue
        joined.append((begin, stop))
    return joined


def _breaks(run: Sequence[Segment]) -> dict[int, int]:
    """Character at which a segment begins -> how good a place it is to cut: 3 after a pause."""
    return {
        offset: 3 if after.start - before.end >= PAUSE else 1
        for offset, (before, after) in zip(_offsets(run)[1:], itertools.pairwise(run), strict=True)
    }


def _cut_long(
    text: str, begin: int, stop: int, breaks: dict[int, int]
) -> Iterator[tuple[int, int]]:
    """`[begin, stop)` in parts that are short enough, cut at the best place near the middle."""
    open_spans = [(begin, stop)]
    while open_spans:
        begin, stop = open_spans.pop()
        part = text[begin:stop]
        if width(part) <= (MAX_WIDTH if _MARK.search(part) else MAX_WIDTH_WITHOUT_MARKS):
            yield begin, stop
            continue
        middle = _cutting_place(text, begin, stop, breaks)
        open_spans += [(middle, stop), (begin, middle)]


def _cutting_place(text: str, begin: int, stop: int, breaks: dict[int, int]) -> int:
    edge = (stop - begin) // 8
    low, high, middle = begin + edge, stop - edge, (begin + stop) // 2
    places = {match.end(): 0 for match in _SPACE.finditer(text, low, high)}
    places |= {offset: rank for offset, rank in breaks.items() if low < offset < high}
    for match in _CLAUSE_END.finditer(text, low, high):
        places[match.end()] = max(2, places.get(match.end(), 0))
    if not places:
        return middle
    return max(places, key=lambda place: (places[place], -abs(place - middle)))


def width(text: str) -> int:
    """Columns that `text` takes: a wide East Asian character says about as much as two letters."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


# ---------------------------------------------------------------- when it was said


def _interval(run: Sequence[Segment], begin: int, stop: int) -> tuple[float, float]:
    """Seconds of characters [begin, stop) of `run` joined; they begin in its first segment."""
    base = _offsets(run)[-1]
    start, end = _time(run[0], begin, stop)[0], _time(run[-1], begin - base, stop - base)[1]
    # What runs over the others is cut in the middle, and they may be over by then.
    start, end = min(start, *(s.end for s in run)), max(end, *(s.start for s in run))
    if start < end:
        return start, end
    return min(s.start for s in run), max(s.end for s in run)


def _time(segment: Segment, begin: int, stop: int) -> tuple[float, float]:
    """Seconds of characters [begin, stop) of one segment, never outside it.

    Exact with word times. Without them an utterance is cited whole, and a place in a long turn
    is estimated by its share of the characters, with room for the speaker's changes of pace.
    """
    begin, stop = max(begin, 0), min(stop, len(segment.text))
    words = [w for w in _placed_words(segment) if w[0] < stop and w[1] > begin]
    if words:
        start, end = min(w[2] for w in words), max(w[3] for w in words)
        if start < end:
            return start, end
    length = segment.end - segment.start
    if segment.source != "speech" or length <= LONG_UTTERANCE or not segment.text:
        return segment.start, segment.end
    slack = min(5.0, 0.05 * length)
    scale = length / len(segment.text)
    start = segment.start + begin * scale - (slack if begin else 0.0)
    end = segment.start + stop * scale + slack
    return max(start, segment.start), min(end, segment.end)


def _placed_words(segment: Segment) -> Iterator[tuple[int, int, float, float]]:
    """(begin, stop, start, end) of the words that are found, in order, in the segment's text."""
    cursor = 0
    for word in segment.words:
        text = word.text.strip()
        at = segment.text.find(text, cursor, cursor + len(text) + WORD_REACH) if text else -1
        if at < 0 or not (math.isfinite(word.start) and math.isfinite(word.end)):
            continue
        cursor = at + len(text)
        start, end = (min(max(t, segment.start), segment.end) for t in (word.start, word.end))
        yield at, cursor, start, end

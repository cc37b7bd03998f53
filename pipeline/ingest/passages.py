"""Segments of one source packed into passages: what is embedded, indexed and found.

Speech runs along with time, so a long utterance is cut at sentence ends and its parts carry
their own times. A caption or a screen of text holds for its whole interval: it is never cut in
time, and where it has more text than the embedding model takes, every part keeps the interval.

Two steps. Segments become *units* (a segment, or a part of one that is too long); then units
are packed from the left. Where to cut is a trade between the length aimed at and what makes a
good end: the end of a sentence, a pause, another speaker, a shot boundary. The idea is that of
line breaking (Knuth and Plass 1981, "Breaking Paragraphs into Lines") with a greedy choice:
what is left of a stretch is divided evenly first, so that no crumb remains at its end.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, pairwise

from pipeline.ingest.clock import SegmentClock
from pipeline.ingest.cuts import cut_text
from pipeline.ingest.sentences import ends_sentence, sentences
from pipeline.types import Passage, Segment, Window

CountTokens = Callable[[Sequence[str]], list[int]]

# A passage may be this much longer than asked for, where that finds it a better end.
_STRETCH = 1.5
# A tokenizer may call a megabyte without a space one unknown word; an index cannot.
_CHARACTERS_PER_TOKEN = 12
# Every text below has at least this much room, whatever the tokenizer makes of one character.
_LEAST_TOKENS = 16

# A sentence or two: what a citation points to, and what a question is compared with to find it.
# Windows of 6 s find the place better than those of 12 s on talks and on tutorials.
WINDOW_SECONDS = 6.0

# Fewer characters are not cut in time: "Yes" said for two minutes is a transcript that only knew
# when turns begin. It is taken to be said where it begins.
_LEAST_CHARACTERS = 8

# What an end costs, in passages' lengths: 0.5 is worth being half a passage too short or long.
_MID_SENTENCE = 0.5
_MID_SEGMENT = 0.1
_NO_PAUSE = 0.25
_SAME_SPEAKER = 0.2
_NO_SHOT = 0.2
_LONG_PAUSE = 2.0
_SHOT_REACH = 0.5  # seconds between an end and a shot boundary that still belong together


@dataclass(frozen=True, slots=True)
class _Unit:
    """Characters [left, right) of one segment, with their times and tokens."""

    ordinal: int
    left: int
    right: int
    start: float
    end: float
    tokens: int = 0


def pack(
    segments: Sequence[Segment],
    count_tokens: CountTokens,
    *,
    max_tokens: int,
    seconds: float = 30.0,
    boundaries: Sequence[float] = (),
) -> list[Passage]:
    """Pack the segments of ONE source of one video, given in (start, end) order.

    `count_tokens` gives tokens per text with special tokens; no passage exceeds `max_tokens`.
    It is called for all texts together, once to plan and once to check, and again only for
    passages that came out too long. `boundaries` are shot boundaries, ascending seconds.
    Every passage carries its windows of about `WINDOW_SECONDS`, cut by the same rules.

    Every non-space character of every segment is in exactly one passage, in order, but for
    segments that are `invented`: these keep their ordinal and are in none. A passage's
    interval holds the times of its text; speech lasts at most 1.5 x `seconds` (a few words
    that are said to last longer end there), anything else at most `seconds` unless it is one
    single segment. A silence longer than `seconds` always cuts.
    Linear time. Raises ValueError for segments out of order or of several sources, and for a
    limit too small to be one.
    """
    if max_tokens < _LEAST_TOKENS:
        raise ValueError(f"max_tokens is {max_tokens}; at least {_LEAST_TOKENS} are needed")
    if any((b.start, b.end) < (a.start, a.end) for a, b in pairwise(segments)):
        raise ValueError("segments are not in (start, end) order")
    if len({segment.source for segment in segments}) > 1:
        raise ValueError("segments of several sources: pack each source by itself")
    packer = _Packer(segments, count_tokens, max_tokens, seconds, boundaries)
    groups = [group for run in packer.runs(packer.units()) for group in packer.groups(run)]
    fine = _Packer(segments, count_tokens, max_tokens, WINDOW_SECONDS, boundaries)
    return [packer.passage(group, fine.windows(group)) for group in packer.within_limit(groups)]


class _Packer:
    """What all steps of one `pack` share; set once, then only read."""

    def __init__(
        self,
        segments: Sequence[Segment],
        count_tokens: CountTokens,
        max_tokens: int,
        seconds: float,
        boundaries: Sequence[float],
    ) -> None:
        self.segments = segments
        self.count_tokens = count_tokens
        self.max_tokens = max_tokens
        self.seconds = seconds
        self.boundaries = boundaries
        source = segments[0].source if segments else "speech"
        self.spoken = source == "speech"
        self.longest = seconds * _STRETCH if self.spoken else seconds
        self.joint = "\n" if source == "screen" else " "
        self.specials = count_tokens([""])[0] if segments else 0
        self.room = max(1, max_tokens - self.specials)

    # ------------------------------------------------------------ segments to units

    def units(self) -> list[_Unit]:
        """Every segment as one unit, or as several where it is too long to be one passage."""
        rough = [unit for i in range(len(self.segments)) for unit in self._rough_units(i)]
        counts = self.count_tokens([self._text([unit]) for unit in rough]) if rough else []
        counted = (
            replace(unit, tokens=max(1, count - self.specials, self._least_tokens(unit)))
            for unit, count in zip(rough, counts, strict=True)
        )
        return [part for unit in counted for part in self._fitting(unit)]

    def _least_tokens(self, unit: _Unit) -> int:
        return math.ceil((unit.right - unit.left) / _CHARACTERS_PER_TOKEN)

    def _rough_units(self, ordinal: int) -> list[_Unit]:
        """A segment's text, its sentences where it is long speech, in no piece longer than any
        passage could be; nothing of text that nobody said. Tokens are not counted yet."""
        segment = self.segments[ordinal]
        text = "" if segment.invented else segment.text
        spans = [(len(text) - len(text.lstrip()), len(text.rstrip()))] if text.strip() else []
        if self.spoken and segment.end - segment.start > self.seconds:
            spans = sentences(text)
        most = self.max_tokens * _CHARACTERS_PER_TOKEN
        spans = [part for a, b in spans for part in cut_text(text, a, b, math.ceil((b - a) / most))]
        if not spans:
            return []
        return self._timed(ordinal, spans, segment.start, segment.end)

    def _timed(
        self, ordinal: int, spans: Sequence[tuple[int, int]], start: float, end: float
    ) -> list[_Unit]:
        """Units of the spans of one segment that were said from `start` to `end`."""
        times = [(start, end)] * len(spans)
        if self.spoken and len(spans) > 1:
            times = SegmentClock(self.segments[ordinal]).intervals(spans, start, end)
        return [_Unit(ordinal, *s, *t) for s, t in zip(spans, times, strict=True)]

    def _fitting(self, unit: _Unit) -> list[_Unit]:
        """The unit, in parts if it has too many tokens or (speech) lasts too long."""
        parts = math.ceil(unit.tokens / self.room)
        if not self.spoken or unit.end - unit.start <= self.longest:
            return self._parts(unit, parts)
        most = (unit.right - unit.left) // _LEAST_CHARACTERS
        parts = max(parts, min(math.ceil((unit.end - unit.start) / self.seconds), most))
        return [
            replace(part, end=min(part.end, part.start + self.longest))
            for part in self._parts(unit, parts)
        ]

    def _parts(self, unit: _Unit, parts: int) -> list[_Unit]:
        if parts <= 1:
            return [unit]
        text = self.segments[unit.ordinal].text
        spans = cut_text(text, unit.left, unit.right, parts)
        rate = unit.tokens / (unit.right - unit.left)
        return [
            replace(part, tokens=math.ceil((part.right - part.left) * rate))
            for part in self._timed(unit.ordinal, spans, unit.start, unit.end)
        ]

    # ------------------------------------------------------------ units to groups

    def runs(self, units: Sequence[_Unit]) -> list[list[_Unit]]:
        """Units in stretches with no silence longer than a passage."""
        runs: list[list[_Unit]] = []
        reached = -math.inf
        for unit in units:
            if unit.start - reached > self.seconds:
                runs.append([])
            runs[-1].append(unit)
            reached = max(reached, unit.end)
        return runs

    def groups(self, run: Sequence[_Unit]) -> list[Sequence[_Unit]]:
        """One run cut into the units of its passages, from the left."""
        costs = [*(self._end_cost(a, b) for a, b in pairwise(run)), 0.0]
        tokens = [0, *accumulate(unit.tokens for unit in run)]
        run_end = max(unit.end for unit in run)
        groups: list[Sequence[_Unit]] = []
        first = 0
        while first < len(run):
            left = run_end - run[first].start
            shares = max(
                1,
                round(left / self.seconds),
                math.ceil(left / self.longest),
                math.ceil((tokens[-1] - tokens[first]) / self.room),
            )
            last = self._best_end(run, first, left / shares, costs)
            groups.append(run[first : last + 1])
            first = last + 1
        return groups

    def _best_end(
        self, run: Sequence[_Unit], first: int, target: float, costs: Sequence[float]
    ) -> int:
        """The last unit of the passage that begins with `first` and should last `target`."""
        best, least = first, math.inf
        start, end, tokens = run[first].start, run[first].end, 0
        for at in range(first, len(run)):
            start, end = min(start, run[at].start), max(end, run[at].end)
            tokens += run[at].tokens
            if at > first and (end - start > self.longest or tokens > self.room):
                break
            cost = abs(end - start - target) / self.seconds + costs[at]
            if cost <= least:
                best, least = at, cost
        return best

    def _end_cost(self, unit: _Unit, after: _Unit) -> float:
        """How bad it is to end a passage between these two, in passages' lengths."""
        before, behind = self.segments[unit.ordinal], self.segments[after.ordinal]
        pause = min(max(after.start - unit.end, 0.0), _LONG_PAUSE)
        cost = _NO_PAUSE * (1 - pause / _LONG_PAUSE)
        if self.spoken and not ends_sentence(before.text[unit.left : unit.right]):
            cost += _MID_SENTENCE
        if unit.ordinal == after.ordinal:
            cost += _MID_SEGMENT
        if before.speaker == behind.speaker:
            cost += _SAME_SPEAKER
        if not self._shot_between(unit.end, after.start):
            cost += _NO_SHOT
        return cost

    def _shot_between(self, end: float, start: float) -> bool:
        low, high = min(end, start) - _SHOT_REACH, max(end, start) + _SHOT_REACH
        at = bisect_left(self.boundaries, low)
        return at < len(self.boundaries) and self.boundaries[at] <= high

    # ------------------------------------------------------------ groups to passages

    def within_limit(self, groups: Sequence[Sequence[_Unit]]) -> list[Sequence[_Unit]]:
        """The groups, halved until each joined text is within the token limit.

        Tokens of a joined text are about, not exactly, the sum of its parts'.
        """
        done: list[tuple[Sequence[_Unit], bool]] = [(group, False) for group in groups]
        while texts := [self._text(group) for group, fits in done if not fits]:
            counts = iter(self.count_tokens(texts))
            checked: list[tuple[Sequence[_Unit], bool]] = []
            for group, fits in done:
                if fits or next(counts) <= self.max_tokens:
                    checked.append((group, True))
                else:
                    halves = self._halves(group)
                    checked += [(half, len(halves) == 1) for half in halves]
            done = checked
        return [group for group, _ in done]

    def _halves(self, group: Sequence[_Unit]) -> list[Sequence[_Unit]]:
        """Two groups of about half the tokens; one, if there is only a single character."""
        if len(group) == 1:
            return [[part] for part in self._parts(group[0], 2)]
        reached = list(accumulate(unit.tokens for unit in group))
        middle = min(max(1, bisect_left(reached, reached[-1] / 2)), len(group) - 1)
        return [group[:middle], group[middle:]]

    # ------------------------------------------------------------ a group to its windows

    def windows(self, group: Sequence[_Unit]) -> tuple[Window, ...]:
        """The group in steps of about `seconds`; none where it is not longer than one."""
        pieces = [piece for unit in group for piece in self._pieces(unit)]
        places = self._places(group)
        cuts = [cut for run in self.runs(pieces) for cut in self.groups(run)]
        if len(cuts) < 2:
            return ()
        return tuple(
            Window(
                min(piece.start for piece in cut),
                max(piece.end for piece in cut),
                places[cut[0].ordinal] + cut[0].left,
                places[cut[-1].ordinal] + cut[-1].right,
            )
            for cut in cuts
        )

    def _pieces(self, unit: _Unit) -> list[_Unit]:
        """A unit of long speech in sentences, and long sentences in parts."""
        if not self.spoken or unit.end - unit.start <= self.seconds:
            return [unit]
        text = self.segments[unit.ordinal].text
        spans = [(unit.left + a, unit.left + b) for a, b in sentences(text[unit.left : unit.right])]
        timed = self._timed(unit.ordinal, spans or [(unit.left, unit.right)], unit.start, unit.end)
        return [part for piece in timed for part in self._fitting(piece)]

    def _places(self, group: Sequence[_Unit]) -> dict[int, int]:
        """Where character 0 of each segment would stand in the passage's text."""
        places: dict[int, int] = {}
        length = 0
        for ordinal, units in groupby(group, key=lambda unit: unit.ordinal):
            members = list(units)
            places[ordinal] = length - members[0].left
            length += members[-1].right - members[0].left + len(self.joint)
        return places

    def passage(self, group: Sequence[_Unit], windows: tuple[Window, ...]) -> Passage:
        return Passage(
            self.segments[group[0].ordinal].source,
            min(unit.start for unit in group),
            max(unit.end for unit in group),
            self._text(group),
            group[0].ordinal,
            group[-1].ordinal,
            windows,
        )

    def _text(self, group: Sequence[_Unit]) -> str:
        """The units' text: verbatim inside a segment, segments joined by the source's joint."""
        texts = []
        for ordinal, units in groupby(group, key=lambda unit: unit.ordinal):
            members = list(units)
            texts.append(self.segments[ordinal].text[members[0].left : members[-1].right])
        return self.joint.join(texts)

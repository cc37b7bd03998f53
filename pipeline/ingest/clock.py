"""When the characters of a segment are said: from its word times, else by their share.

A segment says when its text is said as a whole. Cutting it (into passages, into shorter
utterances, down to the words that carry a claim) needs times inside it, and they must stay in
order whatever the word times look like.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pipeline.types import Segment

Interval = tuple[float, float]

# How far behind the last word the next one is looked for: room for punctuation and brackets.
_REACH = 16


class SegmentClock:
    """The times of character spans of one segment."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._knots = _knots(segment)

    def intervals(
        self, spans: Sequence[tuple[int, int]], start: float | None = None, end: float | None = None
    ) -> list[Interval]:
        """(start, end) of each of the ascending, disjoint character `spans`.

        The first begins at `start` and the last ends at `end`, the segment's own unless given.
        Each ends before the next begins. Where words leave no room for that, time is shared out
        by characters; where the floats leave none, every span has the whole interval.
        """
        start = self.segment.start if start is None else start
        end = self.segment.end if end is None else end
        if len(spans) <= 1:
            return [(start, end)] * len(spans)
        lefts, rights = zip(*spans, strict=True)
        for begins, finishes in (
            self._by_words(lefts, rights),
            _by_share(lefts, rights, start, end),
        ):
            times = list(zip([start, *begins[1:]], [*finishes[:-1], end], strict=True))
            if _in_order(times):
                return times
        return [(start, end)] * len(spans)

    def _by_words(
        self, lefts: Sequence[int], rights: Sequence[int]
    ) -> tuple[list[float], list[float]]:
        places, times = self._knots
        begins = np.interp(lefts, places, times)
        finishes = np.interp(rights, places, times)
        return begins.tolist(), finishes.tolist()


def _by_share(
    lefts: Sequence[int], rights: Sequence[int], start: float, end: float
) -> tuple[list[float], list[float]]:
    """One moment between neighbours: the end of the one is the start of the other."""
    places = [lefts[0], rights[-1]]
    begins = np.interp(lefts, places, [start, end]).tolist()
    return begins, [*begins[1:], end]


def _knots(segment: Segment) -> tuple[list[float], list[float]]:
    """Places in the text and when they are said, both ascending, from the words found in it.

    A word that is not in the text where it should be gives no knot; where most are missing the
    words belong to another text and none counts.
    """
    places: list[float] = [0.0]
    times = [segment.start]
    cursor = found = 0
    for word in segment.words:
        text = word.text.strip()
        place = segment.text.find(text, cursor, cursor + len(text) + _REACH) if text else -1
        if place < 0:
            continue
        found += 1
        cursor = place + len(text)
        begin = min(max(word.start, times[-1]), segment.end)
        # A hair apart where one word touches the next (as in Japanese): interpolation wants
        # one time per place.
        places += [max(float(place), places[-1] + 1e-3), cursor - 1e-3]
        times += [begin, min(max(word.end, begin), segment.end)]
    if found * 2 < len(segment.words) or not found:
        places, times = [0.0], [segment.start]
    places.append(max(float(len(segment.text)), places[-1] + 1e-3))
    times.append(segment.end)
    return places, times


def _in_order(times: Sequence[Interval]) -> bool:
    return all(start < end for start, end in times) and all(
        before[1] <= after[0] for before, after in pairwise(times)
    )

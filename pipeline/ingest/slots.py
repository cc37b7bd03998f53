"""The text of a video laid on its time line: what is said, shown and written, a few seconds a slot.

Chapters and summaries are about all that a video holds, whichever way it came. The vectors that
passages and their windows already have are averaged over slots of about six seconds, so that
nothing is embedded for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.types import Source, Vectors

SLOT_SECONDS = 6.0
_MOST_SLOTS = 1500  # about; longer videos get longer slots: the cost goes with the square of it
_AT_ONCE = 256  # slots that are compared with all windows at once: it bounds the memory

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Strand:
    """The windows of one source of a video, by time."""

    source: Source
    start: Floats  # (w,)
    end: Floats  # (w,)
    texts: tuple[str, ...]
    vectors: Vectors  # (w, dimension)


@dataclass(frozen=True, slots=True)
class Slots:
    """The time line in pieces that follow each other without a gap.

    A row of `vectors` is of unit length, or zero where the video says nothing.
    """

    start: Floats  # (n,)
    end: Floats  # (n,)
    vectors: Vectors  # (n, dimension)

    def __len__(self) -> int:
        return len(self.start)

    def mean(self, start: float, end: float) -> NDArray[np.float32]:
        """(dimension,) of unit length: what is said from `start` to `end`, on the whole."""
        inside = (self.start < end) & (self.end > start)
        mean = self.vectors[inside].sum(axis=0)
        unit: NDArray[np.float32] = mean / max(float(np.linalg.norm(mean)), 1e-9)
        return unit

    def at(self, times: Floats) -> NDArray[np.int64]:
        """The slots in which these moments lie."""
        places = np.searchsorted(self.start, times, side="right") - 1
        return np.clip(places, 0, len(self.start) - 1).astype(np.int64)


def slots_of(strands: Sequence[Strand], duration: float) -> Slots:
    """The slots of a video that lasts `duration` seconds; none where it has no text.

    Slots begin where windows do, so that no boundary between them cuts a sentence that need not
    be cut.
    """
    some = [strand for strand in strands if len(strand.start)]
    if not some or duration <= 0:
        return Slots(np.zeros(0), np.zeros(0), np.zeros((0, 0), np.float32))
    edges = _edges(some, duration)
    start, end = edges[:-1], edges[1:]
    total = np.zeros((len(start), some[0].vectors.shape[1]), np.float32)
    for first in range(0, len(start), _AT_ONCE):
        rows = slice(first, first + _AT_ONCE)
        for strand in some:
            left = np.maximum(start[rows, None], strand.start)
            shared = np.maximum(np.minimum(end[rows, None], strand.end) - left, 0.0)
            total[rows] += _units(shared.astype(np.float32) @ strand.vectors)
    return Slots(start, end, _units(total))


def _edges(strands: Sequence[Strand], duration: float) -> Floats:
    """Ascending, from 0 to `duration`: where windows begin, and between those that are far apart.

    Of edges that are too near to each other, the one of the source with most windows stays.
    """
    length = max(SLOT_SECONDS, duration / _MOST_SLOTS)
    edges: list[float] = [0.0, duration]
    for strand in sorted(strands, key=lambda strand: -len(strand.start)):
        for start in strand.start.tolist():
            at = int(np.searchsorted(edges, start))
            near = min(abs(edge - start) for edge in edges[max(at - 1, 0) : at + 1])
            if near >= length / 2 and start < duration:
                edges.insert(at, start)
    filled: list[float] = []
    for start, end in pairwise(edges):
        parts = max(1, round((end - start) / length))
        filled += (start + part * (end - start) / parts for part in range(parts))
    return np.array([*filled, duration])


def _units(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units: NDArray[np.float32] = np.divide(
        rows, lengths, out=np.zeros_like(rows), where=lengths > 0
    )
    return units

"""Where a video turns to something else: the boundaries that make its stretches most coherent.

Each stretch is as good as its slots are near to their mean, each boundary costs, and the best
division of all is found by dynamic programming (the optimal segmentation of Utiyama and Isahara
2001, "A Statistical Model for Domain-Independent Text Segmentation", over embeddings instead of
words; the gain is that of k-means). A boundary is cheaper where a sentence ends, somebody else
begins to speak, there is a pause, or the picture changes.

Measured on 91 talks (71 hours) whose sections people marked and named, F1 of boundaries within
5 s and within 30 s, and WindowDiff (less is better):

    a boundary every four minutes                                           .04  .22  .56
    TextTiling (Hearst 1997) over the same vectors                          .12  .34  .60
    the best division, without cues                                         .15  .40  .44
    as it is                                                                .25  .41  .45

The gain on TextTiling is .127 (.102 to .150) within 5 s and .067 (.038 to .097) within 30 s. Costs
and cues were set on every other talk; on the rest as it is .24, .40, .46.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.sentences import ends_sentence
from pipeline.ingest.slots import SLOT_SECONDS, Floats, Slots
from pipeline.types import Segment

LONGEST = 1200.0  # seconds of one stretch
SHORTEST, LEAST = 30.0, 8.0  # seconds of one, in a long video and in a very short one

# What a boundary costs: the coherence of so many slots, less in short videos, which have few.
_COST, _COST_PER_DOUBLING = 2.7, 0.7
# What makes it cheaper.
_SENTENCE, _SPEAKER, _PAUSE, _SCREEN, _SHOT = 0.5, 0.4, 0.3, 0.6, 0.2
_LONG_PAUSE = 2.0
_IN_SENTENCE = 0.5  # seconds that somebody must have spoken before a boundary, and go on after it
_RARE = 30.0  # seconds between two changes of the picture from which each of them tells something
_REACH = 3.0  # seconds within which a boundary moves to a change of the picture
_SMOOTHING = (0.011, 0.135, 0.607, 1.0, 0.607, 0.135, 0.011)  # a Gaussian of one slot


def boundaries(
    slots: Slots, speech: Sequence[Segment], screens: Sequence[float], shots: Sequence[float]
) -> list[float]:
    """Seconds at which another stretch begins, ascending, none at 0; the first begins there.

    `speech` is by time; `screens` are when another text comes to stand on the screen, `shots`
    when shots begin, both ascending. Cost: 15 ms for an hour of video.
    """
    if len(slots) < 2:
        return []
    duration = float(slots.end[-1])
    worth = _spoken_cues(slots.start, speech)
    worth += _cues(slots.start, screens, _SCREEN, duration)
    worth += _cues(slots.start, shots, _SHOT, duration)
    cuts = _best_division(slots, worth, _cost(duration), _shortest(duration))
    return _settled(
        [_snapped(float(slots.start[cut]), speech, screens, shots) for cut in cuts], duration
    )


def _cost(duration: float) -> float:
    return min(_COST, _COST_PER_DOUBLING * math.log2(1 + duration / 60))


def _shortest(duration: float) -> float:
    return min(SHORTEST, max(LEAST, duration / 40))


# ---------------------------------------------------------------- the best division


def _best_division(slots: Slots, worth: Floats, cost: float, shortest: float) -> list[int]:
    """The slots with which stretches begin, the first stretch's left out."""
    vectors = _smoothed(slots.vectors)
    weights = (slots.end - slots.start) / SLOT_SECONDS
    gain = _gains(vectors * weights[:, None].astype(np.float32), weights)
    n = len(slots)
    best, before = np.full(n + 1, -np.inf), np.zeros(n + 1, np.int64)
    best[0] = 0.0
    for end in range(1, n + 1):
        reached = slots.end[end - 1]
        first = int(np.searchsorted(slots.start, reached - LONGEST))
        last = int(np.searchsorted(slots.start, reached - shortest, side="right"))
        begins = np.arange(min(first, end - 1), max(last, min(first, end - 1) + 1))
        values = best[begins] + gain(begins, end) + worth[begins]
        chosen = int(values.argmax())
        best[end], before[end] = values[chosen] - cost, begins[chosen]
    cuts: list[int] = []
    at = n
    while at > 0:
        at = int(before[at])
        cuts.append(at)
    return cuts[-2::-1]


def _gains(
    vectors: NDArray[np.float32], weights: Floats
) -> Callable[[NDArray[np.int64], int], Floats]:
    """gain(begins, end): how coherent slots [begin, end) are, for each of `begins`: the squared
    length of their sum over their number."""
    sums = np.vstack([np.zeros(vectors.shape[1], np.float32), vectors.cumsum(axis=0)])
    products = sums @ sums.T
    squares = products.diagonal()
    lengths = np.concatenate([[0.0], weights.cumsum()])

    def gain(begins: NDArray[np.int64], end: int) -> Floats:
        length = np.maximum(lengths[end] - lengths[begins], 1e-6)
        squared = squares[end] + squares[begins] - 2 * products[begins, end]
        coherence: Floats = np.maximum(squared, 0.0) / length
        return coherence

    return gain


def _smoothed(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row with a little of its neighbours: six seconds of talk say little alone."""
    half = len(_SMOOTHING) // 2
    padded = np.pad(vectors, ((half, half), (0, 0)))
    there = np.pad(np.ones(len(vectors), np.float32), half)
    n = len(vectors)
    total = np.zeros_like(vectors)
    weight = np.zeros(n, np.float32)
    for shift, share in enumerate(_SMOOTHING):
        total += share * padded[shift : shift + n]
        weight += share * there[shift : shift + n]
    smoothed: NDArray[np.float32] = total / weight[:, None]
    return smoothed


# ---------------------------------------------------------------- what tells of a boundary


def _spoken_cues(edges: Floats, speech: Sequence[Segment]) -> Floats:
    """(n,) what speech says for a boundary at each edge."""
    worth = np.full(len(edges), _SENTENCE)
    starts = [segment.start for segment in speech]
    for place, edge in enumerate(edges.tolist()):
        at = bisect_left(starts, edge - _IN_SENTENCE)
        if not 0 < at < len(speech):
            continue
        before, after = speech[at - 1], speech[at]
        if before.end > edge + _IN_SENTENCE:  # the edge is within an utterance
            worth[place] = _SENTENCE / 2
            continue
        pause = min(max(after.start - before.end, 0.0), _LONG_PAUSE) / _LONG_PAUSE
        worth[place] = _PAUSE * pause
        worth[place] += _SENTENCE * (ends_sentence(before.text) or pause == 1)
        worth[place] += _SPEAKER * (before.speaker != after.speaker)
    return worth


def _cues(edges: Floats, times: Sequence[float], most: float, duration: float) -> Floats:
    """(n,) `most` where one of `times` is near an edge, less where there are many of them."""
    if not len(times):
        return np.zeros(len(edges))
    share = min(1.0, duration / len(times) / _RARE)
    near = np.abs(np.asarray(times)[None, :] - edges[:, None]).min(axis=1) <= _REACH
    worth: Floats = most * max(share, 0.2) * near
    return worth


def _snapped(
    time: float, speech: Sequence[Segment], screens: Sequence[float], shots: Sequence[float]
) -> float:
    """The nearest change of the picture that is no interruption, else the time itself."""
    for changes in (screens, shots):
        near = [t for t in changes if abs(t - time) <= _REACH and not _interrupts(t, speech)]
        if near:
            return min(near, key=lambda t: abs(t - time))
    return time


def _interrupts(time: float, speech: Sequence[Segment]) -> bool:
    """Whether somebody is in the middle of an utterance."""
    return any(s.start + _IN_SENTENCE < time < s.end - _IN_SENTENCE for s in _around(time, speech))


def _around(time: float, speech: Sequence[Segment]) -> Sequence[Segment]:
    at = bisect_left(speech, time, key=lambda segment: segment.start)
    return speech[max(0, at - 8) : at]


def _settled(times: Sequence[float], duration: float) -> list[float]:
    """Ascending, with at least a few seconds between any two and at both ends."""
    kept: list[float] = []
    for time in sorted(times):
        if time - (kept[-1] if kept else 0.0) >= LEAST / 2 and duration - time >= LEAST / 2:
            kept.append(time)
    return kept


def stretches(times: Sequence[float], duration: float) -> list[tuple[float, float]]:
    """(start, end) of each stretch from 0 to `duration`."""
    return list(pairwise([0.0, *times, duration]))

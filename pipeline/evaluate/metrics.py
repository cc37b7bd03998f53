"""How well moments were found, and how sure that is.

A question has one or several gold spans; what is judged is a ranked list of spans.

hit@k     one of the first k hits: same video as a gold span AND (IoU >= 0.3 OR the midpoint of
          what was found lies inside the gold span)
land@k    one of the first k starts in [gold start - 10 s, gold end] of its video: played from
          there, a person would see it come
video@k   one of the first k is of a gold span's video
mrr@10    1 / rank of the first hit among ten, 0 without one
iou@1     the best IoU of the first with a gold span, 0 without any

Intervals are percentile bootstrap over questions (Efron 1979) with a fixed seed; two systems
are compared on the same questions by the bootstrap of their differences (Sakai 2006), and by a
paired permutation test: how often chance alone, turning the sign of each difference by a coin,
gives as large a mean (Smucker, Allan and Carterette 2007).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

HIT_IOU = 0.3
LAND_BEFORE = 10.0  # seconds
CUTOFFS = (1, 5, 10)
METRICS = (
    "mrr@10",
    *(f"{name}@{k}" for name in ("hit", "land", "video") for k in CUTOFFS),
    "iou@1",
)

RESAMPLES = 2000
PERMUTATIONS = 10_000
SEED = 20
_CHUNK = 100  # resamples at a time: 100 x 10,000 questions are 4 MB


class Spanned(Protocol):
    """An interval of a video; a `Moment` is one."""

    @property
    def video_id(self) -> str: ...
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Span:
    """An interval of a video in seconds."""

    video_id: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over questions with its 95% interval."""

    value: float
    low: float
    high: float


def iou(found: Spanned, gold: Spanned) -> float:
    """Intersection over union of two intervals in time, 0 for different videos."""
    if found.video_id != gold.video_id:
        return 0.0
    both = min(found.end, gold.end) - max(found.start, gold.start)
    either = max(found.end, gold.end) - min(found.start, gold.start)
    return max(both, 0.0) / either if either > 0 else 0.0


def is_hit(found: Spanned, gold: Spanned) -> bool:
    """Same video, and IoU >= 0.3 or the midpoint of `found` inside `gold`, ends included."""
    if found.video_id != gold.video_id:
        return False
    middle = (found.start + found.end) / 2
    return iou(found, gold) >= HIT_IOU or gold.start <= middle <= gold.end


def is_landing(found: Spanned, gold: Spanned) -> bool:
    """Same video, and `found` starts in [gold.start - 10 s, gold.end]."""
    return found.video_id == gold.video_id and gold.start - LAND_BEFORE <= found.start <= gold.end


def score(found: Sequence[Spanned], gold: Sequence[Spanned]) -> dict[str, float]:
    """All `METRICS` of one question. `found` is best first, `gold` is not empty."""
    hits = [any(is_hit(span, true) for true in gold) for span in found[:10]]
    lands = [any(is_landing(span, true) for true in gold) for span in found[:10]]
    videos = {span.video_id for span in gold}
    right = [span.video_id in videos for span in found[:10]]
    values = {"mrr@10": 1.0 / (1 + hits.index(True)) if any(hits) else 0.0}
    for name, flags in (("hit", hits), ("land", lands), ("video", right)):
        values |= {f"{name}@{k}": float(any(flags[:k])) for k in CUTOFFS}
    values["iou@1"] = max(iou(found[0], true) for true in gold) if found else 0.0
    return values


def columns(scores: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    """(n, m) one row per question, one column per metric of `METRICS`."""
    return np.array([[row[name] for name in METRICS] for row in scores], np.float64)


def estimates(values: NDArray[np.float64], resamples: int = RESAMPLES) -> list[Estimate]:
    """Mean and 95% bootstrap interval of each column of `values` (n, m), n >= 1.

    The same n draws the same resamples, so that columns and systems share them. For a paired
    comparison give the differences of two systems on the same questions.
    """
    means = np.concatenate(list(_resampled_means(values, resamples)))
    low, high = np.quantile(means, (0.025, 0.975), axis=0)
    return [
        Estimate(float(value), float(below), float(above))
        for value, below, above in zip(values.mean(axis=0), low, high, strict=True)
    ]


def median_estimate(values: NDArray[np.float64], resamples: int = RESAMPLES) -> Estimate:
    """Median of `values` (n,), n >= 1, with its 95% bootstrap interval."""
    random = np.random.default_rng(SEED)
    drawn = [
        np.median(values[random.integers(len(values), size=(_CHUNK, len(values)))], axis=1)
        for _ in range(0, resamples, _CHUNK)
    ]
    low, high = np.quantile(np.concatenate(drawn), (0.025, 0.975))
    return Estimate(float(np.median(values)), float(low), float(high))


def ratio_estimate(
    above: NDArray[np.float64], below: NDArray[np.float64], resamples: int = RESAMPLES
) -> Estimate | None:
    """Sum of `above` (n,) by sum of `below` (n,) with its 95% bootstrap interval over the n.

    For what is no mean over questions, such as a precision. None where `below` is all zero;
    resamples in which it is say nothing and are left out.
    """
    if not below.any():
        return None
    means = np.concatenate(list(_resampled_means(np.stack([above, below], axis=1), resamples)))
    means = means[means[:, 1] > 0]
    low, high = np.quantile(means[:, 0] / means[:, 1], (0.025, 0.975))
    return Estimate(float(above.sum() / below.sum()), float(low), float(high))


def permutation_tests(differences: NDArray[np.float64]) -> list[float]:
    """The two-sided p of the mean of each column of paired `differences` (n, b), n >= 1.

    Signs are drawn `PERMUTATIONS` times with a fixed seed, the same for all columns; the
    smallest p is 1 / (1 + that many). No difference at all is p = 1.
    """
    count = len(differences)
    random = np.random.default_rng(SEED)
    least = np.abs(differences.sum(axis=0)) - 1e-9  # equal sums in another order are as large
    reached = np.zeros(differences.shape[1])
    for _ in range(0, PERMUTATIONS, _CHUNK):
        signs = 2.0 * random.integers(2, size=(_CHUNK, count)) - 1.0
        reached += (np.abs(signs @ differences) >= least).sum(axis=0)
    return [float(p) for p in (1 + reached) / (1 + PERMUTATIONS)]


def _resampled_means(values: NDArray[np.float64], resamples: int) -> Iterator[NDArray[np.float64]]:
    """(r, m) means of resampled questions, in chunks: how often each was drawn, times values."""
    count = len(values)
    random = np.random.default_rng(SEED)
    for begin in range(0, resamples, _CHUNK):
        size = min(_CHUNK, resamples - begin)
        drawn = random.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        yield times @ values / count

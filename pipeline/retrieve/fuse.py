"""Several scores of the same passages made into one: normalise, weight, add context.

Everything here is a pure function over arrays of candidates. A signal is one list of scores,
(c,), higher is better, 0 where a word index did not list the passage; signals are stacked to
(s, c). Scores are fused, not ranks: on the recorded questions of all reference sets the sum of
normalised scores beats reciprocal rank fusion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.types import SOURCES, Source

Scores = NDArray[np.float64]
Normalise = Callable[[Scores, int], Scores]

TOP = 300  # of each signal's list; what lies below says nothing about a question
ADJACENT_SECONDS = 15.0  # a longer gap between two passages is another matter

DENSE_HYDE = "dense_hyde"  # cosine with the mean of the question and the hypothetical passages
DENSE_QUESTION = "dense_question"
WORDS_QUESTION = "words_question"
WORDS_HYDE = "words_hyde"  # BM25 of the question and the hypothetical passages together
NEIGHBOURS = "neighbours"
VIDEO = "video"

QUESTION_SIGNALS = (DENSE_QUESTION, WORDS_QUESTION)
HYDE_SIGNALS = (DENSE_QUESTION, DENSE_HYDE, WORDS_QUESTION, WORDS_HYDE)


# ---------------------------------------------------------------- normalising


def min_max(scores: Scores, top: int = TOP) -> Scores:
    """The best `top` scores mapped to [0, 1], all others to 0.

    CombSUM's normalisation (Lee 1997, "Analyses of Multiple Evidence Combination"). A list
    without spread, one candidate for instance, is all 1, or all 0 where nothing scored.
    """
    if not scores.size:
        return scores
    kept = _best(scores, top)
    low, high = scores[kept].min(), scores[kept].max()
    result = np.zeros_like(scores)
    if high > low:
        result[kept] = (scores[kept] - low) / (high - low)
    elif high > 0:
        result[kept] = 1.0
    return result


def z_score(scores: Scores, top: int = TOP) -> Scores:
    """Deviations above the mean of the best `top` scores, all others 0.

    Unbounded: a list with one outlier gives it more weight than min-max does.
    """
    if not scores.size:
        return scores
    kept = _best(scores, top)
    spread = scores[kept].std()
    result = np.zeros_like(scores)
    if spread > 0:
        result[kept] = np.maximum((scores[kept] - scores[kept].mean()) / spread, 0.0)
    elif scores[kept].max() > 0:
        result[kept] = 1.0
    return result


def reciprocal_ranks(scores: Scores, top: int = TOP, k: int = 60) -> Scores:
    """1 / (k + rank) of the best `top` positive scores, all others 0.

    Reciprocal rank fusion is their sum over lists (Cormack, Clarke and Buettcher 2009). Ties
    rank in the order given.
    """
    order = np.argsort(-scores, kind="stable")[:top]
    order = order[scores[order] > 0]
    result = np.zeros_like(scores)
    result[order] = 1.0 / (k + 1 + np.arange(len(order)))
    return result


def _best(scores: Scores, top: int) -> NDArray[np.int64]:
    """Positions of the best `top` scores in any order, ties at the cut by position."""
    if len(scores) <= top:
        return np.arange(len(scores))
    return np.argsort(-scores, kind="stable")[:top]


# ---------------------------------------------------------------- weights


def entropy_weights(signals: NDArray[np.float64], top: int = TOP) -> Scores:
    """(s,) weights that sum to 1: the more a signal's scores single out a few, the more it counts.

    One minus the normalised Shannon entropy of each list of best `top` scores above its least:
    the entropy weight method of decision making (Zeleny 1982), applied per query. All signals
    weigh the same when none says anything.
    """
    certainty = np.array([1.0 - _entropy(signal, top) for signal in signals])
    total = certainty.sum()
    if total <= 0:
        return np.full(len(signals), 1.0 / max(len(signals), 1))
    weights: Scores = certainty / total
    return weights


def _entropy(scores: Scores, top: int) -> float:
    """Entropy of the best `top` scores above their least, in [0, 1]; 1 without spread."""
    kept = scores[_best(scores, top)]
    above = kept - kept.min() if kept.size else kept
    total = above.sum()
    if total <= 0:
        return 1.0
    share = above[above > 0] / total
    return float(-(share * np.log(share)).sum() / np.log(max(len(kept), 2)))


def weights_of(
    weights: Mapping[Source, Sequence[float]], source: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """(s, c): the weight of every signal for each candidate, by the source of the candidate."""
    by_code = np.array([weights[name] for name in SOURCES], np.float64)
    return np.ascontiguousarray(by_code[source].T)


# ---------------------------------------------------------------- context


def neighbour_sums(
    scores: Scores,
    video: NDArray[np.int32],
    source: NDArray[np.uint8],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
) -> Scores:
    """(c,) the sum of the scores of the passages just before and just after each one.

    Neighbours are of one video and one source and at most `ADJACENT_SECONDS` apart; a passage
    that is no candidate counts as nothing.
    """
    order = np.lexsort((end, start, source, video))
    before, after = order[:-1], order[1:]
    adjacent = (
        (video[before] == video[after])
        & (source[before] == source[after])
        & (start[after] - end[before] <= ADJACENT_SECONDS)
    )
    before, after = before[adjacent], after[adjacent]
    sums = np.zeros_like(scores)
    sums[before] += scores[after]
    sums[after] += scores[before]
    return sums


def video_means(scores: Scores, video: NDArray[np.int32], best: int = 3) -> Scores:
    """(c,) the mean of the `best` scores of the candidate's video; missing ones count as 0."""
    if not scores.size:
        return scores
    order = np.lexsort((-scores, video))
    ordered = video[order]
    first = np.r_[True, ordered[1:] != ordered[:-1]]
    group = np.cumsum(first) - 1
    rank = np.arange(len(order)) - np.flatnonzero(first)[group]
    sums = np.bincount(group, np.where(rank < best, scores[order], 0.0))
    means = np.empty_like(scores)
    means[order] = (sums / best)[group]
    return means


# ---------------------------------------------------------------- the recipe

_WORDS_FIRST: tuple[Source, ...] = ("speech", "screen", "chapter", "summary")


def _by_source(
    said: tuple[float, ...], perceived: tuple[float, ...]
) -> dict[Source, tuple[float, ...]]:
    return {name: said if name in _WORDS_FIRST else perceived for name in SOURCES}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How signals become one score. The defaults are what was chosen; see `search`.

    Weights are per source, in the order of `QUESTION_SIGNALS` and `HYDE_SIGNALS`: what was said
    or stood on the screen is found by its words, what a caption describes by its meaning.
    """

    question: Mapping[Source, tuple[float, ...]] = field(
        default_factory=lambda: _by_source((0.5, 0.5), (0.8, 0.2))
    )
    hyde: Mapping[Source, tuple[float, ...]] = field(
        default_factory=lambda: _by_source((0.2, 0.2, 0.3, 0.3), (0.3, 0.5, 0.1, 0.1))
    )
    normalise: Normalise = min_max
    top: int = TOP
    neighbours: float = 0.2
    video: float = 0.3


@dataclass(frozen=True, slots=True)
class Fused:
    """(c,) scores, and what each named part contributes: parts (p, c) sum to scores."""

    scores: Scores
    names: tuple[str, ...]
    parts: NDArray[np.float64]


def fuse(
    signals: NDArray[np.float64],
    recipe: Recipe,
    video: NDArray[np.int32],
    source: NDArray[np.uint8],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
) -> Fused:
    """One score per candidate from (2, c) question signals or (4, c) with hypothetical passages.

    The weighted sum of the normalised signals, plus `recipe.neighbours` times its neighbours'
    sums, plus `recipe.video` times the mean of the three best of its video.
    """
    hyde = len(signals) == len(HYDE_SIGNALS)
    names = HYDE_SIGNALS if hyde else QUESTION_SIGNALS
    normalised = np.stack([recipe.normalise(signal, recipe.top) for signal in signals])
    own = weights_of(recipe.hyde if hyde else recipe.question, source) * normalised
    alone = own.sum(axis=0)
    beside = recipe.neighbours * neighbour_sums(alone, video, source, start, end)
    around = recipe.video * video_means(alone, video)
    parts = np.vstack([own, beside, around])
    return Fused(parts.sum(axis=0), (*names, NEIGHBOURS, VIDEO), parts)

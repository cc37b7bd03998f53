"""Several scores of the same passages made into one: normalise, weight, add context.

Everything here is a pure function over arrays of candidates. A signal is one list of scores,
(c,), higher is better, 0 where a word index did not list the passage; signals are stacked to
(s, c). Scores are fused, not ranks: on the recorded questions of all reference sets the sum of
normalised scores beats reciprocal rank fusion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.types import SOURCES, Source

Scores = NDArray[np.float64]

TOP = 300  # of each signal's list; what lies below says nothing about a question
ADJACENT_SECONDS = 15.0  # a longer gap between two passages is another matter

DENSE_HYDE = "dense_hyde"  # cosine with the mean of the question and the hypothetical passages
DENSE_QUESTION = "dense_question"
WORDS_QUESTION = "words_question"
WORDS_HYDE = "words_hyde"  # BM25 of the question and the hypothetical passages together
WINDOW_QUESTION = "window_question"  # the best cosine of one of the passage's windows
WINDOW_HYDE = "window_hyde"
WINDOW_WORDS = "window_words"  # the best BM25 of one of its windows with the question
TITLE = "title"  # the share of it that comes from what is known of the video
NEIGHBOURS = "neighbours"
VIDEO = "video"

QUESTION_SIGNALS = (DENSE_QUESTION, WORDS_QUESTION)
HYDE_SIGNALS = (DENSE_QUESTION, DENSE_HYDE, WORDS_QUESTION, WORDS_HYDE)
WINDOW_SIGNALS = (WINDOW_QUESTION, WINDOW_WORDS)
WINDOW_HYDE_SIGNALS = (WINDOW_QUESTION, WINDOW_HYDE, WINDOW_WORDS)


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

# What was said or stood on the screen is found by its words; what a caption describes was seen
# and put into words by somebody else, so its meaning counts for more.
WORDS_SHARE: Mapping[Source, float] = {
    "speech": 0.6,
    "screen": 0.6,
    "chapter": 0.6,
    "summary": 0.6,
    "caption": 0.2,
    "sound": 0.2,
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How signals become one score: one setting for every collection, in round numbers.

    `words[source]` is the share of the words, the rest of 1 is that of the meaning. Question and
    hypothetical passages share each of the two evenly; of the meaning, and of the question's
    words, `windows` is what the windows of a passage count, for the best `closely` passages.

    MRR@10 of the moments shown, 110 recorded questions each (talks, tutorials: speech; everyday
    videos: captions), passages of about 30 s, MiniLM (benchmarks/retrieval):

                                        talks  tutorials  everyday
        with hypothetical passages       .690       .541      .245
        without                          .617       .518      .228
        dense alone                      .415       .342      .218
        BM25 alone                       .545       .367      .135
        rank fusion of the two           .544       .424      .179

    Signals are normalised over all sources at once; normalised per source a mixed library loses.
    Left out, on these and 600 more questions each, tuned on two sets and tested on the third: z-
    and softmax scores, weights by entropy or by query length, chapter-like means, and learned
    fusion (pairwise and pointwise linear models, weights of 0 or more, boosted trees): none wins
    on all three, most lose (benchmarks/retrieval/learned_fusion.py).
    """

    words: Mapping[Source, float] = field(default_factory=lambda: WORDS_SHARE)
    top: int = TOP
    windows: float = 0.5
    closely: int = 60
    neighbours: float = 0.1
    video: float = 0.1

    def weights(self, names: Sequence[str], source: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(s, c): the weight of each signal of `names`, by the source of the candidate."""
        words = np.array([self.words[name] for name in SOURCES])[source]
        hyde, closely = DENSE_HYDE in names, WINDOW_WORDS in names
        fine = self.windows if closely else 0.0
        each = 0.5 if hyde else 1.0
        share = {
            DENSE_QUESTION: (1 - words) * each * (1 - fine),
            DENSE_HYDE: (1 - words) * each * (1 - fine),
            WORDS_QUESTION: words * each * (1 - fine),
            WORDS_HYDE: words * each,
            WINDOW_QUESTION: (1 - words) * each * fine,
            WINDOW_HYDE: (1 - words) * each * fine,
            WINDOW_WORDS: words * each * fine,
            TITLE: words * each * fine,
        }
        return np.stack([share[name] for name in names])


@dataclass(frozen=True, slots=True)
class Fused:
    """(c,) scores, and what each named part contributes: parts (p, c) sum to scores."""

    scores: Scores
    names: tuple[str, ...]
    parts: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Signals:
    """Scores of (c,) candidates by name. `windows` are the columns of those looked at closely,
    and their signals (s, w); `titles` (w,) the share of the last one that is `TITLE`."""

    names: tuple[str, ...]
    scores: NDArray[np.float64]  # (s, c)
    windows: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None
    titles: NDArray[np.float64] | None = None


def fuse(
    signals: Signals,
    recipe: Recipe,
    video: NDArray[np.int32],
    source: NDArray[np.uint8],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
) -> Fused:
    """One score per candidate: the weighted sum of the normalised signals, plus
    `recipe.neighbours` times its neighbours' sums, plus `recipe.video` times the mean of the
    three best of its video.
    """
    names, normalised = _normalised(signals, recipe.top)
    own = recipe.weights(names, source) * normalised
    alone = own.sum(axis=0)
    beside = recipe.neighbours * neighbour_sums(alone, video, source, start, end)
    around = recipe.video * video_means(alone, video)
    parts = np.vstack([own, beside, around])
    return Fused(parts.sum(axis=0), (*names, NEIGHBOURS, VIDEO), parts)


def _normalised(signals: Signals, top: int) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """All signals in [0, 1]; what was not looked at closely has 0 there, as the worst of those
    that were."""
    rows = [min_max(scores, top) for scores in signals.scores]
    if signals.windows is None:
        return signals.names, np.stack(rows)
    at, closely = signals.windows
    names = WINDOW_HYDE_SIGNALS if len(closely) == len(WINDOW_HYDE_SIGNALS) else WINDOW_SIGNALS
    for scores in closely:
        row = np.zeros(signals.scores.shape[1])
        row[at] = min_max(scores, top)
        rows.append(row)
    if signals.titles is None or not signals.titles.any():
        return (*signals.names, *names), np.stack(rows)
    share = np.zeros_like(rows[-1])
    share[at] = signals.titles
    rows[-1:] = [rows[-1] * (1 - share), rows[-1] * share]
    return (*signals.names, *names, TITLE), np.stack(rows)

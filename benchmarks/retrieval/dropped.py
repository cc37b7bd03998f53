"""Ways of fusing that were tried and are not in the recipe, so that they can be tried again.

Each gets the signals of whole passages, computed here for all of them and exactly, the recipe's
context terms, and its shares of words per source where it has a use for them; moments are made in
the same way. What they are compared with is the recipe without windows: it has no more.

    rank fusion          reciprocal ranks of all signals, k = 60 (Cormack et al. 2009)
    z-scores             standard scores of the best 300 instead of min-max
    entropy weights      signals weighed by how peaked their scores are for this question, as in
                         Q2E (1 / entropy of the softmax of the normalised scores)
    normalised by source min-max within every source instead of over all of them at once
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate.questions import Question
from pipeline.library import Library
from pipeline.retrieve.fuse import (
    HYDE_SIGNALS,
    QUESTION_SIGNALS,
    TOP,
    Recipe,
    Scores,
    min_max,
    neighbour_sums,
    reciprocal_ranks,
    video_means,
)
from pipeline.retrieve.localize import moments
from pipeline.retrieve.search import RECIPE, Query, Ranked, query_vectors
from pipeline.retrieve.windows import look_closely
from pipeline.types import Moment, PassageIndex, PassageTable, Vectors

DEPTH = 200  # passages that moments are made of


def search_dropped(library: Library, variant: str, question: Question, k: int) -> list[Moment]:
    """The `k` best moments by the way of fusing called `variant`."""
    index = library.index()
    table = index.table
    query = Query(question.text, question.hypothetical)
    vectors = query_vectors(library.embedder(), query)
    signals = _signals(index, query, vectors)
    alone = VARIANTS[variant](signals, table, RECIPE)
    beside = neighbour_sums(alone, table.video, table.source, table.start, table.end)
    scores = alone + RECIPE.neighbours * beside + RECIPE.video * video_means(alone, table.video)
    names = np.argsort(np.argsort(table.videos))[table.video]
    order = np.lexsort((table.source, table.start, names, -scores))[:DEPTH]
    order = order[scores[order] > 0]
    ranked = Ranked(
        positions=order,
        scores=scores[order],
        similarity=signals[0, order],
        names=(variant,),
        parts=scores[order][None],
        focus=_focus(index, order, vectors, query.text),
    )
    return moments(ranked, index, {}, k, _lengths(table))


def _signals(index: PassageIndex, query: Query, vectors: Vectors) -> NDArray[np.float64]:
    """(s, n): cosines with the question and the mean, BM25 of the question and of all together."""
    cosines = index.cosine(vectors).astype(np.float64).round(5)
    texts = [query.text]
    if query.hypothetical:
        texts.append("\n".join((query.text, *query.hypothetical)))
    words = np.zeros((len(texts), len(index.table)))
    for row, (positions, values) in zip(words, index.words(texts, TOP), strict=True):
        row[positions] = values
    return np.vstack([cosines, words])


def _focus(
    index: PassageIndex, order: NDArray[np.int64], vectors: Vectors, question: str
) -> NDArray[np.float64]:
    """(2, p): where the best window of each passage lies, of as many as the recipe looks at."""
    table, closely = index.table, order[: RECIPE.closely]
    focus = np.stack([table.start[order], table.end[order]])
    if len(closely):
        look = look_closely(index, closely, vectors, question)
        focus[:, : len(closely)] = look.start, look.end
    return focus


def _lengths(table: PassageTable) -> dict[str, float]:
    """Where the last text of each video ends, by id."""
    ends = np.zeros(len(table.videos))
    np.maximum.at(ends, table.video, table.end)
    return dict(zip(table.videos, ends.tolist(), strict=True))


def _weights(signals: NDArray[np.float64], table: PassageTable, recipe: Recipe) -> Scores:
    names = QUESTION_SIGNALS if len(signals) == len(QUESTION_SIGNALS) else HYDE_SIGNALS
    return recipe.weights(names, table.source)


def rank_fusion(signals: NDArray[np.float64], table: PassageTable, recipe: Recipe) -> Scores:
    """To [0, 1] at the end: ranks differ so little that any context would drown them."""
    return min_max(_total(np.stack([reciprocal_ranks(signal) for signal in signals])), recipe.top)


def z_scores(signals: NDArray[np.float64], table: PassageTable, recipe: Recipe) -> Scores:
    weights = _weights(signals, table, recipe)
    return _total(weights * np.stack([_standard(signal) for signal in signals]))


def entropy_weights(signals: NDArray[np.float64], table: PassageTable, recipe: Recipe) -> Scores:
    normalised = np.stack([min_max(signal, recipe.top) for signal in signals])
    weights = np.array([1.0 / _entropy(scores[scores > 0]) for scores in normalised])
    return _total((weights / weights.sum())[:, None] * normalised)


def by_source(signals: NDArray[np.float64], table: PassageTable, recipe: Recipe) -> Scores:
    normalised = np.zeros_like(signals)
    for source in np.unique(table.source):
        of_it = table.source == source
        normalised[:, of_it] = [min_max(signal[of_it], recipe.top) for signal in signals]
    return _total(_weights(signals, table, recipe) * normalised)


def _total(parts: NDArray[np.float64]) -> Scores:
    return np.asarray(parts.sum(axis=0), np.float64)


def _standard(scores: Scores) -> Scores:
    """Standard scores of the best 300, moved so that the last of them is 0; 0 for all others."""
    kept = np.argsort(-scores, kind="stable")[:TOP]
    kept = kept[scores[kept] > 0]
    result = np.zeros_like(scores)
    if len(kept):
        spread = float(scores[kept].std())
        result[kept] = (scores[kept] - scores[kept].min()) / (spread or 1.0)
    return result


def _entropy(scores: Scores) -> float:
    """Of the softmax of the scores, in nats, not below a hundredth."""
    if not len(scores):
        return 1e9
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    return max(float(-(shares * np.log(shares)).sum()), 0.01)


VARIANTS: dict[str, Callable[[NDArray[np.float64], PassageTable, Recipe], Scores]] = {
    "rank fusion": rank_fusion,
    "z-scores": z_scores,
    "entropy weights": entropy_weights,
    "normalised by source": by_source,
}

"""What a search is measured against: the rankings that other systems would give.

Every baseline ranks the same passages by the same embedding model and the same BM25, and its
passages are its moments. Lists are cut at the best 300, vectors are compared exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate.metrics import Span
from pipeline.retrieve.fuse import TOP, min_max, reciprocal_ranks
from pipeline.retrieve.search import Query, query_vectors
from pipeline.types import Embedder, PassageIndex, PassageTable

BASELINES = ("dense", "bm25", "rrf", "min_max", "hyde")

Scores = NDArray[np.float64]


def rank_baselines(
    index: PassageIndex, embedder: Embedder, query: Query, k: int = 10
) -> dict[str, list[Span]]:
    """The best `k` passages of each baseline, by name.

    dense    cosine with the question: what most systems do
    bm25     the question's words
    rrf      reciprocal rank fusion of the two (Cormack, Clarke and Buettcher 2009), k = 60
    min_max  their min-max normalised scores, half and half
    hyde     cosine with the mean of question and hypothetical passages (Gao et al. 2023);
             only where `query` has such passages
    """
    cosines = index.cosine(query_vectors(embedder, query)).astype(np.float64).round(5)
    dense, words = cosines[0], _words(index, query.text)
    scores = {
        "dense": dense,
        "bm25": words,
        "rrf": reciprocal_ranks(dense) + reciprocal_ranks(words),
        "min_max": (min_max(dense) + min_max(words)) / 2,
    }
    if query.hypothetical:
        scores["hyde"] = cosines[1]
    return {name: _best(index.table, values, k) for name, values in scores.items()}


def _words(index: PassageIndex, question: str) -> Scores:
    scores = np.zeros(len(index.table))
    positions, values = index.words([question], TOP)[0]
    scores[positions] = values
    return scores


def _best(table: PassageTable, scores: Scores, k: int) -> list[Span]:
    """The best `k` with a score above 0, ties by video id, start and source."""
    near: Sequence[int] = np.flatnonzero(scores >= _kth(scores, k)).tolist()
    ordered = sorted(
        (position for position in near if scores[position] > 0),
        key=lambda i: (-scores[i], table.videos[table.video[i]], table.start[i], table.source[i]),
    )
    return [
        Span(table.videos[table.video[i]], float(table.start[i]), float(table.end[i]))
        for i in ordered[:k]
    ]


def _kth(scores: Scores, k: int) -> float:
    return float(np.partition(scores, -k)[-k]) if len(scores) > k else float(scores.min())

"""What a search is measured against: the rankings that other systems would give.

Every baseline ranks the same passages by the same embedding model and the same BM25, and its
passages are its moments. Lists are cut at the best 300, vectors are compared exactly. Nothing
here depends on Footnote's own recipe.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate.metrics import Span
from pipeline.integrations.llama_index_fusion import (
    FusionMode,
    QueryFusion,
    Ranking,
    llama_index_installed,
)
from pipeline.retrieve.fuse import min_max, reciprocal_ranks
from pipeline.types import Embedder, PassageIndex, PassageTable, Vectors

_log = logging.getLogger(__name__)

PLAIN = ("dense", "bm25", "rrf", "min_max")
HYDE = "hyde"
LLAMA_INDEX: dict[str, FusionMode] = {
    "llama_index_fusion": "reciprocal_rerank",
    "llama_index_fusion_relative": "relative_score",
}
LIST = 300  # of each ranking's passages

Scores = NDArray[np.float64]


def baseline_names(*, hypothetical: bool) -> tuple[str, ...]:
    """The baselines of one run; `hypothetical`: any of its questions has such passages."""
    names = (*PLAIN, HYDE) if hypothetical else PLAIN
    if llama_index_installed():
        return (*names, *LLAMA_INDEX)
    _log.warning("without the baselines of LlamaIndex: pip install llama-index-core")
    return names


@dataclass(slots=True)
class Baselines:
    """The rankings of `names` over one index.

    dense    cosine with the question: what most systems do
    bm25     the question's words
    rrf      reciprocal rank fusion of the two (Cormack, Clarke and Buettcher 2009), k = 60
    min_max  their min-max normalised scores, half and half
    hyde     cosine with the mean of question and hypothetical passages (Gao et al. 2023)
    llama_index_fusion, llama_index_fusion_relative
             LlamaIndex's `QueryFusionRetriever` over dense and bm25 in its modes
             `reciprocal_rerank` and `relative_score`; the hypothetical passages are its
             generated queries

    Without hypothetical passages `hyde` is `dense`.
    """

    index: PassageIndex
    embedder: Embedder
    names: Sequence[str]
    _fusion: QueryFusion | None = field(default=None, repr=False)

    def rank(
        self, question: str, hypothetical: Sequence[str] = (), k: int = 10
    ) -> dict[str, list[Span]]:
        """The best `k` passages of each baseline, by name."""
        queries = (question, *hypothetical)
        vectors = self.embedder.embed(queries)
        cosines = self._cosines(vectors)
        words = self.index.words(queries, LIST)
        dense, bm25 = cosines[0], _spread(words[0], len(self.index.table))
        scores: dict[str, Scores] = {
            "dense": dense,
            "bm25": bm25,
            "rrf": reciprocal_ranks(dense, LIST) + reciprocal_ranks(bm25, LIST),
            "min_max": (min_max(dense, LIST) + min_max(bm25, LIST)) / 2,
        }
        if HYDE in self.names:
            scores[HYDE] = self._cosines(_mean(vectors))[0] if hypothetical else dense
        table = self.index.table
        ranked = {name: _best(table, scores[name], k) for name in self.names if name in scores}
        rankings = (
            {query: _nearest(row) for query, row in zip(queries, cosines, strict=True)},
            {query: _listed(hits) for query, hits in zip(queries, words, strict=True)},
        )
        for name in self.names:
            if name in LLAMA_INDEX:
                self._fusion = self._fusion or QueryFusion()
                mode = LLAMA_INDEX[name]
                positions = self._fusion.rank(question, hypothetical, rankings, mode, k)
                ranked[name] = [_span(table, position) for position in positions]
        return ranked

    def _cosines(self, vectors: Vectors) -> Scores:
        """(q, n), rounded so that equal texts score the same whatever product they came from."""
        return self.index.cosine(vectors).astype(np.float64).round(5)


def _mean(vectors: Vectors) -> Vectors:
    """(1, d): the mean of (n, d), of unit length (Gao et al. 2023, equation 8)."""
    mean = vectors.mean(axis=0, keepdims=True)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)


def _spread(hits: tuple[NDArray[np.int64], Scores], size: int) -> Scores:
    scores = np.zeros(size)
    positions, values = hits
    scores[positions] = values
    return scores


def _nearest(cosines: Scores) -> Ranking:
    order = np.argsort(-cosines, kind="stable")[:LIST]
    return list(zip(order.tolist(), cosines[order].tolist(), strict=True))


def _listed(hits: tuple[NDArray[np.int64], Scores]) -> Ranking:
    positions, values = hits
    return list(zip(positions.tolist(), values.tolist(), strict=True))


def _best(table: PassageTable, scores: Scores, k: int) -> list[Span]:
    """The best `k` with a score above 0, ties by video id, start and source."""
    near: Sequence[int] = np.flatnonzero(scores >= _kth(scores, k)).tolist()
    ordered = sorted(
        (position for position in near if scores[position] > 0),
        key=lambda i: (-scores[i], table.videos[table.video[i]], table.start[i], table.source[i]),
    )
    return [_span(table, position) for position in ordered[:k]]


def _span(table: PassageTable, position: int) -> Span:
    video_id = table.videos[table.video[position]]
    return Span(video_id, float(table.start[position]), float(table.end[position]))


def _kth(scores: Scores, k: int) -> float:
    return float(np.partition(scores, -k)[-k]) if len(scores) > k else float(scores.min())

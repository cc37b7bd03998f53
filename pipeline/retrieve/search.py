"""A question to ranked passages: who proposes, who scores, and in which order they come.

The vector index and the index of words propose candidates; each candidate then gets its exact
cosines from the stored vectors and its BM25 scores (0 outside the word list), and `fuse` makes
one score of them. Where the passages in question are few enough to score all of them at once,
no vector index is asked: the answer is exact, and faster.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import LibraryNotFound, UsageError
from pipeline.retrieve.fuse import Recipe, fuse
from pipeline.types import Embedder, PassageIndex, PassageTable, Vectors

# All cosines of so many take half a millisecond; Chroma's 300 nearest 4 ms, and some are missing.
EXACT_ROWS = 20_000
# A row of the matrix that is picked out costs as much as so many that are taken as they lie.
GATHER_COST = 1.6

RECIPE = Recipe()


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. `hypothetical` are passages a language model wrote for the question."""

    text: str
    hypothetical: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise UsageError("the question is empty", 'footnote search "what you look for"')


@dataclass(frozen=True, slots=True)
class Ranked:
    """Passages, best first; ties by video id, start, source. Column i is one passage.

    `parts` (p, m) says what each of `names` contributes: its columns sum to `scores`.
    `similarity` is the exact cosine with the question, which compares across queries.
    """

    positions: NDArray[np.int64]
    scores: NDArray[np.float64]
    similarity: NDArray[np.float64]
    names: tuple[str, ...]
    parts: NDArray[np.float64]
    took_ms: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.positions)


def search(
    index: PassageIndex,
    embedder: Embedder,
    query: Query,
    *,
    allowed: NDArray[np.bool_] | None = None,
    depth: int = 200,
    recipe: Recipe = RECIPE,
    exact_rows: int = EXACT_ROWS,
) -> Ranked:
    """The best `depth` passages for `query` among those `allowed` (n,), all when None.

    Raises `LibraryNotFound` when there is no passage at all; a filter that lets nothing through
    finds nothing. The same query on the same index gives the same answer. Words are looked up
    while the query is embedded: `took_ms["embed"]` is what is waited for after that.
    """
    table = index.table
    if not len(table):
        raise LibraryNotFound("the library has no text to search", "footnote add PATH")
    laps = _Laps()
    with ThreadPoolExecutor(1) as aside:  # neither holds Python's lock for long
        embedded = aside.submit(query_vectors, embedder, query)
        words = index.words(_word_queries(query), recipe.top, allowed)
        laps.lap("words")
        vectors = embedded.result()
    laps.lap("embed")
    candidates, cosines = _dense(index, vectors, words, allowed, recipe.top, exact_rows)
    laps.lap("vectors")
    # Rounded, so that equal texts score the same whatever product they came from.
    signals = np.vstack([cosines, _spread(words, candidates)]).astype(np.float64).round(5)
    ranked = _rank(table, candidates, signals, recipe, depth)
    laps.lap("fuse")
    return replace(ranked, took_ms=laps.ms)


def query_vectors(embedder: Embedder, query: Query) -> Vectors:
    """(1, d): the question; (2, d) with hypothetical passages: the second is the mean of the
    question and the passages, as in HyDE (Gao et al. 2023, "Precise Zero-Shot Dense Retrieval
    without Relevance Labels", equation 8), of unit length.
    """
    vectors = embedder.embed([query.text, *query.hypothetical])
    if not query.hypothetical:
        return vectors
    mean = vectors.mean(axis=0)
    return np.stack([vectors[0], mean / max(float(np.linalg.norm(mean)), 1e-12)])


def _word_queries(query: Query) -> list[str]:
    """Generated text belongs in both indexes, and the question keeps a vote of its own."""
    if not query.hypothetical:
        return [query.text]
    return [query.text, "\n".join((query.text, *query.hypothetical))]


_WordHits = list[tuple[NDArray[np.int64], NDArray[np.float64]]]


def _dense(
    index: PassageIndex,
    vectors: Vectors,
    words: _WordHits,
    allowed: NDArray[np.bool_] | None,
    top: int,
    exact_rows: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Positions of all candidates (c,), ascending, and their exact cosines (q, c)."""
    listed = [positions for positions, _ in words]
    every = len(index.table)
    if allowed is None and every > exact_rows:
        candidates = np.unique(np.concatenate([index.propose(vectors, top), *listed]))
        return candidates, index.cosine(vectors, candidates)
    if allowed is None:
        return _shortlist(np.arange(every), index.cosine(vectors), listed, top)
    positions = np.flatnonzero(allowed)
    if len(positions) * GATHER_COST <= every:
        return _shortlist(positions, index.cosine(vectors, positions), listed, top)
    return _shortlist(positions, index.cosine(vectors)[:, positions], listed, top)


def _shortlist(
    positions: NDArray[np.int64],
    cosines: NDArray[np.float32],
    listed: list[NDArray[np.int64]],
    top: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Of all scored `positions`, ascending: the `top` of each row of `cosines`, and the listed."""
    size = len(positions)
    if size <= top:
        return positions, cosines
    nearest = np.argpartition(cosines, size - top, axis=1)[:, size - top :]
    worded = [np.searchsorted(positions, hits) for hits in listed]
    chosen = np.unique(np.concatenate([nearest.ravel(), *worded]))
    return positions[chosen], cosines[:, chosen]


def _spread(words: _WordHits, candidates: NDArray[np.int64]) -> NDArray[np.float64]:
    """(q, c) BM25 scores of the candidates, 0 for those a list does not hold."""
    scores = np.zeros((len(words), len(candidates)))
    for row, (positions, values) in zip(scores, words, strict=True):
        row[np.searchsorted(candidates, positions)] = values
    return scores


def _rank(
    table: PassageTable,
    candidates: NDArray[np.int64],
    signals: NDArray[np.float64],
    recipe: Recipe,
    depth: int,
) -> Ranked:
    video, source = table.video[candidates], table.source[candidates]
    start, end = table.start[candidates], table.end[candidates]
    fused = fuse(signals, recipe, video, source, start, end)
    names = _alphabetical(video, table.videos)
    order = np.lexsort((candidates, source, start, names, -fused.scores))[:depth]
    return Ranked(
        candidates[order],
        fused.scores[order],
        signals[0, order],
        fused.names,
        fused.parts[:, order],
    )


def _alphabetical(video: NDArray[np.int32], videos: tuple[str, ...]) -> NDArray[np.int64]:
    """(c,) the place of each candidate's video id among the candidates' ids in order."""
    numbers, inverse = np.unique(video, return_inverse=True)
    places = np.empty(len(numbers), np.int64)
    places[sorted(range(len(numbers)), key=lambda i: videos[numbers[i]])] = np.arange(len(numbers))
    return places[inverse]


class _Laps:
    """Milliseconds since the last lap, by stage."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.ms[stage] = (now - self._last) * 1000
        self._last = now

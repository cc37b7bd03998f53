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
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import LibraryNotFound, UsageError
from pipeline.retrieve.doubt import DOUBT, MOST_DOUBTED, lowered
from pipeline.retrieve.drift import on_subject
from pipeline.retrieve.exact import EXACT, exact_matches, holds_rare_words, lift
from pipeline.retrieve.fuse import (
    HYDE_SIGNALS,
    QUESTION_SIGNALS,
    TITLE,
    Fused,
    Recipe,
    Signals,
    fuse,
)
from pipeline.retrieve.titles import NO_HINTS, VideoTerms, hinted_passages, hints_of, lifts
from pipeline.retrieve.windows import CloseLook, look_closely
from pipeline.types import Embedder, PassageIndex, PassageTable, Vectors

# All cosines of so many take half a millisecond; Chroma's 300 nearest 4 ms, and some are missing.
EXACT_ROWS = 20_000
# From this share on (all but chapters and summaries, as a rule) some more proposals do, where all
# cosines of 300,000 would make a search half as long again. On talks with a fifth of chapters and
# summaries MRR@10 moves by -.001 (-.004, .001).
NEARLY_ALL = 0.7
# A row of the matrix that is picked out costs as much as so many that are taken as they lie.
GATHER_COST = 1.6

RECIPE = Recipe()


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. `hypothetical` are passages a language model wrote for the question,
    `translations` are the question in other languages of the library."""

    text: str
    hypothetical: tuple[str, ...] = ()
    translations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise UsageError("the question is empty", 'footnote search "what you look for"')

    @property
    def texts(self) -> tuple[str, ...]:
        """All that is embedded, the question first and then the hypothetical passages."""
        return (self.text, *self.hypothetical, *self.translations)

    @property
    def expanded(self) -> bool:
        return bool(self.hypothetical or self.translations)


@dataclass(frozen=True, slots=True)
class Ranked:
    """Passages, best first; ties by video id, start, source. Column i is one passage.

    `parts` (p, m) says what each of `names` contributes: its columns sum to `scores`.
    `similarity` is the exact cosine with the question, which compares across queries. `focus`
    (2, p) is when the window that answers best begins and ends, None where none was looked for.
    """

    positions: NDArray[np.int64]
    scores: NDArray[np.float64]
    similarity: NDArray[np.float64]
    names: tuple[str, ...]
    parts: NDArray[np.float64]
    focus: NDArray[np.float64] | None = None
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
    known: VideoTerms | None = None,
) -> Ranked:
    """The best `depth` passages for `query` among those `allowed` (n,), all when None.

    Raises `LibraryNotFound` when there is no passage at all; a filter that lets nothing through
    finds nothing. The same query on the same index gives the same answer. Words are looked up
    while the query is embedded: `took_ms["embed"]` is what is waited for after that.
    Hypothetical passages that are about something else are left out (`drift`), doubtful text ranks
    lower (`doubt`), and exact matches of what the question quotes come first (`exact`). `known` is
    what the catalog knows of videos beside their text (`titles`).
    """
    table = index.table
    if not len(table):
        raise LibraryNotFound("the library has no text to search", "footnote add PATH")
    laps = _Laps()
    with ThreadPoolExecutor(1) as aside:  # neither holds Python's lock for long
        embedded = aside.submit(embedder.embed, query.texts)
        words = index.words(_word_queries(query), recipe.top, allowed)
        held = exact_matches(index, query.text, allowed)
        hints = hints_of(index, query.text, known) if known else NO_HINTS
        laps.lap("words")
        asked, vectors = _without_drift(index, query, embedded.result())
    laps.lap("embed")
    if asked is not query:
        words = index.words(_word_queries(asked), recipe.top, allowed)
        laps.lap("words")
    hinted = hinted_passages(index, hints, vectors, allowed)
    listed = [*words, *((found, np.zeros(len(found))) for found in (held, hinted))]
    candidates, cosines = _dense(index, vectors, listed, allowed, recipe.top, exact_rows)
    laps.lap("vectors")
    # Rounded, so that equal texts score the same whatever product they came from.
    scores = np.vstack([cosines, _spread(words, candidates)]).astype(np.float64).round(5)
    signals = Signals(HYDE_SIGNALS if asked.expanded else QUESTION_SIGNALS, scores)
    pool = _Pool(table, candidates)
    coarse = pool.fused(signals, recipe)
    best = _closely(pool.order(coarse.scores), np.isin(candidates, hinted), recipe.closely)
    laps.lap("fuse")
    look = look_closely(index, candidates[best], vectors, query.text, hints)
    laps.lap("windows")
    if len(best):
        closely = (best, np.vstack([look.cosines, look.words]))
        fused = pool.fused(replace(signals, windows=closely, titles=look.title), recipe)
    else:
        fused = coarse
    if asked.expanded and not len(held):
        held = _kept_first(index, pool, signals, recipe, fused, query.text, allowed)
    fused = _with_part(fused, TITLE, lifts(hints, table, candidates))
    exact = np.isin(candidates, held)
    doubt = np.zeros(len(candidates))
    near_top = np.union1d(pool.order(fused.scores)[:MOST_DOUBTED], np.flatnonzero(exact))
    doubt[near_top] = index.doubt(candidates[near_top])
    fused = _with_part(fused, DOUBT, lowered(fused.scores, doubt))
    fused = _with_part(fused, EXACT, lift(fused.scores, exact))
    order = pool.order(fused.scores)[:depth]
    ranked = Ranked(
        candidates[order],
        fused.scores[order],
        scores[0, order],
        fused.names,
        fused.parts[:, order],
        _focus(pool, best, look)[:, order],
    )
    laps.lap("fuse")
    return replace(ranked, took_ms=laps.ms)


def query_vectors(embedder: Embedder, query: Query) -> Vectors:
    """(1, d): the question; (2, d) where it is expanded: the second is the mean of the question
    and all else, as in HyDE (Gao et al. 2023, "Precise Zero-Shot Dense Retrieval without
    Relevance Labels", equation 8), of unit length.
    """
    return _with_mean(embedder.embed(query.texts))


def _with_mean(vectors: Vectors) -> Vectors:
    if len(vectors) == 1:
        return vectors
    mean = vectors.mean(axis=0)
    return np.stack([vectors[0], mean / max(float(np.linalg.norm(mean)), 1e-12)])


def _without_drift(index: PassageIndex, query: Query, vectors: Vectors) -> tuple[Query, Vectors]:
    """The query, the very same one where nothing drifted, and its `query_vectors`."""
    last = 1 + len(query.hypothetical)
    kept = on_subject(index, vectors[:1], vectors[1:last])
    if kept.all():
        return query, _with_mean(vectors)
    passages = tuple(compress(query.hypothetical, kept))
    used = np.concatenate([vectors[:1], vectors[1:last][kept], vectors[last:]])
    return replace(query, hypothetical=passages), _with_mean(used)


def _word_queries(query: Query) -> list[str]:
    """Generated text belongs in both indexes, and the question keeps a vote of its own."""
    question = "\n".join((query.text, *query.translations))
    if not query.expanded:
        return [question]
    return [question, "\n".join((question, *query.hypothetical))]


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
    share = 1.0 if allowed is None else np.count_nonzero(allowed) / max(every, 1)
    if share >= NEARLY_ALL and every > exact_rows:
        near = index.propose(vectors, round(top / share))
        kept = near if allowed is None else near[allowed[near]]
        candidates = np.unique(np.concatenate([kept, *listed]))
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


class _Pool:
    """The candidates of one search as columns."""

    def __init__(self, table: PassageTable, candidates: NDArray[np.int64]) -> None:
        self.candidates = candidates
        self.video, self.source = table.video[candidates], table.source[candidates]
        self.start, self.end = table.start[candidates], table.end[candidates]
        self.names = _alphabetical(self.video, table.videos)

    def fused(self, signals: Signals, recipe: Recipe) -> Fused:
        return fuse(signals, recipe, self.video, self.source, self.start, self.end)

    def order(self, scores: NDArray[np.float64]) -> NDArray[np.int64]:
        """Best first; ties by video id, start, source."""
        return np.lexsort((self.candidates, self.source, self.start, self.names, -scores))


def _closely(order: NDArray[np.int64], hinted: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """The first `count` of `order`, and those `hinted` (c,) wherever they stand in it."""
    if not count:
        return order[:0]
    return order[(np.arange(len(order)) < count) | hinted[order]]


def _kept_first(
    index: PassageIndex,
    pool: _Pool,
    signals: Signals,
    recipe: Recipe,
    fused: Fused,
    question: str,
    allowed: NDArray[np.bool_] | None,
) -> NDArray[np.int64]:
    """The position of what the question alone puts first, where its rare words are there and the
    expansion puts something else first; none otherwise."""
    own = [signals.names.index(name) for name in QUESTION_SIGNALS]
    alone = Signals(QUESTION_SIGNALS, signals.scores[own])
    first = pool.order(pool.fused(alone, recipe).scores)[:1]
    if (first == pool.order(fused.scores)[:1]).all():
        return np.zeros(0, np.int64)
    position = pool.candidates[first]
    rare = holds_rare_words(index, question, int(position[0]), allowed)
    return position if rare else np.zeros(0, np.int64)


def _with_part(fused: Fused, name: str, part: NDArray[np.float64]) -> Fused:
    """The scores with `part` (c,) added, under its name."""
    if not part.any():
        return fused
    scores = fused.scores + part
    if name not in fused.names:
        return Fused(scores, (*fused.names, name), np.vstack([fused.parts, part]))
    parts = fused.parts.copy()
    parts[fused.names.index(name)] += part
    return Fused(scores, fused.names, parts)


def _focus(pool: _Pool, best: NDArray[np.int64], look: CloseLook) -> NDArray[np.float64]:
    """(2, c) when the best window of each candidate is: the whole of one not looked at."""
    focus = np.stack([pool.start, pool.end])
    focus[:, best] = look.start, look.end
    return focus


def _alphabetical(video: NDArray[np.int32], videos: tuple[str, ...]) -> NDArray[np.int64]:
    """(c,) the place of each candidate's video id among the candidates' ids in order."""
    numbers, inverse = np.unique(video, return_inverse=True)
    places = np.empty(len(numbers), np.int64)
    places[sorted(range(len(numbers)), key=lambda i: videos[numbers[i]])] = np.arange(len(numbers))
    return places[inverse]


class _Laps:
    """Milliseconds by stage: what has passed since the lap before."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.ms[stage] = self.ms.get(stage, 0.0) + (now - self._last) * 1000
        self._last = now

"""A passage index in memory, numpy and Tantivy, for tests that need search but no library.

It keeps to the contract of `types.PassageIndex` and is exact everywhere: `propose` is a full
product. Times, texts and vectors are what the test gives it, and nothing is read or written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import tantivy
from numpy.typing import NDArray

from pipeline.models.embedding import load_embedder
from pipeline.store.analysis import passage_terms, query_terms
from pipeline.types import (
    SOURCES,
    Embedder,
    Passage,
    PassageTable,
    PassageWindows,
    Source,
    Vectors,
    Window,
)


class MemoryIndex:
    """`types.PassageIndex` over passages given as (video_id, passage) pairs."""

    generation = 1

    def __init__(
        self,
        passages: Sequence[tuple[str, Passage]],
        vectors: Vectors,
        embedder: Embedder | None = None,  # of the windows
    ) -> None:
        self.embedder = embedder
        self._passages = [passage for _, passage in passages]
        self.table = table_of(passages)
        self.vectors = vectors
        self.doubts: dict[int, float] = {}  # by position
        self.proposals = 0  # how often the vector index was asked
        self._texts = [passage.text for _, passage in passages]

    @cached_property
    def _searcher(self) -> tantivy.Searcher:
        return _word_index(self._texts)

    def propose(self, vectors: Vectors, count: int) -> NDArray[np.int64]:
        self.proposals += 1
        near = np.argsort(-self.cosine(vectors), axis=1, kind="stable")[:, :count]
        return np.unique(near).astype(np.int64)

    def cosine(
        self, vectors: Vectors, positions: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        rows = self.vectors if positions is None else self.vectors[positions]
        return np.asarray(vectors @ rows.T, np.float32)

    def words(
        self, queries: Sequence[str], count: int, allowed: NDArray[np.bool_] | None = None
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        return [self._words(query, count, allowed) for query in queries]

    def windows(self, positions: NDArray[np.int64]) -> list[PassageWindows | None]:
        return [self._windows(int(position)) for position in positions]

    def rarity(self, terms: Sequence[str]) -> NDArray[np.float64]:
        holding = np.array([self._searcher.doc_freq("terms", term) for term in terms], np.float64)
        return np.log1p((len(self._texts) - holding + 0.5) / (holding + 0.5))

    def term_counts(self, query: str) -> Counter[str]:
        return query_terms(query)

    def _windows(self, position: int) -> PassageWindows:
        """Those given with the passage, embedded by `embedder`; else the passage as one."""
        passage, embedder = self._passages[position], self.embedder
        if not passage.windows or embedder is None:
            whole, vectors = (passage.text,), self.vectors[position : position + 1]
            start, end = np.array([passage.start]), np.array([passage.end])
            return PassageWindows(start, end, whole, "", vectors)
        texts = tuple(passage.text[w.left : w.right] for w in passage.windows)
        start = np.array([window.start for window in passage.windows])
        end = np.array([window.end for window in passage.windows])
        return PassageWindows(start, end, texts, "", embedder.embed(texts))

    def doubt(self, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.array([self.doubts.get(int(position), 0.0) for position in positions])

    def texts(self, positions: Sequence[int] | NDArray[np.int64]) -> list[str]:
        return [self._texts[int(position)] for position in positions]

    def passage_ids(self, positions: Sequence[int] | NDArray[np.int64]) -> list[str]:
        return [f"p{int(position):06d}" for position in positions]

    def _words(
        self, query: str, count: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        hits = self._searcher.search(_word_query(query_terms(query)), max(len(self._texts), 1)).hits
        addresses = [address for _, address in hits]
        positions = np.array(self._searcher.fast_field_values("position", addresses), np.int64)
        scores = np.array([score for score, _ in hits], np.float64)
        order = np.lexsort((positions, -scores))
        if allowed is not None:
            order = order[allowed[positions[order]]]
        return positions[order][:count], scores[order][:count]


def table_of(passages: Sequence[tuple[str, Passage]]) -> PassageTable:
    videos = tuple(sorted({video_id for video_id, _ in passages}))
    number = {video_id: index for index, video_id in enumerate(videos)}
    return PassageTable(
        rows=np.arange(1, len(passages) + 1, dtype=np.int64),
        video=np.array([number[video_id] for video_id, _ in passages], np.int32),
        source=np.array([SOURCES.index(passage.source) for _, passage in passages], np.uint8),
        start=np.array([passage.start for _, passage in passages], np.float64),
        end=np.array([passage.end for _, passage in passages], np.float64),
        videos=videos,
    )


def memory_index(
    passages: Sequence[tuple[str, Passage]], embedder: Embedder | None = None
) -> MemoryIndex:
    """An index whose vectors are `embedder`'s, those of "fake:64" when None."""
    embedder = embedder or load_embedder("fake:64")
    vectors = embedder.embed([passage.text for _, passage in passages])
    return MemoryIndex(passages, vectors, embedder)


def passage(source: Source, start: float, end: float, text: str) -> Passage:
    """A passage of one segment, for tests that do not care which."""
    return Passage(source, start, end, text, 0, 0)


def windowed(start: float, *texts: str) -> Passage:
    """A speech passage of windows of 10 s each, one for each text."""
    places = [(start + 10 * i, sum(len(t) + 1 for t in texts[:i])) for i in range(len(texts))]
    windows = tuple(
        Window(at, at + 10, left, left + len(text))
        for (at, left), text in zip(places, texts, strict=True)
    )
    return Passage("speech", start, start + 10 * len(texts), " ".join(texts), 0, 0, windows)


# Terms are made by the store's own analysis, so that scores are those of a real library.
# A signed column: Tantivy refuses plain Python integers in an unsigned one.
_SCHEMA = (
    tantivy.SchemaBuilder()
    .add_text_field("terms", tokenizer_name="whitespace", index_option="freq")
    .add_integer_field("position", fast=True)
    .build()
)


def _word_index(texts: Sequence[str]) -> tantivy.Searcher:
    index = tantivy.Index(_SCHEMA)
    writer = index.writer(heap_size=50_000_000, num_threads=1)
    for position, text in enumerate(texts):
        terms = " ".join(passage_terms(text))
        writer.add_document(tantivy.Document(terms=terms, position=position))
    writer.commit()
    index.reload()
    return index.searcher()


def _word_query(terms: Counter[str]) -> tantivy.Query:
    """Any of the terms, each as often as the query says it."""
    return tantivy.Query.boolean_query(
        [
            (
                tantivy.Occur.Should,
                tantivy.Query.boost_query(
                    tantivy.Query.term_query(_SCHEMA, "terms", term, "freq"), float(times)
                ),
            )
            for term, times in sorted(terms.items())
        ]
    )

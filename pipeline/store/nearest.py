"""Rows with vectors, opened for reading: which are near a question, and how near exactly.

An opened matrix with the collection in Chroma beside it. Passages and key frames are searched
through one of these each.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelUnavailable
from pipeline.store.chroma import LAG_ROWS, MOST_NEIGHBOURS, ChromaVectors
from pipeline.store.indexed_rows import IndexedRows
from pipeline.store.matrix import Matrix, positions_of
from pipeline.store.vectors import cosines, greatest
from pipeline.types import PassageTable, Vectors

_log = logging.getLogger(__name__)

# Below it the full product is as fast as Chroma and finds everything, and chromadb is never
# imported: the 300 nearest of two questions in 100,000 cost 9 ms of processor time, which two
# processors share; Chroma's 11 ms find 95% (benchmarks/index_scale.py).
EXACT_BELOW = 100_000
# Importing chromadb and opening its graph of 300,000 takes 1.2 s, three full products 60 ms: a
# process that asks once is done before (benchmarks/search.py).
PATIENCE = 3

Positions = NDArray[np.int64]


class NearestRows:
    """One generation of the rows of one kind. Safe to share between threads.

    `table` holds the rows that the catalog still has; the first `patience` proposals are exact.
    """

    def __init__(
        self,
        rows: IndexedRows,
        matrix: Matrix,
        numbers: Mapping[int, str],
        vectors: ChromaVectors,
        *,
        exact_below: int,
        patience: int,
    ) -> None:
        """`numbers` are the catalog's video ids by number."""
        self._matrix = matrix
        self._vectors = vectors
        self._exact_below = exact_below
        self.patience = patience
        self.numbers = np.array(sorted(numbers), np.int64)
        self._live = _living_entries(rows, matrix, self.numbers)
        self.table = _table(matrix, self._live, self.numbers, numbers)

    def propose(self, vectors: Vectors, count: int) -> Positions:
        """See `types.PassageIndex`. Exact for small libraries and where Chroma cannot be had."""
        self.patience -= 1
        large = len(self.table) >= self._exact_below
        near = self._near(vectors, count) if large and self.patience < 0 else None
        if near is None:
            return greatest(self.cosine(vectors), count)
        if len(near) <= count:
            return near
        return near[greatest(self.cosine(vectors, near), count)]

    def cosine(self, vectors: Vectors, positions: Positions | None = None) -> NDArray[np.float32]:
        """See `types.PassageIndex`. All of them are one product: 12 ms at 300,000."""
        if positions is None:
            every = cosines(vectors, self._matrix.vectors)
            return every if self._live is None else every[:, self._live]
        entries = positions if self._live is None else self._live[positions]
        return cosines(vectors, self._matrix.vectors, entries)

    def _near(self, vectors: Vectors, count: int) -> Positions | None:
        """What Chroma finds, and all that is newer than it; None when it cannot be asked."""
        if count > MOST_NEIGHBOURS:
            return None
        stamp = self._vectors.ready()
        if stamp is None or stamp.epoch != self._matrix.stamp.epoch:
            return None
        newer = np.searchsorted(self.table.rows, stamp.last_row, side="right")
        if len(self.table) - newer > LAG_ROWS:
            return None
        try:
            rows = self._vectors.nearest(vectors, count)
        except ModelUnavailable as error:
            _log.warning("searching without Chroma: %s", error.message)
            return None
        return np.union1d(positions_of(self.table.rows, rows), np.arange(newer, len(self.table)))


def _living_entries(
    rows: IndexedRows, matrix: Matrix, numbers: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    """The matrix's entries that the catalog still has, None when that is all of them."""
    alive = np.isin(matrix.video, numbers)
    alive[matrix.dead] = False
    alive[matrix.entries_of(rows.removed_since(matrix.stamp.generation))] = False
    return None if alive.all() else np.flatnonzero(alive)


def _table(
    matrix: Matrix,
    live: NDArray[np.int64] | None,
    numbers: NDArray[np.int64],
    video_ids: Mapping[int, str],
) -> PassageTable:
    every = slice(None) if live is None else live
    return PassageTable(
        rows=matrix.rows[every],
        video=np.searchsorted(numbers, matrix.video[every]).astype(np.int32),
        source=matrix.source[every],
        start=matrix.start[every],
        end=matrix.end[every],
        videos=tuple(video_ids[number] for number in numbers.tolist()),
    )

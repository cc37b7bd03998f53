"""The passage index that searches are made against: one generation of a library, held still.

Matrix, words and vectors are opened as they are on disk. A reader that finds them behind the
catalog brings them up to date if it can have the lock; if not - another process is at it, or the
disk is read-only - it serves the older generation and leaves out what the catalog has deleted.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import IndexDamaged, ModelUnavailable
from pipeline.store.analysis import query_terms
from pipeline.store.catalog import Catalog
from pipeline.store.chroma import LAG_ROWS, MOST_NEIGHBOURS
from pipeline.store.lock import LibraryBusy
from pipeline.store.matrix import Matrix, open_matrix, positions_of
from pipeline.store.synchronise import LOCK_SECONDS, Indexes, synchronise
from pipeline.store.vectors import cosines, greatest
from pipeline.store.words import Sieve, WordIndex, restriction
from pipeline.types import PassageTable, Vectors

_log = logging.getLogger(__name__)

# Below it the full product is as fast as Chroma and finds everything, and chromadb is never
# imported: the 300 nearest of two questions in 100,000 cost 9 ms of processor time, which two
# processors share; Chroma's 11 ms find 95% (benchmarks/index_scale.py).
EXACT_BELOW = 100_000
# Importing chromadb and opening its graph of 300,000 takes 1.2 s, three full products 60 ms: a
# process that asks once is done before (benchmarks/search.py).
PATIENCE = 3
_FEW_ROWS = 200  # are cheaper named one by one than found among others
_MUCH = 0.1  # of a library: its best 300 are among the best few thousand of all

Positions = NDArray[np.int64]


def open_index(
    catalog: Catalog, indexes: Indexes, *, exact_below: int = EXACT_BELOW, patience: int = 0
) -> LibraryIndex:
    """The library's passages as they are now, or as nearly as can be had without waiting.

    Matrix and words are brought up to date when no other process is at it. Chroma never is by a
    reader: what it lacks is scored exactly, and so are the first `patience` proposals. Raises
    `IndexDamaged` when what is on disk belongs to other embeddings, or is not there, and cannot
    be made.
    """
    usable = _made_for(catalog, indexes)
    if not catalog.read_only:
        try:
            synchronise(catalog, indexes, vectors=False, timeout=0 if usable else LOCK_SECONDS)
        except (LibraryBusy, OSError) as error:
            if not usable:
                raise
            _log.info("searching generation %d: %s", indexes.matrix.stamp().generation, error)
    elif not usable:
        raise IndexDamaged(
            f"the library in {catalog.folder} is read-only and its indexes are not there",
            "copy it to where it can be written",
        )
    return LibraryIndex(catalog, indexes, exact_below=exact_below, patience=patience)


class LibraryIndex:
    """`types.PassageIndex` over a library's derived indexes. Safe to share between threads."""

    def __init__(
        self,
        catalog: Catalog,
        indexes: Indexes,
        *,
        exact_below: int = EXACT_BELOW,
        patience: int = 0,
    ) -> None:
        """Opens what is on disk; `open_index` brings that up to date before."""
        self._catalog = catalog
        self._indexes = indexes
        self._exact_below = exact_below
        self._patience = patience
        self._seen = (catalog.generation(), catalog.epoch())
        self._matrix = open_matrix(indexes.matrix.folder)
        self._words = WordIndex(indexes.words.folder)
        numbers = catalog.video_numbers()
        self._numbers = np.array(sorted(numbers), np.int64)
        self._live = _living_entries(catalog, self._matrix, self._numbers)
        self.generation = self._matrix.stamp.generation
        self.table = _table(self._matrix, self._live, self._numbers, numbers)

    def refresh(self) -> LibraryIndex:
        """This index, or a newer one when the catalog has moved on. Else it costs a query."""
        if (self._catalog.generation(), self._catalog.epoch()) == self._seen:
            return self
        return open_index(
            self._catalog,
            self._indexes,
            exact_below=self._exact_below,
            patience=self._patience,
        )

    def propose(self, vectors: Vectors, count: int) -> Positions:
        """See `types.PassageIndex`. Exact for small libraries and where Chroma cannot be had."""
        self._patience -= 1
        large = len(self.table) >= self._exact_below
        near = self._near(vectors, count) if large and self._patience < 0 else None
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

    def words(
        self, queries: Sequence[str], count: int, allowed: NDArray[np.bool_] | None = None
    ) -> list[tuple[Positions, NDArray[np.float64]]]:
        """See `types.PassageIndex`. Exact, ties by position, whatever is allowed."""
        selection = _Selection(self.table, self._numbers, allowed)
        ranked = []
        for query in queries:
            rows, scores = self._words.best(
                query_terms(query, self._words.languages),
                min(count, selection.size),
                keep=selection.keep,
                sieves=selection.sieves,
            )
            ranked.append((np.searchsorted(self.table.rows, rows).astype(np.int64), scores))
        return ranked

    def texts(self, positions: Sequence[int] | Positions) -> list[str]:
        """Texts in the order given; "" for one that was deleted since this index was opened."""
        rows = self.table.rows[np.asarray(positions, np.int64)].tolist()
        found = self._catalog.texts_of(rows)
        return [found.get(row, "") for row in rows]

    def passage_ids(self, positions: Sequence[int] | Positions) -> list[str]:
        """Passage ids in the order given; "" for one that was deleted meanwhile."""
        rows = self.table.rows[np.asarray(positions, np.int64)].tolist()
        found = self._catalog.ids_of(rows)
        return [found.get(row, "") for row in rows]

    def _near(self, vectors: Vectors, count: int) -> Positions | None:
        """What Chroma finds, and all that is newer than it; None when it cannot be asked."""
        if count > MOST_NEIGHBOURS:
            return None
        stamp = self._indexes.vectors.ready()
        if stamp is None or stamp.epoch != self._matrix.stamp.epoch:
            return None
        newer = np.searchsorted(self.table.rows, stamp.last_row, side="right")
        if len(self.table) - newer > LAG_ROWS:
            return None
        try:
            rows = self._indexes.vectors.nearest(vectors, count)
        except ModelUnavailable as error:
            _log.warning("searching without Chroma: %s", error.message)
            return None
        return np.union1d(positions_of(self.table.rows, rows), np.arange(newer, len(self.table)))


class _Selection:
    """The passages that a search for words may find, as the fastest sieves that say so.

    `keep` knows exactly what is allowed. Where much is, the best of all passages hold enough
    of it, and no filter is the fastest. Else a filter names the videos and sources of what is
    allowed, which costs little; single rows are named, which costs a lot, only where few are
    scattered over many videos.
    """

    def __init__(
        self, table: PassageTable, numbers: NDArray[np.int64], allowed: NDArray[np.bool_] | None
    ) -> None:
        self._table = table
        self._numbers = numbers
        self._allowed = allowed
        self.size = len(table) if allowed is None else int(np.count_nonzero(allowed))

    @property
    def sieves(self) -> Iterator[Sieve]:
        share = self.size / max(len(self._table), 1)
        if share >= _MUCH:
            yield Sieve(None, share)
        if 0 < share < 1:
            yield self._strict

    @functools.cached_property
    def _strict(self) -> Sieve:
        table, allowed = self._table, self._allowed
        videos = np.zeros(len(table.videos), bool)
        videos[table.video[allowed]] = True
        sources = np.zeros(256, bool)
        sources[table.source[allowed]] = True
        fitting = np.count_nonzero(videos[table.video] & sources[table.source])
        if self.size < fitting and self.size <= _FEW_ROWS:
            return Sieve(restriction(rows=table.rows[allowed].tolist()))
        only = restriction(
            videos=None if videos.all() else self._numbers[videos].tolist(),
            sources=np.flatnonzero(sources).tolist(),
        )
        return Sieve(only, self.size / fitting)

    def keep(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the rows found are in the table, and allowed."""
        every = self._table.rows
        if not len(every):
            return np.zeros(len(rows), bool)
        at = np.minimum(np.searchsorted(every, rows), len(every) - 1)
        known: NDArray[np.bool_] = every[at] == rows
        return known if self._allowed is None else known & self._allowed[at]


def _made_for(catalog: Catalog, indexes: Indexes) -> bool:
    """Whether matrix and words, however old, belong to the catalog's present epoch."""
    epoch = catalog.epoch()
    return all(part.stamp().epoch == epoch for part in (indexes.matrix, indexes.words))


def _living_entries(
    catalog: Catalog, matrix: Matrix, numbers: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    """The matrix's entries that the catalog still has, None when that is all of them."""
    alive = np.isin(matrix.video, numbers)
    alive[matrix.dead] = False
    alive[matrix.entries_of(catalog.removed_since(matrix.stamp.generation))] = False
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

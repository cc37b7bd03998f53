"""The passage index that searches are made against: one generation of a library, held still.

Matrix, words and vectors are opened as they are on disk. A reader that finds them behind the
catalog brings them up to date if it can have the lock; if not - another process is at it, or the
disk is read-only - it serves the older generation and leaves out what the catalog has deleted.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import IndexDamaged
from pipeline.store.analysis import query_terms
from pipeline.store.catalog import Catalog
from pipeline.store.indexed_rows import PassageRows
from pipeline.store.lock import LibraryBusy
from pipeline.store.matrix import open_matrix
from pipeline.store.nearest import EXACT_BELOW, NearestRows, Positions
from pipeline.store.synchronise import LOCK_SECONDS, Indexes, synchronise
from pipeline.store.words import Sieve, WordIndex, restriction
from pipeline.types import PassageTable, PassageWindows, Vectors, derived_passages

_log = logging.getLogger(__name__)

_Hits = tuple[Positions, NDArray[np.float64]]

_FEW_ROWS = 200  # are cheaper named one by one than found among others
_MUCH = 0.1  # of a library: its best 300 are among the best few thousand of all


def open_index(
    catalog: Catalog, indexes: Indexes, *, exact_below: int = EXACT_BELOW, patience: int = 0
) -> LibraryIndex:
    """The library's passages as they are now, or as nearly as can be had without waiting.

    Matrix and words are brought up to date when no other process is at it. Chroma never is by a
    reader: what it lacks is scored exactly, and so are the first `patience` proposals. Raises
    `IndexDamaged` when what is on disk belongs to other embeddings, or is not there, and cannot
    be made.
    """
    bring_up_to_date(catalog, indexes, usable=_made_for(catalog, indexes))
    return LibraryIndex(catalog, indexes, exact_below=exact_below, patience=patience)


def bring_up_to_date(catalog: Catalog, indexes: Indexes, *, usable: bool) -> None:
    """Synchronise all but Chroma; what is `usable` as it is is not waited for."""
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
        self._seen = (catalog.generation(), catalog.epoch())
        matrix = open_matrix(indexes.matrix.folder)
        self.generation = matrix.stamp.generation
        self._nearest = NearestRows(
            PassageRows(catalog),
            matrix,
            catalog.video_numbers(),
            indexes.vectors,
            exact_below=exact_below,
            patience=patience,
        )
        self.table = self._nearest.table
        self._parts = _parts_of(self.table, indexes)
        main, *others = (part.words for part in self._parts)
        self._words = main if len(main) or not others else others[0]
        self._languages = tuple(sorted({own for p in self._parts for own in p.words.languages}))

    def refresh(self) -> LibraryIndex:
        """This index, or a newer one when the catalog has moved on. Else it costs a query."""
        if (self._catalog.generation(), self._catalog.epoch()) == self._seen:
            return self
        return open_index(
            self._catalog,
            self._indexes,
            exact_below=self._exact_below,
            patience=self._nearest.patience,
        )

    def propose(self, vectors: Vectors, count: int) -> Positions:
        """See `types.PassageIndex`. Exact for small libraries and where Chroma cannot be had."""
        return self._nearest.propose(vectors, count)

    def cosine(self, vectors: Vectors, positions: Positions | None = None) -> NDArray[np.float32]:
        """See `types.PassageIndex`. All of them are one product: 12 ms at 300,000."""
        return self._nearest.cosine(vectors, positions)

    def words(
        self, queries: Sequence[str], count: int, allowed: NDArray[np.bool_] | None = None
    ) -> list[tuple[Positions, NDArray[np.float64]]]:
        """See `types.PassageIndex`. Exact, ties by position, whatever is allowed.

        Chapters and summaries are scored by an index of their own (`word_writer`).
        """
        found = [self._words_in(part, queries, count, allowed) for part in self._parts]
        return [_best(lists, count) for lists in zip(*found, strict=True)]

    def _words_in(
        self, part: _Part, queries: Sequence[str], count: int, allowed: NDArray[np.bool_] | None
    ) -> list[_Hits]:
        selection = _Selection(self.table, self._nearest.numbers, part.allowed(allowed), part.size)
        ranked = []
        for query in queries:
            rows, scores = part.words.best(
                query_terms(query, part.words.languages),
                min(count, selection.size),
                keep=selection.keep,
                sieves=selection.sieves,
            )
            ranked.append((np.searchsorted(self.table.rows, rows).astype(np.int64), scores))
        return ranked

    def windows(self, positions: Positions) -> list[PassageWindows | None]:
        """See `types.PassageIndex`. Read from the catalog: a millisecond per hundred."""
        rows = self.table.rows[positions]
        found = self._catalog.windows_of(rows)
        return [found.get(row) for row in rows.tolist()]

    def rarity(self, terms: Sequence[str]) -> NDArray[np.float64]:
        """See `types.PassageIndex`."""
        return self._words.rarity(terms)

    def term_counts(self, query: str) -> Mapping[str, int]:
        """See `types.PassageIndex`."""
        return query_terms(query, self._languages)

    def doubt(self, positions: Positions) -> NDArray[np.float64]:
        """See `types.PassageIndex`. Read from the catalog as it is: half a millisecond for 200."""
        rows = self.table.rows[positions]
        found = self._catalog.doubt_of(rows)
        return np.array([found.get(row, 0.0) for row in rows.tolist()], np.float64)

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


@dataclass(frozen=True, slots=True)
class _Part:
    """An index of words and the passages of the table that are in it, all where `held` is None."""

    words: WordIndex
    held: NDArray[np.bool_] | None  # (n,)
    size: int

    def allowed(self, allowed: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """(n,) those of its passages that are `allowed`; None for all there are."""
        if self.held is None or allowed is None:
            return allowed if self.held is None else self.held
        return self.held & allowed


def _parts_of(table: PassageTable, indexes: Indexes) -> list[_Part]:
    """What was perceived; and where there are any, chapters and summaries."""
    words = WordIndex(indexes.words.folder)
    derived = derived_passages(table)
    count = int(np.count_nonzero(derived))
    if not count:
        return [_Part(words, None, len(table))]
    levels = WordIndex(indexes.level_words.folder)
    return [_Part(words, ~derived, len(table) - count), _Part(levels, derived, count)]


def _best(lists: Sequence[_Hits], count: int) -> _Hits:
    """The best `count` of all lists, by score and then by position."""
    filled = [hits for hits in lists if len(hits[0])]
    if len(filled) < 2:
        return filled[0] if filled else lists[0]
    positions, scores = (np.concatenate(column) for column in zip(*filled, strict=True))
    order = np.lexsort((positions, -scores))[:count]
    return positions[order], scores[order]


class _Selection:
    """The passages that a search for words may find, as the fastest sieves that say so.

    `keep` knows exactly what is allowed. Where much is, the best of all passages hold enough
    of it, and no filter is the fastest. Else a filter names the videos and sources of what is
    allowed, which costs little; single rows are named, which costs a lot, only where few are
    scattered over many videos.
    """

    def __init__(
        self,
        table: PassageTable,
        numbers: NDArray[np.int64],
        allowed: NDArray[np.bool_] | None,
        searched: int,
    ) -> None:
        """`searched` passages of the table are in the index."""
        self._table = table
        self._searched = searched
        self._numbers = numbers
        self._allowed = allowed
        self.size = len(table) if allowed is None else int(np.count_nonzero(allowed))

    @property
    def sieves(self) -> Iterator[Sieve]:
        share = self.size / max(self._searched, 1)
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

"""The index of key frames that searches are made against: one generation of them, held still.

It is opened as that of the passages is, from a matrix of its own. Frames that were embedded by
another model than the catalog names now are not in it, whatever lies on the disk.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.store.catalog import Catalog
from pipeline.store.index import bring_up_to_date
from pipeline.store.indexed_rows import FrameRows
from pipeline.store.matrix import Matrix, open_matrix
from pipeline.store.nearest import EXACT_BELOW, NearestRows, Positions
from pipeline.store.synchronise import Indexes
from pipeline.types import PassageTable, Vectors


def open_frame_index(
    catalog: Catalog, indexes: Indexes, *, exact_below: int = EXACT_BELOW, patience: int = 0
) -> FrameIndex:
    """The library's embedded frames as they are now; none where there never were any.

    Raises as `open_index` does.
    """
    if catalog.frame_generation():
        usable = indexes.frame_matrix.stamp().epoch == catalog.frame_epoch()
        bring_up_to_date(catalog, indexes, usable=usable)
    return FrameIndex(catalog, indexes, exact_below=exact_below, patience=patience)


class FrameIndex:
    """`types.FrameIndex` over a library's derived indexes. Safe to share between threads."""

    def __init__(
        self, catalog: Catalog, indexes: Indexes, *, exact_below: int, patience: int
    ) -> None:
        """Opens what is on disk; `open_frame_index` brings that up to date before."""
        self._catalog = catalog
        self._indexes = indexes
        self._exact_below = exact_below
        self._seen = (catalog.frame_generation(), catalog.frame_epoch(), catalog.generation())
        matrix = open_matrix(indexes.frame_matrix.folder)
        if matrix.stamp.epoch != catalog.frame_epoch():
            matrix = _without_rows(matrix)
        self.generation = matrix.stamp.generation
        self._nearest = NearestRows(
            FrameRows(catalog),
            matrix,
            catalog.video_numbers(),
            indexes.frame_vectors,
            exact_below=exact_below,
            patience=patience,
        )

    @property
    def table(self) -> PassageTable:
        """Frames as columns: `start` and `end` are the stretch that each one stands for."""
        return self._nearest.table

    def refresh(self) -> FrameIndex:
        """This index, or a newer one when the catalog has moved on. Else it costs a query."""
        catalog = self._catalog
        now = (catalog.frame_generation(), catalog.frame_epoch(), catalog.generation())
        if now == self._seen:
            return self
        return open_frame_index(
            catalog,
            self._indexes,
            exact_below=self._exact_below,
            patience=self._nearest.patience,
        )

    def propose(self, vectors: Vectors, count: int) -> Positions:
        return self._nearest.propose(vectors, count)

    def cosine(self, vectors: Vectors, positions: Positions | None = None) -> NDArray[np.float32]:
        return self._nearest.cosine(vectors, positions)

    def standing(self, video_id: str, start: float, end: float) -> Positions:
        """The frames whose stretch overlaps the interval: what can be seen in it. By time."""
        first, last = self._spans.get(video_id, (0, 0))
        order = self._by_time[first:last]
        begin = int(np.searchsorted(self.table.end[order], start, side="right"))
        stop = int(np.searchsorted(self.table.start[order], end, side="left"))
        return order[begin:stop]

    @cached_property
    def _by_time(self) -> Positions:
        """Positions by video, then time. The stretches of one video follow each other."""
        return np.lexsort((self.table.start, self.table.video)).astype(np.int64)

    @cached_property
    def _spans(self) -> dict[str, tuple[int, int]]:
        """Where a video's frames lie in `_by_time`."""
        numbers = np.arange(len(self.table.videos))
        ordered = self.table.video[self._by_time]
        first = np.searchsorted(ordered, numbers, side="left").tolist()
        last = np.searchsorted(ordered, numbers, side="right").tolist()
        return dict(zip(self.table.videos, zip(first, last, strict=True), strict=True))


def _without_rows(matrix: Matrix) -> Matrix:
    none: NDArray[np.int64] = np.zeros(0, np.int64)
    return Matrix(
        matrix.stamp,
        none,
        matrix.video[:0],
        matrix.source[:0],
        matrix.start[:0],
        matrix.end[:0],
        matrix.vectors[:0],
        none,
    )

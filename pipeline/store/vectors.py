"""The role of a vector index: which passages lie near a question. Here the exact one.

An index only proposes; the scores of what it proposes come from the matrix.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.types import Vectors


class VectorIndex(Protocol):
    """Approximate (or exact) nearest neighbours by cosine."""

    name: str

    def nearest(self, vectors: Vectors, count: int) -> NDArray[np.int64]:
        """Catalog rows likely among the `count` nearest to any row of `vectors` (q, d).

        Ascending, no repeats. Rows that the catalog has deleted since may be among them.
        """
        ...


class ExactVectors:
    """All cosines, from vectors in memory or mapped: recall 1, time in proportion to rows."""

    name = "exact"

    def __init__(self, rows: NDArray[np.int64], vectors: Vectors) -> None:
        self.rows = rows  # (n,) ascending
        self.vectors = vectors  # (n, dimension), unit length

    def nearest(self, vectors: Vectors, count: int) -> NDArray[np.int64]:
        return self.rows[greatest(vectors @ self.vectors.T, count)]


def greatest(values: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Columns that are among the `count` greatest of any row of (q, n), ascending."""
    size = values.shape[1]
    if count >= size:
        return np.arange(size, dtype=np.int64)
    return np.unique(np.argpartition(values, size - count, axis=1)[:, size - count :])

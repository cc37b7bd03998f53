"""The role of a vector index: which passages lie near a question. Here the exact one.

An index only proposes; the scores of what it proposes come from the matrix.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.types import Vectors

_BLOCK_VALUES = 1024 * 384
_STRIPED_ROWS = 20_000
_MOST_STRIPES = 4


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
        return self.rows[greatest(cosines(vectors, self.vectors), count)]


def cosines(
    questions: Vectors, vectors: Vectors, entries: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """(q, n) products of (q, d) with (n, d), or with its rows `entries`, reading each row once.

    In blocks that stay in the processor's cache, below the size at which OpenBLAS would start
    threads of its own: those wait for each other in a busy loop, and on a machine with other
    work one product of 100,000 rows takes ten times as long. Large products are cut into a stripe
    per processor instead. Rows that are picked out are copied into one block that stays in the
    cache: each costs half as much again as one taken as it lies, a third of what it costs to copy
    them all at once.
    """
    dimension = vectors.shape[1]
    count = len(vectors) if entries is None else len(entries)
    products = np.empty((len(questions), count), np.float32)
    questions = np.ascontiguousarray(questions, np.float32)
    step = max(1, _BLOCK_VALUES // max(dimension, 1))

    def fill(start: int, stop: int) -> None:
        rows = 0 if entries is None else min(step, stop - start)
        picked = np.empty((rows, dimension), np.float32)
        for first in range(start, stop, step):
            last = min(first + step, stop)
            block = vectors[first:last]
            if entries is not None:  # "clip": else numpy copies twice
                block = picked[: last - first]
                np.take(vectors, entries[first:last], axis=0, out=block, mode="clip")
            for question, row in zip(questions, products, strict=True):
                np.dot(block, question, out=row[first:last])

    stripes = min(os.cpu_count() or 1, _MOST_STRIPES) if count >= _STRIPED_ROWS else 1
    if stripes == 1:
        fill(0, count)
        return products
    bounds = [step * (count * i // stripes // step) for i in range(stripes)] + [count]
    with ThreadPoolExecutor(stripes) as pool:
        list(pool.map(fill, bounds[:-1], bounds[1:]))
    return products


def greatest(values: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Columns that are among the `count` greatest of any row of (q, n), ascending."""
    size = values.shape[1]
    if not 0 < count < size:
        return np.arange(size if count > 0 else 0, dtype=np.int64)
    return np.unique(np.argpartition(values, size - count, axis=1)[:, size - count :])

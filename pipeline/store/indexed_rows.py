"""Rows with vectors that derived indexes follow: passages, and key frames.

The matrix and the collection in Chroma can be made from rows of either kind. What they ask of
the catalog is the same for both: what is new since a row, what is gone since a generation, and
some rows to compare themselves with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.store.catalog import Catalog
from pipeline.store.passage_lookup import VECTOR_TYPE
from pipeline.store.passages import BATCH_ROWS, PassageBatch
from pipeline.types import SOURCES

Metadata = Mapping[str, str | float]  # what Chroma keeps beside a vector


class Followed(Protocol):
    """What a derived index is brought up to."""

    def epoch(self) -> str: ...
    def generation(self) -> int: ...


class IndexedRows(Followed, Protocol):
    """Rows of one kind. They never change, and their numbers are never used again."""

    noun: str  # in the plural, for messages and as the collection's name

    def count(self) -> int: ...

    def after(self, row: int, until: int, batch_rows: int = ...) -> Iterator[PassageBatch]:
        """Greater rows that generation `until` has, ascending, with their vectors."""
        ...

    def removed_since(self, generation: int, until: int | None = None) -> NDArray[np.int64]:
        """Rows that were deleted after `generation` (and by `until`), ascending."""
        ...

    def sample(self, count: int, last_row: int) -> dict[int, NDArray[np.float32]]:
        """Vectors by row: `count` drawn at random up to `last_row`, and the `count` last."""
        ...

    def described(self, batch: PassageBatch) -> tuple[list[str] | None, list[Metadata]]:
        """The documents (None: there are none) and metadata of a batch, for Chroma."""
        ...


Content = Callable[[Catalog], IndexedRows]


@dataclass(frozen=True, slots=True)
class PassageRows:
    """The passages of a catalog."""

    catalog: Catalog
    noun = "passages"

    def epoch(self) -> str:
        return self.catalog.epoch()

    def generation(self) -> int:
        return self.catalog.generation()

    def count(self) -> int:
        return self.catalog.counts()["passages"]

    def after(self, row: int, until: int, batch_rows: int = BATCH_ROWS) -> Iterator[PassageBatch]:
        return self.catalog.passages_after(row, until, batch_rows=batch_rows)

    def removed_since(self, generation: int, until: int | None = None) -> NDArray[np.int64]:
        return self.catalog.removed_since(generation, until)

    def sample(self, count: int, last_row: int) -> dict[int, NDArray[np.float32]]:
        drawn = self.catalog.sample_rows(count, last_row)
        return self.catalog.vectors_of(drawn + self.catalog.last_rows(count, last_row))

    def described(self, batch: PassageBatch) -> tuple[list[str], list[Metadata]]:
        columns = (batch.video_ids, batch.source.tolist(), batch.start.tolist(), batch.end.tolist())
        return list(batch.texts), [
            {"video_id": video_id, "source": SOURCES[source], "start": start, "end": end}
            for video_id, source, start, end in zip(*columns, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class FrameRows:
    """The embedded key frames of a catalog.

    `start` and `end` are the stretch a frame stands for; `source` says nothing here.
    """

    catalog: Catalog
    noun = "frames"

    def epoch(self) -> str:
        return self.catalog.frame_epoch()

    def generation(self) -> int:
        return self.catalog.frame_generation()

    def count(self) -> int:
        return self.catalog.frame_count()

    def after(self, row: int, until: int, batch_rows: int = BATCH_ROWS) -> Iterator[PassageBatch]:
        while True:
            found = self.catalog.rows(
                'SELECT f."row", v.number, f.start, f."end", f.video_id, f.vector'
                " FROM frame_embeddings f JOIN videos v USING (video_id)"
                ' WHERE f."row" > ? AND f.generation <= ? ORDER BY f."row" LIMIT ?',
                (row, until, batch_rows),
            )
            if found:
                batch = _frame_batch(found)
                yield batch
                row = int(batch.rows[-1])
            if len(found) < batch_rows:
                return

    def removed_since(self, generation: int, until: int | None = None) -> NDArray[np.int64]:
        return self.catalog.removed_since(generation, until, table="frame_tombstones")

    def sample(self, count: int, last_row: int) -> dict[int, NDArray[np.float32]]:
        table = "frame_embeddings"
        drawn = self.catalog.sample_rows(count, last_row, table=table)
        last = self.catalog.last_rows(count, last_row, table=table)
        return self.catalog.vectors_of(drawn + last, table=table)

    def described(self, batch: PassageBatch) -> tuple[None, list[Metadata]]:
        columns = (batch.video_ids, batch.start.tolist(), batch.end.tolist())
        return None, [
            {"video_id": video_id, "start": start, "end": end}
            for video_id, start, end in zip(*columns, strict=True)
        ]


def _frame_batch(found: Sequence[tuple[object, ...]]) -> PassageBatch:
    row, number, start, end, video_id, blob = zip(*found, strict=True)
    return PassageBatch(
        np.array(row, np.int64),
        np.array(number, np.int32),
        np.zeros(len(found), np.uint8),
        np.array(start, np.float64),
        np.array(end, np.float64),
        video_id,
        (),
        (),
        np.frombuffer(b"".join(blob), VECTOR_TYPE).reshape(len(found), -1),
    )

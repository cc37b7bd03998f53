"""The matrix: every passage's vector, row, video, source and times in memory-mapped columns.

The key frames have one of their own, of the same kind.

It is what makes exact scores cheap: opening it reads one small header however many passages
there are, and a product with all of 300,000 vectors takes some 12 ms. Columns only grow. The
header says how many entries count; what lies behind them was written before a crash and is
overwritten. Dead entries are listed beside the header and masked; when more than a quarter is
dead, the columns are written anew.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.store.catalog import Catalog
from pipeline.store.indexed_rows import Content, PassageRows
from pipeline.store.passages import BATCH_ROWS, PassageBatch
from pipeline.store.stamps import (
    Stamp,
    read_state,
    stamp_of,
    sync_folder,
    while_it_moves,
    write_state,
)
from pipeline.types import Vectors

_STATE = "header.json"
_VERSION = 1
_COMPACT_SHARE = 0.25
_COLUMNS: dict[str, np.dtype[Any]] = {
    "rows": np.dtype("<i8"),
    "video": np.dtype("<i4"),  # the video's number in the catalog
    "source": np.dtype("u1"),
    "start": np.dtype("<f8"),
    "end": np.dtype("<f8"),
    "vectors": np.dtype("<f4"),
}


@dataclass(frozen=True, slots=True)
class Matrix:
    """A snapshot: columns of all entries, dead ones included, and which are dead."""

    stamp: Stamp
    rows: NDArray[np.int64]  # (n,) ascending
    video: NDArray[np.int32]
    source: NDArray[np.uint8]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    vectors: Vectors  # (n, dimension)
    dead: NDArray[np.int64]  # ascending entries, not rows

    def __len__(self) -> int:
        return len(self.rows)

    def entries_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The entries that hold these rows; rows it does not have are left out."""
        return positions_of(self.rows, rows)


def positions_of(ascending: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where `values` stand in `ascending`, those that are in it, in the order given."""
    if not len(ascending):
        return np.zeros(0, np.int64)
    found = np.searchsorted(ascending, values).astype(np.int64)
    found[found == len(ascending)] = 0
    hits: NDArray[np.int64] = found[ascending[found] == values]
    return hits


def open_matrix(folder: Path) -> Matrix:
    """Map the matrix in `folder` (the library's `index/matrix`), an empty one when none is.

    Costs nothing that grows with the matrix.
    """
    return while_it_moves(folder / _STATE, lambda: _open(folder))


class MatrixWriter:
    """Brings the matrix to the catalog's generation. Hold the library's lock."""

    def __init__(self, folder: Path, content: Content = PassageRows) -> None:
        self.folder = folder
        self.name = folder.name
        self._content = content

    def stamp(self) -> Stamp:
        return stamp_of(_usable_state(self.folder))

    def advance(self, catalog: Catalog, target: int) -> None:
        """Bring the matrix to generation `target`; safe to repeat after a crash anywhere."""
        matrix, source = open_matrix(self.folder), self._content(catalog)
        epoch = source.epoch()
        if matrix.stamp.epoch != epoch or matrix.stamp.generation > target:
            return self._write_anew(source.after(0, target), Stamp(epoch, target))
        removed = matrix.entries_of(source.removed_since(matrix.stamp.generation, target))
        dead = np.union1d(matrix.dead, removed)
        stamp = Stamp(epoch, target, matrix.stamp.last_row)
        batches = source.after(stamp.last_row, target)
        if len(dead) > _COMPACT_SHARE * len(matrix):
            self._write_anew(_chain(_living(matrix, dead), batches), stamp)
        else:
            data = str(_usable_state(self.folder)["data"])
            self._append(data, len(matrix), matrix.vectors.shape[1], batches, dead, stamp)

    def remove(self) -> None:
        """Delete the matrix; it is then built anew."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _write_anew(self, batches: Iterator[PassageBatch], stamp: Stamp) -> None:
        data = f"data-{secrets.token_hex(4)}"
        (self.folder / data).mkdir(parents=True)
        self._append(data, 0, 0, batches, np.zeros(0, np.int64), stamp)
        for other in self.folder.glob("data-*"):
            if other.name != data:
                shutil.rmtree(other)

    def _append(
        self,
        data: str,
        count: int,
        dimension: int,
        batches: Iterator[PassageBatch],
        dead: NDArray[np.int64],
        stamp: Stamp,
    ) -> None:
        """Write the passages behind the first `count` entries, then the header that counts them."""
        folder = self.folder / data
        last_row = stamp.last_row
        with ExitStack() as stack:
            files: dict[str, BinaryIO] = {}
            for batch in batches:
                if not files:
                    dimension = batch.vectors.shape[1]
                    files = _open_columns(stack, folder, count, dimension)
                for name, file in files.items():
                    column = np.ascontiguousarray(getattr(batch, name), _COLUMNS[name])
                    file.write(column.data)
                count += len(batch)
                last_row = int(batch.rows[-1])
            for file in files.values():
                file.flush()
                os.fsync(file.fileno())
        dead_file = _write_dead(folder, dead)
        sync_folder(folder)
        write_state(
            self.folder / _STATE,
            {
                "version": _VERSION,
                "epoch": stamp.epoch,
                "generation": stamp.generation,
                "last_row": last_row,
                "data": data,
                "count": count,
                "dimension": dimension,
                "dead": dead_file,
            },
        )
        for other in folder.glob("dead-*"):
            if other.name != dead_file:
                other.unlink()


def _open(folder: Path) -> Matrix:
    state = _usable_state(folder)
    count, width = (int(state["count"]), int(state["dimension"])) if state else (0, 0)
    data = folder / state["data"] if state else folder
    columns: dict[str, Any] = {
        name: _map(data / name, kind, _shape(name, count, width)) for name, kind in _COLUMNS.items()
    }
    dead = np.load(data / state["dead"]) if state and state["dead"] else np.zeros(0, np.int64)
    return Matrix(stamp_of(state), dead=dead, **columns)


def _usable_state(folder: Path) -> dict[str, Any]:
    """The header of the matrix in `folder`; empty when its columns are not all there."""
    state = read_state(folder / _STATE)
    if not state or state["version"] != _VERSION:
        return {}
    data, count, width = folder / state["data"], int(state["count"]), int(state["dimension"])
    for name, kind in _COLUMNS.items():
        wanted = int(np.prod(_shape(name, count, width))) * kind.itemsize
        if wanted and _size(data / name) < wanted:
            return {}
    return {} if state["dead"] and not (data / state["dead"]).is_file() else state


def _shape(name: str, count: int, dimension: int) -> tuple[int, ...]:
    return (count, dimension) if name == "vectors" else (count,)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _map(path: Path, kind: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if 0 in shape:  # nothing can be mapped from an empty file
        return np.zeros(shape, kind)
    return np.asarray(np.memmap(path, kind, "r", shape=shape))


def _open_columns(
    stack: ExitStack, folder: Path, count: int, dimension: int
) -> dict[str, BinaryIO]:
    """The column files, cut after `count` entries and open for writing there."""
    files: dict[str, BinaryIO] = {}
    for name, kind in _COLUMNS.items():
        mode = "r+b" if (folder / name).exists() else "w+b"
        file = stack.enter_context((folder / name).open(mode))
        end = int(np.prod(_shape(name, count, dimension))) * kind.itemsize
        file.truncate(end)
        file.seek(end)
        files[name] = file  # type: ignore[assignment]
    return files


def _write_dead(folder: Path, dead: NDArray[np.int64]) -> str:
    """Write the list of dead entries under a new name; its name, "" for none."""
    if not len(dead):
        return ""
    name = f"dead-{secrets.token_hex(4)}.npy"
    with (folder / name).open("wb") as file:
        np.save(file, dead)
        file.flush()
        os.fsync(file.fileno())
    return name


def _living(matrix: Matrix, dead: NDArray[np.int64]) -> Iterator[PassageBatch]:
    """The entries that are not dead, in batches."""
    alive = np.ones(len(matrix), bool)
    alive[dead] = False
    for start in range(0, len(matrix), BATCH_ROWS):
        part = slice(start, start + BATCH_ROWS)
        kept = alive[part]
        if kept.any():
            columns = {name: getattr(matrix, name)[part][kept] for name in _COLUMNS}
            yield PassageBatch(**columns, video_ids=(), texts=(), languages=())


def _chain(*parts: Iterator[PassageBatch]) -> Iterator[PassageBatch]:
    for part in parts:
        yield from part

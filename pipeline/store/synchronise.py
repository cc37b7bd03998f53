"""Bringing the derived indexes to the catalog's generation, checking them, building them anew.

Each of them - matrix, words, vectors, and where key frames are embedded a matrix and vectors of
those - carries its own stamp and catches up on its own, under the library's lock, which is let go
between two of them and between two batches of vectors. Whatever is lost, damaged or older than
the catalog is made from it again, without a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import IndexDamaged
from pipeline.store.analysis import query_terms
from pipeline.store.catalog import Catalog
from pipeline.store.chroma import ChromaVectors
from pipeline.store.chroma_places import open_chroma
from pipeline.store.database import DAMAGED_HINT
from pipeline.store.indexed_rows import Followed, FrameRows, IndexedRows, PassageRows
from pipeline.store.lock import locked
from pipeline.store.matrix import MatrixWriter, open_matrix
from pipeline.store.passage_lookup import StoredPassage
from pipeline.store.stamps import Stamp
from pipeline.store.word_writer import WordIndexWriter
from pipeline.store.words import Sieve, WordIndex, restriction
from pipeline.types import CITABLE, DERIVED, Check

LOCK_SECONDS = 600.0
REPAIR = "footnote doctor --repair"
_SAMPLE = 20


class DerivedIndex(Protocol):
    """What is made from the catalog and can be made again."""

    name: str
    folder: Path

    def stamp(self) -> Stamp:
        """How far it has come."""
        ...

    def advance(self, catalog: Catalog, target: int) -> None:
        """Bring it nearer to generation `target`; the caller holds the lock."""
        ...

    def remove(self) -> None:
        """Delete it; the caller holds the lock."""
        ...


@dataclass(frozen=True, slots=True)
class Indexes:
    """The derived indexes of one library. One object per process is enough, and saves memory."""

    folder: Path  # of the library
    matrix: MatrixWriter
    words: WordIndexWriter
    level_words: WordIndexWriter  # of chapters and summaries
    vectors: ChromaVectors
    frame_matrix: MatrixWriter
    frame_vectors: ChromaVectors

    def close(self) -> None:
        self.vectors.close()
        self.frame_vectors.close()

    def followed(
        self, catalog: Catalog, *, vectors: bool = True
    ) -> list[tuple[DerivedIndex, Followed]]:
        """Each index and what it follows; without `vectors` those that are not Chroma's.

        Those of the key frames are there where frames were ever embedded, the words of chapters
        and summaries where there are any.
        """
        passages, frames = PassageRows(catalog), FrameRows(catalog)
        parts: list[tuple[DerivedIndex, Followed]] = [
            (self.matrix, passages),
            (self.words, passages),
        ]
        if catalog.has_levels():
            parts.append((self.level_words, passages))
        if vectors:
            parts.append((self.vectors, passages))
        if catalog.frame_generation():
            parts.append((self.frame_matrix, frames))
            if vectors:
                parts.append((self.frame_vectors, frames))
        return parts


def library_indexes(folder: Path, chroma: str = "") -> Indexes:
    """The indexes of the library in `folder`; nothing is opened yet.

    `chroma` is a server's URL, "" for the embedded database.
    """
    index = folder / "index"
    return Indexes(
        folder,
        MatrixWriter(index / "matrix"),
        WordIndexWriter(index / "words", CITABLE),
        WordIndexWriter(index / "words-levels", DERIVED, "words of levels"),
        open_chroma(folder, chroma),
        MatrixWriter(index / "frames-matrix", FrameRows),
        open_chroma(folder, chroma, "frames"),
    )


def synchronise(
    catalog: Catalog,
    indexes: Indexes,
    *,
    timeout: float = LOCK_SECONDS,
    vectors: bool = True,
) -> int:
    """Bring every derived index to the catalog's present generation; that of the passages.

    Idempotent; costs in proportion to what has changed. `vectors=False` leaves Chroma as it is:
    small libraries are searched without it. Raises `LibraryBusy` after `timeout` seconds of
    waiting for another process, `ModelUnavailable` when a Chroma server is down.
    """
    generation = catalog.generation()
    parts = indexes.followed(catalog, vectors=vectors)
    targets = [rows.generation() for _, rows in parts]
    for (part, rows), target in zip(parts, targets, strict=True):
        while not _current(part, rows, target):
            with locked(indexes.folder, timeout):
                if not _current(part, rows, target):
                    part.advance(catalog, target)
    return generation


def merely_behind(catalog: Catalog, indexes: Indexes) -> bool:
    """Whether every index is of the catalog's present epoch or was never finished: none is
    damaged, and the next reader or writer brings them up to date.

    A stamp that is there and cannot be read is damage; none at all is a first build cut short.
    """
    return all(
        part.stamp().epoch == rows.epoch() or not _has_stamp(part.folder)
        for part, rows in indexes.followed(catalog)
    )


def _has_stamp(folder: Path) -> bool:
    return any(folder.glob("*.json"))


def rebuild(catalog: Catalog, indexes: Indexes, *, timeout: float = LOCK_SECONDS) -> int:
    """Delete every derived index and make it again from the catalog, without a model."""
    with locked(indexes.folder, timeout):
        for part, _ in indexes.followed(catalog):
            part.remove()
    return synchronise(catalog, indexes, timeout=timeout)


def repair(catalog: Catalog, indexes: Indexes, *, timeout: float = LOCK_SECONDS) -> tuple[str, ...]:
    """Make anew only the indexes that `check` finds wrong; their names."""
    wrong = tuple(found.name for found in check(catalog, indexes, timeout=timeout) if not found.ok)
    with locked(indexes.folder, timeout):
        for part, _ in indexes.followed(catalog):
            if part.name in wrong:
                part.remove()
    synchronise(catalog, indexes, timeout=timeout)
    return wrong


def check(catalog: Catalog, indexes: Indexes, *, timeout: float = LOCK_SECONDS) -> list[Check]:
    """What `footnote doctor` finds in the catalog and in each derived index.

    An index is compared with the catalog in generation and size, and with a random sample of
    passages, which it must find by their own vectors and words. Reads the whole catalog.
    """
    found = catalog.integrity_check()
    sound = Check("catalog", not found, "; ".join(found[:3]), "" if not found else DAMAGED_HINT)
    if found:
        return [sound]
    with locked(indexes.folder, timeout):
        sample = catalog.passages(catalog.sample_rows(_SAMPLE))
        passages, frames = PassageRows(catalog), FrameRows(catalog)
        details = {
            indexes.matrix.name: _behind(indexes.matrix, passages)
            or _matrix_wrong(passages, indexes.matrix.folder),
            indexes.words.name: _behind(indexes.words, passages)
            or _words_wrong(catalog, indexes.words, sample),
            indexes.vectors.name: _behind(indexes.vectors, passages)
            or indexes.vectors.wrong(catalog),
        }
        if catalog.has_levels():
            details[indexes.level_words.name] = _behind(
                indexes.level_words, passages
            ) or _words_wrong(catalog, indexes.level_words, sample)
        if frames.generation():
            details |= {
                indexes.frame_matrix.name: _behind(indexes.frame_matrix, frames)
                or _matrix_wrong(frames, indexes.frame_matrix.folder),
                indexes.frame_vectors.name: _behind(indexes.frame_vectors, frames)
                or indexes.frame_vectors.wrong(catalog),
            }
    made = [Check(n, not why, why, REPAIR if why else "") for n, why in details.items()]
    return [sound, *made]


def _current(part: DerivedIndex, rows: Followed, target: int) -> bool:
    """At `target` or beyond, yet not ahead of the catalog, as it would be of a restored one."""
    stamp = part.stamp()
    return stamp.epoch == rows.epoch() and target <= stamp.generation <= rows.generation()


def _behind(part: DerivedIndex, rows: Followed) -> str:
    generation = rows.generation()
    if _current(part, rows, generation):
        return ""
    stamp = part.stamp()
    if stamp.epoch != rows.epoch():
        return "there is none, or it is damaged"
    return f"at generation {stamp.generation}, the catalog at {generation}"


def _matrix_wrong(rows: IndexedRows, folder: Path) -> str:
    """Every row of the matrix is compared with the catalog's: wrong bytes there are wrong times."""
    matrix = open_matrix(folder)
    living, wanted = len(matrix) - len(matrix.dead), rows.count()
    if living != wanted:
        return f"it holds {living} {rows.noun}, the catalog {wanted}"
    for batch in rows.after(0, rows.generation()):
        entries = matrix.entries_of(batch.rows)
        if len(entries) != len(batch):
            return f"it lacks {len(batch) - len(entries)} {rows.noun} of the catalog"
        columns: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
            "video": (matrix.video, batch.video),
            "source": (matrix.source, batch.source),
            "start": (matrix.start, batch.start),
            "end": (matrix.end, batch.end),
            "vector": (matrix.vectors, batch.vectors),
        }
        for name, (own, true) in columns.items():
            if not np.array_equal(own[entries], true):
                return f"the {name} of one of the {rows.noun} is not the catalog's"
    return ""


def _words_wrong(catalog: Catalog, writer: WordIndexWriter, sample: Sequence[StoredPassage]) -> str:
    try:
        words = WordIndex(writer.folder)
        wanted = catalog.count_passages(writer.sources)
        if len(words) != wanted:
            return f"it holds {len(words)} passages, the catalog {wanted}"
        for stored in sample:
            if stored.passage.source not in writer.sources:
                continue
            terms = query_terms(stored.passage.text, [stored.language] if stored.language else ())
            rows, _ = words.best(terms, 1, sieves=[Sieve(restriction(rows=[stored.row]))])
            if terms and not len(rows):
                return f"passage {stored.id} is not found by its words"
    except IndexDamaged as error:
        return error.message
    return ""

"""The catalog's passages and embeddings: what every derived index is made from.

A passage row never changes and its number is never used again; a change is a new row and a
tombstone. So a derived index that knows its last row and its generation knows what it lacks:
the rows after that one, and the tombstones after that generation.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import EmbeddingMismatch
from pipeline.store.passage_lookup import VECTOR_TYPE, text_key
from pipeline.store.windows import WindowRow, Windows, window_row
from pipeline.types import SOURCES, Passage, Source, Vectors

BATCH_ROWS = 5000


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """Which model made a library's embeddings."""

    model: str
    dimension: int
    normalised: bool = True


@dataclass(frozen=True, slots=True)
class PassageBatch:
    """Some passages as columns, ascending by row: what the derived indexes are fed with."""

    rows: NDArray[np.int64]  # (n,)
    video: NDArray[np.int32]  # (n,) the videos' numbers
    source: NDArray[np.uint8]  # (n,) indexes SOURCES
    start: NDArray[np.float64]  # (n,)
    end: NDArray[np.float64]  # (n,)
    video_ids: tuple[str, ...]
    texts: tuple[str, ...]
    languages: tuple[str, ...]
    vectors: Vectors  # (n, dimension); (n, 0) when they were not asked for

    def __len__(self) -> int:
        return len(self.rows)


# (idx, start, end, text, first, last, language), the vector, and where the windows lie: all that
# a row is.
_Item = tuple[tuple[int, float, float, str, int, int, str], bytes, bytes]


class Passages(Windows):
    """Reads and writes of `passages`, `embeddings` and `tombstones`."""

    def generation(self) -> int:
        """Grows in every transaction that changes passages."""
        return int(self.get_meta("generation"))

    def epoch(self) -> str:
        """Changes when rows may mean something else than before: derived indexes start anew."""
        return self.get_meta("epoch")

    def new_epoch(self) -> None:
        """To be called in a restored library, or one whose embeddings were made anew."""
        self.set_meta("epoch", secrets.token_hex(8))

    def embedding_space(self) -> EmbeddingSpace | None:
        """None before the first passage was written."""
        model = self.get_meta("embedding_model")
        if not model:
            return None
        dimension = int(self.get_meta("embedding_dimension"))
        return EmbeddingSpace(model, dimension, self.get_meta("embedding_normalised") == "1")

    def check_embedding_space(self, space: EmbeddingSpace) -> None:
        """Raise `EmbeddingMismatch` unless the library has no embeddings or those of `space`."""
        own = self.embedding_space()
        if own is not None and own != space:
            raise EmbeddingMismatch(
                f"the library was made with {own.model} ({own.dimension} dimensions), not with"
                f" {space.model} ({space.dimension})",
                f"footnote reindex --embedding {space.model}",
            )

    def claim_embedding_space(self, space: EmbeddingSpace) -> None:
        """Make `space` the library's, unless it has another: then `EmbeddingMismatch`."""
        if self.embedding_space() == space:
            return
        with self.transaction():
            self.check_embedding_space(space)
            self._set_space(space)

    def replace_passages(
        self,
        video_id: str,
        source: Source,
        passages: Sequence[Passage],
        embeddings: Vectors,
        windows: Sequence[Vectors] = (),
    ) -> int:
        """Make `passages` all that the video has of `source`; the number of rows written.

        `embeddings` is (n, dimension), `windows` the (w, dimension) vectors of each passage's
        windows; without them no windows are stored. Rows that stay the same keep their number, so
        that no index has work with them. Write the segments first: a passage takes its language
        from its first one. Raises `ClockError`, `EmbeddingMismatch`; then nothing is changed.
        """
        with self.transaction():
            self.check_clock(video_id, passages)
            vectors = self._checked(passages, embeddings)
            languages = self.languages(video_id, source)
            spoken = [languages[p.first] if p.first < len(languages) else "" for p in passages]
            closely = {
                i: window_row(passages[i].windows, some)
                for i, some in enumerate(windows)
                if len(some)
            }
            wanted: list[_Item] = [
                (
                    (i, p.start, p.end, p.text, p.first, p.last, spoken[i]),
                    vector_blob(vectors[i]),
                    closely[i].places if i in closely else b"",
                )
                for i, p in enumerate(passages)
            ]
            stored = self._stored(video_id, source)
            keep = {item for item in wanted if item in stored}
            self._bury([row for item, row in stored.items() if item not in keep])
            new = [item for item in wanted if item not in keep]
            if new:
                self._insert(video_id, source, new, closely)
        return len(new)

    def passages_after(
        self,
        row: int,
        until: int,
        *,
        vectors: bool = True,
        batch_rows: int = BATCH_ROWS,
    ) -> Iterator[PassageBatch]:
        """Passages with a greater row that generation `until` has, ascending, in batches.

        No transaction is held between batches: rows never change, and one that is deleted
        meanwhile has a tombstone after `until`.
        """
        column, join = ("e.vector", 'JOIN embeddings e USING ("row")') if vectors else ("''", "")
        while True:
            found = self.rows(
                'SELECT p."row", v.number, p.source, p.start, p."end", p.video_id, p.text,'
                f" p.language, {column} FROM passages p JOIN videos v USING (video_id) {join}"
                ' WHERE p."row" > ? AND p.generation <= ? ORDER BY p."row" LIMIT ?',
                (row, until, batch_rows),
            )
            if found:
                batch = _batch(found, vectors)
                yield batch
                row = int(batch.rows[-1])
            if len(found) < batch_rows:
                return

    def removed_since(
        self, generation: int, until: int | None = None, *, table: str = "tombstones"
    ) -> NDArray[np.int64]:
        """Rows that were deleted after `generation` (and by `until`), ascending."""
        found = self.rows(
            f'SELECT "row" FROM {table} WHERE generation > ? AND generation <= ? ORDER BY "row"',
            (generation, 2**62 if until is None else until),
        )
        return np.array([row for (row,) in found], np.int64)

    def forget_passages(self, video_id: str) -> None:
        """Delete all passages of a video and leave tombstones."""
        with self.transaction():
            rows = self.rows('SELECT "row" FROM passages WHERE video_id = ?', (video_id,))
            self._bury([row for (row,) in rows])

    # ------------------------------------------------ inside

    def _set_space(self, space: EmbeddingSpace) -> None:
        self.set_meta("embedding_model", space.model)
        self.set_meta("embedding_dimension", str(space.dimension))
        self.set_meta("embedding_normalised", str(int(space.normalised)))

    def _checked(self, passages: Sequence[Passage], embeddings: Vectors) -> Vectors:
        space = self.embedding_space()
        dimension = space.dimension if space else embeddings.shape[-1]
        if passages and embeddings.shape != (len(passages), dimension):
            raise EmbeddingMismatch(
                f"{len(passages)} passages came with embeddings of shape {embeddings.shape}; the"
                f" library's have {dimension} dimensions",
                "footnote reindex --embedding MODEL",
            )
        return embeddings

    def _bump(self) -> int:
        self.write("UPDATE meta SET value = value + 1 WHERE key = 'generation'")
        return self.generation()

    def _stored(self, video_id: str, source: Source) -> dict[_Item, int]:
        rows = self.rows(
            'SELECT "row", idx, start, "end", text, first, last, language, e.vector,'
            """ coalesce(w.places, x'') FROM passages JOIN embeddings e USING ("row")"""
            ' LEFT JOIN windows w USING ("row") WHERE video_id = ? AND source = ?',
            (video_id, source),
        )
        return {(row[1:8], row[8], row[9]): row[0] for row in rows}

    def _bury(self, rows: Sequence[int]) -> None:
        if not rows:
            return
        generation = self._bump()
        self.write_many("INSERT INTO tombstones VALUES (?, ?)", ((r, generation) for r in rows))
        self.write_many('DELETE FROM passages WHERE "row" = ?', ((row,) for row in rows))

    def _insert(
        self,
        video_id: str,
        source: Source,
        items: Sequence[_Item],
        windows: Mapping[int, WindowRow],
    ) -> None:
        """Write `items`; `windows` by index of passage."""
        generation = self._bump()
        for item, blob, _ in items:
            rest = (text_key(item[3]), *item)
            self.write(
                "INSERT INTO passages (id, video_id, source, generation, text_key, idx, start,"
                ' "end", text, first, last, language) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
                (passage_id(video_id, source, item[0]), video_id, source, generation, *rest),
            )
            row = int(self.value("SELECT last_insert_rowid()"))
            self.write("INSERT INTO embeddings VALUES (?, ?)", (row, blob))
            if item[0] in windows:
                self.put_windows({row: windows[item[0]]})


def passage_id(video_id: str, source: Source, idx: int) -> str:
    """The name a passage has for users; the same in every library that holds the video."""
    return f"{video_id}:{source}:{idx}"


def vector_blob(vector: NDArray[np.float32]) -> bytes:
    """How the catalog stores one embedding."""
    return vector.astype(VECTOR_TYPE, copy=False).tobytes()


def _batch(found: Sequence[tuple[object, ...]], vectors: bool) -> PassageBatch:
    row, number, source, start, end, video_id, text, language, blob = zip(*found, strict=True)
    codes = {name: code for code, name in enumerate(SOURCES)}
    joined = np.frombuffer(b"".join(blob), VECTOR_TYPE) if vectors else np.zeros(0, np.float32)
    return PassageBatch(
        np.array(row, np.int64),
        np.array(number, np.int32),
        np.array([codes[name] for name in source], np.uint8),
        np.array(start, np.float64),
        np.array(end, np.float64),
        video_id,
        text,
        language,
        joined.reshape(len(found), -1),
    )

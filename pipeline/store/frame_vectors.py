"""The catalog's key frames as vectors: what the index of pictures is made from.

The same bargain as with passages: a row never changes and its number is never used again, a
change is a new row and a tombstone, and one generation counts the changes. All rows are of one
model. When frames are embedded with another one, the rows of the old one go in the same
transaction and the videos they belonged to are pending again, so that two spaces never meet.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.store.passage_lookup import VECTOR_TYPE
from pipeline.store.passages import EmbeddingSpace, vector_blob
from pipeline.store.pictures import Pictures
from pipeline.types import Vectors

STAGE = "frame_vectors"


@dataclass(frozen=True, slots=True)
class EmbeddedFrame:
    """A key frame and the stretch of the video that it stands for.

    `picture` is a key of its file and of the model (`picture_key`): frames that share it share
    their vector.
    """

    time: float
    start: float
    end: float
    picture: str


class FramePlace(NamedTuple):
    """When a frame is shown, the stretch it stands for, and the shot it lies in."""

    time: float
    stretch: tuple[float, float]
    shot: tuple[float, float]


class FrameVectors(Pictures):
    """Reads and writes of `frame_embeddings` and `frame_tombstones`."""

    def frame_space(self) -> EmbeddingSpace | None:
        """Which model embedded the frames; None before the first one was."""
        model = self.get_meta("frame_model")
        return EmbeddingSpace(model, int(self.get_meta("frame_dimension"))) if model else None

    def frame_generation(self) -> int:
        """Grows in every transaction that changes embedded frames; 0: there never were any."""
        # An older library on a read-only disk has no such table and keeps its version.
        return int(self.get_meta("frame_generation", "0"))

    def has_frame_vectors(self) -> bool:
        """Whether any frame is embedded; costs no scan."""
        if not self.frame_generation():
            return False
        return self.value("SELECT 1 FROM frame_embeddings LIMIT 1") is not None

    def frame_count(self) -> int:
        """How many frames are embedded."""
        if not self.frame_generation():
            return 0
        return int(self.value("SELECT count(*) FROM frame_embeddings"))

    def frame_epoch(self) -> str:
        """Changes with the catalog's epoch, and when another model takes over."""
        return f"{self.get_meta('epoch')}-{self.get_meta('frame_epoch')}"

    def claim_frame_space(self, space: EmbeddingSpace) -> None:
        """Make `space` the one of all frames; those of another model are forgotten at once."""
        if self.frame_space() == space:
            return
        with self.transaction():
            self._bury_frames([row for (row,) in self.rows('SELECT "row" FROM frame_embeddings')])
            self.set_meta("frame_model", space.model)
            self.set_meta("frame_dimension", str(space.dimension))
            self.set_meta("frame_epoch", secrets.token_hex(8))
            self.write(
                "UPDATE stages SET status = 'pending', reason = ? WHERE name = ?"
                " AND status = 'done'",
                (f"the library's frames are embedded with {space.model} now", STAGE),
            )

    def put_frame_vectors(
        self, video_id: str, frames: Sequence[EmbeddedFrame], vectors: Vectors
    ) -> int:
        """Add frames to a video, (n, dimension) vectors beside them; the number of rows written.

        Claim the space before, in the same transaction. A frame that is there already, the
        same in all, keeps its row.
        """
        with self.transaction():
            stored = self._stored_frames(video_id)
            new = [(f, v) for f, v in zip(frames, vectors, strict=True) if f not in stored]
            if not new:
                return 0
            generation = self._bump_frames()
            self.write_many(
                "INSERT INTO frame_embeddings"
                ' (video_id, time, start, "end", picture, generation, vector)'
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (video_id, f.time, f.start, f.end, f.picture, generation, vector_blob(v))
                    for f, v in new
                ),
            )
        return len(new)

    def keep_frame_vectors(self, video_id: str, frames: Iterable[EmbeddedFrame]) -> None:
        """Delete the video's embedded frames that are not among `frames`, with tombstones."""
        kept = set(frames)
        with self.transaction():
            stored = self._stored_frames(video_id)
            self._bury_frames([row for frame, row in stored.items() if frame not in kept])

    def embedded_frames(self, video_id: str) -> list[EmbeddedFrame]:
        """By time."""
        return sorted(self._stored_frames(video_id), key=lambda frame: frame.time)

    def frame_places(self, rows: Sequence[int] | NDArray[np.int64]) -> dict[int, FramePlace]:
        """By row, of those that the catalog has. One statement: a search asks for hundreds."""
        found = self.rows(
            'SELECT f."row", f.time, f.start, f."end", s.start, s."end"'
            " FROM frame_embeddings f LEFT JOIN shots s ON s.video_id = f.video_id AND s.start ="
            " (SELECT max(start) FROM shots WHERE video_id = f.video_id AND start <= f.time)"
            ' WHERE f."row" IN (SELECT value FROM json_each(?))',
            (json.dumps([int(row) for row in rows]),),
        )
        return {
            row: FramePlace(time, stretch, shot if shot[0] is not None else stretch)
            for row, time, *ends in found
            for stretch, shot in [((ends[0], ends[1]), (ends[2], ends[3]))]
        }

    def vectors_of_pictures(self, pictures: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """By key, of those the library holds: no picture is embedded twice."""
        found = self.rows(
            "SELECT picture, vector FROM frame_embeddings"
            " WHERE picture IN (SELECT value FROM json_each(?))",
            (json.dumps(list(pictures)),),
        )
        return {picture: np.frombuffer(blob, VECTOR_TYPE) for picture, blob in found}

    # ------------------------------------------------ inside

    def _stored_frames(self, video_id: str) -> dict[EmbeddedFrame, int]:
        rows = self.rows(
            'SELECT "row", time, start, "end", picture FROM frame_embeddings WHERE video_id = ?',
            (video_id,),
        )
        return {EmbeddedFrame(*columns): row for row, *columns in rows}

    def _bump_frames(self) -> int:
        self.write("UPDATE meta SET value = value + 1 WHERE key = 'frame_generation'")
        return self.frame_generation()

    def _bury_frames(self, rows: Sequence[int]) -> None:
        if not rows:
            return
        generation = self._bump_frames()
        self.write_many(
            "INSERT INTO frame_tombstones VALUES (?, ?)", ((row, generation) for row in rows)
        )
        self.write_many('DELETE FROM frame_embeddings WHERE "row" = ?', ((r,) for r in rows))


def picture_key(model: str, jpeg: bytes) -> str:
    """What a frame's vector is made of: the bytes of its file, and the model."""
    return hashlib.sha256(model.encode() + b"\0" + jpeg).hexdigest()[:40]

"""The catalog: everything a library knows, in one SQLite file, `library.db`. It is the truth.

Its tables are read and written in the modules it is made of, one noun each:

    database     connections, transactions, meta
    videos       videos, and what a user may call them
    metadata     who is in them, where, what about, and who says so
    corrections  what users corrected; patching applies it to what is read again
    looks        what a vision model saw when it was asked a question
    segments     timed text
    passages     passages, embeddings, tombstones, generations; passage_lookup finds them
    reembedding  another model's embeddings, until they replace the present ones
    work         stages, leases, outputs of models
    pictures     shots and key frames
    frame_vectors   the key frames' embeddings, tombstones, generations
    spendings    budgets for looking at pictures, and what of them is spent
    chats        conversations, and what was answered in them
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.store.chats import Chats
from pipeline.types import INVENTED, Vectors

# What a library is, without its history: no times of day, no costs, no row numbers, no caches.
_CANONICAL = (
    ("meta", "key, value", "key"),
    (
        "videos",
        "video_id, title, path, duration, sha256, size, date, language, url, media",
        "video_id",
    ),
    (
        "segments",
        'video_id, source, ordinal, start, "end", text, speaker, language, flags, words, read',
        "video_id, source, ordinal",
    ),
    (
        "passages",
        'video_id, source, idx, id, start, "end", text, language, first, last',
        "video_id, source, idx",
    ),
    ("metadata", "video_id, origin, name, value", "video_id, origin, name"),
    (
        "corrections",
        'video_id, edit, field, replaced, value, source, start, "end", said, fits',
        "number",
    ),
    (
        "looks",
        'video_id, sha256, key, question, start, "end", text',
        'video_id, key, start, "end", text',
    ),
    ("stages", "video_id, name, status, key, reason", "video_id, name"),
    ("shots", 'video_id, start, "end", facts', "video_id, start"),
    ("frames", "video_id, time, path, facts", "video_id, time"),
    ("frame_embeddings", 'video_id, time, start, "end", picture', "video_id, time"),
)
_CANONICAL_META = (
    "embedding_model",
    "embedding_dimension",
    "embedding_normalised",
    "frame_model",
    "frame_dimension",
)


class Catalog(Chats):
    """The catalog of the library in a folder. Thread-safe; close it, or use it in a `with`."""

    def remove_video(self, video_id: str) -> list[str]:
        """Delete a video and all that is known only through it; the paths of its frame files.

        Paths are relative to the library; the caller deletes them (`frames.remove_frames`).
        The derived indexes forget it when they are next synchronised.
        """
        with self.transaction():
            self.video(video_id)
            paths = [frame.path for frame in self.frames(video_id)]
            self.forget_passages(video_id)
            self.keep_frame_vectors(video_id, ())
            self.forget_outputs(video_id)
            self.forget_in_chats(video_id)
            self.write("DELETE FROM leases WHERE video_id = ?", (video_id,))
            self.write("DELETE FROM videos WHERE video_id = ?", (video_id,))  # cascades
        return paths

    def counts(self) -> dict[str, int]:
        """Rows by table, for `footnote status`."""
        tables = ("videos", "segments", "passages", "stages", "outputs", "shots", "frames")
        counts = {table: int(self.value(f"SELECT count(*) FROM {table}")) for table in tables}
        invented = "SELECT count(*) FROM segments WHERE instr(flags, ?)"
        counts["segments_invented"] = int(self.value(invented, (INVENTED,)))
        return counts | {"frame_embeddings": self.frame_count()}

    def hours(self) -> float:
        """Hours of video in the library."""
        return float(self.value("SELECT coalesce(sum(duration), 0) / 3600 FROM videos"))

    def dump(self) -> Iterator[tuple[object, ...]]:
        """The library as ordered rows that begin with their table's name.

        Two libraries that know the same give the same rows, whenever and however often
        interrupted they were made. Vectors are `dump_embeddings`, in the order of the passages.
        """
        for table, columns, order in _CANONICAL:
            for row in self.rows(f"SELECT {columns} FROM {table} ORDER BY {order}"):
                if table != "meta" or row[0] in _CANONICAL_META:
                    yield (table, *row)

    def dump_embeddings(self) -> Vectors:
        """(n, dimension) in the order of the passages in `dump`."""
        rows = self.rows(
            'SELECT vector FROM passages JOIN embeddings USING ("row")'
            " ORDER BY video_id, source, idx"
        )
        joined = np.frombuffer(b"".join(blob for (blob,) in rows), "<f4")
        return joined.reshape(len(rows), -1) if rows else np.zeros((0, 0), np.float32)

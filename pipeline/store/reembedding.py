"""Giving a library another embedding model without ever holding a mixed index.

The new vectors are written beside the old ones in short transactions, which a killed run can
resume and searches do not notice; when none is missing they take the old ones' place at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.errors import UsageError
from pipeline.store.passages import BATCH_ROWS, EmbeddingSpace, Passages, vector_blob
from pipeline.store.windows import quantised
from pipeline.types import Vectors

_NEXT_MODEL = "next_embedding_model"


class Reembedding(Passages):
    """Reads and writes of `next_embeddings`, in the order of its methods."""

    def start_reembedding(self, space: EmbeddingSpace) -> None:
        """Make ready for vectors of `space`; what a killed run made of them is kept."""
        with self.transaction():
            if self.get_meta(_NEXT_MODEL) != space.model:
                self.write("DELETE FROM next_embeddings")
                self.write("DELETE FROM next_windows")
                self.set_meta(_NEXT_MODEL, space.model)

    def texts_to_reembed(self, limit: int = BATCH_ROWS) -> list[tuple[int, str]]:
        """(row, text) of passages that have no vector of the next model yet."""
        return self.rows(
            'SELECT "row", text FROM passages p WHERE NOT EXISTS'
            ' (SELECT 1 FROM next_embeddings n WHERE n."row" = p."row") ORDER BY "row" LIMIT ?',
            (limit,),
        )

    def put_next_embeddings(
        self, rows: Sequence[int], vectors: Vectors, windows: Mapping[int, Vectors] | None = None
    ) -> None:
        """Keep (n, dimension) vectors of the model that is to replace the library's.

        `windows` are, by row, those of the passages' `window_texts`.
        """
        self.write_many(  # by way of passages: a row may have been removed meanwhile
            'INSERT OR REPLACE INTO next_embeddings SELECT "row", ? FROM passages WHERE "row" = ?',
            ((vector_blob(v), row) for row, v in zip(rows, vectors, strict=True)),
        )
        self.write_many(
            'INSERT OR REPLACE INTO next_windows SELECT "row", places, ?, ? FROM windows'
            ' WHERE "row" = ?',
            ((*quantised(some), row) for row, some in (windows or {}).items()),
        )

    def adopt_next_embeddings(self, space: EmbeddingSpace) -> None:
        """Put the next model's vectors in the place of the present ones, all at once.

        Raises `UsageError` while one is missing: a library is never of two models.
        """
        with self.transaction():
            if self.get_meta(_NEXT_MODEL) != space.model or self.texts_to_reembed(1):
                raise UsageError(
                    f"not every passage has its embedding of {space.model} yet",
                    f"footnote reindex --embedding {space.model}",
                )
            for table in ("embeddings", "windows"):
                made = f"next_{table}"
                definition = self.value("SELECT sql FROM sqlite_master WHERE name = ?", (made,))
                self.write(f"DROP TABLE {table}")
                self.write(f"ALTER TABLE {made} RENAME TO {table}")
                self.write(definition)
            self.set_meta(_NEXT_MODEL, "")
            self._set_space(space)
            self._bump()
            self.new_epoch()

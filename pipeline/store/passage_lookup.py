"""Looking passages up in the catalog: by row, by id, by video, by text, or at random."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.store.segments import Segments
from pipeline.types import INVENTED, Passage, Source, are_doubts

VECTOR_TYPE = np.dtype("<f4")  # of the embeddings as the catalog stores them


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with its place in the catalog."""

    row: int
    id: str
    video_id: str
    idx: int
    language: str
    passage: Passage


class PassageLookup(Segments):
    """Reads of `passages` and `embeddings`."""

    def passages(self, rows: Sequence[int] | NDArray[np.int64]) -> list[StoredPassage]:
        """Those of `rows` that the catalog has, in the order given."""
        found = self._passages('p."row" IN (SELECT value FROM json_each(?))', listed(rows))
        by_row = {stored.row: stored for stored in found}
        return [by_row[int(row)] for row in rows if int(row) in by_row]

    def passages_of(self, video_id: str, source: Source | None = None) -> list[StoredPassage]:
        """The video's passages in canonical order: by source, then index."""
        if source is None:
            return self._passages("p.video_id = ?", video_id)
        return self._passages("p.video_id = ? AND p.source = ?", video_id, source)

    def has_levels(self) -> bool:
        """Whether any video has a passage of a chapter or a summary."""
        return bool(
            self.value(
                "SELECT EXISTS (SELECT 1 FROM passages WHERE source IN ('chapter', 'summary'))"
            )
        )

    def count_passages(self, sources: Collection[Source]) -> int:
        """How many passages there are of `sources`. Reads every row."""
        wanted = json.dumps(sorted(sources))
        return int(
            self.value(
                "SELECT count(*) FROM passages WHERE source IN (SELECT value FROM json_each(?))",
                (wanted,),
            )
        )

    def text_marks(self, video_id: str) -> list[tuple[str, float, float, int]]:
        """(source, start, end, key of the text) of the passages of what was perceived, in order:
        equal lists, equal texts at equal times."""
        return self.rows(
            'SELECT source, start, "end", text_key FROM passages WHERE video_id = ?'
            " AND source NOT IN ('chapter', 'summary') ORDER BY source, idx",
            (video_id,),
        )

    def passages_by_id(self, ids: Sequence[str]) -> dict[str, StoredPassage]:
        """By id, those that the catalog has."""
        found = self._passages("p.id IN (SELECT value FROM json_each(?))", json.dumps(list(ids)))
        return {stored.id: stored for stored in found}

    def texts_of(self, rows: Sequence[int] | NDArray[np.int64]) -> dict[int, str]:
        """Text by row, of those that the catalog has."""
        return dict(
            self.rows(
                'SELECT "row", text FROM passages WHERE "row" IN (SELECT value FROM json_each(?))',
                (listed(rows),),
            )
        )

    def ids_of(self, rows: Sequence[int] | NDArray[np.int64]) -> dict[int, str]:
        """Passage id by row, of those that the catalog has."""
        return dict(
            self.rows(
                'SELECT "row", id FROM passages WHERE "row" IN (SELECT value FROM json_each(?))',
                (listed(rows),),
            )
        )

    def segments_under(
        self, rows: Sequence[int] | NDArray[np.int64]
    ) -> dict[int, list[tuple[float, str, str]]]:
        """By row (start, text, language) of the segments each passage is made of, by time.

        Between them lies what was invented: it is not among them.
        """
        found: dict[int, list[tuple[float, str, str]]] = {}
        for row, *segment in self.rows(
            'SELECT p."row", s.start, s.text, s.language FROM passages p JOIN segments s'
            " ON s.video_id = p.video_id AND s.source = p.source"
            " AND s.ordinal BETWEEN p.first AND p.last AND instr(s.flags, ?) = 0"
            ' WHERE p."row" IN (SELECT value FROM json_each(?)) ORDER BY p."row", s.ordinal',
            (INVENTED, listed(rows)),
        ):
            found.setdefault(row, []).append(tuple(segment))
        return found

    def doubt_of(self, rows: Sequence[int] | NDArray[np.int64]) -> dict[int, float]:
        """By row the share of a passage's text, in (0, 1], that is of doubtful segments; those of
        which nothing is are left out.

        What was invented is in no passage, and of a segment that lies in several each has a part.
        """
        found: dict[int, float] = {}
        if not self.value("SELECT EXISTS (SELECT 1 FROM segments WHERE flags <> '[]')"):
            return found
        for row, share, flags in self.rows(
            'SELECT p."row", length(s.text) * 1.0 / max(length(p.text), 1)'
            ' * max(min(p."end", s."end") - max(p.start, s.start), 0) / (s."end" - s.start),'
            " s.flags FROM passages p JOIN segments s ON s.video_id = p.video_id"
            " AND s.source = p.source AND s.ordinal BETWEEN p.first AND p.last"
            """ AND s.flags <> '[]' WHERE p."row" IN (SELECT value FROM json_each(?))""",
            (listed(rows),),
        ):
            reasons = json.loads(flags)
            if are_doubts(reasons) and not any(flag.startswith(INVENTED) for flag in reasons):
                found[row] = min(1.0, found.get(row, 0.0) + share)
        return found

    def embeddings_of(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Embeddings the library already holds, by text: no text need be embedded twice."""
        keys = {text_key(text): text for text in texts}
        found = self.rows(
            'SELECT p.text, e.vector FROM passages p JOIN embeddings e USING ("row")'
            " WHERE p.text_key IN (SELECT value FROM json_each(?))",
            (json.dumps(list(keys)),),
        )
        wanted = set(texts)
        return {text: np.frombuffer(blob, VECTOR_TYPE) for text, blob in found if text in wanted}

    def vectors_of(
        self, rows: Sequence[int] | NDArray[np.int64], *, table: str = "embeddings"
    ) -> dict[int, NDArray[np.float32]]:
        """Embedding by row, of those that the catalog has."""
        found = self.rows(
            f'SELECT "row", vector FROM {table} WHERE "row" IN (SELECT value FROM json_each(?))',
            (listed(rows),),
        )
        return {row: np.frombuffer(blob, VECTOR_TYPE) for row, blob in found}

    def sample_rows(
        self, count: int, last_row: int | None = None, *, table: str = "passages"
    ) -> list[int]:
        """At most `count` rows (up to `last_row`), chosen at random; costs no scan."""
        if last_row is None:
            last_row = int(self.value(f'SELECT coalesce(max("row"), 0) FROM {table}'))
        drawn = (random.randint(1, max(last_row, 1)) for _ in range(count))
        found = (
            self.value(
                f'SELECT "row" FROM {table} WHERE "row" BETWEEN ? AND ? ORDER BY "row" LIMIT 1',
                (row, last_row),
            )
            for row in drawn
        )
        return sorted({row for row in found if row is not None})

    def last_rows(self, count: int, last_row: int, *, table: str = "passages") -> list[int]:
        """The `count` greatest rows up to `last_row`, greatest first."""
        found = self.rows(
            f'SELECT "row" FROM {table} WHERE "row" <= ? ORDER BY "row" DESC LIMIT ?',
            (last_row, count),
        )
        return [row for (row,) in found]

    def language_shares(self) -> dict[str, float]:
        """Share of the passages in each language, "" where it is not known. Reads every row."""
        counts: dict[str, int] = dict(
            self.rows("SELECT language, count(*) FROM passages GROUP BY language")
        )
        total = max(sum(counts.values()), 1)
        return {language: count / total for language, count in counts.items()}

    def _passages(self, where: str, *values: object) -> list[StoredPassage]:
        rows = self.rows(
            'SELECT p."row", p.id, p.video_id, p.idx, p.language, p.source, p.start, p."end",'
            f" p.text, p.first, p.last FROM passages p WHERE {where}"
            " ORDER BY p.video_id, p.source, p.idx",
            values,
        )
        return [StoredPassage(*row[:5], Passage(*row[5:])) for row in rows]  # type: ignore[call-arg]


def text_key(text: str) -> int:
    """A signed 64-bit key of a text."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "little", signed=True)


def listed(rows: Sequence[int] | NDArray[np.int64]) -> str:
    """Rows as the JSON that `json_each` takes."""
    return json.dumps([int(row) for row in rows])

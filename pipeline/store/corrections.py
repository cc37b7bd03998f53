"""What users corrected: kept beside what was read, and applied whenever that is written again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from pipeline.store.metadata import VideoMetadata
from pipeline.types import Correction, Source

_COLUMNS = 'edit, field, replaced, value, source, start, "end", said, made, fits'


class Corrections(VideoMetadata):
    """Reads and writes of the `corrections` table."""

    def corrections(self, video_id: str, source: Source | None = None) -> list[Correction]:
        """The video's corrections in the order they were made; of one source's segments."""
        of_source = "" if source is None else " AND source = ?"
        values = (video_id,) if source is None else (video_id, source)
        rows = self.rows(
            f"SELECT {_COLUMNS} FROM corrections WHERE video_id = ?{of_source} ORDER BY number",
            values,
        )
        return [_correction(*row) for row in rows]

    def next_edit(self, video_id: str) -> int:
        """The number of the next command that corrects something of the video."""
        last = "SELECT coalesce(max(edit), 0) FROM corrections WHERE video_id = ?"
        return int(self.value(last, (video_id,))) + 1

    def add_correction(self, video_id: str, correction: Correction) -> None:
        """Keep a correction; segments take it when they are next replaced."""
        self.write(
            f"INSERT INTO corrections (video_id, {_COLUMNS})"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                video_id,
                correction.edit,
                correction.field,
                correction.replaced,
                correction.value,
                correction.source,
                correction.start,
                correction.end,
                correction.said,
                correction.made or datetime.now(UTC).isoformat(timespec="seconds"),
                correction.fits,
            ),
        )

    def forget_edit(self, video_id: str, edit: int) -> None:
        self.write("DELETE FROM corrections WHERE video_id = ? AND edit = ?", (video_id, edit))

    def set_fits(self, video_id: str, source: Source, fits: Sequence[bool]) -> None:
        """Which of the source's corrections, in their order, apply to what is now there."""
        rows = self.rows(
            "SELECT number, fits FROM corrections WHERE video_id = ? AND source = ?"
            " ORDER BY number",
            (video_id, source),
        )
        changed = [
            (fit, number) for (number, was), fit in zip(rows, fits, strict=True) if fit != bool(was)
        ]
        if changed:
            self.write_many("UPDATE corrections SET fits = ? WHERE number = ?", changed)


def _correction(
    edit: int,
    field: str,
    replaced: str,
    value: str,
    source: str,
    start: float,
    end: float,
    said: str,
    made: str,
    fits: int,
) -> Correction:
    return Correction(edit, field, replaced, value, source, start, end, said, made, bool(fits))


def json_values(values: Sequence[str] | None) -> str:
    """A field of metadata as a correction keeps it."""
    return json.dumps(None if values is None else list(values), ensure_ascii=False)

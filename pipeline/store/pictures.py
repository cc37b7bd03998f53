"""The catalog's shots and key frames. The JPEGs themselves lie in `frames/`, see `frames`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.store.work import Work
from pipeline.types import check_interval


@dataclass(frozen=True, slots=True)
class StoredShot:
    """One shot and what is known of it."""

    start: float
    end: float
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """One key frame: its time in the video and its file, relative to the library."""

    time: float
    path: str
    facts: Mapping[str, object] = field(default_factory=dict)


class Pictures(Work):
    """Reads and writes of `shots` and `frames`."""

    def replace_shots(self, video_id: str, shots: Sequence[StoredShot]) -> None:
        """Make `shots` all that the video has. Raises `ClockError` for an impossible one."""
        for shot in shots:
            check_interval(shot.start, shot.end, f"shot of {video_id}")
        with self.transaction():
            self.write("DELETE FROM shots WHERE video_id = ?", (video_id,))
            self.write_many(
                "INSERT INTO shots VALUES (?, ?, ?, ?)",
                ((video_id, shot.start, shot.end, _json(shot.facts)) for shot in shots),
            )

    def shots(self, video_id: str) -> list[StoredShot]:
        """By time."""
        rows = self.rows(
            'SELECT start, "end", facts FROM shots WHERE video_id = ? ORDER BY start', (video_id,)
        )
        return [StoredShot(start, end, json.loads(facts)) for start, end, facts in rows]

    def cuts(self, video_ids: Iterable[str]) -> dict[str, list[float]]:
        """When shots begin, ascending, by id, of the videos that have any."""
        cuts: dict[str, list[float]] = {}
        for video_id, start in self.rows(
            "SELECT video_id, start FROM shots"
            " WHERE video_id IN (SELECT value FROM json_each(?)) ORDER BY video_id, start",
            (json.dumps(list(video_ids)),),
        ):
            cuts.setdefault(video_id, []).append(start)
        return cuts

    def replace_frames(self, video_id: str, frames: Sequence[StoredFrame]) -> list[str]:
        """Make `frames` all that the video has; paths that no row names any more."""
        with self.transaction():
            before = {frame.path for frame in self.frames(video_id)}
            self.write("DELETE FROM frames WHERE video_id = ?", (video_id,))
            self.write_many(
                "INSERT INTO frames VALUES (?, ?, ?, ?)",
                ((video_id, frame.time, frame.path, _json(frame.facts)) for frame in frames),
            )
        return sorted(before - {frame.path for frame in frames})

    def frames(self, video_id: str) -> list[StoredFrame]:
        """By time."""
        rows = self.rows(
            "SELECT time, path, facts FROM frames WHERE video_id = ? ORDER BY time", (video_id,)
        )
        return [StoredFrame(time, path, json.loads(facts)) for time, path, facts in rows]


def _json(facts: Mapping[str, object]) -> str:
    return json.dumps(dict(facts), sort_keys=True, ensure_ascii=False)

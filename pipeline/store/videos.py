"""The catalog's videos, found by id, by a unique start of one, by path or by content."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import VideoNotFound
from pipeline.store.database import Database, Row
from pipeline.types import Video

_COLUMNS = (
    "video_id, title, path, duration, sha256, size, modified_ns, sidecars, date, language, url,"
    " added, media"
)
_CHANGES = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ")[1:])


class Videos(Database):
    """Reads and writes of the `videos` table."""

    def put_video(self, video: Video) -> None:
        """Insert the video, or change what is known of the one with its id."""
        self.write(
            f"INSERT INTO videos ({_COLUMNS}) VALUES ({', '.join('?' * 13)})"
            f" ON CONFLICT (video_id) DO UPDATE SET {_CHANGES}",
            (
                video.video_id,
                video.title,
                video.path,
                video.duration,
                video.sha256,
                video.size,
                video.modified_ns,
                json.dumps(video.sidecars),
                video.date,
                video.language,
                video.url,
                video.added,
                json.dumps(dict(video.media), sort_keys=True),
            ),
        )

    def video(self, video_id: str) -> Video:
        """Raises `VideoNotFound` for anything but a whole id; see `resolve`."""
        found = self._videos("video_id = ?", (video_id,))
        if not found:
            raise VideoNotFound(f"no video {video_id!r} in {self.folder}", "footnote list")
        return found[0]

    def has_video(self, video_id: str) -> bool:
        return self.value("SELECT 1 FROM videos WHERE video_id = ?", (video_id,)) is not None

    def videos(self) -> list[Video]:
        """All videos by id."""
        return self._videos("1", ())

    def video_by_path(self, path: str) -> Video | None:
        found = self._videos("path = ? AND path <> ''", (path,))
        return found[0] if found else None

    def videos_by_hash(self, sha256: str) -> list[Video]:
        return self._videos("sha256 = ? AND sha256 <> ''", (sha256,))

    def titles(self, video_ids: Iterable[str]) -> dict[str, str]:
        """Title by id; an id the catalog does not have is left out."""
        return dict(
            self.rows(
                "SELECT video_id, title FROM videos"
                " WHERE video_id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(video_ids)),),
            )
        )

    def lengths(self, video_ids: Iterable[str]) -> dict[str, float]:
        """Seconds by id; an id the catalog does not have is left out."""
        return dict(
            self.rows(
                "SELECT video_id, duration FROM videos"
                " WHERE video_id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(video_ids)),),
            )
        )

    def video_numbers(self) -> dict[int, str]:
        """Video id by the number that derived indexes store."""
        return dict(self.rows("SELECT number, video_id FROM videos"))

    def resolve(self, reference: str) -> str:
        """The id of the video that `reference` means: an id, a unique start of one, or a path.

        Raises `VideoNotFound` that names the nearest ids, or those that the start fits.
        """
        if self.value("SELECT 1 FROM videos WHERE video_id = ?", (reference,)):
            return reference
        fitting = self._ids_starting(reference) if reference else []
        if len(fitting) == 1:
            return fitting[0]
        by_path = self._ids_at(reference)
        if len(by_path) == 1:
            return by_path[0]
        raise self._unresolved(reference, fitting or by_path)

    def _ids_starting(self, prefix: str) -> list[str]:
        rows = self.rows(
            "SELECT video_id FROM videos WHERE substr(video_id, 1, ?) = ? ORDER BY video_id",
            (len(prefix), prefix),
        )
        return [video_id for (video_id,) in rows]

    def _ids_at(self, path: str) -> list[str]:
        if not path:
            return []
        given = {path, str(Path(path).expanduser().absolute()), str(Path(path).resolve())}
        rows = self.rows(
            "SELECT video_id FROM videos WHERE path IN (SELECT value FROM json_each(?))"
            " ORDER BY video_id",
            (json.dumps(sorted(given)),),
        )
        return [video_id for (video_id,) in rows]

    def _unresolved(self, reference: str, fitting: list[str]) -> VideoNotFound:
        if fitting:
            shown = ", ".join(fitting[:5]) + (", ..." if len(fitting) > 5 else "")
            return VideoNotFound(f"{reference!r} is ambiguous: {shown}", "give more of the id")
        ids = [video_id for (video_id,) in self.rows("SELECT video_id FROM videos ORDER BY 1")]
        stem = Path(reference).stem or reference
        near = difflib.get_close_matches(stem, ids, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "footnote list"
        return VideoNotFound(f"no video {reference!r} in {self.folder}", hint)

    def _videos(self, where: str, values: Sequence[Any]) -> list[Video]:
        rows = self.rows(f"SELECT {_COLUMNS} FROM videos WHERE {where} ORDER BY video_id", values)
        return [_video(row) for row in rows]


def _video(row: Row) -> Video:
    media: Mapping[str, object] = json.loads(row[12])
    sidecars = tuple((path, size, modified) for path, size, modified in json.loads(row[7]))
    return Video(*row[:7], sidecars, *row[8:12], media)  # type: ignore[call-arg]

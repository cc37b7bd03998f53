"""What exports are made from: the catalog, stored frames, and the files themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from pipeline.export.cited import Archive
from pipeline.media.child import MediaReader
from pipeline.media.footage import Footage, footage_of
from pipeline.types import Video

_NEAR = 15.0  # seconds after a moment within which a stored frame still tells of it
_STANDS = 4.0  # times as far away is as near, before a moment


@dataclass(frozen=True, slots=True)
class Stock:
    """`frames` gives a video's stored frames, (seconds, JPEG) by time; `font` is the setting
    `reel_font`. Where `folders` is False no export tells in which folder a file lies."""

    archive: Archive
    frames: Callable[[str], Sequence[tuple[float, Path]]]
    media: MediaReader
    font: str = ""
    folders: bool = True

    def footage(self, video: Video) -> Footage:
        """Facts of the file; of one that is not there, what was known of it (`missing` tells).

        Raises `MediaError` for one that cannot be read any more.
        """
        if video.file and Path(video.file).exists():
            return self.media.run(footage_of, video.file)
        return remembered_footage(video)

    def linked(self, video: Video) -> Video:
        """A video as links are made of it."""
        return video if self.folders else replace(video, path="")

    def missing(self, videos: Iterable[Video]) -> tuple[str, ...]:
        """A line for each file that is not where it was."""
        gone = [v.path for v in videos if v.path and not Path(v.path).exists()]
        return tuple(f"{path} is not there any more" for path in gone)

    def picture_at(self, video_id: str, seconds: float) -> Path | None:
        """The stored frame of about then: a picture is kept when it begins, and may stand long."""
        away = [(_distance(time, seconds), path) for time, path in self.frames(video_id)]
        near, path = min(away, key=lambda frame: frame[0], default=(_NEAR, None))
        return path if near < _NEAR else None


def _distance(time: float, seconds: float) -> float:
    return (seconds - time) / _STANDS if time <= seconds else time - seconds


def remembered_footage(video: Video) -> Footage:
    """What the catalog knows of a file that is not there; nothing of an imported video."""
    picture, sound = video.media.get("video"), video.media.get("audio")
    tracks = sound if isinstance(sound, list) else []
    first = tracks[0] if tracks and isinstance(tracks[0], dict) else {}
    shown = picture if isinstance(picture, dict) else {}
    rate = Fraction(shown.get("fps") or 0).limit_denominator(1001)
    return Footage(
        video.duration,
        rate,
        int(shown.get("width") or 0),
        int(shown.get("height") or 0),
        int(first.get("rate") or 0),
        int(first.get("channels") or 0),
    )

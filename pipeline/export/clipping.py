"""A clip of a video of the library, and where exports may be written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.answer.evidence import clock
from pipeline.errors import UsageError
from pipeline.media.child import MediaReader
from pipeline.media.clips import Cut, cut
from pipeline.media.film import container_for
from pipeline.store.database import DATABASE_FILE
from pipeline.store.frames import FRAMES_FOLDER
from pipeline.types import Video

_SHORTEST = 0.001  # seconds
_OWN = ("index", FRAMES_FOLDER, "lock")  # in a library's folder, beside the catalog


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip that was written. Times are seconds of the video.

    `start` and `end` were asked for, held within the video; a player shows it from `begins` to
    `ends`. `method` is "copy" or "encode". `stored_from` is where its data begins: a copy begins at
    a key frame, which an edit list hides where the container has one.
    """

    video_id: str
    title: str
    path: str
    start: float
    end: float
    method: str
    begins: float
    ends: float
    stored_from: float
    video_codec: str
    sound_codec: str
    bytes: int
    note: str = ""


def clip_video(
    video: Video, start: float, end: float, target: Path, media: MediaReader, *, exact: bool
) -> Clip:
    """Write `start` to `end` seconds of a video to `target`; see `media.clips`.

    Raises `UsageError` for a video without a file, an interval that is none or lies beyond its end,
    and a container that is not written; `MediaError`.
    """
    container_for(target)
    path, end = _file_of(video), _held(video, start, end)
    done: Cut = media.run(cut, path, start, end, str(target), exact=exact, title=video.title)
    return Clip(
        video.video_id,
        video.title,
        str(target),
        start,
        end,
        "copy" if done.copied else "encode",
        round(done.begins, 3),
        round(done.ends, 3),
        round(done.stored_from, 3),
        done.video_codec,
        done.sound_codec,
        done.bytes,
        done.note,
    )


def _file_of(video: Video) -> str:
    if not video.file:
        where = f"; see {video.url}" if video.url else ""
        raise UsageError(
            f"{video.video_id} was imported without a file{where}", "footnote export --video VIDEO"
        )
    if not Path(video.file).exists():
        raise UsageError(f"{video.file} is not there any more", "footnote add its new place")
    return video.file


def _held(video: Video, start: float, end: float) -> float:
    """`end`, within the video."""
    if not 0 <= start < end:
        raise UsageError(
            f"{clock(start)} to {clock(end)} is no part of a video", "footnote clip VIDEO 1:20 1:45"
        )
    if video.duration and start > video.duration - _SHORTEST:
        raise UsageError(
            f"{video.video_id} ends at {clock(video.duration)}, before {clock(start)}",
            f"footnote show {video.video_id}",
        )
    return min(end, video.duration) if video.duration else end


def check_target(target: Path, library: Path, videos: Iterable[Video]) -> Path:
    """`target`, absolute. Raises `UsageError` where nothing can be written, and where a video of
    the library, what belongs to one, or the library itself would be lost by it."""
    target = target.expanduser().absolute()
    if target.is_dir() or not target.parent.is_dir():
        raise UsageError(f"{target} cannot be written", "-o FILE in a folder that is there")
    place = target.resolve()
    if place.is_relative_to(library.resolve()):
        first = place.relative_to(library.resolve()).parts[0]
        if first in _OWN or first.startswith(DATABASE_FILE):
            raise UsageError(f"{target} is the library's own", "-o FILE somewhere else")
    for video in videos:
        for kept in filter(None, (video.path, *(sidecar for sidecar, _, _ in video.sidecars))):
            if place == Path(kept).resolve():
                raise UsageError(f"{target} is a file of the library: {video.video_id}", "-o NEW")
    return target

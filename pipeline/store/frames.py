"""Where the JPEGs of key frames lie in a library: `frames/<video id>/<milliseconds>.jpg`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import UsageError

FRAMES_FOLDER = "frames"


def frame_path(video_id: str, time: float) -> str:
    """Path of a frame, relative to its library; `time` in seconds."""
    if not video_id or video_id != Path(video_id).name:
        raise UsageError(f"{video_id!r} cannot name a folder", "footnote list")
    return f"{FRAMES_FOLDER}/{video_id}/{round(time * 1000):09d}.jpg"


def write_frame(library: Path, path: str, jpeg: bytes) -> None:
    """Write a frame so that a reader sees all of it or nothing."""
    target = library / path
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.getpid()}.part")
    partial.write_bytes(jpeg)
    partial.replace(target)


def remove_frames(library: Path, video_id: str, paths: Iterable[str] | None = None) -> None:
    """Delete the named frames of a video, all of its frames when None."""
    folder = (library / frame_path(video_id, 0.0)).parent
    if paths is None:
        if folder.exists():
            shutil.rmtree(folder)
        return
    for path in paths:
        (library / path).unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()

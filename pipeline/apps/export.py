"""Exports for the web server: what a browser downloads, with its type and its name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.library import Library
    from pipeline.types import Answer, Progress


def exported(
    library: Library,
    answer_or_video: Answer | Mapping[str, Any] | str,
    format: str,
    *,
    target: str | Path | None = None,
    subtitles: str = "burned",
    folders: bool = True,
    progress: Progress | None = None,
) -> tuple[bytes | Path, str, str]:
    """(the file's bytes, its MIME type, a name for it): an answer, its JSON value, or a video id.

    A reel, which takes about as long as it lasts, is written to `target` and comes as a path;
    without one it goes to a new folder of the system's for temporary files, which the caller
    removes; where it cannot be made there is none. Its clips are read in a child process. With
    `folders` False files are named without where they lie. Raises `UsageError` for what cannot be
    exported (an unknown format, an answer that cites nothing, one that is none), `VideoNotFound`,
    `MediaError`.
    """
    video = answer_or_video if isinstance(answer_or_video, str) else None
    answer = None if isinstance(answer_or_video, str) else answer_or_video
    with ExitStack() as on_failure:
        if format == "reel" and target is None:
            folder = tempfile.mkdtemp(prefix="footnote-")
            on_failure.callback(shutil.rmtree, folder)
            target = Path(folder) / "reel.mp4"
        made = library.export(
            format,
            answer=answer,
            video=video,
            subtitles=subtitles,
            target=target,
            folders=folders,
            progress=progress,
        )
        on_failure.pop_all()
    return made.data, made.mime, made.filename

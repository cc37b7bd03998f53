"""Which files to read: the videos among the paths given, and what tells one from another.

A folder is searched recursively for known extensions; a file that is named is always tried.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import MediaError, UsageError

# fmt: off
VIDEO_EXTENSIONS = frozenset((
    ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".m2ts", ".m4v", ".mkv", ".mov",
    ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".ts", ".vob", ".webm", ".wmv",
))
# fmt: on
# fmt: off
AUDIO_EXTENSIONS = frozenset((
    ".aac", ".aif", ".aiff", ".flac", ".m4a", ".m4b", ".mp3", ".oga", ".ogg", ".opus",
    ".wav", ".wma",
))
# fmt: on
MEDIA_EXTENSIONS = VIDEO_EXTENSIONS | AUDIO_EXTENSIONS

_CHUNK = 1 << 20


def find_media(paths: Sequence[str | Path], outside: Path) -> list[Path]:
    """Absolute paths in the order given, folders in sorted order, each file once.

    Hidden entries and everything in the folder `outside` (the library) are left out. Raises
    `UsageError` for a path that does not exist.
    """
    found: dict[Path, None] = {}
    for given in paths:
        path = Path(given).expanduser()
        if not path.exists():
            raise UsageError(f"{given} does not exist", "footnote add takes files and folders")
        for file in _walk(path, outside.resolve()) if path.is_dir() else (path,):
            # abspath and not resolve: a link keeps the name that its owner gave it.
            found.setdefault(Path(os.path.abspath(file)))
    return list(found)


def _walk(folder: Path, outside: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (Path(parent) / name).resolve() != outside
        )
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in MEDIA_EXTENSIONS:
                yield Path(parent) / name


def sha256_of(path: Path) -> str:
    """The hash of the file's content, which is what a video is. Raises `MediaError`."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise MediaError(f"cannot be read: {error.strerror}") from error
    return digest.hexdigest()

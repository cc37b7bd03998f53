"""Files that come from elsewhere: their names made harmless, their bytes counted, then kept whole
or not at all.

What arrives lies in a hidden folder, which no `add` of the folder sees, until all of it is there
and has been looked at. Then it gets its name, never that of a file that is there already.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.apps.serving.problems import Refused
from pipeline.errors import NoRoom
from pipeline.ingest.discover import MEDIA_EXTENSIONS

UPLOADS_FOLDER = "uploads"
_HIDDEN = ".incoming"
_PART = ".part"
_LONGEST_NAME = 150  # bytes in UTF-8, extension included; file systems allow 255
_FREE = 512 << 20  # bytes that an upload leaves free on the disk: the library itself needs some
_LOOK_EVERY = 64 << 20  # bytes between two looks at how much is free
_ABANDONED = 24 * 3600.0  # seconds after which what a killed server left is deleted
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
# Devices on Windows, whatever their extension.
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)")


def safe_name(name: str) -> str:
    """A file name made of the one that was sent: no folder, not hidden, no control characters, not
    too long. Raises `Refused` (400) where that leaves none, or not that of a video or sound."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(c for c in last if unicodedata.category(c)[0] != "C")
    plain = _FORBIDDEN.sub("_", " ".join(shown.split())).strip(". ")
    stem, dot, extension = plain.rpartition(".")
    stem, extension = stem.strip(". "), dot + extension
    if not stem or extension.lower() not in MEDIA_EXTENSIONS:
        raise Refused(
            400, f"{plain or 'an empty name'} is not the name of a video", "?name=talk.mp4"
        )
    if _RESERVED.match(stem):
        stem = f"_{stem}"
    room = _LONGEST_NAME - len(extension.encode())
    return stem.encode()[:room].decode(errors="ignore").strip(". ") + extension


class Incoming:
    """One file while it arrives. Blocking; for one thread at a time. Discard it, or `keep` it.

    Raises `Refused` (413) beyond `most` bytes, `NoRoom` when the disk gets full.
    """

    def __init__(self, library: Path, most: int) -> None:
        self._folder = library / UPLOADS_FOLDER
        self._most = most
        hidden = self._folder / _HIDDEN
        hidden.mkdir(parents=True, exist_ok=True)
        self.path = hidden / (secrets.token_hex(12) + _PART)
        self._file = open(self.path, "xb")  # noqa: SIM115 - closed by `finish` or `discard`
        self._digest = hashlib.sha256()
        self._look_at = 0
        self.size = 0

    def expect(self, size: int) -> None:
        """Refuse at once what is announced to be too large."""
        if size > self._most:
            raise Refused(413, f"the file is larger than {self._most:,} bytes")
        self._check_room(size)

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self._most:
            raise Refused(413, f"the file is larger than {self._most:,} bytes")
        if self.size >= self._look_at:
            self._check_room(len(data))
            self._look_at = self.size + _LOOK_EVERY
        self._digest.update(data)
        with _full_disk_named():
            self._file.write(data)

    def finish(self) -> str:
        """All of it is there; its SHA-256."""
        with _full_disk_named():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        return self._digest.hexdigest()

    def keep(self, name: str) -> Path:
        """Give the finished file this name, or `name (2)` and so on; where it lies now."""
        path = _free_place(self._folder, name)
        os.replace(self.path, path)
        return path

    def discard(self) -> None:
        """Delete what is there, unless it was kept."""
        try:
            with suppress(OSError):  # it writes what is left, and fails again on a full disk
                self._file.close()
        finally:
            self.path.unlink(missing_ok=True)

    def _check_room(self, size: int) -> None:
        free = shutil.disk_usage(self._folder).free
        if free - size < _FREE:
            raise NoRoom(
                f"only {free >> 20} MB are free on the disk of the library", "make room, try again"
            )


@contextmanager
def _full_disk_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoRoom("the disk of the library is full", "make room, and try again") from error
        raise


def _free_place(folder: Path, name: str) -> Path:
    """An empty file of that name, or the next free one, for what is to be put there."""
    stem, extension = os.path.splitext(name)
    number = 1
    while True:
        path = folder / (name if number == 1 else f"{stem} ({number}){extension}")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        except FileExistsError:
            number += 1
            continue
        return path


def sweep(library: Path) -> None:
    """Delete what uploads of a server that was killed have left."""
    oldest = time.time() - _ABANDONED
    for part in (library / UPLOADS_FOLDER / _HIDDEN).glob(f"*{_PART}"):
        with suppress(FileNotFoundError):  # another server has swept it
            if part.stat().st_mtime < oldest:
                part.unlink()

"""The lock of a library's derived indexes: one writer, or many readers that open them.

Two processes that write one embedded Chroma damage it without a sign, so whoever changes
anything under `index/` holds this lock, one batch at a time. It is an advisory `flock`: the
operating system takes it back when its holder dies, however it dies, so nothing stale can stay.
The catalog needs no lock of ours; SQLite has its own.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UsageError

LOCK_FILE = "lock"
_POLL_SECONDS = 0.02


class LibraryBusy(UsageError):
    """Another process holds the lock for longer than the caller wants to wait."""

    code = "library_busy"


@contextmanager
def locked(folder: Path, timeout: float, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock of the library in `folder`; waits up to `timeout` seconds (0: not at all).

    Raises `LibraryBusy`, which names the holder. Threads of one process exclude each other too.
    Not re-entrant.
    """
    path = folder / LOCK_FILE
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise LibraryBusy(f"{folder} is read-only, so its indexes cannot be locked") from error
    try:
        if not _acquire(descriptor, timeout, shared):
            raise LibraryBusy(
                f"the indexes of {folder} are being written by {holder(folder)}",
                "wait until it is done, or stop it; nothing of what it did is lost",
            )
        if not shared:
            _sign(descriptor)
        yield
    finally:
        os.close(descriptor)  # which releases the lock


def holder(folder: Path) -> str:
    """Who last held the lock for writing, for messages: "process 12 on host"."""
    try:
        who = json.loads((folder / LOCK_FILE).read_text(encoding="utf-8"))
        return f"process {who['pid']} on {who['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _acquire(descriptor: int, timeout: float, shared: bool) -> bool:
    mode = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, mode)
            return True
        except BlockingIOError:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(_POLL_SECONDS, left))


def _sign(descriptor: int) -> None:
    text = json.dumps({"pid": os.getpid(), "host": socket.gethostname()})
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)

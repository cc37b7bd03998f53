"""Files of the library, and no others: opened by the catalog's record of them, sent in ranges.

A request names a video, never a path. What lies at the video's path is handed out only while it is
the file that was read into the library: a regular file of the same size and time of modification.
It is checked after it was opened, so nothing put in its place meanwhile, a link to elsewhere
included, is sent. A link that was there when the video was added is followed: its owner added it.
Text that was imported names paths that nobody has read; those are never opened.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from typing import BinaryIO

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pipeline.apps.serving.problems import Refused
from pipeline.media.container import is_text
from pipeline.types import Video

_HEAD = 4096  # bytes that are looked at to tell text from media
_CHUNK = 1 << 18
_DIGITS = re.compile(r"[0-9]{1,20}")  # more is no place in a file, and not every int() takes it


def open_file(video: Video) -> tuple[BinaryIO, os.stat_result]:
    """The video's file, to be closed, and its facts. Raises `Refused` (404) that says why not."""
    if not video.path or not video.sha256:
        raise Refused(404, f"{video.video_id} was imported without a file")
    again = f"footnote add {video.path}"
    try:
        # A pipe put in its place must not hold up the server.
        number = os.open(video.path, os.O_RDONLY | _flags("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
    except OSError as error:
        raise Refused(404, f"the file of {video.video_id} is not there any more", again) from error
    facts = os.fstat(number)
    same = (facts.st_size, facts.st_mtime_ns) == (video.size, video.modified_ns)
    # A folder does not even become a file object: what is none is closed by its number.
    if same and stat.S_ISREG(facts.st_mode):
        file = os.fdopen(number, "rb")
        if not is_text(file.read(_HEAD)):
            return file, facts
        file.close()
    else:
        os.close(number)
    raise Refused(404, f"the file of {video.video_id} was changed since it was added", again)


def is_there(video: Video) -> bool:
    """Whether the file could be handed out; costs a look at the disk."""
    try:
        facts = os.stat(video.file) if video.file else None
    except OSError:
        return False
    return facts is not None and (facts.st_size, facts.st_mtime_ns) == (
        video.size,
        video.modified_ns,
    )


def _flags(*names: str) -> int:
    """Those of them that this system has, together."""
    return sum(getattr(os, name, 0) for name in names)


# ---------------------------------------------------------------- ranges (RFC 9110, 14)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes [first, last + 1) of a file."""

    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last + 1 - self.first


class Unsatisfiable(Exception):
    """A range that begins beyond the end of the file: 416."""


def parse_range(header: str, size: int) -> ByteRange | None:
    """The range that is asked for; None where the whole file is to be sent: no range, several (no
    player asks for them), another unit than bytes, nonsense. Raises `Unsatisfiable`."""
    unit, _, wanted = header.partition("=")
    first, dash, last = wanted.strip().partition("-")
    first, last = first.strip(), last.strip()
    if unit.strip().lower() != "bytes" or not dash:
        return None
    if not all(_DIGITS.fullmatch(part) for part in (first, last) if part):
        return None
    if not first:
        if not last:
            return None
        found = ByteRange(max(0, size - int(last)), size - 1)
    else:
        found = ByteRange(int(first), min(int(last), size - 1) if last else size - 1)
        if last and int(last) < int(first):
            return None
    if found.first >= size or not found.length:
        raise Unsatisfiable
    return found


def has_changed(headers: Mapping[str, str], tag: str, modified: float) -> bool:
    """Whether who asks lacks this state of the file (RFC 9110, 13): False is a 304."""
    if tags := headers.get("if-none-match"):
        given = {one.strip().removeprefix("W/") for one in tags.split(",")}
        return tag not in given and "*" not in given
    since = _seconds(headers.get("if-modified-since", ""))
    return since is None or int(modified) > since


def may_continue(headers: Mapping[str, str], tag: str, modified: float) -> bool:
    """Whether a range fits to what was sent before (If-Range); without the header it does."""
    given = headers.get("if-range")
    if not given:
        return True
    return given == tag if given.startswith(('"', "W/")) else _seconds(given) == int(modified)


def _seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None


# ---------------------------------------------------------------- the answer


class FileAnswer(Response):
    """An open file, whole or a range of it, with its validators; closes the file.

    Raises `Refused` (416) for a range beyond its end.

    Starlette's own answer opens a path, where this needs the very file that was checked; it
    refuses ranges that are to be ignored, and knows no 304.
    """

    def __init__(
        self,
        file: BinaryIO,
        facts: os.stat_result,
        *,
        tag: str,
        mime: str,
        request: Mapping[str, str],
        threads: Executor,
    ) -> None:
        self._file, self._threads = file, threads
        self._range = ByteRange(0, facts.st_size - 1)
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": tag,
            "Last-Modified": formatdate(facts.st_mtime, usegmt=True),
            "Cache-Control": "private, no-cache",
        }
        status, told = self._decide(facts, tag, request)
        super().__init__(b"", status, headers | told, mime)
        if status == 304:
            del self.headers["content-length"]
        else:
            self.headers["content-length"] = str(self._range.length)

    def _decide(
        self, facts: os.stat_result, tag: str, request: Mapping[str, str]
    ) -> tuple[int, dict[str, str]]:
        """The status, and the headers that go with it."""
        size = facts.st_size
        if not has_changed(request, tag, facts.st_mtime):
            self._range = ByteRange(0, -1)
            return 304, {}
        if "range" not in request or not may_continue(request, tag, facts.st_mtime):
            return 200, {}
        try:
            found = parse_range(request["range"], size)
        except Unsatisfiable as error:
            self._file.close()
            told = {"Content-Range": f"bytes */{size}"}
            raise Refused(416, f"the file has {size} bytes", headers=told) from error
        if found is None:
            return 200, {}
        self._range = found
        return 206, {"Content-Range": f"bytes {found.first}-{found.last}/{size}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            left = 0 if scope["method"] == "HEAD" else self._range.length
            self._file.seek(self._range.first)
            while left > 0:
                data = await self._read(min(left, _CHUNK))
                left -= len(data)
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _read(self, count: int) -> bytes:
        reading = asyncio.get_running_loop().run_in_executor(self._threads, self._file.read, count)
        try:
            data = await asyncio.shield(reading)
        except asyncio.CancelledError:
            await asyncio.wait((reading,))  # the file is closed after it is read
            raise
        if not data:
            raise OSError("the file became shorter while it was sent")
        return data

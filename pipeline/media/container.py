"""Opening a media file, and the clock of everything in it.

Everything that touches FFmpeg's demuxers starts here, so that what is wrong with a file is said
in one way. Zero on the clock is the container's start time, what a player shows as 0:00: the
timestamps of a transport stream may begin at 20 s, the clock does not.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import MediaError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

MICROSECONDS = 1_000_000  # libavformat's unit for container times
_HEAD = 4096  # bytes that are looked at to say what a file is
_HEADER = 8 << 20  # bytes searched for the marks of encryption
_PICTURES = ("image2", "_pipe", "ico", "webp_anim")
# Demuxers that open other files or addresses, or read text: a hostile file must not get there.
_LOCAL_ONLY = {"protocol_whitelist": "file"}


@contextmanager
def open_media(path: str | Path) -> Iterator[InputContainer]:
    """The demuxed file, closed at the end.

    Raises `MediaError` whose message says what the file is instead of a video. Errors of
    libav inside the block come out as `MediaError` too.
    """
    import av

    check_file(path)
    try:
        # Absolute, or "talk: part 1.mp4" would be taken for an address of protocol "talk".
        with av.open(
            os.path.abspath(path), metadata_errors="replace", options=dict(_LOCAL_ONLY)
        ) as container:
            if any(mark in container.format.name for mark in _PICTURES):
                raise MediaError(f"{_name(path)} is a picture, not a video")
            yield container
    except av.error.MemoryError as error:
        raise MemoryError(str(error)) from error
    except (av.FFmpegError, UnicodeError) as error:
        raise MediaError(_explain(path, error)) from error


def check_file(path: str | Path) -> None:
    """Raise `MediaError` for what need not be given to a demuxer: missing, empty, text."""
    path = Path(path)
    if path.is_dir():
        raise MediaError(f"{_name(path)} is a folder, not a video")
    try:
        size = path.stat().st_size
        head = _read(path, _HEAD)
    except OSError as error:
        raise MediaError(f"{_name(path)} cannot be read: {error.strerror or error}") from error
    if size == 0:
        raise MediaError(f"{_name(path)} is empty (0 bytes)", "copy or download it again")
    if head.startswith(b"version https://git-lfs"):
        raise MediaError(f"{_name(path)} is a git-lfs pointer, not the video", "git lfs pull")
    if is_text(head):
        raise MediaError(f"{_name(path)} is a text file, not a video")


# Device, inode, size, modification time: what tells a file from another put in its place.
Identity = tuple[int, int, int, int]


def identity(facts: os.stat_result) -> Identity:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


def check_same(path: str | Path, like: Sequence[int]) -> None:
    """Raise `MediaError` unless the file at `path` is the one with the identity `like`."""
    if identity(os.stat(path)) != tuple(like):
        raise MediaError(f"{_name(path)} was changed just now", f"footnote add {path}")


def claimed_duration(container: InputContainer) -> float:
    """Seconds the header promises, from zero on the clock; 0.0 when it says nothing."""
    if not container.duration:
        return 0.0
    seconds: float = container.duration / MICROSECONDS
    if "matroska" in container.format.name:
        seconds -= start_time(container)  # there it is where the last frame ends
    return max(0.0, seconds)


def start_time(container: InputContainer) -> float:
    """Seconds, in the container's own timestamps, of zero on the clock."""
    return container.start_time / MICROSECONDS if container.start_time else 0.0


def keep_only(container: InputContainer, *kept: Stream) -> None:
    """Let the demuxer skip the bytes of every other stream."""
    from av.stream import Discard

    indices = {stream.index for stream in kept}
    for stream in container.streams:
        if stream.index not in indices:
            stream.discard = Discard.all


def packets_end(container: InputContainer, streams: Sequence[Stream]) -> float:
    """Seconds on the clock at which the last packet of `streams` ends; nothing is decoded."""
    import av

    zero, claimed = start_time(container), claimed_duration(container)
    clocks = {stream.index: Clock(stream, zero, claimed) for stream in streams}
    try:
        for packet in container.demux(list(streams)) if streams else ():
            if packet.size and packet.pts is not None:
                duration = (packet.duration or 0) * number(packet.time_base)
                clocks[packet.stream_index].place(packet.pts, duration)
    except av.FFmpegError as error:
        if isinstance(error, av.error.MemoryError):
            raise MemoryError(str(error)) from error
        # What was read up to here is what there is.
    return max((clock.end for clock in clocks.values()), default=0.0)


class Clock:
    """Timestamps of one stream to seconds on the clock, never backwards.

    A missing timestamp, one that goes back and one that leaps further than the file is long
    (damaged files have them) continue from the frame before, by its duration.
    """

    _LEAP = 3600.0  # a longer hole is damage where the header gives no duration

    def __init__(self, stream: Stream, start: float, claimed: float) -> None:
        self._unit = float(stream.time_base) if stream.time_base else 0.0
        self._start = start
        self._limit = claimed + 60.0 if claimed else 0.0
        self.end = 0.0  # where what has been seen so far ends
        self._last = -1.0
        self.repaired = 0

    def place(self, pts: int | None, duration: float) -> float:
        """Seconds at which the frame with this timestamp shows, `duration` seconds long.

        Frames before zero on the clock are given negative times.
        """
        time = self.end if pts is None else pts * self._unit - self._start
        if pts is None or self._is_damaged(time):
            self.repaired += 1
            time = self.end
        self._last = time
        self.end = max(time + duration, 0.0)
        return time

    def _is_damaged(self, time: float) -> bool:
        if self._last >= 0 and time <= self._last:
            return True
        return time > self._limit if self._limit else time - self.end > self._LEAP


def _explain(path: str | Path, error: Exception) -> str:
    if is_encrypted(path):
        return f"{_name(path)} is encrypted (DRM); it cannot be read without its key"
    size = Path(path).stat().st_size if Path(path).exists() else 0
    if size < _HEAD:
        return f"{_name(path)} is not a video: only {size} bytes, and no media in them"
    reason = getattr(error, "strerror", None) or str(error)
    return f"{_name(path)} is damaged or not a media file ({reason[:1].lower()}{reason[1:]})"


def is_encrypted(path: str | Path) -> bool:
    """Whether an MP4's header names encrypted samples (ISO/IEC 23001-7: `encv`, `enca`)."""
    try:
        header = _read(path, _HEADER)
    except OSError:
        return False
    named = b"encv" in header or b"enca" in header
    return header[4:8] == b"ftyp" and named and b"sinf" in header


def _read(path: str | Path, count: int) -> bytes:
    with open(path, "rb") as file:
        return file.read(count)


def is_text(head: bytes) -> bool:
    """Playlists, notes, error pages: UTF-8 without a NUL or another control byte."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not any(character < " " and character not in "\t\r\n\f\x1b" for character in text)


def _name(path: Path | str) -> str:
    return Path(path).name


def number(value: Any) -> float:
    """A libav rational or None as a float; 0.0 for None and for a denominator of zero."""
    try:
        return float(value) if value else 0.0
    except (ZeroDivisionError, ValueError):
        return 0.0

"""Going to a time in a file without reading all that lies before it.

What is indexed is decoded in order (`frames`), since seeking trusts flags and indexes that lie in
some files. A viewer who jumps to a minute cannot wait for that, and sees at once what it gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import MediaError
from pipeline.media.container import (
    MICROSECONDS,
    Identity,
    check_same,
    number,
    open_media,
    start_time,
)
from pipeline.media.frames import Decoder, required_video

if TYPE_CHECKING:
    import av.packet
    import av.stream
    import av.video.stream
    from av.container import InputContainer

    from pipeline.types import Image

# Where a seek lands too late it is tried again from so many seconds before. Transport streams have
# no index: a seek finds a packet of about that time, and the next key frame may be seconds on.
_BACK = (0.0, 2.0, 10.0, 60.0)
_SAME_TIME = 0.0005
_LOOKED_AT = 20_000  # packets, to find a key frame in a stream whose flags are missing
_DELAY = 0.15  # seconds that a frame may show after its packet's time, where that is a guess
_LYING = 4  # key frames that turn out to be none, before the file is decoded from its beginning
_DECODED = 2_000  # frames, to reach the one that is asked for


@dataclass(frozen=True, slots=True)
class Place:
    """A point that a file can be read from, in seconds on the clock.

    `time`: when its key frame shows. `sought`: where the demuxer is sent to get there.
    """

    time: float
    sought: float


def key_place(container: InputContainer, stream: av.stream.Stream, seconds: float) -> Place:
    """The last key frame of `stream` at or before `seconds`; the file's beginning where there is
    none. Leaves the demuxer anywhere: see `go_to`.

    Reads the packets of the stream between the two, and decodes nothing.
    """
    import av

    for back in _BACK:
        sought = max(0.0, seconds - back)
        try:
            _seek(container, sought)
        except av.FFmpegError as error:
            if isinstance(error, av.error.MemoryError):
                raise MemoryError(str(error)) from error
            continue  # the end of what is there lies before it
        found = _last_key(container, stream, seconds)
        if found is not None:
            return Place(found, sought)
    return Place(0.0, 0.0)


def clean_place(
    container: InputContainer, video: av.video.stream.VideoStream, seconds: float
) -> Place:
    """As `key_place`, for who decodes: a key frame that the decoder does not show, or not whole, is
    none (intra refresh has such, and files whose flags lie), and one before it is taken."""
    place = key_place(container, video, seconds)
    for _ in range(_LYING):
        go_to(container, place)
        if place.time <= 0 or _shows(container, video, place.time):
            return place
        place = key_place(container, video, place.time - 2 * _SAME_TIME)
    return Place(0.0, 0.0)


def _shows(container: InputContainer, video: av.video.stream.VideoStream, key: float) -> bool:
    """Whether what the decoder shows first is the key frame at `key` seconds."""
    import av

    for packet in islice(container.demux(video), _DECODED):
        try:
            for frame in packet.decode():
                shown = key if frame.time is None else frame.time - start_time(container)
                return not frame.is_corrupt and shown <= key + _DELAY
        except av.FFmpegError as error:
            if isinstance(error, av.error.MemoryError):
                raise MemoryError(str(error)) from error
            return False
    return False


def go_to(container: InputContainer, place: Place) -> None:
    """Make the next packets those around `place`; the first ones may lie before it."""
    _seek(container, place.sought)


def _seek(container: InputContainer, seconds: float) -> None:
    container.seek(round((seconds + start_time(container)) * MICROSECONDS))


def _last_key(container: InputContainer, stream: av.stream.Stream, seconds: float) -> float | None:
    import av

    last, zero = None, start_time(container)
    try:
        for packet in islice(container.demux(stream), _LOOKED_AT):
            time = packet_time(packet, zero)
            if time is None:
                continue
            if packet.is_keyframe and time <= seconds + _SAME_TIME:
                last = time
            decoded_at = packet.dts if packet.dts is not None else packet.pts or 0
            if decoded_at * number(packet.time_base) - zero > seconds:
                break
    except av.FFmpegError as error:
        if isinstance(error, av.error.MemoryError):
            raise MemoryError(str(error)) from error
        # What could be read tells.
    return last


def packet_time(packet: av.packet.Packet, zero: float) -> float | None:
    """When what is in the packet shows, in seconds on the clock; None for a flush packet."""
    stamp = packet.pts if packet.pts is not None else packet.dts
    if stamp is None or not packet.size:
        return None
    return float(stamp * number(packet.time_base) - zero)


def picture_near(
    path: str | Path, seconds: float, side: int = 0, like: Identity | None = None
) -> tuple[float, Image]:
    """What the screen shows at `seconds`: (the frame's own time, RGB image as a viewer sees it).

    Costs decoding from the key frame before; see `frames.frames_at` for the exact frame of files
    whose flags lie. `side` > 0 limits the long side, in pixels. `like` is the file that is meant.
    Raises `MediaError` where nothing can be decoded there, and where it is another file.
    """
    with open_media(path) as container:
        if like is not None:
            check_same(path, like)
        video = required_video(container, path)
        decoder = Decoder(container, video)
        if seconds > 0:
            go_to(container, clean_place(container, video, seconds))
        shown = None
        for time, frame in islice(decoder, _DECODED):
            if shown is not None and time > seconds + _SAME_TIME:
                break
            shown = (time, frame)
        if shown is None:
            raise MediaError(f"{Path(path).name}: no picture near {seconds:g} s can be decoded")
        return shown[0], decoder.image(shown[1], side)

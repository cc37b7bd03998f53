"""Decoded pictures on the clock: in order, turned the way a viewer sees them, kept as JPEG.

Frames are always decoded in order from the first one. Seeking is faster and lies: key-frame
flags are wrong in real files, and the pictures that follow such a seek are garbage.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import MediaError
from pipeline.media.container import Clock, claimed_duration, number, open_media, start_time
from pipeline.media.probe import clockwise, display_size, video_stream
from pipeline.types import Image

if TYPE_CHECKING:
    import av.packet
    import av.video.frame
    import av.video.stream
    from av.container import InputContainer


PICTURE_SIDE = 1280  # pixels of the long side of a kept frame: enough to read a slide
_JPEG_QUALITY = 90
_SAME_TIME = 0.0005  # times that were rounded to milliseconds still mean their frame
_GUESSED_FRAME = 1 / 25  # seconds, where neither the frame nor the stream tells


@dataclass(frozen=True, slots=True)
class StillRun:
    """A stretch during which the picture stands still, with one frame of it for reading.

    `time` is that frame's. `moving`: the picture did not stand; the frame is the sharpest of
    the stretch, and what it shows need not last from `start` to `end`.
    """

    start: float
    end: float
    time: float
    path: Path
    moving: bool = False


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """A frame that stands for its shot.

    `hash` is 64 bits in hexadecimal, alike for pictures that look alike. `same_as` is the time
    of an earlier key frame that shows the same, None for a new picture. `novelty`, 0 to 1, is the
    share of the picture that none of the key frames shortly before has shown, less what always
    moves in its shot; 1 for the first.
    """

    time: float
    path: Path
    width: int
    height: int
    hash: str
    same_as: float | None = None
    novelty: float = 1.0


class Decoder:
    """One sequential pass over the packets of a container, decoding its video stream.

    Damaged packets are counted and passed over. Audio packets are only looked at, to learn
    where the sound ends.
    """

    def __init__(self, container: InputContainer, video: av.video.stream.VideoStream) -> None:
        from av.video.reformatter import VideoReformatter

        self._container = container
        self._video = video
        self._audio = list(container.streams.audio)
        zero, claimed = start_time(container), claimed_duration(container)
        self.clock = Clock(video, zero, claimed)
        self._audio_clocks = {s.index: Clock(s, zero, claimed) for s in self._audio}
        self.damaged_packets = 0
        self.frames = 0
        fps = number(video.average_rate or video.guessed_rate)
        self._usual = 1 / fps if 0 < fps <= 1000 else _GUESSED_FRAME
        self._reformatter = VideoReformatter()  # one: a new one per frame costs 5 ms
        self._pixel = number(video.sample_aspect_ratio)
        video.thread_type = "AUTO"

    @property
    def audio_end(self) -> float:
        """Seconds on the clock at which the last audio packet read so far ends."""
        return max((clock.end for clock in self._audio_clocks.values()), default=0.0)

    def image(self, frame: av.video.frame.VideoFrame, side: int = 0) -> Image:
        """(height, width, 3) RGB with square pixels, turned as a viewer sees it.

        `side` > 0 limits the long side, in pixels.
        """
        width, height = display_size(frame.width, frame.height, self._pixel)
        scale = min(1.0, side / max(width, height)) if side else 1.0
        small = self._reformatter.reformat(
            frame,
            width=max(1, round(width * scale)),
            height=max(1, round(height * scale)),
            format="rgb24",
        )
        turns = -clockwise(frame.rotation) // 90
        return np.ascontiguousarray(np.rot90(small.to_ndarray(), turns), np.uint8)

    def __iter__(self) -> Iterator[tuple[float, av.video.frame.VideoFrame]]:
        """(seconds on the clock, frame) in the order in which they are shown."""
        unit = number(self._video.time_base)
        place, index = self.clock.place, self._video.index
        for packet in self._packets():
            if packet is not None and packet.stream_index != index:
                self._hear(packet)
                continue
            for frame in self._decode(packet):
                self.frames += 1
                time = place(frame.pts, (frame.duration or 0) * unit or self._usual)
                if time >= 0:
                    yield time, frame

    def _packets(self) -> Iterator[av.packet.Packet | None]:
        """Packets up to the end, or up to where the file cannot be read; then None: a flush."""
        import av

        packets = self._container.demux([self._video, *self._audio])
        try:
            for packet in packets:
                if packet.size:  # the demuxer's own flush packets do not say whose they are
                    yield packet
        except av.FFmpegError as error:
            if isinstance(error, av.error.MemoryError):
                raise MemoryError(str(error)) from error
            self.damaged_packets += 1
        yield None

    def _decode(self, packet: av.packet.Packet | None) -> list[av.video.frame.VideoFrame]:
        import av

        try:
            return list(self._video.decode(packet))
        except av.error.MemoryError as error:
            raise MemoryError(str(error)) from error
        except av.FFmpegError:
            self.damaged_packets += 1
            return []

    def _hear(self, packet: av.packet.Packet) -> None:
        if packet.size and packet.pts is not None:
            duration = (packet.duration or 0) * number(packet.time_base)
            self._audio_clocks[packet.stream_index].place(packet.pts, duration)


def frames_at(path: str | Path, times: Iterable[float]) -> list[tuple[float, Image]]:
    """What the screen shows at each of `times`: (the frame's own time, RGB image), ascending.

    The frame of a time is the last one that begins at or before it (to the millisecond), the
    first frame for a time before it, the last for a time after the end. Costs decoding up to
    the last time. Raises `MediaError` where there is no video that can be decoded.
    """
    return list(_frames_at(path, sorted(times)))


def save_frames_at(
    path: str | Path, times: Iterable[float], folder: Path
) -> list[tuple[float, Path]]:
    """`frames_at` with the images kept in `folder`, for a caller in another process."""
    return [
        (time, write_picture(folder, time, image))
        for time, image in _frames_at(path, sorted(times))
    ]


def _frames_at(path: str | Path, times: Sequence[float]) -> Iterator[tuple[float, Image]]:
    waiting = deque(times)
    before: tuple[float, av.video.frame.VideoFrame] | None = None
    with open_media(path) as container:
        decoder = Decoder(container, required_video(container, path))
        for time, frame in decoder:
            while before and waiting and waiting[0] + _SAME_TIME < time:
                waiting.popleft()
                yield before[0], decoder.image(before[1])
            before = (time, frame)
            if not waiting:
                return
        if before is None:
            raise MediaError(f"{Path(path).name}: no picture of it can be decoded")
        for _ in waiting:
            yield before[0], decoder.image(before[1])


def key_frames(path: str | Path, spacing: float = 0.0) -> Iterator[tuple[float, Image]]:
    """(time, RGB image) of frames that decode on their own, at least `spacing` seconds apart.

    Cheap, since all other frames are skipped, and only as good as the file's key-frame flags.
    """
    with open_media(path) as container:
        video = required_video(container, path)
        video.codec_context.skip_frame = "NONKEY"
        decoder = Decoder(container, video)
        due = 0.0
        for time, frame in decoder:
            if time >= due and not frame.is_corrupt:
                due = time + spacing
                yield time, decoder.image(frame)


def required_video(container: InputContainer, path: str | Path) -> av.video.stream.VideoStream:
    """The container's video stream; `MediaError` when there is none that can be decoded."""
    video = video_stream(container)
    if video is None or video.codec_context is None:
        raise MediaError(f"{Path(path).name} has no video that can be decoded")
    return video


# ---------------------------------------------------------------- pictures


def write_picture(folder: Path, time: float, image: Image) -> Path:
    """Keep an RGB image as JPEG under a name made of its time, whole or not at all."""
    import cv2

    path = folder / picture_name(time)
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(data.tobytes())
    draft.replace(path)
    return path


def picture_name(time: float) -> str:
    """Names sort by time: 12.345 s is `000012.345.jpg`."""
    return f"{time:010.3f}.jpg"

"""A stretch of a file, decoded: its pictures and its sound from one second to another.

What is cut out of a long file must not cost decoding all of it, so this seeks, and does not trust
where it lands: a few seconds before the stretch are decoded too, and where they are damaged, or
begin too late, everything is decoded in order from the first frame. Containers whose timestamps
are guesses after a seek (MP3) are always read in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.media.audio import choose_track
from pipeline.media.container import (
    MICROSECONDS,
    claimed_duration,
    keep_only,
    number,
    open_media,
    start_time,
)
from pipeline.media.frames import Decoder
from pipeline.media.probe import clockwise, display_size, video_stream

if TYPE_CHECKING:
    import av.audio.frame
    import av.audio.stream
    import av.video.frame
    import av.video.stream
    from av.container import InputContainer
    from av.stream import Stream

Timed = tuple[float, "av.video.frame.VideoFrame"]
Samples = NDArray[np.float32]  # (channels, n), in [-1, 1]

_RUN_UP = 5.0  # seconds before a stretch that are decoded to see whether a seek landed well
_SOUND_RUN_UP = 2.0  # what decoders of sound need to settle, and more than interleaving is off
_TOLERANCE = 0.05  # seconds that a timestamp of sound may be off, as in `audio`
_LATE = 0.001  # times that were rounded to milliseconds
# Containers that store when a packet is shown, rather than have it guessed from its place.
_STAMPED = ("mov", "matroska", "mpegts", "mpeg", "flv", "asf", "avi", "wav", "flac")
_FASTEST = 300  # frames a second; more is a wrong header, not a camera


@dataclass(frozen=True, slots=True)
class Footage:
    """What an editor must know of a file. `rate` (frames a second) and the size are 0 without a
    picture, `sound_rate` and `channels` without sound; the size is what a viewer sees.

    `timecode` is that of the first frame as the camera wrote it (`01:00:00:00`, `;` before the
    frames where numbers are dropped), "" where it wrote none.
    """

    duration: float
    rate: Fraction = Fraction(0)
    width: int = 0
    height: int = 0
    sound_rate: int = 0
    channels: int = 0
    timecode: str = ""


def footage_of(path: str | Path) -> Footage:
    """Facts of the header, milliseconds of work. Raises `MediaError`."""
    with open_media(path) as container:
        video, track = video_stream(container), choose_track(container)
        tags = [stream.metadata for stream in container.streams] + [container.metadata]
        timecode = next((t["timecode"] for t in tags if t.get("timecode")), "")
        facts = Footage(claimed_duration(container), timecode=timecode)
        if track is not None:
            layout = track.codec_context.layout
            rate, channels = track.codec_context.sample_rate or 0, layout.nb_channels
            facts = Footage(facts.duration, sound_rate=rate, channels=channels, timecode=timecode)
        if video is None or video.codec_context is None:
            return facts
        rate = Fraction(video.average_rate or video.guessed_rate or 0)
        context = video.codec_context
        width, height = display_size(context.width, context.height, video.sample_aspect_ratio)
        turned = next((frame.rotation for _, frame in decoded(container, video)), 0)
        if clockwise(turned) in (90, 270):
            width, height = height, width
        rate = rate if 0 < rate <= _FASTEST else Fraction(0)
        return Footage(
            facts.duration, rate, width, height, facts.sound_rate, facts.channels, timecode
        )


# ---------------------------------------------------------------- pictures


class Pictures:
    """The pictures of a stretch: (seconds on the clock, frame), in the order they are shown.

    The first is what stands on the screen at `start` (its own time may be earlier), all others
    begin before `end`. None where the file has no picture, or none before `end`. `in_order` says
    that it was read from its first frame on.
    """

    def __init__(self, path: str | Path, start: float, end: float) -> None:
        self._path, self._start, self._end = path, start, end
        self.in_order = False

    def __iter__(self) -> Iterator[Timed]:
        if self._start > _RUN_UP:
            with open_media(self._path) as container:
                found = self._landed(container)
                if found is not None:
                    yield from self._rest(*found)
                    return
        with open_media(self._path) as container:
            video = video_stream(container)
            if video is not None and video.codec_context is not None:
                self.in_order = True
                yield from self._rest(None, decoded(container, video))

    def _landed(self, container: InputContainer) -> tuple[Timed, Iterator[Timed]] | None:
        """(the last frame up to the start, those after it); None where a seek cannot be trusted."""
        video = video_stream(container)
        if video is None or video.codec_context is None:
            return None
        if not seek(container, video, self._start - _RUN_UP):
            return None
        keep_only(container, video)
        decoder = Decoder(container, video)
        frames = iter(decoder)
        before: Timed | None = None
        for time, frame in frames:
            if before is None and not frame.key_frame:
                continue  # it leans on pictures before the one that was sought
            if frame.is_corrupt or decoder.damaged_packets:
                return None
            if time > self._start + _LATE:
                return None if before is None else (before, chain([(time, frame)], frames))
            before = (time, frame)
        return None  # it ended before the start: reading all of it tells the last frame

    def _rest(self, before: Timed | None, frames: Iterator[Timed]) -> Iterator[Timed]:
        for time, frame in frames:
            if time <= self._start + _LATE:
                before = (time, frame)
                continue
            if before:
                yield before
                before = None
            if time >= self._end - _LATE:
                return
            yield time, frame
        if before:
            yield before


def decoded(container: InputContainer, video: av.video.stream.VideoStream) -> Iterator[Timed]:
    """Every frame from where the container is, with its time on the clock."""
    keep_only(container, video)
    return iter(Decoder(container, video))


def seek(container: InputContainer, stream: Stream, time: float) -> bool:
    """Go to a key frame at or before `time` seconds on the clock; False where the container cannot
    be trusted to (it is then where it was). The caller checks where it is."""
    import av

    stamped = any(name in container.format.name for name in _STAMPED)
    if not stamped or not claimed_duration(container) or not stream.time_base:
        return False
    wanted = max(0.0, time) + start_time(container)
    try:
        container.seek(int(wanted / number(stream.time_base)), stream=stream, backward=True)
    except av.FFmpegError as error:
        if isinstance(error, av.error.MemoryError):
            raise MemoryError(str(error)) from error
        container.seek(round(start_time(container) * MICROSECONDS), backward=True)
        return False
    return True


# ---------------------------------------------------------------- sound


def sound_between(
    path: str | Path, start: float, end: float, rate: int, layout: str
) -> Iterator[Samples]:
    """The sound of a stretch in pieces, exactly round((end - start) * rate) samples in all.

    `layout` is "mono", "stereo" or another of libav's. Silence where the track begins later, has a
    hole or ends; none at all, not even silence, where there is no track.
    """
    for seeking in (True, False):
        with open_media(path) as container:
            track = choose_track(container)
            if track is None:
                return
            keep_only(container, track)
            if seeking and not (
                start > _SOUND_RUN_UP and seek(container, track, start - _SOUND_RUN_UP)
            ):
                continue
            frames = _decoded_sound(container, track)
            first = next(frames, None)
            if seeking and (first is None or first[0] is None or first[0] > start):
                continue
            placed = _Placed(start, end, rate, layout)
            for time, frame in chain([first] if first else [], frames):
                yield from placed.take(time, frame)
                if placed.done:
                    break
            yield from placed.finish()
            return


def _decoded_sound(
    container: InputContainer, track: av.audio.stream.AudioStream
) -> Iterator[tuple[float | None, av.audio.frame.AudioFrame]]:
    """Frames with their seconds on the clock; damaged packets are passed over."""
    import av

    zero, packets = start_time(container), container.demux(track)
    while True:
        try:
            packet = next(packets)
            frames = packet.decode()
        except StopIteration:
            return
        except av.error.MemoryError as error:
            raise MemoryError(str(error)) from error
        except av.error.InvalidDataError:
            continue
        except av.FFmpegError:
            return  # what was read up to here is what there is
        for frame in frames:
            time = None if frame.pts is None else frame.pts * number(frame.time_base) - zero
            yield time, frame


class _Placed:
    """Frames of sound put where their time says: what repeats is left out, holes are silence."""

    def __init__(self, start: float, end: float, rate: int, layout: str) -> None:
        from av.audio.layout import AudioLayout

        self._start, self._rate, self._layout = start, rate, layout
        self._count = round((end - start) * rate)
        self._channels = AudioLayout(layout).nb_channels
        self._written = 0
        self._at = 0  # the sample at which the next one of this piece goes
        self._end: float | None = None  # seconds; where the piece ends
        self._format: tuple[object, ...] = ()
        self._resampler: av.AudioResampler | None = None

    @property
    def done(self) -> bool:
        return self._written >= self._count

    def take(self, time: float | None, frame: av.audio.frame.AudioFrame) -> Iterator[Samples]:
        """`time` in seconds on the clock, None where the frame has none."""
        from av.audio.resampler import AudioResampler

        end = self._end
        if time is None or (end is not None and time < end - 1.0):
            time = end or 0.0
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if end is None or form != self._format or abs(time - end) > _TOLERANCE:
            yield from self._flush()
            self._resampler = AudioResampler("fltp", self._layout, self._rate)
            self._format, self._end = form, time
            self._at = round((time - self._start) * self._rate)
        assert self._resampler is not None and self._end is not None
        self._end += frame.samples / frame.sample_rate
        frame.pts = None  # the filter behind the resampler wants timestamps that do not jump
        for part in self._resampler.resample(frame):
            yield from self._place(part.to_ndarray())

    def finish(self) -> Iterator[Samples]:
        yield from self._flush()
        yield from self._silence(self._count - self._written)

    def _flush(self) -> Iterator[Samples]:
        if self._resampler is not None:
            for part in self._resampler.resample(None):
                yield from self._place(part.to_ndarray())
        self._resampler = None

    def _place(self, samples: Samples) -> Iterator[Samples]:
        begin = max(self._at, self._written)
        kept = samples[:, begin - self._at : max(0, self._count - self._at)]
        self._at += samples.shape[1]
        if kept.shape[1]:
            yield from self._silence(begin - self._written)
            self._written += kept.shape[1]
            yield np.ascontiguousarray(kept, np.float32)

    def _silence(self, count: int) -> Iterator[Samples]:
        while count > 0:
            part = min(count, self._rate)
            self._written += part
            count -= part
            yield np.zeros((self._channels, part), np.float32)

"""Sound as 16 kHz mono float32 on the clock: sample i is what is heard at i / 16,000 s.

A track that begins late is preceded by silence, a hole in it is silence, and what repeats is
left out, so that the times of a transcript need no correction. It goes to a file of 16-bit samples,
ten hours are 1.2 GB, and only the parts that are asked for are ever in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from pipeline.errors import MediaError
from pipeline.media import language as languages
from pipeline.media.container import claimed_duration, keep_only, number, open_media, start_time
from pipeline.media.levels import LevelMeter
from pipeline.types import SAMPLE_RATE, Audio, Levels

if TYPE_CHECKING:
    import av.audio.frame
    import av.audio.stream
    from av.container import InputContainer

# A timestamp may be off by so much before silence is put in or sound left out: containers round
# to milliseconds, and a correction at every frame would be heard.
_TOLERANCE = 0.05
_BACK = 1.0  # seconds; what leaps back further is damage, not an overlap
_LEAP = 3600.0  # seconds; a longer hole is damage where the header gives no duration
_SAMPLE = np.dtype("<i2")
_REPORT = 10.0  # seconds of sound between two calls of `progress`


@dataclass(frozen=True, slots=True)
class Sound:
    """A file of raw 16-bit samples. `stream` is the index of the track it is from, `levels` how
    loud its two channels were, where that was asked for."""

    path: Path
    count: int
    stream: int
    problems: tuple[str, ...] = ()
    levels: Levels = field(default_factory=lambda: np.zeros((0, 0), np.float32), compare=False)

    @property
    def duration(self) -> float:
        return self.count / SAMPLE_RATE

    def samples(self) -> SoundFile:
        """`samples()[first:last]` are read from the file whenever they are asked for."""
        return SoundFile(self.path, self.count)


@dataclass(frozen=True, slots=True)
class SoundFile:
    """The samples of a file, in [-1, 1]. Mapped, they would count as memory once they were seen."""

    path: Path
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, part: slice, /) -> Audio:
        """(last - first,) float32, exactly what was decoded; one after the other, no steps."""
        first, last, _ = part.indices(self.count)
        count = max(0, last - first)
        read = np.fromfile(self.path, _SAMPLE, count, offset=first * _SAMPLE.itemsize)
        return read.astype(np.float32) / np.float32(32768)


def read_audio(
    path: str | Path,
    target: str | Path,
    *,
    stream: int | None = None,
    language: str = "",
    levels: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Sound:
    """Decode one audio track into the file `target`.

    The track is the one with index `stream`, else the default one, else the first; among those
    in `language` (ISO 639-1) where there are any. `progress` is called with the seconds done.
    Raises `MediaError` when there is no track or nothing of it can be decoded.
    """
    target = Path(target)
    with open_media(path) as container:
        track = choose_track(container, stream, language)
        if track is None:
            raise MediaError(f"{Path(path).name} has no sound that can be decoded")
        keep_only(container, track)
        with target.open("wb") as file:
            meter = LevelMeter() if levels else None
            recorder = _Recorder(file, claimed_duration(container), meter)
            damaged = _record(container, track, recorder, progress)
        if not recorder.count:
            raise MediaError(f"{Path(path).name}: none of its sound can be decoded")
        problems = (f"damaged pieces of the sound left out: {damaged}",) if damaged else ()
        sound = Sound(target, recorder.count, track.index, problems)
        return replace(sound, levels=meter.levels()) if meter else sound


def choose_track(
    container: InputContainer, index: int | None = None, language: str = ""
) -> av.audio.stream.AudioStream | None:
    """The track that a viewer hears; descriptions for the blind and comments come last."""
    from av.stream import Disposition

    aside = Disposition.visual_impaired | Disposition.comment | Disposition.descriptions

    def rank(track: av.audio.stream.AudioStream) -> tuple[bool, bool, bool]:
        other = bool(language) and languages.normal(track.language) != languages.normal(language)
        default = bool(track.disposition & Disposition.default)
        return other, bool(track.disposition & aside), not default

    tracks = [track for track in container.streams.audio if track.codec_context is not None]
    if index is not None:
        return next((track for track in tracks if track.index == index), None)
    return min(tracks, key=rank, default=None)


def _record(
    container: InputContainer,
    track: av.audio.stream.AudioStream,
    recorder: _Recorder,
    progress: Callable[[float], None] | None,
) -> int:
    """Give every frame to the recorder; returns how many packets could not be decoded."""
    frames = _Frames(container, track)
    zero, due = start_time(container), _REPORT
    for frame in frames:
        time = None if frame.pts is None else frame.pts * number(frame.time_base) - zero
        recorder.take(frame, time)
        if progress and recorder.end >= due:
            progress(recorder.end)
            due = recorder.end + _REPORT
    recorder.flush()
    return frames.damaged


class _Frames:
    """Decoded frames in order; damaged packets are counted and passed over."""

    def __init__(self, container: InputContainer, track: av.audio.stream.AudioStream) -> None:
        self._container = container
        self._track = track
        self.damaged = 0

    def __iter__(self) -> Iterator[av.audio.frame.AudioFrame]:
        import av

        packets = self._container.demux(self._track)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as error:
                self._count(error)
                return
            try:
                yield from packet.decode()
            except av.FFmpegError as error:
                self._count(error)

    def _count(self, error: Exception) -> None:
        import av

        if isinstance(error, av.error.MemoryError):
            raise MemoryError(str(error)) from error
        self.damaged += 1


class _Recorder:
    """Resamples frames and writes them where their time says.

    Frames that follow each other are one piece and go through one resampler; a jump in time or
    another format begins a new piece.
    """

    def __init__(self, file: BinaryIO, claimed: float, meter: LevelMeter | None = None) -> None:
        self._file = file
        self._meter = meter
        self._limit = claimed + 60.0 if claimed else 0.0
        self._resampler: av.AudioResampler | None = None
        self._format: tuple[object, ...] = ()
        self._at = 0  # the sample at which the next one of this piece goes
        self.end = 0.0  # seconds; where the piece ends, by its frames
        self.count = 0  # samples in the file

    def take(self, frame: av.audio.frame.AudioFrame, time: float | None) -> None:
        """`time` in seconds on the clock, None where the frame has none."""
        if time is None or self._is_damaged(time):
            time = self.end
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self._format or abs(time - self.end) > _TOLERANCE:
            self.flush()
            self._begin(time, form)
        assert self._resampler is not None
        if self._meter:
            self._meter.take(frame, self.end)
        # The filter behind the resampler wants timestamps that do not jump.
        frame.pts = None
        for part in self._resampler.resample(frame):
            self._write(part.to_ndarray())
        self.end += frame.samples / frame.sample_rate

    def flush(self) -> None:
        """Write what the resampler still holds; the piece ends."""
        if self._resampler is not None:
            for part in self._resampler.resample(None):
                self._write(part.to_ndarray())
        self._resampler, self._format = None, ()

    def _begin(self, time: float, form: tuple[object, ...]) -> None:
        from av.audio.resampler import AudioResampler

        self._resampler = AudioResampler("s16", "mono", SAMPLE_RATE)
        self._format, self.end, self._at = form, time, round(time * SAMPLE_RATE)

    def _write(self, samples: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> None:
        """Samples before zero on the clock, or where there is sound already, are left out."""
        flat = samples.ravel()
        begin = max(self._at, self.count, 0)
        kept = flat[begin - self._at :]
        self._at += len(flat)
        if len(kept):
            # Seeking past the end leaves a hole that reads as silence.
            self._file.seek(begin * _SAMPLE.itemsize)
            self._file.write(kept.astype(_SAMPLE, copy=False).tobytes())
            self.count = begin + len(kept)

    def _is_damaged(self, time: float) -> bool:
        if self._format and time < self.end - _BACK:
            return True
        return time > self._limit if self._limit else time - self.end > _LEAP

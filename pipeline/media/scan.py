"""One pass over a video's pictures: how long it is, its shots, and frames worth keeping."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from pipeline.errors import MediaError
from pipeline.media.container import claimed_duration, is_encrypted, open_media, packets_end
from pipeline.media.frames import PICTURE_SIDE, Decoder, StillRun, write_picture
from pipeline.media.picture import Picture
from pipeline.media.probe import video_stream
from pipeline.media.shots import (
    AHEAD,
    MIN_SHOT,
    CutFinder,
    Kept,
    KeyFrameChooser,
    Shot,
    is_blank,
    merge_cuts,
    sharpness,
    slide_changes,
    small_luma,
)
from pipeline.media.stills import StillFinder, Stretch

if TYPE_CHECKING:
    from av.container import InputContainer

_WINDOW_BYTES = 256 << 20  # of decoded pictures held at once, whatever their size
_FEW = 0.01  # share of frames without a usable time that is not worth a word
_MISSING = 1.0  # seconds by which a header may be wrong before it is worth a word


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass over a video's pictures found.

    `duration` is where the last picture or sound that could be read ends, in seconds on the
    clock; `video_end` where the last picture does. Shots follow each other without a gap from
    the first picture to `video_end`; stills are in order and do not overlap. All is empty for
    a file without pictures. `problems` are lines for people.
    """

    duration: float
    video_end: float
    frames: int
    shots: tuple[Shot, ...]
    stills: tuple[StillRun, ...]
    problems: tuple[str, ...] = ()


def scan_video(
    path: str | Path,
    folder: str | Path,
    *,
    frames_per_second: float = 2.0,
    key_frames_per_shot: int = 3,
    progress: Callable[[float], None] | None = None,
) -> Scan:
    """Decode the video stream once; keep pictures in `folder` as `<seconds>.jpg`.

    `frames_per_second` is how often the screen is looked at. `progress` is called with the
    seconds done. Raises `MediaError` when nothing in the file can be read, with what is wrong.
    """
    with open_media(path) as container:
        stream = video_stream(container)
        claimed = claimed_duration(container)
        if stream is None or stream.codec_context is None:
            return _without_pictures(path, container, stream is not None, claimed)
        decoder = Decoder(container, stream)
        pass_ = _Pass(decoder, Path(folder), key_frames_per_shot)
        for window, ahead in _windows(decoder, 1 / frames_per_second):
            pass_.take(window, ahead)
            if progress:
                progress(window[-1].time)
        shots, stills = pass_.finish()
        duration = max(decoder.audio_end, pass_.end)
        if duration <= 0:
            raise MediaError(_nothing(path, claimed))
        return Scan(
            duration=duration,
            video_end=pass_.end,
            frames=decoder.frames,
            shots=shots,
            stills=stills,
            problems=_problems(decoder, duration, claimed),
        )


def _without_pictures(
    path: str | Path, container: InputContainer, unreadable: bool, claimed: float
) -> Scan:
    duration = packets_end(container, container.streams.audio)
    if duration <= 0:
        raise MediaError(_nothing(path, claimed))
    problems = ["there is no decoder for its pictures"] if unreadable else []
    problems += _missing(duration, claimed)
    return Scan(duration, 0.0, 0, (), (), tuple(problems))


def _windows(decoder: Decoder, period: float) -> Iterator[tuple[list[Picture], list[Picture]]]:
    """(pictures of about `period` seconds, what follows them); the first is one picture alone."""
    pending: list[Picture] = []
    due, most = 0.0, 0
    for time, frame in decoder:
        pending.append(Picture(time, frame))
        most = most or max(2 * AHEAD, _WINDOW_BYTES // (frame.width * frame.height * 2 + 1))
        if len(pending) > AHEAD and (pending[-1 - AHEAD].time >= due or len(pending) >= most):
            window, pending = pending[:-AHEAD], pending[-AHEAD:]
            due = window[-1].time + period
            yield window, pending
    if pending:
        yield pending, []


class _Pass:
    """What accumulates while the pictures go by."""

    def __init__(self, decoder: Decoder, folder: Path, key_frames_per_shot: int) -> None:
        self._decoder = decoder
        self._folder = folder
        self._chooser = KeyFrameChooser(key_frames_per_shot)
        self._cut_finder = CutFinder()
        self._still_finder = StillFinder()
        self._cuts: list[float] = []
        self._brightness: list[tuple[float, float]] = []  # (time, mean luma, 0 to 255)
        self._stills: list[StillRun] = []
        self._kept: list[Kept] = []

    @property
    def end(self) -> float:
        return self._decoder.clock.end if self._brightness else 0.0

    def take(self, window: list[Picture], ahead: list[Picture]) -> None:
        if not self._cuts:
            self._cuts.append(window[0].time)
        cuts = self._cut_finder.find(window, ahead)
        self._cuts += cuts
        self._brightness.append((window[-1].time, float(window[-1].tiny()[0].mean())))
        for stretch in self._still_finder.feed(window, cuts):
            self._keep(stretch)

    def finish(self) -> tuple[tuple[Shot, ...], tuple[StillRun, ...]]:
        for stretch in self._still_finder.finish(self.end):
            self._keep(stretch)
        borders = [*merge_cuts(self._cuts, slide_changes(self._kept)), self.end]
        shots = tuple(self._shot(start, end) for start, end in pairwise(borders) if start < end)
        return shots, tuple(self._stills)

    def _keep(self, stretch: Stretch) -> None:
        picture = stretch.picture
        if is_blank(picture.thumb()):
            return
        image = self._decoder.image(picture.frame, PICTURE_SIDE)
        path = write_picture(self._folder, picture.time, image)
        self._stills.append(
            StillRun(stretch.start, stretch.end, picture.time, path, stretch.moving)
        )
        self._kept.append(
            Kept(
                time=picture.time,
                start=stretch.start,
                end=stretch.end,
                moving=stretch.moving,
                path=path,
                width=image.shape[1],
                height=image.shape[0],
                small=small_luma(picture.thumb()),
                sharpness=sharpness(picture.thumb()),
            )
        )

    def _shot(self, start: float, end: float) -> Shot:
        brightness = _mean(self._brightness, start, end)
        # The change at the cut itself is not motion.
        motion = _mean(self._cut_finder.motion, start + MIN_SHOT / 2, end)
        kept = [picture for picture in self._kept if start <= picture.time < end]
        return Shot(start, end, self._chooser.choose(kept), brightness / 255, motion / 255)


def _mean(samples: Sequence[tuple[float, float]], start: float, end: float) -> float:
    """Mean of the values with start <= time < end; 0.0 where there are none."""
    first = bisect_left(samples, start, key=itemgetter(0))
    last = bisect_left(samples, end, key=itemgetter(0))
    values = [value for _, value in samples[first:last]]
    return fmean(values) if values else 0.0


def _problems(decoder: Decoder, duration: float, claimed: float) -> tuple[str, ...]:
    problems = _missing(duration, claimed)
    if not decoder.frames:
        problems.append("none of its pictures could be decoded")
    elif decoder.damaged_packets:
        problems.append(f"damaged pieces of the video left out: {decoder.damaged_packets}")
    if decoder.clock.repaired > _FEW * decoder.frames:
        problems.append(f"pictures whose time had to be guessed: {decoder.clock.repaired}")
    return tuple(problems)


def _missing(duration: float, claimed: float) -> list[str]:
    if claimed - duration <= max(_MISSING, 0.02 * claimed):
        return []
    return [f"the header says {claimed:.1f} s but only {duration:.1f} s could be decoded"]


def _nothing(path: str | Path, claimed: float) -> str:
    name, size = Path(path).name, Path(path).stat().st_size
    if is_encrypted(path):
        return f"{name} is encrypted (DRM); it cannot be read without its key"
    said = f"; its header says {claimed:.1f} s" if claimed else ""
    return f"{name}: no picture and no sound in its {size:,} bytes could be decoded{said}"

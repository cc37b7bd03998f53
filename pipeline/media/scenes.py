"""The scenes of a reel: title cards, and parts of videos brought to one size, rate and loudness.

Each is a file of its own until all are joined, so that a video that breaks its decoder costs one
scene. Pictures are H.264 already and are joined as they are; sound stays uncompressed until then,
since compressed sound cannot be joined without gaps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import MediaError
from pipeline.media.canvas import Canvas, Planes, parts_of
from pipeline.media.film import Film, SoundForm, SoundTrack, chapter, header_options
from pipeline.media.footage import Pictures, Samples, sound_between
from pipeline.media.lettering import Card, Font, Ink, chosen_font, draw_card, draw_subtitle
from pipeline.media.loudness import LoudnessMeter

SOUND = SoundForm(48_000, "stereo")
SCENE_SUFFIX = ".mov"  # takes H.264 with uncompressed sound, and exact times
_BLACK, _WHITE, _NEUTRAL = 16, 235, 128  # of 8-bit video with limited range (ITU-R BT.601)
_LATE = 0.001


@dataclass(frozen=True, slots=True)
class Cue:
    """A subtitle; seconds from the beginning of what it belongs to."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Look:
    """What all scenes share: (width, height), frames a second, seconds of the fades at both ends,
    and the path of a font, "" to choose one."""

    size: tuple[int, int]
    rate: Fraction
    fade: float = 0.2
    font: str = ""

    def frames(self, seconds: float) -> int:
        """Whole frames, one at least, that last `seconds` or a little longer."""
        return max(1, math.ceil(seconds * self.rate - _LATE))


def film_card(card: Card, frames: int, target: str, look: Look) -> None:
    """A title card, silent. Raises `SettingsError` for a font that cannot be read."""
    planes = as_planes(draw_card(card, look.size, _font(look, card.title, *card.lines)))
    with Film(target, look.size, look.rate, SOUND, steady=True, sound_codec="pcm_s16le") as film:
        film.sound(np.zeros((2, round(frames * SOUND.rate / look.rate)), np.float32))
        for number in range(frames):
            film.picture(number / look.rate, _faded(planes, _strength(number, frames, look)))
        film.finish(frames / look.rate)


def film_stretch(
    path: str, start: float, frames: int, cues: Sequence[Cue], still: Card, target: str, look: Look
) -> float:
    """`frames` of a video from `start` seconds on, with `cues` burned in; the gain of its sound.

    Where it has no picture, `still` stands instead; where it has no sound, it is silent. Decodes
    the sound twice: loudness is known at its end. Raises `MediaError`, `SettingsError`.
    """
    end = start + float(frames / look.rate)
    meter = LoudnessMeter(SOUND.rate)
    for part in sound_between(path, start, end, SOUND.rate, SOUND.layout):
        meter.take(part)
    gain = meter.gain()
    sounds = _levelled(path, start, frames, gain, look)
    font = _font(look, *(cue.text for cue in cues))
    inks = _Subtitles(cues, look.size, font)
    with Film(target, look.size, look.rate, SOUND, steady=True, sound_codec="pcm_s16le") as film:
        heard = 0
        for number, planes in enumerate(_sampled(path, start, end, frames, still, look)):
            due = (number + 1) * SOUND.rate / look.rate
            while heard <= due and (sound := next(sounds, None)) is not None:
                film.sound(sound)
                heard += sound.shape[1]
            shown = inks.burned(planes, float(number / look.rate))
            film.picture(number / look.rate, _faded(shown, _strength(number, frames, look)))
        for part in sounds:
            film.sound(part)
        film.finish(frames / look.rate)
    return gain


# ---------------------------------------------------------------- pictures


def _sampled(
    path: str, start: float, end: float, frames: int, still: Card, look: Look
) -> Iterator[Planes]:
    """What stands on the screen at each of `frames` times, fitted into the size on black."""
    pictures = iter(Pictures(path, start, end))
    current = next(pictures, None)
    if current is None:
        font = _font(look, still.title, *still.lines)
        planes = as_planes(draw_card(still, look.size, font))
        yield from (planes for _ in range(frames))
        return
    canvas = Canvas(path, current[1], look.size)
    following = next(pictures, None)
    planes = _framed(canvas.planes(current[1]), look.size)
    for number in range(frames):
        time, stale = start + float(number / look.rate), False
        while following is not None and following[0] <= time + _LATE:
            current, following, stale = following, next(pictures, None), True
        if stale:
            planes = _framed(canvas.planes(current[1]), look.size)
        yield planes


def _framed(planes: Planes, size: tuple[int, int]) -> Planes:
    """Planes in the middle of a black picture of `size`."""
    width, height = size
    if planes.shape == (height * 3 // 2, width):
        return planes
    whole = np.full((height * 3 // 2, width), _NEUTRAL, np.uint8)
    whole[:height] = _BLACK
    for part, over in zip(parts_of(planes), parts_of(whole), strict=True):
        y, x = (over.shape[0] - part.shape[0]) // 2, (over.shape[1] - part.shape[1]) // 2
        over[y : y + part.shape[0], x : x + part.shape[1]] = part
    return whole


def _strength(number: int, frames: int, look: Look) -> float:
    """How far a frame is from black, in [0, 1], at the ends of a scene."""
    fade = look.fade * float(look.rate)
    return min(1.0, (number + 1) / fade, (frames - number) / fade) if fade >= 1 else 1.0


def _faded(planes: Planes, strength: float) -> Planes:
    if strength >= 1:
        return planes
    height = planes.shape[0] * 2 // 3
    faded = planes.astype(np.float32)
    faded[:height] = _BLACK + (faded[:height] - _BLACK) * strength
    faded[height:] = _NEUTRAL + (faded[height:] - _NEUTRAL) * strength
    return faded.astype(np.uint8)


def as_planes(picture: Any) -> Planes:
    """An RGB picture with even sides as planes of yuv420p."""
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
    return np.asarray(frame.reformat(format="yuv420p").to_ndarray(), np.uint8)


class _Subtitles:
    """Burns cues in; each is drawn once, when it is first shown."""

    def __init__(self, cues: Sequence[Cue], size: tuple[int, int], font: Font) -> None:
        self._cues, self._size, self._font = cues, size, font
        self._drawn: tuple[Cue, int, Ink] | None = None

    def burned(self, planes: Planes, time: float) -> Planes:
        cue = next((cue for cue in self._cues if cue.start <= time < cue.end), None)
        if cue is None:
            return planes
        if self._drawn is None or self._drawn[0] is not cue:
            self._drawn = (cue, *draw_subtitle(cue.text, self._size, self._font))
        return _inked(planes, self._drawn[1], self._drawn[2])


def _inked(planes: Planes, row: int, ink: Ink) -> Planes:
    """Planes with ink over them from `row` (even) on."""
    whole = planes.copy()
    share = ink[:, :, 1].astype(np.float32) / 255
    bright = _BLACK + ink[:, :, 0].astype(np.float32) * ((_WHITE - _BLACK) / 255)
    luma, *chroma = parts_of(whole)
    rows = luma[row : row + len(ink)]
    rows[:] = rows + (bright - rows) * share
    half = share.reshape(len(ink) // 2, 2, -1, 2).mean(axis=(1, 3))
    for plane in chroma:
        part = plane[row // 2 : row // 2 + len(half)]
        part[:] = part + (_NEUTRAL - part.astype(np.float32)) * half
    return whole


# ---------------------------------------------------------------- sound


def _levelled(path: str, start: float, frames: int, gain: float, look: Look) -> Iterator[Samples]:
    """The sound of a scene, exactly as long as its frames, `gain` times as loud, faded."""
    count = round(frames * SOUND.rate / look.rate)
    ramp = max(1, min(round(look.fade * SOUND.rate), count // 2))
    done = 0
    for part in _padded(path, start, start + float(frames / look.rate), count):
        place = np.arange(done, done + part.shape[1], dtype=np.float32)
        envelope = np.minimum(1, np.minimum(place / ramp, (count - place) / ramp))
        done += part.shape[1]
        yield (part * (gain * envelope)).astype(np.float32)


def _padded(path: str, start: float, end: float, count: int) -> Iterator[Samples]:
    """Exactly `count` samples: silence where there is no track."""
    left = count
    for part in sound_between(path, start, end, SOUND.rate, SOUND.layout):
        kept = part[:, :left]
        left -= kept.shape[1]
        yield kept
    while left > 0:
        size = min(left, SOUND.rate)
        left -= size
        yield np.zeros((2, size), np.float32)


# ---------------------------------------------------------------- joining


def join(
    scenes: Sequence[str], target: str, look: Look, chapters: Sequence[Chapter], title: str
) -> None:
    """One MP4 of all `scenes`, in order; pictures are copied, sound is encoded once for all."""
    import av

    with av.open(target, "w", options=header_options(target)) as output:
        output.metadata["title"] = title
        output.set_chapters([chapter(n, *one) for n, one in enumerate(chapters, 1)])
        with av.open(scenes[0]) as first:
            pattern = first.streams.video[0]
            video = output.add_stream_from_template(pattern, opaque=True)
            extra = pattern.codec_context.extradata
            track = SoundTrack(output, SOUND, "aac")
            begun = 0
            for scene in scenes:
                with av.open(scene) as part:
                    if part.streams.video[0].codec_context.extradata != extra:
                        raise MediaError(f"{Path(scene).name} cannot be joined to the others")
                    begun += _append(part, output, video, track, begun, look)
            track.finish()


# (start, end, title), in seconds
Chapter = tuple[float, float, str]


def _append(part: Any, output: Any, video: Any, track: SoundTrack, begun: int, look: Look) -> int:
    """Add one scene behind `begun` frames; how many frames it has."""
    from av.audio.resampler import AudioResampler

    pictures, sound = part.streams.video[0], part.streams.audio[0]
    planar = AudioResampler("fltp", SOUND.layout, SOUND.rate)
    count = 0
    for packet in part.demux(pictures, sound):
        if packet.stream_index == sound.index:
            for frame in packet.decode():
                for samples in planar.resample(frame):
                    track.give(np.asarray(samples.to_ndarray(), np.float32))
        elif packet.size:
            count += 1
            times = (packet.pts, packet.dts)
            unit = packet.time_base
            packet.pts, packet.dts = (round(t * unit * look.rate) + begun for t in times)
            packet.duration, packet.time_base = 1, 1 / look.rate
            packet.stream = video
            output.mux(packet)
    return count


def _font(look: Look, *texts: str) -> Font:
    return chosen_font("".join(texts), look.font)

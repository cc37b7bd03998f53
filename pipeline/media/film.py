"""Writes pictures and sound to a new media file, in the codecs that its container is played with.

Pictures may come at any times. Packets wait in memory only until the other track has caught up,
so whoever writes gives both by turns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelUnavailable, UsageError
from pipeline.media.canvas import Planes
from pipeline.media.footage import Samples

if TYPE_CHECKING:
    import av.video.frame
    import av.video.stream
    from av.container import OutputContainer

TICKS = 90_000  # a second, of pictures that come at any time
_VIDEO_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "libx264": {"preset": "veryfast", "crf": "20"},
    "libvpx-vp9": {"crf": "31", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"},
    "libvpx": {"crf": "10", "b": "4M", "deadline": "realtime", "cpu-used": "6"},
    "mpeg4": {"qscale": "4"},
}
_SOUND_RATES: Mapping[str, tuple[int, ...]] = {
    "libopus": (48_000,),
    "aac": (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000),
    "libmp3lame": (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000),
}
_BIT_RATE = 80_000  # of sound, for each channel
_MOV = {"movflags": "faststart"}  # the index first: a player begins before it has all of the file


@dataclass(frozen=True, slots=True)
class Container:
    """What goes into files of one suffix, the preferred encoder first. `trims`: players begin such
    a file later than its data does, as its edit list says. `lossless`: nothing is lost by writing
    anew, so that a copy, which is less exact, is never better."""

    video: tuple[str, ...]
    sound: tuple[str, ...]
    trims: bool = False
    lossless: bool = False


_H264, _AAC = ("libx264", "libopenh264", "mpeg4"), ("aac",)
CONTAINERS: Mapping[str, Container] = {
    ".mp4": Container(_H264, _AAC, trims=True),
    ".m4v": Container(_H264, _AAC, trims=True),
    ".mov": Container(_H264, _AAC, trims=True),
    ".mkv": Container(_H264, _AAC),
    ".webm": Container(("libvpx-vp9", "libvpx"), ("libopus",)),
    ".m4a": Container((), _AAC, trims=True),
    ".mp3": Container((), ("libmp3lame",)),
    ".ogg": Container((), ("libopus",)),
    ".opus": Container((), ("libopus",)),
    ".flac": Container((), ("flac",), lossless=True),
    ".wav": Container((), ("pcm_s16le",), lossless=True),
}


def container_for(path: str | Path) -> Container:
    """By the suffix of its name. Raises `UsageError` for one that is not written."""
    found = CONTAINERS.get(Path(path).suffix.lower())
    if found is None:
        suffix = Path(path).suffix or "a file without a suffix"
        raise UsageError(
            f"{Path(path).name}: nothing is written as {suffix}",
            f"-o clip.mp4; or one of {', '.join(CONTAINERS)}",
        )
    return found


def header_options(path: str | Path) -> dict[str, str]:
    """Options of the muxer for a file of this name."""
    return dict(_MOV) if container_for(path).trims else {}


@dataclass(frozen=True, slots=True)
class SoundForm:
    """`layout` is one of libav's names: "mono", "stereo", "5.1"."""

    rate: int
    layout: str


class Film:
    """A media file that is being written; use it in a `with`.

    `size` is (width, height), both even, None for a file without pictures. `rate` is about how
    many pictures a second come; with `steady` every one lasts exactly 1 / `rate`. `sound_codec`
    names an encoder that is taken instead of the container's; `like` is a frame whose colours the
    pictures have.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int] | None,
        rate: Fraction,
        sound: SoundForm | None,
        *,
        steady: bool = False,
        title: str = "",
        sound_codec: str = "",
        like: av.video.frame.VideoFrame | None = None,
    ) -> None:
        import av

        form = container_for(path)
        self._output = av.open(str(path), "w", options=header_options(path))
        if title:
            self._output.metadata["title"] = title
        self._unit = 1 / rate if steady else Fraction(1, TICKS)
        self._video = self._add_video(form, size, rate, like) if size and form.video else None
        codec = sound_codec or (encoder_of(form.sound) if sound else "")
        self._track = SoundTrack(self._output, sound, codec) if sound else None
        self._lasts: dict[int, int] = {}
        self._waiting: tuple[int, Planes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._output.close()

    @property
    def codecs(self) -> tuple[str, str]:
        """Names of the encoders of pictures and of sound, "" for none."""
        video = self._video.codec_context.codec.name if self._video is not None else ""
        return video, self._track.codec if self._track else ""

    @property
    def sound_form(self) -> SoundForm | None:
        """In which form it takes sound: the encoder may not take the rate that was asked for."""
        return self._track.form if self._track else None

    def picture(self, time: Fraction | float, planes: Planes) -> None:
        """Show `planes` from `time` seconds on. Times ascend; two at one tick are one."""
        tick = round(Fraction(time) / self._unit)
        if self._waiting is not None and tick > self._waiting[0]:
            self._show(*self._waiting, tick)
        self._waiting = (tick, planes)

    def sound(self, samples: Samples) -> None:
        """(channels, n) that follow those given before."""
        assert self._track is not None
        self._track.give(samples)

    def finish(self, end: Fraction | float) -> None:
        """All is given; the last picture stands until `end` seconds."""
        if self._waiting is not None:
            self._show(*self._waiting, max(self._waiting[0] + 1, round(Fraction(end) / self._unit)))
            self._mux_video(None)
        if self._track is not None:
            self._track.finish()

    # ------------------------------------------------------------ inside

    def _add_video(
        self,
        form: Container,
        size: tuple[int, int],
        rate: Fraction,
        like: av.video.frame.VideoFrame | None,
    ) -> av.video.stream.VideoStream:
        name = encoder_of(form.video)
        stream = self._output.add_stream(name, rate=rate.limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = (*size, "yuv420p")
        stream.codec_context.time_base = self._unit
        stream.options = dict(_VIDEO_OPTIONS.get(name, {}))
        if like is not None:
            _colours(stream.codec_context, like)
        return stream

    def _show(self, tick: int, planes: Planes, until: int) -> None:
        import av

        frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
        frame.pts, frame.time_base = tick, self._unit
        self._lasts[tick] = until - tick
        self._mux_video(frame)

    def _mux_video(self, frame: av.video.frame.VideoFrame | None) -> None:
        assert self._video is not None
        for packet in self._video.encode(frame):
            # Without it the last picture of an MP4 would last no time.
            packet.duration = self._lasts.pop(packet.pts, packet.duration)
            self._output.mux(packet)


class SoundTrack:
    """A track of sound in a file that is being written; samples come in pieces of any length."""

    def __init__(self, output: OutputContainer, form: SoundForm, codec: str) -> None:
        rates = _SOUND_RATES.get(codec, (form.rate,))
        rate = form.rate if form.rate in rates else rates[0]
        self._output, self.codec = output, codec
        stream: Any = output.add_stream(codec, rate=rate, layout=form.layout)
        if codec in _SOUND_RATES:
            stream.bit_rate = _BIT_RATE * stream.codec_context.layout.nb_channels
        stream.codec_context.time_base = Fraction(1, rate)
        self._stream: Any = stream
        self.form = SoundForm(rate, form.layout)
        self._given = 0
        self._rest: Samples | None = None

    def give(self, samples: Samples) -> None:
        """(channels, n) that follow those given before."""
        joined = samples if self._rest is None else np.concatenate((self._rest, samples), axis=1)
        size = self._stream.codec_context.frame_size or joined.shape[1] or 1
        whole = joined.shape[1] // size * size
        for first in range(0, whole, size):
            self._encode(joined[:, first : first + size])
        self._rest = joined[:, whole:]

    def finish(self) -> None:
        if self._rest is not None and self._rest.shape[1]:
            self._encode(self._rest)
        self._output.mux(self._stream.encode(None))

    def _encode(self, samples: Samples) -> None:
        import av

        context, rate = self._stream.codec_context, self.form.rate
        form, layout = context.format.name, context.layout.name
        frame = av.AudioFrame.from_ndarray(_as_form(samples, form), form, layout)
        frame.sample_rate = rate
        frame.pts, frame.time_base = self._given, Fraction(1, rate)
        self._given += samples.shape[1]
        self._output.mux(self._stream.encode(frame))


def encoder_of(names: Sequence[str]) -> str:
    """The first of these encoders that this build of libav has. Raises `ModelUnavailable`."""
    from av.codec.codec import Codec, UnknownCodecError

    for name in names:
        try:
            Codec(name, "w")
        except UnknownCodecError:
            continue
        return name
    raise ModelUnavailable(
        f"this build of PyAV has no encoder of {' or '.join(names)}",
        "pip install --force-reinstall av",
    )


def chapter(number: int, start: float, end: float, title: str) -> dict[str, Any]:
    """A chapter as PyAV wants it, in milliseconds."""
    return {
        "id": number,
        "start": round(start * 1000),
        "end": round(end * 1000),
        "time_base": Fraction(1, 1000),
        "metadata": {"title": title},
    }


def _as_form(samples: Samples, form: str) -> NDArray[Any]:
    """Samples in [-1, 1] as the encoder's sample format has them, planar or packed."""
    whole: NDArray[Any] = np.clip(samples, -1, 1)
    if form.startswith(("s16", "s32")):
        kind = np.int16 if form.startswith("s16") else np.int32
        whole = (whole.astype(np.float64) * np.iinfo(kind).max).astype(kind)
    packed = whole if form.endswith("p") else whole.T.reshape(1, -1)
    return np.ascontiguousarray(packed)


def _colours(context: Any, like: av.video.frame.VideoFrame) -> None:
    """What the numbers of a picture mean, as the source says it."""
    context.colorspace, context.color_primaries = like.colorspace, like.color_primaries
    context.color_trc = like.color_trc

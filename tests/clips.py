"""Small real media files for tests and benchmarks, encoded here with PyAV.

    clips.write(path, clips.scenes((2.0, red), (1.5, blue)), tracks=[clips.Track(tones)])

Pictures are (time, image) pairs, so any frame rate, a variable one too, can be written. Encoders
run with fixed settings and one thread: the same call makes the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.subtitles.subtitle import SubtitleSet
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

Image = NDArray[np.uint8]  # (height, width, 3) RGB
Pictures = Iterable[tuple[float, Image]]

SIZE = (320, 180)  # width, height
_TICKS = 90_000
_ASS_HEADER = (
    b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n"
    b"[V4+ Styles]\r\nFormat: Name, Fontname, Fontsize\r\n"
    b"Style: Default,Arial,16\r\n\r\n[Events]\r\n"
    b"Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)


@dataclass(frozen=True, slots=True)
class Tone:
    start: float
    end: float
    hertz: float = 440.0


@dataclass(frozen=True, slots=True)
class Track:
    """Sound from `start` to `end`: silence but for the tones, and nothing at all in the holes."""

    tones: Sequence[Tone] = ()
    start: float = 0.0
    end: float = 0.0
    language: str = ""
    default: bool = True
    holes: Sequence[tuple[float, float]] = ()
    codec: str = "aac"
    rate: int = 48_000


@dataclass(frozen=True, slots=True)
class Subtitles:
    """(start, end, text) cues; `codec` is mov_text for MP4, subrip or ass for Matroska."""

    cues: Sequence[tuple[float, float, str]]
    codec: str = "mov_text"
    language: str = "eng"


# ---------------------------------------------------------------- files


def write(
    path: Path,
    pictures: Pictures = (),
    *,
    fps: float = 25.0,
    tracks: Sequence[Track] = (),
    subtitles: Sequence[Subtitles] = (),
    chapters: Sequence[tuple[float, float, str]] = (),
    rotation: int = 0,
    offset: float = 0.0,
    metadata: dict[str, str] | None = None,
    cover: Image | None = None,
    codec: str = "libx264",
    preset: str = "ultrafast",
) -> Path:
    """Encode a file; its container follows from the extension. Returns `path`.

    Every picture shows until the next one, the last one for 1 / `fps`. `offset` is added to all
    timestamps of the container. `rotation` is in degrees clockwise, as a phone held upright has
    it. `cover` becomes a second video stream that holds one still image.
    """
    # The header first, so that a truncated file still has one.
    options = {"movflags": "faststart"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=options) as output:
        output.metadata.update(metadata or {})
        packets: list[av.Packet] = []
        shown = list(pictures)
        if shown:
            packets += _video(output, shown, fps, rotation, offset, codec, preset)
        if cover is not None:
            packets += _cover(output, cover)
        for track in tracks:
            packets += _audio(output, track, offset)
        for stream in subtitles:
            packets += _subtitles(output, stream, offset)
        if chapters:
            output.set_chapters(
                [_chapter(number, *chapter) for number, chapter in enumerate(chapters)]
            )
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            output.mux(packet)
    return path


def _video(
    output: av.container.OutputContainer,
    pictures: Sequence[tuple[float, Image]],
    fps: float,
    rotation: int,
    offset: float,
    codec: str,
    preset: str,
) -> list[av.Packet]:
    height, width = pictures[0][1].shape[:2]
    stream = output.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.time_base = Fraction(1, _TICKS)
    stream.codec_context.thread_count = 1
    if codec == "libx264":
        stream.options = {
            "preset": preset,
            "crf": "12" if preset == "ultrafast" else "23",
            "bf": "0",
        }
    if rotation:
        stream.set_display_rotation(-rotation)
    ticks = [round((time + offset) * _TICKS) for time, _ in pictures]
    lasts = [after - tick for tick, after in pairwise(ticks)] + [round(_TICKS / fps)]
    duration = dict(zip(ticks, lasts, strict=True))
    packets: list[av.Packet] = []
    for tick, (_, image) in zip(ticks, pictures, strict=True):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
        frame.pts, frame.time_base = tick, Fraction(1, _TICKS)
        packets += stream.encode(frame)
    packets += stream.encode(None)
    for packet in packets:
        packet.duration = duration[packet.pts]
    return packets


def _cover(output: av.container.OutputContainer, image: Image) -> list[av.Packet]:
    stream = output.add_stream("mjpeg", rate=1)
    stream.height, stream.width = image.shape[:2]
    stream.pix_fmt = "yuvj420p"
    stream.disposition = av.stream.Disposition.attached_pic
    frame = av.VideoFrame.from_ndarray(image, "rgb24")
    frame.pts = 0
    return [*stream.encode(frame), *stream.encode(None)]


def _audio(output: av.container.OutputContainer, track: Track, offset: float) -> list[av.Packet]:
    stream = output.add_stream(track.codec, rate=track.rate, layout="mono")
    if track.language:
        stream.metadata["language"] = track.language
    stream.disposition = av.stream.Disposition.default if track.default else 0
    sound = tone_samples(track, track.rate)
    form, size = stream.codec_context.format.name, stream.codec_context.frame_size or 1024
    packets: list[av.Packet] = []
    for first in range(0, len(sound), size):
        time = track.start + first / track.rate
        if any(begin <= time < end for begin, end in track.holes):
            continue
        part = sound[None, first : first + size]
        samples = part
        if form.startswith(("s16", "s32")):
            kind = np.int16 if form.startswith("s16") else np.int32
            samples = (part.astype(np.float64) * np.iinfo(kind).max).astype(kind)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), form, "mono")
        frame.sample_rate = track.rate
        frame.pts = round((time + offset) * track.rate)
        frame.time_base = Fraction(1, track.rate)
        packets += stream.encode(frame)
    return [*packets, *stream.encode(None)]


def tone_samples(track: Track, rate: int) -> NDArray[np.float32]:
    """(samples,) float32 from the track's start to its end."""
    times = track.start + np.arange(round((track.end - track.start) * rate)) / rate
    sound = np.zeros(len(times), np.float32)
    for tone in track.tones:
        inside = (times >= tone.start) & (times < tone.end)
        sound[inside] = 0.5 * np.sin(2 * np.pi * tone.hertz * times[inside])
    return sound


def _subtitles(
    output: av.container.OutputContainer, subtitles: Subtitles, offset: float
) -> list[av.Packet]:
    stream = output.add_stream(subtitles.codec)
    stream.codec_context.subtitle_header = _ASS_HEADER
    stream.codec_context.time_base = Fraction(1, 1000)
    stream.metadata["language"] = subtitles.language
    packets = []
    for number, (start, end, text) in enumerate(subtitles.cues):
        event = f"{number},0,Default,,0,0,0,,{text}".encode()
        length = round((end - start) * 1000)
        packet = stream.codec_context.encode_subtitle(SubtitleSet.create(event, 0, length))
        packet.stream = stream
        packet.time_base = Fraction(1, 1000)
        packet.pts = packet.dts = round((start + offset) * 1000)
        packet.duration = length
        packets.append(packet)
    return packets


def _chapter(number: int, start: float, end: float, title: str) -> dict[str, object]:
    return {
        "id": number,
        "start": round(start * 1000),
        "end": round(end * 1000),
        "time_base": Fraction(1, 1000),
        "metadata": {"title": title},
    }


# ---------------------------------------------------------------- pictures


def at_rate(fps: float, seconds: float, draw: Callable[[float], Image]) -> Pictures:
    """`draw(time)` for each frame of a constant rate."""
    return ((number / fps, draw(number / fps)) for number in range(round(seconds * fps)))


def scenes(*parts: tuple[float, Image], fps: float = 25.0) -> Pictures:
    """Images that stand for so many seconds each, with hard cuts between them."""
    ends = np.cumsum([seconds for seconds, _ in parts])

    def draw(time: float) -> Image:
        return parts[int(np.searchsorted(ends, time + 1e-6, side="right"))][1]

    return at_rate(fps, float(ends[-1]), draw)


def colour(red: int, green: int, blue: int, size: tuple[int, int] = SIZE) -> Image:
    return np.full((size[1], size[0], 3), (red, green, blue), np.uint8)


def texture(seed: int, size: tuple[int, int] = SIZE) -> Image:
    """Soft random blobs: a scene that no other seed gives, with edges at several scales."""
    random = np.random.default_rng(seed)
    image = np.zeros((size[1], size[0], 3), np.float32)
    for cells, weight in ((4, 0.5), (12, 0.3), (40, 0.2)):
        grid = random.integers(0, 256, (max(2, cells * size[1] // size[0]), cells, 3), np.uint8)
        image += weight * np.asarray(Pillow.fromarray(grid).resize(size, Pillow.Resampling.BICUBIC))
    return image.clip(0, 255).astype(np.uint8)


def slide(*lines: str, size: tuple[int, int] = (640, 360), dark: bool = False) -> Image:
    """Lines of text from the top, black on white or white on black."""
    paper, ink = ((16, 16, 20), (235, 235, 235)) if dark else ((250, 250, 250), (10, 10, 10))
    image = Pillow.new("RGB", size, paper)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size[1] / 18)
    for number, line in enumerate(lines):
        pen.text((size[0] / 20, size[1] / 14 * (number + 0.5)), line, ink, font)
    return np.asarray(image)


def pan(picture: Image, time: float, size: tuple[int, int] = SIZE, speed: float = 60.0) -> Image:
    """The part of a larger picture that a camera turning `speed` pixels a second sees."""
    room = picture.shape[1] - size[0]
    x = round(time * speed) % (2 * room)
    x = min(x, 2 * room - x)
    return picture[: size[1], x : x + size[0]]


# ---------------------------------------------------------------- whole clips


def footage(
    path: Path, seconds: float = 6.0, size: tuple[int, int] = (640, 360), preset: str = "ultrafast"
) -> Path:
    """A camera that never rests, with grain and a cut every three seconds."""
    wide = [texture(seed, (size[0] * 2, size[1])) for seed in range(int(seconds // 3) + 1)]
    grain = np.random.default_rng(0).integers(-3, 4, (8, size[1], size[0], 1), np.int16)

    def draw(time: float) -> Image:
        view = pan(wide[int(time // 3)], time, size) + grain[round(time * 25) % 8]
        return view.clip(0, 255).astype(np.uint8)

    return write(path, at_rate(25, seconds, draw), preset=preset)


def slides(
    path: Path, seconds: float = 8.0, size: tuple[int, int] = (1280, 720), preset: str = "ultrafast"
) -> Path:
    """A slide every four seconds."""
    pages = [_page(number, size) for number in range(int(seconds // 4) + 1)]
    return write(path, at_rate(25, seconds, lambda time: pages[int(time // 4)]), preset=preset)


def scrolling(
    path: Path, seconds: float = 8.0, size: tuple[int, int] = (1280, 720), preset: str = "ultrafast"
) -> Path:
    """A terminal in which two lines a second come up from below."""
    rows = [words(row) for row in range(int(2 * seconds) + 14)]
    pages: dict[int, Image] = {}

    def draw(time: float) -> Image:
        first = int(time * 2)
        if first not in pages:
            pages[first] = slide(*rows[first : first + 13], size=size, dark=True)
        return pages[first]

    return write(path, at_rate(25, seconds, draw), preset=preset)


def _page(number: int, size: tuple[int, int]) -> Image:
    lines = [words(100 * number + line) for line in range(7)]
    return slide(f"Chapter {number + 1}", *lines, size=size)


def words(seed: int) -> str:
    """A line of 10 to 40 letters and spaces that no other seed gives."""
    random = np.random.default_rng(seed)
    letters = list("abcdefghijklmnopqrstuvwxyz      ")
    return "".join(random.choice(letters, random.integers(10, 40)))


# ---------------------------------------------------------------- damage


def truncated(source: Path, path: Path, share: float) -> Path:
    """The first `share` of a file's bytes."""
    data = source.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def flipped(source: Path, path: Path, count: int, spare: int = 2000, seed: int = 0) -> Path:
    """A file with `count` random bytes changed, none among the first `spare`."""
    data = bytearray(source.read_bytes())
    random = np.random.default_rng(seed)
    for place in random.integers(spare, len(data), count):
        data[place] ^= int(random.integers(1, 256))
    path.write_bytes(data)
    return path

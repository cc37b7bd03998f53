"""Streams made on the fly: where they begin, that pictures and sound stay together, what is copied.

Every second of the clips begins with a flash and a beep, in a corner of the picture and in the
sound, so that both can be found again in whatever is made of them.
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest

from pipeline.errors import MediaError
from pipeline.media.container import identity
from pipeline.media.live import LiveStream
from pipeline.media.playable import Playback, media_type, playback
from pipeline.media.probe import probe
from pipeline.media.remux import StreamFacts, write_stream
from pipeline.media.seeking import picture_near
from pipeline.media.transcode import picture_size
from tests import clips
from tests.served import until

SECONDS, FPS, RATE = 5.0, 25, 48_000
SIZE = (160, 96)
FLASH = 0.2  # seconds of light and sound at the beginning of every second


def beeping(path: Path, video: str, audio: str, **options: Any) -> Path:
    """A clip of five seconds with a key frame in every second one."""
    size, pixels = options.get("size", SIZE), options.get("pixels", "yuv420p")
    # The header first, so that damage further on is no damage of it.
    movflags = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=movflags) as output:
        streams: list[tuple[Any, Iterator[Any]]] = []
        if video:
            stream = output.add_stream(video, rate=FPS)
            stream.width, stream.height, stream.pix_fmt = *size, pixels
            stream.gop_size = 2 * FPS
            stream.codec_context.thread_count = 1
            stream.options = options.get("options", {})
            streams.append((stream, _flashes(size)))
        if audio:
            sound = output.add_stream(audio, rate=RATE, layout="stereo")
            streams.append((sound, _beeps(sound.codec_context)))
        packets = [
            packet
            for stream, frames in streams
            for frame in (*frames, None)
            for packet in stream.encode(frame)
        ]
        for packet in sorted(packets, key=lambda one: one.dts * one.time_base):
            output.mux(packet)
    return path


def _flashes(size: tuple[int, int]) -> Iterator[av.VideoFrame]:
    wide = clips.texture(1, (2 * size[0], size[1]))
    for number in range(round(SECONDS * FPS)):
        image = clips.pan(wide, number / FPS, size).copy()
        image[: size[1] // 2, : size[0] // 2] = 255 if number % FPS < FLASH * FPS else 0
        frame = av.VideoFrame.from_ndarray(image, "rgb24")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        yield frame


def _beeps(context: Any) -> Iterator[av.AudioFrame]:
    times = np.arange(round(SECONDS * RATE)) / RATE
    tone = (0.5 * np.sin(2 * np.pi * 440 * times) * (times % 1 < FLASH)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(tone[None], "flt", "mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    size = context.frame_size or 1024
    resampler = av.AudioResampler(context.format.name, "stereo", RATE, frame_size=size)
    yield from resampler.resample(frame)
    yield from resampler.resample(None)


@dataclass
class Made:
    """A stream and what is in it: on the clock of the file it was made of."""

    facts: StreamFacts
    data: bytes
    sizes: list[tuple[int, int]] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)
    flashes: list[float] = field(default_factory=list)
    beeps: list[float] = field(default_factory=list)


def made(path: Path, seconds: float, *, anew: bool = False) -> Made:
    output, told = io.BytesIO(), []
    write_stream(path, seconds, output, told.append, anew=anew)
    (facts,) = told
    result = Made(facts, output.getvalue())
    with av.open(io.BytesIO(result.data)) as stream:
        assert stream.format.name.startswith("mov")
        if stream.streams.video:
            _watch(stream, result)
    with av.open(io.BytesIO(result.data)) as stream:
        if stream.streams.audio:
            _listen(stream, result)
    with av.open(io.BytesIO(result.data)) as stream:
        stamped = (packet for packet in stream.demux() if packet.pts is not None)
        first = min(packet.pts * packet.time_base for packet in stamped)
    assert first >= -0.03, "before the beginning lies what primes the decoder, and nothing else"
    return result


def _watch(stream: Any, result: Made) -> None:
    before = False
    for frame in stream.decode(video=0):
        time = result.facts.start + frame.time
        light = frame.to_ndarray(format="gray")[: frame.height // 3, : frame.width // 3].mean()
        if light > 128 and not before:
            result.flashes.append(time)
        before = bool(light > 128)
        result.shown.append(time)
        result.sizes.append((frame.width, frame.height))


def _listen(stream: Any, result: Made) -> None:
    last, end = -1.0, None
    for frame in stream.decode(audio=0):
        # Players do not agree on what a hole is.
        assert end is None or frame.time == pytest.approx(end, abs=0.03)
        end = frame.time + frame.samples / frame.sample_rate
        sound = np.abs(frame.to_ndarray().astype(np.float64)).max(axis=0)
        (loud,) = np.nonzero(sound > 0.1)
        if len(loud):
            start = result.facts.start + frame.time + loud[0] / frame.sample_rate
            if start - last > 0.5:
                result.beeps.append(start)
            last = result.facts.start + frame.time + loud[-1] / frame.sample_rate


KINDS = {
    "h264.mkv": ("libx264", "aac", "remux"),
    "bframes.ts": ("libx264", "aac", "remux"),
    "h264_flac.mkv": ("libx264", "flac", "remux"),
    "camera.mov": ("libx264", "pcm_s16le", "remux"),
    "old.avi": ("mpeg4", "libmp3lame", "transcode"),
    "dvd.mpg": ("mpeg2video", "mp2", "transcode"),
    "flash.flv": ("flv", "", "transcode"),
    "deep.mp4": ("libx264", "aac", "transcode"),
    "talk.mp4": ("libx264", "aac", "direct"),
    "quick.mov": ("libx264", "libmp3lame", "direct"),
    "open.webm": ("libvpx", "libopus", "direct"),
    "modern.mkv": ("libvpx-vp9", "libopus", "direct"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("beeping")
    options: dict[str, Any] = {name: {} for name in KINDS}
    for name, (codec, _, _) in KINDS.items():
        if codec == "libx264":
            options[name]["options"] = {"preset": "veryfast"}  # with B-frames
        elif codec.startswith("libvpx"):
            options[name]["options"] = {"deadline": "realtime", "cpu-used": "8"}
    options["deep.mp4"]["pixels"] = "yuv420p10le"
    return {
        name: beeping(folder / name, video, audio, **options[name])
        for name, (video, audio, _) in KINDS.items()
    }


def facts_of(path: Path) -> dict[str, Any]:
    """As the catalog has them."""
    import json
    from dataclasses import asdict

    return dict(json.loads(json.dumps(asdict(probe(path)))))


# ---------------------------------------------------------------- what a browser can do


@pytest.mark.parametrize("name", KINDS)
def test_it_is_told_what_a_browser_does_with_a_file(files: dict[str, Path], name: str) -> None:
    found = playback(facts_of(files[name]), duration=SECONDS)
    assert found.kind == KINDS[name][2]
    assert found.mime == ("video/webm" if name in ("open.webm", "modern.mkv") else "video/mp4")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"there": False, "frames": True}, "frames"),
        ({"there": False}, "none"),
        ({"damaged": True}, "transcode"),  # a browser gives up at a damaged packet
    ],
)
def test_what_else_decides_besides_codecs(
    files: dict[str, Path], changes: dict[str, bool], kind: str
) -> None:
    assert playback(facts_of(files["talk.mp4"]), duration=SECONDS, **changes).kind == kind


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({}, Playback("none")),
        ({"format": "mp3", "audio": [{"codec": "mp3float"}], "duration": 3.0},
         Playback("direct", "audio/mpeg")),
        ({"format": "ogg", "audio": [{"codec": "vorbis"}], "duration": 3.0},
         Playback("direct", "audio/ogg")),
        ({"format": "aac", "audio": [{"codec": "aac"}], "duration": 3.0},
         Playback("remux", "audio/mp4")),  # browsers guess where a second of it is
        ({"format": "asf", "audio": [{"codec": "wmav2"}], "duration": 3.0},
         Playback("remux", "audio/mp4")),
        ({"format": "ogg", "video": {"codec": "theora"}, "duration": 3.0},
         Playback("transcode", "video/mp4")),
        ({"format": "mov,mp4,m4a,3gp,3g2,mj2", "video": {"codec": "hevc"}, "duration": 3.0},
         Playback("transcode", "video/mp4")),
        ({"format": "avi", "video": {"codec": "h264"}, "duration": 3.0},
         Playback("transcode", "video/mp4")),  # AVI does not say when a picture shows
        ({"format": "matroska,webm", "video": {"codec": "vp9"}, "duration": 0.0},
         Playback("remux", "video/mp4")),  # cannot be sought in without a duration
        ({"format": "mov,mp4,m4a,3gp,3g2,mj2", "video": {"codec": ""},
          "audio": [{"codec": "aac"}], "duration": 3.0}, Playback("remux", "audio/mp4")),
        ({"format": "mov,mp4,m4a,3gp,3g2,mj2", "video": {"codec": "h264"}, "encrypted": True},
         Playback("none")),
    ],
)  # fmt: skip
def test_facts_alone_decide(facts: dict[str, Any], found: Playback) -> None:
    assert playback(facts, duration=3.0) == found


def test_a_file_is_called_what_it_is() -> None:
    assert media_type({"format": "avi"}) == "video/x-msvideo"
    h264 = {"format": "matroska,webm", "video": {"codec": "h264"}}
    assert media_type(h264) == "video/x-matroska"
    assert media_type({"format": "who knows"}) == "application/octet-stream"


# ---------------------------------------------------------------- streams


@pytest.mark.parametrize("name", KINDS)
def test_a_stream_keeps_time_from_where_it_says_it_begins(
    files: dict[str, Path], name: str
) -> None:
    """Pictures and sound, within a frame of what they are in the file."""
    video, audio, _ = KINDS[name]
    stream = made(files[name], 3.3)
    exact = not stream.facts.copies_video
    assert stream.facts.start == (3.3 if exact else pytest.approx(2.0, abs=0.05))
    assert stream.shown[0] == pytest.approx(stream.facts.start, abs=0.001)
    assert all(before < after for before, after in pairwise(stream.shown))
    assert stream.shown[-1] == pytest.approx(SECONDS - 1 / FPS, abs=0.07)
    zero = 0.04 if name in ("old.avi", "dvd.mpg", "bframes.ts", "flash.flv") else 0.005
    assert [time for time in stream.flashes if time > 3.5] == pytest.approx([4.0], abs=zero + 0.001)
    if audio:
        (beep,) = [time for time in stream.beeps if time > 3.5]
        (flash,) = [time for time in stream.flashes if time > 3.5]
        assert beep == pytest.approx(flash, abs=0.03)
    assert stream.facts.mime == "video/mp4"
    assert stream.facts.copies_video == (video in ("libx264", "libvpx-vp9") and name != "deep.mp4")


@pytest.mark.parametrize("name", ["h264.mkv", "bframes.ts", "old.avi"])
def test_a_stream_from_the_beginning_holds_everything(files: dict[str, Path], name: str) -> None:
    stream = made(files[name], 0.0)
    assert stream.facts.start == pytest.approx(0.0, abs=0.01)
    assert len(stream.shown) >= round(SECONDS * FPS) - 2
    assert len(stream.flashes) == len(stream.beeps) == 5


def test_a_stream_ends_where_a_broken_file_does(files: dict[str, Path], tmp_path: Path) -> None:
    for name in ("h264.mkv", "old.avi"):
        broken = clips.truncated(files[name], tmp_path / name, 0.6)
        stream = made(broken, 0.0)
        assert 1.5 < stream.shown[-1] < 4.5
        assert all(before < after for before, after in pairwise(stream.shown))


def test_damaged_pieces_are_left_out_where_everything_is_made_anew(
    files: dict[str, Path], tmp_path: Path
) -> None:
    """The stream itself decodes without an error, which is what a browser insists on."""
    damaged = clips.flipped(files["talk.mp4"], tmp_path / "bad.mp4", 12, spare=8000)
    stream = made(damaged, 0.0, anew=True)
    assert not stream.facts.copies_video and not stream.facts.copies_audio
    assert stream.shown[-1] > 4.0 and len(stream.shown) > 50


def test_sound_alone_and_pictures_alone(tmp_path: Path, files: dict[str, Path]) -> None:
    sound = beeping(tmp_path / "radio.mkv", "", "aac")
    heard = made(sound, 2.5)
    assert heard.facts.mime == "audio/mp4" and heard.facts.copies_audio
    assert heard.facts.start == pytest.approx(2.5, abs=0.03)
    assert heard.beeps == pytest.approx([3.0, 4.0], abs=0.03)
    anew = made(beeping(tmp_path / "radio.flac", "", "flac"), 2.5)
    assert anew.facts.start == 2.5 and not anew.facts.copies_audio
    assert anew.beeps == pytest.approx([3.0, 4.0], abs=0.03)
    assert made(files["flash.flv"], 0.0).beeps == []


def test_a_hole_in_the_sound_is_silence_and_not_a_shift(tmp_path: Path) -> None:
    hole = clips.Track([clips.Tone(0.5, 0.7), clips.Tone(4.0, 4.2)], end=5.0, holes=[(1.0, 3.0)])
    picture = clips.scenes((5.0, clips.colour(0, 0, 0)), fps=10)
    film = clips.write(tmp_path / "hole.mkv", picture, fps=10, tracks=[hole])
    stream = made(film, 0.0, anew=True)
    assert stream.beeps == pytest.approx([0.5, 4.0], abs=0.05)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_stream_is_upright(tmp_path: Path, rotation: int) -> None:
    """The light corner is where a player shows it that turns the file itself."""
    film = clips.write(
        tmp_path / "phone.mov", clips.scenes((1.0, _corner()), fps=10), fps=10, rotation=rotation
    )
    output: list[Any] = []
    data = io.BytesIO()
    write_stream(film, 0.0, data, output.append, anew=True)
    with av.open(io.BytesIO(data.getvalue())) as stream:
        turned = next(stream.decode(video=0)).to_ndarray(format="rgb24")
    _, seen = picture_near(film, 0.0)
    assert turned.shape == seen.shape
    assert np.abs(turned.astype(int) - seen.astype(int)).mean() < 12


def _corner() -> np.ndarray[Any, np.dtype[np.uint8]]:
    image = clips.colour(20, 20, 20, (128, 64))
    image[:32, :32] = 250
    return image


@pytest.mark.parametrize(
    ("size", "found"),
    [
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (720, 1280)),
        ((640, 360), (640, 360)),
        ((321, 241), (320, 240)),
        ((1, 1), (16, 16)),
        ((4000, 100), (1280, 32)),
    ],
)
def test_pictures_made_anew_fit_into_720p(size: tuple[int, int], found: tuple[int, int]) -> None:
    assert picture_size(*size) == found


def test_odd_sizes_are_made_even(tmp_path: Path) -> None:
    stream = made(beeping(tmp_path / "odd.avi", "mpeg4", "", size=(163, 97)), 0.0)
    assert set(stream.sizes) == {(162, 96)} or set(stream.sizes) == {(164, 96)}


def test_what_has_nothing_to_play_says_so(tmp_path: Path, files: dict[str, Path]) -> None:
    (tmp_path / "x.mp4").write_bytes(b"not a video at all, in words")
    for path, says in ((tmp_path / "x.mp4", "is a text file"), (tmp_path / "no.mp4", "no.mp4")):
        output = io.BytesIO()
        with pytest.raises(MediaError, match=says):
            write_stream(path, 0.0, output, lambda _: pytest.fail("nothing begins"))
        assert output.getvalue() == b""
    with pytest.raises(MediaError, match="nothing can be played"):
        made(beeping(tmp_path / "short.flac", "", "flac"), 60.0)


# ---------------------------------------------------------------- one picture


def test_a_picture_is_found_by_seeking(files: dict[str, Path]) -> None:
    for name in ("talk.mp4", "bframes.ts", "old.avi"):
        for seconds, light in ((3.1, True), (3.5, False), (0.0, True)):
            time, image = picture_near(files[name], seconds)
            assert time == pytest.approx(seconds, abs=0.06)
            assert (image[:30, :40].mean() > 128) == light, (name, seconds)


def test_a_key_frame_that_cannot_be_shown_is_not_begun_with(tmp_path: Path) -> None:
    """An intra refresh is flagged as a key frame, and takes some frames to become a picture."""
    options = {"intra-refresh": "1", "preset": "fast", "bf": "0"}
    film = beeping(tmp_path / "refresh.mp4", "libx264", "", options=options)
    with av.open(str(film)) as whole:
        frames = {round(frame.time, 2): frame for frame in whole.decode(video=0)}
    with av.open(str(film)) as whole:
        keys = [p.pts * p.time_base for p in whole.demux(video=0) if p.size and p.is_keyframe]
    assert [float(key) for key in keys] == [0.0, 2.0, 4.0]
    time, image = picture_near(film, 2.12)
    assert time == pytest.approx(2.12)
    true = frames[2.12].to_ndarray(format="rgb24")
    assert np.abs(true.astype(int) - image.astype(int)).mean() < 2
    assert made(film, 2.12, anew=True).shown[0] == pytest.approx(2.12, abs=0.001)
    assert made(film, 2.12, anew=True).shown[1] == pytest.approx(2.16, abs=0.001)


def test_another_file_than_the_one_that_is_meant_is_not_shown(files: dict[str, Path]) -> None:
    like = identity(os.stat(files["h264.mkv"]))
    with pytest.raises(MediaError, match="was changed"):
        picture_near(files["talk.mp4"], 1.0, like=like)


# ---------------------------------------------------------------- in a child process


def drawn(stream: LiveStream) -> bytes:
    data = b""
    while more := stream.read():
        data += more
    return data


def test_a_child_makes_the_same_stream(files: dict[str, Path]) -> None:
    path = files["h264.mkv"]
    with LiveStream(path, 3.3, like=os.stat(path)) as stream:
        facts, data = stream.begin(), drawn(stream)
    here = made(path, 3.3)
    assert (facts, data) == (here.facts, here.data)


def test_a_child_that_nobody_reads_waits_and_dies_when_it_is_closed(
    files: dict[str, Path],
) -> None:
    path = files["open.webm"]
    stream = LiveStream(path, 0.0, like=os.stat(path), anew=True)
    stream.begin()
    child = psutil.Process(stream._process.pid)
    assert len(stream.read()) <= 1 << 16
    stream.close()
    assert not child.is_running()
    stream.close()


def test_a_child_that_crashes_is_an_error_and_not_an_end(files: dict[str, Path]) -> None:
    path = files["open.webm"]
    with LiveStream(path, 0.0, like=os.stat(path), anew=True) as stream:
        os.kill(stream._process.pid, signal.SIGSTOP)  # before it can have made all of it
        os.kill(stream._process.pid, signal.SIGKILL)
        with pytest.raises(MediaError, match="crashed"):
            stream.begin()
            drawn(stream)


def test_a_child_ends_with_its_parent(files: dict[str, Path]) -> None:
    path = files["open.webm"]
    stream = LiveStream(path, 0.0, like=os.stat(path), anew=True)
    try:
        assert stream._process.stdin is not None
        stream._process.stdin.close()  # what the system does when the parent is gone
        until(lambda: stream._process.poll() is not None)
    finally:
        stream.close()


def test_a_child_refuses_what_was_put_in_the_place_of_the_file(files: dict[str, Path]) -> None:
    like = os.stat(files["talk.mp4"])
    with (
        LiveStream(files["h264.mkv"], 0.0, like=like) as stream,
        pytest.raises(MediaError, match="was changed"),
    ):
        stream.begin()


def test_a_child_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.mkv"
    path.write_bytes(bytes(range(256)) * 32)
    with (
        LiveStream(path, 0.0, like=os.stat(path)) as stream,
        pytest.raises(MediaError, match=r"x\.mkv is damaged or not a media file"),
    ):
        stream.begin()

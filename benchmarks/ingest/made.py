"""Videos that the benchmarks make: long ones, packet by packet, so that length costs no memory."""

from __future__ import annotations

from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests import clips

_MINUTE = 60
_RATE = 16_000


def long_video(
    path: Path,
    seconds: float,
    *,
    size: tuple[int, int] = (320, 180),
    fps: int = 1,
    slide_seconds: float = 20.0,
    moving: bool = False,
) -> Path:
    """Slides that change every `slide_seconds`, with tones; `moving`: every other one is footage
    that pans. Costs about a minute of processor time for ten hours at one picture a second."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=fps)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.options = {"preset": "ultrafast", "crf": "23", "g": str(10 * fps), "bf": "0"}
        audio = output.add_stream("aac", rate=_RATE, layout="mono")
        minute = _tones(audio)
        # What a minute of sound encodes to is written again and again, at later times.
        shift = len(minute) * 1024
        sounds = (
            (packet, at * shift + number * 1024) for at in count() for number, packet in minute
        )
        data, pts = next(sounds)
        for number in range(round(seconds * fps)):
            for packet in video.encode(_picture(number / fps, size, slide_seconds, moving)):
                output.mux(packet)
            while pts / _RATE < (number + 1) / fps:
                output.mux(_packet(data, pts, audio))
                data, pts = next(sounds)
        for packet in video.encode(None):
            output.mux(packet)
    return path


def _tones(stream: Any) -> list[tuple[int, bytes]]:
    """A minute: every other ten seconds a tone."""
    times = np.arange(_MINUTE * _RATE) / _RATE
    sound = (0.4 * np.sin(2 * np.pi * 330 * times) * (times % 20 < 10)).astype(np.float32)
    packets: list[bytes] = []
    for first in range(0, len(sound) - 1023, 1024):
        frame = av.AudioFrame.from_ndarray(sound[None, first : first + 1024], "fltp", "mono")
        frame.sample_rate, frame.pts = _RATE, first
        packets += [bytes(packet) for packet in stream.encode(frame)]
    packets += [bytes(packet) for packet in stream.encode(None)]
    return list(enumerate(packets))


def _packet(data: bytes, pts: int, stream: Any) -> av.Packet:
    packet = av.Packet(data)
    packet.stream, packet.time_base = stream, Fraction(1, _RATE)
    packet.pts = packet.dts = pts
    packet.duration = 1024
    return packet


_kept: dict[int, Any] = {}  # the slide or the scenery of the moment


def _picture(time: float, size: tuple[int, int], slide_seconds: float, moving: bool) -> Any:
    number = int(time // slide_seconds)
    if number not in _kept:
        _kept.clear()
        _kept[number] = _scene(number, size, moving)
    scene = _kept[number]
    if isinstance(scene, np.ndarray):
        view = clips.pan(scene, time, size)
        scene = av.VideoFrame.from_ndarray(np.ascontiguousarray(view), "rgb24")
    scene.pts = None
    return scene


def _scene(number: int, size: tuple[int, int], moving: bool) -> Any:
    """A frame that stands, or a picture wider than the frame for the camera to turn over."""
    if moving and number % 2:
        return clips.texture(number, (2 * size[0], size[1]))
    lines = (f"Slide {number + 1}", *(clips.words(10 * number + line) for line in range(4)))
    picture = clips.slide(*lines, size=size, dark=bool(number % 3 == 2))
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")

"""Which frames of an interval are looked at: distinct ones, spread over it, few of them.

Key frames that the library keeps cost nothing; decoding costs the whole video up to the interval,
since frames are decoded in order. So they are enough where none of the interval is far from one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from pipeline.ingest.screen_text import open_image
from pipeline.types import Image

LONGEST_SIDE = 1280  # pixels: models look at no more, and endpoints charge for it
# The interval is known by its key frames when nothing of it is farther from the nearest one than so
# many times the spacing that was asked for, or than so many seconds.
_FARTHEST, _NEAR = 1.5, 2.0
_LEAST_SHOT = 1.0  # seconds; a shorter shot may go without a frame
_OVERSAMPLED = 2  # frames decoded for each that is wanted: many will show the same
# Share of the points of a small grey picture that may differ, by how much, in "the same" picture:
# a line of text differs by more, grain by less. A 64-bit hash would not see a line of text.
_GREY = (160, 90)
_LEVEL, _SAME = 16, 0.004

Picture = tuple[float, Path]  # seconds, image file


@dataclass(frozen=True, slots=True)
class LookFrame:
    """A frame, and from when to when it stands for what is shown."""

    time: float
    start: float
    end: float
    image: Image


def key_frames_suffice(
    times: Sequence[float], start: float, end: float, count: int, cuts: Sequence[float]
) -> bool:
    """Whether key frames at `times` (ascending, inside) show an interval as well as `count` frames
    spread over it would. `cuts` are the starts of shots, ascending."""
    if not times:
        return False
    gaps = [b - a for a, b in pairwise((start, *times, end))]
    # From its middle, a frame reaches half a gap; from an edge of the interval, a whole one.
    farthest = max(gaps[0], gaps[-1], *(gap / 2 for gap in gaps[1:-1]))
    edges = [start, *(cut for cut in cuts if start < cut < end), end]
    shots = [(a, b) for a, b in pairwise(edges) if b - a >= _LEAST_SHOT]
    shown = all(any(a <= time < b for time in times) for a, b in shots)
    return shown and farthest <= max(_NEAR, _FARTHEST * (end - start) / count)


def times_to_decode(start: float, end: float, count: int) -> list[float]:
    """Where to look into an interval of which the key frames show too little."""
    number = count * _OVERSAMPLED
    step = (end - start) / number
    return [start + step * (place + 0.5) for place in range(number)]


def choose_frames(
    pictures: Sequence[Picture], start: float, end: float, count: int, cuts: Sequence[float]
) -> list[LookFrame]:
    """At most `count` of the pictures (by time, inside), distinct, spread over the interval.

    Their stretches fill the interval: one ends at the cut, if there is one, else in the middle
    between the last picture like it and the first of the next. Raises `MediaError`.
    """
    kept: list[tuple[float, float, Image]] = []  # (first time, last time that it looked so, image)
    grey = np.zeros(0, np.uint8)
    for time, path in pictures:
        image = _reduced(open_image(path))
        small = _grey(image)
        if kept and _same(grey, small):
            kept[-1] = (kept[-1][0], time, kept[-1][2])
            continue
        kept.append((time, time, image))
        grey = small
    chosen = [kept[place] for place in _spread(len(kept), count)]
    borders = [_border(one[1], other[0], cuts) for one, other in pairwise(chosen)]
    edges = [start, *borders, end]
    return [
        LookFrame(time, a, b, image)
        for (time, _, image), (a, b) in zip(chosen, pairwise(edges), strict=True)
    ]


def _border(last: float, first: float, cuts: Sequence[float]) -> float:
    place = bisect_right(cuts, last)
    if place < len(cuts) and cuts[place] <= first:
        return cuts[place]
    return (last + first) / 2


def _spread(there: int, count: int) -> list[int]:
    """At most `count` places evenly, none twice; the middle one where there is one."""
    if there <= count:
        return list(range(there))
    step = there / count
    return [int(step * (number + 0.5)) for number in range(count)]


def _reduced(image: Image) -> Image:
    import cv2

    height, width = image.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small: Image = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
    return small


def _grey(image: Image) -> Image:
    import cv2

    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    small: Image = cv2.resize(grey, _GREY, interpolation=cv2.INTER_AREA)
    return small


def _same(one: Image, other: Image) -> bool:
    return float((np.abs(one.astype(np.int16) - other) > _LEVEL).mean()) <= _SAME

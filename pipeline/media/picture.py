"""A decoded frame and the small versions of it that pictures are compared by.

They are taken from the frame's own planes, so that a frame that is only looked at is never
converted. They are not turned as a viewer sees them: only pictures that are kept are.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av.video.frame
    import av.video.plane

Plane = NDArray[np.uint8]  # (height, width)

TINY = (64, 36)  # width, height
_THUMB_SIDE = 300
_HALF = (TINY[0] // 2, TINY[1] // 2)
_GREY: Plane = np.full((_HALF[1], _HALF[0]), 128, np.uint8)  # the chroma of a picture without
_BYTE, _PAIR = np.dtype(np.uint8), np.dtype("<u2")
_PLANAR = re.compile(r"(?:gray|yuvj?a?4[0-4]{2}p)(?:(9|1[0246])le)?")


class Picture:
    """A decoded frame at its time, with the small versions of it that comparisons need.

    The small versions are not turned: only pictures that are kept are.
    """

    __slots__ = ("_thumb", "_tiny", "frame", "time")

    def __init__(self, time: float, frame: av.video.frame.VideoFrame) -> None:
        self.time = time
        self.frame = frame
        self._tiny: tuple[Plane, Plane, Plane] | None = None
        self._thumb: Plane | None = None

    def tiny(self) -> tuple[Plane, Plane, Plane]:
        """(36, 64) luma and twice (18, 32) chroma, point samples: enough to see a cut."""
        if self._tiny is None:
            import cv2

            planes, bits = _planes(self.frame)
            luma = _shrink(planes[0], bits, TINY, cv2.INTER_LINEAR)
            if len(planes) < 3:
                self._tiny = luma, _GREY, _GREY
            else:
                blue = _shrink(planes[1], bits, _HALF, cv2.INTER_LINEAR)
                red = _shrink(planes[2], bits, _HALF, cv2.INTER_LINEAR)
                self._tiny = luma, blue, red
        return self._tiny

    def thumb(self) -> Plane:
        """Luma, long side about 300 pixels, averaged: enough to see that a line of text changed.

        Scaled by a whole number, four times as fast as to an exact size.
        """
        if self._thumb is None:
            import cv2

            factor = max(1, round(max(self.frame.width, self.frame.height) / _THUMB_SIDE))
            size = max(1, self.frame.width // factor), max(1, self.frame.height // factor)
            planes, bits = _planes(self.frame)
            self._thumb = _shrink(planes[0], bits, size, cv2.INTER_AREA, factor)
        return self._thumb


def _planes(frame: av.video.frame.VideoFrame) -> tuple[tuple[av.video.plane.VideoPlane, ...], int]:
    """The frame's planes, luma first, and their bits; RGB and palettes are converted first."""
    bits = _bits(frame.format.name)
    return (frame.planes, bits) if bits else (frame.reformat(format="yuv420p").planes, 8)


@cache
def _bits(form: str) -> int:
    """Bits per sample of a planar format that can be read as it is; 0 for any other."""
    match = _PLANAR.fullmatch(form)
    return int(match[1] or 8) if match else 0


def _shrink(
    source: av.video.plane.VideoPlane,
    bits: int,
    size: tuple[int, int],
    interpolation: int,
    factor: int = 0,
) -> Plane:
    """One plane at (width, height), 8 bits, without converting the whole frame first.

    With `factor`, what is over after size x factor pixels is cut off.
    """
    import cv2

    kind = _BYTE if bits == 8 else _PAIR
    rows = np.frombuffer(source, kind).reshape(source.height, -1)[:, : source.width]
    if factor:
        rows = rows[: size[1] * factor, : size[0] * factor]
    small = cv2.resize(rows, size, interpolation=interpolation)
    plane: Plane = small if bits == 8 else (small >> (bits - 8)).astype(np.uint8)
    return plane


def difference_hash(luma: Plane) -> str:
    """64-bit difference hash: which of two neighbours in an 8 x 9 picture is brighter.

    After N. Krawetz, "Kind of Like That" (2013). 16 hexadecimal digits.
    """
    import cv2

    small = cv2.resize(luma, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    bits = (small[:, 1:] > small[:, :-1]).ravel()
    return np.packbits(bits).tobytes().hex()

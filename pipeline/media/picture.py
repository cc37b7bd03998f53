"""A decoded frame and the small versions of it that pictures are compared by.

They are taken from the frame's own planes, so that a frame that is only looked at is never
converted. They are not turned as a viewer sees them: only pictures that are kept are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av.video.frame

Plane = NDArray[np.uint8]  # (height, width)

TINY = (64, 36)  # width, height
_THUMB_SIDE = 300
_PLANAR = re.compile(r"gray(1[0246]le)?|yuvj?a?4[0-4]{2}p(9le|1[0246]le)?")


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

            frame = _planar(self.frame)
            luma = _shrink(frame, 0, TINY, cv2.INTER_LINEAR)
            if len(frame.planes) < 3:
                grey = np.full((TINY[1] // 2, TINY[0] // 2), 128, np.uint8)
                self._tiny = luma, grey, grey
            else:
                half = (TINY[0] // 2, TINY[1] // 2)
                self._tiny = (
                    luma,
                    _shrink(frame, 1, half, cv2.INTER_LINEAR),
                    _shrink(frame, 2, half, cv2.INTER_LINEAR),
                )
        return self._tiny

    def thumb(self) -> Plane:
        """Luma, long side about 300 pixels, averaged: enough to see that a line of text changed.

        Scaled by a whole number, four times as fast as to an exact size.
        """
        if self._thumb is None:
            import cv2

            factor = max(1, round(max(self.frame.width, self.frame.height) / _THUMB_SIDE))
            size = max(1, self.frame.width // factor), max(1, self.frame.height // factor)
            self._thumb = _shrink(_planar(self.frame), 0, size, cv2.INTER_AREA, factor)
        return self._thumb


def _planar(frame: av.video.frame.VideoFrame) -> av.video.frame.VideoFrame:
    """The frame itself when its planes can be read as they are, else converted (RGB, palettes)."""
    return frame if _PLANAR.fullmatch(frame.format.name) else frame.reformat(format="yuv420p")


def _shrink(
    frame: av.video.frame.VideoFrame,
    index: int,
    size: tuple[int, int],
    interpolation: int,
    factor: int = 0,
) -> Plane:
    """One plane at (width, height), 8 bits, without converting the whole frame first.

    With `factor`, what is over after size x factor pixels is cut off.
    """
    import cv2

    source = frame.planes[index]
    bits = frame.format.components[index].bits
    kind = np.uint8 if bits == 8 else np.dtype("<u2")
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

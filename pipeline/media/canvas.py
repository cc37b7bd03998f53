"""Decoded frames as the planes that encoders take: upright, square pixels, even sides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.media.container import number, open_media
from pipeline.media.probe import clockwise, display_size, video_stream

if TYPE_CHECKING:
    import av.video.frame

Planes = NDArray[np.uint8]  # (height * 3 / 2, width), yuv420p: luma, then the two chroma planes


class Canvas:
    """Turns frames of one file into planes. `size` is (width, height) of what a viewer sees.

    With `within`, pictures are scaled to fit that size, which must be even.
    """

    def __init__(
        self,
        path: str | Path,
        frame: av.video.frame.VideoFrame,
        within: tuple[int, int] | None = None,
    ) -> None:
        from av.video.reformatter import VideoReformatter

        with open_media(path) as container:
            video = video_stream(container)
            pixel = number(video.sample_aspect_ratio) if video is not None else 0.0
        self._reformatter = VideoReformatter()  # one: a new one per frame costs 5 ms
        self._turns = clockwise(frame.rotation) // 90
        width, height = display_size(frame.width, frame.height, pixel)
        if self._turns % 2:
            width, height = height, width
        scale = min(within[0] / width, within[1] / height) if within else 1.0
        self.size = even(width * scale), even(height * scale)

    def planes(self, frame: av.video.frame.VideoFrame) -> Planes:
        width, height = self.size[::-1] if self._turns % 2 else self.size
        small = self._reformatter.reformat(frame, width=width, height=height, format="yuv420p")
        return turned(np.asarray(small.to_ndarray(), np.uint8), self._turns)


def turned(planes: Planes, turns: int) -> Planes:
    """Planes turned clockwise by so many quarters."""
    if not turns % 4:
        return planes
    luma, *chroma = (np.ascontiguousarray(np.rot90(part, -turns)) for part in parts_of(planes))
    return np.concatenate([luma, *(part.reshape(-1, luma.shape[1]) for part in chroma)])


def parts_of(planes: Planes) -> tuple[Planes, Planes, Planes]:
    """Views of luma (height, width) and of the two chroma planes (height / 2, width / 2)."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    return planes[:height], chroma[0], chroma[1]


def even(side: float) -> int:
    """The even number of pixels next below, 2 at least."""
    return max(2, int(side + 0.001) // 2 * 2)

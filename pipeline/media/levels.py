"""How loud each of the two channels of a track is, over time: who speaks, where each has one.

Recorders of calls and interviews give every speaker a channel of their own. Mixed to one, as
speech is heard by a recogniser, that is lost; so it is measured while the track is decoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.types import LEVEL_SECONDS, Levels

if TYPE_CHECKING:
    import av.audio.frame

_AT_ONCE = 1.0  # seconds gathered before they are summed: frames are short
_EVERY = 4  # samples of which one is looked at: enough to tell how loud it is


class LevelMeter:
    """Takes the frames of a track in order; a track without exactly two channels has no levels."""

    def __init__(self) -> None:
        self._energy = np.zeros((0, 2))
        self._counts = np.zeros(0)
        self._rows = 0  # in use; there is room for more
        self._frames: list[NDArray[np.float32]] = []
        self._start = self._end = 0.0
        self._rate = 0
        self._stereo = True

    def take(self, frame: av.audio.frame.AudioFrame, time: float) -> None:
        """`time` in seconds on the clock, where the frame begins."""
        if frame.layout.nb_channels != 2:
            self._stereo = False
        if not self._stereo:
            return
        if frame.sample_rate != self._rate or abs(time - self._end) > 1e-3:
            self._sum()
            self._start, self._rate = time, frame.sample_rate
        self._frames.append(_samples(frame))
        self._end = time + frame.samples / frame.sample_rate
        if self._end - self._start >= _AT_ONCE:
            self._sum()

    def levels(self) -> Levels:
        """(n, 2) left and right; (0, 0) without two channels."""
        self._sum()
        if not self._stereo:
            return np.zeros((0, 0), np.float32)
        energy = self._energy[: self._rows] / np.maximum(self._counts[: self._rows], 1)[:, None]
        return np.sqrt(energy).astype(np.float32)

    def _sum(self) -> None:
        if not self._frames:
            return
        samples = np.concatenate(self._frames, axis=1)
        times = self._start + np.arange(samples.shape[1]) * (_EVERY / self._rate)
        rows = np.floor(times / LEVEL_SECONDS).astype(np.int64)
        before = int(np.searchsorted(rows, 0))  # what comes before zero on the clock is not heard
        self._start, self._frames = self._end, []
        if before < len(rows):
            self._add(rows[before:], np.square(samples[:, before:]))

    def _add(self, rows: NDArray[np.int64], energy: NDArray[np.float32]) -> None:
        if rows[-1] >= len(self._counts):
            more = max(int(rows[-1]) + 1, 2 * len(self._counts)) - len(self._counts)
            self._energy = np.concatenate([self._energy, np.zeros((more, 2))])
            self._counts = np.concatenate([self._counts, np.zeros(more)])
        self._rows = max(self._rows, int(rows[-1]) + 1)
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        self._energy[rows[starts]] += np.add.reduceat(energy, starts, axis=1).T
        self._counts[rows[starts]] += np.diff(starts, append=len(rows))


def _samples(frame: av.audio.frame.AudioFrame) -> NDArray[np.float32]:
    """(2, samples) in [-1, 1], whatever the format: one of every `_EVERY`."""
    values = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, 2).T
    values = values[:, ::_EVERY]
    if values.dtype == np.uint8:
        return np.asarray((values.astype(np.float32) - 128) / 128)
    if np.issubdtype(values.dtype, np.integer):
        return np.asarray(values.astype(np.float32) / -float(np.iinfo(values.dtype).min))
    return np.asarray(values, np.float32)

"""Stretches during which the picture stands still, and one frame of each.

They are what the screen is read from. A slide is one stretch from its first frame to its last;
text that is being typed, or scrolls, gives a frame every three seconds at most, and so does
footage that never stands still. A small part of the picture that always moves (the speaker's
camera in the corner of a slide) is left out of the comparison.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.media.picture import Picture, Plane
from pipeline.media.shots import sharpness

Grid = NDArray[np.float32]  # (rows, columns), one value per block of `_BLOCK` x `_BLOCK` points

STILL = 1.0  # seconds a picture must stand to be one of its own
MOVING = 3.0  # seconds of motion for which one frame is kept
_LEVEL = 20  # of 255: a point of the thumb that changes less has not changed
# Share of the thumb's points that must change: less than a line of text, more than the pointer.
_MATERIAL = 0.001
# What changes in small steps does not stand still: text that is typed in few points, a slow turn
# of the camera first in many points by little. (level, times the share above)
_DRIFTS = ((_LEVEL, 0.3), (8, 3.0))
_SETTLED = 4.0  # seconds in which the sharpest picture of a stretch is looked for
_BLOCK = 8
_MEMORY = 0.06  # weight of the newest sample in how active a block is
_RESTLESS = 0.2  # activity from which a block counts as always moving
_MOST_MASKED = 0.25  # share of blocks; where more moves, everything does
_REVISIT = 6.0  # seconds after which what is masked is looked at again


@dataclass(frozen=True, slots=True)
class Stretch:
    """`start` to `end`, and the picture that stands for it; see `StillRun`."""

    start: float
    end: float
    picture: Picture
    moving: bool


@dataclass(slots=True)
class _Open:
    """A stretch that goes on. `drift` over 1: it does not stand, it changes in small steps."""

    start: float
    anchor: Picture
    best: Picture
    sharpness: float
    samples: int = 1
    drift: float = 0.0


class StillFinder:
    """Stretches in pictures that arrive window by window, about half a second each."""

    def __init__(self) -> None:
        self._run: _Open | None = None
        self._moving: _Open | None = None  # short stretches that were put together
        self._moving_end = 0.0
        self._last: Picture | None = None
        self._activity: Grid | None = None
        self._found_in_shot = False

    def feed(self, window: Sequence[Picture], cuts: Sequence[float]) -> list[Stretch]:
        """Stretches that end in `window`, in order. `cuts` are times of pictures in it."""
        found: list[Stretch] = []
        times = [picture.time for picture in window]
        borders = [bisect_left(times, cut) for cut in cuts]
        for begin, end in zip([0, *borders], [*borders, len(window)], strict=True):
            if begin in borders:
                found += self.finish(window[begin].time)
            if begin < end:
                found += self._sample(window[begin:end])
        return found

    def finish(self, end: float) -> list[Stretch]:
        """The end of a shot or of the video: what is open ends at `end`."""
        found = self._close(end) if self._run else []
        found += self._flush_moving(least=0.0 if not self._found_in_shot else STILL)
        self._run, self._last, self._activity = None, None, None
        self._found_in_shot = False
        return found

    def _sample(self, part: Sequence[Picture]) -> list[Stretch]:
        """Compare the last picture of `part` with the open stretch."""
        sample, run = part[-1], self._run
        if run is None or self._last is None:
            self._begin(part[0].time, sample)
            return []
        self._note_activity(self._last, sample)
        self._last = sample
        if not self._differ(run.anchor, sample) and not self._revisit(run, sample):
            self._extend(run, sample)
            return []
        end, start = self._borders(run, part)
        found = self._close(end)
        self._begin(start, sample)
        return found

    def _begin(self, start: float, sample: Picture) -> None:
        self._run = _Open(start, sample, sample, sharpness(sample.thumb()))
        self._last = sample

    def _extend(self, run: _Open, sample: Picture) -> None:
        run.samples += 1
        for level, times in _DRIFTS:
            points = self._difference(run.anchor, sample, level)
            run.drift = max(run.drift, points / (times * _limit(sample)))
        if sample.time - run.start <= _SETTLED:
            sharp = sharpness(sample.thumb())
            if sharp >= run.sharpness:
                run.best, run.sharpness = sample, sharp

    def _borders(self, run: _Open, part: Sequence[Picture]) -> tuple[float, float]:
        """(end of the open stretch, start of the next), exact where it had settled."""
        if run.samples == 1:
            return part[0].time, part[0].time
        left = _first(part, lambda picture: self._differ(run.anchor, picture))
        rest = part[left:]
        right = _first(rest, lambda picture: not self._differ(part[-1], picture))
        return part[left].time, rest[right].time

    def _close(self, end: float) -> list[Stretch]:
        """End the open stretch: one of its own if it stood, else a part of the motion."""
        run = self._run
        assert run is not None
        seconds = end - run.start
        if seconds >= MOVING or (seconds >= STILL and run.drift <= 1):
            found = self._flush_moving()
            self._found_in_shot = True
            return [*found, Stretch(run.start, end, run.best, moving=False)]
        if self._moving is None:
            self._moving = run
        elif run.sharpness >= self._moving.sharpness:
            self._moving.best, self._moving.sharpness = run.best, run.sharpness
        self._moving_end = end
        return self._flush_moving() if end - self._moving.start >= MOVING else []

    def _flush_moving(self, least: float = STILL) -> list[Stretch]:
        """The collected motion, unless it is a mere transition between pictures that stand."""
        moving, self._moving = self._moving, None
        if moving is None or self._moving_end - moving.start < least:
            return []
        self._found_in_shot = True
        return [Stretch(moving.start, self._moving_end, moving.best, moving=True)]

    # ------------------------------------------------------------ what has changed

    def _differ(self, before: Picture, after: Picture) -> bool:
        return self._difference(before, after, _LEVEL) >= _limit(after)

    def _difference(self, before: Picture, after: Picture, level: int) -> float:
        """Points of the thumb that differ by more than `level`, outside what always moves."""
        changed = _changed(before.thumb(), after.thumb(), level)
        masked = self._masked()
        if masked is None:
            return float(np.count_nonzero(changed))
        blocks = _blocks(changed)
        if masked.shape != blocks.shape:  # the stream changed its size
            return float(changed.size)
        return float(blocks[~masked].sum()) * _BLOCK * _BLOCK

    def _note_activity(self, before: Picture, after: Picture) -> None:
        moved = (_blocks(_changed(before.thumb(), after.thumb(), _LEVEL)) > 0.02).astype(np.float32)
        if self._activity is None or self._activity.shape != moved.shape:
            self._activity = np.zeros_like(moved)
        self._activity += _MEMORY * (moved - self._activity)

    def _masked(self) -> NDArray[np.bool_] | None:
        """The blocks that always move, with their neighbours; None where that is none or most."""
        import cv2

        if self._activity is None or float(self._activity.max()) < _RESTLESS:
            return None
        restless = (self._activity >= _RESTLESS).astype(np.uint8)
        masked: NDArray[np.bool_] = cv2.dilate(restless, np.ones((3, 3), np.uint8)) > 0
        return masked if float(masked.mean()) <= _MOST_MASKED else None

    def _revisit(self, run: _Open, sample: Picture) -> bool:
        return self._masked() is not None and sample.time - run.start >= _REVISIT


def _limit(picture: Picture) -> float:
    return max(4.0, picture.thumb().size * _MATERIAL)


def _changed(before: Plane, after: Plane, level: int) -> Plane:
    import cv2

    if before.shape != after.shape:  # the stream changed its size
        return np.full(after.shape, 255, np.uint8)
    difference = cv2.absdiff(before, after)
    changed: Plane = cv2.threshold(difference, level, 255, cv2.THRESH_BINARY)[1]
    return changed


def _blocks(changed: Plane) -> Grid:
    """Share of changed points per block; what is left over at the borders is left out."""
    import cv2

    rows, columns = max(1, changed.shape[0] // _BLOCK), max(1, changed.shape[1] // _BLOCK)
    whole = changed[: rows * _BLOCK, : columns * _BLOCK]
    shares = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
    grid: Grid = shares.astype(np.float32) / 255
    return grid


def _first(pictures: Sequence[Picture], holds: Callable[[Picture], bool]) -> int:
    """Index of the first picture for which `holds`, given that it does for the last one.

    By halving: a picture that changes and changes back in between is not looked for.
    """
    return bisect_left(range(len(pictures) - 1), True, key=lambda index: holds(pictures[index]))

"""Where one shot ends and the next begins, and the frames that stand for a shot.

PySceneDetect's `AdaptiveDetector` decides on every cut. It is asked only where a cut may be:
pictures 1/8 s apart that look alike hold no cut between them, and of those that do not, only
the neighbours of a jump from one frame to the next are worth its time. Cuts are exact to the
frame, and a video is decoded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import quantiles

import numpy as np

from pipeline.media.frames import KeyFrame
from pipeline.media.picture import Picture, Plane, difference_hash

MIN_SHOT = 0.4  # seconds; what is shorter is a flash or a stutter
_LOOK = 0.12  # seconds between the pictures that are compared first
# Mean change of luma or chroma (of 255) below which two pictures hold no cut between them; a
# cut has to score 15 in hue, saturation and brightness to count at all.
_LUMA_GATE, _CHROMA_GATE = 8.0, 4.0
_CONTEXT = 4  # frames before and after that the detector needs to judge one
AHEAD = 3

_ALIKE = 0.04  # share of a 64 x 36 picture that may differ between near-duplicates
_OTHER_SLIDE = 0.12  # share that makes it another slide
_DISSOLVE = 1.0  # seconds from one slide to the next
_LEVEL = 16  # of 255: a smaller difference of one point is none
_DIMMEST = 48  # of 255, where black is 16: luma below which nothing can be seen
_NEIGHBOURS = 16  # key frames back among which a picture is looked for
# Seconds of a shot for which it may have a key frame, beyond the first few: a screen recording
# or a fixed camera is one shot for an hour.
_SECONDS_PER_KEY_FRAME = 8.0
_STRETCH = 400  # pictures of a shot that are compared with each other: a camera never rests
_ENOUGH = 6  # pictures of a shot from which it can be told what is usual in it
_BACK = 8  # pictures back to which one is compared for that
_ANOTHER = 0.3  # share that makes it another picture, however much moves in its shot


@dataclass(frozen=True, slots=True)
class Shot:
    """From one cut to the next. `key_frames` is empty only where there is nothing but black.

    `brightness` is the mean luma, 0 to 1; `motion` the mean change of luma, 0 to 1, between
    pictures 1/8 s apart.
    """

    start: float
    end: float
    key_frames: tuple[KeyFrame, ...]
    brightness: float
    motion: float

    @property
    def still(self) -> bool:
        """Whether next to nothing moves, as on a slide."""
        return self.motion < 0.003

    @property
    def black(self) -> bool:
        return not self.key_frames


class CutFinder:
    """Cuts in pictures that arrive window by window, and how much moves meanwhile."""

    def __init__(self) -> None:
        self._before: list[Picture] = []  # the last pictures of the windows before
        self._last_cut = 0.0
        self.motion: list[tuple[float, float]] = []  # (time, mean change of luma, 0 to 255)

    def find(self, window: Sequence[Picture], ahead: Sequence[Picture]) -> list[float]:
        """Times of the first pictures of new shots inside `window`.

        `ahead` is what follows, `AHEAD` pictures where there are as many.
        """
        pictures = [*self._before, *window, *ahead]
        first = len(self._before)
        if not first:
            self._last_cut = window[0].time
        suspects: list[int] = []
        for left, right in _intervals(pictures, max(0, first - 1), first + len(window) - 1):
            luma, chroma = change(pictures[left], pictures[right])
            self.motion.append((pictures[right].time, luma))
            if luma >= _LUMA_GATE or chroma >= _CHROMA_GATE:
                suspects += _jumps(pictures, left, right)
        cuts = self._judge(pictures, suspects) if suspects else []
        self._before = pictures[: first + len(window)][-_CONTEXT:]
        return cuts

    def _judge(self, pictures: Sequence[Picture], suspects: Sequence[int]) -> list[float]:
        cuts = []
        for index in sorted(_detected(pictures, suspects)):
            time = pictures[index].time
            if time - self._last_cut >= MIN_SHOT and not _is_flash(pictures, index):
                self._last_cut = time
                cuts.append(time)
        return cuts


def _intervals(pictures: Sequence[Picture], first: int, last: int) -> list[tuple[int, int]]:
    """Index pairs (left, right) about `_LOOK` seconds apart that cover first to last."""
    pairs, left = [], first
    for right in range(first + 1, last + 1):
        if pictures[right].time - pictures[left].time >= _LOOK or right == last:
            pairs.append((left, right))
            left = right
    return pairs


def change(before: Picture, after: Picture) -> tuple[float, float]:
    """Mean absolute difference of luma and of the stronger chroma plane, 0 to 255."""
    import cv2

    a, b = before.tiny(), after.tiny()
    luma, red, blue = (cv2.norm(x, y, cv2.NORM_L1) / x.size for x, y in zip(a, b, strict=True))
    return luma, max(red, blue)


def _jumps(pictures: Sequence[Picture], left: int, right: int) -> list[int]:
    """Indices in (left, right] whose picture differs from the one before as much as a cut would.

    The detector wants a score of 3 times the mean of the two frames before and the two after.
    That is at least 1.5 times the mean of the nearest two, so motion need not be put to it.
    """
    first, last = max(1, left), min(right + 2, len(pictures))
    steps = {i: change(pictures[i - 1], pictures[i]) for i in range(first, last)}
    found = []
    for index in range(left + 1, right + 1):
        luma, chroma = steps[index]
        if luma < _LUMA_GATE and chroma < _CHROMA_GATE:
            continue
        around = [max(steps[i]) for i in (index - 1, index + 1) if i in steps]
        if max(luma, chroma) >= 1.5 * sum(around) / 2:
            found.append(index)
    return found


def _detected(pictures: Sequence[Picture], suspects: Sequence[int]) -> set[int]:
    """Those of the suspects that PySceneDetect calls a cut."""
    from scenedetect import FrameTimecode
    from scenedetect.detectors import AdaptiveDetector

    first, last = max(0, suspects[0] - _CONTEXT), min(len(pictures), suspects[-1] + AHEAD + 1)
    detector = AdaptiveDetector(min_scene_len=0)
    cuts: set[int] = set()
    for index in range(first, last):
        # One frame a second: the "frame number" is then the index, whatever the real rate.
        found = detector.process_frame(FrameTimecode(index, 1.0), _colour(pictures[index]))
        cuts.update(cut.frame_num for cut in found)
    return cuts & set(suspects)


def _colour(picture: Picture) -> Plane:
    """(36, 64, 3) blue, green, red: what the detector takes."""
    import cv2

    luma, blue, red = picture.tiny()
    size = (luma.shape[1], luma.shape[0])
    planes = [luma, cv2.resize(red, size), cv2.resize(blue, size)]
    colours: Plane = cv2.cvtColor(cv2.merge(planes), cv2.COLOR_YCrCb2BGR)
    return colours


def _is_flash(pictures: Sequence[Picture], index: int) -> bool:
    """Whether what stood before is back a few frames on, or what stands now stood a few before."""
    after = min(index + AHEAD, len(pictures) - 1)
    before = max(index - 1 - AHEAD, 0)
    return _back(pictures[index - 1], pictures[after]) or _back(pictures[before], pictures[index])


def _back(one: Picture, other: Picture) -> bool:
    luma, chroma = change(one, other)
    return luma < _LUMA_GATE / 2 and chroma < _CHROMA_GATE / 2


# ---------------------------------------------------------------- key frames


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture that was written, with what is needed to choose among its like."""

    time: float
    start: float  # of the stretch it stands for
    end: float
    moving: bool
    path: Path
    width: int
    height: int
    small: Plane  # (36, 64) luma
    sharpness: float


def is_blank(thumb: Plane) -> bool:
    """Black: not one point that a line of dim text would have."""
    return int(thumb.max()) < _DIMMEST


def sharpness(luma: Plane) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al. 2000): the higher, the sharper."""
    import cv2

    deviation = cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_16S))[1]
    return float(deviation[0, 0] ** 2)


def small_luma(thumb: Plane) -> Plane:
    import cv2

    small: Plane = cv2.resize(thumb, (64, 36), interpolation=cv2.INTER_AREA)
    return small


def same(one: Plane, other: Plane) -> bool:
    """Whether they are the same picture: two titles on the same slide are not."""
    return _difference(one, other, _LEVEL // 2) < _ALIKE / 2


def _difference(one: Plane, other: Plane, level: int = _LEVEL) -> float:
    """Share of the points that differ by more than `level`."""
    return float((np.abs(one.astype(np.int16) - other) > level).mean())


def slide_changes(kept: Sequence[Kept]) -> list[float]:
    """Times at which one standing picture has given way to another, quite different one.

    A dissolve, or a white slide after a white slide, is no cut to the detector; to whoever
    describes the video it is one.
    """
    return [
        after.start
        for before, after in pairwise(kept)
        if not (before.moving or after.moving)
        and after.start - before.end <= _DISSOLVE
        and _difference(before.small, after.small) >= _OTHER_SLIDE
    ]


def merge_cuts(cuts: Sequence[float], soft: Sequence[float]) -> list[float]:
    """All cuts and those soft ones that are no part of a cut nearby, ascending."""
    kept = list(cuts)
    for time in soft:
        if all(abs(time - other) > _DISSOLVE for other in kept):
            kept.append(time)
    return sorted(kept)


class KeyFrameChooser:
    """Key frames shot by shot; remembers the latest so as not to describe a picture twice."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._recent: list[tuple[float, Plane]] = []

    def choose(self, kept: Sequence[Kept]) -> tuple[KeyFrame, ...]:
        """At most `most` of a shot's kept pictures, more of a long one, in time order.

        They are unlike each other. The first choice is the picture that stood longest, then
        always the one that differs most from those chosen.
        """
        chosen: list[Kept] = []
        for first in range(0, len(kept), _STRETCH):
            some = kept[first : first + _STRETCH]
            seconds = some[-1].end - some[0].start
            most = max(self._most, int(seconds / _SECONDS_PER_KEY_FRAME))
            chosen += _most_unlike(some, most)
        habit = usual_change(kept)
        return tuple(self._as_key_frame(picture, habit) for picture in sorted(chosen, key=_time))

    def _as_key_frame(self, picture: Kept, habit: float) -> KeyFrame:
        seen = next((t for t, small in self._recent if same(small, picture.small)), None)
        changed = min((_difference(small, picture.small) for _, small in self._recent), default=1.0)
        if seen is None:
            self._recent = [*self._recent[1 - _NEIGHBOURS :], (picture.time, picture.small)]
        return KeyFrame(
            time=picture.time,
            path=picture.path,
            width=picture.width,
            height=picture.height,
            hash=difference_hash(picture.small),
            same_as=seen,
            novelty=changed if changed >= _ANOTHER else max(0.0, changed - habit),
        )


def usual_change(kept: Sequence[Kept]) -> float:
    """How much one picture of a shot usually differs from what stood before: somebody who speaks
    is never quite still, and none of it is news. The lower quartile: a camera that watches a door
    sees nothing most of the time, and is worth a look whenever it does."""
    if len(kept) < _ENOUGH:
        return 0.0
    changes = [
        min(_difference(before.small, picture.small) for before in kept[max(0, at - _BACK) : at])
        for at, picture in enumerate(kept)
        if at
    ]
    return quantiles(changes, n=4)[0]


def _most_unlike(kept: Sequence[Kept], most: int) -> list[Kept]:
    """See `KeyFrameChooser.choose`. Cost: `most` times the pictures."""
    pictures = np.stack([picture.small for picture in kept]).astype(np.int16)
    sharp = np.array([picture.sharpness for picture in kept])
    # How far each is from those chosen, less than nothing once it is like one of them.
    nearest = np.array([picture.end - picture.start for picture in kept])
    chosen: list[Kept] = []
    while len(chosen) < most and nearest.max() >= 0:
        best = int(np.lexsort((-np.arange(len(kept)), sharp, nearest))[-1])
        away = np.abs(pictures - pictures[best])
        if not chosen:
            nearest = np.full(len(kept), np.inf)
        nearest = np.minimum(nearest, away.mean(axis=(1, 2)))
        nearest[(away > _LEVEL).mean(axis=(1, 2)) < _ALIKE] = -1.0
        chosen.append(kept[best])
    return chosen


def _time(picture: Kept) -> float:
    return picture.time

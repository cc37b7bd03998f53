"""What to look at: which pictures of a video are worth a call of a vision model, and how much.

A description costs the same whether it tells something or not. It tells something where the
picture is new and where there is little text already: a speaker at a desk is told by what is said,
a slide by what can be read on it, a silent demonstration by nothing else. So each key frame has a
worth, made of how new it is, how little is said and read while it stands, and whether somebody
points at it ("as you can see here"). (Speech chooses where to look as in Ventura et al. 2025,
"Chapter-Llama", section 3.2; here it says where not to.)

Several pictures go into one call and are described one by one, so that a call an average minute
is as exact in time as a call for every picture.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Protocol

from pipeline.types import Segment

SECONDS_PER_CALL = 60.0
LONGEST_VIEW = 120.0  # seconds that one call may stand for, where little is to be seen
MOST_IMAGES = 6  # of one call
# Pictures of one chain are described one after the other, each with the description before it;
# chains of one video are described side by side.
LONGEST_CHAIN = 5

_NEW = 0.1  # novelty at which a picture tells 63 % of what quite another one would
_ANOTHER = 0.3  # novelty from which it is quite another one
_SEEN_BEFORE = 0.035  # novelty below which a picture shows what another has shown
# Nothing is worth less than a glance; below it nobody looks, whatever the budget.
_LEAST = 0.12
_FLUENT = 2.0  # words a second at which speech leaves nothing unsaid
_FULL = 25.0  # words on a screen that says all there is to it
_SPOKEN, _READ = 0.6, 0.4  # how much of a picture's worth speech and screen text can take away
_POINTED = 0.5  # what is added where somebody points at it
# Somebody who speaks in front of a camera moves: so much less is news where the picture is never
# still (mean change of luma, see `media.shots`) and somebody speaks.
_MOVES, _FIDGETS = 0.003, 0.08
_BRIEF = 2.0  # seconds a picture stands that halve its worth
_AROUND = 2.0  # seconds around a picture within which what is said is about it

# What is said when something is to be seen.
_POINTING = re.compile(
    r"\b(as you (can )?see|you('ll| will| can)? see|have a look|look at|looking at|watch (this|how)"
    r"|over here|right here|this (one|is what)|shown here|on the (left|right|screen|slide|board)"
    r"|in (this|the) (picture|image|chart|graph|diagram|figure|photo|map|table)"
    r"|(click|drag|select)(s|ed|ing|ged|ging)?)\b",
    re.IGNORECASE,
)


class KeyFrame(Protocol):
    """A frame that stands for its shot (`media.frames`)."""

    @property
    def time(self) -> float: ...
    @property
    def path(self) -> Path: ...
    @property
    def novelty(self) -> float: ...


class Shot(Protocol):
    """One shot and its key frames, ascending in time (`media.shots`)."""

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def motion(self) -> float: ...
    @property
    def key_frames(self) -> Sequence[KeyFrame]: ...


@dataclass(frozen=True, slots=True)
class Look:
    """A picture, from when to when what it shows stands, and what a description is worth."""

    start: float
    end: float
    time: float
    path: Path
    novelty: float
    worth: float


@dataclass(frozen=True, slots=True)
class View:
    """What one call of a vision model describes. `worth` compares across videos.

    `follows`: it goes on from the view before it, and is described with that in mind.
    """

    looks: tuple[Look, ...]
    follows: bool = False

    @property
    def start(self) -> float:
        return self.looks[0].start

    @property
    def end(self) -> float:
        return max(look.end for look in self.looks)

    @property
    def worth(self) -> float:
        return sum(look.worth for look in self.looks)


def views_of(
    shots: Sequence[Shot],
    speech: Sequence[Segment] = (),
    screen: Sequence[Segment] = (),
    *,
    seconds_per_call: float = SECONDS_PER_CALL,
    images: int = MOST_IMAGES,
) -> list[View]:
    """What is worth describing in a video, by time; shots and segments ascending.

    About a call for `seconds_per_call` of video at most, on average, of at most `images` pictures:
    where there are more, the most worthy of each minute. What is left out shows what another
    picture has shown, or next to nothing that words do not tell. A video has at least one view
    unless all of it is black.
    """
    looks = _looks(shots, _Words(speech), _Words(screen))
    wanted = [look for look in looks if look.worth >= _LEAST]
    if looks and not wanted:
        wanted = [max(looks, key=lambda look: look.worth)]
    chosen = _within_quota(wanted, images, max(seconds_per_call, 1.0))
    return _views(chosen, images)


# ---------------------------------------------------------------- what a picture is worth


def _looks(shots: Sequence[Shot], speech: _Words, screen: _Words) -> list[Look]:
    """Every picture that shows something new, by time, with its stretch.

    What is not new goes on under the picture before it in its shot; as the first of a shot it is
    somewhere that was described already, and no picture stands for it.
    """
    looks: list[Look] = []
    for shot in shots:
        frames = [
            (shot.start if place == 0 else frame.time, frame)
            for place, frame in enumerate(shot.key_frames)
            if frame.novelty >= _SEEN_BEFORE or not (place or looks)
        ]
        ends = [*(start for start, _ in frames[1:]), shot.end]
        for (start, frame), end in zip(frames, ends, strict=False):
            if start < end:
                worth = _worth(frame.novelty, shot.motion, start, end, speech, screen)
                looks.append(Look(start, end, frame.time, frame.path, frame.novelty, worth))
    return looks


def _worth(
    novelty: float, motion: float, start: float, end: float, speech: _Words, screen: _Words
) -> float:
    said = speech.count(start - _AROUND, end + _AROUND) / (end - start + 2 * _AROUND)
    fluent = min(1.0, said / _FLUENT)
    if motion >= _MOVES and novelty < _ANOTHER:
        novelty = max(0.0, novelty - _FIDGETS * fluent)
    new = 1 - math.exp(-novelty / _NEW)
    lasting = (end - start) / (end - start + _BRIEF)
    told = _SPOKEN * fluent + _READ * min(1.0, screen.most(start, end) / _FULL)
    if novelty >= _ANOTHER:
        told /= 2  # whatever is said, this is another place
    pointed = _POINTED if speech.points(start - _AROUND, end) else 0.0
    return lasting * new * (max(0.0, 1 - told) + pointed)


class _Words:
    """How much is said, or can be read, in an interval."""

    def __init__(self, segments: Iterable[Segment]) -> None:
        self._segments = sorted(segments, key=lambda segment: segment.start)
        self._starts = [segment.start for segment in self._segments]
        self._longest = max((s.end - s.start for s in self._segments), default=0.0)
        self._words = [_word_count(segment.text) for segment in self._segments]
        self._before = [0, *accumulate(self._words)]
        self._pointing = [s.start for s in self._segments if _POINTING.search(s.text)]

    def count(self, start: float, end: float) -> float:
        """Words in the interval, of segments in part within it in proportion."""
        first = bisect_left(self._starts, start - self._longest)
        total = 0.0
        for at in range(first, bisect_left(self._starts, end)):
            segment = self._segments[at]
            shared = min(end, segment.end) - max(start, segment.start)
            if shared > 0:
                total += self._words[at] * shared / (segment.end - segment.start)
        return total

    def most(self, start: float, end: float) -> int:
        """Words of the fullest segment that overlaps the interval."""
        first = bisect_left(self._starts, start - self._longest)
        last = bisect_left(self._starts, end)
        return max(
            (self._words[at] for at in range(first, last) if self._segments[at].end > start),
            default=0,
        )

    def points(self, start: float, end: float) -> bool:
        """Whether somebody points at something in the interval."""
        at = bisect_left(self._pointing, start)
        return at < len(self._pointing) and self._pointing[at] < end


def _word_count(text: str) -> int:
    """Words; in scripts without spaces, two characters are about one."""
    words = text.split()
    return sum(max(1, len(word) // 2) if ord(word[0]) > 0x2E80 else 1 for word in words)


# ---------------------------------------------------------------- pictures to calls


def _within_quota(looks: Sequence[Look], images: int, seconds: float) -> list[list[Look]]:
    """The worthiest pictures of each of the stretches of about `seconds`, all by time."""
    if not looks:
        return []
    duration = max(look.end for look in looks)
    count = max(1, round(duration / seconds))
    stretches: list[list[Look]] = [[] for _ in range(count)]
    for look in looks:
        stretches[min(count - 1, int(look.time / duration * count))].append(look)
    best = (sorted(some, key=lambda look: (-look.worth, look.time))[:images] for some in stretches)
    return [sorted(some, key=lambda look: look.time) for some in best if some]


def _views(stretches: Sequence[Sequence[Look]], images: int) -> list[View]:
    """A call for each stretch; for several, where they have few pictures."""
    groups: list[list[Look]] = []
    for looks in stretches:
        group = groups[-1] if groups else []
        room = len(group) + len(looks) <= images
        if group and room and looks[-1].end - group[0].start <= LONGEST_VIEW:
            group += looks
        else:
            groups.append([*looks])
    views: list[View] = []
    chain = 0
    for group in groups:
        follows = bool(views) and chain < LONGEST_CHAIN and _goes_on(views[-1], group[0])
        chain = chain + 1 if follows else 1
        views.append(View(tuple(group), follows))
    return views


def _goes_on(view: View, look: Look) -> bool:
    """Whether a picture belongs to what the view before it shows."""
    return look.start - view.end < LONGEST_VIEW and look.novelty < _ANOTHER

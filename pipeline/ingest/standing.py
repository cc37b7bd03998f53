"""Lines of text followed over time: one that stays on the screen is one line, however often it
was read.

Frames are read one by one, and the readings differ: a letter is misread, a line is missed once,
a terminal scrolls, a bullet appears under those that stand. A line goes on as long as its text
is found again (anywhere, if nothing else on the screen reads the same; near its place
otherwise, or where everything else has moved to), or nearly its text at its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import lru_cache
from statistics import median

from pipeline.types import TextLine

Box = tuple[float, float, float, float]

# A line may be missing for this long and still be the same line.
BRIDGE_SECONDS = 5.0
_SIMILAR = 0.8
_SHORTEST_FUZZY = 5  # characters; shorter texts must agree in all of them
_OVERLAP = 0.5  # of the smaller box
# A line that is being typed grows at least this often.
_TYPING_SECONDS = 5.0
_MOST_LINES = 300

# What a reader takes for each other. Folded only to compare, never to store.
_CONFUSED = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "5": "s", "—": "-", "–": "-"})  # noqa: RUF001
_DIGITS = re.compile(r"\d+")
_CLOCK = re.compile(r"\d:\d\d")
_SINGLE_LETTER = re.compile(r"\b[^\W\d_]\b")

_FEWEST_TICKS = 4
_LONGEST_TICK = 3.0
_LONGEST_TICK_GAP = 60.0


@dataclass(frozen=True, slots=True)
class Screen:
    """What was read of one still stretch of the video."""

    start: float
    end: float
    lines: tuple[TextLine, ...]


@dataclass(slots=True)
class StandingLine:
    """One line from its first to its last second. `ranks` is its place in the reading order of
    each screen it was read on, by the screen's index."""

    start: float
    end: float
    box: Box
    ranks: dict[int, int] = field(default_factory=dict)
    last: int = 0  # index of the last screen it was read on
    latest: str = ""  # the last reading
    changed: float = 0.0  # when typing last made it longer
    readings: dict[str, float] = field(default_factory=dict)  # text -> summed confidence

    @property
    def folded(self) -> str:
        return fold(self.latest)

    @property
    def text(self) -> str:
        """The reading that was most frequent and most confident."""
        return max(self.readings, key=lambda text: self.readings[text])

    def read(self, index: int, rank: int, screen: Screen, line: TextLine) -> None:
        if self._grown_to(fold(line.text), screen.start):
            self.readings.clear()
            self.changed = screen.start
        self.end, self.box, self.last, self.latest = screen.end, line.box, index, line.text
        self.ranks[index] = rank
        self.readings[line.text] = self.readings.get(line.text, 0.0) + line.confidence

    def _grown_to(self, folded: str, now: float) -> bool:
        return (
            len(self.folded) > 1
            and len(folded) > len(self.folded)
            and folded.startswith(self.folded)
            and now - self.changed <= _TYPING_SECONDS
        )

    def could_be(self, line: TextLine, now: float) -> float:
        """How alike the texts are, 0 where they cannot be one line."""
        height = line.box[3] - line.box[1]
        typed = self._grown_to(fold(line.text), now) and abs(line.box[0] - self.box[0]) < height
        return 1.0 if typed else similarity(self.latest, line.text)


def follow(screens: Sequence[Screen]) -> list[StandingLine]:
    """The lines of all screens (ascending in time), in the order in which they appear."""
    everything: list[StandingLine] = []
    active: list[StandingLine] = []
    same_scene: list[bool] = []  # whether most of a screen's lines stood on the one before
    for index, screen in enumerate(screens):
        active = [line for line in active if _may_go_on(line, index, screens, same_scene)]
        lines = [line for line in screen.lines if _legible(line)][:_MOST_LINES]
        pairs = _pairs(lines, active, screen.start)
        before = sum(line.last == index - 1 for line in active)
        kept = sum(line.last == index - 1 for line in pairs.values())
        same_scene.append(kept * 2 >= max(before, len(lines), 1))
        for rank, line in enumerate(lines):
            if rank not in pairs:
                pairs[rank] = StandingLine(screen.start, screen.end, line.box, changed=screen.start)
                everything.append(pairs[rank])
                active.append(pairs[rank])
            pairs[rank].read(index, rank, screen, line)
    return _without_counters(everything)


def _legible(line: TextLine) -> bool:
    """Not a speck: sure enough, and more than one letter or digit (one, where it is a word)."""
    letters = [character for character in line.text if character.isalnum()]
    return line.confidence >= 0.5 and (
        len(letters) > 1 or (len(letters) == 1 and letters[0] >= "\u3040")
    )


def _may_go_on(
    line: StandingLine, index: int, screens: Sequence[Screen], same_scene: Sequence[bool]
) -> bool:
    """Missing for a moment, or missed on one screen while most of the others stayed."""
    gap = screens[index].start - line.end
    if gap > BRIDGE_SECONDS and line.last == index - 2 and same_scene[index - 1]:
        gap -= screens[index - 1].end - screens[index - 1].start
    return gap <= BRIDGE_SECONDS


# ---------------------------------------------------------------- which line is which


def _pairs(
    lines: Sequence[TextLine], active: Sequence[StandingLine], now: float
) -> dict[int, StandingLine]:
    """Rank of a line just read -> the standing line that it is."""
    folded = [fold(line.text) for line in lines]
    read, stood = Counter(folded), Counter(line.folded for line in active)
    by_text = {line.folded: line for line in active if stood[line.folded] == 1}
    pairs = {
        rank: by_text[text]
        for rank, text in enumerate(folded)
        if read[text] == 1
        and text in by_text
        and _moved_straight(by_text[text].box, lines[rank].box)
    }
    scroll = _scroll(lines, pairs)
    free = [line for line in active if id(line) not in {id(taken) for taken in pairs.values()}]
    likely = sorted(
        (
            (score, -rank, -at)
            for rank in range(len(lines))
            if rank not in pairs
            for at, line in enumerate(free)
            if _same_place(line.box, lines[rank].box, scroll)
            and (score := line.could_be(lines[rank], now)) > 0
        ),
        reverse=True,
    )
    taken: set[int] = set()
    for _, negative_rank, negative_at in likely:
        if -negative_rank not in pairs and -negative_at not in taken:
            pairs[-negative_rank] = free[-negative_at]
            taken.add(-negative_at)
    return pairs


def _scroll(lines: Sequence[TextLine], pairs: dict[int, StandingLine]) -> tuple[float, float]:
    """How far most of the lines that moved have moved, (right, down) in pixels."""
    moves = [
        (lines[rank].box[0] - line.box[0], lines[rank].box[1] - line.box[1])
        for rank, line in pairs.items()
        if not _same_place(line.box, lines[rank].box, (0.0, 0.0))
    ]
    if not moves:
        return 0.0, 0.0
    return median(right for right, _ in moves), median(down for _, down in moves)


def _same_place(before: Box, now: Box, scroll: tuple[float, float]) -> bool:
    right, down = scroll
    moved = (before[0] + right, before[1] + down, before[2] + right, before[3] + down)
    return _overlap(before, now) >= _OVERLAP or _overlap(moved, now) >= _OVERLAP


def _moved_straight(before: Box, now: Box) -> bool:
    """Whether a text of this size can have scrolled from there to here, along one axis: the same
    words as a bullet on one slide and as the title of the next are two lines."""
    heights = before[3] - before[1], now[3] - now[1]
    if max(heights) > 1.4 * min(heights):
        return False
    right, down = abs(now[0] - before[0]), abs(now[1] - before[1])
    return min(right, down) <= max(heights)


def _overlap(a: Box, b: Box) -> float:
    """The area that two boxes share, over that of the smaller one."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height / max(min(areas), 1e-9)


@lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """What is compared: no case, no spaces (readers lose and invent them), one width."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def similarity(a: str, b: str) -> float:
    """How alike two texts are, 0 to 1; 0 where misreading does not explain the difference.

    Another number or another single letter is another text: "Step 2" is not "Step 1" misread,
    nor "Option B" "Option A". A digit taken for a letter is a misreading.
    """
    first, second = fold(a), fold(b)
    looks = first.translate(_CONFUSED), second.translate(_CONFUSED)
    if looks[0] == looks[1]:
        return 1.0
    shorter, longer = sorted((len(first), len(second)))
    if shorter < _SHORTEST_FUZZY or 2 * shorter / (shorter + longer) < _SIMILAR:
        return 0.0
    matcher = SequenceMatcher(None, *looks, autojunk=False)
    if matcher.quick_ratio() < _SIMILAR or matcher.ratio() < _SIMILAR:
        return 0.0
    changes = (
        (first[i:j], second[k:m]) for what, i, j, k, m in matcher.get_opcodes() if what != "equal"
    )
    if any(_another_number(*change) for change in changes) or _single_letters_differ(a, b):
        return 0.0
    return matcher.ratio()


def _another_number(before: str, after: str) -> bool:
    digits = [any(c.isdigit() for c in part) for part in (before, after)]
    return all(digits) or (any(digits) and not (before and after))


def _single_letters_differ(a: str, b: str) -> bool:
    letters = [_SINGLE_LETTER.findall(text.casefold()) for text in (a, b)]
    return len(letters[0]) == len(letters[1]) and letters[0] != letters[1]


# ---------------------------------------------------------------- clocks and counters


def _without_counters(lines: list[StandingLine]) -> list[StandingLine]:
    """The lines without clocks, frame counters and percentages that tick where they stand.

    Four or more texts at one place that differ only in their numbers, each there for a moment,
    are one thing: dropped where it is all digits, else one line with its last reading.
    """
    kept: dict[int, StandingLine] = {id(line): line for line in lines}
    for members in _differing_in_numbers(lines):
        if len({line.text for line in members}) < _FEWEST_TICKS:
            continue
        text = members[0].text
        all_digits = sum(c.isdigit() for c in text) * 2 >= sum(c.isalnum() for c in text)
        moment = median(line.end - line.start for line in members) <= _LONGEST_TICK
        if not moment and not (all_digits and _CLOCK.search(text)):
            continue
        for line in members:
            del kept[id(line)]
        if not all_digits:
            last = members[-1]
            last.start = members[0].start
            kept[id(last)] = last
    return list(kept.values())


def _differing_in_numbers(lines: Sequence[StandingLine]) -> list[list[StandingLine]]:
    """Lines with numbers, by place and by what else they say, without long gaps."""
    groups: dict[str, list[list[StandingLine]]] = {}
    for line in lines:
        if not _DIGITS.search(line.folded):
            continue
        alike = groups.setdefault(_DIGITS.sub("#", line.folded), [])
        for group in alike:
            if (
                line.start - group[-1].end <= _LONGEST_TICK_GAP
                and _overlap(group[-1].box, line.box) >= _OVERLAP
            ):
                group.append(line)
                break
        else:
            alike.append([line])
    return [group for alike in groups.values() for group in alike]

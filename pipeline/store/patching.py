"""Corrections applied to text that was read again: what a user mended stays mended.

A correction is a change from the words a segment had to those it should have. Where the segment
is read as before, it takes the new text. Where it is read differently (another model, other
subtitles, other cuts), the change is merged word by word: what the user left alone is as it is
read now, what the user changed is as the user has it (a three-way merge; Khanna, Kunal and Pierce
2007, "A Formal Investigation of Diff3"). A correction whose words are no longer there does not
fit, and changes nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from pipeline.types import Correction, Segment, Word

# Tracks of one talk differ by so much in when they say that something is said.
_SLACK = 2.0
# The share of the words of a correction that must still be said there.
_ENOUGH = 0.6

_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"\s*(?:[{_CJK}]|[^\s{_CJK}]+)")
_IDEOGRAPH = re.compile(rf"[{_CJK}]")
_NO_LETTER = re.compile(r"[^\w]")


@dataclass(frozen=True, slots=True)
class Corrected:
    """The segments, as many and at the same times as were read, and which corrections fit."""

    segments: tuple[Segment, ...]
    fits: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    """A word or an ideograph with the space before it, and the segment that has it."""

    text: str
    owner: int
    joins: bool = False  # the first of its text: the space before it is not known


def apply(corrections: Sequence[Correction], read: Sequence[Segment]) -> Corrected:
    """`corrections` of one source, in the order they were made, on its segments by time.

    A corrected text is a person's: its flags go. Words get times anew where they changed.
    """
    segments = list(read)
    appliers: dict[str, Callable[[Correction, list[Segment]], bool]] = {
        "text": _apply_text,
        "speaker": _apply_speaker,
    }
    fits = tuple(appliers[correction.field](correction, segments) for correction in corrections)
    return Corrected(tuple(segments), fits)


def _apply_text(correction: Correction, segments: list[Segment]) -> bool:
    near = _near(correction, segments)
    same = [at for at in near if segments[at].text == correction.said]
    if same:
        at = min(same, key=lambda at: abs(segments[at].start - correction.start))
        segments[at] = _with_text(segments[at], correction.value)
        return True
    theirs = [token for at in near for token in _tokens(segments[at].text, at)]
    merged = _merged(_tokens(correction.said, 0), _tokens(correction.value, 0), theirs)
    if merged is None or {t.owner for t in theirs} - {t.owner for t in merged}:
        return False
    for at in near:
        text = _joined([token for token in merged if token.owner == at])
        if text != segments[at].text:
            segments[at] = _with_text(segments[at], text)
    return True


def _apply_speaker(correction: Correction, segments: list[Segment]) -> bool:
    """The speaker of all that is left of what was said there."""
    said = _normal(_tokens(correction.said, 0))
    found = False
    for at in _near(correction, segments):
        own = _normal(_tokens(segments[at].text, at))
        if own and _matched(own, said) >= _ENOUGH * len(own):
            segments[at] = replace(segments[at], speaker=correction.value)
            found = True
    return found


def _near(correction: Correction, segments: Sequence[Segment]) -> list[int]:
    return [
        at
        for at, segment in enumerate(segments)
        if segment.start < correction.end + _SLACK and segment.end > correction.start - _SLACK
    ]


# ---------------------------------------------------------------- words of texts


def _tokens(text: str, owner: int) -> list[_Token]:
    found = _TOKEN.findall(text)
    return [_Token(token, owner, number == 0) for number, token in enumerate(found)]


def _normal(tokens: Sequence[_Token]) -> list[str]:
    """What is compared: no case, no punctuation (unless a word is nothing else)."""
    folded = (token.text.strip().casefold() for token in tokens)
    return [_NO_LETTER.sub("", word) or word for word in folded]


def _matched(a: Sequence[str], b: Sequence[str]) -> int:
    blocks = SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks)


def _joined(tokens: Sequence[_Token]) -> str:
    text = ""
    for token in tokens:
        spaced = token.text[:1].isspace() or not token.joins
        bare = _IDEOGRAPH.match(token.text) or (text and _IDEOGRAPH.match(text[-1]))
        text += token.text if not text or spaced or bare else f" {token.text}"
    return text.strip()


# ---------------------------------------------------------------- merging


def _merged(
    base: Sequence[_Token], mine: Sequence[_Token], theirs: Sequence[_Token]
) -> list[_Token] | None:
    """`theirs` with the change from `base` to `mine`; None where it does not fit."""
    was, now, read = _normal(base), _normal(mine), _normal(theirs)
    if not was or _matched(was, read) < _ENOUGH * len(was):
        already = now and _matched(now, read) == len(now)
        return list(theirs) if already else None
    place = _Places(was, read)
    changes = SequenceMatcher(
        None, [t.text.strip() for t in base], [t.text.strip() for t in mine], autojunk=False
    ).get_opcodes()
    merged = list(theirs)
    for tag, begin, end, first, last in reversed(changes):
        if tag != "equal":
            left, right = place.of(begin, end)
            owners = [token.owner for token in theirs[left:right]]
            owners = owners or [theirs[min(max(left - 1, 0), len(theirs) - 1)].owner]
            merged[left:right] = [
                replace(token, owner=owners[number * len(owners) // (last - first)])
                for number, token in enumerate(mine[first:last])
            ]
    return merged


class _Places:
    """Where stretches of one list of words lie in another that is much like it."""

    def __init__(self, was: Sequence[str], read: Sequence[str]) -> None:
        codes = SequenceMatcher(None, was, read, autojunk=False).get_opcodes()
        self._codes = [code for code in codes if code[1] < code[2]]  # they cover all of `was`
        self._starts = [code[1] for code in self._codes]
        self._count = len(was)

    def of(self, begin: int, end: int) -> tuple[int, int]:
        """[left, right) of the words [begin, end); an empty stretch follows the word before it."""
        if begin == end:
            at = self._right(begin) if begin else self._left(0)
            return at, at
        left = self._left(begin)
        return left, max(left, self._right(end))

    def _left(self, begin: int) -> int:
        """Where the word `begin` begins."""
        tag, first, last, low, high = self._code(begin)
        if tag == "equal":
            return low + begin - first
        if first == 0:  # what is read before all that was said belongs to others
            return max(low, high - (last - begin))
        return min(low + begin - first, high)

    def _right(self, end: int) -> int:
        """Where the word before `end` ends."""
        tag, first, last, low, high = self._code(end - 1)
        if tag == "equal":
            return low + end - first
        if end == last and last < self._count:
            return high
        if first == 0 and last < self._count:
            return max(low, high - (last - end))
        return min(low + end - first, high)

    def _code(self, at: int) -> tuple[str, int, int, int, int]:
        return self._codes[bisect_right(self._starts, at) - 1]


# ---------------------------------------------------------------- times of words


def _with_text(segment: Segment, text: str) -> Segment:
    return replace(segment, text=text, flags=(), words=_retimed(segment, text))


def _retimed(segment: Segment, text: str) -> tuple[Word, ...]:
    """The words of the new text: old ones keep their times, new ones share those of the words
    they replace. None where the segment had none."""
    old, new = segment.words, [token.text.strip() for token in _tokens(text, 0)]
    if not old:
        return ()
    before = _normal([_Token(word.text, 0) for word in old])
    codes = SequenceMatcher(None, before, _normal(_tokens(text, 0)), autojunk=False).get_opcodes()
    words: list[Word] = []
    for tag, first, last, low, high in codes:
        if tag == "equal":
            pairs = zip(old[first:last], new[low:high], strict=True)
            words += [replace(word, text=said) for word, said in pairs]
            continue
        start = old[first - 1].end if first else segment.start
        end = old[last].start if last < len(old) else segment.end
        if first < last:
            start, end = old[first].start, old[last - 1].end
        step = max(0.0, end - start) / max(1, high - low)
        words += [
            Word(start + number * step, start + (number + 1) * step, said)
            for number, said in enumerate(new[low:high])
        ]
    return tuple(words)

"""A text cut into parts of about equal length, where it hurts least.

Needed where one sentence (a transcript without full stops, a terminal full of output, a line of
a million characters) is more than one passage can hold.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from pipeline.ingest.sentences import Span, sentences

_CLAUSE = re.compile(r"[,;:，、；：،؛—–](?=\s)|[，、；：،؛]|\n")  # noqa: RUF001
_SPACE = re.compile(r"\s")
_JOINERS = "\u200d\ufe0f"
# What a cut there costs, in lengths of the span it ends.
_AT_CLAUSE, _AT_SPACE, _ANYWHERE = 0.15, 0.3, 1.0


def cut_text(text: str, left: int, right: int, parts: int) -> list[Span]:
    """About `parts` spans of about equal length that hold all of text[left:right] but spaces.

    Neither end of the text given is a space. Each cut is at the best place near where it should
    be: a sentence's end, a clause's, a space, anywhere, in this order but not at any distance.
    """
    if parts <= 1 or right - left <= 1:
        return [(left, right)]
    ends = [left + end for _, end in sentences(text[left:right])]
    spans = []
    for remaining in range(parts, 1, -1):
        if right - left < 2:
            break
        cut = _best_cut(text, left, right, max(1.0, (right - left) / remaining), ends)
        end = cut
        while text[end - 1].isspace():
            end -= 1
        spans.append((left, end))
        left = cut
        while text[left].isspace():
            left += 1
    return [*spans, (left, right)]


def _best_cut(text: str, left: int, right: int, width: float, ends: Sequence[int]) -> int:
    """Where to end a span that begins at `left` and should be `width` characters long."""
    ideal = min(max(left + 1, round(left + width)), right - 1)
    low = max(left + 1, int(left + width / 2))
    high = min(right - 1, int(left + width * 1.5))
    places = [(_whole_character(text, left, ideal), _ANYWHERE)]
    places += [(m.start(), _AT_SPACE) for m in _SPACE.finditer(text, low, high)]
    places += [(m.end(), _AT_CLAUSE) for m in _CLAUSE.finditer(text, low, high)]
    places += [(end, 0.0) for end in ends[bisect_left(ends, low) : bisect_right(ends, high)]]
    return min(places, key=lambda place: (abs(place[0] - left - width) / width + place[1], place))[
        0
    ]


def _whole_character(text: str, left: int, cut: int) -> int:
    """Step back from between a letter and its accent, or the parts of one emoji."""
    at = cut
    while (
        at > left + 1
        and cut - at < 8
        and (unicodedata.combining(text[at]) or text[at] in _JOINERS or text[at - 1] == _JOINERS[0])
    ):
        at -= 1
    return at

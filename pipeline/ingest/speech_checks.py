"""Speech that nobody said: what a recogniser writes in silence and music, and when it loops.

Whisper was trained on subtitles of the web: where nobody speaks it writes what those say there,
thanks for watching and who made the subtitles, and sometimes it writes one sentence again and
again (Koenecke et al. 2024, "Careless Whisper"). Such segments are flagged `INVENTED`, with why.
They are kept and shown, but no passage is made of them and nothing cites them.

A phrase that people say too is judged together with the sound: whether anybody spoke then, how
sure the recogniser was of the words, how long they are said to last. Only what a machine wrote is
judged here; subtitles that people made are taken at their word.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median

from pipeline.ingest.stock_phrases import folded, is_credit, is_farewell, is_signature
from pipeline.types import INVENTED, Segment

Interval = tuple[float, float]

# ---- where nobody speaks
_REACH = 0.3  # seconds by which word times may miss the speech that the detector found
_NOBODY = 0.1  # share of a segment; with less speech in it nobody said it
_HALF = 0.5  # share of a segment in which somebody must be heard to say a stock phrase
_UNSURE = 0.5  # mean probability of its words
_SLOW = 2.0, 1.0  # seconds a phrase may last, and for each of its words

# ---- faster than anybody speaks: auctioneers reach five words a second, records are at eleven
_FASTEST_WORDS, _FEWEST_WORDS = 10.0, 6
_FASTEST_LETTERS, _FEWEST_LETTERS = 60.0, 30
_FASTEST_WIDE, _FEWEST_WIDE = 25.0, 12  # characters of Chinese, Japanese and Korean

# ---- loops
# By zlib, as Whisper measures loops (section 4.5). It tries again at 2.4, which people reach who
# explain something twice: 2 of 13,004 turns of talks; loops are at five and more.
_MOST_COMPRESSION = 3.0
_LEAST_TO_COMPRESS = 100  # characters
_HEARD_AT_ONCE = 500  # characters, about what is said in 30 s
_LONGEST_PHRASE = 12  # words or wide characters that may repeat
_REPEATS = 5  # of a phrase in one segment; people say "no" eight times and "yes we can" thrice
_REPEATED = 8  # words (twice as many wide characters) that the repeats must fill
_SAME_SEGMENTS, _SAME_SHORT_SEGMENTS = 4, 6  # one after the other; short ones have under 3 words
_SAME_CYCLES = 3  # of two to four segments that follow each other again and again
_LONGEST_CYCLE = 4
_WITHIN = 30.0  # seconds between segments of one loop

_BRACKETED = re.compile(r"\[[^\]]*\]|\([^)]*\)|【[^】]*】|（[^）]*）|\*[^*]*\*|<[^>]*>")  # noqa: RUF001


def check_speech(
    segments: Sequence[Segment], speech: Sequence[Interval], terms: Sequence[str] = ()
) -> list[Segment]:
    """`segments` of one recogniser, in order, those that nobody said with a flag that says why.

    `speech` is where the detector heard somebody, ascending and disjoint, on the same clock;
    `terms` are the words the recogniser was told to expect, which it may write by themselves.
    Nothing else is changed. Linear time, but for what overlaps.
    """
    heard = _Heard(speech)
    again = _again_and_again(segments)
    edges = {0, len(segments) - 1}
    checked = []
    for at, segment in enumerate(segments):
        reason = _reason(segment, heard, at in edges, terms) or ("loop" if at in again else "")
        if reason and not segment.invented:
            segment = replace(segment, flags=(*segment.flags, INVENTED + reason))
        checked.append(segment)
    return checked


def _reason(segment: Segment, heard: _Heard, at_the_edge: bool, terms: Sequence[str]) -> str:
    """Why nobody said this, "" where somebody may have."""
    text = segment.text
    reasons: dict[str, Callable[[], bool]] = {
        "no words": lambda: _without_words(text),
        "loop": lambda: loops(text),
        "too fast": lambda: too_fast(segment),
        "nobody speaks": lambda: heard.share(segment) < _NOBODY,
        "unsure": lambda: {"low_confidence", "no_speech"} <= set(segment.flags),
        "stock phrase": lambda: (
            is_signature(text)
            or (is_farewell(text) and _unsupported(segment, heard))
            or (is_credit(text) and (at_the_edge or _unsupported(segment, heard)))
        ),
        "glossary": lambda: _recites(text, terms),
    }
    return next((reason for reason, applies in reasons.items() if applies()), "")


class _Heard:
    """Where somebody speaks, asked for shares of a segment."""

    def __init__(self, speech: Sequence[Interval]) -> None:
        self._starts = [start - _REACH for start, _ in speech]
        self._ends = [end + _REACH for _, end in speech]

    def share(self, segment: Segment) -> float:
        """How much of the segment's words, else of its interval, lies in speech."""
        spans = [(w.start, w.end) for w in segment.words] or [(segment.start, segment.end)]
        length = sum(end - start for start, end in spans)
        return sum(self._overlap(*span) for span in spans) / length if length > 0 else 1.0

    def _overlap(self, start: float, end: float) -> float:
        reached, total = start, 0.0
        for at in range(bisect_left(self._ends, start), len(self._starts)):
            if self._starts[at] >= end:
                break
            begin, until = max(self._starts[at], reached), min(self._ends[at], end)
            total += max(0.0, until - begin)
            reached = max(reached, until)
        return total


def _unsupported(segment: Segment, heard: _Heard) -> bool:
    """Whether the sound or the recogniser's own doubt speaks against a phrase."""
    longest = _SLOW[0] + _SLOW[1] * len(folded(segment.text).split())
    return (
        "no_speech" in segment.flags
        or "low_confidence" in segment.flags
        or segment.confidence < _UNSURE
        or segment.end - segment.start > longest
        or heard.share(segment) < _HALF
    )


# ---------------------------------------------------------------- by the text


def _without_words(text: str) -> bool:
    """Whether it is "[Music]", "(applause)", notes, or nothing but marks."""
    return not any(character.isalnum() for character in _BRACKETED.sub(" ", text))


def too_fast(segment: Segment) -> bool:
    """Whether nobody could say this in the time it is said to take."""
    words = folded(segment.text).split()
    letters = [character for word in words for character in word]
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in letters)
    if wide > len(letters) / 2:
        counts = [(wide, _FASTEST_WIDE, _FEWEST_WIDE)]
    else:
        counts = [
            (len(words), _FASTEST_WORDS, _FEWEST_WORDS),
            (len(letters), _FASTEST_LETTERS, _FEWEST_LETTERS),
        ]
    seconds = segment.end - segment.start
    return any(n >= fewest and n / seconds > fastest for n, fastest, fewest in counts)


def loops(text: str) -> bool:
    """Whether most of a text is one phrase again and again."""
    # Long texts compress well by themselves: each piece is measured as what Whisper hears at once.
    pieces = [text[at : at + _HEARD_AT_ONCE] for at in range(0, len(text), _HEARD_AT_ONCE)]
    if median(map(_compression, pieces or [""])) > _MOST_COMPRESSION:
        return True
    units = folded(text).split()
    least = _REPEATED
    if units and max(map(len, units)) > 12 and len(units) < _REPEATED:
        units, least = list("".join(units)), 2 * _REPEATED  # written without spaces
    for length in range(1, min(_LONGEST_PHRASE, len(units) // _REPEATS) + 1):
        filled = _longest_repetition(units, length)
        if filled >= max(least, _REPEATS * length, len(units) / 2):
            return True
    return False


def _compression(text: str) -> float:
    """Ratio by zlib, of one byte to a character: UTF-8 of most scripts repeats half its bytes."""
    alphabet = {character: at for at, character in enumerate(sorted(set(text)))}
    if len(text) < _LEAST_TO_COMPRESS or len(alphabet) > 256:
        return 0.0
    data = bytes(alphabet[character] for character in text)
    return len(data) / len(zlib.compress(data))


def _longest_repetition(units: Sequence[object], length: int) -> int:
    """How many units the longest unbroken repetition of some `length` of them fills."""
    best = run = 0
    for at in range(length, len(units)):
        run = run + 1 if units[at] == units[at - length] else 0
        best = max(best, run)
    return best + length if best >= length else 0


def _recites(text: str, terms: Sequence[str]) -> bool:
    """Whether a text is three or more of the glossary's terms in its order: nobody talks so."""
    said = folded(text)
    known = [folded(term) for term in terms]
    padded = f" {said} "
    return (
        sum(f" {term} " in padded for term in known if term) >= 3
        and padded in f" {' '.join(known)} "
    )


# ---------------------------------------------------------------- from segment to segment


def _again_and_again(segments: Sequence[Segment]) -> set[int]:
    """Which segments repeat those before them in a loop; the first of a loop may be true."""
    texts = [folded(segment.text) for segment in segments]
    found: set[int] = set()
    for cycle in range(1, _LONGEST_CYCLE + 1):
        for first, last in _repeating(segments, texts, cycle):
            words = sum(len(text.split()) for text in texts[first - cycle : first])
            needed = _SAME_CYCLES
            if cycle == 1:
                needed = _SAME_SHORT_SEGMENTS if words < 3 else _SAME_SEGMENTS
            if (last - first + 1) // cycle + 1 >= needed and (cycle == 1 or words >= cycle + 2):
                found.update(range(first, last + 1))
    return found


def _repeating(
    segments: Sequence[Segment], texts: Sequence[str], cycle: int
) -> Iterator[tuple[int, int]]:
    """(first, last) of stretches in which every segment says what the one `cycle` before said."""
    first = -1
    for at in range(cycle, len(segments) + 1):
        same = (
            at < len(segments)
            and bool(texts[at])
            and texts[at] == texts[at - cycle]
            and segments[at].start - segments[at - 1].end <= _WITHIN
        )
        if same and first < 0:
            first = at
        elif not same and first >= 0:
            yield first, at - 1
            first = -1

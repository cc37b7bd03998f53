"""WebVTT and SubRip: timed text in pieces that can be read while they stand.

A segment can be half a minute of talk; a subtitle is two lines. It is divided between words, at the
ends of sentences where they are near, with the times of its words where they are known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipeline.export.timeline import one_line
from pipeline.prompts import visible
from pipeline.types import HOW, Segment

LONGEST = 84  # characters of a subtitle: two lines of 42
_LINE = 42
_STANDS = 7.0  # seconds that a spoken one stands at most
_SHORTEST = 0.001  # seconds: what the formats can say
_ENDS = re.compile(r"[.!?。！？…]['\"”’)\]]*$")  # noqa: RUF001
_PAUSES = re.compile(r"[,;:，、]$")  # noqa: RUF001
_UNBROKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # no spaces between words


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle, in seconds. `speaker` is named where another one begins, else ""."""

    start: float
    end: float
    text: str
    speaker: str = ""


def cues_of(segments: Sequence[Segment]) -> list[Cue]:
    """Subtitles of segments of one video, by time; text that nobody said is left out.

    What was not said is put in brackets with what it is: `[on screen: Saturday closed]`.
    """
    cues: list[Cue] = []
    speaker = ""
    for segment in sorted(segments, key=lambda s: (s.start, s.end)):
        if segment.invented or not segment.text.strip():
            continue
        named = segment.speaker if segment.speaker != speaker else ""
        speaker = segment.speaker or speaker
        for number, cue in enumerate(_divided(segment)):
            cues.append(Cue(cue.start, cue.end, cue.text, named if number == 0 else ""))
    return cues


def within(cues: Sequence[Cue], start: float, end: float) -> list[Cue]:
    """The cues that are said from `start` to `end`, cut to it, on a clock that begins there."""
    kept = [c for c in cues if start <= (c.start + c.end) / 2 < end]
    moved = [
        Cue(max(c.start, start) - start, min(c.end, end) - start, c.text, c.speaker) for c in kept
    ]
    return one_at_a_time(moved)


def one_at_a_time(cues: Sequence[Cue]) -> list[Cue]:
    """Cues of which each ends when the next one begins, for places where only one can stand."""
    if not cues:
        return []
    cut = [
        Cue(cue.start, min(cue.end, after.start), cue.text, cue.speaker)
        for cue, after in pairwise(cues)
    ]
    return [cue for cue in [*cut, cues[-1]] if cue.end - cue.start >= _SHORTEST]


# ---------------------------------------------------------------- dividing


def _divided(segment: Segment) -> Iterator[Cue]:
    words = _timed(segment)
    spoken = segment.source == "speech"
    seconds = segment.end - segment.start
    length = sum(len(text) for _, _, text in words) + len(words) - 1
    parts = max(math.ceil(length / LONGEST), math.ceil(seconds / _STANDS) if spoken else 1)
    parts = min(parts, len(words))
    for some in _grouped(words, max(1.0, length / parts), seconds / parts if spoken else math.inf):
        text = _spaced([text for _, _, text in some])
        if not spoken:
            text = f"[{HOW.get(segment.source, segment.source)}: {text}]"
        start, end = some[0][0], max(end for _, end, _ in some)
        yield Cue(start, max(end, start + _SHORTEST), text)


_Timed = tuple[float, float, str]


def _grouped(words: Sequence[_Timed], length: float, seconds: float) -> Iterator[list[_Timed]]:
    """Words in groups of about `length` characters and `seconds`, that end where sentences do."""
    group: list[_Timed] = []
    size = 0
    for word in words:
        if group and size + 1 + len(word[2]) > LONGEST:
            yield group
            group, size = [], 0
        group.append(word)
        size += len(word[2]) + (len(group) > 1)
        share = max(size / length, (word[1] - group[0][0]) / seconds)
        ends = _ENDS.search(word[2])
        if share >= (0.5 if ends else 0.8 if _PAUSES.search(word[2]) else 1.0):
            yield group
            group, size = [], 0
    if group:
        yield group


def _timed(segment: Segment) -> list[_Timed]:
    """(start, end, text) of each word; where times are unknown, by the share of its letters."""
    text = " ".join(visible(segment.text).split())
    known = segment.words
    if known and " ".join(" ".join(w.text.split()) for w in known) == text:
        held = [(_held(w.start, segment), _held(w.end, segment), w.text.strip()) for w in known]
        if all(a[0] <= b[0] for a, b in pairwise(held)):
            return held
    words = list(text) if _UNBROKEN.search(text) and " " not in text else text.split(" ")
    total = sum(len(word) + 1 for word in words)
    timed, done = [], 0
    for word in words:
        start = segment.start + (segment.end - segment.start) * done / total
        done += len(word) + 1
        timed.append((start, segment.start + (segment.end - segment.start) * done / total, word))
    return timed


def _held(time: float, segment: Segment) -> float:
    return min(max(time, segment.start), segment.end)


def _spaced(words: Sequence[str]) -> str:
    single = all(len(word) == 1 for word in words) and any(map(_UNBROKEN.search, words))
    return ("" if single else " ").join(words)


# ---------------------------------------------------------------- formats


def webvtt(cues: Sequence[Cue], language: str = "") -> str:
    """W3C WebVTT; nothing in a text can pass for a tag, a note or the next cue."""
    head = ["WEBVTT", *([f"Language: {language}"] if language.isalpha() else [])]
    blocks = ["\n".join(head)]
    for cue in cues:
        voice = f"<v {_escaped(one_line(cue.speaker))}>" if one_line(cue.speaker) else ""
        text = voice + _escaped("\n".join(_lines(cue.text)))
        blocks.append(f"{stamp(cue.start)} --> {stamp(_end(cue))}\n{text}")
    return "\n\n".join(blocks) + "\n"


def subrip(cues: Sequence[Cue]) -> str:
    """SubRip. It has no escapes: what players would take for formatting gets a break inside."""
    blocks = []
    for number, cue in enumerate(cues, 1):
        name = one_line(cue.speaker)
        said = f"{name}: {one_line(cue.text)}" if name else cue.text
        text = "\n".join(map(_unmarked, _lines(said)))
        times = f"{stamp(cue.start, ',')} --> {stamp(_end(cue), ',')}"
        blocks.append(f"{number}\n{times}\n{text}\n")
    return "\n".join(blocks)


def stamp(seconds: float, point: str = ".") -> str:
    """`hh:mm:ss.mmm`."""
    whole, rest = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{rest:03}"


def _end(cue: Cue) -> float:
    """A cue that would last no millisecond lasts one."""
    return max(cue.end, round(cue.start, 3) + _SHORTEST)


def _lines(text: str) -> list[str]:
    """One line, or two of about the same length, none of them empty."""
    flat = one_line(text)
    if len(flat) <= _LINE or " " not in flat:
        return [flat]
    spaces = [place for place, character in enumerate(flat) if character == " "]
    middle = min(spaces, key=lambda place: abs(place - len(flat) / 2))
    return [flat[:middle], flat[middle + 1 :]]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _unmarked(line: str) -> str:
    broken = re.sub(r"<(?=[A-Za-z/])", "<\u200b", line).replace("{\\", "{\u200b\\")
    return broken.replace("-->", "--\u200b>")

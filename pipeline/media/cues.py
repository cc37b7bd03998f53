"""Subtitle text to speech segments: what is on the screen becomes what was said, once.

Captions repeat themselves: live captions roll up, so that every line is shown in two or three
cues, and YouTube's automatic ones add a cue of 10 ms between. Here each line is kept where it
first appears, with its words' times where the format gives them (WebVTT timestamps, W3C WebVTT
section 6.4), and everything that is markup, or no speech, goes.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise, zip_longest

from pipeline.types import Segment, Word

_ADJACENT = 0.5  # seconds between cues that may repeat each other
_GROWING = 0.1  # seconds between cues of which one continues the other's words
_LONGEST = 60.0  # seconds; a cue that stands longer has a wrong end
_USUAL = 10.0  # seconds such a cue is given

# "<i>", "</c.loud>", "<00:01.500>", "{\\an8}", but not the comparisons in "a < b > c".
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|</>|<[\d:.,]+>|\{\\[^{}]*\}")
_TIME_TAG = re.compile(r"<((?:\d+:)?\d\d:\d\d[.,]\d{3})>")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)*\s+([^<>]*)>")
_RUBY = re.compile(r"<rt>.*?</rt>|<rt>.*?(?=</ruby>)", re.DOTALL)
_NOTES = re.compile(r"[♩♪♫♬🎵🎶]+")
# "[Music]", "[speaks French]", but not the index in "row[0]" and not "[1]".
_BRACKETS = re.compile(r"(?<!\S)[\[【][^\W\d][^\]】\d]*[\]】](?!\w)")
_SOUND = re.compile(
    r"[(\uff08*][^()\uff08\uff09*]*\b(music|applause|laugh\w*|cheer\w*|clapping|sigh\w*|cough\w*|"
    r"silence|inaudible|musique|musik|música|applaus\w*|beifall|aplausos|risas|rires)\b"
    r"[^()\uff08\uff09*]*[)\uff09*]",
    re.IGNORECASE,
)
_CHANGE = re.compile(r"^\s*(?:>>+|[-\u2010-\u2015])\s*(?=\S)")  # a new speaker, unnamed
_NOTHING = re.compile(r"[-\u2010-\u2015#*.…\s]*")
_NAME = re.compile(r"^([A-Z][A-Z0-9.'\u2019-]*(?: [A-Z0-9.'\u2019-]+){0,2}):\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class SubtitleTrack:
    """`origin` is a file's name or "stream 3 (mov_text)"; `language` ISO 639-1, "" if unknown."""

    language: str
    origin: str
    segments: tuple[Segment, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one voice, cleaned."""

    text: str
    speaker: str = ""
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown from `start` to `end`, which may still be wrong in any way."""

    start: float
    end: float
    lines: tuple[Line, ...]


def make_cue(start: float, end: float, text: str, speaker: str = "") -> Cue:
    """A cue from its text as the file has it: tags, entities, word times and all."""
    lines = []
    for voice, part in _voices(_RUBY.sub("", text), speaker):
        for raw in re.split(r"\r?\n|\\N|\\n", part):
            words = _timed_words(raw, start, end)
            line = _plain(raw)
            if line:
                lines.append(Line(line, voice, words))
    return Cue(start, end, tuple(lines))


def to_segments(cues: Iterable[Cue], language: str = "") -> tuple[list[Segment], list[str]]:
    """(`speech` segments in time order, a line for each kind of cue that had to be mended)."""
    good, problems = _usable(sorted(cues, key=lambda cue: (cue.start, cue.end)))
    segments = list(_once_each(good))
    names = _names(segments)
    segments = [replace(_named(segment, names), language=language) for segment in segments]
    return [segment for segment in segments if segment.text], problems


# ---------------------------------------------------------------- the text of a cue


def _voices(text: str, speaker: str) -> Iterator[tuple[str, str]]:
    """(speaker, text) for each `<v Name>` span, what precedes the first under `speaker`."""
    pieces = _VOICE.split(text)
    yield speaker, pieces[0]
    for name, part in zip(pieces[1::2], pieces[2::2], strict=True):
        yield " ".join(html.unescape(name).split()), part


def _plain(text: str) -> str:
    """Without markup, entities, notes and sound descriptions; one line."""
    text = html.unescape(_TAG.sub("", text)).replace("\\h", " ")
    text = _NOTES.sub(" ", _CHANGE.sub("", text))
    text = _SOUND.sub(" ", _BRACKETS.sub(" ", text))
    text = " ".join(text.replace("\u200b", "").replace("\ufeff", "").split())
    return "" if _NOTHING.fullmatch(text) else text


def _timed_words(raw: str, start: float, end: float) -> tuple[Word, ...]:
    """Words with the times that tags give; none where the line has no such tag."""
    pieces = _TIME_TAG.split(raw)
    if len(pieces) == 1:
        return ()
    starts = [start, *(parse_time(stamp) for stamp in pieces[1::2])]
    borders = [min(max(time, start), end) for time in starts] + [end]
    words: list[Word] = []
    for (begin, until), piece in zip(pairwise(borders), pieces[::2], strict=True):
        texts = _plain(piece).split()
        step = max(0.0, until - begin) / max(1, len(texts))
        for number, text in enumerate(texts):
            words.append(Word(begin + number * step, begin + (number + 1) * step, text))
    return tuple(words)


def parse_time(stamp: str) -> float:
    """Seconds of "01:02:03.456", "02:03,456" or "0:00:01.5"."""
    seconds = 0.0
    for part in stamp.replace(",", ".").split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


# ---------------------------------------------------------------- from cue to cue


def _usable(cues: Sequence[Cue]) -> tuple[list[Cue], list[str]]:
    """Cues with 0 <= start < end, ends that cannot be true mended."""
    good: list[Cue] = []
    bad = too_long = 0
    for cue, after in zip_longest(cues, cues[1:]):
        if not 0 <= cue.start < cue.end:
            bad += 1
            continue
        if cue.end - cue.start > _LONGEST and cue.lines:
            too_long += 1
            until = after.start if after and after.start > cue.start else cue.end
            cue = replace(cue, end=min(until, cue.start + _USUAL))
        good.append(cue)
    problems = []
    if bad:
        problems.append(f"cues left out, as they end before they begin or begin before 0: {bad}")
    if too_long:
        problems.append(f"cues shortened, as they last over a minute: {too_long}")
    return good, problems


def _once_each(cues: Sequence[Cue]) -> Iterator[Segment]:
    """Segments of the lines that a cue has and the cue before it had not."""
    shown: tuple[Line, ...] = ()
    last_end = float("-inf")
    pending: list[Segment] = []
    for cue in cues:
        adjacent = cue.start <= last_end + _ADJACENT
        new = cue.lines[_repeated(shown, cue.lines) if adjacent else 0 :]
        if cue.lines and not new:
            pending = [_until(segment, cue.end) for segment in pending]
        elif new:
            segments = list(_segments(cue, new))
            grown = len(pending) == 1 and cue.start <= last_end + _GROWING
            if grown and _continues(pending[0], segments[0]):
                segments[0] = replace(segments[0], start=pending[0].start)
            else:
                yield from pending
            pending = segments
        shown, last_end = cue.lines, max(last_end, cue.end) if adjacent else cue.end
    yield from pending


def _repeated(shown: Sequence[Line], lines: Sequence[Line]) -> int:
    """How many of `lines`, from the first, are the last ones that were shown before."""
    before, now = [line.text for line in shown], [line.text for line in lines]
    for count in range(min(len(before), len(now)), 0, -1):
        if before[-count:] == now[:count]:
            return count
    return 0


def _until(segment: Segment, end: float) -> Segment:
    """The segment, shown longer; where words have times the speech is known to be over."""
    return segment if segment.words else replace(segment, end=max(segment.end, end))


def _continues(before: Segment, after: Segment) -> bool:
    """Whether the later text is the earlier one with more words (captions painted on)."""
    return not after.words and after.text.startswith(before.text + " ")


def _segments(cue: Cue, lines: Sequence[Line]) -> Iterator[Segment]:
    """One segment per voice."""
    for speaker, group in groupby(lines, key=lambda line: line.speaker):
        spoken = list(group)
        words = tuple(word for line in spoken for word in _words_of(line, cue))
        complete = any(line.words for line in spoken) and all(
            line.words or " " not in line.text for line in spoken
        )
        yield Segment(
            source="speech",
            start=cue.start,
            end=cue.end,
            text=" ".join(line.text for line in spoken),
            speaker=speaker,
            words=words if complete else (),
        )


def _words_of(line: Line, cue: Cue) -> tuple[Word, ...]:
    return line.words or (Word(cue.start, cue.end, line.text),)


# ---------------------------------------------------------------- speakers


def _names(segments: Sequence[Segment]) -> frozenset[str]:
    """Capitals before a colon that are names: they speak at least twice."""
    found = Counter(match[1] for s in segments if not s.speaker and (match := _NAME.match(s.text)))
    return frozenset(name for name, count in found.items() if count >= 2)


def _named(segment: Segment, names: frozenset[str]) -> Segment:
    match = _NAME.match(segment.text)
    if segment.speaker or not match or match[1] not in names:
        return segment
    skipped = len(segment.text[: match.end()].split())
    return replace(
        segment,
        speaker=match[1],
        text=segment.text[match.end() :],
        words=segment.words[skipped:],
    )

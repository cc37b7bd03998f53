"""Which subtitle track to trust: one per language, the one with the best times.

Word times come first, since a citation can be tightened to them; then the formats in the order
of how well their times and lines are usually kept; then a stream inside the file, and last what
Whisper heard. Only where Whisper's word times are of the very text that was chosen (it leaves a
.json beside the .vtt) they are that text's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Protocol

from pipeline.types import Segment

_FORMATS = ("vtt", "srt", "ass", "ssa", "sbv", "stream", "json", "tsv")
_WHISPER = ("json", "tsv")
BY_MACHINE = (".json", ".tsv")  # how transcripts end that a recogniser left beside the video
# Two files of one run of Whisper differ in nothing but what a reader of subtitles strips.
_SAME_TEXT = 0.95
# Two tracks of which one names no language are in the same one when so many words are shared.
_SAME_LANGUAGE = 0.5
_TOKEN = re.compile(r"\w+")


class Track(Protocol):
    """One subtitle file or stream (`media.subtitles`). `origin` is a file's name or path, a
    format, or "stream" with anything behind it; `language` is "" when unknown."""

    @property
    def language(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def segments(self) -> Sequence[Segment]: ...


@dataclass(frozen=True, slots=True)
class SpeechTrack:
    """The speech of one language. Its segments carry the language, in (start, end) order."""

    language: str
    origin: str
    segments: tuple[Segment, ...]


def choose_tracks(tracks: Sequence[Track]) -> list[SpeechTrack]:
    """The best track of each language, in the order in which the languages were first given.

    A track without a language counts to the one whose words it shares (a sidecar without a
    language beside one with it); codes of two and of three letters for one language are told the
    same way. Of equals the one with more text wins, then the first. Empty tracks are no tracks.
    """
    groups: list[list[Track]] = []
    for track in tracks:
        if not any(segment.text.strip() for segment in track.segments):
            continue
        for group in groups:
            if any(_same_language(track, member) for member in group):
                group.append(track)
                break
        else:
            groups.append([track])
    return [_best(group) for group in groups]


def _best(group: Sequence[Track]) -> SpeechTrack:
    best = min(group, key=lambda track: (_rank(track), -_size(track)))
    if not _has_words(best):
        timed = (track for track in group if _has_words(track) and _same_text(best, track))
        best = next(timed, best)
    codes = sorted((_code(track) for track in group if _code(track)), key=len)
    language = codes[0] if codes else ""
    segments = (
        segment if segment.language else replace(segment, language=language)
        for segment in best.segments
    )
    ordered = sorted(segments, key=lambda segment: (segment.start, segment.end))
    return SpeechTrack(language, best.origin, tuple(ordered))


def _rank(track: Track) -> int:
    """0 for subtitles with word times, then by format; Whisper last, with word times first."""
    kind = _kind(track)
    if _has_words(track):
        return len(_FORMATS) - len(_WHISPER) if kind in _WHISPER else 0
    return 1 + (_FORMATS.index(kind) if kind in _FORMATS else len(_FORMATS))


def _kind(track: Track) -> str:
    origin = track.origin.lower()
    return "stream" if origin.startswith("stream") else origin.rsplit(".", 1)[-1]


def _has_words(track: Track) -> bool:
    return any(segment.words for segment in track.segments)


def _same_text(a: Track, b: Track) -> bool:
    """Whether nearly all words are the same; their order is not looked at."""
    one, other = (
        _TOKEN.findall(" ".join(segment.text for segment in track.segments).casefold())
        for track in (a, b)
    )
    return SequenceMatcher(None, one, other, autojunk=False).quick_ratio() >= _SAME_TEXT


def _size(track: Track) -> int:
    return sum(len(segment.text) for segment in track.segments)


def _code(track: Track) -> str:
    return re.split(r"[-_]", track.language.strip().lower())[0]


def _same_language(a: Track, b: Track) -> bool:
    codes = _code(a), _code(b)
    if codes[0] and codes[1] and (codes[0] == codes[1] or len(codes[0]) == len(codes[1])):
        return codes[0] == codes[1]
    words = _words(a), _words(b)
    shared = len(words[0] & words[1])
    return shared >= _SAME_LANGUAGE * max(1, min(len(words[0]), len(words[1])))


def _words(track: Track) -> set[str]:
    """The different words, long ones (scripts without spaces) as pieces of three characters."""
    words: set[str] = set()
    for token in _TOKEN.findall(" ".join(segment.text for segment in track.segments).casefold()):
        if len(token) <= 12:
            words.add(token)
        else:
            words.update(token[at : at + 3] for at in range(len(token) - 2))
    return words

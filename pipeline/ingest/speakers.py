"""Whose words they are: turns of speakers laid over a transcript."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from pipeline.ingest.outputs import GetOutput, PutOutput, output_key
from pipeline.types import Diariser, Levels, Samples, Segment, Turn, Word

# A change of speaker for less than this is a word that was timed a little off.
_SHORTEST = 0.4
_CHANNELS = {"left": 0, "right": 1}
_NUMBER = re.compile(r"(\d+)$")


def find_turns(
    diariser: Diariser,
    audio: Samples,
    levels: Levels,
    names: Sequence[str],
    content: str,
    get_output: GetOutput,
    put_output: PutOutput,
) -> list[Turn]:
    """Turns by start, kept under `content`, which tells this sound from every other.

    `names` take the place of the diariser's own, the first that of the left channel or of
    speaker 0, and so on; speakers without one keep the diariser's.
    """
    key = output_key("turns-1", diariser.name, content)
    output = get_output(key)
    if output is None:
        found = diariser.turns(audio, levels)
        output = json.dumps([(t.start, t.end, t.speaker) for t in found]).encode()
        put_output(key, output)
    turns = [Turn(start, end, _named(speaker, names)) for start, end, speaker in json.loads(output)]
    return sorted(turns, key=lambda turn: (turn.start, turn.end))


def _named(speaker: str, names: Sequence[str]) -> str:
    number = _NUMBER.search(speaker)
    at = _CHANNELS.get(speaker, int(number[1]) if number else len(names))
    return names[at] if at < len(names) else speaker


def with_speakers(segments: Sequence[Segment], turns: Sequence[Turn]) -> list[Segment]:
    """`segments` (by start) with their speakers, cut between two words where the speaker changes.

    A segment without words, or whose words cannot be told apart in its text, is whose turn most
    of it lies in. One that lies in no turn has no speaker.
    """
    if not turns:
        return list(segments)
    return [part for segment in segments for part in _cut(segment, turns)]


def _cut(segment: Segment, turns: Sequence[Turn]) -> list[Segment]:
    near = [turn for turn in turns if turn.start < segment.end and turn.end > segment.start]
    if len({turn.speaker for turn in near}) <= 1 or not segment.words:
        return [replace(segment, speaker=_speaker(segment.start, segment.end, near))]
    places = _places(segment)
    speakers = _steady([_speaker(w.start, w.end, near) for w in segment.words], segment.words)
    changes = [at for at in range(1, len(speakers)) if speakers[at] != speakers[at - 1]]
    if not changes or not places:
        return [replace(segment, speaker=_speaker(segment.start, segment.end, near))]
    edges = [0, *changes, len(speakers)]
    return [_part(segment, places, first, end, speakers[first]) for first, end in pairwise(edges)]


def _speaker(start: float, end: float, turns: Sequence[Turn]) -> str:
    """Who has the word for most of the interval, "" where nobody has."""
    shares: dict[str, float] = {}
    for turn in turns:
        shared = min(end, turn.end) - max(start, turn.start)
        if shared > 0:
            shares[turn.speaker] = shares.get(turn.speaker, 0.0) + shared
    return max(shares, key=lambda speaker: shares[speaker], default="")


def _steady(speakers: Sequence[str], words: Sequence[Word]) -> list[str]:
    """Words of nobody go to who spoke before; so do islands that are too short to be a turn."""
    first = next((speaker for speaker in speakers if speaker), "")
    steady: list[str] = []
    for speaker in speakers:
        steady.append(speaker or (steady[-1] if steady else first))
    at = 0
    while at < len(steady):
        end = next((i for i in range(at, len(steady)) if steady[i] != steady[at]), len(steady))
        short = words[end - 1].end - words[at].start < _SHORTEST
        if short and at > 0 and end < len(steady) and steady[at - 1] == steady[end]:
            steady[at:end] = [steady[at - 1]] * (end - at)
        at = end
    return steady


def _places(segment: Segment) -> list[int]:
    """Where each word begins in the text; empty where one of them is not to be found."""
    places: list[int] = []
    at = 0
    for word in segment.words:
        at = segment.text.find(word.text, at)
        if at < 0:
            return []
        places.append(at)
        at += len(word.text)
    return places


def _part(segment: Segment, places: Sequence[int], first: int, end: int, speaker: str) -> Segment:
    """Words [first, end) of a segment as one of their own; its outer ends stay where they are."""
    words = segment.words[first:end]
    left = places[first] if first else 0
    right = places[end] if end < len(places) else len(segment.text)
    start = words[0].start if first else segment.start
    stop = words[-1].end if end < len(places) else segment.end
    text = segment.text[left:right].strip()
    return replace(
        segment, start=start, end=max(stop, start + 0.01), text=text, words=words, speaker=speaker
    )

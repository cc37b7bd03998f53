"""What lies underneath a chapter or a sentence of a summary: the segments that may be cited.

A summary is stored as its sentences, each once for every place that it is taken from, so that a
search finds the place. Here they become sentences again, with the segments that were perceived at
those places.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.ingest.function_words import telling, words_of
from pipeline.types import CITABLE, Place, Segment, SummarySentence

_MOST = 6  # places shown for one sentence


def summary_of(segments: Sequence[Segment]) -> tuple[SummarySentence, ...]:
    """The summary of a video, from all of its segments: sentences that tell of more of it first,
    else by time, each with the places it is taken from."""
    told: dict[str, list[Segment]] = {}
    ordered = sorted(
        (segment for segment in segments if segment.source == "summary"),
        key=lambda segment: (segment.start, -segment.end),
    )
    for segment in ordered:
        told.setdefault(segment.text, []).append(segment)
    citable = [s for s in segments if s.source in CITABLE and not s.invented]
    sentences = []
    for text, places in told.items():
        under = list(dict.fromkeys(place for at in places for place in _under(at, citable)))
        sentences.append(SummarySentence(text, tuple(under[:_MOST])))
    return tuple(sentences)


def _under(sentence: Segment, citable: Sequence[Segment]) -> list[Place]:
    """The fewest segments at its time that hold what words of it are there, by time; where none
    does, all that lie there."""
    there = [
        segment
        for segment in citable
        if min(segment.end, sentence.end) - max(segment.start, sentence.start)
        >= 0.5 * min(segment.end - segment.start, sentence.end - sentence.start)
    ]
    words = _telling(sentence.text)
    held = [_telling(segment.text) & words for segment in there]
    chosen: set[int] = set()
    while len(chosen) < _MOST:
        left = [len(some & words) for some in held]
        if not max(left, default=0):
            break
        best = left.index(max(left))
        chosen.add(best)
        words -= held[best]
    kept = [segment for i, segment in enumerate(there) if i in chosen or not chosen]
    return [_place(segment, sentence) for segment in kept]


def _place(segment: Segment, sentence: Segment) -> Place:
    """Speech runs along with time: of a long turn, the part that the sentence is taken from."""
    start, end = segment.start, segment.end
    if segment.source == "speech":
        start, end = max(start, sentence.start), min(end, sentence.end)
    return Place(start, end, segment.source)


def _telling(text: str) -> set[str]:
    """What it says: its telling words and its numbers."""
    return {word for word in words_of(text) if telling(word) or word[0].isdigit()}

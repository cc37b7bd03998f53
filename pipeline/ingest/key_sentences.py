"""The sentences that say most of what a video says: its summary where no language model writes one.

Each stretch of the video is given as many sentences as it has time. Taken are those that are near
to what the stretch and the video are about (centrality, Erkan and Radev 2004, "LexRank"), hold its
telling words, its numbers and names, and can be understood alone; none says the same as another.
They are the video's own words, in the order of time.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean

import numpy as np

from pipeline.ingest.function_words import telling_words
from pipeline.ingest.sentences import ends_sentence, sentences
from pipeline.ingest.slots import Slots
from pipeline.types import Segment, Source

_FEWEST, _MOST = 3, 12  # sentences of a summary
_MINUTES = 4.0  # of video to each further one
_GAP = 3.0  # seconds of silence that no sentence spans
_LONGEST = 320  # characters; what is longer has no full stops
_PIECE, _BREATH = 180, 0.3  # characters of such a piece, seconds of a pause that ends one
_LEAST_TEXT = 80  # characters of a source in a stretch from which it is what tells of it

# What a sentence is worth beside its cosines with the stretch (1) and with the video (_VIDEO).
_VIDEO = 0.5
_WORDS = 0.5  # for the rarest words of all
_FACT = 0.08  # for each number and name, up to three
_LONG, _SHORT, _UNCLEAR, _ASKED, _UNFINISHED, _FIRST = 0.15, 0.3, 0.2, 0.25, 0.1, 0.05
_FEW_WORDS, _MANY_WORDS = 6, 40
_LEAST_WORDS = 2  # telling ones: "So yeah, that is that" is often said, and says nothing
_ALIKE = 0.5  # share of the telling words in common

_NUMBER = re.compile(r"\d")
_NAME = re.compile(r"(?<=[^.!?\n] )\b[^\W\d_a-z][\w-]+")
_POINTS_BACK = re.compile(
    r"(?:and|but|so|or|because|which|it|this|that|they|he|she|these|those|there|here|yeah|yes|no|ok"
    r"|okay|right|well|like|um|uh|then|exactly|sure)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the video, and when it is said or shown."""

    start: float
    end: float
    text: str
    source: Source
    language: str = ""
    finished: bool = True


def key_sentences(
    segments: Sequence[Segment], spans: Sequence[tuple[float, float]], slots: Slots
) -> list[Sentence]:
    """The summary of a video in its own words, by time.

    `segments` are the citable ones, by time; `spans` (start, end) its chapters, or all of it.
    Cost: no model is asked; 20 ms for an hour of video.
    """
    told = [_telling(segments, start, end) for start, end in spans]
    every = [sentence for some in told for sentence in some]
    if len(every) <= _FEWEST:
        return []  # it is its own summary
    rarity = _rarity(every)
    centre = slots.mean(float(spans[0][0]), float(spans[-1][1]))
    chosen: list[Sentence] = []
    for (start, end), some, seats in zip(spans, told, _seats(spans, told), strict=True):
        around = slots.mean(start, end) + _VIDEO * centre
        at = slots.at(np.array([(s.start + s.end) / 2 for s in some]))
        near = (slots.vectors[at] @ around).tolist() if some else []
        worth = {
            place: cosine + _worth(sentence, rarity) + _FIRST * (place == 0)
            for place, (sentence, cosine) in enumerate(zip(some, near, strict=True))
        }
        taken = 0
        for place in sorted(worth, key=lambda place: (-worth[place], place)):
            if taken < seats and not any(_alike(some[place], other) for other in chosen):
                chosen.append(some[place])
                taken += 1
    return sorted(chosen, key=lambda sentence: (sentence.start, sentence.end))


def _seats(spans: Sequence[tuple[float, float]], told: Sequence[Sequence[Sentence]]) -> list[int]:
    """How many sentences each span has: by its time, the largest first (D'Hondt)."""
    minutes = (spans[-1][1] - spans[0][0]) / 60
    wanted = min(_MOST, max(_FEWEST, round(2 + minutes / _MINUTES), len(spans)))
    wanted = min(wanted, math.ceil(sum(map(len, told)) / 2))
    seats = [0] * len(spans)
    for _ in range(wanted):
        claims = [
            (end - start) / (seats[i] + 1) if seats[i] < len(told[i]) else 0.0
            for i, (start, end) in enumerate(spans)
        ]
        seats[claims.index(max(claims))] += 1
    return seats


# ---------------------------------------------------------------- sentences of a video


def _telling(segments: Sequence[Segment], start: float, end: float) -> list[Sentence]:
    """The sentences that begin in a stretch, of the source that tells of it: speech where there
    is some, else captions, else the screen."""
    inside = [s for s in segments if start <= s.start < end and not s.invented]
    sources: tuple[Source, ...] = ("speech", "caption", "screen")
    for least in (_LEAST_TEXT, 1):
        for source in sources:
            some = [segment for segment in inside if segment.source == source]
            if sum(len(segment.text) for segment in some) >= least:
                found = _spoken(some) if source == "speech" else _whole(some)
                return [s for s in found if len(set(telling_words(s.text))) >= _LEAST_WORDS]
    return []


def _whole(segments: Sequence[Segment]) -> Iterator[Sentence]:
    """A caption or a screen is complete in itself."""
    for s in segments:
        lines = " / ".join(line.strip() for line in s.text.split("\n") if line.strip())
        yield Sentence(s.start, s.end, lines, s.source, s.language)


def _spoken(segments: Sequence[Segment]) -> Iterator[Sentence]:
    """Whole sentences, over as many utterances as they go on for."""
    for run in _runs(segments):
        joined = " ".join(segment.text for segment in run)
        ends = list(accumulate(len(segment.text) + 1 for segment in run))
        for begin, stop in sentences(joined):
            first = next(i for i, end in enumerate(ends) if begin < end)
            last = next(i for i, end in enumerate(ends) if stop <= end)
            if stop - begin > _LONGEST and last > first:
                yield from _unmarked(run[first : last + 1])
                continue
            start = _time(run[first], begin - (ends[first] - len(run[first].text) - 1))
            end = _time(run[last], stop - (ends[last] - len(run[last].text) - 1))
            if start < end and any(map(str.isalnum, joined[begin:stop])):
                text = " ".join(joined[begin:stop].split())
                yield Sentence(start, end, text, "speech", run[first].language, ends_sentence(text))


def _unmarked(run: Sequence[Segment]) -> Iterator[Sentence]:
    """Speech without full stops, in pieces of a few utterances that end where there is a pause."""
    piece: list[Segment] = []
    for segment in run:
        length = sum(len(s.text) for s in piece)
        paused = bool(piece) and segment.start - piece[-1].end >= _BREATH
        if piece and (length + len(segment.text) > _PIECE or (paused and length > _PIECE / 2)):
            yield _joined(piece)
            piece = []
        piece.append(segment)
    yield _joined(piece)


def _joined(piece: Sequence[Segment]) -> Sentence:
    text = " ".join(segment.text for segment in piece)
    first = piece[0]
    return Sentence(first.start, piece[-1].end, text, "speech", first.language, finished=False)


def _runs(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Utterances of one speaker without a long silence."""
    run: list[Segment] = []
    for segment in segments:
        if run and (segment.speaker != run[-1].speaker or segment.start - run[-1].end > _GAP):
            yield run
            run = []
        run.append(segment)
    if run:
        yield run


def _time(segment: Segment, place: int) -> float:
    """About when the character at `place` of a segment is said."""
    share = min(max(place / max(len(segment.text), 1), 0.0), 1.0)
    return segment.start + share * (segment.end - segment.start)


# ---------------------------------------------------------------- what a sentence is worth


def _rarity(every: Sequence[Sentence]) -> dict[str, float]:
    """Of each telling word, from 0 for one in every sentence to 1 for one said twice; a word said
    only once is as good as one said everywhere: it may be a slip."""
    counts = Counter(word for s in every for word in set(telling_words(s.text)))
    most = math.log(max(len(every), 3) / 2)
    return {
        word: min(1.0, math.log(len(every) / count) / most) if count > 1 else 0.3
        for word, count in counts.items()
    }


def _worth(sentence: Sentence, rarity: dict[str, float]) -> float:
    text = sentence.text
    telling, words = set(telling_words(text)), len(text.split())
    worth = _WORDS * fmean([rarity.get(word, 0.0) for word in telling] or [0.0])
    worth += _FACT * min(3, len(_NUMBER.findall(text)[:1]) + len(set(_NAME.findall(text))))
    worth -= _SHORT * (len(telling) < _FEW_WORDS / 2 or words < _FEW_WORDS)
    worth -= _LONG * (words > _MANY_WORDS)
    worth -= _UNCLEAR * bool(_POINTS_BACK.match(text))
    worth -= _ASKED * text.endswith("?")
    return worth - _UNFINISHED * (not sentence.finished)


def _alike(one: Sentence, other: Sentence) -> bool:
    """Whether most of what the shorter says is said by the other."""
    left, right = set(telling_words(one.text)), set(telling_words(other.text))
    return len(left & right) > _ALIKE * max(1, min(len(left), len(right)))

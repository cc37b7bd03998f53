"""Where two videos that an answer cites say different things of the same.

They are shown side by side with their dates, the later one first, and never averaged: a later
video often corrects an earlier one, and only the reader knows which of them counts. What is told
apart here is what can be told without a model: other numbers, dates or months, or a "not", in two
sentences that are alike otherwise. It points out, it does not judge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from pipeline.answer.numerals import numbers_within
from pipeline.answer.statements import one_line
from pipeline.answer.wording import content_stems, fold, negations, words
from pipeline.types import Citation, Embedder, Sentence, Vectors

# From either of which two texts are about the same. Sentences that a model wrote to one question
# are more alike than what was said.
ALIKE_WORDS, ALIKE_QUOTES, ALIKE_SENTENCES = 0.6, 0.6, 0.72
SAME_WORDS = 0.7  # from which a "not" turns one into the contrary of the other

_MONTH = re.compile(
    r"\b(?:january|february|march|april|june|july|august|september|october|november|december"
    r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b"
)
# "Bitcoin Core 24", "BIP 340": a number that is part of a name tells things apart, not claims.
_NUMBERED_NAME = re.compile(r"\b([A-Z][\w-]*) (\d+(?:\.\d+)*)")


@dataclass(frozen=True, slots=True)
class _Told:
    """A sentence or a quote, with the citation that it comes from."""

    citation: Citation
    text: str


def contradictions(
    sentences: Sequence[Sentence], citations: Sequence[Citation], embedder: Embedder
) -> tuple[tuple[int, int], ...]:
    """Pairs of markers of citations of different videos that differ, the later video's first.

    Quotes are compared with each other, and so are the answer's sentences that cite one video.
    Cost: their embeddings.
    """
    by_marker = {citation.marker: citation for citation in citations}
    quotes = [_Told(citation, citation.quote) for citation in citations]
    written = [
        _Told(by_marker[sentence.citations[0]], sentence.text)
        for sentence in sentences
        if len({by_marker[marker].video_id for marker in sentence.citations}) == 1
    ]
    if len({citation.video_id for citation in citations}) < 2:
        return ()
    pairs = _differing(quotes, embedder, ALIKE_QUOTES)
    pairs += _differing(written, embedder, ALIKE_SENTENCES)
    found = {_later_first(a, b) for a, b in pairs}
    return tuple(sorted(found))


def _differing(
    told: Sequence[_Told], embedder: Embedder, alike: float
) -> list[tuple[Citation, Citation]]:
    if len(told) < 2:
        return []
    vectors: Vectors = embedder.embed([one_line(item.text) for item in told])
    return [
        (told[i].citation, told[j].citation)
        for i, j in combinations(range(len(told)), 2)
        if told[i].citation.video_id != told[j].citation.video_id
        and differ(told[i].text, told[j].text, float(vectors[i] @ vectors[j]) >= alike)
    ]


def differ(one: str, other: str, alike: bool) -> bool:
    """Whether two texts say different things of the same, as far as wording shows.

    `alike` says that their vectors do, which words alone may not show.
    """
    left, right = _subject(one), _subject(other)
    shared = len(left & right) / max(1, min(len(left), len(right)))
    if _numbered(one) != _numbered(other):
        return False
    if shared >= SAME_WORDS and negations(one) % 2 != negations(other) % 2:
        return True
    if shared < ALIKE_WORDS and not alike:
        return False
    values, others = _values(one), _values(other)
    return bool(values - others) and bool(others - values)


def _subject(text: str) -> frozenset[str]:
    """Stems of what is spoken of, without numbers and dates."""
    plain = " ".join(word for word in words(text) if not numbers_within(word))
    return frozenset(content_stems(_MONTH.sub(" ", plain)))


def _values(text: str) -> frozenset[str]:
    return numbers_within(text) | frozenset(_MONTH.findall(fold(text)))


def _numbered(text: str) -> frozenset[str]:
    """Names with a number, "BIP 340"; a month and its day are no name."""
    return frozenset(
        f"{name} {number}"
        for name, number in _NUMBERED_NAME.findall(text)
        if not _MONTH.fullmatch(name.lower()) and name.lower() not in ("in", "on", "at", "may")
    )


def _later_first(a: Citation, b: Citation) -> tuple[int, int]:
    """By date; a video without one comes last, and equal dates in the order of the markers."""
    first, second = sorted((a, b), key=lambda citation: citation.marker)
    if second.date[:10] > first.date[:10]:
        return second.marker, first.marker
    return first.marker, second.marker

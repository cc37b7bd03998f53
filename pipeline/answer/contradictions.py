"""Where two videos say different things of the same, and the answer cites one or both of them.

They are shown side by side with their dates, the later one first, and never averaged: a later
video often corrects an earlier one, and only the reader knows which of them counts. What is told
apart here is what can be told without a model: other numbers, dates or months, or a "not", in two
sentences that are alike otherwise. It points out, it does not judge.

What the answer cites is compared with each other (`contradictions`). What it does not cite, though
it was among the evidence, is compared more strictly (`otherwise`), for there is much more of it,
and most of what differs there differs because it is about something else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from pipeline.answer.evidence import Evidence
from pipeline.answer.facts import dates, quantities
from pipeline.answer.numerals import numbers_within
from pipeline.answer.statements import one_line
from pipeline.answer.verify import WEIGHT
from pipeline.answer.wording import content_stems, fold, names, negations, stem, words
from pipeline.types import Citation, Embedder, Sentence, Vectors

# From either of which two texts are about the same. Sentences that a model wrote to one question
# are more alike than what was said.
ALIKE_WORDS, ALIKE_QUOTES, ALIKE_SENTENCES = 0.6, 0.6, 0.72
SAME_WORDS = 0.7  # from which a "not" turns one into the contrary of the other

# Of uncited evidence: the share of words from which it is about the same, with and without a vector
# that says so; the statements that are looked at, and those that are shown.
SHARED_WORDS, SHARED_ALONE, ALIKE = 0.4, 0.6, 0.6
MOST_COMPARED, MOST_SHOWN = 150, 2

_MONTH = re.compile(
    r"\b(?:january|february|march|april|june|july|august|september|october|november|december"
    r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b"
)
# "More than five" and "two" can both be so.
_BOUND = re.compile(r"\b(?:than|least|most|to|over|under|about|around|nearly|almost|some)\W*$")
_COUNTED = re.compile(r"\s+([^\W\d_]{3,})")
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
    found = {later_first(a, b) for a, b in pairs}
    return tuple(sorted(found))


def otherwise(
    sentences: Sequence[Sentence],
    citations: Sequence[Citation],
    evidence: Sequence[Evidence],
    embedder: Embedder,
    known: Sequence[tuple[int, int]] = (),
) -> list[tuple[Citation, Evidence]]:
    """Evidence of other videos that nothing cites and that says otherwise than a sentence, each
    with the citation that it differs from, the most alike first; `MOST_SHOWN` at most.

    Once for two videos, and not where `known` pairs of markers say it of them already.

    Cost: embeddings of the quotes; the evidence is embedded when it is chosen.
    """
    asserted = _asserted(sentences)
    told = [c for c in citations if c.marker in asserted]
    others = [e for e in evidence if not e.statement.doubtful and not _is_cited(e, citations)]
    others = others[:MOST_COMPARED]
    if not told or not others:
        return []
    texts = [one_line(c.quote) for c in told] + [one_line(e.statement.text) for e in others]
    vectors: Vectors = embedder.embed(texts)
    cosine = vectors[: len(told)] @ vectors[len(told) :].T
    found = [
        (float(cosine[i, j]), citation, item)
        for i, citation in enumerate(told)
        for j, item in enumerate(others)
        if citation.video_id != item.video.video_id
        and says_otherwise(
            citation.quote, item.statement.text, float(cosine[i, j]), asserted[citation.marker]
        )
    ]
    found.sort(key=lambda pair: (-pair[0], pair[1].marker, pair[2].number))
    video = {citation.marker: citation.video_id for citation in citations}
    told_of = {frozenset((video[one], video[other])) for one, other in known}
    once: dict[frozenset[str], tuple[Citation, Evidence]] = {}
    for _, citation, item in found:
        once.setdefault(frozenset((citation.video_id, item.video.video_id)), (citation, item))
    return [pair for videos, pair in once.items() if videos not in told_of][:MOST_SHOWN]


def _asserted(sentences: Sequence[Sentence]) -> dict[int, str]:
    """By marker what the answer states with it."""
    told: dict[int, str] = {}
    for sentence in sentences:
        if WEIGHT[sentence.verdict] > 0:
            for marker in sentence.citations:
                told[marker] = f"{told.get(marker, '')} {sentence.text}"
    return told


def _is_cited(item: Evidence, citations: Sequence[Citation]) -> bool:
    """Whether it is what a citation quotes, in its video or in another upload of it."""
    text = one_line(item.statement.text)
    return any(one_line(c.quote) in text or text in one_line(c.quote) for c in citations)


def says_otherwise(quote: str, other: str, cosine: float, asserted: str) -> bool:
    """Whether `other` has another value, date or "not" for what the answer states with `quote`.

    Both must be about the same by most of their words, name the same, and the values that differ
    must be of one kind: seconds and seconds, steps and steps, a year and a year.
    """
    left, right = _subject(quote) - _counted(quote), _subject(other) - _counted(other)
    both = len(left & right)
    shared = both / max(1, min(len(left), len(right)))
    alike = cosine >= ALIKE
    if shared < (SHARED_WORDS if alike else SHARED_ALONE) or both < (1 if shared == 1 else 2):
        return False
    if _numbered(quote) != _numbered(other) or _name_others(quote, other):
        return False
    denied = negations(quote) % 2 != negations(other) % 2
    if denied and alike and both >= SAME_WORDS * max(len(left), len(right)):
        return True
    mine, theirs, stated = _kinds(quote), _kinds(other), _kinds(asserted)
    return any(
        mine[kind] & stated.get(kind, frozenset()) and not mine[kind] & theirs[kind]
        for kind in mine.keys() & theirs.keys()
    )


def _name_others(one: str, other: str) -> bool:
    """Whether each names somebody or something that the other does not: two ferries, two people."""
    left, right = names(one), names(other)
    return bool(left - right) and bool(right - left)


def _counted(text: str) -> frozenset[str]:
    """Stems of what is counted and measured: many things cost crowns."""
    folded = text.casefold()
    found = (_COUNTED.match(folded, quantity.end) for quantity in quantities(text))
    return frozenset(stem(match[1]) for match in found if match)


def _kinds(text: str) -> dict[str, frozenset[str]]:
    """Values by what they count or measure; the parts of dates by what they are."""
    found: dict[str, set[str]] = {}
    when = dates(text)
    for kind, parts in (
        ("year", when.years), ("month", when.months), ("weekday", when.weekdays),
        ("clock", when.clock),
    ):  # fmt: skip
        found[kind] = {str(part) for part in parts}
    of_dates = {part for parts in found.values() for part in parts}
    folded = text.casefold()
    for quantity in quantities(text):
        counted = _COUNTED.match(folded, quantity.end)
        kind = quantity.unit or (f"of {stem(counted[1])}" if counted else "")
        bound = _BOUND.search(folded[: quantity.begin])
        if kind and not (bound or quantity.worded or quantity.value in of_dates):
            found.setdefault(kind, set()).add(quantity.value)
    return {kind: frozenset(values) for kind, values in found.items() if values}


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


def later_first(a: Citation, b: Citation) -> tuple[int, int]:
    """By date; a video without one comes last, and equal dates in the order of the markers."""
    first, second = sorted((a, b), key=lambda citation: citation.marker)
    if second.date[:10] > first.date[:10]:
        return second.marker, first.marker
    return first.marker, second.marker

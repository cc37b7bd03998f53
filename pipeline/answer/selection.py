"""Which statements are worth their room in a prompt: the best by what each adds to the others.

A moment repeats itself, a slide says what is said beside it, and a talk that was uploaded twice
says everything twice. So the budget is filled by marginal value: how near a statement is to the
question, less what those already taken say as well (maximal marginal relevance: Carbonell and
Goldstein 1998, "The Use of MMR, Diversity-Based Reranking"), per token to the power of one half
(the cost-scaled greedy of Lin and Bilmes 2011, "A Class of Submodular Functions for Document
Summarization"). What says the same with another number or a "not" is no repetition: it is a
contradiction, and both are kept.

How often the lines that an answer needs are in the evidence, at 500, 1000, 2000, 3000 tokens: all
of them (20 questions of the sample library's development half, 67 about talks), or at least one
(60 headings of chapters of talks, with generated passages):

    taken                                  sample library   questions on talks  headings of talks
    moment by moment, of 8               .55 .75 .85 .85    .48 .63 .70 .70     .75 .87 .90 .90
    by marginal value, of 16             .80 .90 .90 .95    .48 .60 .73 .76     .87 .90 .95 .95
    by marginal value, spread            .75 .85 .90 .95    .49 .61 .72 .76     .85 .88 .95 .95

Paired, at 3000 tokens: +.10 (.00, .25), +.06 (.01, .12), +.05 (.00, .10). With little room it
gains nothing on questions about talks: -.03 (-.08, .00) at 1000. Leaving out what scores low,
instead of filling the room, costs recall: .69 for .76 at half the tokens.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.answer.evidence import Candidate
from pipeline.answer.numerals import numbers_within
from pipeline.answer.statements import Statement, one_line
from pipeline.answer.wording import (
    asked_kind,
    content_stems,
    holds_kind,
    negations,
    question_stems,
)
from pipeline.types import Embedder, Moment, Vectors

MOST = 400  # statements that are looked at, those of the best moments: what is embedded
NEIGHBOUR = 10.0  # seconds of silence over which two statements still stand together

# The score of a statement. Its context, the statement before it and the one after, says what it
# is about; the moment's own score knows more than either (generated passages, rerankers).
OWN_COSINE, CONTEXT_COSINE, CONTEXT_WORDS, MOMENT, WRONG_KIND = 0.5, 1.0, 0.35, 1.0, -0.3
# Moments that score within this share of the best one are nearly as good.
LEAST_SPAN = 0.5
SHARPNESS = 10.0  # a score that is 0.1 lower is worth 1 / e
COST_POWER = 0.5

# Cosine from which a statement begins to repeat another, and at which it says nothing new; by
# how much that lowers its score. Where there is room to spare it is taken all the same.
REPEATS, SAME = 0.7, 0.95
REDUNDANT = 0.6
# By how much the score of a video's statements is lower when it has all the room, where several
# videos are wanted.
SPREAD = 0.5

# Speech that cannot be understood without the sentence before it.
_LEANS = re.compile(
    r"(?:(?:and|but|so|or|because|then|well|also|yeah|yes|no)\b[ ,]*)*"
    r"(?:it|it's|this|that|that's|these|those|they|he|she|him|her|them|there|here|its|their|his"
    r"|which|who)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Read:
    """What is known of the statements before any is taken: (n,) each, (n, n) `repeats`.

    `repeats[i, j]` is how much of statement i is said already when j is taken, in [0, 1].
    """

    worth: NDArray[np.float64]
    repeats: NDArray[np.float64]
    costs: NDArray[np.float64]
    before: Sequence[int | None]  # the statement that stands right before each


def select(
    question: str,
    found: Sequence[Candidate],
    moments: Sequence[Moment],
    embedder: Embedder,
    tokens: int,
    *,
    spread: bool = False,
) -> list[Candidate]:
    """The statements of `found` to answer from, in about `tokens`, the most valuable first.

    `found` are the candidates of `moments`. `spread` lets every further statement of one video
    count less, for questions that compare or ask for a list. At least one statement is taken
    where there is any. Cost: one embedding of the question and of at most `MOST` statements.
    """
    found = found[:MOST]
    if not found:
        return []
    read = _read(question, found, moments, embedder)
    videos = [candidate.statement.video_id for candidate in found]
    return [found[i] for i in _fill(read, videos, tokens, spread)]


def _fill(read: _Read, videos: Sequence[str], tokens: int, spread: bool) -> list[int]:
    """Greedy: the statement that adds most per token, with the one that it leans on."""
    said = np.zeros(len(read.worth))
    given: defaultdict[str, float] = defaultdict(float)  # tokens of each video
    open_, taken, spent = np.ones(len(read.worth), np.bool_), list[int](), 0.0
    while open_.any():
        lowered = REDUNDANT * said
        if spread:
            lowered = lowered + SPREAD / tokens * np.array([given[video] for video in videos])
        gain = read.worth * np.exp(-SHARPNESS * lowered) / read.costs**COST_POWER
        best = int(np.where(open_, gain, -1.0).argmax())
        before = read.before[best]
        together = [best] if before is None or not open_[before] else [before, best]
        cost = float(read.costs[together].sum())
        if taken and spent + cost > tokens:
            open_[best] = False
            continue
        for index in together:
            open_[index] = False
            said = np.maximum(said, read.repeats[:, index])
        given[videos[best]] += cost
        taken += together
        spent += cost
    return taken


# ---------------------------------------------------------------- worth


def _read(
    question: str, found: Sequence[Candidate], moments: Sequence[Moment], embedder: Embedder
) -> _Read:
    kept = [candidate.statement for candidate in found]
    vectors = embedder.embed([question, *(one_line(statement.text) for statement in kept)])
    asked, own = vectors[0], vectors[1:]
    before, after = neighbours(kept)
    around = [[i, *(j for j in (before[i], after[i]) if j is not None)] for i in range(len(kept))]
    kind = asked_kind(question)
    score = (
        OWN_COSINE * (own @ asked).astype(np.float64)
        + CONTEXT_COSINE * _context_cosines(asked, own, around)
        + CONTEXT_WORDS * _covered(question, kept, around)
        + MOMENT * moment_scores([candidate.rank for candidate in found], moments)
        + WRONG_KIND * np.array([not holds_kind(kind, s.text) for s in kept], np.float64)
    )
    leaning = [before[i] if leans(statement) else None for i, statement in enumerate(kept)]
    return _Read(
        np.exp(SHARPNESS * (score - score.max())),
        _repeats(kept, own),
        np.array([candidate.cost for candidate in found], np.float64),
        leaning,
    )


def leans(statement: Statement) -> bool:
    """Whether what is said makes no sense without the words before it: "It was built in 1887"."""
    if statement.source != "speech":
        return False
    return statement.text[:1].islower() or bool(_LEANS.match(statement.text))


def neighbours(kept: Sequence[Statement]) -> tuple[list[int | None], list[int | None]]:
    """(before, after): the statement of the same video and source that stands next to each."""
    order = sorted(
        range(len(kept)), key=lambda i: (kept[i].video_id, kept[i].source, kept[i].start)
    )
    before: list[int | None] = [None] * len(kept)
    after: list[int | None] = [None] * len(kept)
    for left, right in itertools.pairwise(order):
        a, b = kept[left], kept[right]
        if (a.video_id, a.source) == (b.video_id, b.source) and b.start - a.end <= NEIGHBOUR:
            after[left], before[right] = right, left
    return before, after


def _context_cosines(
    asked: NDArray[np.float32], own: Vectors, around: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """Of the question and the mean of each context's vectors: as good as embedding its text."""
    summed = np.array([own[list(context)].sum(axis=0) for context in around])
    lengths = np.maximum(np.linalg.norm(summed, axis=1), 1e-9)
    return np.asarray(summed @ asked / lengths, np.float64)


def _covered(
    question: str, kept: Sequence[Statement], around: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """Share of the question's words that each context has, rare ones counting more."""
    stems = [_stems(statement) for statement in kept]
    frequency = Counter(stem for found in stems for stem in found)
    wanted = question_stems(question)
    weights = [math.log((len(kept) + 1) / (frequency[stem] + 0.5)) for stem in wanted]
    has = np.array([[stem in found for stem in wanted] for found in stems], np.float64)
    near = np.array([has[list(context)].max(axis=0) for context in around])
    return np.asarray(near @ np.array(weights) / max(sum(weights), 1e-9), np.float64)


def moment_scores(ranks: Sequence[int], moments: Sequence[Moment]) -> NDArray[np.float64]:
    """The score of the moment at each rank: 1 for the best, 0 for the last, as long as they lie
    apart."""
    scores = [moment.score for moment in moments]
    span = max(max(scores) - min(scores), LEAST_SPAN * abs(max(scores))) or 1.0
    return np.array([1 - (max(scores) - scores[rank]) / span for rank in ranks], np.float64)


def _stems(statement: Statement) -> frozenset[str]:
    return frozenset(content_stems(statement.text, statement.language or "en"))


# ---------------------------------------------------------------- redundancy


def _repeats(kept: Sequence[Statement], own: Vectors) -> NDArray[np.float64]:
    """(n, n) how much of each row's statement the column's one says, by their cosine.

    A statement that has another number, or a "not" where the other has none, repeats nothing.
    """
    cosine = np.asarray(own @ own.T, np.float64)
    alike: NDArray[np.float64] = np.clip((cosine - REPEATS) / (SAME - REPEATS), 0.0, 1.0)
    np.fill_diagonal(alike, 0.0)
    facts: dict[int, tuple[frozenset[str], bool]] = {}
    for i, j in zip(*np.nonzero(alike), strict=True):
        if not _said_by(_facts(int(i), kept, facts), _facts(int(j), kept, facts)):
            alike[i, j] = 0.0
    return alike


def _facts(
    index: int, kept: Sequence[Statement], known: dict[int, tuple[frozenset[str], bool]]
) -> tuple[frozenset[str], bool]:
    if index not in known:
        text = kept[index].text
        known[index] = numbers_within(text), negations(text) % 2 == 1
    return known[index]


def _said_by(one: tuple[frozenset[str], bool], other: tuple[frozenset[str], bool]) -> bool:
    return one[0] <= other[0] and one[1] == other[1]

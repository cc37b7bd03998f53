"""An answer without a language model: the statements that answer, quoted, or an honest "no".

Each statement gets a score from a few signals, and the best score tells whether the library
answers at all, by a logistic with few, round coefficients (the form of Platt 1999,
"Probabilistic Outputs for Support Vector Machines"). They were set on development questions
and hold for MiniLM's cosines; another embedding model wants its own. Nearness tells what a
statement is about; that it lacks the kind of thing asked for (a number, a date, a name) tells
better that it does not answer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.answer.evidence import Evidence
from pipeline.answer.numerals import numbers_within
from pipeline.answer.statements import SENTENCE_GAP, one_line
from pipeline.answer.wording import (
    asked_kind,
    asks_to_explain,
    content_stems,
    holds_kind,
    negations,
    question_stems,
)
from pipeline.types import Embedder, Vectors

MAX_SENTENCES = 4
CONTEXT_SECONDS = 30.0  # how far away a neighbour still belongs to what is being said
SHORTLIST = 24  # statements whose context is embedded too
ELSEWHERE = 0.5  # what a word counts that is not near the statement but in its video
NEAR_DUPLICATE = 0.8  # share of stems in common

# The score, in logits. Context is what a statement is about, its own words what it says.
OWN_COSINE, CONTEXT_COSINE, CONTEXT_WORDS = 5.0, 10.0, 3.5
WRONG_KIND = -7.0  # nothing in it could be the number, date or name that is asked for
NOTHING_NEW = -1.5  # it names what the question names, and no more
BEST_MOMENT = 1.0  # falls by half with every second moment further down
DOUBTFUL = -1.0
BIAS = -10.0
# A further statement is quoted when its score is this close to the best one's.
FURTHER = 1.0


@dataclass(frozen=True, slots=True)
class Extract:
    """Statements to quote, in reading order (none: abstain), and how likely they answer."""

    quoted: tuple[Evidence, ...]
    confidence: float


def extract(question: str, evidence: Sequence[Evidence], embedder: Embedder) -> Extract:
    """The statements of `evidence` that answer `question`.

    Cost: one embedding of the question, of every statement, and of `SHORTLIST` contexts.
    """
    if not evidence:
        return Extract((), 0.0)
    scores = score(question, evidence, embedder)
    confidence = 1 / (1 + math.exp(-float(scores.max())))
    return Extract(_quoted(question, evidence, scores), confidence)


def score(question: str, evidence: Sequence[Evidence], embedder: Embedder) -> NDArray[np.float64]:
    """(n,) logits that each statement answers; minus infinity outside the shortlist."""
    texts = [one_line(item.statement.text) for item in evidence]
    vectors = embedder.embed([question, *texts])
    own = (vectors[1:] @ vectors[0]).astype(np.float64)
    contexts = [_context(evidence, i) for i in range(len(evidence))]
    covered = _covered(question, evidence, contexts)
    scores = np.full(len(evidence), -np.inf)
    listed = np.argsort(-(own + covered), kind="stable")[:SHORTLIST]
    around = _context_cosines(vectors[0], [contexts[i] for i in listed], texts, embedder)
    kind = asked_kind(question)
    for i, context_cosine in zip(listed, around, strict=True):
        statement = evidence[i].statement
        scores[i] = (
            BIAS
            + OWN_COSINE * own[i]
            + CONTEXT_COSINE * max(own[i], context_cosine)
            + CONTEXT_WORDS * covered[i]
            + WRONG_KIND * (not holds_kind(kind, statement.text))
            + BEST_MOMENT * 0.5 ** (evidence[i].rank / 2)
            + NOTHING_NEW * _says_nothing_new(question, evidence[i])
            + DOUBTFUL * statement.doubtful
        )
    return scores


def _context(evidence: Sequence[Evidence], index: int) -> list[int]:
    """The statement, the one said before it and the one said after it, of the same source."""
    here = evidence[index].statement

    def neighbour(step: int) -> list[int]:
        at = index + step
        while 0 <= at < len(evidence) and evidence[at].statement.video_id == here.video_id:
            there = evidence[at].statement
            if abs(there.start - here.start) > CONTEXT_SECONDS:
                return []
            if there.source == here.source:
                return [at]
            at += step
        return []

    return [*neighbour(-1), index, *neighbour(+1)]


def _context_cosines(
    question: NDArray[np.float32],
    contexts: Sequence[Sequence[int]],
    texts: Sequence[str],
    embedder: Embedder,
) -> NDArray[np.float64]:
    around: Vectors = embedder.embed([" ".join(texts[i] for i in c) for c in contexts])
    return np.asarray(around @ question, dtype=np.float64)


def _covered(
    question: str, evidence: Sequence[Evidence], contexts: Sequence[Sequence[int]]
) -> list[float]:
    """Share of the question's words that each context or its video's title has, rare words most.

    A word that only the rest of the video's evidence has counts `ELSEWHERE`. Rarity is counted
    in the evidence: what every statement has is the topic, what none has is probably what the
    library does not know.
    """
    stems = [_stems(item, item.statement.text) for item in evidence]
    frequency = Counter(stem for found in stems for stem in found)
    videos: dict[str, frozenset[str]] = {}
    for item, found in zip(evidence, stems, strict=True):
        video_id = item.video.video_id
        videos[video_id] = videos.get(video_id, frozenset()) | found
    shares = []
    for item, context in zip(evidence, contexts, strict=True):
        near = _stems(item, item.video.title).union(*(stems[i] for i in context))
        far = videos[item.video.video_id]
        total = known = 0.0
        for wanted in question_stems(question, item.statement.language or "en"):
            weight = math.log((len(evidence) + 1) / (frequency[wanted] + 0.5))
            total += weight
            known += weight * (1.0 if wanted in near else ELSEWHERE * (wanted in far))
        shares.append(known / total if total else 0.0)
    return shares


def _says_nothing_new(question: str, item: Evidence) -> bool:
    return len(_stems(item, item.statement.text) - _stems(item, question)) < 2


def _stems(item: Evidence, text: str) -> frozenset[str]:
    return frozenset(content_stems(text, item.statement.language or "en"))


# ---------------------------------------------------------------- what is quoted


def _quoted(
    question: str, evidence: Sequence[Evidence], scores: NDArray[np.float64]
) -> tuple[Evidence, ...]:
    """The best statements that say different things, the best video first, then by time.

    None when even the best is more likely not to answer than to (a logit below zero).
    """
    least = max(0.0, float(scores.max()) - FURTHER)
    chosen: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if len(chosen) == MAX_SENTENCES or scores[index] < least:
            break
        if not any(_repeats(evidence[index], evidence[other]) for other in chosen):
            chosen.append(int(index))
    if chosen and len(chosen) < MAX_SENTENCES and asks_to_explain(question):
        chosen += _said_next(evidence, chosen)
    first: dict[str, int] = {}
    for place, index in enumerate(chosen):
        first.setdefault(evidence[index].video.video_id, place)
    order = sorted(chosen, key=lambda i: (first[evidence[i].video.video_id], i))
    return tuple(evidence[i] for i in order)


def _said_next(evidence: Sequence[Evidence], chosen: Sequence[int]) -> list[int]:
    """What the best statement's speaker said right after it, unless it is quoted anyway."""
    here = evidence[chosen[0]].statement
    for index in range(chosen[0] + 1, len(evidence)):
        there = evidence[index].statement
        if there.video_id != here.video_id or there.start - here.end > SENTENCE_GAP:
            return []
        if there.source == here.source == "speech":
            return [] if index in chosen or there.speaker != here.speaker else [index]
    return []


def _repeats(one: Evidence, other: Evidence) -> bool:
    """Nearly the same words. Another number or a "not" makes it another statement: videos that
    contradict each other are both quoted."""
    a, b = one.statement.text, other.statement.text
    if numbers_within(a) != numbers_within(b) or negations(a) % 2 != negations(b) % 2:
        return False
    left, right = _stems(one, a), _stems(other, b)
    return len(left & right) >= NEAR_DUPLICATE * max(1, min(len(left), len(right)))

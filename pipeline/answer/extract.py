"""An answer without a language model: the statements that answer, quoted, or an honest "no".

Two questions, two models. Which statement answers best: a linear score, fitted listwise (the
probability that a softmax over a question's statements gives to those that answer). Its weight
lies on late interaction (Khattab and Zaharia 2020, "ColBERT", section 3.2): each token of the
question looks for the nearest token of a statement, and counts by how much that statement stands
out among the others; so words that every statement has count little. Whether the best one answers
at all: a logistic (Platt 1999) of what tells that: the part of the question that finds least near
the statement, that the statement lacks the kind of thing asked for, and how near the nearest
statement is. That one says nothing of questions near to what the library speaks of, which nobody
answers with cosines just as high, but tells those about something else altogether.

The coefficients come from `benchmarks/answers`, which says how far they carry. They hold for
MiniLM's vectors; another embedding model wants its own.
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
from pipeline.answer.selection import moment_scores, neighbours
from pipeline.answer.statements import SENTENCE_GAP, one_line
from pipeline.answer.typed import lacks
from pipeline.answer.wording import asks_to_explain, content_stems, negations, question_stems
from pipeline.types import Embedder, Moment, Vectors

MAX_SENTENCES = 4
SHORTLIST = 24  # statements whose tokens are compared: what is spent
NEAR_DUPLICATE = 0.8  # share of stems in common

# The score: cosine of the statement; share of the question's words in the video's evidence; how far
# what the question's tokens find stands out, in the statement and in it with its neighbours; its
# moment's score; that it asks, for a question seldom answers one.
WEIGHTS = (2.0, 2.5, 1.0, 1.5, 1.5, -3.0)
LEAST_SPREAD = 0.02  # of what a token finds: below it nothing stands out
# What is quoted should have the kind of thing that is asked for.
LACKING = -1.5
# The logit that the best one answers: the mean cosine that the quarter of the question's tokens
# with the least finds near it; that it has nothing of the kind asked for; the highest cosine there
# is.
TELLING, BIAS = (6.3, -1.3, 3.0), -4.0
NEAR_ENOUGH = 0.6  # a higher cosine tells no more
# Where every word of the question is there, no part of it finds less than that.
ALL, TO_THE_LETTER = 0.999, 0.4
ANSWERED = 0.2  # confidence from which one wrong answer less is not worth a right one
# A further statement is quoted when its score is this close to the best one's.
FURTHER = 1.0


@dataclass(frozen=True, slots=True)
class Extract:
    """Statements to quote, the best run of them first (none: abstain), and how likely the first
    one answers, in [0, 1]."""

    quoted: tuple[Evidence, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known of the statements on the shortlist: `listed` (k,) where they stand in the
    evidence, `ranking` (k, 6) what `WEIGHTS` weighs, `telling` (k, 3) what `TELLING` weighs."""

    listed: NDArray[np.int64]
    ranking: NDArray[np.float64]
    telling: NDArray[np.float64]


def extract(
    question: str, evidence: Sequence[Evidence], embedder: Embedder, moments: Sequence[Moment]
) -> Extract:
    """The statements of `evidence`, which was taken from `moments`, that answer `question`.

    Cost: one embedding of the question and of every statement, and of the tokens of `SHORTLIST`.
    """
    if not evidence:
        return Extract((), 0.0)
    signals = signals_of(question, evidence, embedder, moments)
    scores = signals.ranking @ np.array(WEIGHTS)
    told = signals.telling[scores.argmax()]
    confidence = _logistic(float(told @ np.array(TELLING)) + BIAS)
    if confidence < ANSWERED:
        return Extract((), confidence)
    lacking = signals.telling[:, 1]
    scores = scores + LACKING * lacking
    every = np.full(len(evidence), -np.inf)
    # Beside one that has a number, date or name of the kind asked for, none without.
    every[signals.listed] = np.where(lacking > lacking[scores.argmax()], -np.inf, scores)
    return Extract(_quoted(question, evidence, every), confidence)


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


# ---------------------------------------------------------------- what is known of a statement


def signals_of(
    question: str, evidence: Sequence[Evidence], embedder: Embedder, moments: Sequence[Moment]
) -> Signals:
    """The signals of the `SHORTLIST` statements that the question's words and meaning are nearest
    to. Cost: as `extract`."""
    texts = [one_line(item.statement.text) for item in evidence]
    vectors = embedder.embed([question, *texts])
    own = (vectors[1:] @ vectors[0]).astype(np.float64)
    near, far = _covered(question, evidence)
    listed = np.sort(np.argsort(-(own + 0.5 * near), kind="stable")[:SHORTLIST])
    some = [evidence[i] for i in listed]
    alone, around = _tokens_found(question, some, embedder)
    lowest = np.sort(around, axis=1)[:, : max(1, around.shape[1] // 4)].mean(axis=1)
    moment = moment_scores([item.rank for item in some], moments)
    asks = [texts[i].endswith("?") for i in listed]
    lacking = [lacks(question, item.statement.text) for item in some]
    columns = own[listed], far[listed], _outstanding(alone), _outstanding(around), moment, asks
    least = np.where(near[listed] > ALL, np.maximum(lowest, TO_THE_LETTER), lowest)
    nearest = np.full(len(listed), min(float(own.max()), NEAR_ENOUGH))
    told = least, lacking, nearest
    return Signals(listed, *(np.column_stack(c).astype(np.float64) for c in (columns, told)))


def _tokens_found(
    question: str, items: Sequence[Evidence], embedder: Embedder
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(k, t) twice: the cosine of the nearest token for each of the question's, in each statement
    alone, and in it with those of `items` that stand right before and after it."""
    texts = [one_line(item.statement.text) for item in items]
    asked, *there = _tokens([question, *texts], embedder)
    alone = np.array([(asked @ tokens.T).max(axis=1) for tokens in there], np.float64)
    before, after = neighbours([item.statement for item in items])
    around = alone.copy()
    for i, beside in enumerate(zip(before, after, strict=True)):
        for j in beside:
            if j is not None:
                around[i] = np.maximum(around[i], alone[j])
    return alone, around


def _tokens(texts: Sequence[str], embedder: Embedder) -> list[Vectors]:
    """Per text (its tokens, dimension); one row where the embedder gives no tokens."""
    embed = getattr(embedder, "embed_tokens", None)
    rows = embed(texts) if embed else [np.empty((0, embedder.dimension), np.float32)] * len(texts)
    whole = embedder.embed(texts)
    return [row if len(row) else whole[i : i + 1] for i, row in enumerate(rows)]


def _outstanding(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """(k,) by how many deviations what each token finds is above what it finds elsewhere."""
    apart = (found - found.mean(axis=0)) / (found.std(axis=0) + LEAST_SPREAD)
    return np.asarray(apart.mean(axis=1), np.float64)


def _covered(
    question: str, evidence: Sequence[Evidence]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of the question's words that each statement or its video's title has, and that the
    video's evidence has; rare words count most.

    Rarity is counted in the evidence: what every statement has is the topic, what none has is
    probably what the library does not know.
    """
    stems = [_stems(item, item.statement.text) for item in evidence]
    frequency = Counter(stem for found in stems for stem in found)
    videos: dict[str, frozenset[str]] = {}
    for item, found in zip(evidence, stems, strict=True):
        video_id = item.video.video_id
        videos[video_id] = videos.get(video_id, frozenset()) | found
    wanted = question_stems(question, evidence[0].statement.language or "en")
    weights = np.array([math.log((len(evidence) + 1) / (frequency[w] + 0.5)) for w in wanted])
    near = [s | _stems(item, item.video.title) for item, s in zip(evidence, stems, strict=True)]
    far = [videos[item.video.video_id] for item in evidence]
    has = np.array([[[w in some for w in wanted] for some in part] for part in (near, far)])
    shares = has @ weights / max(1e-9, float(weights.sum()))
    return shares[0], shares[1]


def _stems(item: Evidence, text: str) -> frozenset[str]:
    return frozenset(content_stems(text, item.statement.language or "en"))


# ---------------------------------------------------------------- what is quoted


def _quoted(
    question: str, evidence: Sequence[Evidence], scores: NDArray[np.float64]
) -> tuple[Evidence, ...]:
    """The best statements that say different things: the best one, what was said beside it, then
    the others by video and time."""
    least = float(scores.max()) - FURTHER
    chosen: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if len(chosen) == MAX_SENTENCES or scores[index] < least:
            break
        if not any(_repeats(evidence[index], evidence[other]) for other in chosen):
            chosen.append(int(index))
    if len(chosen) < MAX_SENTENCES and asks_to_explain(question):
        chosen += _said_next(evidence, chosen)
    best = evidence[chosen[0]]
    first: dict[str, int] = {}
    for place, index in enumerate(chosen):
        first.setdefault(evidence[index].video.video_id, place)
    order = sorted(chosen[1:], key=lambda i: (first[evidence[i].video.video_id], i))
    return tuple([best, *(evidence[i] for i in order)])


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

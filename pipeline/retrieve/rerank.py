"""Reranking: the first moments of a search, looked at once more by a model that reads them.

A reranker moves moments and changes nothing else about them. So that an order stays readable
from the scores (by score, then video id, then start), the places keep their scores: the moment
that comes first gets the best score of the list, the next the second best, and the part of `why`
named `rerank` is what a moment won or lost by that. The parts of `why` still sum to the score.

What a budget does not reach keeps its order and stays behind what was looked at. How much is
looked at follows from the calls allowed alone; the clock is asked before every call, and a call
that has begun is waited for, so that time decides only how many of the same calls are made.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.retrieve.fuse import min_max
from pipeline.types import Budget, Moment, PassageScorer, Reranked

RERANK = "rerank"  # the part of `why`
MOMENTS_PER_CALL = 8
# What a trained cross-encoder says replaces the order it is given.
CROSS_ENCODER_SHARE = 1.0
# Token vectors that nobody trained for it only add to it. MRR@10 over 500 questions each, 20
# moments, without hypothetical passages: talks .555, tutorials .435, everyday videos .196 become
#   share .35    +.023 [+.011, +.035]    +.014 [+.006, +.023]    -.001 [-.008, +.006]
#   share 1      +.001 [-.024, +.025]    -.011 [-.035, +.016]    -.017 [-.034, -.001]
# With them (110 each, .674 .491 .237) it does not pay: -.030, +.015 and -.007 at .35.
LATE_SHARE = 0.35


class ScoringReranker:
    """Orders moments by the best score among each one's passages.

    `share` is the weight of these scores, the rest is that of the scores the moments came with;
    both are min-max normalised over the moments looked at. One call scores the passages of 8
    moments, the best moments first, so a small budget reaches the beginning of the list. A
    moment without text, one that was found by its frames alone, keeps its place.
    """

    def __init__(self, scorer: PassageScorer, share: float = 1.0) -> None:
        self.name = scorer.name
        self._scorer = scorer
        self._share = share

    def rerank(self, query: str, moments: Sequence[Moment], budget: Budget) -> Reranked:
        """See `types.Reranker`."""
        clock = Clock(budget.ms)
        wanted = moments[: max(budget.moments, 0)]
        scores: list[float | None] = []
        calls = 0
        while len(scores) < len(wanted) and calls < budget.calls and not clock.is_over():
            batch = wanted[len(scores) : len(scores) + MOMENTS_PER_CALL]
            scores += _best_of_each(self._scorer, query, batch)
            calls += 1
        order = self._order(moments[: len(scores)], scores)
        reason = ""
        if len(scores) < len(wanted):
            why = "the time was up" if calls < budget.calls else "no call was left"
            reason = f"{why} after {len(scores)} of {len(wanted)} moments"
        return Reranked(placed(moments, [*order, *moments[len(scores) :]]), calls, reason)

    def _order(self, looked: Sequence[Moment], scores: Sequence[float | None]) -> list[Moment]:
        places = [place for place, score in enumerate(scores) if score is not None]
        before = min_max(np.array([looked[place].score for place in places]), len(places))
        after = min_max(np.array([scores[place] for place in places], np.float64), len(places))
        keys = (self._share * after + (1 - self._share) * before).round(9)
        order = list(looked)
        for place, best in zip(places, np.argsort(-keys, kind="stable"), strict=True):
            order[place] = looked[places[best]]
        return order


def _best_of_each(
    scorer: PassageScorer, query: str, moments: Sequence[Moment]
) -> list[float | None]:
    """The best score among each moment's passages, None for a moment without any."""
    texts = [passage.text for moment in moments for passage in moment.passages]
    scores = iter(scorer.score(query, texts).tolist()) if texts else iter(())
    return [max((next(scores) for _ in moment.passages), default=None) for moment in moments]


class Clock:
    """Whether `ms` milliseconds have passed since it was made."""

    def __init__(self, ms: float) -> None:
        self._end = time.perf_counter() + ms / 1000

    def is_over(self) -> bool:
        return time.perf_counter() >= self._end


def placed(moments: Sequence[Moment], order: Sequence[Moment]) -> tuple[Moment, ...]:
    """`order`, a permutation of `moments`, with the scores of the places.

    A score is lowered by the least step there is where equal ones would have to be in another
    order (by video id, then start). A moment whose place keeps its score is returned as it is.
    """
    shown: list[Moment] = []
    for score, moment in zip(sorted((m.score for m in moments), reverse=True), order, strict=True):
        if shown:
            score = min(score, shown[-1].score)
            if score == shown[-1].score and _name(moment) < _name(shown[-1]):
                score = math.nextafter(score, -math.inf)
        shown.append(_with_score(moment, score))
    return tuple(shown)


def _name(moment: Moment) -> tuple[str, float]:
    return moment.video_id, moment.start


def _with_score(moment: Moment, score: float) -> Moment:
    if score == moment.score:
        return moment
    return replace(moment, score=score, why={**moment.why, RERANK: score - moment.score})

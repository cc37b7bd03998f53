"""Weights chosen on some collections and measured on another: what tuning is worth.

A figure of weights that were chosen on the very questions it is measured on promises too much.
For each collection the point of the grid is taken that has the best mean MRR@10 over all the
others, each of them counted once whatever its size, and is measured on the one left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.retrieval.study import TESTED, Study
from benchmarks.retrieval.systems import Point, grid
from pipeline.evaluate.metrics import Estimate, estimates


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One collection: `tuned` on the others against the shipped weights, and the best point of
    the grid on the collection itself, which no one could have known."""

    collection: str
    tuned: Point
    mrr: Estimate
    lead: Estimate  # over the shipped weights, paired
    best: Point
    best_mrr: float


def leave_one_out(studies: Sequence[Study]) -> list[LeftOut]:
    """One row per collection, of studies in one condition; none for fewer than two of them."""
    if len(studies) < 2 or not all(study.points for study in studies):
        return []
    return [
        _left_out(study, [other for other in studies if other is not study]) for study in studies
    ]


def _left_out(study: Study, others: Sequence[Study]) -> LeftOut:
    points = grid()
    tuned = _best(points, others)
    ours, shipped = _mrr(study, tuned), _mrr(study, points[0])
    mrr, lead = estimates(np.stack([ours, ours - shipped], axis=1))
    best = _best(points, [study])
    return LeftOut(study.collection, tuned, mrr, lead, best, float(_mrr(study, best).mean()))


def _best(points: Sequence[Point], studies: Sequence[Study]) -> Point:
    """The first of the best."""
    means = [np.mean([_mrr(study, point).mean() for study in studies]) for point in points]
    return points[int(np.argmax(np.round(means, 9)))]


def _mrr(study: Study, point: Point) -> np.ndarray:
    """(n,) MRR@10 by question."""
    return study.points[point.effective(study.sources)][:, TESTED]

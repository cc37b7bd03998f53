"""The coefficients of `pipeline.answer.extract`, fitted and cross-validated by video.

The ranking is listwise: the softmax over the shortlist is to give its weight to the statements that
lie in a gold span. The confidence is a logistic of whether the best one does, over questions that
have an answer and such that have none. Both have an L2 penalty; what ships is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.answers.questions import Row
from pipeline.answer.ask import EVIDENCE_TOKENS
from pipeline.answer.evidence import candidates, numbered
from pipeline.answer.extract import Signals, signals_of
from pipeline.answer.forms import SPREAD, chosen_form
from pipeline.answer.once import EmbedOnce, ReadOnce
from pipeline.answer.selection import select
from pipeline.evaluate.metrics import Span, is_hit
from pipeline.library import Library
from pipeline.types import Segment, Video

FOLDS, STEPS, RATE = 6, 3000, 0.05
PENALTY = 1.0, 0.05  # of the ranking, of the confidence
THRESHOLDS = (0.0, 0.2, 0.25, 0.3, 0.35, 0.4)
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Studied:
    """A question, the signals of its shortlist and which statements on it are right."""

    row: Row
    signals: Signals
    right: NDArray[np.bool_]


class _Told:
    """The transcripts of a library, through what it shows."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def video(self, video_id: str) -> Video:
        return self._library.video(video_id)

    def segments(self, video_id: str) -> Sequence[Segment]:
        return self._library.show(video_id)[1]


def studied(library: Library, name: str, rows: Sequence[Row]) -> list[Studied]:
    """The questions of the library called `name`, as `ask` finds their evidence."""
    told, embedder = ReadOnce(_Told(library)), EmbedOnce(library.embedder())
    moments = library.settings.evidence_moments
    found = []
    for row in rows:
        if row.library != name:
            continue
        text = row.question.text
        result = library.search(text, k=moments).moments
        spread = chosen_form(text, "") in SPREAD
        some = candidates(result, told)
        chosen = select(text, some, result, embedder, EVIDENCE_TOKENS, spread=spread)
        evidence = numbered(chosen, told)
        signals = signals_of(text, evidence, embedder, result)
        spans = [evidence[i].statement for i in signals.listed]
        right = [
            any(is_hit(Span(s.video_id, s.start, s.end), gold) for gold in row.question.gold)
            for s in spans
        ]
        found.append(Studied(row, signals, np.array(right, np.bool_)))
    return found


def fit(every: Sequence[Studied]) -> str:
    """The coefficients from all, and what they come to on videos that they were not fitted on."""
    weights = ranking(every)
    telling = confidence(every, weights)
    lines = [f"WEIGHTS {np.round(weights, 2)}", f"TELLING, BIAS {np.round(telling, 2)}"]
    videos = sorted({one.row.video_id for one in every})
    np.random.default_rng(0).shuffle(videos)
    tried: list[tuple[Studied, bool, float]] = []
    for fold in range(FOLDS):
        out = set(videos[fold::FOLDS])
        within = [one for one in every if one.row.video_id not in out]
        weights = ranking(within)
        telling = confidence(within, weights)
        for one in every:
            if one.row.video_id in out and _ours(one):
                row, hit = _best(one, weights)
                tried.append((one, hit, float(_logistic(np.append(row, 1.0) @ telling))))
    for name in sorted({one.row.library for one, _, _ in tried}):
        part = [t for t in tried if t[0].row.library == name]
        lines += [_tried(name, part, threshold) for threshold in THRESHOLDS]
    return "\n".join(lines)


def _tried(name: str, part: Sequence[tuple[Studied, bool, float]], threshold: float) -> str:
    known = np.array([one.row.question.answerable for one, _, _ in part])
    hit = np.array([hit for _, hit, _ in part])
    silent = np.array([sure < threshold for _, _, sure in part])
    first = (hit & ~silent)[known].mean()
    score = 2 * (silent & ~known).sum() / max(1, silent.sum() + (~known).sum())
    return f"{name} threshold {threshold}: first right {first:.2f}, abstention F1 {score:.2f}"


def _ours(one: Studied) -> bool:
    """Not of `benchmarks/verify`, which has no unanswerable questions to weigh against."""
    return bool(one.row.question.type)


def _best(one: Studied, weights: Array) -> tuple[Array, bool]:
    """What tells of the best statement, and whether it is right."""
    best = int((one.signals.ranking @ weights).argmax())
    return one.signals.telling[best], bool(one.right[best])


def ranking(every: Sequence[Studied]) -> Array:
    some = [one for one in every if one.right.any() and not one.right.all()]
    spread = np.concatenate([s - s.mean(axis=0) for s in (one.signals.ranking for one in some)])
    scale = spread.std(axis=0) + 1e-9
    tables = [(one.signals.ranking / scale, one.right) for one in some]
    found = _descended(partial(_listwise, tables), len(scale))
    return np.asarray(found / scale, np.float64)


def _listwise(tables: Sequence[tuple[Array, NDArray[np.bool_]]], weights: Array) -> Array:
    slope = PENALTY[0] * weights
    for signals, right in tables:
        score = signals @ weights
        share = np.exp(score - score.max())
        share /= share.sum()
        wanted = share * right
        slope = slope + signals.T @ (share - wanted / max(1e-12, wanted.sum()))
    return np.asarray(slope / len(tables), np.float64)


def confidence(every: Sequence[Studied], weights: Array) -> Array:
    """Coefficients, the bias last."""
    told = [_best(one, weights) for one in every if _ours(one)]
    table = np.array([np.append(row, 1.0) for row, _ in told])
    right = np.array([hit for _, hit in told], np.float64)

    def slope(values: Array) -> Array:
        penalty = PENALTY[1] * values * np.append(np.ones(len(values) - 1), 0.0)
        return np.asarray((table.T @ (_logistic(table @ values) - right) + penalty) / len(told))

    return _descended(slope, table.shape[1])


def _logistic(value: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-value)), np.float64)


def _descended(slope: Callable[[Array], Array], count: int) -> Array:
    """Where a convex loss is least (Adam: Kingma and Ba 2015)."""
    values, first, second = np.zeros(count), np.zeros(count), np.zeros(count)
    for step in range(1, STEPS + 1):
        down = slope(values)
        first, second = 0.9 * first + 0.1 * down, 0.999 * second + 0.001 * down**2
        rate = RATE / np.sqrt(second / (1 - 0.999**step) + 1e-12)
        values = values - rate * first / (1 - 0.9**step)
    return values

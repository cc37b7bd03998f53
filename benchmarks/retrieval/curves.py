"""What the report and the picture both show: recall by k, and latency by stage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval.study import DEEP, Study
from pipeline.evaluate.metrics import estimates, is_hit
from pipeline.evaluate.results import Result

# Stages in the order in which they happen; what is not named here comes after them by name.
STAGES = (
    "open",
    "expansion",
    "words",
    "embed",
    "vectors",
    "fuse",
    "windows",
    "moments",
    "frames",
    "rerank",
)


def recall_by_k(study: Study) -> dict[str, NDArray[np.float64]]:
    """(3, 50) by system: the share of questions with a hit among the first k, its 95% interval."""
    names = list(study.results[0].found)
    return {name: _recall(study, name) for name in names}


def _recall(study: Study, name: str) -> NDArray[np.float64]:
    found = np.zeros((len(study.questions), DEEP))
    for row, question, result in zip(found, study.questions, study.results, strict=True):
        hits = [any(is_hit(s, gold) for gold in question.gold) for s in result.found[name]]
        if any(hits):
            row[hits.index(True) :] = 1.0
    return np.array([[e.value, e.low, e.high] for e in estimates(found)]).T


def stage_times(results: Sequence[Result]) -> dict[str, tuple[float, float]]:
    """(median, 95th percentile) ms by stage, in the order in which they happen; `total` last."""
    names = {name for result in results for name in result.stages}
    known = [name for name in STAGES if name in names]
    order = [*known, *sorted(names - set(known) - {"total"}), "total"]
    values = {name: [result.stages.get(name, 0.0) for result in results] for name in order}
    return {
        name: (float(np.median(some)), float(np.percentile(some, 95)))
        for name, some in values.items()
        if name in names
    }

"""Everything that is measured on one collection, kept question by question as it is made.

Footnote and the baselines are asked as `footnote eval --baselines` asks them; every other system
in the same way with another recipe. All are asked the same questions, and for as many moments as
the curves need; the metrics look at the first ten.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval import dropped
from benchmarks.retrieval.dropped import search_dropped
from benchmarks.retrieval.sets import Collection
from benchmarks.retrieval.systems import Point, System, grid, systems
from pipeline.evaluate.bench import Searched, measure
from pipeline.evaluate.metrics import METRICS
from pipeline.evaluate.questions import Question
from pipeline.evaluate.report import Table, score_tables
from pipeline.evaluate.results import OURS, Result, ResultsFile
from pipeline.evaluate.run import report_on, results_of, setting_of
from pipeline.library import Library
from pipeline.types import SOURCES, SearchResult

_log = logging.getLogger(__name__)

DEEP = 50  # moments of each question; the curves go so far
TESTED = METRICS.index("mrr@10")


@dataclass(frozen=True, slots=True)
class Study:
    """One collection in one condition, `recorded` or `alone`.

    `report` is that of `footnote eval --json`; `results` has what Footnote and the baselines
    found, `systems` the (n, m) metrics of all other systems by name, `points` those of the
    grid, by what each point is on this collection.
    """

    collection: str
    condition: str
    passages: int
    questions: Sequence[Question]
    report: Mapping[str, Any]
    results: Sequence[Result]
    systems: Mapping[str, Table]
    points: Mapping[Point, Table]
    sources: frozenset[str]

    @property
    def ours(self) -> Table:
        return score_tables(self.questions, self.results)[OURS]

    def lead(self, system: System) -> NDArray[np.float64]:
        """(n,) how much more MRR@10 what a system is compared with has, by question."""
        other = self.systems[system.against] if system.against else self.ours
        return np.asarray((other - self.systems[system.name])[:, TESTED], np.float64)


def study(
    library: Library,
    collection: Collection,
    condition: str,
    questions: Sequence[Question],
    out: Path,
    *,
    tuning: bool,
) -> Study:
    """Measure what is not measured yet; `out` is where results are kept."""
    folder = out / "results" / f"{collection.name}.{condition}"
    folder.mkdir(parents=True, exist_ok=True)
    where = f"{collection.name}, {condition}"
    results = results_of(
        library, questions, baselines=True, resume=folder / "footnote.jsonl", k=DEEP
    )
    _log.info("%s: footnote and the baselines", where)
    found: dict[str, Table] = {}
    for system in systems(recorded=condition == "recorded"):
        found[system.name] = _ask(library, system, questions, folder)
        _log.info("%s: %s", where, system.name)
    table = library.index().table
    sources = frozenset(SOURCES[i] for i in np.unique(table.source).tolist())
    points: dict[Point, Table] = {}
    for point in dict.fromkeys(p.effective(sources) for p in grid()) if tuning else ():
        points[point] = _ask(library, point.system(), questions, folder)
    if points:
        _log.info("%s: %d points of the grid", where, len(points))
    return Study(
        collection.name,
        condition,
        len(table),
        questions,
        report_on(library, questions, results),
        results,
        found,
        points,
        sources,
    )


def _ask(library: Library, system: System, questions: Sequence[Question], folder: Path) -> Table:
    """(n, m) metrics of one system, whose results are in a file of its own."""

    def search(question: Question) -> Searched:
        if system.dropped:
            found = search_dropped(library, system.dropped, question, DEEP)
            return SearchResult(question.text, tuple(found), {})
        return library.search(
            question.text, k=DEEP, hypothetical=question.hypothetical, recipe=system.recipe
        )

    code = Path(dropped.__file__).read_text("utf-8") if system.dropped else ""
    setting = setting_of(library, k=DEEP, system=system.described(), code_of_it=code)
    file = folder / f"{re.sub('[^a-z0-9.]+', '_', system.name.lower())}.jsonl"
    return score_tables(questions, measure(questions, search, kept=ResultsFile(file, setting)))[
        OURS
    ]

"""The figures of an evaluation: means with intervals, differences to baselines, by group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate.groups import Groups
from pipeline.evaluate.metrics import METRICS, columns, estimates, permutation_tests, score
from pipeline.evaluate.questions import Question
from pipeline.evaluate.results import OURS, Result

TESTED = "mrr@10"

Table = NDArray[np.float64]  # (n, m): one row per question, one column per metric


def make_report(
    questions: Sequence[Question],
    results: Sequence[Result],
    groups: Mapping[str, Groups] | None = None,
) -> dict[str, Any]:
    """The report of `footnote eval --json` (DESIGN 5) from one result per question, in order.

    `groups` are partitions by name (`by_source`, `by_type`), each in the report under its name
    with the figures of every group. `permutation` has the two-sided p of a paired permutation
    test of each baseline's MRR@10.
    """
    tables = score_tables(questions, results)
    report = compare(tables)
    differences = {name: tables[OURS] - table for name, table in tables.items() if name != OURS}
    at = METRICS.index(TESTED)
    tested = np.array([table[:, at] for table in differences.values()]).T
    values = permutation_tests(tested) if differences else []
    return {
        **report,
        "permutation": {
            name: {TESTED: value} for name, value in zip(differences, values, strict=True)
        },
        **{name: _grouped(tables, questions, group) for name, group in (groups or {}).items()},
        "took_ms": _times(results),
    }


def no_report() -> dict[str, Any]:
    """The report of no question with a gold span."""
    return {"n": 0, "metrics": {}, "baselines": {}, "paired": {}, "took_ms": {}}


def score_tables(questions: Sequence[Question], results: Sequence[Result]) -> dict[str, Table]:
    """All metrics of every question by system."""
    scores: dict[str, list[dict[str, float]]] = defaultdict(list)
    for question, result in zip(questions, results, strict=True):
        for name, spans in result.found.items():
            scores[name].append(score(spans, question.gold))
    return {name: columns(rows) for name, rows in scores.items()}


def compare(tables: Mapping[str, Table]) -> dict[str, Any]:
    """Means and intervals of all systems, and of Footnote's lead over each.

    One bootstrap draws for all of them: the same questions, however many systems.
    """
    others = [name for name in tables if name != OURS]
    differences = [tables[OURS] - tables[name] for name in others]
    stacked = np.hstack([tables[OURS], *(tables[name] for name in others), *differences])
    found = estimates(stacked)
    size = len(METRICS)
    parts = [found[i : i + size] for i in range(0, len(found), size)]

    def by_metric(part: int, name: str) -> dict[str, dict[str, float]]:
        return {
            metric: {name: one.value, "low": one.low, "high": one.high}
            for metric, one in zip(METRICS, parts[part], strict=True)
        }

    return {
        "n": len(stacked),
        "metrics": by_metric(0, "value"),
        "baselines": {name: by_metric(1 + i, "value") for i, name in enumerate(others)},
        "paired": {
            name: by_metric(1 + len(others) + i, "difference") for i, name in enumerate(others)
        },
    }


def _grouped(
    tables: Mapping[str, Table], questions: Sequence[Question], groups: Groups
) -> dict[str, Any]:
    """The figures of each group, the largest first."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, question in enumerate(questions):
        for name in groups[question.qid]:
            rows[name].append(row)
    order = sorted(rows, key=lambda name: (-len(rows[name]), name))
    return {
        name: compare({system: table[rows[name]] for system, table in tables.items()})
        for name in order
    }


def _times(results: Sequence[Result]) -> dict[str, float]:
    median, p95 = np.quantile([result.search_ms for result in results], (0.5, 0.95))
    return {
        "search_median": round(float(median), 3),
        "search_p95": round(float(p95), 3),
        "total": round(sum(result.all_ms for result in results), 3),
    }


# ---------------------------------------------------------------- showing

_SHOWN = ("mrr@10", "hit@1", "hit@5", "hit@10", "land@10", "video@10", "iou@1")
BY = {"source": "by_source", "type": "by_type"}


def render_table(report: Mapping[str, Any], by: Sequence[str] = ()) -> str:
    """The report as plain text: one line per system, with the interval of its MRR@10, how much
    more of it Footnote has, 95% intervals in brackets, and the p of a permutation test.

    `by` names groups, "source" or "type", that get a table of Footnote's figures each.
    """
    if not report["n"]:
        return "no question with a gold span"
    systems = {OURS: report["metrics"], **report["baselines"]}
    width = max(10, *(len(name) + 1 for name in systems))
    head = _head("", width) + (f"  {'footnote - it [95%]':24} p" if report["paired"] else "")
    lines = [f"{report['n']} questions", head.rstrip()]
    for name, metrics in systems.items():
        line = _line(name, metrics, width)
        if name in report["paired"]:
            lead = report["paired"][name][TESTED]
            ahead = f"{lead['difference']:+.3f} {_bracket(lead)}"
            p = report["permutation"][name][TESTED]
            line += f"  {ahead:24} {'<.001' if p < 0.001 else f'{p:.3f}'}"
        lines.append(line.rstrip())
    return "\n".join([*lines, *(line for name in by for line in _by(report, name))])


def _by(report: Mapping[str, Any], name: str) -> list[str]:
    groups = report[BY[name]]
    titles = {group: f"{group}, {figures['n']}" for group, figures in groups.items()}
    width = max(10, *(len(title) + 1 for title in titles.values()))
    rows = [_line(titles[group], groups[group]["metrics"], width).rstrip() for group in groups]
    return ["", _head(f"by {name}", width).rstrip(), *rows]


def _head(title: str, width: int) -> str:
    return f"{title:{width}}" + "".join(f"{n:>10}" for n in _SHOWN) + f"  {TESTED + ' [95%]':16}"


def _line(name: str, metrics: Mapping[str, Any], width: int) -> str:
    values = "".join(f"{metrics[metric]['value']:10.3f}" for metric in _SHOWN)
    return f"{name:{width}}{values}  {_bracket(metrics[TESTED]):16}"


def _bracket(estimate: Mapping[str, float]) -> str:
    return f"[{estimate['low']:.3f}, {estimate['high']:.3f}]"

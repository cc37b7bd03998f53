"""The picture of the report: recall by k, what each part is worth, latency by stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.retrieval.canvas import (
    GRID,
    INK,
    SOFT,
    Axes,
    Canvas,
    legend,
    round_steps,
    x_ticks,
    y_ticks,
)
from benchmarks.retrieval.curves import recall_by_k, stage_times
from benchmarks.retrieval.study import DEEP, Study
from benchmarks.retrieval.systems import GROUPS, System, systems
from pipeline.evaluate.metrics import Estimate, estimates

WIDTH, MARGIN = 1180.0, 44.0
OURS_COLOR = "#1f5fbf"
# Told apart with any colour vision (Okabe and Ito), and Footnote by its width as well.
LINES = {
    "dense": ("dense alone", "#8a9099"),
    "bm25": ("BM25 alone", "#e69f00"),
    "rrf": ("rank fusion", "#cc79a7"),
    "hyde": ("HyDE as in the paper", "#d55e00"),
    "llama_index_fusion_relative": ("LlamaIndex fusion, relative scores", "#009e73"),
    "footnote": ("Footnote", OURS_COLOR),
}
STAGE_COLORS = (
    "#c6d4e8",
    "#e8a33d",
    "#1f5fbf",
    "#7fb2e5",
    "#009e73",
    "#8a9099",
    "#cc79a7",
    "#d55e00",
)
CONDITIONS = {"recorded": "with hypothetical passages", "alone": "question alone"}

PLOT_HEIGHT, ROW = 190.0, 18.0


def draw(studies: Sequence[Study], path: Path) -> None:
    """Write the PNG."""
    conditions = [c for c in CONDITIONS if any(s.condition == c for s in studies)]
    by_condition = {c: [s for s in studies if s.condition == c] for c in conditions}
    worth = by_condition[conditions[0]]
    rows = len(_systems(worth)) + len(GROUPS)
    recall_rows = _recall_rows(by_condition)
    recall_height = 76 + len(recall_rows) * (PLOT_HEIGHT + 66)
    worth_height = 104 + rows * ROW
    latency_height = 110 + len(studies) * 26
    canvas = Canvas(WIDTH, 70 + recall_height + worth_height + latency_height)
    canvas.text(
        (MARGIN, 26), "Retrieval: who finds the moment, why, and how fast", 19, INK, "la", True
    )
    _recall(canvas, 70, recall_rows)
    _worth(canvas, 70 + recall_height, worth)
    _latency(canvas, 70 + recall_height + worth_height, studies)
    canvas.save(path)


def _title(canvas: Canvas, top: float, title: str, under: str) -> None:
    canvas.line([(MARGIN, top - 8), (WIDTH - MARGIN, top - 8)], GRID, 1)
    canvas.text((MARGIN, top + 2), title, 14, INK, "la", True)
    canvas.text((MARGIN, top + 22), under, 10.5, SOFT)


def _columns(count: int, left: float) -> list[tuple[float, float]]:
    """(left, right) of `count` charts side by side."""
    gap = 46.0
    width = min((WIDTH - MARGIN - left - gap * (count - 1)) / count, 480.0)
    return [(left + i * (width + gap), left + i * (width + gap) + width) for i in range(count)]


# ---------------------------------------------------------------- recall


def _recall_rows(studies: dict[str, list[Study]]) -> list[list[Study]]:
    """One row of charts per condition; of a single collection all in one row."""
    rows = list(studies.values())
    return rows if max(map(len, rows)) > 1 else [[study for row in rows for study in row]]


def _recall(canvas: Canvas, top: float, rows: Sequence[Sequence[Study]]) -> None:
    under = (
        "Share of questions with a right moment among the first k; "
        "the band is Footnote's 95% interval."
    )
    _title(canvas, top, "Recall by k", under)
    entries = [LINES[name] for name in reversed(LINES)]
    y = legend(canvas, (MARGIN, top + 50), entries, WIDTH - 2 * MARGIN) + 22
    for row in rows:
        for study, (left, right) in zip(row, _columns(len(row), MARGIN + 30), strict=True):
            axes = Axes(left, y, right, y + PLOT_HEIGHT, (1, DEEP), (0, 1), log=True)
            _curves(canvas, axes, study)
        y += PLOT_HEIGHT + 66


def _curves(canvas: Canvas, axes: Axes, study: Study) -> None:
    title = f"{study.collection}, {CONDITIONS[study.condition]} (n = {len(study.questions)})"
    canvas.text((axes.left, axes.top - 8), title, 11, INK, "ls", True)
    x_ticks(canvas, axes, (1, 2, 5, 10, 20, 50), lambda k: f"{k:g}")
    y_ticks(canvas, axes, (0, 0.2, 0.4, 0.6, 0.8, 1), lambda share: f"{share:.0%}")
    canvas.text(((axes.left + axes.right) / 2, axes.bottom + 19), "k", 9, SOFT, "ma")
    curves = recall_by_k(study)
    low, high = curves["footnote"][1:]
    edge = [axes.at(k + 1, value) for k, value in enumerate(low)]
    back = [axes.at(k + 1, value) for k, value in enumerate(high)][::-1]
    canvas.area([*edge, *back], OURS_COLOR + "22")
    for name, (_, color) in LINES.items():
        if name in curves:
            points = [axes.at(k + 1, value) for k, value in enumerate(curves[name][0])]
            canvas.line(points, color, 2.6 if name == "footnote" else 1.4)


# ---------------------------------------------------------------- what each part is worth


def _systems(studies: Sequence[Study]) -> list[System]:
    """The rows, by group."""
    every = systems(recorded=studies[0].condition == "recorded")
    return sorted(every, key=lambda system: GROUPS.index(system.group))


def _worth(canvas: Canvas, top: float, studies: Sequence[Study]) -> None:
    under = (
        "MRR@10 of the shipped recipe minus that of the row, with its 95% interval, paired by "
        f"question; {CONDITIONS[studies[0].condition]}. Right of zero: the shipped one is better."
    )
    _title(canvas, top, "What each part is worth", under)
    rows = _systems(studies)
    found = {s.collection: {r.name: _difference(s, r) for r in rows} for s in studies}
    ends = [abs(v) for some in found.values() for e in some.values() for v in (e.low, e.high)]
    reach = max(*ends, 0.01)
    steps = round_steps(-reach, reach, 8)
    y, bottom = top + 76, top + 76 + (len(rows) + len(GROUPS)) * ROW - 16
    charts = [
        Axes(left, y - 10, right, bottom, (-reach, reach))
        for left, right in _columns(len(studies), MARGIN + 170)
    ]
    for study, axes in zip(studies, charts, strict=True):
        canvas.text((axes.left, axes.top - 8), study.collection, 11, INK, "ls", True)
        x_ticks(canvas, axes, steps, lambda value: f"{value:+g}" if value else "0")
        canvas.line([(axes.across(0), axes.top), (axes.across(0), axes.bottom)], SOFT, 1)
    group = ""
    for system in rows:
        if system.group != group:
            canvas.text((MARGIN, y), system.group, 10, SOFT, "lm")
            group, y = system.group, y + ROW
        canvas.text((MARGIN + 10, y), system.name, 10.5, INK, "lm")
        for study, axes in zip(studies, charts, strict=True):
            _whisker(canvas, axes, y, found[study.collection][system.name])
        y += ROW


def _difference(study: Study, system: System) -> Estimate:
    (found,) = estimates(study.lead(system)[:, None])
    return found


def _whisker(canvas: Canvas, axes: Axes, y: float, estimate: Estimate) -> None:
    sure = estimate.low > 0 or estimate.high < 0
    color = OURS_COLOR if sure and estimate.value > 0 else "#d55e00" if sure else "#8a9099"
    canvas.line([(axes.across(estimate.low), y), (axes.across(estimate.high), y)], color, 1.6)
    canvas.dot((axes.across(estimate.value), y), 3.6, color)


# ---------------------------------------------------------------- latency


def _latency(canvas: Canvas, top: float, studies: Sequence[Study]) -> None:
    under = (
        "Medians by stage, one bar per collection; "
        "the thin line ends at the 95th percentile of the whole."
    )
    _title(canvas, top, "Latency of a search by stage", under)
    times = [stage_times(study.results) for study in studies]
    stages = list(dict.fromkeys(name for some in times for name in some if name != "total"))
    colors = {name: STAGE_COLORS[i % len(STAGE_COLORS)] for i, name in enumerate(stages)}
    y = legend(canvas, (MARGIN, top + 50), list(colors.items()), WIDTH - 2 * MARGIN) + 6
    middles = [sum(v[0] for name, v in some.items() if name != "total") for some in times]
    # A hiccup of the machine must not squeeze the bars: its number stands at the edge.
    most = min(max(*middles, *(some["total"][1] for some in times)), 3 * max(middles))
    axes = Axes(MARGIN + 230, y, WIDTH - MARGIN - 60, y + 26 * len(studies), (0, most * 1.02))
    x_ticks(canvas, axes, round_steps(0, most, 9), lambda ms: f"{ms:g} ms")
    for study, some in zip(studies, times, strict=True):
        _bar(canvas, axes, y + 13, study, some, colors)
        y += 26


def _bar(
    canvas: Canvas,
    axes: Axes,
    y: float,
    study: Study,
    times: dict[str, tuple[float, float]],
    colors: dict[str, str],
) -> None:
    canvas.text(
        (axes.left - 8, y), f"{study.collection}, {CONDITIONS[study.condition]}", 10.5, INK, "rm"
    )
    edges = np.cumsum([0.0, *(times[name][0] for name in colors if name in times)])
    names = [name for name in colors if name in times]
    for name, begin, end in zip(names, edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        canvas.box((axes.across(begin), y - 7), (axes.across(end), y + 7), colors[name])
    late = axes.across(min(times["total"][1], axes.x[1]))
    canvas.line([(axes.across(edges[-1]), y), (late, y)], SOFT, 1)
    canvas.line([(late, y - 4), (late, y + 4)], SOFT, 1)
    canvas.text((late + 6, y), f"{times['total'][1]:.0f}", 9, SOFT, "lm")

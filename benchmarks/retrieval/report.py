"""The report in Markdown: every figure with its interval, every difference paired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.retrieval import dropped
from benchmarks.retrieval.curves import recall_by_k, stage_times
from benchmarks.retrieval.study import DEEP, TESTED, Study
from benchmarks.retrieval.systems import GROUPS, System, systems
from benchmarks.retrieval.tuning import leave_one_out
from pipeline import __version__
from pipeline.evaluate.metrics import Estimate, estimates, permutation_tests
from pipeline.evaluate.results import OURS

SHOWN = ("hit@1", "hit@5", "hit@10", "land@1", "video@1", "iou@1")
LEAST_QUESTIONS = 5  # of a group: below it an interval says nothing
CUTS = (1, 3, 5, 10, 20, 50)
CONDITIONS = {
    "recorded": "with recorded hypothetical passages",
    "alone": "the question alone, no language model",
}

Cells = Sequence[str]


def write_report(studies: Sequence[Study], picture: str, embedding: str) -> str:
    """The whole report; `picture` is the name of the PNG beside it."""
    lines = [
        "# Retrieval, measured",
        "",
        f"Footnote {__version__}, embedding model {embedding}. MRR@10 counts the first right "
        "moment among ten; a hit is the right video and IoU >= 0.3 with a gold span, or the middle "
        "inside one. Brackets are 95% bootstrap intervals over questions, differences are paired "
        "by question, p is of a paired permutation test. `*` marks an interval without zero. "
        "Baselines rank passages, Footnote shows moments.",
        "",
        f"![recall by k, ablation, latency by stage]({picture})",
        "",
        *_table(("collection", "passages", "condition", "questions"), map(_facts, studies)),
    ]
    for study in studies:
        lines += ["", f"## {study.collection}, {CONDITIONS[study.condition]}", ""]
        lines += [*_systems(study), "", *_groups(study)]
    for condition in CONDITIONS:
        some = [study for study in studies if study.condition == condition]
        if some:
            lines += ["", f"## What each part is worth, {CONDITIONS[condition]}", ""]
            lines += [*_ablation(some), "", *_left_out(some)]
    lines += ["", "The ways of fusing that were tried and dropped:", "", *_dropped()]
    lines += ["", "## Recall by k", "", *_recall(studies)]
    lines += ["", "## Latency by stage, ms, median / 95th percentile", "", *_latency(studies)]
    return "\n".join(lines) + "\n"


def _facts(study: Study) -> Cells:
    count = str(len(study.questions))
    return study.collection, f"{study.passages:,}", CONDITIONS[study.condition], count


# ---------------------------------------------------------------- systems


def _systems(study: Study) -> Iterator[str]:
    report = study.report
    rows = []
    for name, metrics in {OURS: report["metrics"], **report["baselines"]}.items():
        lead, p = "", ""
        if name in report["paired"]:
            lead = _signed(report["paired"][name]["mrr@10"], "difference")
            p = _p(report["permutation"][name]["mrr@10"])
        values = [f"{metrics[metric]['value']:.3f}" for metric in SHOWN]
        rows.append((name, _value(metrics["mrr@10"]), lead, p, *values))
    return _table(("system", "MRR@10", "Footnote - it", "p", *SHOWN), rows)


def _groups(study: Study) -> Iterator[str]:
    """Footnote's MRR@10 by source and by type, and its lead over dense alone; large ones only."""
    rows = []
    for key in ("by_source", "by_type"):
        for name, figures in study.report[key].items():
            if figures["n"] < LEAST_QUESTIONS:
                continue
            lead = _signed(figures["paired"]["dense"]["mrr@10"], "difference")
            land = f"{figures['metrics']['land@1']['value']:.3f}"
            value = _value(figures["metrics"]["mrr@10"])
            rows.append((key.removeprefix("by_"), name, str(figures["n"]), value, lead, land))
    names = ("by", "questions", "n", "MRR@10", "Footnote - dense", "land@1")
    return _table(names, rows)


# ---------------------------------------------------------------- ablation


def _ablation(studies: Sequence[Study]) -> Iterator[str]:
    """One row per system; for each collection its MRR@10 and what the shipped recipe has more."""
    recorded = studies[0].condition == "recorded"
    every = systems(recorded=recorded)
    names = ["system"]
    for study in studies:
        names += [study.collection, "shipped - it", "p"]
    shipped = [cell for study in studies for cell in (_shipped(study), "", "")]
    rows: list[Cells] = [("**shipped**", *shipped)]
    for group in GROUPS:
        members = [system for system in every if system.group == group]
        if members:
            rows.append((f"*{group}*", *[""] * (len(names) - 1)))
        for system in members:
            cells = [cell for study in studies for cell in _worth(study, system)]
            rows.append((system.name, *cells))
    return _table(names, rows)


def _dropped() -> list[str]:
    """As their module describes them."""
    return ["```", *str(dropped.__doc__).strip().split("\n\n")[-1].splitlines(), "```"]


def _shipped(study: Study) -> str:
    return _value(study.report["metrics"]["mrr@10"])


def _worth(study: Study, system: System) -> tuple[str, str, str]:
    values = study.systems[system.name][:, TESTED]
    differences = study.lead(system)
    own, worth = estimates(np.stack([values, differences], axis=1))
    (p,) = permutation_tests(differences[:, None])
    return _plain(own), _signed(_as_row(worth), "value"), _p(p)


def _left_out(studies: Sequence[Study]) -> Iterator[str]:
    rows = [
        (
            row.collection,
            str(row.tuned),
            _plain(row.mrr),
            _signed(_as_row(row.lead), "value"),
            f"{row.best_mrr:.3f} ({row.best})",
        )
        for row in leave_one_out(studies)
    ]
    if rows:
        yield "Weights tuned on the other collections, measured on the one left out:"
        yield ""
        names = ("left out", "weights of the others", "MRR@10", "it - shipped", "best for itself")
        yield from _table(names, rows)
    else:
        yield "Weights tuned on other collections: needs two collections or more, and tuning."


# ---------------------------------------------------------------- curves and times


def _recall(studies: Sequence[Study]) -> Iterator[str]:
    rows = []
    for study in studies:
        for name, curve in recall_by_k(study).items():
            cells = [
                f"{value:.3f} [{low:.2f}, {high:.2f}]"
                for value, low, high in (curve[:, k - 1] for k in CUTS if k <= DEEP)
            ]
            rows.append((f"{study.collection}, {study.condition}", name, *cells))
    return _table(("questions", "system", *(f"k = {k}" for k in CUTS)), rows)


def _latency(studies: Sequence[Study]) -> Iterator[str]:
    times = [stage_times(study.results) for study in studies]
    stages = list(dict.fromkeys(name for some in times for name in some))
    rows = []
    for study, some in zip(studies, times, strict=True):
        cells = [
            f"{some[name][0]:.1f} / {some[name][1]:.1f}" if name in some else "" for name in stages
        ]
        rows.append((f"{study.collection}, {study.condition}", f"{study.passages:,}", *cells))
    return _table(("questions", "passages", *stages), rows)


# ---------------------------------------------------------------- cells


def _table(names: Cells, rows: Any) -> Iterator[str]:
    yield "| " + " | ".join(names) + " |"
    yield "|" + " --- |" * len(names)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _as_row(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _plain(estimate: Estimate) -> str:
    return _value(_as_row(estimate))


def _value(row: Mapping[str, float]) -> str:
    return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def _signed(row: Mapping[str, float], name: str) -> str:
    sure = "*" if row["low"] > 0 or row["high"] < 0 else ""
    return f"{row[name]:+.3f}{sure} [{row['low']:+.3f}, {row['high']:+.3f}]"


def _p(value: float) -> str:
    return "<.001" if value < 0.001 else f"{value:.3f}"

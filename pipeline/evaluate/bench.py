"""Retrieval measured on questions whose moments are known: `footnote eval`.

The scoring convention. Footnote is scored on what it shows: the first ten moments of a search,
merged, cut and ordered as a person gets them. A baseline has no moments, so its ten best
passages are taken as they are. Every system is asked every question once; a question without a
gold span is left out of all; several gold spans are alternatives. Recorded hypothetical
passages restrict the run to the questions that have them, and are given to Footnote and to the
`hyde` baseline alone.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import RowError, UsageError
from pipeline.evaluate.metrics import METRICS, Span, Spanned, columns, estimates, score

_OURS = "footnote"
_MOST_LINES_NAMED = 5

_Row = TypeVar("_Row")

Found = Mapping[str, Sequence[Spanned]]  # baseline -> its ranked spans


@dataclass(frozen=True, slots=True)
class Question:
    """`gold` is not empty; `hypothetical` are recorded passages, often none."""

    qid: str
    text: str
    gold: tuple[Span, ...]
    hypothetical: tuple[str, ...] = ()


# ---------------------------------------------------------------- reading


def read_questions(queries: Path, qrels: Path, expansions: Path | None = None) -> list[Question]:
    """The questions of the JSONL files that have a gold span, in the order of `queries`.

    With `expansions`, those alone that have recorded passages. Raises `RowError` that names the
    lines that cannot be used, `UsageError` for a missing file or when no question is left.
    """
    texts = _read(queries, _query)
    gold = _read(qrels, _qrel)
    recorded = None if expansions is None else read_expansions(expansions)
    _check_once(queries, [qid for qid, _ in texts])
    spans: dict[str, list[Span]] = defaultdict(list)
    for qid, span in gold:
        spans[qid].append(span)
    questions = [
        Question(qid, text, tuple(spans[qid]), (recorded or {}).get(qid, ()))
        for qid, text in texts
        if qid in spans and (recorded is None or qid in recorded)
    ]
    if not questions:
        raise UsageError(
            f"no question of {queries} has a gold span in {qrels}"
            + (f" and passages in {expansions}" if expansions else ""),
            "the files are joined by qid",
        )
    return questions


def read_expansions(path: Path) -> dict[str, tuple[str, ...]]:
    """Recorded hypothetical passages by qid. Raises as `read_questions`."""
    return dict(_read(path, _expansion))


def _query(row: Mapping[str, Any]) -> tuple[str, str]:
    text = _text(row, "text")
    return _text(row, "qid"), text


def _qrel(row: Mapping[str, Any]) -> tuple[str, Span]:
    start, end = _seconds(row, "start"), _seconds(row, "end")
    if not 0 <= start < end:
        raise RowError(f"{start} to {end} is not an interval with 0 <= start < end")
    return _text(row, "qid"), Span(_text(row, "video_id"), start, end)


def _expansion(row: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    passages = row.get("passages")
    if not isinstance(passages, list) or not all(isinstance(p, str) for p in passages):
        raise RowError("passages is not a list of strings")
    return _text(row, "qid"), tuple(passage for passage in passages if passage.strip())


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise RowError(f"{name} is not a text")
    return value


def _seconds(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise RowError(f"{name} is not a number of seconds")
    return float(value)


def _read(path: Path, parse: Callable[[Mapping[str, Any]], _Row]) -> list[_Row]:
    """One value per line that is not blank; every bad line is named in the error."""
    rows: list[_Row] = []
    bad: list[str] = []
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise RowError("not a JSON object")
            rows.append(parse(row))
        except RowError as error:
            bad.append(f"line {number}: {error.message}")
        except ValueError:
            bad.append(f"line {number}: not JSON")
    if bad:
        more = f"; {len(bad) - _MOST_LINES_NAMED} more" if len(bad) > _MOST_LINES_NAMED else ""
        raise RowError(f"{path}: {'; '.join(bad[:_MOST_LINES_NAMED])}{more}", f"correct {path}")
    return rows


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", "give a JSONL file") from error


def _check_once(path: Path, qids: Sequence[str]) -> None:
    seen: set[str] = set()
    for qid in qids:
        if qid in seen:
            raise RowError(f"{path}: qid {qid!r} is there twice", f"correct {path}")
        seen.add(qid)


# ---------------------------------------------------------------- measuring


def measure(
    questions: Sequence[Question],
    search: Callable[[Question], Sequence[Spanned]],
    baselines: Callable[[Question], Found] | None = None,
    each: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """The report of `footnote eval --json` (DESIGN 5).

    `search` gives the moments Footnote shows, best first; `baselines` all the others' rankings
    of one question, each baseline every time. `each` is called with the number of questions
    done. `took_ms` is of `search` alone, per question, and of the whole run.
    """
    began = time.perf_counter()
    took: list[float] = []
    scores: dict[str, list[dict[str, float]]] = defaultdict(list)
    for done, question in enumerate(questions, 1):
        asked = time.perf_counter()
        found = search(question)
        took.append((time.perf_counter() - asked) * 1000)
        scores[_OURS].append(score(found, question.gold))
        others = baselines(question) if baselines else {}
        for name, spans in others.items():
            scores[name].append(score(spans, question.gold))
        each(done)
    return _report(scores, took, (time.perf_counter() - began) * 1000)


def _report(
    scores: Mapping[str, Sequence[Mapping[str, float]]], took: Sequence[float], total: float
) -> dict[str, Any]:
    tables = {name: columns(rows) for name, rows in scores.items()}
    ours = tables.pop(_OURS)
    median, p95 = np.quantile(took, (0.5, 0.95))
    return {
        "n": len(ours),
        "metrics": _by_metric(ours),
        "baselines": {name: _by_metric(table) for name, table in tables.items()},
        "paired": {name: _by_metric(ours - table, "difference") for name, table in tables.items()},
        "took_ms": {
            "search_median": round(float(median), 3),
            "search_p95": round(float(p95), 3),
            "total": round(total, 3),
        },
    }


def _by_metric(values: NDArray[np.float64], name: str = "value") -> dict[str, dict[str, float]]:
    return {
        metric: {name: estimate.value, "low": estimate.low, "high": estimate.high}
        for metric, estimate in zip(METRICS, estimates(values), strict=True)
    }


# ---------------------------------------------------------------- showing

_SHOWN = ("mrr@10", "hit@1", "hit@5", "hit@10", "land@10", "video@10", "iou@1")


def render_table(report: Mapping[str, Any]) -> str:
    """The report as plain text: one line per system, with the interval of its MRR@10 and how
    much more of it Footnote has, 95% intervals in brackets."""
    systems = {_OURS: report["metrics"], **report["baselines"]}
    head = f"{'':10}" + "".join(f"{name:>10}" for name in _SHOWN)
    lines = [f"{report['n']} questions", f"{head}  {'mrr@10 [95%]':16}  footnote - it [95%]"]
    for name, metrics in systems.items():
        values = "".join(f"{metrics[metric]['value']:10.3f}" for metric in _SHOWN)
        own = _bracket(metrics["mrr@10"])
        paired = report["paired"].get(name)
        ahead = (
            f"{paired['mrr@10']['difference']:+.3f} {_bracket(paired['mrr@10'])}" if paired else ""
        )
        lines.append(f"{name:10}{values}  {own:16}  {ahead}".rstrip())
    return "\n".join(lines)


def _bracket(estimate: Mapping[str, float]) -> str:
    return f"[{estimate['low']:.3f}, {estimate['high']:.3f}]"

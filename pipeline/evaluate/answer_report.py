"""The figures of measured answers: intervals, by type of question, as JSON and as a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.evaluate.answer_judge import AnswerJudge, Ruling
from pipeline.evaluate.answer_metrics import asserted, estimate_all, score_answer
from pipeline.evaluate.groups import Groups
from pipeline.evaluate.questions import Question
from pipeline.evaluate.results import Answered
from pipeline.prompts import visible

Figures = Mapping[str, Mapping[str, float]]


def make_answer_report(
    questions: Sequence[Question],
    answers: Sequence[Answered],
    types: Groups,
    judge: AnswerJudge | None = None,
    rulings: Mapping[str, Ruling] | None = None,
) -> dict[str, Any]:
    """`answers` of `footnote eval --json`: `{"n", "answerable", "unanswerable", "metrics": {name:
    {"value", "low", "high", "n"}}, "by_type": {type: {"n", "metrics"}}, "questions": [...],
    "judge": {...}, "took_ms"}`. A metric that no question has is left out."""
    rulings = rulings or {}
    scores = [
        score_answer(question, answered, _verdict(rulings, question) if judge else None)
        for question, answered in zip(questions, answers, strict=True)
    ]
    rows: dict[str, list[int]] = defaultdict(list)
    for row, question in enumerate(questions):
        for name in types[question.qid]:
            rows[name].append(row)
    order = sorted(rows, key=lambda name: (-len(rows[name]), name))
    waits = [answered.ask_ms for answered in answers]
    answerable = sum(question.answerable for question in questions)
    return {
        "n": len(questions),
        "answerable": answerable,
        "unanswerable": len(questions) - answerable,
        "metrics": _figures(questions, scores),
        "by_type": {
            name: {
                "n": len(rows[name]),
                "metrics": _figures(
                    [questions[i] for i in rows[name]], [scores[i] for i in rows[name]]
                ),
            }
            for name in order
        },
        "questions": [
            _row(question, answered, score, rulings.get(question.qid))
            for question, answered, score in zip(questions, answers, scores, strict=True)
        ],
        **({"judge": {"model": judge.model.name, **judge.spent}} if judge else {}),
        "took_ms": {
            "ask_median": round(float(np.median(waits)), 3),
            "ask_p95": round(float(np.quantile(waits, 0.95)), 3),
            "total": round(sum(waits), 3),
        },
    }


def _verdict(rulings: Mapping[str, Ruling], question: Question) -> str:
    ruling = rulings.get(question.qid)
    return ruling.verdict if ruling else ""


def _figures(
    questions: Sequence[Question], scores: Sequence[Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    return {
        name: {"value": one.value, "low": one.low, "high": one.high, "n": count}
        for name, (one, count) in estimate_all(questions, scores).items()
    }


def _row(
    question: Question, answered: Answered, score: Mapping[str, float], ruling: Ruling | None
) -> dict[str, Any]:
    return {
        "qid": question.qid,
        "type": question.type,
        "answerable": question.answerable,
        "confidence": answered.confidence,
        "answer": asserted(answered),
        "metrics": dict(score),
        **({"verdict": ruling.verdict, "why": ruling.why} if ruling else {}),
    }


# ---------------------------------------------------------------- showing

# (title, metrics with their names in the table)
_SECTIONS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "where it points",
        (
            ("first_right", "first citation right"),
            ("citation_precision", "citation precision"),
            ("citation_recall", "citation recall"),
            ("citation_iou", "citation IoU"),
            ("start_error", "start error, s (median)"),
        ),
    ),
    (
        "what it says, against the right answer",
        (
            ("token_f1", "token F1"),
            ("token_recall", "token recall"),
            ("numbers", "numbers it has"),
            ("names", "names it has"),
            ("judged_right", "judged right"),
            ("judged_partly", "judged partly right"),
            ("judged_wrong", "judged wrong"),
        ),
    ),
    (
        "sentences, by the answer's own verdicts",
        tuple(
            (name, name)
            for name in ("supported", "partly", "unchecked", "unsupported", "contradicted")
        ),
    ),
    (
        "saying that the library does not answer",
        (
            ("abstention_precision", "precision"),
            ("abstention_recall", "recall"),
            ("abstention_f1", "F1"),
        ),
    ),
    (
        "what a question takes",
        (
            ("language_calls", "calls of a language model"),
            ("prompt_tokens", "tokens read"),
            ("completion_tokens", "tokens written"),
            ("ask_ms", "milliseconds (median)"),
        ),
    ),
)
_WIDE = frozenset({"prompt_tokens", "completion_tokens", "ask_ms"})
_COLUMNS = (
    ("first_right", "first", 6), ("citation_precision", "prec", 6),
    ("citation_recall", "recall", 7), ("citation_iou", "IoU", 6), ("start_error", "start s", 8),
    ("token_f1", "F1", 6), ("supported", "supp", 6), ("abstained", "abst", 6),
)  # fmt: skip
_TITLE_ROOM = 20


def render_answers(report: Mapping[str, Any], by_type: bool = False) -> str:
    """`answers` of a report as plain text of at most 80 columns: one line per figure, with its
    95% interval and over how many questions it goes; and one line per type of question."""
    head = (
        f"{report['n']} questions asked: {report['answerable']} with an answer in the library,"
        f" {report['unanswerable']} without"
    )
    lines = [head, f"{'':28}{'value':>10}  {'[95%]':20}{'n':>5}"]
    metrics: Figures = report["metrics"]
    for title, named in _SECTIONS:
        shown = [_line(text, metrics[name], name) for name, text in named if name in metrics]
        lines += [title, *shown] if shown else []
    if judge := report.get("judge"):
        lines.append(
            f"judged by {visible(judge['model'])}; {judge['unread']} replies gave no ruling"
        )
    if by_type:
        lines += ["", *_by_type(report["by_type"])]
    return "\n".join(lines)


def _line(text: str, figure: Mapping[str, float], name: str) -> str:
    digits = 0 if name in _WIDE else 3
    value, low, high = (f"{figure[part]:.{digits}f}" for part in ("value", "low", "high"))
    return f"  {text:26}{value:>10}  {f'[{low}, {high}]':20}{figure['n']:>5}"


def _by_type(groups: Mapping[str, Mapping[str, Any]]) -> list[str]:
    head = "".join(f"{title:>{room}}" for _, title, room in _COLUMNS)
    lines = [f"{'by type':{_TITLE_ROOM}}{'n':>5}{head}"]
    for name, group in groups.items():
        metrics: Figures = group["metrics"]
        values = "".join(
            f"{metrics[metric]['value']:>{room}.2f}" if metric in metrics else f"{'-':>{room}}"
            for metric, _, room in _COLUMNS
        )
        title = visible(name)
        title = title if len(title) < _TITLE_ROOM else title[: _TITLE_ROOM - 4] + "..."
        lines.append(f"{title:{_TITLE_ROOM}}{group['n']:>5}{values}")
    return lines

"""The rows of `questions.jsonl`, and the questions of `benchmarks/verify` that may be tuned on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.evaluate.metrics import Span
from pipeline.evaluate.questions import Question

HERE = Path(__file__).resolve().parent
QUESTIONS = HERE / "questions.jsonl"
ELSEWHERE = HERE / "elsewhere.jsonl"
VERIFIED = HERE.parent / "verify" / "answers.jsonl"


@dataclass(frozen=True, slots=True)
class Row:
    """A question, which library it is asked of, its half, and the video that it goes by there.

    An unanswerable one goes by the video that its wording names things of.
    """

    question: Question
    library: str  # "sample" or "bitcoin"
    half: Literal["tune", "check"]
    video_id: str


def read_rows() -> list[Row]:
    return [
        Row(question, row["library"], row["half"], row.get("about") or row["gold"][0]["video_id"])
        for row in _json(QUESTIONS)
        for question in [_question(row["qid"], row, row["gold"])]
    ]


def read_elsewhere(library: str) -> list[Row]:
    """Questions about something that no library here speaks of, as asked of this one."""
    return [
        Row(_question(row["qid"], {**row, "type": "elsewhere"}, []), library, row["half"], "")
        for row in _json(ELSEWHERE)
    ]


def read_verified() -> list[Row]:
    """Those of that suite's tuning half whose evidence lies in no video of the check half here."""
    checked = {row.video_id for row in read_rows() if row.half == "check"}
    found = []
    for row in _json(VERIFIED):
        gold = [span for sentence in row["sentences"] for span in sentence["evidence"]]
        if not row["held_out"] and not checked & {span["video_id"] for span in gold}:
            question = _question(row["id"], row, gold)
            found.append(Row(question, row["library"], "tune", gold[0]["video_id"]))
    return found


def _question(qid: str, row: dict[str, Any], gold: list[dict[str, Any]]) -> Question:
    spans = tuple(Span(span["video_id"], span["start"], span["end"]) for span in gold)
    return Question(
        qid, row["question"], spans, (), row.get("type", ""), row.get("answer", ""), bool(gold)
    )


def _json(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

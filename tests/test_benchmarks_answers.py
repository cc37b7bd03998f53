"""The questions behind the figures of quoted answers are whole, and the fit finds what is there."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.answers.fitting import Studied, fit, ranking
from benchmarks.answers.questions import Row, read_rows, read_verified
from pipeline.answer.extract import Signals
from pipeline.evaluate.metrics import Span
from pipeline.evaluate.questions import Question

TRUTH = Path(__file__).resolve().parent.parent / "data" / "truth.jsonl"


def test_the_questions_are_as_many_as_is_said_and_each_is_there_once() -> None:
    rows = read_rows()
    answerable = [row for row in rows if row.question.answerable]
    assert (len(answerable), len(rows) - len(answerable)) == (172, 75)
    assert all(row.question.answer for row in answerable)
    assert len({row.question.qid for row in rows}) == len(rows)
    assert len({row.question.text for row in rows}) == len(rows)
    halves = Counter((row.library, row.half) for row in rows)
    assert len(halves) == 4 and min(halves.values()) >= 40


def test_no_video_is_in_both_halves() -> None:
    halves: dict[str, set[str]] = {}
    for row in [*read_rows(), *read_verified()]:
        halves.setdefault(row.video_id, set()).add(row.half)
    assert all(len(some) == 1 for some in halves.values())


def test_gold_of_the_sample_library_is_where_something_is_said_or_shown() -> None:
    truth = [json.loads(line) for line in TRUTH.read_text("utf-8").splitlines()]
    begins = {(row["video_id"], row["start"]) for row in truth}
    ends = {(row["video_id"], row["end"]) for row in truth}
    for row in read_rows():
        if row.library == "sample":
            for span in row.question.gold:
                assert (span.video_id, span.start) in begins, row.question.qid
                assert (span.video_id, span.end) in ends, row.question.qid


def made(number: int) -> Studied:
    """Eight statements, of which the second signal tells the right one."""
    drawn = np.random.default_rng(number)
    signals = drawn.normal(size=(8, 2))
    right = np.arange(8) == signals[:, 1].argmax()
    known = number % 3 > 0
    span = (Span(f"v{number}", 0.0, 1.0),) if known else ()
    question = Question(str(number), "?", span, type="fact", answerable=known)
    telling = np.column_stack([drawn.normal(size=8) + known, np.zeros(8), np.zeros(8)])
    row = Row(question, "sample", "tune", f"v{number}")
    return Studied(row, Signals(np.arange(8), signals, telling), right & known)


def test_the_fit_finds_the_signal_that_tells() -> None:
    every = [made(number) for number in range(60)]
    first, second = ranking(every)
    assert second > 2 and second > 5 * abs(first)
    told = fit(every)
    assert "WEIGHTS" in told and "sample threshold 0.25: first right" in told

"""How often a quoted answer cites the right moment first, and whether it knows when to abstain.

    python -m benchmarks.answers --sample LIBRARY --corpus corpus.jsonl --work FOLDER [--half tune]
    python -m benchmarks.answers ... --fit     the coefficients of `extract` from the tuning half

LIBRARY is what `footnote add data/videos --profile embedded` makes; the library of the talks is
made under FOLDER once. Either of the two may be left out, to measure without it.

Scoring: `pipeline.evaluate.answer_metrics`, 95 % bootstrap intervals over questions. Reliability:
answers by their confidence, and how many of them cite the right moment first; an abstention counts
by what its confidence was, and is never right.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.answers.fitting import fit, studied
from benchmarks.answers.questions import Row, read_elsewhere, read_rows, read_verified
from pipeline.errors import UsageError
from pipeline.evaluate.answer_metrics import estimate_all, score_answer
from pipeline.evaluate.answers import answers_of
from pipeline.evaluate.results import Answered
from pipeline.library import Library
from pipeline.settings import Settings

FIGURES = ("first_right", "abstention_f1", "abstained", "start_error", "ask_ms")
BINS = (0.0, 0.2, 0.25, 0.35, 0.45, 0.55, 0.65, 1.0)
Asked = tuple[Row, Answered]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--sample", type=Path, help="the library of the sample videos")
    parser.add_argument("--corpus", type=Path, help="rows of the talks, as footnote import reads")
    parser.add_argument("--work", type=Path, help="where the library of the talks is kept")
    parser.add_argument("--half", choices=("tune", "check"), default="check")
    parser.add_argument("--fit", action="store_true")
    given = parser.parse_args(arguments)
    if given.corpus and not given.work:
        parser.error("--corpus needs --work FOLDER")
    out = sys.stdout
    if given.fit:
        rows = [r for r in read_rows() if r.half == "tune"] + read_verified()
        found = []
        for library, name in libraries(given):
            other = [row for row in read_elsewhere(name) if row.half == "tune"]
            found += studied(library, name, [*rows, *other])
        out.write(fit(found) + "\n")
        return 0
    asked: list[Asked] = []
    for library, name in libraries(given):
        rows = [r for r in read_rows() if r.library == name and r.half == given.half]
        asked += answered(library, rows)
        out.write(figures(f"{name}, {given.half}", asked[-len(rows) :]))
        other = answered(library, [r for r in read_elsewhere(name) if r.half == given.half])
        wrong = sum(not said.abstained for _, said in other)
        out.write(f"\nabout something else: {wrong} of {len(other)} are answered\n")
    out.write(reliability(asked))
    return 0


def answered(library: Library, rows: Sequence[Row]) -> list[Asked]:
    questions = [row.question for row in rows]
    said = answers_of(library, questions, recorded=False, kept=None, progress=lambda _: None)
    return list(zip(rows, said, strict=True))


def libraries(given: argparse.Namespace) -> Iterator[tuple[Library, str]]:
    settings = Settings(profile="embedded")
    if given.sample:
        with Library(given.sample, settings, create=False) as library:
            yield library, "sample"
    if given.corpus:
        with talks(given.corpus, given.work / "talks", settings) as library:
            yield library, "bitcoin"


@contextmanager
def talks(corpus: Path, folder: Path, settings: Settings) -> Iterator[Library]:
    """Raises `UsageError` for a corpus with bad rows."""
    if not folder.exists():
        with Library(folder, settings) as library:
            if errors := library.import_rows(corpus).errors:
                raise UsageError(f"{corpus}: line {errors[0][0]}: {errors[0][1]}", "correct it")
    with Library(folder, settings, create=False) as library:
        yield library


def figures(name: str, asked: Sequence[Asked]) -> str:
    questions = [row.question for row, _ in asked]
    scores = [score_answer(row.question, answered) for row, answered in asked]
    found = estimate_all(questions, scores)
    lines = [f"\n{name}\n\n| figure | value | 95 % | n |", "|---|---|---|---|"]
    for figure in FIGURES:
        if figure in found:
            estimate, count = found[figure]
            spread = f"{estimate.low:.2f} to {estimate.high:.2f}"
            lines.append(f"| {figure} | {estimate.value:.2f} | {spread} | {count} |")
    return "\n".join(lines) + "\n"


def reliability(asked: Sequence[Asked]) -> str:
    confidence = np.array([answered.confidence for _, answered in asked])
    right = np.array(
        [score_answer(row.question, answered).get("first_right", 0.0) for row, answered in asked]
    )
    lines = ["\n| confidence | n | mean | right |", "|---|---|---|---|"]
    for low, high in pairwise(BINS):
        inside = (confidence >= low) & (confidence < high)
        if inside.any():
            mean, share = confidence[inside].mean(), right[inside].mean()
            lines.append(f"| {low} to {high} | {inside.sum()} | {mean:.2f} | {share:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())

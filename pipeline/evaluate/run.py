"""`footnote eval` on an open library: the benchmark's callables are a library's own methods."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import ModelUnavailable
from pipeline.evaluate.baselines import rank_baselines
from pipeline.evaluate.bench import Question, measure, read_expansions, read_questions
from pipeline.retrieve.expand import Expansion
from pipeline.retrieve.search import Query
from pipeline.types import (
    Embedder,
    PassageIndex,
    Progress,
    ProgressEvent,
    SearchResult,
)

_log = logging.getLogger(__name__)


class Searchable(Protocol):
    """What of a `Library` is measured."""

    def search(
        self, query: str, *, k: int = 10, hypothetical: Sequence[str] | None = None
    ) -> SearchResult: ...

    def expand(self, question: str) -> Expansion: ...

    def index(self) -> PassageIndex: ...

    def embedder(self) -> Embedder: ...


def evaluate(
    library: Searchable,
    queries: Path,
    qrels: Path,
    *,
    expansions: Path | None = None,
    record: Path | None = None,
    baselines: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The report of `footnote eval --json`.

    `expansions` are recorded hypothetical passages. `record` has the language model write them
    for every question, into that file, line by line, and measures with them; what is in the
    file already is kept. Otherwise the question alone is asked. Raises `UsageError`, `RowError`,
    `ModelUnavailable`.
    """
    report = progress or _silent
    if record is not None:
        record_expansions(library, read_questions(queries, qrels), record, report)
        expansions = record
    questions = read_questions(queries, qrels, expansions)
    index, embedder = library.index(), library.embedder()
    unknown = {span.video_id for q in questions for span in q.gold} - set(index.table.videos)
    if unknown:
        some = ", ".join(sorted(unknown)[:3])
        _log.warning("%d videos of the gold spans are not in the library: %s", len(unknown), some)
    return measure(
        questions,
        lambda asked: library.search(asked.text, hypothetical=asked.hypothetical).moments,
        (lambda asked: rank_baselines(index, embedder, Query(asked.text, asked.hypothetical)))
        if baselines
        else None,
        lambda done: report(ProgressEvent("eval", "search", done, len(questions), "questions")),
    )


def record_expansions(
    library: Searchable, questions: Sequence[Question], file: Path, progress: Progress
) -> None:
    """Append a line to `file` for every question that has none yet.

    A killed run goes on where it stopped. Raises `ModelUnavailable` at the first question for
    which the model gives nothing: a file with holes would measure something else.
    """
    known = read_expansions(file) if file.exists() else {}
    with file.open("a", encoding="utf-8") as lines:
        if known:
            lines.write("\n")  # where the last line was not ended; blank lines are skipped
        for done, question in enumerate(questions, 1):
            if question.qid not in known:
                expansion = library.expand(question.text)
                if not expansion.passages:
                    raise ModelUnavailable(
                        f"no passages for {question.qid}: {expansion.reason}",
                        "footnote eval --record-expansions again goes on from here",
                    )
                row = {"qid": question.qid, "passages": expansion.passages}
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
                lines.flush()
            progress(ProgressEvent("eval", "expansions", done, len(questions), "questions"))


def _silent(event: ProgressEvent) -> None:
    pass

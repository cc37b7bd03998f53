"""`footnote eval` on an open library: the benchmark's callables are a library's own methods.

Search is measured on the questions that have a gold span, answers also on those that have only a
right answer, and on those that cannot be answered.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from pipeline import __version__, retrieve
from pipeline.errors import ModelUnavailable
from pipeline.evaluate.answer_report import make_answer_report
from pipeline.evaluate.answers import Askable, answering_of, answers_of, load_judge, rulings_of
from pipeline.evaluate.baselines import Baselines, baseline_names
from pipeline.evaluate.bench import measure
from pipeline.evaluate.groups import by_source, by_type
from pipeline.evaluate.questions import Half, Question, read_expansions, read_questions
from pipeline.evaluate.report import make_report, no_report
from pipeline.evaluate.results import AnswersFile, Result, ResultsFile
from pipeline.retrieve.expand import Expansion
from pipeline.retrieve.search import RECIPE
from pipeline.settings import Settings
from pipeline.types import (
    Embedder,
    PassageIndex,
    PassageTable,
    Progress,
    ProgressEvent,
    SearchResult,
    Segment,
    VideoSummary,
)

_log = logging.getLogger(__name__)

MOMENTS = 10  # of each question, as many as the metrics look at
# Where a library lies, and who asks, is nothing that a search depends on.
_NO_SETTING = {"library", "api_key", "debug"}


class Searchable(Protocol):
    """What of a `Library` is measured."""

    settings: Settings

    def search(
        self, query: str, *, k: int = 10, hypothetical: Sequence[str] | None = None
    ) -> SearchResult: ...

    def expand(self, question: str) -> Expansion: ...

    def index(self) -> PassageIndex: ...

    def embedder(self) -> Embedder: ...

    def show(self, reference: str) -> tuple[VideoSummary, list[Segment]]: ...


class Measurable(Searchable, Askable, Protocol):
    """What of a `Library` is measured where answers are, too."""


def evaluate(
    library: Measurable,
    queries: Path,
    qrels: Path | None = None,
    *,
    expansions: Path | None = None,
    record: Path | None = None,
    baselines: bool = False,
    answers: bool = False,
    judge: bool = False,
    held_out: Half = "all",
    resume: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The report of `footnote eval --json`.

    `expansions` are recorded hypothetical passages. `record` has the language model write them
    for every question, into that file, line by line, and measures with them; what is in the
    file already is kept. Otherwise a search has the question alone. `answers` asks every question
    as well, and `judge` has the language model say which answers are right. `held_out` chooses
    the half. `resume` keeps the result of every question, and what it holds of this very setting
    is not measured again. Raises `UsageError`, `RowError`, `ModelUnavailable`.
    """
    report = progress or _silent
    if judge:
        load_judge(library)  # found out before hours of asking
    read = functools.partial(read_questions, queries, qrels, held_out=held_out, answers=answers)
    if record is not None:
        record_expansions(library, read(), record, report)
        expansions = record
    questions = read(expansions)
    placed = [question for question in questions if question.gold]
    found = no_report()
    if placed:
        results = results_of(library, placed, baselines=baselines, resume=resume, progress=report)
        found = report_on(library, placed, results)
    if answers:
        recorded = expansions is not None
        found["answers"] = answer_report(
            library, questions, recorded=recorded, judge=judge, resume=resume, progress=report
        )
    return found


def answer_report(
    library: Measurable,
    questions: Sequence[Question],
    *,
    recorded: bool = False,
    judge: bool = False,
    resume: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """What Footnote answers to every question, measured; `recorded`: they have their passages."""
    report = progress or _silent
    kept = None
    if resume is not None:
        setting = setting_of(library, recorded=recorded, **answering_of(library))
        kept = AnswersFile(resume, setting)
    answered = answers_of(library, questions, recorded=recorded, kept=kept, progress=report)
    judging = load_judge(library) if judge else None
    rulings = rulings_of(judging, questions, answered, report) if judging else {}
    types = by_type(questions, library.index())
    return make_answer_report(questions, answered, types, judging, rulings)


def results_of(
    library: Searchable,
    questions: Sequence[Question],
    *,
    baselines: bool = False,
    resume: Path | None = None,
    progress: Progress | None = None,
    k: int = MOMENTS,
) -> list[Result]:
    """What Footnote, and with `baselines` the others, find for every question, in order."""
    index, report = library.index(), progress or _silent
    others: Baselines | None = None
    if baselines:
        names = baseline_names(hypothetical=any(q.hypothetical for q in questions))
        others = Baselines(index, library.embedder(), names)
    setting = setting_of(library, k=k, baselines=others.names if others else ())
    return measure(
        questions,
        lambda asked: library.search(asked.text, k=k, hypothetical=asked.hypothetical),
        None if others is None else lambda asked: others.rank(asked.text, asked.hypothetical, k),
        lambda done: report(ProgressEvent("eval", "search", done, len(questions), "questions")),
        None if resume is None else ResultsFile(resume, setting),
    )


def report_on(
    library: Searchable, questions: Sequence[Question], results: Sequence[Result]
) -> dict[str, Any]:
    """The report, with the questions grouped by the library's own texts."""
    index = library.index()
    known = frozenset(index.table.videos)
    unknown = {span.video_id for q in questions for span in q.gold} - known
    if unknown:
        some = ", ".join(sorted(unknown)[:3])
        _log.warning("%d videos of the gold spans are not in the library: %s", len(unknown), some)
    groups = {
        "by_source": by_source(questions, lambda video_id: library.show(video_id)[1], known),
        "by_type": by_type(questions, index),
    }
    return make_report(questions, results, groups)


def setting_of(library: Searchable, **more: object) -> str:
    """All that a result depends on beside its question, as one text; `more` is the caller's."""
    index = library.index()
    return json.dumps(
        {
            "version": __version__,
            "code": _code(),
            "generation": index.generation,
            "passages": _digest(index.table),
            "embedding": library.embedder().name,
            "recipe": repr(RECIPE),
            "settings": library.settings.model_dump(mode="json", exclude=_NO_SETTING),
            **more,
        },
        sort_keys=True,
        default=repr,
    )


@functools.cache
def _code() -> str:
    """A recipe is its code as well: what searches, what it is compared with."""
    files = [*Path(retrieve.__file__).parent.glob("*.py"), *Path(__file__).parent.glob("*.py")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()


def _digest(table: PassageTable) -> str:
    """Two libraries may be of one generation: what lies where tells them apart."""
    digest = hashlib.sha256("\n".join(table.videos).encode())
    for column in (table.rows, table.video, table.source, table.start, table.end):
        digest.update(column.tobytes())
    return digest.hexdigest()


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

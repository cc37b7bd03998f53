"""Answers measured on questions whose moments and right answers are known.

Every question is asked as `footnote ask` asks it, and once; what was answered is kept line by
line, so that a killed run goes on. Recorded hypothetical passages, where they are given, take the
place of those that a language model would write. Questions that cannot be answered are asked as
well: to say so is right then. What is measured, and how: `answer_metrics`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pipeline import answer
from pipeline.errors import ModelUnavailable
from pipeline.evaluate.answer_judge import AnswerJudge, Ruling
from pipeline.evaluate.answer_metrics import asserted
from pipeline.evaluate.questions import Question
from pipeline.evaluate.results import Answered, AnswersFile, spans_of
from pipeline.prompts import load_prompt, shipped_folder
from pipeline.settings import Settings
from pipeline.types import Answer, LanguageModel, Progress, ProgressEvent

JUDGE_PROMPT = "judge_answer"


class Askable(Protocol):
    """What of a `Library` answers are measured with."""

    settings: Settings

    def ask(self, question: str, *, hypothetical: Sequence[str] | None = None) -> Answer: ...

    def language_model(self) -> LanguageModel | None: ...

    def get_output(self, key: str) -> bytes | None: ...

    def put_output(self, key: str, value: bytes) -> None: ...


def answers_of(
    library: Askable,
    questions: Sequence[Question],
    *,
    recorded: bool,
    kept: AnswersFile | None,
    progress: Progress,
) -> list[Answered]:
    """One answer per question, in order. `recorded`: the questions carry their passages.

    What is in `kept` is not asked again, what is not goes into it at once. Raises what `ask` does.
    """
    found: list[Answered] = []
    for done, question in enumerate(questions, 1):
        result = kept.get(question) if kept else None
        if result is None:
            result = _asked(library, question, question.hypothetical if recorded else None)
            if kept:
                kept.put(question, result)
        found.append(result)
        progress(ProgressEvent("eval", "answers", done, len(questions), "questions"))
    return found


def _asked(library: Askable, question: Question, hypothetical: Sequence[str] | None) -> Answered:
    began = time.perf_counter()
    said = library.ask(question.text, hypothetical=hypothetical)
    took = (time.perf_counter() - began) * 1000
    markers = {marker for sentence in said.sentences for marker in sentence.citations}
    # What says otherwise than a sentence is cited by none.
    cited = sorted((c for c in said.citations if c.marker in markers), key=lambda c: c.marker)
    return Answered(
        question.qid,
        said.abstained,
        said.confidence,
        tuple((sentence.text, sentence.verdict) for sentence in said.sentences),
        spans_of(cited),
        dict(said.usage),
        took,
        dict(said.took_ms),
    )


def load_judge(library: Askable) -> AnswerJudge:
    """The judge of this library. Raises `ModelUnavailable` without a language model."""
    model = library.language_model()
    if model is None:
        raise ModelUnavailable(
            "--judge needs a language model", "set FOOTNOTE_ENDPOINT, or leave --judge out"
        )
    prompt = load_prompt(JUDGE_PROMPT, library.settings.prompt_folders)
    return AnswerJudge(model, prompt, library.get_output, library.put_output)


def rulings_of(
    judge: AnswerJudge,
    questions: Sequence[Question],
    answers: Sequence[Answered],
    progress: Progress,
) -> dict[str, Ruling]:
    """Rulings by qid on what was answered where the right answer is known."""
    rulings: dict[str, Ruling] = {}
    for done, (question, answered) in enumerate(zip(questions, answers, strict=True), 1):
        said = asserted(answered)
        if question.answer and said and (ruling := judge.rule(question, said)):
            rulings[question.qid] = ruling
        progress(ProgressEvent("eval", "judge", done, len(questions), "questions"))
    return rulings


def answering_of(library: Askable) -> Mapping[str, Any]:
    """What an answer depends on beside its search: the model, the code and the prompts."""
    model = library.language_model()
    code = hashlib.sha256()
    for file in sorted(Path(answer.__file__).parent.glob("*.py")):
        code.update(file.read_bytes())
    for folder in (*library.settings.prompt_folders, shipped_folder()):
        for file in sorted(set(folder.glob("*.txt")) - {folder / f"{JUDGE_PROMPT}.txt"}):
            code.update(file.name.encode() + b"\0" + file.read_bytes())
    return {"model": model.name if model else "", "answering": code.hexdigest()}

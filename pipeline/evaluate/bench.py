"""Retrieval measured on questions whose moments are known: `footnote eval`.

The scoring convention. Footnote is scored on what it shows: the first ten moments of a search,
merged, cut and ordered as a person gets them. A baseline has no moments, so its ten best
passages are taken as they are. Every system is asked every question once; a question without a
gold span is left out of all; several gold spans are alternatives. Recorded hypothetical
passages restrict the run to the questions that have them, and are given to Footnote and to the
baselines that know what to do with them (`hyde`, LlamaIndex's fusion).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pipeline.evaluate.metrics import Spanned
from pipeline.evaluate.questions import Question
from pipeline.evaluate.results import OURS, Result, ResultsFile, spans_of

Found = Mapping[str, Sequence[Spanned]]  # baseline -> its ranked spans


class Searched(Protocol):
    """What a search gives; a `SearchResult` is one."""

    @property
    def moments(self) -> Sequence[Spanned]: ...
    @property
    def took_ms(self) -> Mapping[str, float]: ...


def measure(
    questions: Sequence[Question],
    search: Callable[[Question], Searched],
    baselines: Callable[[Question], Found] | None = None,
    each: Callable[[int], None] = lambda done: None,
    kept: ResultsFile | None = None,
) -> list[Result]:
    """One result per question, in order.

    `search` gives the moments Footnote shows, best first; `baselines` all the others' rankings
    of one question, each baseline every time. `each` is called with the number of questions
    done. What is in `kept` is not asked again, what is not goes into it at once.
    """
    results: list[Result] = []
    for done, question in enumerate(questions, 1):
        result = kept.get(question) if kept else None
        if result is None:
            result = _measured(question, search, baselines)
            if kept:
                kept.put(question, result)
        results.append(result)
        each(done)
    return results


def _measured(
    question: Question,
    search: Callable[[Question], Searched],
    baselines: Callable[[Question], Found] | None,
) -> Result:
    began = time.perf_counter()
    found = search(question)
    searched = time.perf_counter()
    others = baselines(question) if baselines else {}
    ended = time.perf_counter()
    spans = {OURS: spans_of(found.moments)}
    return Result(
        question.qid,
        spans | {name: spans_of(some) for name, some in others.items()},
        (searched - began) * 1000,
        (ended - began) * 1000,
        dict(found.took_ms),
    )

"""The questions of an evaluation, read from JSONL files: queries, gold spans, recorded passages.

A query row is `{"qid", "text"}` (or `"question"` for `"text"`) and may say more:

type        what kind of question it is
gold        its gold spans `[{"video_id", "start", "end"}]`, in place of a file of qrels
answer      the right answer, in a few words
answerable  false: the library does not answer it, and to say so is right. A row whose `gold` is
            an empty list says the same
held_out    true: of the half that nothing is tuned on; a row that does not say is not
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import numpy as np

from pipeline.errors import RowError, UsageError
from pipeline.evaluate.metrics import Span

Half = Literal["all", "no", "yes"]  # which questions by what they say in `held_out`
HALVES: tuple[Half, ...] = get_args(Half)

_MOST_LINES_NAMED = 5

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Question:
    """One question and what is known of it.

    `gold` is empty where only the answer is judged; `hypothetical` are recorded passages, often
    none; `type` is what the queries file calls the kind of question, `answer` the right one, ""
    where it does not say. Not `answerable`: the library has no answer, so there is no gold.
    """

    qid: str
    text: str
    gold: tuple[Span, ...]
    hypothetical: tuple[str, ...] = ()
    type: str = ""
    answer: str = ""
    answerable: bool = True


@dataclass(frozen=True, slots=True)
class _Query:
    """A row of the queries file. `gold` and `answerable` are None where it does not say."""

    qid: str
    text: str
    type: str
    answer: str
    gold: tuple[Span, ...] | None
    answerable: bool | None
    held_out: bool


def read_questions(
    queries: Path,
    qrels: Path | None = None,
    expansions: Path | None = None,
    *,
    held_out: Half = "all",
    answers: bool = False,
) -> list[Question]:
    """The questions of the JSONL files that have a gold span, in the order of `queries`.

    Without `qrels` the gold spans are those of the query rows. With `answers` also the questions
    that have a right answer alone, and those that cannot be answered. With `expansions`, those
    alone that have recorded passages. Raises `RowError` that names the lines that cannot be used,
    `UsageError` for a missing file or when no question is left.
    """
    asked = _read(queries, _query)
    _check_once(queries, [query.qid for query in asked])
    if qrels is None and all(query.gold is None for query in asked):
        raise UsageError(f"{queries} has no gold spans", "--qrels FILE, or rows with gold")
    spans = _gold(asked, qrels)
    recorded = None if expansions is None else read_expansions(expansions)
    questions = [
        _question(queries, query, tuple(spans[query.qid]), (recorded or {}).get(query.qid, ()))
        for query in asked
        if (recorded is None or query.qid in recorded)
        and (held_out == "all" or query.held_out == (held_out == "yes"))
    ]
    kept = [q for q in questions if q.gold or (answers and (q.answer or not q.answerable))]
    if not kept:
        raise UsageError(
            f"no question of {queries} has a gold span"
            + (f" in {qrels}" if qrels else "")
            + (f" and passages in {expansions}" if expansions else "")
            + (f" with --held-out {held_out}" if held_out != "all" else ""),
            "the files are joined by qid",
        )
    return kept


def _gold(asked: Iterable[_Query], qrels: Path | None) -> Mapping[str, list[Span]]:
    spans: dict[str, list[Span]] = defaultdict(list)
    if qrels is None:
        spans.update((query.qid, list(query.gold or ())) for query in asked)
        return spans
    for qid, span in _read(qrels, _qrel):
        spans[qid].append(span)
    return spans


def _question(
    path: Path, query: _Query, gold: tuple[Span, ...], hypothetical: tuple[str, ...]
) -> Question:
    answerable = query.answerable
    if answerable is None:
        answerable = bool(gold) or query.gold is None
    if gold and not answerable:
        message = f"{path}: {query.qid!r} is not answerable and has a gold span"
        raise RowError(message, f"correct {path}")
    return Question(query.qid, query.text, gold, hypothetical, query.type, query.answer, answerable)


def read_expansions(path: Path) -> dict[str, tuple[str, ...]]:
    """Recorded hypothetical passages by qid. Raises as `read_questions`."""
    return dict(_read(path, _expansion))


def _query(row: Mapping[str, Any]) -> _Query:
    gold = row.get("gold")
    if gold is not None and not (isinstance(gold, list) and all(isinstance(g, dict) for g in gold)):
        raise RowError("gold is not a list of objects")
    return _Query(
        _text(row, "qid"),
        _text(row, "text" if "text" in row else "question"),
        _words(row, "type"),
        _words(row, "answer"),
        None if gold is None else tuple(_span(one) for one in gold),
        _flag(row, "answerable"),
        bool(_flag(row, "held_out")),
    )


def _qrel(row: Mapping[str, Any]) -> tuple[str, Span]:
    span = _span(row)
    return _text(row, "qid"), span


def _span(row: Mapping[str, Any]) -> Span:
    start, end = _seconds(row, "start"), _seconds(row, "end")
    if not 0 <= start < end:
        raise RowError(f"{start} to {end} is not an interval with 0 <= start < end")
    return Span(_text(row, "video_id"), start, end)


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


def _words(row: Mapping[str, Any], name: str) -> str:
    """A text that may be missing."""
    value = row.get(name) or ""
    if not isinstance(value, str):
        raise RowError(f"{name} is not a text")
    return value.strip()


def _flag(row: Mapping[str, Any], name: str) -> bool | None:
    value = row.get(name)
    if value is not None and not isinstance(value, bool):
        raise RowError(f"{name} is neither true nor false")
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

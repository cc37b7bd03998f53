"""The questions of an evaluation, read from JSONL files: queries, gold spans, recorded passages."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pipeline.errors import RowError, UsageError
from pipeline.evaluate.metrics import Span

_MOST_LINES_NAMED = 5

_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Question:
    """`gold` is not empty; `hypothetical` are recorded passages, often none; `type` is what the
    queries file calls the kind of question, "" where it does not say."""

    qid: str
    text: str
    gold: tuple[Span, ...]
    hypothetical: tuple[str, ...] = ()
    type: str = ""


def read_questions(queries: Path, qrels: Path, expansions: Path | None = None) -> list[Question]:
    """The questions of the JSONL files that have a gold span, in the order of `queries`.

    With `expansions`, those alone that have recorded passages. Raises `RowError` that names the
    lines that cannot be used, `UsageError` for a missing file or when no question is left.
    """
    asked = _read(queries, _query)
    gold = _read(qrels, _qrel)
    recorded = None if expansions is None else read_expansions(expansions)
    _check_once(queries, [qid for qid, _, _ in asked])
    spans: dict[str, list[Span]] = defaultdict(list)
    for qid, span in gold:
        spans[qid].append(span)
    questions = [
        Question(qid, text, tuple(spans[qid]), (recorded or {}).get(qid, ()), kind)
        for qid, text, kind in asked
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


def _query(row: Mapping[str, Any]) -> tuple[str, str, str]:
    text = _text(row, "text")
    kind = row.get("type") or ""
    if not isinstance(kind, str):
        raise RowError("type is not a text")
    return _text(row, "qid"), text, kind.strip()


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

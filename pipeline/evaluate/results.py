"""What became of every question, kept line by line, so that a killed evaluation goes on.

Searches and answers may be kept in one file. A line is found again by a key made of the question
with its gold and its passages and of the whole setting: the library's generation, the embedding
model, the recipe, the settings, how many moments were asked for, the systems; for answers the
language model and the prompts too. Whatever of it changes is measured anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pipeline.errors import UsageError
from pipeline.evaluate.metrics import Span, Spanned
from pipeline.evaluate.questions import Question

_log = logging.getLogger(__name__)

OURS = "footnote"
_BEGINNING = '{"key": "'


@dataclass(frozen=True, slots=True)
class Result:
    """The ranked spans of every system for one question, and what they took in milliseconds.

    `search_ms` is what a user waits for Footnote, `all_ms` all systems together; `stages` is
    Footnote's own account of `search_ms`.
    """

    qid: str
    found: Mapping[str, tuple[Span, ...]]
    search_ms: float = 0.0
    all_ms: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answered:
    """What Footnote answered, as far as it is measured.

    `sentences` are texts without markers, each with its verdict; `cited` the intervals cited, in
    the order of their markers. `ask_ms` is what a user waits, `stages` the answer's own account of
    it, `usage` its account of what models took.
    """

    qid: str
    abstained: bool
    confidence: float
    sentences: tuple[tuple[str, str], ...]
    cited: tuple[Span, ...]
    usage: Mapping[str, float] = field(default_factory=dict)
    ask_ms: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)


_Kept = TypeVar("_Kept", Result, Answered)
_Row = dict[str, Any]


def spans_of(found: Sequence[Spanned]) -> tuple[Span, ...]:
    """The bare intervals of moments."""
    return tuple(Span(one.video_id, float(one.start), float(one.end)) for one in found)


class _KeptFile(Generic[_Kept]):
    """What was measured in one setting, in a JSONL file that other settings may share."""

    def __init__(self, path: Path, setting: str) -> None:
        """Reads what is there. Raises `UsageError` for a file that holds something else."""
        self._path = path
        self._setting = setting
        rows, self._ended = _read(path)
        try:
            self._kept: dict[str, _Kept] = {
                key: self._made(row) for key, row in rows.items() if self._is_mine(row)
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _foreign(path) from error

    def get(self, question: Question) -> _Kept | None:
        """What was kept for the question in this setting."""
        return self._kept.get(self._key(question))

    def put(self, question: Question, result: _Kept) -> None:
        """Append the result; it is on its way to the disk when this returns."""
        key = self._key(question)
        line = json.dumps({"key": key, **asdict(result)}, ensure_ascii=False)
        with self._path.open("a", encoding="utf-8") as lines:
            lines.write(("" if self._ended else "\n") + line + "\n")
        self._kept[key] = result
        self._ended = True

    def _key(self, question: Question) -> str:
        text = json.dumps([asdict(question), self._setting], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @staticmethod
    def _is_mine(row: _Row) -> bool:
        raise NotImplementedError

    @staticmethod
    def _made(row: _Row) -> _Kept:
        raise NotImplementedError


class ResultsFile(_KeptFile[Result]):
    """Rankings: the lines that have `found`."""

    @staticmethod
    def _is_mine(row: _Row) -> bool:
        return "found" in row

    @staticmethod
    def _made(row: _Row) -> Result:
        found = {name: _spans(some) for name, some in row["found"].items()}
        return Result(**{**row, "found": found})


class AnswersFile(_KeptFile[Answered]):
    """Answers: the lines that have `cited`."""

    @staticmethod
    def _is_mine(row: _Row) -> bool:
        return "cited" in row

    @staticmethod
    def _made(row: _Row) -> Answered:
        sentences = tuple((str(text), str(verdict)) for text, verdict in row["sentences"])
        return Answered(**{**row, "sentences": sentences, "cited": _spans(row["cited"])})


def _spans(rows: Sequence[Mapping[str, Any]]) -> tuple[Span, ...]:
    return tuple(Span(**row) for row in rows)


def _read(path: Path) -> tuple[dict[str, _Row], bool]:
    """The rows in the file by key, and whether its last line is ended."""
    if not path.exists():
        return {}, True
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error}", "name a file to write") from error
    kept: dict[str, _Row] = {}
    torn = 0
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            if not (line.startswith(_BEGINNING) or _BEGINNING.startswith(line)):
                raise _foreign(path) from error
            torn += 1  # the line that a killed run was writing
            continue
        if not isinstance(row, dict) or not {"found", "cited"} & set(row) or "key" not in row:
            raise _foreign(path)
        kept[str(row.pop("key"))] = row
    if torn:
        _log.info("%s: %d torn lines are measured again", path, torn)
    return kept, text.endswith("\n") or not text


def _foreign(path: Path) -> UsageError:
    message = f"{path} holds something else than results of an evaluation"
    return UsageError(message, "name a file that is not there yet")

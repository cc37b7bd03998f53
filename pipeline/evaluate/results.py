"""What became of every question, kept line by line, so that a killed evaluation goes on.

A line is found again by a key made of the question with its gold and its passages and of the
whole setting: the library's generation, the embedding model, the recipe, the settings, how many
moments were asked for, the systems. Whatever of it changes is measured anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

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


def spans_of(found: Sequence[Spanned]) -> tuple[Span, ...]:
    """The bare intervals of moments."""
    return tuple(Span(one.video_id, float(one.start), float(one.end)) for one in found)


class ResultsFile:
    """Results of one setting in a JSONL file that other settings may share."""

    def __init__(self, path: Path, setting: str) -> None:
        """Reads what is there. Raises `UsageError` for a file that holds something else."""
        self._path = path
        self._setting = setting
        self._kept, self._ended = _read(path)

    def get(self, question: Question) -> Result | None:
        """The result kept for the question in this setting."""
        return self._kept.get(self._key(question))

    def put(self, question: Question, result: Result) -> None:
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


def _read(path: Path) -> tuple[dict[str, Result], bool]:
    """The results in the file by key, and whether its last line is ended."""
    if not path.exists():
        return {}, True
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error}", "name a file to write") from error
    kept: dict[str, Result] = {}
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
        try:
            key = str(row.pop("key"))
            kept[key] = _result(row)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _foreign(path) from error
    if torn:
        _log.info("%s: %d torn lines are measured again", path, torn)
    return kept, text.endswith("\n") or not text


def _foreign(path: Path) -> UsageError:
    message = f"{path} holds something else than results of an evaluation"
    return UsageError(message, "name a file that is not there yet")


def _result(row: dict[str, object]) -> Result:
    values = dict(row)
    found = values.pop("found")
    if not isinstance(found, dict):
        raise TypeError("found is not an object")
    spans = {name: tuple(Span(**span) for span in some) for name, some in found.items()}
    return Result(found=spans, **values)  # type: ignore[arg-type]

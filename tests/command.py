"""Runs `footnote` command lines inside the test process, as a user's shell would see them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.apps.cli import main


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """stdout as the one JSON object it must be."""
        return dict(json.loads(self.out))


class Footnote:
    """`footnote` with a library and models of its own; `run` returns what was printed."""

    def __init__(self, library: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.library = library
        self._capture = capture

    def run(self, *arguments: str | Path) -> Done:
        self._capture.readouterr()
        code = main([*map(str, arguments), "--library", str(self.library)])
        out, err = self._capture.readouterr()
        return Done(code, out, err)

    def json(self, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
        done = self.run(*arguments, "--json")
        assert done.code == code, done.out + done.err
        return done.json


def write_rows(path: Path, *rows: dict[str, Any]) -> Path:
    """A JSONL file of rows for `footnote import`; speech of video "talk" unless they say else."""
    usual = {"video_id": "talk", "source": "speech"}
    path.write_text("\n".join(json.dumps({**usual, **row}) for row in rows), encoding="utf-8")
    return path

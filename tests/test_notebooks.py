"""The notebooks run from top to bottom, and show what their text says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def run(name: str) -> dict[str, Any]:
    """The names a notebook leaves behind when its cells are run in order."""
    cells = json.loads((NOTEBOOKS / name).read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), name, "exec"), names)
    return names


def test_the_tour(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("tour.ipynb")
    best, answer = names["best"], names["answer"]
    assert (best.video_id, best.start) == ("garden", 12.0)
    assert {passage.source for passage in best.passages} == {"speech", "caption"}
    assert sum(best.why.values()) == pytest.approx(best.score)
    assert names["expanded"].moments[0].video_id == "garden"
    assert [(c.start, c.end) for c in answer.citations] == [(17.5, 22.0)]
    assert names["nodes"][0].metadata["video_id"] == "pumps"
    assert "first week of March" in capsys.readouterr().out

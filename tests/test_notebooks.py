"""The notebooks run from top to bottom in a kernel of their own, and show what their text says."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import nbformat
import pytest

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
ALL = sorted(NOTEBOOKS.glob("*.ipynb"))


def executed(path: Path, checks: str = "") -> str:
    """What the cells of a notebook show, as text and HTML; `checks` are run after the last cell.

    A cell that raises fails the test with what it raised.
    """
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    # The last cell closes the library: what is checked is checked before.
    notebook.cells.insert(len(notebook.cells) - 1, nbformat.v4.new_code_cell(checks))
    with warnings.catch_warnings():
        # Its own event loop and its own sockets are the kernel client's business.
        warnings.simplefilter("ignore")
        client = NotebookClient(
            notebook, timeout=240, resources={"metadata": {"path": str(path.parent)}}
        )
        client.execute()
    return "\n".join(_shown(out) for cell in notebook.cells for out in cell.get("outputs", []))


def _shown(output: Any) -> str:
    data = output.get("data", {})
    return str(output.get("text", "")) + str(data.get("text/html", data.get("text/plain", "")))


@pytest.mark.filterwarnings("ignore")
def test_the_tour() -> None:
    shown = executed(
        NOTEBOOKS / "tour.ipynb",
        """
assert (best.video_id, best.start) == ("garden", 12.0)
assert {passage.source for passage in best.passages} == {"speech", "caption"}
assert abs(sum(best.why.values()) - best.score) < 1e-6
assert expanded.moments[0].video_id == "garden"
assert [(c.start, c.end) for c in answer.citations] == [(17.5, 22.0)]
assert nodes[0].metadata["video_id"] == "pumps"
assert any("9th of November" in c.quote for c in ferry.citations), ferry.answer
""",
    )
    assert "first week of March" in shown
    assert "<video" in shown and "data:video/mp4" in shown and "data:image/jpeg" in shown


@pytest.mark.filterwarnings("ignore")
def test_the_study_of_retrieval() -> None:
    shown = executed(
        NOTEBOOKS / "retrieval_study.ipynb",
        """
assert set(signals) and found.moments[0].video_id == "weather-balloon-launch"
assert {"dense", "bm25", "rrf", "hyde"} <= set(report["baselines"])
assert all(values == sorted(values) and values[-1] > 0.5 for values in curves.values())
assert 0 < explained < 1 and len(flat) == len(nodes)
""",
    )
    assert shown.count("<polyline") == 2 and shown.count("<circle") > 50


@pytest.mark.filterwarnings("ignore")
def test_a_pipeline_of_ones_own() -> None:
    executed(
        NOTEBOOKS / "custom_pipeline.ipynb",
        """
assert bundle.embedding_strs[0] == "The water birds breed in a willow tree."
assert "herons nest" in by_footnote[0].text and fused[0].metadata["video_id"] == "pumps"
assert "herons nest" in str(response) and response.source_nodes[0].metadata["start"] == 12.0
assert [n.metadata["verdict"] for n in answer.source_nodes] == ["supported"]
""",
    )


def test_no_notebook_goes_untested() -> None:
    assert {path.stem for path in ALL} == {"tour", "retrieval_study", "custom_pipeline"}


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_its_outputs(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None

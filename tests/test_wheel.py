"""The wheel carries the prompts, and a question can be asked with nothing but what is in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel would put into site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*build, str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_page_is_in_the_wheel(installed: Path) -> None:
    carried = {path.name for path in (installed / "pipeline" / "apps" / "web").iterdir()}
    page = ROOT / "pipeline" / "apps" / "web"
    assert {path.name for path in page.iterdir()} == carried >= {"index.html", "style.css"}


def footnote(installed: Path, folder: Path, *arguments: str) -> dict[str, object]:
    code = "import sys; from pipeline.apps.cli import main; sys.exit(main(sys.argv[1:]))"
    environment = {
        **os.environ,
        "PYTHONPATH": str(installed),
        "FOOTNOTE_EMBEDDING_MODEL": "fake:64",
        "FOOTNOTE_LANGUAGE_MODEL": "fake:echo",
    }
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments, "--json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def test_the_wheel_asks_a_question_with_its_own_prompts(installed: Path, tmp_path: Path) -> None:
    names = {path.name for path in (installed / "pipeline" / "_prompts").iterdir()}
    assert names == {path.name for path in (ROOT / "prompts").iterdir()}
    rows = tmp_path / "rows.jsonl"
    row = {"video_id": "talk", "start": 1, "end": 4, "text": "The owl hunts at night."}
    rows.write_text(json.dumps({**row, "source": "speech"}))
    footnote(installed, tmp_path, "import", str(rows))
    answer = footnote(installed, tmp_path, "ask", "When does the owl hunt?")
    assert answer["question"] == "When does the owl hunt?"
    assert answer["moments"], "the question reached the library"


def test_nothing_but_the_package_is_in_the_wheel(installed: Path) -> None:
    tops = {path.name for path in installed.iterdir()}
    assert tops == {"pipeline", next(t for t in tops if t.endswith(".dist-info"))}

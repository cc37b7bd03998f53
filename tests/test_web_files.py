"""The files of the page, without a browser: all are there, and none makes markup of text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parent.parent / "pipeline" / "apps" / "web"
FILES = sorted(path for path in WEB.iterdir() if path.suffix in (".html", ".js", ".css", ".svg"))
SCRIPTS = [path for path in FILES if path.suffix == ".js"]


def test_every_file_that_is_named_is_there() -> None:
    named = {
        name for path in FILES for name in re.findall(r"/static/([\w.-]+)", path.read_text("utf-8"))
    }
    assert {"app.js", "style.css", "favicon.svg"} <= named
    assert named <= {path.name for path in FILES}
    assert {path.name for path in SCRIPTS} <= named, "a module that nothing loads"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.name)
def test_no_script_makes_markup_of_text(path: Path) -> None:
    text = path.read_text("utf-8")
    made = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function"
    assert not re.search(made, text)
    assert text.startswith("/*"), "what it is and why it is there"


def test_the_page_has_no_inline_code_or_style_and_asks_no_other_host() -> None:
    page = (WEB / "index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>", page)
    for path in FILES:
        elsewhere = set(re.findall(r"https?://[\w.]+", path.read_text("utf-8")))
        assert elsewhere <= {"http://www.w3.org"}, path.name  # the name of SVG, never asked for


def test_what_the_first_view_imports_is_loaded_at_once() -> None:
    """No file waits for another to be read before it is asked for."""
    preloaded = set(
        re.findall(
            r'modulepreload" href="/static/([\w.]+)"', (WEB / "index.html").read_text("utf-8")
        )
    )
    wanted, waiting = set(), ["app.js"]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += re.findall(
                r"^import .* from '/static/([\w.]+)'", (WEB / name).read_text("utf-8"), re.M
            )
    assert preloaded == wanted

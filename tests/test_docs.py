"""The pages under docs/ say what the code does."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest

from pipeline.settings import Settings

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
README = DOCS.parent / "README.md"


def test_the_page_of_settings_is_current() -> None:
    reference = runpy.run_path(str(DOCS / "reference.py"))
    assert (DOCS / "settings.md").read_text("utf-8") == reference["page"](), (
        "run: python docs/reference.py"
    )


def test_every_setting_is_explained() -> None:
    page = (DOCS / "settings.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        assert field.description, f"{name} has no description"
        assert page.count(f"| `{name}` ") == 1, f"{name} is not in the page"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_settings_files_in_the_pages_are_valid(page: Path) -> None:
    for block in re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        Settings(**tomllib.loads(block))


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"

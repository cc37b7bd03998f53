"""The README says what the program does: its commands exist, its figures of contract are right."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from pipeline.apps.cli import app

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
LINES = re.findall(r"^\$ (?:\.venv/bin/)?footnote (.+)$", README, re.MULTILINE)


@pytest.mark.parametrize("line", LINES)
def test_every_command_line_can_be_typed(line: str) -> None:
    name, *arguments = shlex.split(line)
    command = COMMANDS[name]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in arguments if word.startswith("--")} <= known
    with command.make_context(name, list(arguments)) as context:
        assert context.params


def test_every_command_is_in_the_readme_and_none_that_is_not() -> None:
    table = README[README.index("| command |") : README.index("Every command takes")]
    named = set(re.findall(r"`([a-z]+)[ `]", table))
    assert named >= set(COMMANDS)
    assert {"add", "ask"} <= set(re.findall(r"footnote ([a-z]+) ", README)) <= set(COMMANDS)


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^\$ make (\w+)$", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_settings_named_in_the_readme_exist() -> None:
    from pipeline.settings import Settings

    for name in re.findall(r"FOOTNOTE_([A-Z_]+)", README):
        assert name.lower() in Settings.model_fields


def test_files_the_readme_points_to_exist() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target

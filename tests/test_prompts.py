"""Prompts are files that are checked when they are loaded, and can be replaced by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.prompts import PLACEHOLDERS, Prompt, load_prompt, shipped_folder


@pytest.mark.parametrize("name", sorted(PLACEHOLDERS))
def test_every_prompt_ships_with_exactly_its_placeholders(name: str) -> None:
    prompt = load_prompt(name)
    rendered = prompt.render(**{key: f"<{key}>" for key in PLACEHOLDERS[name]})
    assert all(f"<{key}>" in rendered for key in PLACEHOLDERS[name])
    assert "$" not in rendered.replace("$$", "")


def test_no_prompt_file_is_unknown() -> None:
    assert {path.stem for path in shipped_folder().glob("*.txt")} == set(PLACEHOLDERS)


def test_a_file_of_the_same_name_replaces_a_prompt(tmp_path: Path) -> None:
    (tmp_path / "answer.txt").write_text("Q: $question\nE: $evidence\nF: $form")
    own = load_prompt("answer", [tmp_path])
    assert own.render(question="why?", evidence="it", form="short") == "Q: why?\nE: it\nF: short"
    assert own.key != load_prompt("answer").key


@pytest.mark.parametrize(
    ("text", "said"),
    [("$question", "$evidence"), ("$question $evidence $queston", "$queston"), ("$ 5", "'$'")],
)
def test_a_prompt_with_other_placeholders_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "answer.txt").write_text(text)
    with pytest.raises(SettingsError, match=r"answer\.txt") as caught:
        load_prompt("answer", [tmp_path])
    assert said in caught.value.message


def test_values_are_not_templates_themselves() -> None:
    assert Prompt("answer", "$question").render(question="$evidence") == "$evidence"

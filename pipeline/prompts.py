"""Every prompt is a text file with `$placeholders`, checked when it is loaded.

A prompt is looked for by file name in the override folders first (the settings' `prompts`, then
the library's own `prompts/`), then in the folder that ships with Footnote: `prompts/` in a
checkout, `pipeline/_prompts/` in an installed wheel.

What videos say goes into a prompt through `as_data` (DESIGN 6, invariant 9).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from pipeline.errors import SettingsError

# What each prompt must hold, and all it may hold.
PLACEHOLDERS: dict[str, frozenset[str]] = {
    "hyde": frozenset({"question", "count", "register"}),
    "grounded": frozenset({"question", "count", "register", "passages"}),
    "decompose": frozenset({"question", "kinds", "form"}),
    "translate": frozenset({"question", "languages"}),
    "answer_system": frozenset(),
    "answer": frozenset({"question", "evidence", "form"}),
    "answer_short": frozenset(),
    "answer_explained": frozenset(),
    "answer_compare": frozenset(),
    "answer_list": frozenset(),
    "answer_howto": frozenset(),
    "answer_timeline": frozenset(),
    "answer_pictures": frozenset({"pictures"}),
    "caption": frozenset({"title", "images", "before", "speech", "screen"}),
    "caption_repair": frozenset({"count", "fault", "reply"}),
    "caption_again": frozenset({"prompt", "reply", "fault"}),
    "chapters": frozenset({"title", "part", "before", "guide", "transcript"}),
    "summary": frozenset({"title", "part", "count", "transcript"}),
    "summary_fuse": frozenset({"title", "count", "parts"}),
    "summary_restore": frozenset({"title", "count", "summary", "missing"}),
    "look": frozenset({"question", "title", "time", "images", "speech", "screen"}),
    "look_again": frozenset({"request", "reply", "problem"}),
    "chat_rewrite": frozenset({"history", "question"}),
    "rerank": frozenset({"question", "count", "passages"}),
    "rerank_frames": frozenset({"question", "count", "passages"}),
    "judge_answer": frozenset({"question", "gold", "answer"}),
    "verify": frozenset({"claims", "count", "problem"}),
    "agent_next": frozenset({"question", "draft", "evidence", "tried", "actions"}),
    "report_outline": frozenset({"topic", "passages", "least", "most", "problem"}),
    "report_section": frozenset({"topic", "title", "others", "evidence", "count"}),
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """A checked template. `key` changes whenever its text does, and enters stage keys."""

    name: str
    text: str

    @property
    def key(self) -> str:
        return f"{self.name}:{hashlib.sha256(self.text.encode()).hexdigest()[:16]}"

    def render(self, **values: object) -> str:
        """The text with every placeholder filled; a missing value is a KeyError (a bug)."""
        return Template(self.text).substitute({k: str(v) for k, v in values.items()})


def shipped_folder() -> Path:
    """Where the prompts that come with Footnote lie: the checkout's, else the wheel's."""
    here = Path(__file__).resolve().parent
    installed = here / "_prompts"
    return installed if installed.is_dir() else here.parent / "prompts"


def load_prompt(name: str, overrides: Sequence[Path] = ()) -> Prompt:
    """Load prompt `name` from the first folder that has `name.txt`.

    Raises `SettingsError` when its placeholders are not exactly those that the code fills.
    """
    for folder in (*overrides, shipped_folder()):
        path = folder / f"{name}.txt"
        if path.is_file():
            return _checked(Prompt(name, path.read_text(encoding="utf-8").strip()), path)
    raise SettingsError(
        f"prompt {name!r} was not found", f"known prompts: {', '.join(sorted(PLACEHOLDERS))}"
    )


def _checked(prompt: Prompt, path: Path) -> Prompt:
    template = Template(prompt.text)
    if not template.is_valid():
        raise SettingsError(f"{path}: a '$' that starts no placeholder", "write '$$' for a dollar")
    found, wanted = set(template.get_identifiers()), PLACEHOLDERS[prompt.name]
    if found != wanted:
        missing = ", ".join(f"${name}" for name in sorted(wanted - found))
        unknown = ", ".join(f"${name}" for name in sorted(found - wanted))
        raise SettingsError(
            f"{path}: "
            + "; ".join(
                part
                for part in (
                    f"missing {missing}" * bool(missing),
                    f"unknown {unknown}" * bool(unknown),
                )
                if part
            ),
            f"it must hold exactly: {', '.join(f'${name}' for name in sorted(wanted)) or 'none'}",
        )
    return prompt


# ---------------------------------------------------------------- text as data

_OPENING, _CLOSING = "[［【〔⟦〚❲", "]］】〕⟧〛❳"  # noqa: RUF001
_BRACKETS = str.maketrans(dict.fromkeys(_OPENING, "(") | dict.fromkeys(_CLOSING, ")"))
# "<|im_start|>", "</think>" and "< evidence >", but not "a < b and c > d".
_TAG = re.compile(
    r"[<＜]((?:[^\s<>＜＞=\d]|\s*/?\s*(?:evidence|question|passages)\b)[^<>＜＞]{0,80})[>＞]",  # noqa: RUF001
    re.IGNORECASE,
)
_FENCE = re.compile(r"[<>＜＞]{2,}|`{3,}|~{3,}|[-=#*_]{4,}")  # noqa: RUF001
# Joiners shape letters of Persian and Indic scripts; every other format character only hides.
_SHAPING = "\u200c\u200d"


def as_data(text: str) -> str:
    """`text` on one line, unable to cite, to close a fence, to hide or to steer."""
    flat = visible(text).translate(_BRACKETS)
    return " ".join(_TAG.sub(r"(\1)", _FENCE.sub(" ", flat)).split())


def shortened(text: str, room: int) -> str:
    """At most `room` characters of `text`, whole words, and a sign where something is left out."""
    return text if len(text) <= room else text[:room].rsplit(" ", 1)[0] + " ..."


def visible(text: str) -> str:
    """`text` with a space for every control, format, private or unassigned character."""
    return "".join(c if c in _SHAPING or unicodedata.category(c)[0] != "C" else " " for c in text)

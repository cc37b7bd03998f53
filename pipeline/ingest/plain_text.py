"""Text made fit to keep: what models, files and users give, without what no reader can see."""

from __future__ import annotations

import re
import unicodedata

_SPACES = re.compile(r"[^\S\n]+")
_EMPTY_LINES = re.compile(r"\n{3,}")


def clean_text(text: str) -> str:
    """Text without what no reader sees and some terminals obey.

    Control and format characters (escape sequences, direction overrides) become a space or
    nothing, lone surrogates U+FFFD; line ends become "\\n", runs of spaces one space. Joiners that
    scripts and emoji need stay.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(c if c.isprintable() or c == "\n" else _instead_of(c) for c in text)
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()


def _instead_of(character: str) -> str:
    if character in "\u200c\u200d\u00ad":
        return "" if character == "\u00ad" else character
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    # Unassigned and private characters print as something: fonts know them.
    return {"Cc": " ", "Cf": "", "Zl": "\n", "Zp": "\n"}.get(
        category, " " if category[0] == "Z" else character
    )

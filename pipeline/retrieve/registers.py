"""What the text of a library is like, in words for a prompt: a passage has to sound like it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.types import CITABLE, SOURCES, PassageTable, Source

_LEAST_SHARE = 0.05  # of all passages, for a source to be worth imitating

_REGISTERS: dict[Source, str] = {
    "speech": "transcripts of what people say",
    "caption": "captions that describe what can be seen",
    "screen": "text read from the screen (slides, menus, code)",
    "sound": "short descriptions of sounds",
    "chapter": "chapter titles",
    "summary": "summaries",
}
# What is told apart when a moment is taken to pieces; an empty library may become any.
ANY_KINDS: tuple[Source, ...] = ("speech", "caption", "screen")


def kinds_of(table: PassageTable) -> tuple[Source, ...]:
    """The sources worth imitating, the most common first; `ANY_KINDS` for an empty library."""
    counts = np.bincount(table.source, minlength=len(SOURCES))
    counts *= [source in CITABLE for source in SOURCES]  # chapters and summaries are not sought
    least = _LEAST_SHARE * counts.sum()
    common = [SOURCES[i] for i in np.argsort(-counts, kind="stable") if counts[i] > least]
    return tuple(common) or ANY_KINDS


def register_of(kinds: Sequence[Source]) -> str:
    """`kinds` as a list in words."""
    names = [_REGISTERS[kind] for kind in kinds]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])}, and {names[-1]}"


def description(kind: Source) -> str:
    """One kind of text in words."""
    return _REGISTERS[kind]

"""Decomposition: what comes before, during and after the moment that is looked for.

Dipta and Ferraro 2025, "Q2E: Query-to-Event Decomposition for Zero-Shot Multilingual Text-to-Video
Retrieval": a question about an event says little of what leads up to it and follows from it, and
each kind of text tells it in its own way. The moment itself is told twice, so that it outweighs
what surrounds it. Every part becomes a hypothetical passage that all passages are compared with.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.prompts import Prompt
from pipeline.retrieve.registers import description
from pipeline.retrieve.replies import read_parts
from pipeline.retrieve.writing import Expansion, Writer
from pipeline.types import Source

_PARTS = 4  # before, during, during in other words, after
_MOST_KINDS = 3  # beyond, a reply grows and what is looked for is drowned


@dataclass(frozen=True, slots=True)
class Decompose:
    """Writes four short passages for each of the library's `kinds` of text."""

    writer: Writer
    prompt: Prompt
    kinds: tuple[Source, ...]
    name: str = "decompose"

    def expand(self, question: str) -> Expansion:
        kinds = self.kinds[:_MOST_KINDS]
        request = self.prompt.render(
            question=question,
            kinds="\n".join(f"- {kind}: {description(kind)}" for kind in kinds),
            form=_form(kinds),
        )
        return self.writer.write(
            self.name,
            request,
            lambda reply: read_parts(reply, question, request),
            _PARTS * len(kinds),
        )


def _form(kinds: tuple[Source, ...]) -> str:
    """The JSON that is asked for, on one line."""
    inner = ", ".join(f'"{kind}": "..."' for kind in kinds)
    names = ("before", "during", "during_in_other_words", "after")
    return "{" + ", ".join(f'"{name}": {{{inner}}}' for name in names) + "}"

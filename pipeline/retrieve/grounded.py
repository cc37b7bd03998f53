"""Grounded expansion: the model sees what the question alone finds before it writes.

Shen et al. 2023, "Large Language Models are Strong Zero-Shot Retriever" (LameR): the candidates,
right or wrong, show the subjects, the words and the manner of the collection. They are text from
videos and go into the prompt as data: on one line each, fenced, unable to close the fence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.prompts import Prompt, as_data, shortened
from pipeline.retrieve.registers import register_of
from pipeline.retrieve.replies import read_passages
from pipeline.retrieve.writing import Expansion, Writer
from pipeline.types import Source

SHOWN = 5
_LONGEST = 600  # characters of a passage: 30 s of talk

Shown = tuple[Source, str]  # the source of a passage and its text


@dataclass(frozen=True, slots=True)
class Grounded:
    """Writes as `Hyde` does; `found` gives what the question alone finds, best first."""

    writer: Writer
    prompt: Prompt
    count: int
    kinds: tuple[Source, ...]
    found: Callable[[str], Sequence[Shown]]
    name: str = "grounded"

    def expand(self, question: str) -> Expansion:
        count = max(self.count, len(self.kinds))
        request = self.prompt.render(
            question=question,
            count=count,
            register=register_of(self.kinds),
            passages=render(self.found(question)),
        )
        return self.writer.write(
            self.name, request, lambda reply: read_passages(reply, question, request), count
        )


def render(found: Sequence[Shown]) -> str:
    """The first `SHOWN` passages as the model reads them, one line each."""
    lines = [f"({source}) {shortened(as_data(text), _LONGEST)}" for source, text in found[:SHOWN]]
    return "\n".join(lines) or "(nothing was found)"

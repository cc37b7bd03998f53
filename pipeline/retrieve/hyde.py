"""HyDE: passages that could answer, though none of it need be true.

Gao et al. 2023, "Precise Zero-Shot Dense Retrieval without Relevance Labels". Here they go into
both indexes, and sound like what the library holds: a transcript is not a caption.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.prompts import Prompt
from pipeline.retrieve.registers import register_of
from pipeline.retrieve.replies import read_passages
from pipeline.retrieve.writing import Expansion, Writer
from pipeline.types import Source


@dataclass(frozen=True, slots=True)
class Hyde:
    """Writes `count` passages, and at least one of each of the `kinds` of text."""

    writer: Writer
    prompt: Prompt
    count: int
    kinds: tuple[Source, ...]
    name: str = "hyde"

    def expand(self, question: str) -> Expansion:
        count = max(self.count, len(self.kinds))
        request = self.prompt.render(
            question=question, count=count, register=register_of(self.kinds)
        )
        return self.writer.write(
            self.name, request, lambda reply: read_passages(reply, question, request), count
        )

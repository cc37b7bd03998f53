"""Expansion: a language model writes what the moment may say, and the search looks for its like.

A question and its answer share few words; a passage that might have been the answer shares many,
wrong though its facts may be. What comes back is used to search with and shown to nobody as an
answer. The setting `expansion` chooses one way of writing:

hyde       passages that could answer, in every register of the library (`hyde.py`)
grounded   the same, after a look at what the question alone finds (`grounded.py`)
decompose  what comes before, during and after the moment, by kind of text (`decompose.py`)
none       the question alone

Beside it, the question is translated into the other languages of a library (`translate.py`).
Without a usable reply the search goes on with the question alone, and says why.

Grounded is the default. The prompts were tried on a strong reader who saw nothing but the request:
66 questions of the three reference sets, none of which had a part in writing the prompts, MRR@10:

question alone   .457
hyde             .461   +.005 (-.053 to .067) over the question
grounded         .517   +.061 (.003 to .125) over the question, +.056 (.014 to .101) over hyde
recorded passages of another model and prompt: .516

A first wording of hyde that asked for more (49 words a passage instead of 29) lost .050 (-.109 to
.009) on 36 of these; decompose gained nothing over hyde on the questions it was tried on.

What a model writes beside passages, three queries in other words, was tried and left out: in the
dense mean +.001 (-.007 to .010 over 330 questions), in the words -.004, in both -.010.

Pseudo-relevance feedback, which needs no language model, was measured and left out. RM3 (Abdul-
Jaleel et al. 2004; 3 to 10 passages, 10 to 40 terms) lost .011 to .025 of MRR@10 on 600 questions
on talks in all 12 settings, all but one significantly, and gained nothing significant on 600 each
on tutorials and everyday videos. Rocchio (3 or 5 passages, weight .3 to 1) gained up to .004 on
talks, not significantly, and lost .005 to .009 on tutorials, significantly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from pipeline.prompts import Prompt
from pipeline.retrieve.decompose import Decompose
from pipeline.retrieve.grounded import Grounded, Shown
from pipeline.retrieve.hyde import Hyde
from pipeline.retrieve.translate import Translate, languages_to_ask
from pipeline.retrieve.writing import Expansion, GetOutput, PutOutput, Writer
from pipeline.types import LanguageModel, Source

__all__ = ["EXPANSIONS", "Expander", "Expansion", "Material", "expand", "load_expander"]

Way = Literal["hyde", "grounded", "decompose", "none"]
EXPANSIONS: tuple[Way, ...] = ("hyde", "grounded", "decompose", "none")


class Expander(Protocol):
    """One way of writing what a question looks for."""

    @property
    def name(self) -> str: ...

    def expand(self, question: str) -> Expansion:
        """Passages, or the reason why there are none. Costs at most one call of the model."""
        ...


@dataclass(frozen=True, slots=True)
class Material:
    """What a library gives to those who write for it.

    `kinds` are its common sources, `languages` the share of its passages in each language, and
    `found` what the question alone finds, best first; it is called by those alone who look.
    """

    kinds: tuple[Source, ...]
    languages: Mapping[str, float]
    found: Callable[[str], Sequence[Shown]]


def load_expander(
    way: Way, count: int, writer: Writer, prompt: Callable[[str], Prompt], material: Material
) -> Expander | None:
    """The expander called `way`, None for "none" and where `count` passages are none."""
    if way == "none" or count < 1:
        return None
    if way == "grounded":
        return Grounded(writer, prompt(way), count, material.kinds, material.found)
    if way == "decompose":
        return Decompose(writer, prompt(way), material.kinds)
    return Hyde(writer, prompt(way), count, material.kinds)


def expand(
    question: str,
    way: Way,
    count: int,
    model: LanguageModel,
    prompt: Callable[[str], Prompt],
    material: Material,
    *,
    get_output: GetOutput | None = None,
    put_output: PutOutput | None = None,
) -> Expansion:
    """Passages for `question`, and its translations where the library has other languages."""
    writer = Writer(model, get_output, put_output)
    expander = load_expander(way, count, writer, prompt, material)
    if expander is None:
        return Expansion(reason="no hypothetical passages were asked for")
    expansion = expander.expand(question)
    languages = languages_to_ask(question, material.languages)
    if not languages:
        return expansion
    translated = Translate(writer, prompt("translate"), languages).expand(question)
    return replace(
        expansion,
        translations=translated.passages,
        reason=expansion.reason or translated.reason,
        prompt_tokens=expansion.prompt_tokens + translated.prompt_tokens,
        completion_tokens=expansion.completion_tokens + translated.completion_tokens,
    )

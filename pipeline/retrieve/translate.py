"""Translation: the question in the other languages of the library.

A word index finds German speech by German words only, and an embedding model that knows English
alone (MiniLM) hears no likeness between a question and its German answer (cosine .20), but some
between two German texts (.58). So the translation enters both word signals and the dense mean. With
10 German passages among 10,215 English ones, 10 English questions about them have an MRR@10 of .05
alone, .77 with translated words and 1.00 with both. (The passages and the questions had one
translator: expect less.) Beside recorded passages it costs 30 questions on English passages nothing
(+.03, -.01 to .08). A model that knows many languages needs it for the words only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.prompts import Prompt
from pipeline.retrieve.replies import read_translations
from pipeline.retrieve.writing import Expansion, Writer

LEAST_SHARE = 0.02  # of the passages, for a language to be worth a translation

# Short words that a question of one language hardly does without and the others do not have.
_FUNCTION_WORDS = {
    "en": "the of what how does why which when where who is are with about",
    "de": "der die das und wie wird warum welche wann wo wer ist sind mit ein",
    "fr": "le les des et comment pourquoi quel quelle quand est sont avec une",
    "es": "el los las y como por que cuando donde quien es son con una del",
    "it": "il gli di e come perche quale quando dove chi sono con una della",
    "pt": "os as do da e como por que quando onde quem sao com uma",
    "nl": "het een en hoe waarom welke wanneer waar wie zijn met van",
}
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
)
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Translate:
    """Writes the question in each of `languages` (ISO 639-1); its passages are translations."""

    writer: Writer
    prompt: Prompt
    languages: tuple[str, ...]
    name: str = "translate"

    def expand(self, question: str) -> Expansion:
        request = self.prompt.render(question=question, languages=", ".join(self.languages))
        return self.writer.write(
            self.name,
            request,
            lambda reply: list(read_translations(reply, self.languages).values()),
            len(self.languages),
        )


def languages_to_ask(question: str, shares: Mapping[str, float]) -> tuple[str, ...]:
    """The languages with at least `LEAST_SHARE` of the passages but the question's own, the most
    common first. `shares` may have "" for passages whose language nobody knows."""
    common = sorted((c for c in shares if c and shares[c] >= LEAST_SHARE), key=lambda c: -shares[c])
    if not common:
        return ()
    own = language_of(question) or common[0]
    return tuple(code for code in common if code.partition("-")[0].lower() != own)


def language_of(question: str) -> str:
    """The language of a question by its script and its function words, "" when they do not tell."""
    for code, script in _SCRIPTS:
        if script.search(question):
            return code
    words = _WORD.findall(question.casefold())
    counts = {c: sum(w in known.split() for w in words) for c, known in _FUNCTION_WORDS.items()}
    best, second = sorted(counts, key=lambda c: -counts[c])[:2]
    return best if counts[best] > counts[second] else ""

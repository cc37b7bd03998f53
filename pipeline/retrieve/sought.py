"""What is looked for, as an index of words can be asked for it: words, alternatives, literals.

A word that everybody uses says nothing and is left out. "a horn or a foghorn" is one or the
other, and so are "KV-217 and KV-230". Literals have to be there as they are written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.retrieve.literals import COMMON, WORDS, Literal, literals
from pipeline.store.analysis import query_terms

_UNQUOTED = '(?=(?:[^"]*"[^"]*")*[^"]*$)'
_OR = re.compile(rf"\s+or\s+{_UNQUOTED}", re.IGNORECASE)
_AND = re.compile(rf"(?:,?\s+(?:or|and)\s+|,\s+){_UNQUOTED}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Alternative:
    """Words that count the more of them there are, and literals that are all demanded."""

    words: tuple[str, ...]
    literals: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Sought:
    """One of the `alternatives` is enough. There is none where the text has no word."""

    text: str
    alternatives: tuple[Alternative, ...]


def sought(text: str) -> Sought:
    """What `text`, a question without its frame, looks for."""
    made = [Alternative(_content(part), tuple(literals(part))) for part in _parts(text)]
    return Sought(text, tuple(alternative for alternative in made if alternative.words))


def _parts(text: str) -> list[str]:
    """What stands on both sides of "or"; "and" is one only between codes, each wanted itself."""
    several = _AND.split(text)
    if len(several) > 1 and all(literals(part) for part in several):
        return several
    return _OR.split(text)


def _content(text: str) -> tuple[str, ...]:
    """The words that say something; all of them where none does. Unspaced scripts as bigrams."""
    words = dict.fromkeys(WORDS.findall(text))
    chosen = [word for word in words if word.lower() not in COMMON] or list(words)
    return tuple(dict.fromkeys(term for word in chosen for term in _terms(word)))


def _terms(word: str) -> list[str]:
    """The word itself, so that every language stems it in its way; bigrams of one without end."""
    terms = list(query_terms(word))
    return [word] if len(terms) == 1 else terms

"""What a text wants letter by letter: quotations and codes.

A code or what stands in quotation marks has to be there as it is written, give or take case,
accents and what separates its parts: "KV-217", "KV 217" and "KV217" are one code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.store.analysis import fold, query_terms


def _split(text: str) -> frozenset[str]:
    return frozenset(text.split())


COMMON = _split(
    """a about all also am an and any anybody anyone anything are as at be been being but by can
    could did do does doing either every for from had has have having he her hers him his how i if
    in into is it its just many may me might more most much must my no nor not of off on onto or
    other our ours out over own per shall she should so some somebody someone something such than
    that the their theirs them then there these they this those through to too under until up upon
    us very was we were what when where which while who whom whose why will with would you your
    yours"""
)
WORDS = re.compile("[^\\W_]+(?:['\u2019][^\\W_]+)*")
_QUOTED = re.compile(
    '"([^"]*)"|\u201c([^\u201d]+)\u201d|\u00ab([^\u00bb]+)\u00bb|\u201e([^\u201c\u201d]+)[\u201c\u201d]'
)
# Letters and digits in one, or digits that are no year and no amount in daily use.
_CODE = re.compile(r"[^\W_]+(?:[-_./:][^\W_]+)*")
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th|s|am|pm|h|k|m|km|cm|mm|kg|g|gb|mb|hz)", re.IGNORECASE)
_LONG_CODE = 4
_SEPARATORS = r"[\W_]{0,3}"  # "KV-217", "KV 217" and "KV217" are one code


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that has to be there. `words` are among the words of what holds it, unless it is
    written as `joined`. One that is `enough` says by itself what is looked for: a quotation, or a
    code longer than "3D" or "H2O"."""

    words: tuple[str, ...]
    joined: str
    pattern: re.Pattern[str]
    enough: bool

    def stands_in(self, text: str) -> bool:
        return bool(self.pattern.search(fold(text)))


def literals(text: str) -> list[Literal]:
    """The quotations and the codes of a text, in this order, no repeats."""
    quoted = ["".join(groups) for groups in _QUOTED.findall(text)]
    codes = [code for code in _CODE.findall(_QUOTED.sub(" ", text)) if _is_code(code)]
    made = [*(_literal(text, True) for text in quoted), *(_literal(text, False) for text in codes)]
    return list({literal.pattern: literal for literal in made if literal.words}.values())


def _is_code(token: str) -> bool:
    """KV-217, RS9, 0555-0147 and 4815162342 are codes; 1974, 62.5, 9th and 31 are not."""
    digits = sum(character.isdigit() for character in token)
    if not digits or _ORDINAL.fullmatch(token):
        return False
    if any(character.isalpha() for character in token):
        return True
    return digits >= 5


def _literal(text: str, quoted: bool) -> Literal:
    runs = WORDS.findall(fold(text))
    unspaced = any(len(query_terms(run)) > 1 for run in runs)
    edges = ("", "") if unspaced else (r"(?<![^\W_])", r"(?![^\W_])")
    inside = _SEPARATORS.join(re.escape(character) for run in runs for character in run)
    spaced = r"[\W_]+".join(re.escape(run) for run in runs)
    body = inside if any(character.isdigit() for character in text) else spaced
    words = tuple(run for run in runs if run not in COMMON) or tuple(runs)
    pattern = re.compile(edges[0] + body + edges[1])
    joined = "".join(runs)
    return Literal(words, joined, pattern, quoted or len(joined) >= _LONG_CODE)

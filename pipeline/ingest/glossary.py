"""A user's own names and terms, as they are written, in place of what a recogniser made of them.

The recogniser is told them before it listens; what it misspells all the same is corrected here,
with care: a word that is common is never touched, nor is an inflected form of a term, and what is
put in its place differs in a letter or two, or sounds the same. What stood there is kept in a
flag of the segment (`CORRECTED`). Only what a machine wrote is corrected.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pipeline.types import CORRECTED, Segment, Word

_WORD = re.compile(r"[^\W\d_]+(?:[-\u2011][^\W\d_]+)*")
_APOSTROPHES = "'\u2019"
_SHORTEST = 5  # letters; shorter ones are near too much
_SHORTEST_ELSEWHERE = 7  # in languages of which few words are known to be common
# Letters that may differ, by the letters of the term; more than one only where it sounds the same.
_LETTERS_PER_EDIT = 4
_MOST_EDITS = 3
_MOST_TERMS = 1000
_LONGEST_ENDING = 3
_ENDINGS = ("s", "es", "n", "en", "e", "er", "in", "a", "o", "i", "ed", "ing")

# English letters to what they sound like; vowels tell little, and least where they are misheard.
_SOUNDS = (
    ("tch", "x"), ("sch", "x"), ("sh", "x"), ("ch", "x"), ("ph", "f"), ("th", "t"), ("gh", "g"),
    ("ck", "k"), ("qu", "kw"), ("wr", "r"), ("kn", "n"), ("ce", "se"), ("ci", "si"), ("cy", "sy"),
    ("c", "k"), ("q", "k"), ("x", "ks"), ("z", "s"), ("v", "f"), ("dg", "j"), ("y", "i"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Term:
    """One name or term: as it is written, and as it is compared."""

    text: str
    words: tuple[str, ...]  # folded
    letters: str
    sound: str


class Glossary:
    """Names and terms to be found in text that they were misspelt in.

    `common` says which words are common. Terms of fewer than five letters are only told to the
    recogniser: too much is near them.
    """

    def __init__(self, terms: Sequence[str], common: Container[str]) -> None:
        self._common = common
        unique = dict.fromkeys(" ".join(term.split()) for term in terms[:_MOST_TERMS])
        made = [_term(term) for term in unique]
        self._own = frozenset(word for term in made for word in term.words)
        self._terms = [term for term in made if len(term.letters) >= _SHORTEST]
        self._exact = {term.words: term for term in self._terms}
        self._longest = max((len(term.words) for term in self._terms), default=0) + 1

    def correct(self, segment: Segment) -> Segment:
        """The segment with its near misses corrected, each with a flag that says what it was."""
        text, at, flags = segment.text, 0, []
        words = segment.words
        while found := self._next(text, at, segment.language):
            start, end, term = found
            before = text[start:end]
            text = text[:start] + term.text + text[end:]
            at = start + len(term.text)
            if before.casefold() != term.text.casefold():
                flags.append(f"{CORRECTED}{before} to {term.text}")
            words = _words_with(words, before, term.text)
        if text == segment.text:
            return segment
        return replace(segment, text=text, words=words, flags=(*segment.flags, *flags))

    def _next(self, text: str, at: int, language: str) -> tuple[int, int, _Term] | None:
        """The next place from `at` on where a term was meant and something else stands."""
        tokens = list(_WORD.finditer(text, at))
        for first in range(len(tokens)):
            for count in range(min(self._longest, len(tokens) - first), 0, -1):
                group = tokens[first : first + count]
                if not _side_by_side(text, group):
                    continue
                start, end = group[0].start(), group[-1].end()
                term = self._meant([token[0] for token in group], language)
                if term and text[start:end] != term.text and not _glued(text, start, end):
                    return start, end, term
        return None

    def _meant(self, said: Sequence[str], language: str) -> _Term | None:
        """The one term that these words are a near miss of."""
        words = tuple(_fold(word) for word in said)
        if all(word in self._own for word in words) and not self._is_term(words):
            return None  # a part of another term
        common = [word in self._common for word in words]
        if all(common):  # what they are written like is all that can be wrong
            return self._exact.get(words) if len(words) > 1 else None
        least = _SHORTEST if language in ("", "en") else _SHORTEST_ELSEWHERE
        found = [
            (distance, term)
            for term in self._terms
            if len(term.letters) >= least
            and (distance := _distance(words, common, term, language)) is not None
        ]
        if not found:
            return None
        nearest = min(distance for distance, _ in found)
        best = [term for distance, term in found if distance == nearest]
        return best[0] if len(best) == 1 else None

    def _is_term(self, words: tuple[str, ...]) -> bool:
        return any("".join(words) == term.letters for term in self._terms)


def _distance(
    words: tuple[str, ...], common: Sequence[bool], term: _Term, language: str
) -> int | None:
    """In letters; None where `words` were hardly meant to be this term."""
    if words == term.words:
        return 0  # only how it is written
    if len(words) == len(term.words):
        pairs = zip(words, term.words, common, strict=True)
        steps = [_step(word, own, known, language) for word, own, known in pairs]
        return None if None in steps else sum(step for step in steps if step is not None)
    # Words that were run together or torn apart, every letter as it should be.
    return 1 if "".join(words) == term.letters else None


def _step(word: str, own: str, common: bool, language: str) -> int | None:
    """Letters between a word and the term's, None where it is another word."""
    if word == own:
        return 0
    if common or len(own) < _SHORTEST or _inflected(word, own):
        return None
    most = min(_MOST_EDITS, max(1, len(own) // _LETTERS_PER_EDIT))
    distance = edits(word, own, most)
    if distance > most or (distance > 1 and language not in ("", "en")):
        return None
    alike = sound_of(word) == sound_of(own)
    return distance if alike or (distance == 1 and word[0] == own[0]) else None


def _inflected(word: str, own: str) -> bool:
    """Whether one is the other with an ending, or with another last letter: "Taproots" and
    "Taproot", "Kowalski" and "Kowalska"."""
    if word[:-1] == own[:-1]:
        return True
    if word.startswith(own):
        return len(word) - len(own) <= _LONGEST_ENDING
    return own.startswith(word) and own[len(word) :] in _ENDINGS


def _term(text: str) -> _Term:
    words = tuple(_fold(word) for word in _WORD.findall(text))
    letters = "".join(words)
    return _Term(text, words, letters, sound_of(letters))


def _fold(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in plain if character.isalpha())


def _side_by_side(text: str, group: Sequence[re.Match[str]]) -> bool:
    """Only spaces or hyphens between them: no sentence ends within a term."""
    return all(not text[a.end() : b.start()].strip(" -\u2011") for a, b in pairwise(group))


def _glued(text: str, start: int, end: int) -> bool:
    """Whether it is a part of a longer token: "BIP340", "can't", "@name"."""
    before, after = text[start - 1 : start], text[end : end + 2]
    return (
        (bool(before) and (before.isalnum() or before in "_@#/.'\u2019"))
        or (after[:1].isalnum() or after[:1] in ("_", "@"))
        or (len(after) == 2 and after[0] in "./" and after[1].isalnum())
        or (len(after) == 2 and after[0] in _APOSTROPHES and after[1].isalpha() and after[1] != "s")
    )


def _words_with(words: tuple[Word, ...], before: str, after: str) -> tuple[Word, ...]:
    """The timed words with `before` replaced; as they are where it is not to be found in them."""
    count = len(before.split())
    for at in range(len(words) - count + 1):
        said = " ".join(word.text for word in words[at : at + count])
        left = said.find(before)
        if left < 0:
            continue
        joined = replace(
            words[at],
            end=words[at + count - 1].end,
            text=said[:left] + after + said[left + len(before) :],
            probability=min(word.probability for word in words[at : at + count]),
        )
        return (*words[:at], joined, *words[at + count :])
    return words


# ---------------------------------------------------------------- how near two words are


def edits(a: str, b: str, most: int) -> int:
    """Letters to insert, delete, replace or swap with the next one (Damerau 1964); `most` + 1
    where there are more."""
    if abs(len(a) - len(b)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, other in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if older and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1]


def sound_of(word: str) -> str:
    """Roughly how an English speaker says it: consonants, alike ones told the same, no doubles."""
    for letters, sound in _SOUNDS:
        word = word.replace(letters, sound)
    first = "a" if word[:1] in tuple("aeiou") else word[:1]
    consonants = [letter for letter in word[1:] if letter not in "aeiouhw"]
    kept = [letter for at, letter in enumerate(consonants) if consonants[at - 1 : at] != [letter]]
    return first + "".join(kept)

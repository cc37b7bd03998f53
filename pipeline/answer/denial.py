"""Whether a claim denies what the cited words say, or says what they deny.

A denial reaches over the words that follow it in its clause (Morante and Daelemans 2009, "A
Metalearning Approach to Processing the Scope of Negation", name clause ends as its commonest
borders). A claim contradicts a sentence that has most of its words where the words under its own
"not" stand there without one, or the words under that sentence's "not" stand in the claim
without one. "Not only", "not before", "not more than" and a denial of a denial say something else;
of those nothing is concluded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from pipeline.answer.wording import STOPWORDS, negations, stem, words

# Shares of the claim's content words: in the sentence for a "not" of the claim to be wrong, for a
# "not" of the sentence to count; and how many must be denied there.
_SHARED, _SHARED_DENIED, _DENIED = 0.55, 0.5, 0.2
_UNDER = 0.5  # share of the words under the claim's "not" that must stand there without one
_REACH = 6  # content words that a denial reaches over


def _split(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that deny without a "not".
DENYING = _split(
    """unable impossible unlikely uncertain unknown unnecessary unsafe lack lacks lacked lacking
    fail fails failed failing refuse refused refuses stop stopped stops avoid avoids avoided prevent
    prevents prevented deny denied denies ban banned forbid forbidden rather instead only hardly
    barely rarely seldom except worthless useless lost lose wrong disagree disagrees disagreed zero
    gone skip skipped drop dropped ignore ignored against absent missing empty exclude excluded
    excluding rejected reject false loose until"""
)
_CONTRASTING = _split("rather instead unlike except")  # they deny what follows them
# What a "not" may stand with so that it sets a bound or an exception and denies nothing.
_BOUNDING = re.compile(
    r"\b(?:than|before|until|only|just|merely|alone|but|more|less|later|longer|other|another|else"
    r"|necessarily|yet|even|as|too|very|quite|any more|anymore|all|every|always|both|either)\b"
)
_BORDER = re.compile(
    r"[.,;:!?()\n]|\b(?:but|because|although|while|whereas|so|since|if|which|who|and|as)\b"
)


def denials(text: str) -> int:
    """Negations, and words that deny without one."""
    return negations(text) + sum(word in DENYING for word in set(words(text)))


def contradicts(claim: str, sentences: Sequence[str], language: str = "en") -> bool:
    """Whether the sentence that has most of the claim's words says the opposite of it."""
    said = dict(scopes(claim, language))
    there = [_standing(sentence, language) for sentence in sentences]
    shared = [len(said.keys() & words_.keys()) / max(1, len(said)) for words_ in there]
    best = max(range(len(there)), key=shared.__getitem__)
    if denials(claim) == 0:
        denied = [word for word in said if there[best].get(word) == {True}]
        return shared[best] >= _SHARED_DENIED and len(denied) >= _DENIED * len(said)
    under = [word for word, denied in said.items() if denied]
    if shared[best] < _SHARED or not under or denials(claim) > 1 or _bounds(claim):
        return False
    plain = sum(there[best].get(word) == {False} for word in under)
    return plain >= _UNDER * len(under) and not denials(_near(sentences[best], said, language))


def agree(claim: str, sentence: str, language: str = "en") -> bool:
    """Whether all words that both have stand under a denial in both or in neither."""
    there = _standing(sentence, language, _CONTRASTING)
    said = scopes(claim, language, _CONTRASTING)
    return all(denied in there.get(word, {denied}) for word, denied in said)


@lru_cache(maxsize=4096)
def scopes(
    text: str, language: str = "en", openers: frozenset[str] = frozenset()
) -> tuple[tuple[str, bool], ...]:
    """(stem, whether a denial, or one of `openers`, reaches over it) of the content words."""
    found: list[tuple[str, bool]] = []
    for clause in _clauses(text):
        left = 0
        for word in words(clause):
            if negations(word) or word in openers:
                left = _REACH
            elif word not in STOPWORDS:
                found.append((stem(word, language), left > 0))
                left -= 1
    return tuple(found)


def _clauses(text: str) -> list[str]:
    return [clause for clause in _BORDER.split(text.casefold()) if clause.strip()]


def _standing(
    sentence: str, language: str, openers: frozenset[str] = frozenset()
) -> dict[str, set[bool]]:
    """For each content word, whether it stands under a denial, without one, or both."""
    found: dict[str, set[bool]] = {}
    for word, denied in scopes(sentence, language, openers):
        found.setdefault(word, set()).add(denied)
    return found


def _bounds(claim: str) -> bool:
    return any(negations(clause) and _BOUNDING.search(clause) for clause in _clauses(claim))


def _near(sentence: str, said: dict[str, bool], language: str) -> str:
    """The clauses of a sentence that share a word with the claim."""
    return " ".join(
        clause
        for clause in _clauses(sentence)
        if said.keys() & {word for word, _ in scopes(clause, language)}
    )

"""The exact match stays on top: what a question quotes, and the codes it names.

A score made of many signals can put a passage that is about the same thing above the one that
holds the very serial number, error code or "quoted words" asked for. So this is a rule and not a
weight: the passages that hold all of it, letter by letter, rank before those that do not.

Over all 12,266 questions of three sets the rule speaks 32 times and changes MRR@10 by .0002 on
talks, and by less than .0001 on tutorials and everyday videos.

Rare words as such do not make an exact match: BM25 weighs a rare word already, and a slip of the
pen is the rarest word of all. Lifting the passages with all the words that at most 3 passages of a
library hold cost .012, .009 and .011 of MRR@10. But what the question alone puts first because it
holds them is not to be lost to what a model wrote: it stays first whatever the hypothetical
passages prefer. With recorded passages that speaks 16 times in 330 (+.004, -.003 to .013), with
those of another question 30 times (+.017, .007 to .029).
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from pipeline.retrieve.literals import literals
from pipeline.types import PassageIndex

EXACT = "exact"  # the name of its part of a score

# What more passages hold is no rarity: a word quoted for emphasis, a year, a version number.
RARE = 20
_PROPOSED = 100  # passages whose text is read for each thing that is looked for
# A moment's score can be made of the scores of six sources, each after the first counted half.
_MOST_OF_A_MOMENT = 3.5

_LEAST_WORD = 4  # letters: shorter words are mostly in every passage, and cost most to look up
_WORD = re.compile(r"[^\W_]+")


def exact_matches(
    index: PassageIndex, question: str, allowed: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Positions, ascending, of the passages that hold all that the question seeks exactly.

    Empty where it seeks nothing so, where no passage holds it, and where more than `RARE` do.
    What no passage holds is not looked for, nor are codes as short as words ("3D", "mp4"). One
    look-up of words and 100 texts for each quotation or code, 2 ms; nothing for a question without.
    """
    held: NDArray[np.int64] | None = None
    sought = [literal for literal in literals(question) if literal.enough]
    asked = [" ".join((*literal.words, literal.joined)) for literal in sought]
    listed = index.words(asked, _PROPOSED, allowed) if sought else []
    for literal, (positions, _) in zip(sought, listed, strict=True):
        texts = index.texts(positions)
        own = [p for p, t in zip(positions.tolist(), texts, strict=True) if literal.stands_in(t)]
        if 0 < len(own) <= RARE:
            some = np.array(sorted(own), np.int64)
            held = some if held is None else np.intersect1d(held, some)
    return np.zeros(0, np.int64) if held is None else held


def holds_rare_words(
    index: PassageIndex,
    question: str,
    position: int,
    allowed: NDArray[np.bool_] | None = None,
) -> bool:
    """Whether the passage at `position` holds all the rare words of the question, of which there
    is at least one. Words that many passages hold are not looked up: that is what would cost.
    """
    said = dict.fromkeys(w for w in _WORD.findall(question) if len(w) >= _LEAST_WORD)
    words = [word for word in said if _may_be_rare(index, word)]
    listed = index.words(words, RARE + 1, allowed) if words else []
    rare = [positions for positions, _ in listed if 0 < len(positions) <= RARE]
    return bool(rare) and all(position in positions for positions in rare)


def _may_be_rare(index: PassageIndex, word: str) -> bool:
    """Whether any term of the word is in so few passages. Counts may include deleted ones."""
    terms = list(index.term_counts(word))
    if not terms:
        return False
    few, every = 2 * RARE + 0.5, len(index.table)
    return bool(index.rarity(terms).max() >= np.log1p(max(every - few, 0.0) / (few + 0.5)))


def lift(scores: NDArray[np.float64], held: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(c,) what to add to `scores` so that those `held` (c,) rank before all others.

    Zero for the others, one number for all that are held: their order stays. It is large enough
    that no moment made of several of the others ranks before one of them either.
    """
    bonus = np.zeros_like(scores)
    if held.any() and not held.all():
        least = _MOST_OF_A_MOMENT * max(float(scores[~held].max()), 0.0)
        bonus[held] = max(least - float(scores[held].min()), 0.0)
    return bonus

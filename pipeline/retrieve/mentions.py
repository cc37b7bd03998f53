"""Where in a passage that matches the thing is said or shown: an entry begins there.

A passage holds some ten utterances. The first of those that hold the most of the words looked for
is where somebody would want to be taken; what follows belongs to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.retrieve.exhaustive import Matches
from pipeline.retrieve.sought import Sought
from pipeline.store.analysis import passage_terms, query_terms
from pipeline.types import PassageTable

# (start, text, language) of a segment.
Timed = tuple[float, str, str]
_LITERAL = 1000  # what is demanded as it is written counts for more than any number of words


def mention_starts(
    wanted: Sought, table: PassageTable, found: Matches, segments: Mapping[int, Sequence[Timed]]
) -> NDArray[np.float64]:
    """(m,) where each match begins: its passage's start where no segment has a word of it.

    `segments` are those of each passage by row, by time.
    """
    starts = table.start[found.positions].copy()
    ends = table.end[found.positions]
    said = frozenset(word for part in wanted.alternatives for word in part.words)
    literals = [literal for part in wanted.alternatives for literal in part.literals]
    terms: dict[str, frozenset[str]] = {}
    for number, row in enumerate(table.rows[found.positions].tolist()):
        best = 0
        for start, text, language in segments.get(row, ()):
            if language not in terms:
                terms[language] = _terms(said, language)
            held = len(terms[language].intersection(passage_terms(text, language)))
            held += _LITERAL * sum(literal.stands_in(text) for literal in literals)
            # A part of a long segment can be in the passage, so it may begin before.
            if held > best and start < ends[number]:
                best, starts[number] = held, max(start, table.start[found.positions[number]])
    return starts


def _terms(words: frozenset[str], language: str) -> frozenset[str]:
    """The terms of all words as a text in this language has them."""
    return frozenset(term for word in words for term in query_terms(word, [language or "en"]))

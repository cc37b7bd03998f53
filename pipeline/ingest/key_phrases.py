"""The phrases that tell a stretch of a video from the rest of it: what a chapter can be called.

A phrase is a run of words that begins and ends with one that says something. Those that are said
more in the stretch than elsewhere (tf-idf over the stretches), on lines that are near to what it is
about, are proposed; the embedding model chooses among them by their own nearness to the stretch
(KeyBERT, Grootendorst 2020). No
grammar is needed: function words and fillers are listed for English, and in a long text of any
language what is said everywhere is one.

On 400 sections of talks that people named, the cosine of the name with two phrases is .37, with
those by tf-idf alone .29; the phrases are nearer to their own section's name than to the other ones
of the talk in 45%, and in 40%. Embedding 10 phrases instead of 6 gains .016, and costs more.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.function_words import WORD, telling, words_of
from pipeline.types import Embedder, Vectors

LONGEST = 4  # words
_LIKELY, _PROPOSED = 40, 6  # phrases per stretch that are looked at, and embedded
# What a phrase of 1, 2, 3 or 4 words counts: longer ones say more and are said less often.
_LENGTHS = (1.0, 2.0, 2.3, 2.3)
_FREQUENCY = 0.25  # what tf-idf counts beside a cosine
_SECOND = 0.7  # share of the best phrase's score from which a second one is worth showing
_ALIKE = 0.7  # cosine of two phrases that say the same
_EVERYWHERE = 0.2  # share of the lines from which a word is a function word
_MANY_LINES = 40

_INNER = frozenset(("of", "the", "and", "in", "to", "for", "on", "with", "a", "by", "from", "vs"))
_BREAK = re.compile(r"[.!?,;:()\"\u201c\u201d\u2026\n/|\u3001\u3002](?:\s|$)|\n| [-\u2013\u2014] ")

_Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """The text of one part of a video, a line per window, with the windows' vectors (l, dimension),
    and what all of it is about as a unit vector (dimension,)."""

    lines: tuple[str, ...]
    vectors: Vectors
    centre: NDArray[np.float32]


@dataclass(slots=True)
class _Said:
    """How often a phrase is said in a stretch, how it is written, and on which lines."""

    count: int = 0
    forms: Counter[str] = field(default_factory=Counter)
    lines: set[int] = field(default_factory=set)


def key_phrases(stretches: Sequence[Stretch], embedder: Embedder) -> list[list[str]]:
    """At most two phrases per stretch, the better first; none where nothing is said that tells.

    Cost: an embedding of `_PROPOSED` phrases per stretch.
    """
    common = _said_everywhere([line for stretch in stretches for line in stretch.lines])
    said = [_said(stretch, common) for stretch in stretches]
    spread = Counter(key for found in said for key in found)
    weights = [_weights(found, spread, len(stretches)) for found in said]
    proposed = [
        _proposed(stretch, found, weight)
        for stretch, found, weight in zip(stretches, said, weights, strict=True)
    ]
    every = list(dict.fromkeys(key for keys in proposed for key in keys))
    vectors = dict(zip(every, embedder.embed([" ".join(key) for key in every]), strict=True))
    return [
        [found[key].forms.most_common(1)[0][0] for key in _chosen(stretch, keys, weight, vectors)]
        for stretch, found, keys, weight in zip(stretches, said, proposed, weights, strict=True)
    ]


def _said(stretch: Stretch, common: frozenset[str]) -> dict[_Key, _Said]:
    found: defaultdict[_Key, _Said] = defaultdict(_Said)
    for number, line in enumerate(stretch.lines):
        for key, form in _phrases(line, common):
            phrase = found[key]
            phrase.count += 1
            phrase.forms[form] += 1
            phrase.lines.add(number)
    return found


def _proposed(
    stretch: Stretch, said: Mapping[_Key, _Said], weights: Mapping[_Key, float]
) -> list[_Key]:
    """The phrases worth embedding: said often here and seldom elsewhere, on lines that are about
    what the stretch is about."""
    likely = sorted(weights, key=lambda key: (-weights[key], key))[:_LIKELY]
    greatest = max(weights.values(), default=1.0)
    near = stretch.vectors @ stretch.centre
    worth = {
        key: weights[key] / greatest + float(near[list(said[key].lines)].mean()) for key in likely
    }
    return sorted(likely, key=lambda key: (-worth[key], key))[:_PROPOSED]


def _said_everywhere(lines: Sequence[str]) -> frozenset[str]:
    """Words in so many lines of a long text that they say nothing, in whatever language."""
    if len(lines) < _MANY_LINES:
        return frozenset()
    counts = Counter(word for line in lines for word in set(words_of(line)))
    return frozenset(word for word, count in counts.items() if count > _EVERYWHERE * len(lines))


def _phrases(text: str, common: frozenset[str]) -> Iterator[tuple[_Key, str]]:
    """(words in lower case, as written) of every phrase, as often as it is said."""
    for part in _BREAK.split(text):
        written = WORD.findall(part)
        words = words_of(part)
        tells = [telling(word) and word not in common for word in words]
        for first in (place for place, tell in enumerate(tells) if tell):
            for last in range(first, min(first + LONGEST, len(words))):
                if tells[last]:
                    if words[last] not in words[first:last]:
                        yield tuple(words[first : last + 1]), " ".join(written[first : last + 1])
                elif words[last] not in _INNER:
                    break


def _weights(
    said: Mapping[_Key, _Said], spread: Counter[_Key], stretches: int
) -> dict[_Key, float]:
    """tf-idf over the stretches, by length."""
    return {
        key: math.log1p(found.count) * math.log1p(stretches / spread[key]) * _LENGTHS[len(key) - 1]
        for key, found in said.items()
    }


def _chosen(
    stretch: Stretch,
    keys: Sequence[_Key],
    weights: Mapping[_Key, float],
    vectors: Mapping[_Key, NDArray[np.float32]],
) -> list[_Key]:
    if not keys:
        return []
    greatest = max(weights[key] for key in keys)
    scores = {
        key: float(vectors[key] @ stretch.centre) + _FREQUENCY * weights[key] / greatest
        for key in keys
    }
    first, *others = sorted(keys, key=lambda key: (-scores[key], key))
    for key in others:
        if scores[key] < _SECOND * scores[first]:
            break
        if not set(key) & set(first) and vectors[key] @ vectors[first] < _ALIKE:
            return [first, key]
    return [first]

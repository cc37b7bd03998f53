"""The phrases that tell a stretch of a video from the rest of it: what a chapter can be called.

A phrase is a run of words that begins and ends with one that says something. Those that are said
more in the stretch than elsewhere are proposed (tf-idf over the stretches), the embedding model
chooses among them by their nearness to the stretch as a whole (KeyBERT, Grootendorst 2020). No
grammar is needed: function words and fillers are listed for English, and in a long text of any
language what is said everywhere is one.

On 400 sections that people named, the cosine of the name with two phrases is .38, with the best by
tf-idf alone .24; the phrases are nearer to their own name than to the video's other ones in 44%.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.ingest.function_words import WORD, telling, words_of
from pipeline.types import Embedder

LONGEST = 4  # words
_PROPOSED = 10  # phrases per stretch that are embedded
# What a phrase of 1, 2, 3 or 4 words counts: longer ones say more and are said less often.
_LENGTHS = (1.0, 2.0, 2.3, 2.3)
_FREQUENCY = 0.25  # what tf-idf counts beside a cosine
_SECOND = 0.7  # share of the best phrase's score from which a second one is worth showing
_ALIKE = 0.7  # cosine of two phrases that say the same
_EVERYWHERE = 0.2  # share of the texts from which a word is a function word
_MANY_TEXTS = 40

_INNER = frozenset(("of", "the", "and", "in", "to", "for", "on", "with", "a", "by", "from", "vs"))
_BREAK = re.compile(r"[.!?,;:()\"\u201c\u201d\u2026\n/|\u3001\u3002](?:\s|$)|\n| [-\u2013\u2014] ")

_Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """The text of one part of a video, and what it is about as a unit vector (dimension,)."""

    text: str
    centre: NDArray[np.float32]


def key_phrases(stretches: Sequence[Stretch], embedder: Embedder) -> list[list[str]]:
    """At most two phrases per stretch, the better first; none where nothing is said that tells.

    Cost: an embedding of `_PROPOSED` phrases per stretch.
    """
    common = _said_everywhere([stretch.text for stretch in stretches])
    counted, forms = [], defaultdict[_Key, Counter[str]](Counter)
    for stretch in stretches:
        found = list(_phrases(stretch.text, common))
        counted.append(Counter(key for key, _ in found))
        for key, form in found:
            forms[key][form] += 1
    spread = Counter(key for counts in counted for key in counts)
    weights = [_weights(counts, spread, len(stretches)) for counts in counted]
    proposed = [sorted(w, key=lambda key: (-w[key], key))[:_PROPOSED] for w in weights]
    every = list(dict.fromkeys(key for keys in proposed for key in keys))
    vectors = dict(zip(every, embedder.embed([" ".join(key) for key in every]), strict=True))
    return [
        [forms[key].most_common(1)[0][0] for key in _chosen(stretch, keys, weight, vectors)]
        for stretch, keys, weight in zip(stretches, proposed, weights, strict=True)
    ]


def _said_everywhere(texts: Sequence[str]) -> frozenset[str]:
    """Words in so many lines of a long text that they say nothing, in whatever language."""
    lines = [set(words_of(line)) for text in texts for line in text.split("\n")]
    if len(lines) < _MANY_TEXTS:
        return frozenset()
    counts = Counter(word for line in lines for word in line)
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


def _weights(counts: Counter[_Key], spread: Counter[_Key], stretches: int) -> dict[_Key, float]:
    """tf-idf over the stretches, by length."""
    return {
        key: math.log1p(count) * math.log1p(stretches / spread[key]) * _LENGTHS[len(key) - 1]
        for key, count in counts.items()
    }


def _chosen(
    stretch: Stretch,
    keys: Sequence[_Key],
    weights: dict[_Key, float],
    vectors: dict[_Key, NDArray[np.float32]],
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

"""How much of a claim the cited words carry: alignment of words and meaning, calibrated.

Every token of the claim looks for the token of the cited words that is nearest to it in its
context (late interaction, Khattab and Zaharia 2020, "ColBERT", section 3.2); what finds nothing
near is not carried. With the cosines of whole sentences and the share of content words this comes
to one number: whether they are about the same. It was fitted by logistic regression (L2, C = 0.3)
on 601 true sentences, 112 false ones and 1,200 wrong citations drawn from the same and from other
videos, which weigh a tenth; the folds were videos. `benchmarks/verify/README.md` has the figures.

Whether they say it is told by what an embedding does not see: a "not" on one side only, "all" for
"some", "more" for "less", and the order in which things are named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pipeline.answer.denial import agree, contradicts, denials
from pipeline.answer.facts import digits
from pipeline.answer.wording import content_stems
from pipeline.ingest.sentences import sentences
from pipeline.types import Embedder, Vectors

# Coefficients of: cosine with the best run of sentences, with all, share of content words, mean
# and lower quarter of what each token finds.
_ABOUT = (2.213, -2.709, 4.237, 4.849, 9.302)
_ABOUT_INTERCEPT = -6.988
_IN_ORDER = 0.35  # share of pairs of shared words that may stand in the other order
_MOST_SENTENCES = 3  # that are read together


def _split(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What a claim may not say by itself: how many, how sure, how things stand to one another.
_STRONG = _split(
    """all every always only never certain certainly guaranteed guarantee exactly must prove proves
    proven entirely completely nobody anyone any each no none impossible sure definitely nothing
    ever alone full whole invariably"""
)
_RELATION = _split(
    """more less fewer larger smaller bigger higher lower longer shorter faster slower better worse
    earlier later older newer before after above below over under beyond most least because
    therefore due cause causes caused thanks instead rather"""
)
_WORD = re.compile(r"[a-z']+")


@dataclass(frozen=True, slots=True)
class Support:
    """How a claim stands to the words it cites.

    `about` in [0, 1]: that they speak of the same. `share` of the claim's content words that they
    have. `opposed`: one of the two denies what the other says;
    `marked`: something else that an embedding does not see may speak against it.
    """

    about: float
    share: float
    opposed: bool
    marked: bool


class Aligner:
    """Compares claims with cited words; remembers what it has embedded. Not thread-safe."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._tokens: dict[str, Vectors] = {}

    def read(self, claims: Sequence[str], texts: Sequence[str]) -> None:
        """Embeds at once what `support` will ask for: a batch takes half the time of one by one."""
        parts = [part for text in texts for part in _sentences(text)]
        new = [text for text in dict.fromkeys([*claims, *parts]) if text not in self._tokens]
        embed = getattr(self._embedder, "embed_tokens", None)
        made = embed(new) if embed and new else [()] * len(new)
        for text, rows in zip(new, made, strict=True):
            self._tokens[text] = rows if len(rows) else self._embedder.embed([text])

    def support(self, claim: str, texts: Sequence[str], language: str = "en") -> Support:
        """`texts` are the cited statements. Cost: 3 ms for each sentence that is new."""
        self.read([claim], texts)
        parts = [part for text in texts for part in _sentences(text)]
        features = self.features(claim, parts, language)
        return Support(
            about=_logistic(features @ np.array(_ABOUT) + _ABOUT_INTERCEPT),
            share=float(features[2]),
            opposed=contradicts(claim, parts, language),
            marked=_marked(claim, parts, language),
        )

    def features(
        self, claim: str, parts: Sequence[str], language: str = "en"
    ) -> NDArray[np.float64]:
        """(5,) what `_ABOUT` weighs, of a claim and the sentences of the cited words, both read."""
        wanted, there = self._tokens[claim], [self._tokens[part] for part in parts]
        meaning, meanings = wanted.sum(axis=0), np.stack([rows.sum(axis=0) for rows in there])
        runs = [
            meanings[at : at + size].sum(axis=0)
            for size in range(1, _MOST_SENTENCES + 1)
            for at in range(len(there) - size + 1)
        ]
        # Sentence by sentence: over a product of all of them threads are started that cost more.
        found = np.sort(np.max([(wanted @ rows.T).max(axis=1) for rows in there], axis=0))
        return np.array(
            [
                max(_cosine(meaning, run) for run in runs),
                _cosine(meaning, meanings.sum(axis=0)),
                _share(claim, " ".join(parts), language),
                found.mean(),
                found[: max(1, len(found) // 4)].mean(),
            ],
            np.float64,
        )


def _marked(claim: str, parts: Sequence[str], language: str) -> bool:
    text = " ".join(parts)
    nearest = max(parts, key=lambda part: _share(claim, part, language))
    return bool(
        bool(denials(claim)) != bool(denials(nearest))
        or not agree(claim, nearest, language)
        or _words(claim) & (_STRONG | _RELATION) - _words(text)
        or _disorder(content_stems(claim), content_stems(text)) > _IN_ORDER
    )


def _cosine(one: Vectors, other: Vectors) -> float:
    """Of two sums of tokens; their means, of which such models make one vector, have the same."""
    return float(one @ other / max(1e-9, float(np.linalg.norm(one) * np.linalg.norm(other))))


def _logistic(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


def _sentences(text: str) -> list[str]:
    flat = text.replace("\n", ". ")
    return [flat[a:b].strip() for a, b in sentences(flat)] or [flat]


def _share(claim: str, text: str, language: str) -> float:
    wanted, there = _content(claim, language), _content(text, language)
    return len(wanted & there) / max(1, len(wanted))


@lru_cache(maxsize=4096)
def _content(text: str, language: str) -> frozenset[str]:
    """Stems of its content words; a number is the same in digits and in words."""
    return frozenset(content_stems(digits(text.casefold()), language))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def _disorder(claim: Sequence[str], text: Sequence[str]) -> float:
    """Share of the pairs of shared words that stand in the other order."""
    first = {word: at for at, word in reversed(list(enumerate(text)))}
    places = [first[word] for word in dict.fromkeys(claim) if word in first]
    pairs = [(a, b) for at, a in enumerate(places) for b in places[at + 1 :]]
    return sum(a > b for a, b in pairs) / len(pairs) if pairs else 0.0

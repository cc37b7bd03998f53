"""How much of a claim the cited words carry: alignment of words and meaning, calibrated.

Every token of the claim looks for the token of the cited words that is nearest to it in its
context (late interaction, Khattab and Zaharia 2020, "ColBERT", section 3.2); what finds nothing
near is not carried. With the cosines of whole sentences and the share of content words this comes
to one number, fitted by logistic regression on the half of `benchmarks/verify` that is for tuning.

Beside it stand marks that say what an embedding does not see: a "not" that the cited words do not
have or the claim does not, "all" for "some", and the order in which things are named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.answer.wording import content_stems, negations
from pipeline.ingest.sentences import sentences
from pipeline.types import Embedder, Vectors

# Coefficients of: cosine with the best run of sentences, with all, share of content words,
# mean and lower quarter of what each token finds. The first is for telling words that are about
# something else, the second, with the marks below, for telling those that carry the claim.
_ABOUT = (2.184, -2.823, 5.684, 3.740, 7.565)
_ABOUT_INTERCEPT = -6.339
_CARRIED = (0.198, -0.266, 1.060, 0.563, 0.598)
_CARRIED_MARKS = (-0.704, -1.177, -0.811, -0.767)  # denies, is denied, overclaims, disorder
_CARRIED_INTERCEPT = 0.192
_SAME = 0.75  # share of each other's words that two sentences have which say the same
_DENIED_SHARE = 0.5  # of its words that cited words must have for a "not" of its own to be wrong
_IN_ORDER = 0.35  # share of pairs of shared words that may stand in the other order

_MOST_SENTENCES = 3  # that are read together


def _split(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that deny without a "not".
_DENYING = _split(
    """unable impossible unlikely uncertain unknown unnecessary unsafe lack lacks lacked lacking
    fail fails failed failing refuse refused refuses stop stopped stops avoid avoids avoided prevent
    prevents prevented deny denied denies ban banned forbid forbidden rather instead only hardly
    barely rarely seldom except apart free worthless useless lost lose wrong disagree disagrees
    disagreed end ended zero gone skip skipped drop dropped ignore ignored against absent missing
    empty until least most few little sole alone otherwise different exclude excluded excluding
    rejected reject false"""
)
_STRONG = _split(
    """all every always only never certain certainly guaranteed guarantee exactly must prove proves
    proven entirely completely nobody anyone any each no none impossible sure definitely nothing
    ever alone full whole invariably"""
)
_CLAUSE = re.compile(
    r"(?<=[.!?;:,])\s+|\s+(?=(?:but|because|although|while|whereas|so) )|\n", re.IGNORECASE
)
_WORD = re.compile(r"[a-z']+")


@dataclass(frozen=True, slots=True)
class Support:
    """How a claim stands to the words it cites.

    `about` and `carried` in [0, 1]: that they speak of the same, that they say it. `share` of the
    claim's content words that they have. `denied_alone`: the claim denies, they deny nothing;
    `opposed`: they say the same but for a "not"; `marked`: something else that an embedding does
    not see speaks against it.
    """

    about: float
    carried: float
    share: float
    denied_alone: bool
    opposed: bool
    marked: bool


class Aligner:
    """Compares claims with cited words; remembers what it has embedded. Not thread-safe."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._tokens: dict[str, Vectors] = {}

    def support(self, claim: str, texts: Sequence[str], language: str = "en") -> Support:
        """`texts` are the cited statements. Cost: a few milliseconds for each new sentence."""
        parts = [part for text in texts for part in _sentences(text)]
        features = self.features(claim, parts, language)
        marks = self.marks(claim, parts)
        return Support(
            about=_logistic(features @ np.array(_ABOUT) + _ABOUT_INTERCEPT),
            carried=_logistic(
                features @ np.array(_CARRIED)
                + marks @ np.array(_CARRIED_MARKS)
                + _CARRIED_INTERCEPT
            ),
            share=float(features[2]),
            denied_alone=float(features[2]) >= _DENIED_SHARE
            and bool(negations(claim))
            and not _denials(" ".join(parts)),
            opposed=self._opposed(claim, parts, language),
            marked=bool(marks[:3].any() or marks[3] > _IN_ORDER),
        )

    def features(
        self, claim: str, parts: Sequence[str], language: str = "en"
    ) -> NDArray[np.float64]:
        """(5,) what `_ABOUT` weighs, of a claim and the sentences of the cited words."""
        wanted, there = self._of(claim), [self._of(part) for part in parts]
        runs = [
            np.concatenate(there[at : at + size])
            for size in range(1, _MOST_SENTENCES + 1)
            for at in range(len(there) - size + 1)
        ]
        cosine = max(_cosine(wanted, run) for run in runs)
        overall = _cosine(wanted, np.concatenate(there))
        found = np.sort(_found(wanted, np.concatenate(there)))
        quarter = found[: max(1, len(found) // 4)]
        share = _share(claim, " ".join(parts), language)
        return np.array([cosine, overall, share, found.mean(), quarter.mean()])

    def marks(self, claim: str, parts: Sequence[str]) -> NDArray[np.float64]:
        """(4,) what an embedding does not see: 0 or 1, but for the order, a share."""
        text, nearest = " ".join(parts), self._nearest(claim, parts)
        denies, denied = negations(claim) > 0, _denials(nearest) > 0
        silent = not denies and not _denials(claim) and negations(nearest) > 0
        strong = _words(claim) & _STRONG - _words(text)
        order = _disorder(content_stems(claim), content_stems(text))
        return np.array([denies and not denied, silent, bool(strong), order], np.float64)

    def _opposed(self, claim: str, parts: Sequence[str], language: str) -> bool:
        nearest = self._nearest(claim, parts)
        both = min(_share(claim, nearest, language), _share(nearest, claim, language))
        return both >= _SAME and negations(claim) + negations(nearest) == 1

    def _nearest(self, claim: str, parts: Sequence[str]) -> str:
        """The clauses of the sentence in which the claim finds most that share a word with it."""
        scores = [float(_found(self._of(claim), self._of(part)).mean()) for part in parts]
        sentence = parts[int(np.argmax(scores))]
        wanted = set(content_stems(claim))
        near = [c for c in _clauses(sentence) if wanted & set(content_stems(c))]
        return " ".join(near) or sentence

    def _of(self, text: str) -> Vectors:
        """(its tokens, dimension), unit rows; one row where the embedder gives no tokens."""
        if text not in self._tokens:
            embed = getattr(self._embedder, "embed_tokens", None)
            rows = embed([text])[0] if embed else self._embedder.embed([text])
            self._tokens[text] = rows if len(rows) else self._embedder.embed([text])
        return self._tokens[text]


def _cosine(one: Vectors, other: Vectors) -> float:
    """Of the means of their tokens, which is how such models make one vector of a text."""
    a, b = one.mean(axis=0), other.mean(axis=0)
    return float(a @ b / max(1e-9, float(np.linalg.norm(a) * np.linalg.norm(b))))


def _found(wanted: Vectors, there: Vectors) -> NDArray[np.float64]:
    """For every token of the claim, the cosine of the nearest token."""
    nearest: NDArray[np.float64] = (wanted @ there.T).max(axis=1).astype(np.float64)
    return nearest


def _logistic(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


def _sentences(text: str) -> list[str]:
    flat = text.replace("\n", ". ")
    return [flat[a:b].strip() for a, b in sentences(flat)] or [flat]


def _clauses(sentence: str) -> list[str]:
    parts = [part.strip() for part in _CLAUSE.split(sentence) if len(part.split()) >= 3]
    return parts or [sentence]


def _share(claim: str, text: str, language: str) -> float:
    wanted = set(content_stems(claim, language))
    return len(wanted & set(content_stems(text, language))) / max(1, len(wanted))


def _denials(text: str) -> int:
    """Negations, and words that deny without one."""
    return negations(text) + len(_words(text) & _DENYING)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))


def _disorder(claim: Sequence[str], text: Sequence[str]) -> float:
    """Share of the pairs of shared words that stand in the other order."""
    first = {word: at for at, word in reversed(list(enumerate(text)))}
    places = [first[word] for word in dict.fromkeys(claim) if word in first]
    pairs = [(a, b) for at, a in enumerate(places) for b in places[at + 1 :]]
    return sum(a > b for a, b in pairs) / len(pairs) if pairs else 0.0

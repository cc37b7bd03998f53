"""Every passage that matches, not the best few: for "how many", "list every", "which videos".

A passage matches by the words it shares with what is looked for, weighted by how rare they are in
the library, and by how far its cosine lies above what is usual for this question. Both count for
all passages of the library: every posting of each word, and one product with all vectors.

The threshold is calibrated per question: a cosine is measured in robust standard deviations above
the median of the library's own cosines with the question, so that it needs no training and no
particular model. Without any word in common almost nothing is that far above; a passage with half
of the words (by weight) has to be somewhat similar, one with all of them matches whatever its
cosine, so that a mention in passing is not lost.

Measured on 148 topics of three collections (everyday videos: 82, talks: 40, tutorials: 26), gold
by synonyms and by a second annotator; precision, recall and F1 of the list, means over topics:

                                 everyday          talks             tutorials
    all words                    .98 .45 .54       .97 .48 .55       .93 .52 .58
    cosine alone (z > 4)         .64 .68 .59       .68 .36 .41       .90 .21 .27
    this                         .81 .70 .69       .86 .64 .68       .88 .66 .69
    F1 over all words            .09 to .21        .06 to .19        .02 to .20  (95% intervals)

Logistic regression on the same two scores, fitted on two of the collections, gave .69 .69 .64 on
the third.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.retrieve.filters import without_levels
from pipeline.retrieve.literals import Literal
from pipeline.retrieve.search import Query, query_vectors
from pipeline.retrieve.sought import Sought
from pipeline.types import Embedder, PassageIndex

Positions = NDArray[np.int64]
Scores = NDArray[np.float64]

THRESHOLD = 1.0
JUST_BELOW = 0.75  # what scores between this and the threshold is counted, not listed
# A passage scores (12 x share of the words + deviations) / 9, or deviations / 6 if that is more.
_WORDS = 12.0
_ENOUGH = 9.0
_ALONE = 6.0
_LEAST = -3.0  # deviations: all words and any cosine are then just enough
# Median and spread of so many cosines are as good as those of all, and take a millisecond.
_SAMPLE = 20_000
# Of few cosines the spread is uncertain: it counts as larger, by this number over theirs.
_UNCERTAIN = 10.0


@dataclass(frozen=True, slots=True)
class Matches:
    """Passages that match, ascending by position; `words` + `meaning` are their scores (m,).

    `below` are the positions that scored just below the threshold.
    """

    positions: Positions
    words: Scores
    meaning: Scores
    below: Positions

    @property
    def scores(self) -> Scores:
        return self.words + self.meaning

    def __len__(self) -> int:
        return len(self.positions)


def matches(
    index: PassageIndex,
    embedder: Embedder,
    wanted: Sought,
    *,
    hypothetical: Sequence[str] = (),
    allowed: NDArray[np.bool_] | None = None,
) -> Matches:
    """All passages that match among those `allowed` (n,), all when None.

    What matches does not depend on `allowed`: the whole library, but for its chapters and
    summaries, is what a passage is compared with. Costs one product with all vectors, and a look
    at every posting of each word: at 300,000 passages 35 ms, and 50 ms for each 100,000 passages
    that a word stands in.
    """
    usual = without_levels(index.table)
    deviations = _deviations(index, embedder, wanted.text, hypothetical, usual)
    shares, possible = _shares(index, wanted, usual)
    if allowed is not None:
        possible &= allowed
    words = _WORDS / _ENOUGH * shares
    meaning = np.maximum(deviations, _LEAST) / _ENOUGH
    alone = deviations / _ALONE
    by_meaning = alone > words + meaning
    words, meaning = np.where(by_meaning, 0.0, words), np.where(by_meaning, alone, meaning)
    scores = np.where(possible, (words + meaning).round(6), -np.inf)
    found = np.flatnonzero(scores >= THRESHOLD)
    below = np.flatnonzero((scores >= JUST_BELOW) & (scores < THRESHOLD))
    return Matches(found, words[found], meaning[found], below)


# ---------------------------------------------------------------- meaning


def _deviations(
    index: PassageIndex,
    embedder: Embedder,
    text: str,
    hypothetical: Sequence[str],
    usual: NDArray[np.bool_] | None,
) -> Scores:
    """(n,) how far each passage's cosine lies above the median of the `usual` ones (n,), in robust
    standard deviations; with hypothetical passages the mean of both vectors of a search
    (`search.query_vectors`).
    """
    vectors = query_vectors(embedder, Query(text, tuple(hypothetical)))
    cosines = index.cosine(vectors)
    total = np.zeros(cosines.shape[1])
    for row in cosines:
        total += _standardised(row, row if usual is None else row[usual])
    return total / len(cosines)


def _standardised(cosines: NDArray[np.float32], usual: NDArray[np.float32]) -> Scores:
    """Deviations from the median of `usual` over 1.4826 times the median absolute deviation, which
    for a normal distribution is the standard deviation (Rousseeuw and Croux 1993). All 0 where
    half of the cosines are the same.
    """
    sample = usual[:: max(1, -(-len(usual) // _SAMPLE))].astype(np.float64)
    middle = np.median(sample)
    spread = 1.4826 * np.median(np.abs(sample - middle)) * (1 + _UNCERTAIN / len(sample))
    if spread < 1e-6:
        return np.zeros(len(cosines))
    deviations: Scores = (cosines - middle) / spread
    return deviations


# ---------------------------------------------------------------- words


def _shares(
    index: PassageIndex, wanted: Sought, usual: NDArray[np.bool_] | None
) -> tuple[Scores, NDArray[np.bool_]]:
    """(n,) the share of the words that each passage has, of the alternatives the best; and which
    passages hold the literals of any alternative, all where one has none.
    """
    shares = np.zeros(len(index.table))
    possible = np.full(len(shares), not wanted.alternatives)
    for alternative in wanted.alternatives:
        share = _share(index, alternative.words, usual)
        if alternative.literals:
            stands = _standing(index, alternative.literals)
            enough = any(literal.enough for literal in alternative.literals)
            share = np.where(stands, 1.0 if enough else share, 0.0)
            possible |= stands
        else:
            possible[:] = True
        shares = np.maximum(shares, share)
    return shares, possible


def _share(index: PassageIndex, words: Sequence[str], usual: NDArray[np.bool_] | None) -> Scores:
    """(n,) the share of the words that each passage has, by their weight among `usual` ones."""
    share = np.zeros(len(index.table))
    held = [positions for positions, _ in index.words(words, len(share))]
    counted = [len(at) if usual is None else np.count_nonzero(usual[at]) for at in held]
    total = len(share) if usual is None else int(np.count_nonzero(usual))
    weights = _weights(np.array(counted), total)
    for positions, weight in zip(held, weights.tolist(), strict=True):
        share[positions] += weight
    share /= weights.sum()
    return np.minimum(share.round(9), 1.0, out=share)


def _weights(frequencies: NDArray[np.int64], total: int) -> Scores:
    """(w,) the weight of words that stand in so many passages: BM25's (Robertson and Sparck Jones
    1976). One that stands nowhere tells no passages apart: it weighs as the mean of the others.
    """
    weights = np.log1p((total - frequencies + 0.5) / (frequencies + 0.5))
    known = frequencies > 0
    if known.any():
        weights[~known] = weights[known].mean()
    return weights


def _standing(index: PassageIndex, literals: Sequence[Literal]) -> NDArray[np.bool_]:
    """(n,) which passages hold all literals as they are written."""
    result = np.ones(len(index.table), np.bool_)
    for literal in literals:
        held = [
            positions for positions, _ in index.words((*literal.words, literal.joined), len(result))
        ]
        counts = np.zeros(len(result), np.int64)
        for positions in held[:-1]:
            counts[positions] += 1
        candidates = np.union1d(np.flatnonzero(counts == len(literal.words)), held[-1])
        candidates = candidates[result[candidates]].astype(np.int64)
        stands = [literal.stands_in(text) for text in index.texts(candidates)]
        result = np.zeros(len(result), np.bool_)
        result[candidates[np.array(stands, np.bool_)]] = True
    return result

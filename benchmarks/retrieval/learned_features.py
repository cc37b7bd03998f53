"""What a search knows of its candidates: the features that `learned_fusion` learns from.

All are taken from what Footnote's own search returns and from the index it asked, so that they
follow the search when it changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluate.metrics import is_hit, score
from pipeline.evaluate.questions import Question
from pipeline.library import Library
from pipeline.retrieve.exact import EXACT, holds_rare_words, lift
from pipeline.retrieve.fuse import (
    HYDE_SIGNALS,
    NEIGHBOURS,
    QUESTION_SIGNALS,
    VIDEO,
    WINDOW_HYDE_SIGNALS,
    Scores,
    Signals,
    fuse,
)
from pipeline.retrieve.localize import moments
from pipeline.retrieve.search import RECIPE, Query, Ranked, query_vectors, search
from pipeline.store.analysis import passage_terms
from pipeline.types import Moment, PassageIndex, PassageTable

SIGNALS = (*HYDE_SIGNALS, *WINDOW_HYDE_SIGNALS)
CONTEXT = (NEIGHBOURS, VIDEO)
FEW = 80  # passages that ten moments are surely made of
FOLDS = 5

Rows = NDArray[np.float64]  # (n, m)
Scorer = Callable[["Asked"], Scores]  # (c,) scores of the candidates, none below 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and its candidates, best first as shipped. `signals` (s, c) are normalised;
    `looked` (w,) are the columns looked at closely, `features` theirs, greater is better, `right`
    whether the moment of such a passage is a hit; `held` (c,) is what a rule puts first."""

    where: tuple[str, str]  # collection, condition
    fold: int
    question: Question
    library: tuple[PassageTable, Mapping[str, float]]  # with the lengths of its videos
    ranked: Ranked
    signals: Mapping[str, Scores]
    looked: NDArray[np.int64]
    features: Mapping[str, Scores]
    right: NDArray[np.bool_]
    held: NDArray[np.bool_]

    def measured(self, scorer: Scorer) -> tuple[float, float]:
        scores = scorer(self)
        scores = scores + lift(scores, self.held)
        order = np.argsort(-scores, kind="stable")[:FEW]
        found = score(_found(self.library, self.ranked, order, scores[order]), self.question.gold)
        return found["mrr@10"], found["land@1"]

    def reordered(self, scores: Scores) -> Scores:
        """(c,) those looked at by their (w,) `scores`, all others below."""
        every = np.linspace(0.5, 0.0, len(self.ranked))
        every[self.looked] = 1 + scores - scores.min()
        return every

    def rows(self, names: Sequence[str]) -> Rows:
        """(w, f): each feature with mean 0 and spread 1 over the passages of the question."""
        values = np.stack([self.features[name] for name in names], axis=1)
        spread = values.std(axis=0)
        return np.asarray((values - values.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0))


@dataclass(frozen=True, slots=True)
class _Blind:
    """An index without texts, for `moments`: where they lie is all."""

    table: PassageTable

    def texts(self, positions: NDArray[np.int64]) -> list[str]:
        return [""] * len(positions)

    def passage_ids(self, positions: NDArray[np.int64]) -> list[str]:
        return ["any"] * len(positions)


def _found(
    library: tuple[PassageTable, Mapping[str, float]],
    ranked: Ranked,
    columns: NDArray[np.int64],
    scores: Scores,
) -> list[Moment]:
    assert ranked.focus is not None
    at, focus = ranked.positions[columns], ranked.focus[:, columns]
    chosen = Ranked(at, scores, scores, ("any",), scores[None], focus)
    return moments(chosen, _Blind(library[0]), {}, 10, library[1])  # type: ignore[arg-type]


# ---------------------------------------------------------------- what is known of a question


def ask(
    library: Library, lengths: Mapping[str, float], question: Question, where: tuple[str, str]
) -> Asked:
    index = library.index()
    table = index.table
    query = Query(question.text, question.hypothetical)
    ranked = search(index, library.embedder(), query, depth=len(table))
    at, videos = ranked.positions, table.video[ranked.positions]
    names = [name for name in ranked.names if name in SIGNALS]
    weights = RECIPE.weights(names, table.source[at])
    signals = dict(zip(names, ranked.parts[: len(names)] / weights, strict=True))

    def fused(names: Sequence[str]) -> Scores:
        some = Signals(tuple(names), np.stack([signals[name] for name in names]))
        where = table.source[at], table.start[at], table.end[at]
        return fuse(some, RECIPE, videos, *where).scores

    coarse = fused([name for name in names if name in HYDE_SIGNALS])
    looked = np.sort(np.argsort(-coarse, kind="stable")[: RECIPE.closely])
    held = np.zeros(len(at), np.bool_)
    if EXACT in ranked.names:
        held = ranked.parts[ranked.names.index(EXACT)] > 0
    elif question.hypothetical:  # as in `search`: what the question's rare words put first
        first = int(np.argmax(fused(QUESTION_SIGNALS)))
        held[first] = holds_rare_words(index, question.text, int(at[first]))
    features = {  # without hypothetical passages the question stands in for them
        name: (signals[name] if name in signals else signals[name.replace("hyde", "question")])
        for name in SIGNALS
    }
    ranks = {f"rank, {n}": -np.log1p(np.argsort(np.argsort(-f))) for n, f in features.items()}
    features |= ranks | {n: ranked.parts[ranked.names.index(n)] for n in CONTEXT}
    recipe = ranked.parts[[name != EXACT for name in ranked.names]].sum(axis=0)
    features |= {"recipe": recipe, "cosine": ranked.similarity}
    features = {name: np.asarray(values[looked], np.float64) for name, values in features.items()}
    cosines = index.cosine(query_vectors(library.embedder(), query)).mean(axis=0)
    features |= _of_video(table, at[looked], cosines.astype(np.float64), lengths)
    features |= _of_text(index, question.text, at[looked])
    here = table, lengths
    right = [
        any(is_hit(_found(here, ranked, column, np.ones(1))[0], gold) for gold in question.gold)
        for column in looked[:, None]
    ]
    fold = table.videos.index(question.gold[0].video_id) % FOLDS
    return Asked(
        where, fold, question, here, ranked, signals, looked, features, np.array(right), held
    )


def _of_video(
    table: PassageTable, at: NDArray[np.int64], cosines: Scores, lengths: Mapping[str, float]
) -> dict[str, Scores]:
    """Chapters are means of the cosines of so many passages around one."""
    order = np.lexsort((table.start, table.source, table.video))
    group = (table.video.astype(np.int64) * 256 + table.source)[order]
    place, sums, video = np.argsort(order)[at], np.r_[0.0, np.cumsum(cosines[order])], table.video
    first, last = (np.searchsorted(group, group[place], side) for side in ("left", "right"))
    best = np.full(len(table.videos), -1.0)
    np.maximum.at(best, video, cosines)
    length = np.array([max(lengths[table.videos[number]], 1.0) for number in video[at]])
    found = {
        "best of the video": best[video[at]],
        "earlier": -table.start[at] / length,
        "fewer passages": -np.log(np.bincount(video)[video[at]]),
        "shorter": -np.log(table.end[at] - table.start[at]),
    }
    for around in (2, 4):
        low, high = np.maximum(place - around, first), np.minimum(place + around + 1, last)
        found[f"chapter of {2 * around + 1}"] = (sums[high] - sums[low]) / (high - low)
    return found


def _of_text(index: PassageIndex, question: str, at: NDArray[np.int64]) -> dict[str, Scores]:
    terms = list(index.term_counts(question))
    rarity = dict(zip(terms, index.rarity(terms).tolist(), strict=True))

    def coverage(some: Sequence[str]) -> float:
        return sum(rarity[term] for term in rarity.keys() & set(some)) / (sum(rarity.values()) or 1)

    rows = []
    for text, windows in zip(index.texts(at), index.windows(at), strict=True):
        assert windows is not None
        said = passage_terms(text, windows.language)
        pairs = set(pairwise(passage_terms(question, windows.language)))
        shared = len(pairs & set(pairwise(said))) / max(len(pairs), 1)
        fine = max(coverage(passage_terms(part, windows.language)) for part in windows.texts)
        rows.append((coverage(said), fine, shared, _proximity(said, rarity)))
    names = ("coverage", "coverage by a window", "pairs of words", "proximity")
    return dict(zip(names, np.array(rows).T, strict=True))


def _proximity(said: Sequence[str], asked: Mapping[str, float]) -> float:
    """How many of the question's terms are there, by the shortest stretch that has all of them."""
    hits = [(place, term) for place, term in enumerate(said) if term in asked]
    wanted, held, first, shortest = len({term for _, term in hits}), Counter[str](), 0, len(said)
    for place, term in hits:
        held[term] += 1
        while held[hits[first][1]] > 1:
            held[hits[first][1]] -= 1
            first += 1
        if len(held) == wanted:
            shortest = min(shortest, place - hits[first][0] + 1)
    return wanted / shortest if wanted > 1 else 0.0

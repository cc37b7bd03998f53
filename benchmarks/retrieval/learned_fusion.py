"""Is a fusion that was learned better than the recipe, on a collection it has not seen?

    python -m benchmarks.retrieval.learned_fusion SETS... --out FOLDER --questions 710

Scoring: the passages that a search looks at closely are ordered anew, all others stay below them,
and moments are made as always. The figure is MRR@10 less that of the recipe, paired by question,
with a 95% bootstrap interval; then that of land@1. What is learned or chosen is learned or chosen
on all other collections, each counted once; `own` is learned on the other videos of the same
collection (five folds) and says whether there is anything to learn. To be accepted it must lose on
no collection and win on average. The recipe has an advantage: it was chosen with these
collections in sight. benchmarks/README.md has the result.

Needs scikit-learn, which comes with sentence-transformers; Footnote itself does not use it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval.learned_features import (
    CONTEXT,
    FOLDS,
    SIGNALS,
    Asked,
    Rows,
    Scorer,
    ask,
)
from benchmarks.retrieval.sets import find_collections, open_library
from pipeline.evaluate.metrics import estimates
from pipeline.retrieve.fuse import Scores, neighbour_sums, video_means
from pipeline.retrieve.search import RECIPE
from pipeline.settings import Settings

SEED = 20
PAIRS = 60  # drawn for each question

Learner = Callable[[Sequence[Asked], Scores, Sequence[str]], Scorer]


def measured(questions: Sequence[Asked], scorer: Scorer) -> Rows:
    """(n, 2) MRR@10 and land@1."""
    return np.array([asked.measured(scorer) for asked in questions])


def share_of_each(questions: Sequence[Asked]) -> Scores:
    """(n,) weights with which every collection and condition counts once; their mean is 1."""
    times = [sum(other.where == asked.where for other in questions) for asked in questions]
    shares = 1 / np.array(times, np.float64)
    return np.asarray(shares / shares.mean())


# ---------------------------------------------------------------- one parameter, chosen


def fused(
    asked: Asked,
    normalised: Callable[[Scores], Scores] = lambda scores: scores,
    power: float = 0.0,
    shift: float = 0.0,
) -> Scores:
    """The recipe with signals normalised otherwise, weighed by how peaked they are (to the
    `power`: 1 is Q2E), or with a shifted share of the words."""
    table, at = asked.library[0], asked.ranked.positions
    video, source = table.video[at], table.source[at]
    words = {name: min(max(share + shift, 0.0), 1.0) for name, share in RECIPE.words.items()}
    weights = replace(RECIPE, words=words).weights(tuple(asked.signals), source)
    peaked = np.array([_entropy(scores) ** -power for scores in asked.signals.values()])[:, None]
    weights = weights * peaked * (weights.sum(axis=0) / (weights * peaked).sum(axis=0))
    alone = (weights * np.stack([normalised(scores) for scores in asked.signals.values()])).sum(0)
    beside = RECIPE.neighbours * neighbour_sums(
        alone, video, source, table.start[at], table.end[at]
    )
    return np.asarray(alone + beside + RECIPE.video * video_means(alone, video), np.float64)


def _entropy(scores: Scores) -> float:
    """Of the softmax of what scored, as a share of the greatest there could be."""
    raised = np.exp(scores[scores > 0])
    if len(raised) < 2:
        return 1.0
    shares = raised / raised.sum()
    return float(-(shares * np.log(shares)).sum() / np.log(len(shares)))


def _standard(scores: Scores) -> Scores:
    """Over what scored, moved so that the worst of it stays 0."""
    scored = scores[scores > 0]
    return scores / ((scored.std() if len(scored) else 0.0) or 1.0)


def _softmax(asked: Asked, temperature: float) -> Scores:
    if not temperature:
        return fused(asked)
    return fused(asked, lambda s: np.expm1(s / temperature) / np.expm1(1 / temperature))


def _added(asked: Asked, values: Scores, weight: float) -> Scores:
    scores = fused(asked)
    scores[asked.looked] += weight * (values - values.min()) / (np.ptp(values) or 1.0)
    return scores


# What has one parameter: its values, of which 0 is the recipe, and the scores it makes.
Family = tuple[Sequence[float], Callable[[Asked, float], Scores]]
FAMILIES: dict[str, Family] = {
    "z-scores": ((1.0,), lambda a, _: fused(a, _standard)),
    "softmax, temperature": ((0.0, 2.0, 1.0, 0.5), _softmax),
    "entropy weights, power": ((0.0, -1.0, 1.0, 2.0, 4.0), lambda a, p: fused(a, power=p)),
    "words by length": (
        (0.0, -0.1, -0.05, 0.05, 0.1),
        lambda a, b: fused(a, shift=b * np.log(len(a.question.text.split()) / 10)),
    ),
    "words by coverage": (
        (0.0, -0.2, -0.1, 0.1, 0.2),
        lambda a, b: fused(a, shift=b * (a.features["coverage"].max() - 0.75)),
    ),
}
ADDED = (
    *("coverage", "coverage by a window", "pairs of words", "proximity", "shorter", "earlier"),
    *("fewer passages", "chapter of 5", "chapter of 9", "best of the video"),
)


def _adding(name: str) -> Family:
    return (0.0, 0.03, 0.06, 0.1, 0.2), lambda a, weight: _added(a, a.features[name], weight)


FAMILIES |= {f"+ {name}": _adding(name) for name in ADDED}


def chosen(questions: Sequence[Asked], family: Family) -> Rows:
    """Every collection with the value that is best on all others."""
    values, scores = family
    tables = [measured(questions, lambda a, v=v: scores(a, v)) for v in values]  # type: ignore[misc]
    found = np.zeros_like(tables[0])
    for inside, outside in left_out(questions):
        share = share_of_each([questions[i] for i in outside])
        worth = [round(float(np.average(t[outside, 0], weights=share)), 9) for t in tables]
        found[inside] = tables[int(np.argmax(worth))][inside]
    return found


# ---------------------------------------------------------------- many parameters, learned


def learn_pairs(asked: Sequence[Asked], shares: Scores, names: Sequence[str]) -> Scorer:
    """Logistic regression on the difference of a right passage and a wrong one (RankNet's loss,
    Burges et al. 2005)."""
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(SEED)
    rows = []
    for some in asked:
        values = some.rows(names)
        right, wrong = (random.choice(np.flatnonzero(f), PAIRS) for f in (some.right, ~some.right))
        rows.append(values[right] - values[wrong])
    pairs, each = np.concatenate(rows), np.repeat(shares, PAIRS)
    model = LogisticRegression(C=0.01, fit_intercept=False, max_iter=500)
    model.fit(
        np.concatenate([pairs, -pairs]),
        np.repeat([1, 0], len(pairs)),
        sample_weight=np.tile(each, 2),
    )
    return lambda some: some.reordered(some.rows(names) @ model.coef_[0])


def learn_positive(asked: Sequence[Asked], shares: Scores, names: Sequence[str]) -> Scorer:
    """Weights of 0 or more, such that the softmax over the passages of a question is at the right
    ones (ListNet, Cao et al. 2007); by projected gradient steps."""
    most = max(len(some.right) for some in asked)
    rows = np.zeros((len(asked), most, len(names)))
    there, right = np.zeros((2, len(asked), most))
    for i, some in enumerate(asked):
        size = len(some.right)
        rows[i, :size], there[i, :size], right[i, :size] = some.rows(names), 1.0, some.right
    weights = np.full(len(names), 0.1)
    for _ in range(300):
        odds = np.exp(np.clip(rows @ weights, -30, 30)) * there
        good = odds * right
        pull = good / good.sum(1, keepdims=True) - odds / odds.sum(1, keepdims=True)
        step = np.tensordot(pull * shares[:, None], rows, 2) / len(asked)
        weights = np.maximum(weights + 0.1 * (step - 2e-3 * weights), 0.0)
    return lambda some: some.reordered(some.rows(names) @ weights)


def learn_trees(asked: Sequence[Asked], shares: Scores, names: Sequence[str]) -> Scorer:
    """Boosted trees; the right and the wrong passages of a question count half of it each."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    each = [
        share * np.where(some.right, 0.5 / some.right.sum(), 0.5 / (~some.right).sum())
        for some, share in zip(asked, shares, strict=True)
    ]
    model = HistGradientBoostingClassifier(
        max_depth=3, max_iter=100, learning_rate=0.07, l2_regularization=1.0, random_state=SEED
    ).fit(
        np.concatenate([some.rows(names) for some in asked]),
        np.concatenate([some.right for some in asked]),
        sample_weight=np.concatenate(each) * 1000,
    )
    return lambda some: some.reordered(model.decision_function(some.rows(names)))


LEARNERS = {"pairs": learn_pairs, "weights of 0 or more": learn_positive, "trees": learn_trees}

# Questions that are measured, and those that are learned from or chosen on.
Split = tuple[NDArray[np.int64], NDArray[np.int64]]


def left_out(questions: Sequence[Asked]) -> list[Split]:
    names = np.array([asked.where[0] for asked in questions])
    return [(np.flatnonzero(names == n), np.flatnonzero(names != n)) for n in np.unique(names)]


def own(questions: Sequence[Asked]) -> list[Split]:
    """Folds of the videos of one collection."""
    names = np.array([asked.where[0] for asked in questions])
    folds = np.array([asked.fold for asked in questions])
    splits = []
    for name in np.unique(names):
        for fold in range(FOLDS):
            inside, outside = ((names == name) & f for f in (folds == fold, folds != fold))
            if inside.any():
                splits.append((np.flatnonzero(inside), np.flatnonzero(outside)))
    return splits


def learned(
    questions: Sequence[Asked], splits: Sequence[Split], learner: Learner, names: Sequence[str]
) -> Rows:
    found = np.zeros((len(questions), 2))
    for inside, outside in splits:
        asked = [questions[i] for i in outside]
        asked = [some for some in asked if some.right.any() and not some.right.all()]
        scorer = learner(asked, share_of_each(asked), names)
        found[inside] = measured([questions[i] for i in inside], scorer)
    return found


# ---------------------------------------------------------------- the study


def run(folders: Sequence[Path], out: Path, most: int) -> None:
    questions: list[Asked] = []
    for collection in find_collections(folders):
        with open_library(collection, out, Settings(profile="embedded")) as library:
            lengths = {video.video_id: video.duration for video in library.videos()}
            for condition, some in collection.questions(most).items():
                where = collection.name, condition
                questions += [ask(library, lengths, question, where) for question in some]
    places = list(dict.fromkeys(asked.where for asked in questions))
    at = [[i for i, asked in enumerate(questions) if asked.where == place] for place in places]

    def show(name: str, table: Rows) -> None:
        cells = []
        for here in at:
            mrr, land = estimates(table[here])
            cells.append(f"{mrr.value:.3f} [{mrr.low:.3f}, {mrr.high:.3f}]; {land.value:.3f}")
        mean = np.mean([table[here, 0].mean() for here in at])
        print(" | ".join((f"| {name}", *cells, f"{mean:.4f} |")), flush=True)

    print(" | ".join(("| ", *(f"{a}, {b}" for a, b in places), "mean |")))
    print("|---" * (2 + len(places)) + "|")
    recipe = measured(questions, fused)
    show("the recipe", recipe)
    for name, family in FAMILIES.items():
        show(name, chosen(questions, family) - recipe)
    every = tuple(questions[0].features)
    for kind, names in {"signals": (*SIGNALS, *CONTEXT), "all features": every}.items():
        for name, learner in LEARNERS.items():
            for how, splits in {"": left_out(questions), "own: ": own(questions)}.items():
                table = learned(questions, splits, learner, names)
                show(f"{how}{name}, {kind}", table - recipe)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--questions", type=int, default=710, metavar="N")
    given = parser.parse_args()
    run(given.sets, given.out, given.questions)


if __name__ == "__main__":
    main()

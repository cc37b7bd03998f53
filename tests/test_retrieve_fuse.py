"""Fusing scores: each function against a plain loop, and the recipe against its promises."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.retrieve.fuse import (
    ADJACENT_SECONDS,
    DENSE_HYDE,
    DENSE_QUESTION,
    HYDE_SIGNALS,
    QUESTION_SIGNALS,
    WINDOW_HYDE,
    WINDOW_HYDE_SIGNALS,
    WINDOW_QUESTION,
    WINDOW_SIGNALS,
    Recipe,
    Signals,
    fuse,
    min_max,
    neighbour_sums,
    reciprocal_ranks,
    video_means,
)
from pipeline.types import SOURCES

SCORES = st.lists(st.integers(-20, 20).map(float), max_size=30).map(
    lambda values: np.array(values, np.float64)
)


def candidates(count: int, seed: int) -> tuple[np.ndarray, ...]:
    """Columns of random candidates: scores, video, source, start, end."""
    random = np.random.default_rng(seed)
    start = random.integers(0, 30, count) * 10.0
    return (
        random.random(count),
        random.integers(0, 3, count).astype(np.int32),
        random.integers(0, 2, count).astype(np.uint8),
        start,
        start + random.integers(5, 40, count),
    )


def test_min_max_maps_the_best_to_one_and_the_last_kept_to_zero() -> None:
    result = min_max(np.array([2.0, 8.0, 4.0, 5.0, 0.0]), top=3)
    assert result.tolist() == [0.0, 1.0, 0.0, 0.25, 0.0]


@given(SCORES, st.integers(1, 40))
def test_min_max_is_bounded_and_keeps_the_order(scores: np.ndarray, top: int) -> None:
    result = min_max(scores, top)
    assert ((result >= 0) & (result <= 1)).all()
    order = np.argsort(-scores, kind="stable")
    assert (np.diff(result[order]) <= 0).all()
    assert np.count_nonzero(result) <= top


@pytest.mark.parametrize(("scores", "expected"), [([3.0], [1.0]), ([0.0], [0.0]), ([], [])])
def test_min_max_of_lists_without_spread(scores: list[float], expected: list[float]) -> None:
    assert min_max(np.array(scores)).tolist() == expected


def test_a_rare_word_that_one_passage_has_counts_fully() -> None:
    assert min_max(np.array([0.0, 0.0, 7.3, 0.0])).tolist() == [0.0, 0.0, 1.0, 0.0]


def test_reciprocal_ranks_leave_out_what_scored_nothing() -> None:
    result = reciprocal_ranks(np.array([0.0, 5.0, 9.0, -1.0]))
    assert result.tolist() == [0.0, 1 / 62, 1 / 61, 0.0]


MEANING = (DENSE_QUESTION, DENSE_HYDE, WINDOW_QUESTION, WINDOW_HYDE)
EVERY = [
    QUESTION_SIGNALS,
    HYDE_SIGNALS,
    (*QUESTION_SIGNALS, *WINDOW_SIGNALS),
    (*HYDE_SIGNALS, *WINDOW_HYDE_SIGNALS),
]


@pytest.mark.parametrize("names", EVERY)
def test_weights_of_a_candidate_sum_to_one_and_captions_lean_on_meaning(
    names: tuple[str, ...],
) -> None:
    source = np.arange(len(SOURCES), dtype=np.uint8)
    weights = Recipe().weights(names, source)
    assert weights.shape == (len(names), len(SOURCES))
    assert weights.sum(axis=0) == pytest.approx(1.0)
    meaning = weights[[name in MEANING for name in names]].sum(axis=0)
    assert meaning[SOURCES.index("caption")] > 0.5 > meaning[SOURCES.index("speech")]


@given(st.integers(0, 25), st.integers(0, 10**6))
def test_neighbours_are_those_before_and_after_in_time(count: int, seed: int) -> None:
    scores, video, source, start, end = candidates(count, seed)
    order = sorted(range(count), key=lambda i: (video[i], source[i], start[i], end[i]))
    expected = np.zeros(count)
    for before, after in pairwise(order):
        same = (video[before], source[before]) == (video[after], source[after])
        if same and start[after] - end[before] <= ADJACENT_SECONDS:
            expected[before] += scores[after]
            expected[after] += scores[before]
    assert neighbour_sums(scores, video, source, start, end) == pytest.approx(expected)


@given(st.integers(0, 25), st.integers(0, 10**6))
def test_a_video_counts_by_its_three_best(count: int, seed: int) -> None:
    scores, video, *_ = candidates(count, seed)
    expected = [sum(sorted(scores[video == v])[-3:]) / 3 for v in video]
    assert video_means(scores, video) == pytest.approx(np.array(expected))


@given(st.integers(1, 25), st.integers(0, 10**6), st.booleans(), st.integers(0, 25))
def test_the_parts_explain_the_score(count: int, seed: int, hyde: bool, closely: int) -> None:
    _, *columns = candidates(count, seed)
    random = np.random.default_rng(seed)
    names = HYDE_SIGNALS if hyde else QUESTION_SIGNALS
    fine = WINDOW_HYDE_SIGNALS if hyde else WINDOW_SIGNALS
    looked_at = random.permutation(count)[: min(closely, count)]
    windows = (looked_at, random.random((len(fine), len(looked_at)))) if closely else None
    fused = fuse(Signals(names, random.random((len(names), count)), windows), Recipe(), *columns)
    signals = len(names) + (len(fine) if closely else 0)
    assert len(fused.names) == len(fused.parts) == signals + 2
    assert fused.parts.sum(axis=0) == pytest.approx(fused.scores)
    assert (fused.parts >= 0).all()


def test_what_was_looked_at_closely_can_only_gain_by_it() -> None:
    apart = np.arange(4) * 1000.0
    columns = (np.arange(4, dtype=np.int32), np.zeros(4, np.uint8), apart, apart + 30)
    level = np.full((2, 4), 0.5)
    windows = (np.array([1, 3]), np.array([[0.2, 0.9], [0.0, 3.0]]))
    fused = fuse(Signals(QUESTION_SIGNALS, level, windows), Recipe(), *columns)
    assert fused.scores.argmax() == 3
    assert fused.scores[1] == fused.scores[0] == fused.scores[2]


def test_the_same_signals_rank_speech_by_words_and_captions_by_meaning() -> None:
    dense, words = [0.9, 0.1, 0.9, 0.1], [0.0, 9.0, 0.0, 9.0]
    source = np.array([SOURCES.index(name) for name in ("speech", "speech", "caption", "caption")])
    apart = np.arange(4) * 1000.0
    fused = fuse(
        Signals(QUESTION_SIGNALS, np.array([dense, words])),
        Recipe(),
        np.arange(4, dtype=np.int32),
        source.astype(np.uint8),
        apart,
        apart + 30,
    )
    assert fused.scores[1] > fused.scores[0]  # speech: the words
    assert fused.scores[2] > fused.scores[3]  # captions: the meaning

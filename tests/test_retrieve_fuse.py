"""Fusing scores: each function against a plain loop, and the recipe against its promises."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.retrieve.fuse import (
    ADJACENT_SECONDS,
    Recipe,
    fuse,
    min_max,
    neighbour_sums,
    reciprocal_ranks,
    source_weights,
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


def test_weights_of_a_candidate_sum_to_one_and_captions_lean_on_meaning() -> None:
    words = Recipe().words
    source = np.arange(len(SOURCES), dtype=np.uint8)
    for signals in (2, 4):
        weights = source_weights(words, source, signals)
        assert weights.shape == (signals, len(SOURCES))
        assert weights.sum(axis=0) == pytest.approx(1.0)
        dense = weights[: signals // 2].sum(axis=0)
        assert dense[SOURCES.index("caption")] > 0.5 > dense[SOURCES.index("speech")]


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


@given(st.integers(1, 25), st.integers(0, 10**6), st.sampled_from([2, 4]))
def test_the_parts_explain_the_score(count: int, seed: int, signals: int) -> None:
    _, *columns = candidates(count, seed)
    raw = np.random.default_rng(seed).random((signals, count))
    fused = fuse(raw, Recipe(), *columns)
    assert len(fused.names) == len(fused.parts) == signals + 2
    assert fused.parts.sum(axis=0) == pytest.approx(fused.scores)
    assert (fused.parts >= 0).all()


def test_the_same_signals_rank_speech_by_words_and_captions_by_meaning() -> None:
    dense, words = [0.9, 0.1, 0.9, 0.1], [0.0, 9.0, 0.0, 9.0]
    source = np.array([SOURCES.index(name) for name in ("speech", "speech", "caption", "caption")])
    apart = np.arange(4) * 1000.0
    fused = fuse(
        np.array([dense, words]),
        Recipe(),
        np.arange(4, dtype=np.int32),
        source.astype(np.uint8),
        apart,
        apart + 30,
    )
    assert fused.scores[1] > fused.scores[0]  # speech: the words
    assert fused.scores[2] > fused.scores[3]  # captions: the meaning

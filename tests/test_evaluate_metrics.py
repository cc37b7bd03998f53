"""The metrics, against cases worked out by hand and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluate.metrics import (
    METRICS,
    Estimate,
    Span,
    columns,
    estimates,
    iou,
    is_hit,
    is_landing,
    score,
)

GOLD = Span("a", 100, 200)
SPANS = st.builds(
    lambda video_id, start, length: Span(video_id, start / 4, (start + length) / 4),
    st.sampled_from("ab"),
    st.integers(0, 400),
    st.integers(1, 400),
)


def test_iou_of_known_intervals() -> None:
    assert iou(Span("a", 150, 250), GOLD) == pytest.approx(50 / 150)
    assert iou(GOLD, GOLD) == 1.0
    assert iou(Span("a", 0, 100), GOLD) == 0.0
    assert iou(Span("b", 100, 200), GOLD) == 0.0


@given(SPANS, SPANS)
def test_iou_is_symmetric_and_bounded(one: Span, other: Span) -> None:
    assert 0.0 <= iou(one, other) <= 1.0
    assert iou(one, other) == iou(other, one)


@pytest.mark.parametrize(
    ("found", "hit"),
    [
        (Span("a", 140, 150), True),  # midpoint inside, IoU .1
        (Span("a", 90, 110), True),  # midpoint on the edge
        (Span("a", 89, 110), False),  # midpoint outside, IoU .09
        (Span("a", 0, 180), True),  # midpoint outside, IoU .4
        (Span("a", 0, 150), False),  # midpoint outside, IoU .25
        (Span("b", 100, 200), False),
    ],
)
def test_hits(found: Span, hit: bool) -> None:
    assert is_hit(found, GOLD) is hit


@pytest.mark.parametrize(
    ("start", "lands"), [(90, True), (89.9, False), (150, True), (200, True), (200.1, False)]
)
def test_landings(start: float, lands: bool) -> None:
    assert is_landing(Span("a", start, start + 500), GOLD) is lands
    assert not is_landing(Span("b", start, start + 500), GOLD)


def test_scores_of_a_ranking() -> None:
    miss, elsewhere = Span("a", 300, 330), Span("b", 100, 200)
    values = score([elsewhere, miss, Span("a", 110, 160)], [GOLD])
    assert values == {
        "mrr@10": 1 / 3,
        "hit@1": 0.0,
        "hit@5": 1.0,
        "hit@10": 1.0,
        "land@1": 0.0,
        "land@5": 1.0,
        "land@10": 1.0,
        "video@1": 0.0,
        "video@5": 1.0,
        "video@10": 1.0,
        "iou@1": 0.0,
    }
    assert set(values) == set(METRICS)


def test_several_gold_spans_are_alternatives() -> None:
    gold = [Span("b", 0, 10), GOLD]
    assert score([Span("a", 110, 190)], gold)["hit@1"] == 1.0
    assert score([Span("a", 110, 190)], gold)["iou@1"] == pytest.approx(0.8)
    assert score([Span("b", 0, 10)], gold)["iou@1"] == 1.0


def test_what_comes_after_ten_does_not_count() -> None:
    misses = [Span("c", n, n + 1) for n in range(10)]
    assert not any(score([*misses, GOLD], [GOLD]).values())
    assert score([*misses[:9], GOLD], [GOLD])["mrr@10"] == pytest.approx(0.1)
    assert score([*misses[:5], GOLD], [GOLD])["hit@5"] == 0.0


def test_nothing_found_scores_nothing() -> None:
    assert set(score([], [GOLD]).values()) == {0.0}


def test_columns_follow_the_metrics() -> None:
    rows = [score([GOLD], [GOLD]), score([], [GOLD])]
    table = columns(rows)
    assert table.shape == (2, len(METRICS))
    assert table[0].tolist() == [1.0] * len(METRICS)
    assert table[1].tolist() == [0.0] * len(METRICS)


def test_intervals_hold_the_mean_and_are_the_same_every_time() -> None:
    values = np.random.default_rng(1).random((300, 3))
    first, again = estimates(values), estimates(values)
    assert first == again
    for column, estimate in zip(values.T, first, strict=True):
        assert estimate.low < estimate.value < estimate.high
        assert estimate.value == pytest.approx(column.mean())
        # The normal approximation of the standard error, which 300 values warrant.
        error = 1.96 * column.std() / np.sqrt(len(column))
        assert estimate.high - estimate.value == pytest.approx(error, rel=0.15)
        assert estimate.value - estimate.low == pytest.approx(error, rel=0.15)


def test_a_paired_difference_is_surer_than_two_means() -> None:
    random = np.random.default_rng(2)
    hard = random.random((200, 1))  # questions differ more than the systems do
    ours, theirs = hard + 0.05, hard + 0.01 * random.random((200, 1))
    (difference,) = estimates(ours - theirs)
    assert difference.low > 0
    assert estimates(theirs)[0].high > estimates(ours)[0].low


def test_intervals_at_the_edges() -> None:
    assert estimates(np.ones((5, 1))) == [Estimate(1.0, 1.0, 1.0)]
    assert estimates(np.array([[0.25]])) == [Estimate(0.25, 0.25, 0.25)]

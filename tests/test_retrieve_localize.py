"""Moments: where they lie, what they show, and what must hold whatever was found."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.embedding import load_embedder
from pipeline.retrieve.localize import LEAD_SECONDS, LEAST_SECONDS, moments
from pipeline.retrieve.search import Query, Ranked, search
from pipeline.types import MAX_MOMENT_SECONDS, Moment, Passage, Source
from tests.memory_index import MemoryIndex, memory_index, passage, windowed

Row = tuple[str, Passage, float]  # video, passage, score


def ranking(rows: list[Row], seed: int | None = None) -> tuple[Ranked, MemoryIndex]:
    """Passages ranked by the scores given; two signals share each score.

    With a `seed` each has a window that answers best, somewhere in it.
    """
    index = memory_index([(video_id, row) for video_id, row, _ in rows])
    scores = np.array([score for *_, score in rows])
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    parts = np.stack([scores * 0.75, scores * 0.25])
    focus = None
    if seed is not None:
        start, length = index.table.start[order], (index.table.end - index.table.start)[order]
        share = np.random.default_rng(seed).random((2, len(order)))
        focus = np.stack([start + share.min(axis=0) * length, start + share.max(axis=0) * length])
    return Ranked(order, scores, scores, ("words", "dense"), parts, focus), index


def found(rows: list[Row], k: int = 10, seed: int | None = None) -> list[Moment]:
    ranked, index = ranking(rows, seed)
    return moments(ranked, index, {"a": "The talk"}, k)


def hit(source: Source, start: float, end: float, score: float, video_id: str = "a") -> Row:
    return video_id, passage(source, start, end, f"{source} {start}"), score


def spans(shown: list[Moment]) -> list[tuple[float, float]]:
    return [(moment.start, moment.end) for moment in shown]


# ---------------------------------------------------------------- what always holds


@st.composite
def rankings(draw: st.DrawFn) -> list[Row]:
    """Hits of a few videos and all sources: short, long, nested, equal, touching, tied."""
    second = st.integers(0, 400).map(lambda n: n / 4)
    length = st.one_of(
        st.sampled_from([0.25, 15.0, 30.0, 60.0, 60.25]),
        st.integers(1, 1200).map(lambda n: n / 4),
    )
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from("ab"),
                st.sampled_from(["speech", "screen", "caption", "sound", "chapter"]),
                second,
                length,
                st.integers(0, 20),
            ),
            max_size=25,
        )
    )
    return [
        (video_id, passage(source, start, start + long, f"{source} {start}"), score / 20)
        for video_id, source, start, long, score in rows
    ]


@settings(deadline=None)
@given(rankings(), st.integers(1, 30), st.none() | st.integers(0, 99))
def test_the_contract_of_moments(rows: list[Row], k: int, seed: int | None) -> None:
    shown = found(rows, k, seed)
    assert shown == found(rows, k, seed)  # deterministic
    assert len(shown) <= k
    assert bool(shown) == bool(rows)
    order = [(-moment.score, moment.video_id, moment.start) for moment in shown]
    assert order == sorted(order)
    by_video: dict[str, list[Moment]] = defaultdict(list)
    for moment in shown:
        by_video[moment.video_id].append(moment)
        assert 0 <= moment.start < moment.end
        assert moment.passages
        for part in moment.passages:
            assert min(part.end, moment.end) > max(part.start, moment.start)
        if moment.end - moment.start > MAX_MOMENT_SECONDS + 1e-9:
            assert {part.source for part in moment.passages} == {"caption"}
            assert len({(part.start, part.end) for part in moment.passages}) == 1
        assert sum(moment.why.values()) == pytest.approx(moment.score)
        assert moment.text == "\n".join(part.text for part in moment.passages)
    for moments_of_one in by_video.values():
        in_time = sorted(moments_of_one, key=lambda moment: moment.start)
        assert all(before.end <= after.start for before, after in pairwise(in_time))


@settings(deadline=None)
@given(rankings())
def test_fewer_moments_are_the_first_of_more(rows: list[Row]) -> None:
    assert found(rows, 3) == found(rows, 100)[:3]


@settings(deadline=None)
@given(rankings())
def test_no_passage_is_shown_twice_and_the_best_is_never_lost(rows: list[Row]) -> None:
    shown = found(rows, 100)
    ids = [part.id for moment in shown for part in moment.passages]
    assert len(ids) == len(set(ids))
    if rows:
        ranked, index = ranking(rows)
        assert index.passage_ids(ranked.positions[:1])[0] in ids


@settings(deadline=None)
@given(rankings())
def test_a_moment_scores_at_least_what_its_best_passage_does(rows: list[Row]) -> None:
    ranked, index = ranking(rows)
    scores = dict(zip(index.passage_ids(ranked.positions), ranked.scores, strict=True))
    for moment in found(rows, 100):
        best = max(scores[part.id] for part in moment.passages)
        sources = len({part.source for part in moment.passages})
        assert best <= moment.score <= best * (1 + (sources - 1) / 2) + 1e-9


# ---------------------------------------------------------------- what a person would expect


def test_passages_of_one_source_stay_moments_of_their_own() -> None:
    shown = found([hit("speech", 0, 30, 0.5), hit("speech", 30, 60, 0.9), hit("speech", 60, 90, 1)])
    assert spans(shown) == [(60, 90), (30, 60), (0, 30)]
    assert [moment.score for moment in shown] == [1.0, 0.9, 0.5]


def test_what_was_said_and_shown_at_one_time_is_one_moment() -> None:
    shown = found([hit("screen", 35, 50, 0.8), hit("speech", 20, 45, 1.0)])
    assert spans(shown) == [(20, 50)]
    (moment,) = shown
    assert moment.title == "The talk"
    assert [part.source for part in moment.passages] == ["speech", "screen"]
    assert moment.text == "speech 20\nscreen 35"
    assert moment.score == pytest.approx(1.4)  # a second source counts half
    assert moment.why == pytest.approx({"words": 1.05, "dense": 0.35})


def test_a_second_source_lifts_a_moment_above_a_better_single_one() -> None:
    shown = found(
        [hit("speech", 0, 30, 1.0), hit("speech", 100, 130, 0.9), hit("screen", 110, 125, 0.8)]
    )
    assert spans(shown) == [(100, 130), (0, 30)]


def test_the_other_video_is_another_moment() -> None:
    shown = found([hit("speech", 0, 30, 1.0), hit("screen", 0, 30, 0.9, "b")])
    assert [(moment.video_id, moment.title) for moment in shown] == [("a", "The talk"), ("b", "b")]


def test_neighbours_that_only_touch_stay_apart() -> None:
    assert len(found([hit("speech", 0, 30, 1.0), hit("screen", 30, 60, 0.9)])) == 2
    jitter = found([hit("speech", 0, 30, 1.0), hit("screen", 29.5, 60, 0.9)])
    assert spans(jitter) == [(0, 30), (30, 60)]


def test_a_moment_grows_to_sixty_seconds_and_no_further() -> None:
    assert spans(found([hit("speech", 0, 40, 1.0), hit("screen", 20, 60, 0.9)])) == [(0, 60)]
    (long,) = found([hit("speech", 0, 40, 1.0), hit("screen", 20, 61, 0.9)])
    assert (long.start, long.end, len(long.passages)) == (0, 40, 2)


def test_a_moment_does_not_grow_into_a_better_one() -> None:
    shown = found(
        [hit("speech", 30, 60, 1.0), hit("speech", 0, 30, 0.9), hit("screen", 10, 28, 0.5)]
    )
    assert spans(shown) == [(0, 30), (30, 60)]
    grown = found(
        [hit("speech", 30, 60, 1.0), hit("speech", 5, 28, 0.9), hit("caption", 0, 35, 0.5)]
    )
    assert spans(grown) == [(5, 30), (30, 60)]


@pytest.mark.parametrize("source", ["screen", "chapter"])
def test_a_slide_that_stood_for_minutes_is_placed_where_it_was_talked_about(
    source: Source,
) -> None:
    shown = found([hit(source, 60, 360, 1.0), hit("speech", 200, 230, 0.7)])
    assert spans(shown) == [(200, 230)]
    assert {part.source for part in shown[0].passages} == {source, "speech"}
    late = found([hit(source, 60, 360, 0.7), hit("speech", 200, 230, 1.0)])
    assert spans(late) == [(200, 230)]


def test_a_slide_is_not_placed_into_a_better_moment() -> None:
    shown = found(
        [hit("speech", 20, 58, 1.0), hit("screen", 60, 360, 0.9), hit("sound", 50, 90, 0.8)]
    )
    assert spans(shown) == [(58, 90), (20, 58)]


def test_a_slide_nobody_talked_about_is_shown_from_its_beginning() -> None:
    assert spans(found([hit("screen", 60, 360, 1.0)])) == [(60, 120)]
    weak = found([hit("screen", 60, 360, 1.0), hit("speech", 200, 230, 0.1)])
    assert spans(weak) == [(60, 120), (200, 230)]


def test_a_slide_does_not_flood_the_list() -> None:
    talk = [hit("speech", 60 + 30 * n, 90 + 30 * n, 0.6 - n / 100) for n in range(8)]
    shown = found([hit("screen", 60, 360, 1.0), *talk])
    assert sum("screen" in {part.source for part in moment.passages} for moment in shown) == 1
    assert spans(shown)[0] == (60, 90)
    assert len(shown) == 8


def test_a_slide_with_more_text_than_a_passage_holds_is_one_moment() -> None:
    parts = [hit("screen", 60, 360, score) for score in (1.0, 0.9, 0.8)]
    (moment,) = found(parts)
    assert (moment.start, moment.end) == (60, 120)
    assert len(moment.passages) == 3
    assert moment.score == 1.0


def test_a_long_caption_alone_is_shown_whole_and_else_where_something_matched() -> None:
    assert spans(found([hit("caption", 10, 150, 1.0)])) == [(10, 150)]
    placed = found([hit("caption", 10, 150, 1.0), hit("speech", 50, 80, 0.9)])
    assert spans(placed) == [(50, 80)]


def test_overlapping_captions_do_not_overlap_as_moments() -> None:
    nested = found([hit("caption", 10, 50, 1.0), hit("caption", 0, 55, 0.9)])
    assert spans(nested) == [(10, 50)]
    assert len(nested[0].passages) == 2
    assert nested[0].score == 1.0  # one source is one voice
    beside = found([hit("caption", 10, 50, 1.0), hit("caption", 40, 80, 0.9)])
    assert spans(beside) == [(10, 50), (50, 80)]


def test_nothing_found_is_no_moment() -> None:
    assert found([]) == []


def test_passages_deleted_since_the_index_was_opened_are_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [hit("speech", 0, 30, 1.0), hit("screen", 5, 25, 0.9), hit("speech", 100, 130, 0.8)]
    ranked, index = ranking(rows)
    monkeypatch.setattr(index, "passage_ids", lambda at: ["" if p != 1 else "p1" for p in at])
    (moment,) = moments(ranked, index, {})
    assert [part.source for part in moment.passages] == ["screen"]


def test_a_search_gives_moments_that_hold_the_answer() -> None:
    embedder = load_embedder("fake:64")
    index = memory_index(
        [
            ("council", passage("speech", 0, 30, "Good morning and welcome everybody.")),
            ("council", passage("speech", 30, 58, "Maria proposed a second ferry line.")),
            ("council", passage("screen", 25, 55, "Proposal: second ferry line")),
            ("cooking", passage("speech", 0, 30, "Fry the onions until golden.")),
        ],
        embedder,
    )
    ranked = search(index, embedder, Query("who proposed the ferry line?"))
    best = moments(ranked, index, {"council": "Council"}, k=2)[0]
    assert (best.video_id, best.title, best.start, best.end) == ("council", "Council", 30, 58)
    assert "Maria" in best.text and "Proposal" in best.text
    assert best.why["words_question"] > 0


TALK = windowed(
    100,
    "Good evening to all of you.",
    "The harbour was built long ago.",
    "The lighthouse keeper is Tobias Crane.",
    "We come to the weather.",
)


def test_a_moment_begins_just_before_the_window_that_answers() -> None:
    embedder = load_embedder("fake:64")
    index = memory_index([("talk", TALK)], embedder)
    ranked = search(index, embedder, Query("who is the lighthouse keeper?"))
    best = moments(ranked, index, {}, lengths={"talk": 200})[0]
    assert (best.start, best.end) == (120 - LEAD_SECONDS, 118 + LEAST_SECONDS)
    assert [(p.start, p.end, p.text) for p in best.passages] == [(100, 140, TALK.text)]


def test_a_moment_ends_with_its_video_or_its_passage() -> None:
    embedder = load_embedder("fake:64")
    index = memory_index([("talk", TALK)], embedder)
    ranked = search(index, embedder, Query("what comes after the weather?"))
    ends = [moments(ranked, index, {}, lengths=known)[0].end for known in ({}, {"talk": 141.5})]
    assert ends == [140, 141.5]


def test_a_caption_is_shown_whole_whichever_window_answers() -> None:
    embedder = load_embedder("fake:64")
    index = memory_index([("talk", replace(TALK, source="caption"))], embedder)
    ranked = search(index, embedder, Query("who is the lighthouse keeper?"))
    assert spans(moments(ranked, index, {})) == [(100, 140)]


def test_a_moment_begins_where_its_best_source_does() -> None:
    """What stood on the screen long before does not draw it back."""
    grown = found([hit("speech", 30, 45, 1.0), hit("screen", 10, 50, 0.5)])
    assert spans(grown) == [(30, 50)]


@pytest.mark.parametrize(
    ("cuts", "start"),
    [([0, 119, 126], 119), ([0, 120], 120), ([0, 117], 118), ([], 118), ([0, 118.5, 119.5], 119.5)],
)
def test_the_lead_keeps_to_the_shot_of_the_answer(cuts: list[float], start: float) -> None:
    embedder = load_embedder("fake:64")
    index = memory_index([("talk", TALK)], embedder)
    ranked = search(index, embedder, Query("who is the lighthouse keeper?"))
    best = moments(ranked, index, {}, cuts=lambda _: {"talk": cuts})[0]
    assert best.start == start
    assert best.end == 118 + LEAST_SECONDS


@settings(deadline=None)
@given(
    rankings(),
    st.lists(st.integers(0, 400).map(lambda n: n / 4), max_size=40).map(sorted),
    st.none() | st.integers(0, 99),
)
def test_cuts_only_shorten_leads(rows: list[Row], cuts: list[float], seed: int | None) -> None:
    ranked, index = ranking(rows, seed)
    before = moments(ranked, index, {}, 100)
    after = moments(ranked, index, {}, 100, cuts=lambda _: {"a": cuts})
    for old, new in zip(before, after, strict=True):
        assert replace(new, start=old.start) == old
        assert old.start <= new.start <= old.start + LEAD_SECONDS
        assert new.start < new.end

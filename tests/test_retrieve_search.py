"""Search: what is found, in which order, and that every way to it gives the same answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import LibraryNotFound, UsageError
from pipeline.models.embedding import load_embedder
from pipeline.retrieve.fuse import (
    HYDE_SIGNALS,
    NEIGHBOURS,
    QUESTION_SIGNALS,
    VIDEO,
    WINDOW_HYDE_SIGNALS,
    WINDOW_SIGNALS,
)
from pipeline.retrieve.search import Query, Ranked, query_vectors, search
from pipeline.types import Passage
from tests.memory_index import MemoryIndex, memory_index, passage

EMBEDDER = load_embedder("fake:64")
WORDS = [
    *("lantern", "harbour", "copper", "violin", "meadow", "orbit", "saffron", "glacier"),
    *("pepper", "thunder", "ribbon", "walnut", "anchor", "velvet", "cactus", "marble"),
]


def made_library(count: int, seed: int = 7) -> MemoryIndex:
    """Passages of random words in a few videos, of two sources."""
    random = np.random.default_rng(seed)
    passages: list[tuple[str, Passage]] = []
    for number in range(count):
        text = " ".join(random.choice(WORDS, random.integers(3, 12)))
        start = 30.0 * (number // 7)
        source = "caption" if number % 3 == 0 else "speech"
        passages.append((f"video-{number % 7}", passage(source, start, start + 30, text)))
    return memory_index(passages, EMBEDDER)


def table_rows(ranked: Ranked) -> list[tuple[int, float]]:
    return list(zip(ranked.positions.tolist(), ranked.scores.tolist(), strict=True))


FERRY = [
    ("ferry", passage("speech", 0, 30, "Good morning everybody and welcome to the council.")),
    ("ferry", passage("speech", 30, 60, "Maria proposed a second ferry line to the island.")),
    ("ferry", passage("speech", 60, 90, "The budget is a matter for another day.")),
    ("cooking", passage("speech", 0, 30, "Chop the onions and fry them until golden.")),
    ("cooking", passage("caption", 0, 30, "A cook chops onions on a wooden board.")),
]


def test_the_passage_with_the_words_comes_first_with_its_reasons() -> None:
    index = memory_index(FERRY, EMBEDDER)
    ranked = search(index, EMBEDDER, Query("who proposed the ferry line"))
    assert ranked.positions[0] == 1
    assert ranked.names == (*QUESTION_SIGNALS, *WINDOW_SIGNALS, NEIGHBOURS, VIDEO)
    assert ranked.parts.sum(axis=0) == pytest.approx(ranked.scores)
    assert (np.diff(ranked.scores) <= 0).all()
    best = EMBEDDER.embed(["who proposed the ferry line"]) @ index.vectors[1]
    assert ranked.similarity[0] == pytest.approx(best[0], abs=1e-4)
    assert set(ranked.took_ms) == {"embed", "words", "vectors", "windows", "fuse"}


def test_hypothetical_passages_are_searched_by_words_and_by_meaning() -> None:
    index = memory_index(FERRY, EMBEDDER)
    query = Query("when will dinner begin", ("Fry the onions until golden.",))
    ranked = search(index, EMBEDDER, query)
    assert ranked.positions[0] == 3
    assert ranked.names == (*HYDE_SIGNALS, *WINDOW_HYDE_SIGNALS, NEIGHBOURS, VIDEO)
    why = dict(zip(ranked.names, ranked.parts[:, 0], strict=True))
    assert why["words_hyde"] > 0
    assert why["dense_hyde"] > why["dense_question"]
    assert why["words_question"] == 0


def test_the_hyde_vector_is_the_unit_mean_of_question_and_passages() -> None:
    query = Query("onions", ("golden onions", "a ferry"))
    vectors = query_vectors(EMBEDDER, query)
    three = EMBEDDER.embed([query.text, *query.hypothetical])
    mean = three.mean(axis=0)
    assert vectors.shape == (2, 64)
    assert vectors[0] == pytest.approx(three[0])
    assert vectors[1] == pytest.approx(mean / np.linalg.norm(mean))
    assert query_vectors(EMBEDDER, Query("onions")).shape == (1, 64)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), st.booleans())
def test_proposed_candidates_rank_as_all_passages_do(words: list[str], hyde: bool) -> None:
    query = Query(" ".join(words), ("copper violin in the meadow",) if hyde else ())
    exact = search(LIBRARY, EMBEDDER, query)
    proposed = search(LIBRARY, EMBEDDER, query, exact_rows=0)
    assert table_rows(exact)[:50] == table_rows(proposed)[:50]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), st.integers(0, 10**6))
def test_a_filter_lets_through_just_what_it_allows(words: list[str], seed: int) -> None:
    query = Query(" ".join(words))
    random = np.random.default_rng(seed)
    for share in (0.02, 0.5, 0.98):
        allowed = random.random(len(LIBRARY.table)) < share
        ranked = search(LIBRARY, EMBEDDER, query, allowed=allowed)
        assert allowed[ranked.positions].all()
        assert len(ranked) == min(200, np.count_nonzero(allowed))


@pytest.mark.parametrize("count", [40, 900])
def test_a_filter_asks_no_vector_index_and_both_its_ways_agree(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = made_library(count)
    allowed = index.table.video == 2
    answers = []
    for cost in (0, 10**9):  # always gather, never gather
        monkeypatch.setattr("pipeline.retrieve.search.GATHER_COST", cost)
        ranked = search(index, EMBEDDER, Query("copper violin"), allowed=allowed, exact_rows=0)
        answers.append(table_rows(ranked))
    assert answers[0] == answers[1]
    assert len(answers[0]) == np.count_nonzero(allowed)
    assert index.proposals == 0


def test_a_large_library_asks_the_vector_index_once() -> None:
    index = made_library(50)
    search(index, EMBEDDER, Query("copper violin"), exact_rows=49)
    assert index.proposals == 1
    search(index, EMBEDDER, Query("copper violin"), exact_rows=50)
    assert index.proposals == 1


def test_equal_passages_come_by_video_then_start() -> None:
    same = "the copper violin"
    index = memory_index(
        [
            ("b", passage("speech", 600, 630, same)),
            ("b", passage("speech", 0, 30, same)),
            ("c", passage("speech", 0, 30, same)),
            ("a", passage("speech", 300, 330, same)),
            ("a", passage("speech", 0, 30, same)),
        ],
        EMBEDDER,
    )
    for _ in range(2):
        ranked = search(index, EMBEDDER, Query("violin"))
        assert ranked.positions.tolist() == [4, 3, 1, 0, 2]
        assert len(set(ranked.scores[:4].tolist())) == 1


def test_the_order_of_rows_does_not_show() -> None:
    turned = memory_index(FERRY[::-1], EMBEDDER)
    index = memory_index(FERRY, EMBEDDER)
    query = Query("the ferry to the island", ("onions for the council",))
    there = search(index, EMBEDDER, query)
    back = search(turned, EMBEDDER, query)
    assert (len(FERRY) - 1 - back.positions).tolist() == there.positions.tolist()
    assert back.scores == pytest.approx(there.scores)


def test_depth_cuts_the_list_and_nothing_else() -> None:
    query = Query("copper violin")
    assert (
        table_rows(search(LIBRARY, EMBEDDER, query, depth=5))
        == table_rows(search(LIBRARY, EMBEDDER, query))[:5]
    )


def test_words_no_passage_has_still_find_by_meaning() -> None:
    index = memory_index(FERRY, EMBEDDER)
    ranked = search(index, EMBEDDER, Query("zzyzx"))
    assert len(ranked) == len(FERRY)
    assert ranked.parts[ranked.names.index("words_question")].tolist() == [0.0] * len(FERRY)


def test_an_empty_question_an_empty_library_and_an_empty_filter() -> None:
    with pytest.raises(UsageError, match="question is empty"):
        Query(" \n")
    with pytest.raises(LibraryNotFound) as raised:
        search(memory_index([], EMBEDDER), EMBEDDER, Query("ferry"))
    assert raised.value.hint == "footnote add PATH"
    index = memory_index(FERRY, EMBEDDER)
    nothing = search(index, EMBEDDER, Query("ferry"), allowed=np.zeros(len(FERRY), bool))
    assert len(nothing) == 0


LIBRARY = made_library(700)


def test_where_nearly_all_is_allowed_the_vector_index_proposes() -> None:
    index = made_library(60)
    query = Query("who proposed the ferry line")
    allowed = np.ones(60, np.bool_)
    allowed[search(index, EMBEDDER, query).positions[:9]] = False
    few = search(index, EMBEDDER, query, allowed=allowed, exact_rows=20)
    assert index.proposals == 1
    assert allowed[few.positions].all()
    assert table_rows(few) == table_rows(search(index, EMBEDDER, query, allowed=allowed))
    half = np.arange(60) % 2 == 0
    search(index, EMBEDDER, query, allowed=half, exact_rows=20)
    assert index.proposals == 1, "of fewer all are scored"

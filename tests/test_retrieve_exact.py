"""Exact matches: quoted words and codes come first, whatever else a score is made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.embedding import load_embedder
from pipeline.retrieve.exact import (
    EXACT,
    RARE,
    exact_matches,
    holds_rare_words,
    lift,
)
from pipeline.retrieve.literals import literals
from pipeline.retrieve.localize import moments
from pipeline.retrieve.search import Query, search
from pipeline.types import Passage
from tests.memory_index import MemoryIndex, memory_index, passage

EMBEDDER = load_embedder("fake:64")


def library(*texts: str) -> MemoryIndex:
    """One video for each text."""
    rows: list[tuple[str, Passage]] = [
        (f"v{n:03d}", passage("speech", 0, 20, text)) for n, text in enumerate(texts)
    ]
    return memory_index(rows, EMBEDDER)


def first(index: MemoryIndex, question: str, *hypothetical: str) -> int:
    return int(search(index, EMBEDDER, Query(question, hypothetical)).positions[0])


# ---------------------------------------------------------------- what is sought


@pytest.mark.parametrize(
    ("question", "sought"),
    [
        ('who said "second ferry line"?', ["secondferryline"]),
        ("who said “second line” and «third line»", ["secondline", "thirdline"]),
        ("who said „zweite Linie“", ["zweitelinie"]),
        ("what does error 0x80070005 mean", ["0x80070005"]),
        ("pump SN-48-1129/B failed", ["sn481129b"]),
        ("why does E4711 come up?", ["e4711"]),
        ("ticket #25957", ["25957"]),
        ('the "E4711" code E4711', ["e4711"]),
        ("what happened in 2019 and the 1990s", []),
        ("the 21st, a 3D mp4 of 720 lines", []),
        ("don't say 'this' or 5\" pipes", []),
        ('an empty "" and a "?"', []),
        ("who proposed the ferry line", []),
    ],
)
def test_quoted_words_and_codes_are_sought_exactly(question: str, sought: list[str]) -> None:
    assert [literal.joined for literal in literals(question) if literal.enough] == sought


@given(st.text(max_size=80))
def test_any_question_can_be_asked(question: str) -> None:
    index = library("the ferry to the island", "E4711 is the code")
    assert set(exact_matches(index, question).tolist()) <= {0, 1}
    assert holds_rare_words(index, question, 0) in (True, False)


# ---------------------------------------------------------------- who holds it


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ('"second ferry line"', "We need a Second  Ferry-Line, said Maria."),
        ('"cafe society"', "the Café, Society and such"),
        ("serial SN-48-1129", "its number is sn 48 1129."),
        ("serial SN48 1129", "its number is SN48-1129"),
        ("error 0x80070005", "it says 0X80070005 here"),
    ],
)
def test_a_match_is_of_letters_and_digits(question: str, text: str) -> None:
    index = library("nothing of it", text)
    assert exact_matches(index, question).tolist() == [1]


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ('"second ferry line"', "a second line for the ferry"),
        ('"line"', "the lines"),
        ("error E4711", "error E47110 and XE4711"),
    ],
)
def test_a_near_miss_is_no_match(question: str, text: str) -> None:
    assert exact_matches(library("nothing", text), question).tolist() == []


def test_all_that_is_sought_has_to_be_there_but_what_nobody_holds() -> None:
    index = library("code E4711", "pump P4800", "pump P4800 with E4711", "neither")
    assert exact_matches(index, "E4711 on P4800").tolist() == [2]
    assert exact_matches(index, "E4711 on P9999").tolist() == [0, 2]
    assert exact_matches(index, 'E4711 on "no such words"').tolist() == [0, 2]


def test_what_many_hold_is_no_rarity() -> None:
    some = [f"the actions panel {n}" for n in range(RARE)]
    assert len(exact_matches(library(*some, "x"), 'the "actions" panel')) == RARE
    assert len(exact_matches(library(*some, "one more: actions"), 'the "actions" panel')) == 0


def test_a_filter_restricts_the_matches() -> None:
    index = library("E4711 here", "and E4711 there")
    assert exact_matches(index, "E4711", np.array([False, True])).tolist() == [1]


def test_a_question_that_seeks_nothing_exactly_asks_nothing() -> None:
    index = library("the ferry")
    index.words = None  # type: ignore[assignment, method-assign]
    assert exact_matches(index, "who proposed the ferry line").tolist() == []


# ---------------------------------------------------------------- on top


@given(
    st.lists(st.floats(-1, 5), min_size=1, max_size=12),
    st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_the_lift_puts_all_that_are_held_first_in_their_order(
    values: list[float], flags: list[bool]
) -> None:
    scores, held = np.array(values), np.array(flags[: len(values)])
    bonus = lift(scores, held)
    assert (bonus[~held] == 0).all() and (bonus >= 0).all()
    assert len(np.unique(bonus[held])) <= 1
    if held.any() and not held.all():
        assert (scores + bonus)[held].min() >= (scores + bonus)[~held].max() - 1e-9


def test_a_code_said_once_is_found_first_whatever_the_model_wrote() -> None:
    similar = [f"pump failure, replace the seal of the pump, case {n}" for n in range(80)]
    index = library(*similar[:40], "er sagte nur E4711", *similar[40:])
    question = "pump failure E4711 replace the seal of the pump"
    wrote = ("replace the seal of the pump after a pump failure",)
    ranked = search(index, EMBEDDER, Query(question, wrote))
    assert ranked.positions[0] == 40
    row = ranked.names.index(EXACT)
    assert ranked.parts[row, 0] > 0 and not ranked.parts[row, 1:].any()
    np.testing.assert_allclose(ranked.parts.sum(axis=0), ranked.scores)
    (best, *_) = moments(ranked, index, {})
    assert best.video_id == "v040" and best.why[EXACT] > 0
    assert sum(best.why.values()) == pytest.approx(best.score)


def test_a_moment_of_many_sources_does_not_pass_an_exact_match() -> None:
    said = "pump failure, replace the seal of the pump"
    rows: list[tuple[str, Passage]] = [
        ("a", passage("speech", 0, 20, said)),
        ("a", passage("caption", 0, 20, said)),
        ("a", passage("screen", 0, 20, said)),
        ("b", passage("speech", 0, 20, "E4711")),
    ]
    index = memory_index(rows, EMBEDDER)
    ranked = search(index, EMBEDDER, Query(f"{said} E4711"))
    assert [moment.video_id for moment in moments(ranked, index, {})] == ["b", "a"]


def test_what_is_on_top_anyway_needs_no_lift() -> None:
    index = library("boats", "E4711", "trains")
    ranked = search(index, EMBEDDER, Query("E4711"))
    assert ranked.positions[0] == 1


def test_no_exact_match_changes_nothing() -> None:
    index = library("the ferry line", "the ferry to the island", "boats")
    plain = search(index, EMBEDDER, Query("ferry line"))
    quoted = search(index, EMBEDDER, Query('"ferry trams" ferry line'))
    assert EXACT not in plain.names and EXACT not in quoted.names


# ---------------------------------------------------------------- rare words


QUESTION = "when did Kowalczyk say the harbour boats leave"
WROTE = (
    "the harbour boats leave at nine from pier 7 harbour boats",
    "boats leave at nine from pier 7 in the harbour",
)


def crowd(name: str = "") -> MemoryIndex:
    """A passage with the rare name of `QUESTION` among 40 that are like `WROTE`; `name` stands
    in all of them too."""
    common = [f"the harbour boats leave at nine from pier {n} {name}" for n in range(40)]
    rare = "Kowalczyk spoke about the harbour and its old stones for a long while"
    return library(*common[:30], rare, *common[30:])


def test_a_rare_word_is_one_that_few_passages_hold() -> None:
    assert holds_rare_words(crowd(), QUESTION, 30)
    assert not holds_rare_words(crowd(), QUESTION, 3)
    assert not holds_rare_words(crowd("Kowalczyk did say"), QUESTION, 30)
    assert not holds_rare_words(crowd(), "an of at", 30)


def test_an_expansion_does_not_displace_what_the_question_alone_puts_first() -> None:
    index = crowd()
    assert first(index, QUESTION) == 30
    ranked = search(index, EMBEDDER, Query(QUESTION, WROTE))
    assert "words_hyde" in ranked.names  # it is used: the second is its own
    assert ranked.positions[:2].tolist() == [30, 7]
    assert ranked.parts[ranked.names.index(EXACT), 0] > 0


def test_without_rare_words_an_expansion_may_change_the_first() -> None:
    index = crowd("Kowalczyk did say")
    assert first(index, QUESTION, *WROTE) == 7


def test_an_expansion_removes_no_candidate_of_the_question() -> None:
    index = crowd()
    alone = search(index, EMBEDDER, Query("Kowalczyk harbour"), depth=1000)
    both = search(index, EMBEDDER, Query("Kowalczyk harbour", ("harbour boats",)), depth=1000)
    assert set(alone.positions.tolist()) <= set(both.positions.tolist())

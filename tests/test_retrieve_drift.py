"""The guard against drift: what is about something else is dropped, and only that."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.models.embedding import load_embedder
from pipeline.retrieve.drift import nearer_than_most, on_subject
from pipeline.retrieve.search import Query, search
from pipeline.types import Passage
from tests.memory_index import MemoryIndex, memory_index, passage

EMBEDDER = load_embedder("fake:64")
SUBJECTS = ("ferry island boats harbour", "onions golden fry pan", "bridge rust paint steel")


def library(size: int) -> MemoryIndex:
    """`size` passages on three subjects, each with words of its own."""
    rows: list[tuple[str, Passage]] = [
        ("v", passage("speech", 10 * n, 10 * n + 9, f"{SUBJECTS[n % 3]} item{n} part{n * 7}"))
        for n in range(size)
    ]
    return memory_index(rows, EMBEDDER)


def kept(index: MemoryIndex, question: str, *passages: str) -> list[bool]:
    vectors = EMBEDDER.embed([question, *passages])
    return [bool(flag) for flag in on_subject(index, vectors[:1], vectors[1:])]


def test_each_passage_is_judged_by_itself() -> None:
    index = library(90)
    found = kept(
        index,
        "which boats leave the harbour",
        "the boats leave from the harbour",
        "simmer gently until soft",
    )
    assert found == [True, False]


def test_the_scale_is_the_library_itself() -> None:
    background = np.array([0.1, 0.2, 0.3] * 100, np.float32)  # mean .2, deviation .0816
    cosines = np.array([0.31, 0.33], np.float32)
    assert nearer_than_most(cosines, background).tolist() == [False, True]
    # An embedding model whose cosines all lie high says the same.
    high, level = (cosines / 4 + 0.6).astype(np.float32), (background / 4 + 0.6).astype(np.float32)
    assert nearer_than_most(high, level).tolist() == [False, True]


def test_a_library_too_small_to_tell_drops_nothing() -> None:
    assert kept(library(49), "which boats leave the harbour", "simmer gently until soft") == [True]


def test_no_passages_ask_the_index_nothing() -> None:
    index = library(60)
    index.cosine = None  # type: ignore[assignment, method-assign]
    assert kept(index, "boats") == []


@pytest.mark.parametrize("drifted", ["simmer gently until soft", "paint the steel bridge"])
def test_a_search_leaves_out_what_drifted(drifted: str) -> None:
    index = library(90)
    question, good = "which boats leave the harbour", "the boats leave from the harbour"
    alone = search(index, EMBEDDER, Query(question))
    with_drift = search(index, EMBEDDER, Query(question, (drifted,)))
    assert with_drift.names == alone.names
    np.testing.assert_array_equal(with_drift.positions, alone.positions)
    one = search(index, EMBEDDER, Query(question, (good,)))
    both = search(index, EMBEDDER, Query(question, (drifted, good)))
    assert both.names == one.names != alone.names
    np.testing.assert_array_equal(both.positions, one.positions)
    np.testing.assert_allclose(both.scores, one.scores)


def test_translations_are_not_judged() -> None:
    """An embedding model of one language would find every one of them beside the question."""
    index = library(90)
    query = Query("which boats leave the harbour", (), ("welche Schiffe verlassen den Hafen",))
    assert "dense_hyde" in search(index, EMBEDDER, query).names

"""Flagged text: it ranks below what is trusted, is found where there is nothing else, is marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.models.embedding import load_embedder
from pipeline.retrieve.doubt import DOUBT, lowered
from pipeline.retrieve.search import Query, search
from pipeline.store.catalog import Catalog
from pipeline.types import CORRECTED, FROM_FILE, INVENTED, LOOKED, Passage
from tests.command import Footnote, write_rows
from tests.memory_index import memory_index, passage
from tests.store_made import add_video, made_catalog, made_vectors

EMBEDDER = load_embedder("fake:64")
FERRY = "The ferry leaves the harbour at noon."
SAME = [(name, passage("speech", 0, 30, FERRY)) for name in ("a", "b", "c")]
OTHER = ("d", passage("speech", 0, 30, "Chop the onions and fry them until golden."))


def flagged(catalog: Catalog, video_id: str, **flags: tuple[str, ...]) -> None:
    """Give the flags to the speech segments by ordinal, `s0=...`; passages stay as they are."""
    segments = [
        replace(segment, flags=flags.get(f"s{i}", ()))
        for i, segment in enumerate(catalog.segments(video_id, "speech"))
    ]
    catalog.replace_segments(video_id, "speech", segments)


# ---------------------------------------------------------------- how it ranks


def test_of_equals_the_doubtful_one_comes_last_and_says_why() -> None:
    index = memory_index([*SAME, OTHER], EMBEDDER)
    query = Query("when does the ferry leave")
    assert search(index, EMBEDDER, query).positions.tolist() == [0, 1, 2, 3]
    assert DOUBT not in search(index, EMBEDDER, query).names
    index.doubts = {0: 1.0, 1: 0.5}
    ranked = search(index, EMBEDDER, query)
    assert ranked.positions.tolist() == [2, 1, 0, 3], "and still before what is about another thing"
    assert ranked.parts.sum(axis=0) == pytest.approx(ranked.scores)
    cost = dict(
        zip(ranked.positions.tolist(), ranked.parts[ranked.names.index(DOUBT)], strict=True)
    )
    assert cost[0] < cost[1] < 0 == cost[2] == cost[3]


def test_what_is_doubtful_is_found_where_there_is_nothing_else() -> None:
    index = memory_index([SAME[0]], EMBEDDER)
    index.doubts = {0: 1.0}
    ranked = search(index, EMBEDDER, Query("when does the ferry leave"))
    assert ranked.positions.tolist() == [0]
    assert ranked.scores[0] > 0


def test_an_exact_match_stays_first_however_doubtful() -> None:
    code = ("z", passage("speech", 0, 30, "It failed with error E-31 again."))
    index = memory_index([*SAME, code], EMBEDDER)
    index.doubts = {3: 1.0}
    ranked = search(index, EMBEDDER, Query("ferry harbour noon E-31"), depth=1)
    assert ranked.positions.tolist() == [3]


def test_nothing_is_lowered_below_nothing() -> None:
    scores = np.array([2.0, 1.0, 0.0, -1.0])
    parts = lowered(scores, np.ones(4))
    assert (parts[:2] < 0).all()
    assert parts[2:].tolist() == [0.0, 0.0]
    assert (scores[:2] + parts[:2] > 0).all()


# ---------------------------------------------------------------- what the catalog knows


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with made_catalog(tmp_path) as made:
        yield made


def row_of(catalog: Catalog) -> dict[str, int]:
    return {stored.id: stored.row for stored in catalog.passages_of("talk")}


def test_only_reasons_not_to_trust_a_text_are_doubts(catalog: Catalog) -> None:
    add_video(catalog, "talk", 6)
    flagged(
        catalog,
        "talk",
        s0=("low_confidence",),
        s1=(f"{CORRECTED}a to b",),
        s2=(FROM_FILE,),
        s3=(f"{LOOKED}what is that",),
        s4=(f"{INVENTED}loop", "low_confidence"),
    )
    rows = row_of(catalog)
    assert catalog.doubt_of(list(rows.values())) == {rows["talk:speech:0"]: 1.0}


def test_a_passage_is_as_doubtful_as_the_share_of_its_text(catalog: Catalog) -> None:
    texts = add_video(catalog, "talk", ["aaaa bbbb", "cccc dddd", "eeee ffff"])
    halves = [
        Passage("speech", 0, 15, "aaaa bbbb cccc", 0, 1),
        Passage("speech", 15, 30, "dddd eeee ffff", 1, 2),
    ]
    catalog.replace_passages("talk", "speech", halves, made_vectors([p.text for p in halves]))
    flagged(catalog, "talk", s1=("repetition",))
    rows = row_of(catalog)
    found = catalog.doubt_of(list(rows.values()))
    assert found == {row: pytest.approx(4.5 / 14) for row in rows.values()}
    flagged(catalog, "talk", s0=("repetition",), s1=("repetition",))
    assert catalog.doubt_of([rows["talk:speech:0"]])[rows["talk:speech:0"]] == pytest.approx(
        13.5 / 14
    )
    assert len(texts) == 3


# ---------------------------------------------------------------- as a user sees it


@pytest.fixture
def two_talks(footnote: Footnote, tmp_path: Path) -> Footnote:
    """The same sentence in two talks, badly heard in the one that would come first."""
    lines = [{"video_id": name, "start": 0, "end": 8, "text": FERRY} for name in ("a", "b")]
    footnote.json("import", write_rows(tmp_path / "rows.jsonl", *lines))
    with Catalog(footnote.library) as catalog:
        flagged(catalog, "a", s0=("low_confidence",))
    return footnote


def test_a_search_marks_what_is_doubtful(two_talks: Footnote) -> None:
    moments = two_talks.json("search", "when does the ferry leave")["moments"]
    assert [moment["video_id"] for moment in moments] == ["b", "a"]
    assert "doubt" not in moments[0]["passages"][0]
    assert moments[1]["passages"][0]["doubt"] == 1
    assert moments[1]["why"]["doubt"] < 0
    assert sum(moments[1]["why"].values()) == pytest.approx(moments[1]["score"], abs=1e-5)
    shown = two_talks.run("search", "when does the ferry leave").out
    assert shown.count("(doubtful)") == 1
    assert "low confidence" in two_talks.run("show", "a").out


def test_a_complete_list_keeps_and_marks_it(two_talks: Footnote) -> None:
    listing = two_talks.json("search", "--all", "which videos mention the ferry")
    assert [entry["video_id"] for entry in listing["moments"]] == ["a", "b"]
    assert [entry["passages"][0].get("doubt") for entry in listing["moments"]] == [1, None]
    assert two_talks.run("search", "--all", "the ferry").out.count("(doubtful)") == 1


def test_an_answer_quotes_what_was_well_heard(two_talks: Footnote) -> None:
    answer = two_talks.json("ask", "When does the ferry leave the harbour?")
    assert {citation["video_id"] for citation in answer["citations"]} <= {"b"}

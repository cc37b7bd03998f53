"""Titles and metadata: what they point to, and that they never speak where they say nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import Library
from pipeline.models.embedding import load_embedder
from pipeline.retrieve.fuse import TITLE, Recipe
from pipeline.retrieve.search import Query, Ranked, search
from pipeline.retrieve.titles import MOST_VIDEOS, hints_of, video_terms
from pipeline.settings import Settings
from pipeline.types import Metadata
from tests.command import write_rows
from tests.memory_index import MemoryIndex, memory_index, passage

EMBEDDER = load_embedder("fake:64")
SAID = "We then spoke about the budget of the harbour and its roof."


def library_of(*videos: str, others: int = 0) -> MemoryIndex:
    """The same passage in each video, and `others` that hold nothing of it."""
    passages = [(video_id, passage("speech", 0, 30, SAID)) for video_id in videos]
    passages += [
        ("other", passage("speech", 30 * i, 30 * i + 30, f"Onions fry golden {i}."))
        for i in range(others)
    ]
    return memory_index(passages, EMBEDDER)


def found(index: MemoryIndex, question: str, known: dict[str, Metadata], **more: object) -> Ranked:
    return search(index, EMBEDDER, Query(question), known=video_terms(known), **more)  # type: ignore[arg-type]


def first(index: MemoryIndex, ranked: Ranked) -> str:
    return index.table.videos[index.table.video[ranked.positions[0]]]


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("the budget in the council meeting", Metadata(title="Council meeting")),
        ("what does Maria Lind say about the budget", Metadata(people=("Maria Lind",))),
        ("the budget of 2024", Metadata(date="2024-09-03T19:00:00Z")),
        ("the budget of Ambry Hill", Metadata(place="Ambry Hill")),
        ("budget, finance", Metadata(tags=("finance",))),
    ],
)
def test_of_equal_passages_that_of_the_video_meant_comes_first(asked: str, known: Metadata) -> None:
    index = library_of("a", "b", "c")
    assert first(index, found(index, asked, {})) == "a"
    ranked = found(index, asked, {"a": Metadata(), "b": known, "c": Metadata(title="Cooking")})
    assert first(index, ranked) == "b"
    assert ranked.parts.sum(axis=0) == pytest.approx(ranked.scores)
    title = ranked.parts[ranked.names.index(TITLE)]
    assert title[0] > 0
    assert not title[1:].any()


def test_a_video_is_found_by_a_name_that_nobody_says_in_it() -> None:
    index = library_of("talk", others=400)
    assert first(index, found(index, "Gloria Zhao", {})) == "other"
    known = {"talk": Metadata(people=("Gloria Zhao",)), "other": Metadata(title="Cooking")}
    assert first(index, found(index, "Gloria Zhao", known)) == "talk"
    # Where the vector index proposes, too.
    assert first(index, found(index, "Gloria Zhao", known, exact_rows=0)) == "talk"


def test_what_a_filter_forbids_no_title_brings_back() -> None:
    index = library_of("a", "b")
    known = {"b": Metadata(title="Council meeting")}
    allowed = index.table.video == 0
    ranked = found(index, "council meeting", known, allowed=allowed)
    assert ranked.positions.tolist() == [0]


@pytest.mark.parametrize(
    ("video_id", "title", "asked"),
    [
        ("14643", "14643", "step 14643 of a budget"),
        ("v-a-qz7-is", "v_A-qz7 is", "is a budget v qz7"),
        ("vid-20240101-12", "VID_20240101_12", "the 12 parts of a budget"),
    ],
)
def test_ids_and_numbers_of_file_names_have_no_vote(video_id: str, title: str, asked: str) -> None:
    index = library_of("a", video_id)
    without, ranked = found(index, asked, {}), found(index, asked, {video_id: Metadata(title)})
    assert TITLE not in ranked.names
    assert ranked.scores.tolist() == without.scores.tolist()


def test_words_of_a_file_name_and_numbers_of_a_title_have_one() -> None:
    terms = video_terms(
        {"council-3": Metadata("Council 3"), "b": Metadata("Part 3"), "c-1974": Metadata("c 1974")}
    ).terms
    assert terms["council-3"] == {"council"}
    assert "3" in terms["b"]
    assert terms["c-1974"] == {"1974"}


def test_a_word_of_many_titles_points_nowhere_and_equal_videos_come_together() -> None:
    names = [f"v{i:02}" for i in range(MOST_VIDEOS + 1)]
    index = library_of(*names)
    many = video_terms({name: Metadata(f"Council of {name}x") for name in names})
    assert not hints_of(index, "council", many).lifts
    few = {name: Metadata("Council") for name in names[:-1]} | {names[-1]: Metadata("Choir")}
    assert list(hints_of(index, "council", video_terms(few)).lifts) == names[:-1]


def test_only_a_question_about_little_else_is_lifted() -> None:
    index = library_of("a", "b", others=5)
    known = video_terms({"b": Metadata(title="Council")})
    assert hints_of(index, "council", known).lifts["b"] > 0
    assert hints_of(index, "who mends the golden roof, says the council", known).lifts["b"] == 0


def test_without_a_close_look_a_title_still_lifts_and_the_parts_sum_up() -> None:
    index = library_of("a", "b")
    known = {"b": Metadata(title="Council meeting")}
    ranked = found(index, "council meeting", known, recipe=Recipe(closely=0))
    assert first(index, ranked) == "b"
    assert ranked.parts.sum(axis=0) == pytest.approx(ranked.scores)


def test_the_place_in_a_passage_is_found_by_what_is_said_alone() -> None:
    index = library_of("a", "b")
    known = {"b": Metadata(title="The harbour roof")}
    with_, without = found(index, "harbour roof", known), found(index, "harbour roof", {})
    assert with_.focus is not None
    assert without.focus is not None
    assert np.sort(with_.focus).tolist() == np.sort(without.focus).tolist()


def test_a_library_finds_by_title_and_speaker_and_follows_a_new_title(tmp_path: Path) -> None:
    rows = [
        {"video_id": v, "start": 0, "end": 9, "text": SAID, "speaker": s, "title": t}
        for v, s, t in (
            ("a", "Ada Holm", "Choir practice"),
            ("b", "Maria Lind", "Council meeting"),
        )
    ]
    options = {"embedding_model": "fake:64", "profile": "embedded", "library": tmp_path / "l"}
    with Library(settings=Settings.model_validate(options)) as library:
        library.import_rows(write_rows(tmp_path / "rows.jsonl", *rows))
        for question in ("the council meeting", "Maria Lind"):
            moments = library.search(question).moments
            assert moments[0].video_id == "b", json.dumps(moments[0].why)
            assert moments[0].why[TITLE] > 0
            assert sum(moments[0].why.values()) == pytest.approx(moments[0].score)
        assert library.search("the annual ball").moments[0].video_id == "a"
        renamed = rows[1] | {"title": "The annual ball"}
        library.import_rows(write_rows(tmp_path / "again.jsonl", renamed))
        assert library.search("the annual ball").moments[0].video_id == "b"

"""Titles and metadata: what they point to, and that they never speak where they say nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import Library
from pipeline.models.embedding import load_embedder
from pipeline.retrieve.fuse import (
    QUESTION_SIGNALS,
    TITLE,
    WINDOW_WORDS,
    Recipe,
    Signals,
    fuse,
)
from pipeline.retrieve.search import Query, Ranked, search
from pipeline.retrieve.titles import MOST_VIDEOS, hinted_passages, hints_of, video_terms
from pipeline.retrieve.windows import look_closely
from pipeline.settings import Settings
from pipeline.types import Metadata
from tests.command import write_rows
from tests.memory_index import MemoryIndex, memory_index, passage, windowed

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
    name: str = index.table.videos[index.table.video[ranked.positions[0]]]
    return name


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
    index = library_of("talk", others=400)
    known = {"talk": Metadata(people=("Gloria Zhao",))}
    allowed = index.table.video != index.table.videos.index("talk")
    ranked = found(index, "Gloria Zhao", known, allowed=allowed)
    known_terms, vectors = video_terms(known), EMBEDDER.embed(["Gloria Zhao"])
    hints = hints_of(index, "Gloria Zhao", known_terms)
    assert hinted_passages(index, hints, vectors).tolist() == [0]
    assert hinted_passages(index, hints, vectors, allowed).tolist() == []
    assert allowed[ranked.positions].all()
    assert found(index, "Gloria Zhao", known, allowed=~allowed).positions.tolist() == [0]


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
    # The harbour is rarer than the roof and named in the first window alone. With the title it
    # would be a word of both, and the second, which has the roof besides, would win.
    texts = ("the harbour is old", "the roof is old")
    elsewhere = [("b", passage("speech", 40.0 * i, 40.0 * i + 30, "a roof")) for i in range(2)]
    others = [("c", passage("speech", 40.0 * i, 40.0 * i + 30, "some onions")) for i in range(60)]
    index = memory_index([("a", windowed(0, *texts)), *elsewhere, *others], EMBEDDER)
    question, only = "harbour roof", np.array([0])
    hints = hints_of(index, question, video_terms({"a": Metadata(title="The harbour")}))
    neutral = np.zeros((1, EMBEDDER.dimension), np.float32)  # the words alone decide
    plain = look_closely(index, only, neutral, question)
    look = look_closely(index, only, neutral, question, hints)
    assert (look.start[0], look.end[0]) == (plain.start[0], plain.end[0]) == (0, 10)
    assert look.words[0] > plain.words[0] > 0
    # What is said keeps its part, and only the rest is the title's.
    assert look.words[0] * (1 - look.title[0]) == pytest.approx(plain.words[0])
    assert plain.title.tolist() == [0]


def test_the_part_of_the_title_is_taken_from_the_words_and_not_added() -> None:
    names, columns = QUESTION_SIGNALS, (np.arange(3, dtype=np.int32), np.zeros(3, np.uint8))
    scores = np.array([[0.9, 0.5, 0.1], [3.0, 2.0, 1.0]])
    windows = (np.arange(3), np.array([[0.8, 0.6, 0.2], [4.0, 1.0, 2.0]]))
    times = (np.array([0.0, 100.0, 200.0]), np.array([30.0, 130.0, 230.0]))
    plain = fuse(Signals(names, scores, windows), Recipe(), *columns, *times)
    shares = np.array([0.25, 0.0, 1.0])
    titled = fuse(Signals(names, scores, windows, shares), Recipe(), *columns, *times)
    assert titled.scores == pytest.approx(plain.scores)
    part = dict(zip(titled.names, titled.parts, strict=True))
    whole = plain.parts[plain.names.index(WINDOW_WORDS)]
    assert part[TITLE] == pytest.approx(whole * shares)
    assert part[WINDOW_WORDS] == pytest.approx(whole * (1 - shares))


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

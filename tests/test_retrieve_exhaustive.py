"""Questions about the whole library: which ones are, what matches, what is one entry, coverage."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import Library
from pipeline.errors import LibraryNotFound, UsageError
from pipeline.models.embedding import load_embedder
from pipeline.retrieve.entries import entries
from pipeline.retrieve.exhaustive import THRESHOLD, Matches, matches
from pipeline.retrieve.framing import asked, is_whole_library
from pipeline.retrieve.mentions import mention_starts
from pipeline.retrieve.sought import sought
from pipeline.settings import Settings
from pipeline.types import (
    MAX_MOMENT_SECONDS,
    Entry,
    Filters,
    Listing,
    Passage,
    StageRecord,
    Vectors,
)
from tests.command import Footnote, write_rows
from tests.memory_index import MemoryIndex, memory_index, passage

EMBEDDER = load_embedder("fake:64")
DATA = Path(__file__).resolve().parent.parent / "data"

# ---------------------------------------------------------------- framing

WHOLE = """
count|the ferry|How many times does someone mention the ferry?
count|taproot|how often is taproot mentioned in the talks
count|the gearbox|How many times has the gearbox been mentioned?
count|"dry dock"|How many times did Bram say "dry dock"?
count|inflation|how often do people talk about inflation?
count|fees|How often does the topic of fees come up?
count|the number 42|How many times does the number 42 appear?
count|the logo|How often does the logo appear on screen?
count|the ferry|How many mentions of the ferry are there?
count|Satoshi|how many references to Satoshi are there in the library
count|the ferry|Count the times the ferry is mentioned
count|lemons|count all mentions of lemons in the videos
count|Wilf|Count how many times anyone mentions Wilf.
count|covenants|What is the number of times that covenants are discussed?
count|bees|the total number of mentions of bees
count|"um"|Can you tell me how many times the word "um" is said?
list|the weather|List every time the weather is mentioned
list|seals|list all mentions of seals
list|Duchess|Find every mention of Duchess
list|the comet|Find all references to the comet in the archive
list|"jetty"|please list every place where somebody says "jetty"
list|a seal|Show me every time a seal is shown
list|the lighthouse|show me all scenes with the lighthouse
list|bread|every mention of bread
list|the ferry|All moments where the ferry appears
list|mining|Give me all the passages about mining
list|the cook|List everything that is said about the cook
list|Lightning|Find everything said about Lightning
list|error messages|list all error messages
list|serial number|List every serial number that is shown
list|fees|find all questions about fees
list|product|enumerate every product mentioned
list|people|Make a list of all people mentioned
list|the jetty|everywhere the jetty is mentioned
list|gold|I want all references to gold
videos|the ferry|Which videos mention the ferry?
videos|covenants|What talks discuss covenants?
videos|a lighthouse|which of the videos show a lighthouse
videos|the breakwater|In which videos is the breakwater mentioned?
videos|the ferry|in how many videos does the ferry come up
videos|money|In which meetings did they talk about money?
videos|puffins|How many videos mention puffins?
videos|mining|how many of the talks are about mining?
videos|a foghorn|In what recordings can I hear a foghorn?
videos|taproot|list videos about taproot
videos|bees|show me all videos that mention bees
videos|quantum computers|Find the talks in which quantum computers are discussed
videos|snow|all videos with snow
videos|a storm|Which films contain a storm?
videos|a dog|count the videos that show a dog
videos|pensions|Which interviews say anything about pensions
videos|mushrooms|Which videos show mushrooms or talk about them?
"""

ORDINARY = """
How many passengers does the ferry carry?
How many people may stand on the jetty?
How many times a week does the ferry sail?
How often should the inlet valve be rinsed?
How often does the ferry sail?
How often is the valve rinsed?
How often does the comet appear?
How many times did the lamp go out?
How many times must the neck be tied?
How many times faster is it?
How many videos are there?
How many talks did Yuki give?
How many films did Edwin shoot?
How many meetings were held in 2024?
How many episodes does the series have?
How many rows were exported, as shown in the terminal?
Which films did Edwin Ashgrove shoot?
Which video shows the error?
Which film won the prize?
Which meetings were held in September?
Which ferry goes to the island?
Which sessions were cancelled?
List the steps to clean the valve
List all the steps to clean the inlet valve
list all ingredients of the marmalade
What did the council discuss?
Who mentions the ferry?
Where is the ferry mentioned?
When does the speaker mention taproot?
Count Dracula's castle
Count the puffins in the picture
What counts as a valid signature?
Show me the lighthouse
Find the telescope
Name all members of the council
Tell me everything
What are all the reasons for the delay?
Every how many days is the valve rinsed?
All hands on deck
What does the talk say about lists?
What number of seats does the boat have?
How do I list all files in a folder?
the ferry
error E-31
"""


def lines(table: str) -> list[str]:
    return table.strip().splitlines()


@pytest.mark.parametrize("line", lines(WHOLE))
def test_a_question_about_the_whole_library_is_known_and_its_frame_left_out(line: str) -> None:
    kind, looked_for, question = line.split("|")
    assert (asked(question).kind, asked(question).looked_for) == (kind, looked_for)


@pytest.mark.parametrize("question", lines(ORDINARY))
def test_any_other_question_stays_as_it_is(question: str) -> None:
    assert is_whole_library(question) is None
    assert asked(f" {question} ").looked_for == question


def test_the_questions_of_the_sample_library_are_no_lists() -> None:
    rows = (DATA / "questions.jsonl").read_text("utf-8").splitlines()
    assert not [row for row in rows if is_whole_library(json.loads(row)["question"])]


def test_no_question_takes_long_to_know() -> None:
    began = time.process_time()
    for word in ("a ", "is mentioned ", "in the videos ", "that mention by "):
        for frame in ("how many times does ", "list all ", "which videos mention "):
            asked(frame + word * (290 // len(word)))
            asked(frame + word * 10_000)
    assert time.process_time() - began < 5


# ---------------------------------------------------------------- what is looked for


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("serial number RS9-0412", ["rs90412"]),
        ("part KV-217 and part KV-230", ["kv217", "kv230"]),
        ('"the Old Girl" or marmalade', ["theoldgirl"]),
        ("version 2.7.1", []),
        ("the number 4815162342", ["4815162342"]),
        ("the storm of 1974 on the 9th of January at 06:42", []),
        ("62,000 crowns", []),
    ],
)
def test_codes_and_quotations_are_literals(text: str, codes: list[str]) -> None:
    assert [code.joined for part in sought(text).alternatives for code in part.literals] == codes


def test_a_code_is_known_however_its_parts_are_separated() -> None:
    ((code,),) = (part.literals for part in sought("KV-217").alternatives)
    assert all(code.stands_in(text) for text in ("Part KV-217.", "kv 217", "KV217,", "(Kv.217)"))
    assert not any(code.stands_in(text) for text in ("KV-2170", "SKV-217", "KV-21", "217 KV"))


def test_a_quotation_has_to_be_there_word_for_word() -> None:
    ((quoted,),) = (part.literals for part in sought('"old girl"').alternatives)
    assert quoted.stands_in("How is the Old Girl?") and not quoted.stands_in("an older girl")
    assert not quoted.stands_in("old, said the girl")


# ---------------------------------------------------------------- what matches

FILLER = [
    *("The budget is a matter for another day and another council", "Chop onions until golden"),
    *("A violin plays slowly over the meadow", "Tighten the copper bolt by half a turn"),
    *("The glacier lost another metre this year", "Velvet is woven from two threads at once"),
]


def made_library(*texts: str, filler: int = 120) -> MemoryIndex:
    """`texts` as passages of one video each, among others that have nothing to do with them."""
    random = np.random.default_rng(3)
    rows = [(f"v{i:02}", passage("speech", 0, 30, text)) for i, text in enumerate(texts)]
    for number in range(filler):
        words = " ".join(random.permutation(" ".join(FILLER).split())[:12])
        rows.append(("other", passage("speech", 30.0 * number, 30.0 * number + 30, words)))
    return memory_index(rows, EMBEDDER)


def found(index: MemoryIndex, text: str, **more: Any) -> list[int]:
    return list(matches(index, EMBEDDER, sought(text), **more).positions.tolist())


def test_every_passage_with_all_the_words_matches_however_much_else_it_says() -> None:
    aside = "Tighten the bolt, chop the onions, weave velvet, and never mind the ferries at all"
    index = made_library("The ferry leaves at noon", aside, "A boat leaves at noon")
    assert found(index, "the ferry") == [0, 1]
    assert found(index, "a submarine") == []


class OneVector:
    """Embeds every question alike, so that a test can say how far each passage is from it."""

    name, dimension, max_tokens = "fake:one", 2, 256

    def embed(self, texts: Sequence[str]) -> Vectors:
        return np.tile(np.array([[1, 0]], np.float32), (len(texts), 1))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]


def standing_out(deviations: dict[str, float]) -> MemoryIndex:
    """Texts whose cosines lie so many robust standard deviations above those of 999 others."""
    others = np.linspace(-0.05, 0.05, 999)  # median 0, median absolute deviation 0.025
    spread = 1.4826 * 0.025 * (1 + 10 / (999 + len(deviations)))
    cosines = np.concatenate([[z * spread for z in deviations.values()], others])
    vectors = np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1).astype(np.float32)
    texts = [*deviations, *["nothing of it"] * len(others)]
    rows = [(f"v{i}", passage("speech", 0, 30, text)) for i, text in enumerate(texts)]
    return MemoryIndex(rows, vectors)


@pytest.mark.parametrize(
    ("looked_for", "text", "enough", "too_little"),
    [
        ("the ferry", "a boat", 6.2, 5.8),  # no word of it
        ("a ferry message", "the ferry", 3.2, 2.8),  # half of it: nobody says "message"
        ("a ferry", "the ferry", -20.0, None),  # all of it
        ("ferry KV-217", "a ferry", None, 20.0),  # without the code
        ("ferry KV-217", "a boat and KV 217", -20.0, None),
        ("an H2O ferry", "H2O", 3.2, 2.0),  # a short code is one word among others
    ],
)
def test_the_fewer_words_the_more_it_has_to_be_alike(
    looked_for: str, text: str, enough: float | None, too_little: float | None
) -> None:
    for deviation, expected in ((enough, [0]), (too_little, [])):
        if deviation is not None:
            index = standing_out({text: deviation})
            result = matches(index, OneVector(), sought(looked_for))
            assert result.positions.tolist() == expected
            assert (result.scores >= THRESHOLD).all()
    assert len(result.words) == len(result.meaning) == len(result)


def test_what_came_near_is_counted() -> None:
    index = standing_out({"a ferry": 0.0, "a boat": 5.0, "a raft": 2.0})
    result = matches(index, OneVector(), sought("the ferry"))
    assert (result.positions.tolist(), result.below.tolist()) == ([0], [1])


def test_one_of_two_alternatives_is_enough() -> None:
    index = made_library("Sound the horn", "The foghorn is loud", "The bell is loud")
    assert found(index, "a horn or a foghorn") == [0, 1]


def test_a_code_is_listed_exactly() -> None:
    texts = ["Serial SN-48213-X.", "It reads SN 48213 X", "sn48213x again", "Serial SN-48214-X"]
    near = ["48213 crowns and an x", "The serial number of serial numbers", "SN-48213"]
    index = made_library(*texts, *near)
    assert found(index, "the serial number SN-48213-X") == [0, 1, 2]
    assert found(index, "SN-99999-X") == []


def test_of_several_codes_each_is_wanted() -> None:
    index = made_library("part KV-217", "part KV-230", "part KV-230-B", "both KV-217, KV-230")
    assert found(index, "parts KV-217 and KV-230") == [0, 1, 2, 3]
    assert found(index, "KV-217 or the glockenspiel") == [0, 3]
    assert found(index, "KV-230 near KV-217") == [3]
    assert found(made_library("now or never", "now", "never"), '"now or never"') == [0]


def test_a_quotation_keeps_similar_words_out() -> None:
    index = made_library("We saw the old girl sail", "The girl is old", "old boats and old girls")
    assert found(index, '"the old girl"') == [0]
    assert found(index, '"old girl" in the harbour') == [0]
    assert found(made_library("Um, yes.", "The harbour."), '"um" in the harbour') == [0]


def test_a_filter_leaves_out_and_changes_nothing_else() -> None:
    index = made_library("The ferry leaves", "ferry", "A ferry and a boat")
    everything = matches(index, EMBEDDER, sought("the ferry"))
    allowed = np.ones(len(index.table), np.bool_)
    allowed[1] = False
    kept = matches(index, EMBEDDER, sought("the ferry"), allowed=allowed)
    assert (everything.positions.tolist(), kept.positions.tolist()) == ([0, 1, 2], [0, 2])
    assert kept.scores.tolist() == everything.scores[[0, 2]].tolist()
    assert not set(kept.below.tolist()) & set(kept.positions.tolist())


def test_hypothetical_passages_take_part() -> None:
    index = made_library("The ferry leaves at noon from the harbour wall")
    (asked_for,) = matches(index, EMBEDDER, sought("ferry")).meaning.tolist()
    text = "The ferry leaves at noon from the harbour wall"
    (helped,) = matches(index, EMBEDDER, sought("ferry"), hypothetical=[text]).meaning.tolist()
    assert helped > asked_for


def test_passages_that_are_all_the_same_say_nothing_by_meaning() -> None:
    index = memory_index([("v", passage("speech", i, i + 1, "the same")) for i in range(20)])
    assert found(index, "something else") == []
    assert len(found(index, "same")) == 20


# ---------------------------------------------------------------- entries


def listed(rows: Sequence[tuple[str, Passage]]) -> tuple[Entry, ...]:
    """The entries of passages that all match, each from its beginning."""
    index = memory_index(rows, EMBEDDER)
    every, zero = np.arange(len(rows)), np.zeros(len(rows))
    all_of_them = Matches(every, zero + 1, zero, np.zeros(0, np.int64))
    return entries(all_of_them, index.table.start, index, {"film": "The film"})[0]


def intervals(rows: Sequence[tuple[str, Passage]]) -> list[tuple[float, float]]:
    return [(entry.start, entry.end) for entry in listed(rows)]


def film(source: Any, start: float, end: float, text: str = "the ferry") -> tuple[str, Passage]:
    return "film", passage(source, start, end, text)


def test_what_is_said_and_shown_at_the_same_time_is_one_entry() -> None:
    (entry,) = listed([film("speech", 10, 40, "said"), film("screen", 5, 45, "shown")])
    assert (entry.start, entry.end, entry.title) == (5, 45, "The film")
    assert [p.source for p in entry.passages] == ["screen", "speech"]
    assert entry.text == "shown\nsaid"
    assert sum(entry.why.values()) == pytest.approx(entry.score)


def test_passages_that_follow_each_other_are_one_entry_up_to_a_minute() -> None:
    follow = [film("speech", 30.0 * i, 30.0 * i + 29) for i in range(4)]
    assert intervals(follow) == [(0, 59), (60, 119)]
    assert intervals([film("speech", 0, 20), film("speech", 50, 70)]) == [(0, 20), (50, 70)]


def test_a_text_that_stands_for_minutes_goes_with_what_is_said_meanwhile() -> None:
    slide = film("screen", 0, 300)
    assert intervals([slide, film("speech", 100, 130)]) == [(100, 130)]
    assert intervals([slide]) == [(0, MAX_MOMENT_SECONDS)]
    assert intervals([film("caption", 0, 90)]) == [(0, 90)]
    assert intervals([film("caption", 0, 90), film("caption", 80, 170)]) == [(80, 140)]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["speech", "screen", "caption"]),
            st.integers(0, 400),
            st.integers(1, 150),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_entries_never_overlap_and_lose_no_passage(rows: list[tuple[Any, int, int]]) -> None:
    made = listed([film(source, start, start + length) for source, start, length in rows])
    for before, after in pairwise(made):
        assert before.end <= after.start
    for entry in made:
        whole_caption = len(entry.passages) == 1 and entry.passages[0].source == "caption"
        assert whole_caption or entry.end - entry.start <= MAX_MOMENT_SECONDS
        assert all(p.start < entry.end and p.end > entry.start for p in entry.passages)
    assert sum(len(entry.passages) for entry in made) == len(rows)


SPEECH = (
    "welcome to this island and mind the planks because they turn slippery after rain while the"
    " grey lady in the corner is called Duchess and she bites so please walk around her today"
)


def test_the_same_text_in_two_videos_is_two_entries_and_says_so() -> None:
    again = SPEECH.replace("slippery", "wet")
    other = "a comet with a pale tail drifts slowly across the dark sky above the old telescope"
    rows = [
        ("a", passage("speech", 0, 30, SPEECH)),
        ("b", passage("speech", 5, 35, again)),
        ("c", passage("speech", 0, 30, other)),
        ("c", passage("speech", 100, 130, SPEECH.upper())),
        ("c", passage("speech", 200, 230, other)),
    ]
    assert [entry.same_as for entry in listed(rows)] == [0, 1, 0, 1, 0]


def test_an_entry_begins_where_the_words_are() -> None:
    index = memory_index([film("speech", 10, 40), film("speech", 50, 80)], EMBEDDER)
    both = Matches(np.arange(2), np.ones(2), np.ones(2), np.zeros(0, np.int64))
    one, two = index.table.rows.tolist()
    said = {
        one: [
            (8.0, "Welcome.", ""),
            (15.0, "A little rain.", ""),
            (20.0, "Little Auks, everywhere.", ""),
            (30.0, "The Little Auk again.", "en"),
        ],
        two: [(45.0, "The Little Auk, from before.", ""), (55.0, "No more.", "")],
    }
    starts = mention_starts(sought("the Little Auk"), index.table, both, said)
    assert starts.tolist() == [20, 50]
    assert mention_starts(sought("seals"), index.table, both, said).tolist() == [10, 50]


# ---------------------------------------------------------------- a library

FERRY = {"start": 40, "end": 45, "text": "The ferry leaves the harbour at noon."}
OWL = {"start": 2, "end": 6, "text": "The owl hunts voles at night."}


def opened(folder: Path) -> Library:
    values = {"embedding_model": "fake:64", "profile": "embedded", "library": folder / "library"}
    return Library(settings=Settings.model_validate(values))


def test_a_list_says_what_was_scanned_and_what_is_pending(tmp_path: Path) -> None:
    film = {"video_id": "film", "source": "screen", "date": "2024-05-01", "duration": 1800}
    rows = write_rows(tmp_path / "rows.jsonl", OWL, FERRY, {**FERRY, **film})
    with opened(tmp_path) as library:
        library.import_rows(rows)
        library._catalog.put_stage("film", StageRecord("speech", "pending"))
        library._catalog.put_stage("film", StageRecord("frames", "failed"))
        whole = library.find_all("How many times is the ferry mentioned?")
        spoken = library.find_all("ferry", filters=Filters(sources=("speech",)))
        shown = library.find_all("ferry", filters=Filters(sources=("screen",)))
        talk = library.find_all("ferry", filters=Filters(videos=("talk",)))
        recent = library.find_all("ferry", filters=Filters(after="2024"))
    assert [(m.video_id, m.start) for m in whole.moments] == [("film", 40), ("talk", 40)]
    assert [(v.video_id, v.count) for v in whole.videos] == [("film", 1), ("talk", 1)]
    coverage = whole.coverage
    assert (coverage.looked_for, coverage.videos, coverage.no_text) == ("the ferry", 2, 0)
    assert coverage.hours == pytest.approx((1800 + 45) / 3600)
    assert (coverage.passages, coverage.pending) == (3, {"speech": 1})
    assert coverage.sources == {"speech": 2, "screen": 1}
    assert [m.video_id for m in spoken.moments] == ["talk"]
    assert (spoken.coverage.passages, spoken.coverage.pending) == (2, {"speech": 1})
    assert shown.coverage.pending == {}, "no stage that reads screens is pending"
    assert talk.coverage.pending == {}, "it is another video's"
    assert [m.video_id for m in recent.moments] == ["film"]
    assert (recent.coverage.videos, recent.coverage.filters.after) == (1, "2024")


def test_a_video_without_text_is_counted(tmp_path: Path) -> None:
    with opened(tmp_path) as library:
        library.import_rows(write_rows(tmp_path / "rows.jsonl", OWL))
        library.import_rows(write_rows(tmp_path / "more.jsonl", {**FERRY, "video_id": "mute"}))
        library._catalog.forget_passages("mute")
        coverage = library.find_all("owl").coverage
        assert (coverage.videos, coverage.no_text) == (2, 1)


def test_an_empty_question_and_an_empty_library_are_errors(tmp_path: Path) -> None:
    with opened(tmp_path) as library:
        with pytest.raises(LibraryNotFound):
            library.find_all("owl")
        with pytest.raises(UsageError):
            library.find_all("  ")


def test_search_all_prints_the_contract(footnote: Footnote, tmp_path: Path) -> None:
    footnote.json("import", write_rows(tmp_path / "rows.jsonl", OWL, FERRY))
    done = footnote.json("search", "Which videos mention the ferry?", "--all", "-k", "1")
    assert set(done) == {"query", "moments", "videos", "coverage", "took_ms"}
    (moment,) = done["moments"]
    assert set(moment) == {
        *("video_id", "title", "start", "end", "score", "text", "passages", "why", "same_as"),
    }
    assert done["videos"] == [{"video_id": "talk", "title": "talk", "count": 1}]
    assert done["coverage"]["passages"] == 2
    shown = footnote.run("search", "Which videos mention the ferry?", "--all").out
    assert "1 entry in 1 video for 'the ferry'" in shown and "scanned 1 video" in shown
    nothing = footnote.run("search", "list every mention of bees", "--all")
    assert (nothing.code, "0 entries in 0 videos" in nothing.out) == (0, True)


def test_ask_names_the_complete_list_for_a_question_about_all(
    footnote: Footnote, tmp_path: Path
) -> None:
    footnote.json("import", write_rows(tmp_path / "rows.jsonl", OWL, FERRY))
    assert "search --all" in footnote.run("ask", "How many times is the ferry mentioned?").out
    assert "search --all" not in footnote.run("ask", "When does the ferry leave?").out
    footnote.json("ask", "How many times is the ferry mentioned?")  # one JSON object


# ---------------------------------------------------------------- the sample library's lists


def gold() -> list[dict[str, Any]]:
    return [json.loads(row) for row in (DATA / "lists.jsonl").read_text("utf-8").splitlines()]


def truth() -> list[dict[str, Any]]:
    return [json.loads(row) for row in (DATA / "truth.jsonl").read_text("utf-8").splitlines()]


def test_the_gold_lists_are_rows_of_the_truth() -> None:
    rows = {f"{row['video_id']}#{row['id']}": row for row in truth()}
    for row in gold():
        times = [{k: rows[e][k] for k in ("video_id", "start", "end")} for e in row["evidence"]]
        assert row["gold"] == times
    assert sum(row["held_out"] for row in gold()) == len(gold()) / 2


def test_the_sample_librarys_lists_are_found(tmp_path: Path) -> None:
    """The half that is not held out, with every word of the truth in the library."""
    sources = {"speech": "speech", "screen": "screen", "scene": "caption"}
    said = [
        {k: row[k] for k in ("video_id", "start", "end", "text")} | {"source": sources[row["kind"]]}
        for row in truth()
    ]
    right = wrong = hit = missed = 0
    with opened(tmp_path) as library:
        library.import_rows(write_rows(tmp_path / "rows.jsonl", *said))
        for row in gold():
            if row["held_out"]:
                continue
            assert is_whole_library(row["question"]) == row["kind"]
            entries_right, gold_hit = judged(library.find_all(row["question"]), row["gold"])
            right, wrong = right + sum(entries_right), wrong + entries_right.count(False)
            hit, missed = hit + sum(gold_hit), missed + gold_hit.count(False)
    assert right / (right + wrong) >= 0.9
    assert hit / (hit + missed) >= 0.7


def judged(listing: Listing, wanted: list[dict[str, Any]]) -> tuple[list[bool], list[bool]]:
    """Which entries hold something wanted, and which of what is wanted is held by an entry."""

    def meets(entry: Entry, row: dict[str, Any]) -> bool:
        common = min(entry.end, row["end"]) - max(entry.start, row["start"])
        return bool(entry.video_id == row["video_id"] and common > 0)

    return (
        [any(meets(entry, row) for row in wanted) for entry in listing.moments],
        [any(meets(entry, row) for entry in listing.moments) for row in wanted],
    )

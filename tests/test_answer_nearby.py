"""An answer that abstains says what is near and what the library lacks; one that does not shows
where its videos contradict each other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipeline.answer.ask import answer_question
from pipeline.answer.contradictions import differ, says_otherwise
from pipeline.answer.nearby import missing, nearby
from pipeline.models.embedding import load_embedder
from pipeline.models.language import ScriptedModel
from pipeline.types import Answer, Filters, StageRecord, Video
from tests.answer_made import MadeTranscripts, found, moment, speech

EMBEDDED = "the embedded profile transcribes nothing; run footnote add --profile auto"
VIDEOS = [
    Video("a", "A", path="/talks/a.mp4", date="2022-03-01"),
    Video("b", "B", path="/talks/b.mp4", date="2023-05-01"),
    Video("c", "C", path="/talks/more/c.mp4"),
]


def record(name: str, status: str, reason: str = "") -> StageRecord:
    return StageRecord(name, status, reason=reason)  # type: ignore[arg-type]


STAGES = {
    "a": {"speech": record("speech", "done"), "captions": record("captions", "pending")},
    "b": {"speech": record("speech", "pending", EMBEDDED)},
    "c": {"speech": record("speech", "failed", EMBEDDED), "levels": record("levels", "pending")},
}


def let_through(filters: Filters) -> Sequence[str]:
    after = [v for v in VIDEOS if not filters.after or v.date >= filters.after]
    named = [v for v in after if not filters.people]
    return [v.video_id for v in named if not filters.folder or v.path.startswith(filters.folder)]


def lines(filters: Filters) -> tuple[str, ...]:
    return missing(filters, VIDEOS, STAGES, let_through)


def test_what_was_not_read_yet_is_counted_with_the_command_that_reads_it() -> None:
    assert lines(Filters()) == (
        "2 of 3 videos have no transcript yet: footnote add --profile auto /talks",
        "1 of 3 videos has no descriptions of their pictures yet: footnote add /talks/a.mp4",
    )


def test_only_stages_and_videos_that_the_filters_let_through_are_named() -> None:
    assert [line.split(":")[0] for line in lines(Filters(sources=("caption",)))] == [
        "1 of 3 videos has no descriptions of their pictures yet"
    ]
    assert lines(Filters(sources=("screen",))) == ()
    assert lines(Filters(folder="/talks/more")) == (
        "1 of 1 video has no transcript yet: footnote add --profile auto /talks/more/c.mp4",
    )


def test_a_filter_that_leaves_nothing_is_named_with_what_there_is() -> None:
    assert lines(Filters(after="2024")) == (
        "no video is dated 2024 or later: the videos are dated 2022-03-01 to 2023-05-01",
    )
    assert lines(Filters(after="2023", people=("Ada",))) == (
        "no video is by or with Ada: footnote list",
    )
    assert lines(Filters(after="2023", folder="/talks/a")) == (
        "no video passes all of these filters together",
    )


def test_nearby_are_the_best_moments_of_different_videos() -> None:
    moments = [moment(v, t, t + 9.0) for v, t in (("a", 0.0), ("a", 20.0), ("b", 5.0), ("c", 7.0))]
    assert [(n.video_id, n.start) for n in nearby(moments)] == [("a", 0.0), ("b", 5.0), ("c", 7.0)]
    assert [(n.video_id, n.start) for n in nearby(moments[:2])] == [("a", 0.0), ("a", 20.0)]


# ---------------------------------------------------------------- contradictions

TALKS = MadeTranscripts(
    {
        "spring": speech((0.0, 4.0, "In a good week the greenhouse gives 64 kilos of food.")),
        "autumn": speech((0.0, 4.0, "In a good week the greenhouse gives 81 kilos of food.")),
        "tour": speech((0.0, 4.0, "The ferry takes 35 minutes to the island.")),
    },
    {
        "spring": Video("spring", "Spring talk", date="2024-03-14"),
        "autumn": Video("autumn", "Autumn talk", date="2024-11-20"),
        "tour": Video("tour", "Tour", date="2024-05-12"),
    },
)


def answered(reply: str, form: str = "") -> Answer:
    return answer_question(
        "How much food does the greenhouse give?",
        found(*(moment(name, 0.0, 9.0) for name in ("spring", "tour", "autumn"))),
        TALKS,
        load_embedder("fake:512"),
        ScriptedModel([reply]),
        form=form,
    )


def test_videos_that_differ_are_paired_with_the_later_one_first() -> None:
    answer = answered(
        "In a good week the greenhouse gives 64 kilos of food [1]. "
        "The ferry takes 35 minutes to the island [2]. "
        "In a good week the greenhouse gives 81 kilos of food [3]."
    )
    assert len(answer.citations) == 3
    ((later, earlier),) = answer.contradictions
    dates = {citation.marker: citation.date for citation in answer.citations}
    assert (dates[later], dates[earlier]) == ("2024-11-20", "2024-03-14")


def test_a_timeline_has_no_contradictions() -> None:
    one = "In a good week the greenhouse gives 64 kilos of food [1]."
    both = f"{one}\n- In a good week the greenhouse gives 81 kilos of food [3]."
    assert answered(one, "timeline").contradictions == ()
    assert answered(both, "timeline").contradictions == ()


def test_another_video_that_says_otherwise_is_found_where_the_model_cited_only_one() -> None:
    answer = answered("In a good week the greenhouse gives 64 kilos of food [1].")
    cited, other = answer.citations
    assert answer.contradictions == ((other.marker, cited.marker),), "the later one first"
    assert other.quote == "In a good week the greenhouse gives 81 kilos of food."
    assert (other.verdict, other.date[:10], other.video_id) == (
        "contradicted", "2024-11-20", "autumn"
    )  # fmt: skip
    assert [s.citations for s in answer.sentences] == [(1,)], "no sentence rests on it"
    assert "[2]" not in answer.answer


def test_what_is_not_said_is_not_contradicted() -> None:
    """The ferry is no part of what differs, and a sentence that was dropped asserts nothing."""
    assert answered("The ferry takes 35 minutes to the island [2].").contradictions == ()
    lie = answered("In a good week the greenhouse gives 99 kilos of food [1].")
    assert lie.abstained and lie.contradictions == () and lie.citations == ()


OTHERWISE = "The pump of the greenhouse takes six degrees out of the water."


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ("The pump of the greenhouse takes four degrees out of the water.", True),
        ("The pump now takes 4 degrees out of the water.", True),
        ("The pump of the greenhouse does not take six degrees out of the water.", True),
        ("The pump of the greenhouse takes six degrees out of the water and two hours.", False),
        ("The pump of the greenhouse takes more than four degrees out of the water.", False),
        ("The pump of the greenhouse takes four litres out of the water.", False),
        ("The heater takes four degrees.", False),
        ("The pump of the greenhouse was built in 1990.", False),
        ("Concrete for the greenhouse costs four degrees.", False),
        ("The pump of Port Ambry takes four degrees out of the water.", True),
    ],
)
def test_only_another_value_of_the_same_kind_for_the_same_says_otherwise(
    other: str, expected: bool
) -> None:
    assert says_otherwise(OTHERWISE, other, 0.8, OTHERWISE) == expected
    assert not says_otherwise(OTHERWISE, other, 0.1, "The pump is old.") or "not" in other


def test_what_only_costs_the_same_money_is_something_else() -> None:
    one = "Building the greenhouse costs 48,000 crowns."
    assert says_otherwise(one, "Building the greenhouse costs 53,000 crowns.", 0.8, one)
    assert not says_otherwise(one, "Concrete costs 62,000 crowns.", 0.8, one)


def test_a_video_does_not_contradict_itself() -> None:
    """Its speaker says what became of the first figure, and the reader has it before them."""
    told = speech(
        (0.0, 4.0, "In a good week the greenhouse gives 64 kilos of food."),
        (5.0, 9.0, "In a good week the greenhouse now gives 81 kilos of food."),
    )
    answer = answer_question(
        "How much food does the greenhouse give?",
        found(moment("spring", 0.0, 9.0)),
        MadeTranscripts({"spring": told}),
        load_embedder("fake:512"),
        ScriptedModel(["In a good week the greenhouse gives 64 kilos of food [1]."]),
    )
    assert len(answer.citations) == 1 and answer.contradictions == ()


def test_people_and_places_that_are_called_otherwise_are_others() -> None:
    one = "The ferry to Port Ambry takes 35 minutes to the island."
    assert says_otherwise(one, "The ferry to Port Ambry takes 50 minutes to the island.", 0.9, one)
    other = "The ferry to Gannet Bay takes 50 minutes to the island."
    assert not says_otherwise(one, other, 0.9, one)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("It saves 2,900 litres of diesel.", "It saves 2,100 litres of diesel.", True),
        ("The gate is open on Sunday.", "The gate is not open on Sunday.", True),
        ("The meeting is in May on the 3rd.", "The meeting is in May on the 3rd, at noon.", False),
        ("It saves diesel.", "It saves 2,100 litres of diesel.", False),
        ("BIP 340 has 3 authors.", "BIP 341 has 4 authors.", False),
        ("The ferry takes 35 minutes.", "The mirror is 41 cm wide.", False),
    ],
)
def test_another_number_or_a_not_about_the_same_differs(
    one: str, other: str, expected: bool
) -> None:
    assert differ(one, other, False) == differ(other, one, False) == expected

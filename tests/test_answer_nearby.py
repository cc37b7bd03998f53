"""An answer that abstains says what is near and what the library lacks; one that does not shows
where its videos contradict each other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pipeline.answer.ask import answer_question
from pipeline.answer.contradictions import differ
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


def test_an_answer_from_one_video_and_a_timeline_have_no_contradictions() -> None:
    one = "In a good week the greenhouse gives 64 kilos of food [1]."
    both = f"{one}\n- In a good week the greenhouse gives 81 kilos of food [3]."
    assert answered(one).contradictions == ()
    assert answered(both, "timeline").contradictions == ()


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

"""Sentences rebuilt over segments: verbatim, whole, and at the time their words are said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answer.statements import MAX_WIDTH, statements, width
from pipeline.types import Segment, Word
from tests.answer_made import speech, timed, tracks


def test_a_sentence_over_two_cues_runs_from_the_first_to_the_last() -> None:
    cues = speech(
        (1.0, 3.0, "Good evening. The ferry takes"),
        (3.1, 5.0, "thirty-five minutes when the sea is kind."),
        (5.2, 7.0, "She never sails on a Sunday."),
    )
    made = statements("v", cues)
    assert [(s.start, s.end, s.text) for s in made] == [
        (1.0, 3.0, "Good evening."),
        (1.0, 5.0, "The ferry takes thirty-five minutes when the sea is kind."),
        (5.2, 7.0, "She never sails on a Sunday."),
    ]


def test_word_times_say_when_a_sentence_inside_an_utterance_is_said() -> None:
    segment = timed(10.0, "We planted beans first. The harvest weighed nine kilos. That was it.")
    second = statements("v", [segment])[1]
    assert second.text.startswith("The harvest weighed nine kilos.")
    assert second.start == 12.0  # four words of half a second before it


def test_a_word_alone_is_joined_to_its_neighbour() -> None:
    made = statements("v", speech((0.0, 4.0, "How many beds are there in the house? Twelve.")))
    assert [s.text for s in made] == ["How many beds are there in the house? Twelve."]


def test_words_that_are_not_in_the_text_give_no_time() -> None:
    words = (Word(99.0, 120.0, "elsewhere"), Word(float("nan"), 2.0, "The"))
    segment = Segment("speech", 1.0, 4.0, "The lamp went out in the storm.", words=words)
    only = statements("v", [segment])[0]
    assert (only.start, only.end) == (1.0, 4.0)


def test_a_place_in_a_long_turn_is_estimated_early_rather_than_late() -> None:
    text = " ".join(f"This is sentence number {i} of the talk." for i in range(20))
    made = statements("v", [Segment("speech", 100.0, 200.0, text)])
    assert len(made) == 20
    for i, statement in enumerate(made):
        said = 100.0 + 5.0 * i
        assert said - 6.0 <= statement.start <= said + 0.5
        assert statement.end >= said + 4.5
    assert made[0].start == 100.0 and made[-1].end == 200.0


def test_speech_without_marks_is_cut_where_the_speaker_paused() -> None:
    cues = speech(
        (0.0, 2.0, "marx and frederick engels"),
        (2.5, 5.0, "preamble a spectre is haunting europe"),
        (5.0, 8.0, "the specter of communism all the powers"),
        (8.0, 11.0, "of old europe have entered into a holy"),
        (11.0, 14.0, "alliance to exercise this spectre"),
    )
    assert [s.start for s in statements("v", cues)][:2] == [0.0, 2.5]


def test_another_speaker_or_a_long_silence_ends_a_sentence() -> None:
    cues = [
        *speech((0.0, 2.0, "I think the harbour is"), speaker="Ada"),
        *speech((2.1, 4.0, "closed on Mondays in the winter."), speaker="Bo"),
        *speech((14.0, 16.0, "and it opens again in the spring"), speaker="Bo"),
    ]
    assert [s.text for s in statements("v", cues)] == [c.text for c in cues]


def test_a_slide_is_read_in_lines_and_keeps_its_whole_interval() -> None:
    slide = Segment("screen", 5.0, 20.0, "JETTY LIMIT\n12 PERSONS\nCarts give way to seals")
    only = statements("v", [slide])
    assert [(s.start, s.end, s.text) for s in only] == [(5.0, 20.0, slide.text)]


def test_chapters_and_summaries_give_nothing_to_cite() -> None:
    derived = [Segment("chapter", 0.0, 60.0, "The ferry."), Segment("summary", 0.0, 60.0, "All.")]
    assert statements("v", derived) == []


def test_two_languages_do_not_run_into_each_other() -> None:
    both = [
        Segment("speech", 0.0, 2.0, "The lighthouse was built", language="en"),
        Segment("speech", 0.0, 2.0, "Der Leuchtturm wurde", language="de"),
        Segment("speech", 2.0, 4.0, "by two sisters in 1887.", language="en"),
        Segment("speech", 2.0, 4.0, "von zwei Schwestern gebaut.", language="de"),
    ]
    assert {s.text for s in statements("v", both)} == {
        "The lighthouse was built by two sisters in 1887.",
        "Der Leuchtturm wurde von zwei Schwestern gebaut.",
    }


@given(tracks())
def test_every_statement_is_stored_text_within_the_time_of_its_segments(
    track: list[Segment],
) -> None:
    for statement in statements("v", track):
        joined = " ".join(segment.text for segment in statement.segments)
        assert joined[statement.offset :].startswith(statement.text)
        assert statement.offset < len(statement.segments[0].text) + 1
        assert min(s.start for s in statement.segments) <= statement.start < statement.end
        assert statement.end <= max(s.end for s in statement.segments)
        assert all(segment in track for segment in statement.segments)


@given(st.text(st.sampled_from("ab ,.;日"), max_size=3000))
def test_no_statement_is_too_long_and_no_word_is_lost(text: str) -> None:
    segments = [Segment("speech", 0.0, 900.0, text)] if text else []
    made = statements("v", segments)
    assert all(width(s.text) <= MAX_WIDTH for s in made)
    kept = "".join(s.text for s in sorted(made, key=lambda s: s.offset))
    assert "".join(filter(str.isalnum, kept)) == "".join(filter(str.isalnum, text))


@pytest.mark.parametrize(
    "text", ["a" * 100_000, "one two " * 20_000, "…。" * 30_000, "日" * 50_000]
)
def test_a_hostile_length_takes_no_time(text: str) -> None:
    assert all(width(s.text) <= MAX_WIDTH for s in statements("v", speech((0.0, 5.0, text))))

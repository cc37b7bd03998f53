"""What is worth its room in the evidence: near to the question, new, and understandable."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.answer.evidence import candidates, numbered
from pipeline.answer.selection import leans, select
from pipeline.models.embedding import load_embedder
from pipeline.types import Moment, Segment
from tests.answer_made import MadeTranscripts, moment, speech, tracks

EMBEDDER = load_embedder("fake:512")
FERRY = "The ferry leaves the harbour at noon on weekdays."


def chosen(
    question: str,
    transcripts: MadeTranscripts,
    *moments: Moment,
    tokens: int,
    spread: bool = False,
) -> list[str]:
    """The texts that are taken, in the order of the evidence."""
    found = candidates(moments, transcripts)
    taken = select(question, found, moments, EMBEDDER, tokens, spread=spread)
    return [item.statement.text for item in numbered(taken, transcripts)]


def apart(*texts: str, start: float = 0.0) -> list[Segment]:
    """Utterances of which none is the context of another."""
    rows = ((start + 20.0 * i, start + 20.0 * i + 4.0, text) for i, text in enumerate(texts))
    return speech(*rows)


def test_what_is_near_to_the_question_is_taken_before_the_rest_of_a_better_moment() -> None:
    transcripts = MadeTranscripts(
        {
            "first": apart("Good evening to all of you.", "Boots stay at the front door please."),
            "second": apart(FERRY),
        }
    )
    moments = moment("first", 0.0, 40.0, score=1.0), moment("second", 0.0, 10.0, score=0.9)
    assert chosen("When does the ferry leave?", transcripts, *moments, tokens=30) == [FERRY]


def test_a_copy_gives_way_to_something_new_and_is_taken_where_there_is_room() -> None:
    new = "The ferry to the harbour was repaired."
    transcripts = MadeTranscripts({"talk": apart(FERRY), "copy": apart(FERRY), "news": apart(new)})
    moments = (
        moment("talk", 0.0, 10.0, score=1.0),
        moment("copy", 0.0, 10.0, score=0.99),
        moment("news", 0.0, 10.0, score=0.98),
    )
    question = "When does the ferry leave the harbour?"
    assert chosen(question, transcripts, *moments, tokens=56) == [FERRY, new]
    assert sorted(chosen(question, transcripts, *moments, tokens=500)) == sorted(
        [FERRY, FERRY, new]
    )


@pytest.mark.parametrize(
    ("other", "kept"),
    [
        ("The ferry leaves the harbour at 9 on all weekdays.", True),
        ("The ferry leaves the harbour not at 12 on weekdays.", True),
        ("The ferry leaves the harbour always at 12 on weekdays.", False),
    ],
)
def test_another_number_or_a_not_is_no_repetition(other: str, kept: bool) -> None:
    said, new = (
        "The ferry leaves the harbour at 12 on weekdays.",
        "The ferry to the harbour leaves.",
    )
    transcripts = MadeTranscripts({"talk": apart(said), "news": apart(other), "z": apart(new)})
    moments = tuple(moment(name, 0.0, 10.0, score=1.0) for name in ("talk", "news", "z"))
    question = "When does the ferry leave the harbour?"
    taken = chosen(question, transcripts, *moments, tokens=59)
    assert taken == [said, other if kept else new]


def test_a_sentence_that_leans_on_the_one_before_it_brings_it_along() -> None:
    transcripts = MadeTranscripts(
        {
            "talk": speech(
                (0.0, 4.0, "Boots stay outside."),
                (5.0, 9.0, "We have a telescope called Old Cyclops."),
                (10.0, 14.0, "Its mirror measures forty-one centimetres across."),
                (15.0, 19.0, "Curtains are drawn at night."),
            )
        }
    )
    taken = chosen(
        "How many centimetres does the mirror measure across?",
        transcripts,
        moment("talk", 0.0, 20.0),
        tokens=56,
    )
    assert taken == [
        "We have a telescope called Old Cyclops.",
        "Its mirror measures forty-one centimetres across.",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It turns once a minute.", True),
        ("And so they went home.", True),
        ("which is why nobody did.", True),
        ("The lamp turns.", False),
        ("Italy is far away.", False),
    ],
)
def test_which_sentences_lean(text: str, expected: bool) -> None:
    (found,) = candidates([moment("v", 0.0, 9.0)], MadeTranscripts({"v": speech((0.0, 5.0, text))}))
    assert leans(found.statement) == expected


def test_a_question_that_compares_gets_lines_of_several_videos() -> None:
    one = ("The harvest was early.", "The harvest was big.")
    other = "The harvest was small and late."
    transcripts = MadeTranscripts({"spring": apart(*one), "autumn": apart(other)})
    moments = moment("spring", 0.0, 40.0, score=1.0), moment("autumn", 0.0, 9.0, score=0.98)
    question = "What was the harvest?"
    alone = chosen(question, transcripts, *moments, tokens=45)
    spread = chosen(question, transcripts, *moments, tokens=45, spread=True)
    assert set(alone) == set(one)
    assert set(spread) == {one[0], other}


def test_sentences_of_one_segment_without_word_times_keep_their_order() -> None:
    text = "Good evening. I look after the plants. The sea keeps all of them warm."
    transcripts = MadeTranscripts({"talk": speech((0.0, 9.0, text))})
    taken = chosen("What keeps the plants warm?", transcripts, moment("talk", 0, 9), tokens=500)
    assert " ".join(taken) == text


@settings(max_examples=50, deadline=None)
@given(tracks(), st.integers(20, 400), st.booleans())
def test_the_budget_holds_and_nothing_is_taken_twice(
    track: list[Segment], tokens: int, spread: bool
) -> None:
    transcripts = MadeTranscripts({"v": track})
    whole = [moment("v", 0.0, 5000.0, "speech", "caption", "screen", "sound")]
    found = candidates(whole, transcripts)
    taken = select("ab1 a?", found, whole, EMBEDDER, tokens, spread=spread)
    assert len(set(map(id, taken))) == len(taken)
    assert bool(taken) == bool(found)
    first = {id(candidate) for candidate in taken[:2]}  # taken whatever it costs, with its context
    rest = sum(c.cost for c in taken if id(c) not in first)
    assert rest <= tokens
    if all(candidate.cost * 2 <= tokens for candidate in found):
        assert sum(candidate.cost for candidate in taken) <= tokens

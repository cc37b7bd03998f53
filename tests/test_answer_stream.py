"""A streamed answer: what was checked is shown as it comes, and nothing else ever is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answer.ask import answer_question, stream_answer
from pipeline.answer.asking import finished_parts
from pipeline.answer.generate import NO_ANSWER, read_reply
from pipeline.errors import ModelUnavailable
from pipeline.models.embedding import load_embedder
from pipeline.models.language import ScriptedModel
from pipeline.types import Answer, AnswerEvent, EvidenceFound, Reply, SentenceReady
from tests.test_answer_generate import RESULT, STATION

BUILT = "The lighthouse was built in 1887 by two sisters [1]."
TURNS = "The lighthouse turns once every twelve seconds at night [2]."
LIE = "The lighthouse was built in 1912 by nine brothers [1]."
QUESTION = "What is known of the lighthouse?"


class Pieces:
    """A model whose pieces are given; an exception among them is raised in its turn."""

    name = "fake:pieces"

    def __init__(self, *pieces: str | Exception) -> None:
        self.said = 0
        self._pieces = pieces

    def complete(self, prompt: str, system: str = "") -> Reply:
        raise AssertionError("a streamed answer must not wait for the whole reply")

    def stream(self, prompt: str, system: str = "") -> Iterator[str]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            self.said += 1
            yield piece


def stream(model: Pieces | ScriptedModel, form: str = "") -> Iterator[AnswerEvent]:
    return stream_answer(QUESTION, RESULT, STATION, load_embedder("fake:512"), model, form=form)


@pytest.mark.parametrize(
    ("pieces", "parts"),
    [
        (["It was built [1]", ". It", " turns [2]."], ["It was built [1]. ", "It turns [2]."]),
        (["Built. [1", "][2] It", " turns. [3]"], ["Built. [1][2] ", "It turns. [3]"]),
        (["Built [1].", " [2] It turns [3]."], ["Built [1]. [2] ", "It turns [3]."]),
        (["Built by Dr. Moss [1]. It ", "turns."], ["Built by Dr. Moss [1]. ", "It turns."]),
        (["Built in 1887", ". It turns [2]. So"], ["Built in 1887. It turns [2]. So"]),
        (["- One [1]\n- Tw", "o [2]\n- Three [3]"], ["- One [1]\n- Two [2]\n", "- Three [3]"]),
        (["<think>A [1]. B [2]. C ", "d</think>X [1]. Y z"], ["<think>A [1]. B [2]. C d</think>X "
          "[1]. ", "Y z"]),
        (["建てられました【1】。次", "です【2】。"], ["建てられました【1】。", "次です【2】。"]),
    ],
)  # fmt: skip
def test_parts_end_where_a_sentence_and_its_markers_do(pieces: list[str], parts: list[str]) -> None:
    assert list(finished_parts(pieces)) == parts


REPLIES = st.lists(
    st.sampled_from(
        [BUILT, TURNS, "It stands there.", "See Dr. Moss. [3]", "\n- One [1]\n", "A [1]"]
    ),
    min_size=1,
    max_size=5,
    unique=True,
).map(" ".join)


@given(REPLIES, st.integers(1, 9))
def test_however_a_reply_is_cut_into_pieces_its_parts_say_the_same(reply: str, size: int) -> None:
    pieces = [reply[at : at + size] for at in range(0, len(reply), size)]
    parts = list(finished_parts(pieces))
    assert "".join(parts) == reply
    claims = [claim for part in parts for claim in read_reply(part, 3).claims]
    assert claims == list(read_reply(reply, 3).claims)


def test_events_are_the_evidence_then_each_sentence_then_the_answer() -> None:
    events = list(stream(ScriptedModel([f"{BUILT} {TURNS}"])))
    found, first, second, answer = events
    assert isinstance(found, EvidenceFound)
    assert (found.statements, found.moments) == (4, RESULT.moments)
    assert isinstance(first, SentenceReady) and isinstance(second, SentenceReady)
    assert [c.marker for c in first.citations] == [1] and second.sentence.citations == (2,)
    assert isinstance(answer, Answer)
    assert answer.sentences == (first.sentence, second.sentence)
    assert answer.citations == (*first.citations, *second.citations)


def test_the_streamed_answer_is_the_one_that_is_asked_for_whole() -> None:
    reply = f"Here is what I know. {BUILT} {LIE} {TURNS} {BUILT} And more [77]."
    whole = answer_question(
        QUESTION, RESULT, STATION, load_embedder("fake:512"), ScriptedModel([reply])
    )
    *_, streamed = stream(ScriptedModel([reply]))
    assert isinstance(streamed, Answer)
    assert (streamed.answer, streamed.citations) == (whole.answer, whole.citations)
    for name in ("dropped_sentences", "invented_markers"):
        assert streamed.usage[name] == whole.usage[name]


def test_a_sentence_is_shown_before_the_model_has_ended_and_only_when_the_next_has_begun() -> None:
    model = Pieces(BUILT[:-1], ". Now", " it", " ", "is dark.")
    events = stream(model)
    assert isinstance(next(events), EvidenceFound) and model.said == 0
    shown = next(events)
    assert isinstance(shown, SentenceReady) and shown.sentence.text.startswith("The lighthouse was")
    assert 2 <= model.said <= 3


def test_a_sentence_that_its_citation_does_not_carry_never_comes() -> None:
    events = list(stream(ScriptedModel([f"{LIE} {TURNS}"])))
    shown = [event.sentence.text for event in events if isinstance(event, SentenceReady)]
    assert shown == ["The lighthouse turns once every twelve seconds at night."]


def test_a_model_that_dies_midway_leaves_what_was_settled_and_its_error() -> None:
    died = ModelUnavailable("the endpoint went away", "start it again")
    *_, answer = stream(Pieces(f"{BUILT} {TURNS} The lighthouse was pain", died))
    assert isinstance(answer, Answer)
    assert [s.text.split()[2] for s in answer.sentences] == ["was", "turns"]
    assert answer.incomplete == "the endpoint went away" and not answer.abstained


def test_a_model_that_dies_before_it_said_anything_is_an_error() -> None:
    events = stream(Pieces("The light", ModelUnavailable("gone", "start it")))
    with pytest.raises(ModelUnavailable):
        list(events)


@pytest.mark.parametrize(
    "reply", [NO_ANSWER, f"Everyone on the island sleeps in Gannet House. {NO_ANSWER}"]
)
def test_a_refusal_shows_no_sentence_even_where_words_came_before_it(reply: str) -> None:
    events = list(stream(ScriptedModel([reply])))
    assert len(events) == 2
    assert isinstance(events[1], Answer) and events[1].abstained

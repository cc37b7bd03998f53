"""HyDE: what is asked, what is made of any reply, and that nothing fails in silence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ModelUnavailable
from pipeline.prompts import load_prompt
from pipeline.retrieve.expand import (
    ANY_REGISTER,
    LONGEST_PASSAGE,
    expand,
    read_passages,
    register_of,
)
from pipeline.types import Reply
from tests.memory_index import passage, table_of

QUESTION = "Who proposed the ferry line?"
FIRST = "Maria stood up and said we need a second line to the island."
SECOND = "The councillor wants boats twice an hour."
PROMPT = load_prompt("hyde")


class Scripted:
    """A language model that replies `text`, or fails; it keeps what it was asked."""

    name = "test:scripted"

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.asked: list[str] = []

    def complete(self, prompt: str, system: str = "") -> Reply:
        self.asked.append(prompt)
        if self.text is None:
            raise ModelUnavailable("the endpoint is down")
        return Reply(self.text, 120, 40)


@pytest.mark.parametrize(
    "reply",
    [
        f"1. {FIRST}\n2. {SECOND}",
        f"1) {FIRST}\n\n2) {SECOND}",
        f"[1] {FIRST}\n[2] {SECOND}\n",
        f"- {FIRST}\n- {SECOND}",
        f"* “{FIRST}”\n* “{SECOND}”",
        f"{FIRST}\n\n{SECOND}",
        f"Here are two passages:\n\n1. {FIRST}\n2. {SECOND}\n\nLet me know if you need more!",
        f"Sure, here they are:\n\n{FIRST}\n\n{SECOND}",
        f"Passage 1: {FIRST}\nPassage 2: {SECOND}",
        f"**Passage 1:**\n{FIRST}\n\n**Passage 2:**\n{SECOND}",
        f"**Passage 1**\n\n{FIRST}\n\n**Passage 2**\n\n{SECOND}",
        f"1. **{FIRST}**\n2. **{SECOND}**",
        json.dumps([FIRST, SECOND]),
        json.dumps({"passages": [FIRST, SECOND]}),
        json.dumps([{"passage": FIRST}, {"passage": SECOND}]),
        f"```json\n{json.dumps([FIRST, SECOND])}\n```",
        f"<think>1. The user wants passages.\n2. I write them.</think>\n1. {FIRST}\n2. {SECOND}",
        f"The user wants two passages.</think>\n1. {FIRST}\n2. {SECOND}",
        f"1. {FIRST}\n2. {SECOND}\n3. {FIRST}",
        f"1. {QUESTION}\n2. {FIRST}\n3. {SECOND}",
        f"1. Maria stood up and said\nwe need a second line to the island.\n2. {SECOND}",
    ],
)
def test_passages_are_read_from_any_layout(reply: str) -> None:
    assert read_passages(reply, QUESTION) == [FIRST, SECOND]


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "<think>I would rather not",
        QUESTION,
        "The ferry line, who proposed?",
        "I'm sorry, but I cannot help with that.",
        "1.\n2.\n",
        "[]",
        "***",
    ],
)
def test_a_reply_with_nothing_to_search_with_gives_none(reply: str) -> None:
    assert read_passages(reply, QUESTION) == []


def test_an_apology_somebody_might_say_in_a_video_is_a_passage() -> None:
    said = "Sorry, let me share my screen so that you see the ferry timetable."
    assert read_passages(f"1. {said}", QUESTION) == [said]


def test_numbers_inside_a_passage_do_not_split_it() -> None:
    text = "It takes 2. 5 hours, and line 3) runs - as ever - on the 4th."
    assert read_passages(f"1. {text}", QUESTION) == [text]


def test_a_runaway_passage_is_cut_at_a_word() -> None:
    (text,) = read_passages("ferry boat " * 1000, QUESTION)
    assert LONGEST_PASSAGE - 10 < len(text) <= LONGEST_PASSAGE
    assert text.endswith(("ferry", "boat"))


@given(st.text(max_size=300))
def test_no_reply_breaks_the_reading(reply: str) -> None:
    for text in read_passages(reply, QUESTION):
        assert text == text.strip() and text.isprintable()


def test_the_request_holds_question_count_and_register() -> None:
    model = Scripted(f"1. {FIRST}\n2. {SECOND}\n3. A third one about boats.")
    expansion = expand(QUESTION, model, PROMPT, 2, register="captions of harbours")
    assert expansion.passages == (FIRST, SECOND)
    assert expansion.reason == ""
    assert (expansion.prompt_tokens, expansion.completion_tokens) == (120, 40)
    (request,) = model.asked
    assert QUESTION in request and "Write 2 passages" in request
    assert "captions of harbours" in request


def test_the_same_request_is_made_once() -> None:
    kept: dict[str, bytes] = {}
    model = Scripted(f"1. {FIRST}\n2. {SECOND}")

    def ask(question: str, count: int, asked: Scripted = model, prompt=PROMPT) -> tuple[str, ...]:
        return expand(
            question, asked, prompt, count, get_output=kept.get, put_output=kept.__setitem__
        ).passages

    assert ask(QUESTION, 2) == ask(QUESTION, 2) == (FIRST, SECOND)
    assert len(model.asked) == 1
    ask(QUESTION, 1)
    ask("Who pays for the boats?", 2)
    assert len(model.asked) == len(kept) == 3
    other = Scripted("1. Something else about harbours.")
    other.name = "test:other"
    assert ask(QUESTION, 2, other) == ("Something else about harbours.",)


def test_a_model_that_fails_gives_a_reason_and_is_asked_again_next_time() -> None:
    kept: dict[str, bytes] = {}
    down = Scripted(None)
    for _ in range(2):
        expansion = expand(QUESTION, down, PROMPT, get_output=kept.get, put_output=kept.__setitem__)
        assert expansion.passages == ()
        assert "endpoint is down" in expansion.reason
    assert len(down.asked) == 2
    assert not kept


def test_a_useless_reply_gives_a_reason_and_is_not_kept() -> None:
    kept: dict[str, bytes] = {}
    expansion = expand(QUESTION, Scripted(QUESTION), PROMPT, put_output=kept.__setitem__)
    assert expansion.passages == ()
    assert "no passage" in expansion.reason and "test:scripted" in expansion.reason
    assert not kept


def test_a_model_that_echoes_the_prompt_gives_no_passage() -> None:
    request = PROMPT.render(question=QUESTION, count=2, register=ANY_REGISTER)
    assert expand(QUESTION, Scripted(request), PROMPT, 2).passages == ()


def test_no_passages_wanted_asks_no_model() -> None:
    model = Scripted(FIRST)
    assert expand(QUESTION, model, PROMPT, 0).passages == ()
    assert model.asked == []


def test_the_register_is_what_the_library_holds() -> None:
    speech = [("a", passage("speech", n, n + 1, "x")) for n in range(60)]
    captions = [("a", passage("caption", n, n + 1, "x")) for n in range(39)]
    rare = [("a", passage("sound", 0, 1, "x"))]
    both = register_of(table_of(speech + captions + rare))
    assert both.index("say") < both.index("captions")
    assert "sound" not in both
    assert register_of(table_of(captions)) == "captions that describe what can be seen"
    assert register_of(table_of([])) == ANY_REGISTER

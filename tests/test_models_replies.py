"""What a model replied, read as data: thoughts are left out, JSON is found, whatever it says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answer.agent_model import Draft, read_next
from pipeline.answer.look_replies import read_reply
from pipeline.answer.report_plan import read_outline
from pipeline.answer.rewriting import rewrite
from pipeline.answer.verify_replies import read_verdicts
from pipeline.evaluate.answer_judge import read_ruling
from pipeline.ingest.caption_replies import read_records
from pipeline.models.language import ScriptedModel
from pipeline.models.replies import (
    UnreadableReply,
    after_thoughts,
    answer_of,
    estimated_tokens,
    json_object,
    json_objects,
    json_rows,
    json_value,
    without_thoughts,
)
from pipeline.settings import Settings
from pipeline.types import Answer

DEEP = '{"a":' * 100_000
SAID = {"enough": True, "why": 'a "quoted" word } and ] and <think>'}

# ---------------------------------------------------------------- thoughts


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        ("Blue.", "Blue."),
        ("<think>hm</think>Blue.", "Blue."),
        ("<THINKING>\nhm\n</THINKING>\n\nBlue.", "Blue."),
        ("<reasoning>hm</reasoning> Blue.", "Blue."),
        ("hm, hm</think>\nBlue.", "Blue."),
        ("One. <think>hm</think> Two.", "One.   Two."),
        ("Blue. <think>no, green", "Blue."),
        ("<think>never ends", ""),
        ("<think>a<think>b</think>c</think>Blue.", "Blue."),
        ("a < b and c > d", "a < b and c > d"),
        ('{"text": "the page says </think>"}', '{"text": "the page says </think>"}'),
        ('<think>{"a": 1}</think>{"a": "<think>"}', '{"a": "<think>"}'),
    ],
)
def test_thoughts_are_left_out_wherever_they_stand(reply: str, kept: str) -> None:
    assert without_thoughts(reply) == kept


@given(st.text('<>/think {"a1]}[:,', max_size=60))
def test_no_reply_breaks_the_reading_of_thoughts(reply: str) -> None:
    told = without_thoughts(reply)
    assert len(told) <= len(reply) + 2 and answer_of(reply) == answer_of(reply).strip()
    if not re.search("</?think>", reply):
        assert told == reply.strip()


@given(st.text("<>/think a", max_size=30), st.integers(1, 5))
def test_however_it_comes_in_pieces_the_thoughts_before_it_are_the_same(
    reply: str, size: int
) -> None:
    pieces = [reply[at : at + size] for at in range(0, len(reply), size)]
    assert "".join(after_thoughts(pieces)).strip() == answer_of(reply)


# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    "reply",
    [
        json.dumps(SAID),
        f"```json\n{json.dumps(SAID, indent=2)}\n```",
        f"Sure! {{see below}} [1]:\n{json.dumps(SAID)}\nI hope that {{helps}}.",
        f"<think>{{\"enough\": false}} or not?</think>{json.dumps(SAID)}",
        f"perhaps {{\"enough\": false}}</think>{json.dumps(SAID)}",
        f"{json.dumps(SAID)} or {{\"enough\": false}}",
        f"{json.dumps(SAID)}<think>was that right?",
        f"[{json.dumps(SAID)}]",
    ],
)  # fmt: skip
def test_an_object_is_found_whatever_stands_around_it(reply: str) -> None:
    assert json_object(reply) == SAID


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("", "no JSON object"),
        ("I cannot {really} say [1].", "no JSON object"),
        ("<think>{\"a\": 1}", "no JSON object"),
        ('{"a": 1', "broken or cut off"),
        ('{"a": [{"a": 1}, {"a"', "broken or cut off"),
        ('{"a": 1,}', "broken or cut off"),
        ('{"a": tru}, {"a": true}', "broken or cut off"),
        (DEEP, "broken or cut off"),
    ],
    ids=range(8),
)  # fmt: skip
def test_a_reply_without_an_object_is_one_error_that_says_why(reply: str, problem: str) -> None:
    with pytest.raises(UnreadableReply, match=problem):
        json_object(reply)


def test_a_list_of_objects_is_a_value_and_a_line_break_in_a_string_is_one() -> None:
    assert json_value('Here: [{"a": 1}, {"a": 2}] done') == [{"a": 1}, {"a": 2}]
    assert json_value('[image 1] shows {"a": 1}') == {"a": 1}
    assert json_object('{"a": "two\nlines"}') == {"a": "two\nlines"}


def test_all_objects_are_found_and_those_inside_another_are_a_part_of_it() -> None:
    reply = 'No {"a" here} but {"a": {"b": 1}} and {} and {"c": [{"d": 2}]} and {"e"'
    assert json_objects(reply) == [{"a": {"b": 1}}, {}, {"c": [{"d": 2}]}]
    assert json_objects(DEEP) == []


@pytest.mark.parametrize(
    ("reply", "rows"),
    [
        ('{"rows": [1, {"a": 2}]}', [1, {"a": 2}]),
        ('{"rows": [{"a": 1}, {"a": 2}, {"a"', [{"a": 1}, {"a": 2}]),
        ('[{"a": 1}]', [{"a": 1}]),
        ('See [1]: {"rows": [{"a": 1},\n]}', [{"a": 1}]),
        ("none", []),
        ('{"rows": ' + "[" * 100_000, []),
    ],
    ids=range(6),
)
def test_rows_of_a_list_that_breaks_off_are_those_that_are_whole(
    reply: str, rows: list[object]
) -> None:
    assert json_rows(reply, "rows") == rows


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
# Prose that neither thinks nor begins an object of its own.
PROSE = st.text(st.characters(exclude_characters="{}[]<>", exclude_categories=["Cs"]), max_size=30)


@given(PROSE, st.dictionaries(st.text(max_size=4), VALUES), PROSE, st.booleans())
def test_what_was_said_as_json_is_read_as_it_was_said(
    before: str, said: dict[str, Any], after: str, fenced: bool
) -> None:
    text = json.dumps(said, indent=2 if fenced else None)
    reply = f"{before}\n```json\n{text}\n```\n{after}" if fenced else before + text + after
    assert json_object(reply) == json_value(reply) == said
    assert json_objects(reply) == [said]


@given(st.text('{}[]":,a1\\ \n<think>/', max_size=80), st.booleans())
def test_no_reply_at_all_is_more_than_unreadable(reply: str, broken: bool) -> None:
    for read in (json_object, json_value):
        try:
            found = read(reply)
        except UnreadableReply as error:
            assert "\n" not in str(error)
        else:
            assert isinstance(found, dict | list)
    assert all(isinstance(value, dict) for value in json_objects(reply))
    assert isinstance(json_rows(reply, "a"), list)


def test_a_long_reply_of_broken_beginnings_is_given_up() -> None:
    """A nest of beginnings, each of which would be read to its end, is not read a thousand times:
    an object after it is one that nobody finds."""
    nest = '{"a":' * 900 + "[" + "1," * 1000 + "x"
    assert json_objects(nest + '{"b": 1}') == []


# ---------------------------------------------------------------- whoever asks


def _agent(reply: str) -> object:
    nothing = Answer("Q?", "", True, 0.0, (), (), (), {}, {})
    return read_next(reply, Draft("Q?", nothing, (), (), False), lambda video: 60.0)


def _rewriting(reply: str) -> object:
    return rewrite("Why?", [], ScriptedModel([reply or " "]), Settings())[0]


def _records(reply: str) -> object:
    with pytest.raises(ValueError, match=r".") as caught:
        read_records(reply, 1)
    return str(caught.value)


READERS = {
    "agent": _agent,
    "rewriting": _rewriting,
    "captions": _records,
    "look": lambda reply: read_reply(reply, 1).sights,
    "verdicts": lambda reply: read_verdicts(reply, 1)[0],
    "outline": lambda reply: read_outline(reply, "topic", (), 1, 2)[0],
    "judge": read_ruling,
}


@pytest.mark.parametrize("name", READERS)
def test_nobody_who_asks_for_json_fails_over_a_reply_that_is_nested_without_end(name: str) -> None:
    """A model that repeats itself does that; it was an error of the program in three places."""
    found = READERS[name](DEEP)
    assert not found or isinstance(found, str)


THOUGHT = {
    "agent": ('{"enough": false, "action": "search", "query": "x"}', '{"enough": true}'),
    "look": (
        '{"seen": [], "answer": "A dog runs.", "shown": true}',
        '{"seen": [{"image": 1, "what": "A red cat sits."}], "answer": "A cat.", "shown": true}',
    ),
    "verdicts": (
        '{"claims": [{"claim": 1, "verdict": "supported"}]}',
        '{"claims": [{"claim": 1, "verdict": "contradicted"}]}',
    ),
    "judge": ('{"verdict": "right"}', '{"verdict": "wrong"}'),
    "captions": ('{"images": [{"scene": "A dog."}]}', '{"images": [{"scene": "A cat."}]}'),
    "rewriting": ('{"question": "Why is it red?"}', '{"question": "Why?"}'),
}


@pytest.mark.parametrize("name", THOUGHT)
@pytest.mark.parametrize("opened", ["<think>", ""])
def test_what_a_model_says_while_it_thinks_is_not_its_reply(name: str, opened: str) -> None:
    thought, said = THOUGHT[name]
    reader = {**READERS, "captions": lambda reply: read_records(reply, 1)}[name]
    assert reader(f"{opened}{thought} or so</think>{said}") == reader(said) != reader(thought)


def test_tokens_are_estimated_from_letters_and_from_wide_characters() -> None:
    assert estimated_tokens("") == 0 and estimated_tokens("a") == 1
    assert estimated_tokens("four") == 1 and estimated_tokens("The sky is blue.") == 4
    assert estimated_tokens("空は青い") == 4

"""Replies of vision models, as they come: read into records, and records into timed text."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingest.caption_replies import (
    SCHEMA,
    Record,
    plain_record,
    read_records,
    segments_of,
    text_of,
)
from pipeline.ingest.looking import Look
from pipeline.ingest.plain_text import clean_text

ONE = {
    "image": 1,
    "scene": "a small kitchen",
    "people": "a woman in a blue apron",
    "action": "She cuts onions on a board.",
    "objects": ["a red pot", "a knife"],
    "camera": "close-up",
    "visible_text": "Chef Anna",
}
TWO = {"image": 2, "action": "She puts the onions into the pot."}
BOTH = {"images": [ONE, TWO]}
GIVEN = json.dumps(BOTH)


def read(value: object, count: int = 2) -> list[Record]:
    return read_records(value if isinstance(value, str) else json.dumps(value), count)


def one(**fields: object) -> Record:
    (record,) = read({"images": [{"image": 1, "scene": "x", **fields}]}, 1)
    return record


# ---------------------------------------------------------------- what is around the JSON


@pytest.mark.parametrize(
    "reply",
    [
        GIVEN,
        f"```json\n{json.dumps(BOTH, indent=2)}\n```",
        f"Here is what [image 1] and {{image 2}} show:\n\n{GIVEN}",
        f"{GIVEN}\n\nNote: the second picture is {{blurred}} and [dark].",
        f"\ufeff  {GIVEN}\n<|im_end|>",
        json.dumps(BOTH["images"]),
        GIVEN.replace("She cuts", "She\ncuts"),  # a line break inside a string
    ],
    ids=["bare", "fenced", "introduced", "explained", "marked", "list", "line break"],
)
def test_the_object_is_found_in_what_stands_around_it(reply: str) -> None:
    first, second = read(reply)
    assert first.scene == "a small kitchen" and first.objects == ["a red pot", "a knife"]
    assert first.action == "She cuts onions on a board."
    assert (second.image, second.scene, second.action) == (2, "", TWO["action"])


def test_of_one_picture_the_record_alone_will_do() -> None:
    assert read(ONE, 1) == read({"images": [ONE]}, 1)
    with pytest.raises(ValueError, match="there is no list"):
        read(ONE, 2)


# ---------------------------------------------------------------- fields


def test_values_of_other_kinds_are_taken_for_what_they_mean() -> None:
    record = one(
        people=["a man in grey", {"age": "30s", "hair": "red"}],
        action=None,
        objects="a cup, a red pen; a lamp",
        camera=False,
        visible_text=["EXIT", 42],
    )
    assert record.people == "a man in grey; 30s red"
    assert (record.action, record.camera) == ("", "")
    assert record.objects == ["a cup", "a red pen", "a lamp"]
    assert record.visible_text == "EXIT; 42"
    assert one(scene=1984).scene == "1984"
    assert one(objects=[{"name": "mug", "colour": "green"}, 7, None, ""]).objects == [
        "mug green",
        "7",
    ]
    assert one(objects=None).objects == [] and one(mood="calm").scene == "x"


@pytest.mark.parametrize(
    "nothing",
    ["none", "None.", "N/A", "nobody", "no text", "unchanged", "same as before", "-", "...", " ; "],
)
def test_a_word_for_nothing_is_nothing(nothing: str) -> None:
    record = one(people=nothing, camera=nothing, visible_text=nothing, objects=[nothing, "a cup"])
    assert (record.people, record.camera, record.visible_text) == ("", "", "")
    assert record.objects == ["a cup"]


def test_a_word_for_nothing_inside_a_sentence_stays() -> None:
    record = one(action="Nothing moves.", people="no one but a dog", scene="an unchanged view")
    assert (record.action, record.people) == ("Nothing moves.", "no one but a dog")
    assert record.scene == "an unchanged view"


def test_what_no_reader_sees_is_taken_out() -> None:
    record = one(
        scene="a\x1b[31m red\u202e door\x00", action="Zwei Männer 🛠️ 走る ", people="\ud800"
    )
    assert record.scene == "a [31m red door"
    assert record.action == "Zwei Männer 🛠️ 走る"
    assert record.people == "\ufffd"


def test_fields_have_an_end() -> None:
    record = one(action="A bird sings. " * 100, objects=[f"thing {n}" * 20 for n in range(50)])
    assert record.action.endswith("A bird sings.") and len(record.action) <= 400
    assert len(record.objects) == 12 and max(map(len, record.objects)) <= 80
    assert one(objects=["a cup", "a cup", "A cup"]).objects == ["a cup", "A cup"]


# ---------------------------------------------------------------- which picture a record is of


def numbered(*numbers: object, count: int = 3) -> list[tuple[int, str]]:
    items = [
        {"action": f"Action {place}"} | ({} if number is ... else {"image": number})
        for place, number in enumerate(numbers, 1)
    ]
    return [(record.image, record.action) for record in read({"images": items}, count)]


IN_PLACE = [(1, "Action 1"), (2, "Action 2"), (3, "Action 3")]


@pytest.mark.parametrize(
    "numbers",
    [
        (1, 2, 3),
        ("1", "2", "3"),
        ("image 1", "Image 2", "frame 3"),
        (..., ..., ...),
        (0, 1, 2),
        (1, 1, 1),
        (1, ..., 3),
        (12.5, 17.25, 40),
        (None, True, []),
        (1, 2, 3, 4, 5),
        (-1, 99, 10**12),
    ],
    ids=str,
)
def test_records_are_in_the_order_of_the_pictures_whatever_their_numbers(
    numbers: tuple[object, ...],
) -> None:
    assert numbered(*numbers) == IN_PLACE


def test_records_that_say_of_which_picture_they_are_may_come_in_any_order_and_be_few() -> None:
    assert numbered(3, 1, 2) == [(1, "Action 2"), (2, "Action 3"), (3, "Action 1")]
    assert numbered(1, 3) == [(1, "Action 1"), (3, "Action 2")]
    assert numbered(2) == [(2, "Action 1")]


def test_an_empty_record_is_none() -> None:
    items = [{"image": 1}, {"image": 2, "scene": "none", "camera": "close-up"}, {**ONE, "image": 3}]
    assert [record.image for record in read({"images": items}, 3)] == [3]


@pytest.mark.parametrize("scene", ["black", "A black screen.", "blank", "an empty frame", "white"])
def test_blank_pictures_have_no_record_and_nothing_is_wrong(scene: str) -> None:
    assert read({"images": [{"image": 1, "scene": scene, "people": "none"}, {"image": 2}]}) == []
    assert [r.image for r in read({"images": [{"scene": scene}, {"action": "x"}]})] == [2]
    assert read({"images": [{"scene": scene, "action": "Nothing can be seen."}]}, 1) == []


def test_words_on_a_black_screen_are_no_blank_picture() -> None:
    record = one(scene="a black screen", visible_text="Part two: the river")
    assert text_of(record) == "A black screen. Written: Part two: the river."


# ---------------------------------------------------------------- what cannot be read


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("A woman cuts onions.", "there is no JSON object"),
        ("", "there is no JSON object"),
        ("[image 1] a woman {cuts} onions", "there is no JSON object"),
        ("{'scene': 'a kitchen'}", "there is no JSON object"),
        (GIVEN[:-30], "the JSON cannot be read"),
        ('{"images": [}', "the JSON cannot be read"),
        ('{"images": "a kitchen"}', 'there is no list "images"'),
        ('{"images": []}', 'there is no list "images"'),
        ('{"pictures": [1]}', 'there is no list "images"'),
        ('{"images": ["a kitchen"]}', '"images" holds something that is no object'),
        ('{"images": [{"image": 1, "scene": ""}, {}]}', "no record says anything"),
        ('{"scene": ' * 50_000, "the JSON cannot be read"),
        ("[{" * 100_000, "the JSON cannot be read"),
        ('{"images": ' + "[" * 200_000 + "]" * 200_000 + "}", "the JSON cannot be read"),
        ('{"image": 1' + "0" * 10_000 + "}", "the JSON cannot be read"),
    ],
    ids=lambda value: value[:40],
)
def test_what_is_wrong_is_named(reply: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read(reply)


@pytest.mark.parametrize("unit", ["{", "[", '{"', "[ ", "{ }", ' {"a": ', "]", "x", '"', "\\"])
def test_a_megabyte_is_read_or_refused_at_once(unit: str) -> None:
    began = time.perf_counter()
    with pytest.raises(ValueError):
        read(unit * (1_000_000 // len(unit)))
    assert time.perf_counter() - began < 2


def test_a_reply_that_does_not_end_is_cut_to_a_caption() -> None:
    began = time.perf_counter()
    long = "The man walks on. " * 20_000
    assert len(read({"images": [{"image": 1, "action": long}]}, 1)[0].action) <= 400
    assert len(text_of(plain_record(long))) <= 1200
    assert time.perf_counter() - began < 4


_ODD = (None, True, 0, 1, 2, -3, 1.5, 1e308, float("nan"), float("inf"), 10**40, "", " ", "none")
_TEXTS = ("a red cup", "a, b; c", "-", "\x00\x1b[2J", "\ud800", "走る。", "\u202e", "x" * 3000)
_NESTED: tuple[object, ...] = (
    [],
    {},
    [None, "", "a"],
    {"name": "cup", "n": [1, {"x": "y"}]},
    [[[[["deep"]]]]],
)
_VALUES = st.sampled_from((*_ODD, *_TEXTS, *_NESTED))
_RECORDS = st.dictionaries(st.sampled_from([*ONE, "mood"]), _VALUES, max_size=7)
_LISTS = st.lists(_RECORDS, max_size=5)
_REPLIES = st.one_of(
    st.text(alphabet='{}[]",: \\ainull01.-', max_size=40),
    _VALUES.map(json.dumps),
    _RECORDS.map(json.dumps),
    _LISTS.map(json.dumps),
    _LISTS.map(lambda given: json.dumps({"images": given}, ensure_ascii=False)),
    st.tuples(_LISTS, st.integers(0, 300)).map(lambda g: json.dumps({"images": g[0]})[: g[1]]),
)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(_REPLIES, st.integers(1, 4))
def test_a_reply_is_valid_records_or_a_value_error_and_nothing_else(reply: str, count: int) -> None:
    try:
        records = read_records(reply, count)
    except ValueError as error:
        assert str(error)
        return
    numbers = [record.image for record in records]
    assert numbers == sorted(set(numbers)) and set(numbers) <= set(range(1, count + 1))
    for record in records:
        assert not record.empty
        text = text_of(record)
        assert text == clean_text(text) and 0 < len(text) <= 1200


def test_the_schema_asks_for_the_fields_that_are_read() -> None:
    images: Any = SCHEMA["properties"]
    fields = images["images"]["items"]["properties"]
    assert set(fields) == set(Record.model_fields)
    assert set(images["images"]["items"]["required"]) == set(fields)


# ---------------------------------------------------------------- text


def look(start: float, end: float) -> Look:
    return Look(start, end, start, Path("x.jpg"), 0.5, 0.5)


LOOKS = (look(0, 10), look(10, 25), look(30, 40))


def told(records: list[Record], *read: str) -> list[tuple[float, float, str]]:
    segments = segments_of(LOOKS, records, read or ("", "", ""))
    assert {segment.source for segment in segments} <= {"caption"}
    return [(segment.start, segment.end, segment.text) for segment in segments]


def test_a_record_is_told_in_sentences() -> None:
    (record,) = read({"images": [ONE]}, 1)
    assert text_of(record) == (
        "A small kitchen. A woman in a blue apron. She cuts onions on a board. "
        "With a red pot, a knife. Camera: close-up. Written: Chef Anna."
    )


def test_a_thing_that_is_named_already_is_not_named_again() -> None:
    record = Record(action="She opens a red pot!", objects=["red pot", "Pen", "lid"])
    assert text_of(record) == "She opens a red pot! With Pen, lid."


def test_each_picture_is_told_over_the_time_for_which_it_stands() -> None:
    records = [
        Record(image=1, scene="a hall"),
        Record(image=3, scene="a street", action="It rains"),
    ]
    assert told(records) == [(0, 10, "A hall."), (30, 40, "A street. It rains.")]


def test_the_scene_of_the_picture_before_goes_on_where_none_is_named() -> None:
    records = [
        Record(image=1, scene="a hall", people="a boy"),
        Record(image=2, action="He runs."),
        Record(image=3, scene="a street", action="He stops."),
    ]
    assert [text for _, _, text in told(records)] == [
        "A hall. A boy.",
        "A hall. He runs.",
        "A street. He stops.",
    ]


def test_what_was_read_from_the_screen_is_not_said_again() -> None:
    records = [Record(image=1, scene="a slide", visible_text="Quarterly results 2024")]
    assert told(records, "ACME quarterly RESULTS, 2024", "", "") == [(0, 10, "A slide.")]
    assert told(records, "Results", "", "")[0][2] == "A slide. Written: Quarterly results 2024."
    elsewhere = told(records, "", "Quarterly results 2024", "")
    assert elsewhere[0][2].endswith("Written: Quarterly results 2024."), "only while it stands"
    assert told([Record(image=1, visible_text="Exit")], "exit", "", "") == []


def test_text_of_other_scripts_keeps_its_own_full_stop() -> None:
    record = Record(scene="一间厨房", action="她在切洋葱。")
    assert text_of(record) == "一间厨房. 她在切洋葱。"


def test_a_plain_reply_is_told_as_it_is() -> None:
    reply = "Description: A dog\n\nruns.\x1b[31m It barks"
    assert text_of(plain_record(reply)) == "A dog runs. [31m It barks."
    assert text_of(plain_record(" \n")) == ""

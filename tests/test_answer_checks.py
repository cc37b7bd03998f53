"""What a sentence states exactly, and what of it the cited words do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answer.checks import findings
from pipeline.answer.facts import Quantity, codes, dates, misquoted, quantities, rates
from pipeline.answer.numerals import placed_numbers


def kinds(claim: str, source: str, beside: str = "") -> list[str]:
    return [f"{f.kind} {f.verdict}" for f in findings(claim, source, beside)]


# ---------------------------------------------------------------- facts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("thirty-five minutes", [("35", "minute")]),
        ("2,100 litres of diesel", [("2100", "litre")]),
        ("It costs £5, or 5 %.", [("5", "pound"), ("5", "percent")]),
        ("48,000 crowns", [("48000", "crown")]),
        ("1.2 million people", [("1200000", "")]),
        ("12 more minutes", [("12", "minute")]),
        ("in room 12", [("12", "")]),
        ("an hour and a half", [("1.5", "hour"), ("1", "hour")]),
        ("two years and a half", [("2", "year"), ("2.5", "year")]),
        ("half a year", [("0.5", "year"), ("1", "year")]),
    ],
)
def test_numbers_come_with_their_units(text: str, expected: list[tuple[str, str]]) -> None:
    assert sorted((q.value, q.unit) for q in quantities(text)) == sorted(expected)


def test_amounts_of_one_kind_compare_whatever_their_unit() -> None:
    assert Quantity("90", "minute").measure == Quantity("1.5", "hour").measure
    assert Quantity("0.5", "year").measure == Quantity("6", "month").measure
    assert Quantity("90", "minute").measure != Quantity("90", "metre").measure
    assert Quantity("3.7.9", "").measure is None


@pytest.mark.parametrize(
    ("text", "days", "clock"),
    [
        ("on the second of November at a quarter past four", {(11, 2)}, {255}),
        ("May 12, 8 a.m.", {(5, 12)}, {480}),
        ("2024-11-02 06:42 UTC", {(11, 2)}, {402}),
        ("two minutes to twelve", set(), {718}),
        ("18:17", set(), {377}),
        ("it may be 12 of them", set(), set()),
    ],
)
def test_dates_and_times_are_read_in_any_form(
    text: str, days: set[tuple[int, int]], clock: set[int]
) -> None:
    found = dates(text)
    assert (set(found.days), set(found.clock)) == (days, clock)


def test_a_month_is_no_auxiliary_verb() -> None:
    assert dates("One may have 150 bytes.").months == frozenset()
    assert dates("The bees come in May.").months == frozenset({5})


def test_a_quotation_has_the_very_words() -> None:
    source = "And they will smell of mussels,\nbut nobody minds."
    assert misquoted('He warned that "they will smell of mussels but nobody minds".', source) == []
    assert misquoted('He warned: "they will smell ... nobody minds".', source) == []
    assert misquoted("He warned: \u201cthey will smell of herring\u201d.", source) == [
        "they will smell of herring"
    ]


def test_codes_and_rates() -> None:
    assert codes("KV-230 and version 3.7.9, a 2-of-3, in 1998, the 2nd") == {"kv230", "2of3"}
    assert rates("18 kg a week, checked daily") == {"week", "day"}


@given(st.integers(0, 999_999))
def test_a_number_knows_its_place(value: int) -> None:
    text = f"about {value:,} of them"
    ((found, begin, end),) = placed_numbers(text)
    assert (found, text[begin:end]) == (str(value), f"{value:,}")


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    findings(text, text)


# ---------------------------------------------------------------- findings


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("It takes 35 minutes.", "The crossing takes thirty-five minutes."),
        ("It happens two times a day.", "Twice a day the water rises."),
        ("There are three groups: General, Network and Alarm.", "General Network Alarm"),
        ("The tide is high at 5:52.", "High 05:52"),
        ("Low water is at two minutes to twelve.", "Low 11:58"),
        ("Maren Oduya ran it.", "maren oduya has run it for nine years"),
        ("A developer from Germany.", "A German developer."),
        ("A 1-of-2 is enough.", "One of two is enough."),
        ("It rose by 30 % in August 2024.", "2024-08: 30 % more"),
        ("The block lies above 500,000.", "Somewhere in the 500k range."),
        ("Ninety seconds are left.", "Another minute and a half is left."),
        ("It is due every 23 months.", "Every year and 11 months it is due."),
        ("It took more than half an hour.", "It took 35 minutes."),
        ("No two pictures are alike.", "The picture is always slightly different."),
        ("SegWit v0 is safe.", "SegWit version 0 is safe."),
        ("BIP 350 is a standard.", "BIP350 is a standard."),
        ("It was James O'Beirne.", "I spoke with James O'Beirne."),
    ],
)
def test_what_is_there_in_another_form_is_found(claim: str, source: str) -> None:
    assert kinds(claim, source) == []


@pytest.mark.parametrize(
    ("claim", "source", "expected"),
    [
        ("It takes 45 minutes.", "It takes 35 minutes.", "number contradicted"),
        ("It has 45 rooms.", "It is a large house.", "number unsupported"),
        ("It costs 50 euros.", "It costs 50 crowns.", "unit contradicted"),
        ("18 kg a month", "18 kg a week", "unit contradicted"),
        ("It opens in June.", "It opens in May.", "date contradicted"),
        ("It opens on Monday.", "It opens soon.", "date unsupported"),
        ("They meet next month.", "They meet next week.", "date contradicted"),
        ("It was on 14 May.", "It was on the 12th of May.", "date contradicted"),
        ("It came from Port Ambry.", "It came from the mainland.", "name unsupported"),
        ("Halloran fixed it.", "Sandoval fixed it.", "name unsupported"),
        ("The pump is a KV-231.", "The pump is a KV-230.", "name unsupported"),
        ('It says "keep out".', "It says stay away.", "quote unsupported"),
    ],
)
def test_what_is_not_there_is_named(claim: str, source: str, expected: str) -> None:
    assert expected in kinds(claim, source)


def test_what_stands_beside_the_words_may_be_taken_for_granted() -> None:
    claim, source = "In May 2024 Maren Oduya said it.", "It is so."
    assert kinds(claim, source, "Visitor tour 2024-05-12 Maren Oduya") == []
    assert kinds(claim, source) != []


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("Nobody touched it for three years.", "I looked at it in 2014. It is from 2011."),
        ("She sails 19 days later.", "Dry dock from 14 October, running on 2 November."),
        ("About 75 megabytes are raw data.", "Of the 300 megabytes one fourth is raw data."),
        ("Four fifths of the charge are left.", "battery 81 %"),
        ("2013 is named too.", "That was 2011, 12 or 13."),
        ("They meet in the evening.", "They meet after supper."),
        ("Pieter Wuille wrote it.", "I think it was Peter Wuille."),
    ],
)
def test_what_may_be_there_in_another_form_is_not_called_wrong(claim: str, source: str) -> None:
    found = kinds(claim, source)
    assert found and all(each.endswith("unchecked") for each in found)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("It goes public six weeks later.", "After two weeks, with 22, 23 and 24 out."),
        ("About 60 megabytes are raw data.", "Of the 300 megabytes one fourth is raw data."),
        ("It took more than half an hour.", "It took 25 minutes."),
        ("Halloran wrote it.", "I think it was Peter Wuille."),
    ],
)
def test_what_cannot_come_from_the_words_is_named(claim: str, source: str) -> None:
    assert any(not each.endswith("unchecked") for each in kinds(claim, source))


def test_a_figure_that_was_worked_out_is_not_called_wrong() -> None:
    source = "Concrete costs 62,000 crowns, the stone 44,000 crowns."
    assert kinds("The stone is 18,000 crowns cheaper, or less.", source) == ["number unchecked"]
    assert kinds("The stone costs 18,000 crowns.", source) == ["number contradicted"]

"""Verdicts: what plainly agrees, what plainly does not, and "unchecked" for the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answer.evidence import Evidence, gather
from pipeline.answer.numerals import numbers, numbers_within
from pipeline.answer.verify import judge
from pipeline.types import Verdict, Video
from tests.answer_made import MadeTranscripts, moment, speech


def evidence(*texts: str) -> list[Evidence]:
    rows = [(i * 10.0, i * 10.0 + 9, text) for i, text in enumerate(texts)]
    videos = {"v": Video("v", "Sorrel Holm tour", date="2024-05-12")}
    transcripts = MadeTranscripts({"v": speech(*rows, speaker="Maren Oduya")}, videos)
    return gather([moment("v", 0.0, 100.0)], transcripts, 1000)


@pytest.mark.parametrize(
    ("claim", "cited", "cosine", "verdict"),
    [
        ("The roof has 12 panels.", "The roof has twelve panels.", 0.9, "supported"),
        ("Maren Oduya says the roof has 12 panels.", "The roof has 12 panels.", 0.9, "supported"),
        ("The roof has 14 panels.", "The roof has twelve panels.", 0.9, "contradicted"),
        ("The roof was finished in 1998.", "Panels are fun to clean.", 0.4, "unsupported"),
        ("The jetty is safe in winter.", "The jetty is not safe in winter.", 0.9, "contradicted"),
        ("The jetty is not safe in winter.", "The jetty is safe in winter.", 0.9, "contradicted"),
        ("The jetty isn't safe in winter.", "The jetty is not safe in winter.", 0.9, "supported"),
        (
            "The most common lifespan of a coin is 0 blocks.",
            "The most common lifespan of a coin is 0 blocks, as it never leaves its block.",
            0.9,
            "supported",
        ),
        ("The lamp went out and nobody saw it.", "The lamp went out at noon.", 0.8, "unchecked"),
        ("Bananas grow in hot countries.", "The lamp went out at noon.", 0.1, "unsupported"),
        ("The light failed during the gale.", "The lamp went out at noon.", 0.5, "unchecked"),
        ("The lamp stopped at noon that day.", "The lamp went out at noon.", 0.8, "partly"),
        ("The lamp of Port Ambry went out.", "The lamp went out at noon.", 0.8, "partly"),
    ],
)
def test_a_verdict_is_what_the_words_allow(
    claim: str, cited: str, cosine: float, verdict: Verdict
) -> None:
    assert judge(claim, evidence(cited), cosine) == verdict


def test_two_lines_may_carry_a_claim_together() -> None:
    both = evidence("The grey seal is called Duchess.", "She bites visitors who come too close.")
    claim = "Duchess, the grey seal, bites visitors who come close."
    assert judge(claim, both[:1], 0.7) != "supported"
    assert judge(claim, both, 0.7) == "supported"


def test_no_citation_is_no_support() -> None:
    assert judge("Anything.", [], 1.0) == "unsupported"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("two hundred and fifty panels", {"250"}),
        ("1.2 million or 1,000, or 3,5", {"1200000", "1000", "3.5"}),
        ("two million three hundred thousand and five", {"2300005"}),
        ("twenty nineteen, twenty-five", {"20", "19", "25"}),
        ("at 3:30 with firmware 2.7.1", {"3:30", "2.7.1"}),
        ("one of them, no one", set()),
        ("exactly 1 of them", {"1"}),
        ("five and six", {"5", "6"}),
        ("٣ items", {"3"}),
    ],
)
def test_numbers_are_read_as_values(text: str, values: set[str]) -> None:
    assert numbers(text) == values


def test_an_ordinal_or_a_spelled_one_can_carry_a_number() -> None:
    assert numbers_within("the second of one") == {"1", "2"}


@given(st.integers(0, 10**15))
def test_digits_say_their_value_with_and_without_separators(value: int) -> None:
    assert numbers(f"it is {value:,} or {value} now") == {str(value)}


@given(st.text(max_size=60))
def test_any_text_has_numbers_or_none(text: str) -> None:
    assert numbers(text) - {"1"} <= numbers_within(text)

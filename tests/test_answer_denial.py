"""Whether a claim denies what is said, or says what is denied."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answer.denial import agree, contradicts, scopes


@pytest.mark.parametrize(
    ("claim", "sentence"),
    [
        ("The jetty is not safe in winter.", "The jetty is safe in winter."),
        ("The jetty is safe in winter.", "The jetty isn't safe in winter, Wilf says."),
        ("It does burn something.", "Nothing is burned."),
        ("Scrub the basket without fresh water.", "Then brush the basket with fresh water."),
        ("You need to wait 10 more minutes.", "So you don't need to wait another 10 minutes."),
        ("He is one of the leaders of this project.", "I'm not one of this project's leaders."),
    ],
)
def test_a_denial_on_one_side_of_the_same_words_is_a_contradiction(
    claim: str, sentence: str
) -> None:
    assert contradicts(claim, [sentence, "Something else was said before."])


@pytest.mark.parametrize(
    ("claim", "sentence"),
    [
        ("The jetty is not safe in winter.", "In winter the jetty is never safe."),
        ("The jetty is not safe in winter.", "The jetty is unsafe in winter."),
        ("It will not get warmer than 9 degrees.", "High 9 degrees."),
        ("They do not meet before supper.", "They meet after supper."),
        ("Core is not the only one.", "Core is one of several."),
        ("The alarm is a foghorn, not a bell.", "Alarm sound foghorn."),
        ("None of the 14 checks failed.", "14 of 14 checks passed."),
        ("They cannot do it without Core.", "They do need Core for it."),
        ("They are gone.", "They did not survive."),
        ("The pump won a prize.", "A prize was won by the pump."),
        ("Two sisters built it in 1887.", "Two sisters built it in 1887, not in 1878."),
    ],
)
def test_what_is_denied_in_other_words_is_no_contradiction(claim: str, sentence: str) -> None:
    assert not contradicts(claim, [sentence])


def test_a_denial_reaches_to_the_end_of_its_clause() -> None:
    found = dict(scopes("The pump is not old, but the valve leaks."))
    assert found == {"pump": False, "old": True, "valv": False, "leak": False}


def test_words_agree_where_both_sides_deny_them_or_neither() -> None:
    said = "It uses the hash of the script, rather than the digest of the key."
    assert agree("It uses the hash.", said)
    assert not agree("It does not use the hash.", said)
    assert agree("It uses the hash, not the digest.", said)


@given(st.text(), st.text())
def test_any_two_texts_can_be_compared(claim: str, sentence: str) -> None:
    contradicts(claim, [sentence])
    agree(claim, sentence)

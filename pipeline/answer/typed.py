"""Whether words could hold the answer a question wants: a price, a height, a date, a new name.

An embedding finds the words that are about the same thing. That they do not say how tall it is, or
what it cost, it does not see; that tells best that the library does not answer. Words that only
repeat the question's own numbers and names hold nothing new. English patterns; where none of them
fits, everything could be an answer.
"""

from __future__ import annotations

import re

from pipeline.answer.numerals import numbers_within
from pipeline.answer.wording import Kind, asked_kind, fold, holds_kind, names, words

# (what the question says, what words with an answer have beside a number)
_MEASURES: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = tuple(
    (re.compile(asked), re.compile(held))
    for asked, held in (
        (
            r"\bhow much (?:\w+ ){0,4}(?:costs?|pay|paid|earn|charge|spen[dt]|los[et]|w[io]n|is)\b"
            r"|\b(?:price|cost|salary|fee|fine|bounty)\b",
            r"\b(?:crown|dollar|euro|pound|cent|sat|satoshi|bitcoin|million|billion)s?\b"
            r"|\b(?:usd|btc)\b|[$€£]",
        ),
        (
            r"\bhow (?:tall|high|wide|far|deep|thick)\b|\b(?:height|width|depth|altitude)\b",
            r"\b(?:[kcm]?m|(?:kilo|centi|milli)?met(?:er|re)s?|feet|foot|miles?|inch(?:es)?)\b",
        ),
        (r"\bhow heavy\b|\bweigh", r"\b(?:k?g|(?:kilo)?grams?|kilos?|tons?|tonnes?|pounds?)\b"),
        (r"\btemperature\b|\bhow (?:hot|cold|warm)\b", r"\bdegrees?\b|°"),
    )
)
_MEASURED: frozenset[Kind] = frozenset(("count", "other"))
_NAMED = re.compile(
    r"\b(?:name|called)\b|\bwhich (?:bank|company|exchange|firm|government|person|pool|wallet)\b"
)
# A number in one of these counts nothing: "6 June 2024", "part 1".
_NO_COUNT = re.compile(
    r"(?:\b\d{1,2}(?:st|nd|rd|th)? (?:of )?)?\b(?:january|february|march|april|may|june|july"
    r"|august|september|october|november|december)\b(?: \d{1,2}\b)?(?:,? \d{4}\b)?"
    r"|\b(?:part|chapter|episode|lesson|figure|slide|page|step|version) \d+\b"
)


def lacks(question: str, text: str) -> bool:
    """Whether nothing in `text` could be the amount, date or name that `question` asks for."""
    asked, said, kind = fold(question), fold(text), asked_kind(question)
    given = numbers_within(question)
    if kind in _MEASURED:
        for wanted, held in _MEASURES:
            if wanted.search(asked):
                return not (held.search(said) and numbers_within(text) - given)
    if kind == "count":
        return not numbers_within(_NO_COUNT.sub(" ", said)) - given
    if kind in ("duration", "year"):
        return not (holds_kind(kind, text) and numbers_within(text) - given)
    if kind == "time":
        return not holds_kind(kind, text)
    if kind == "person" or _NAMED.search(asked):
        return not names(text) - set(words(question))
    return False

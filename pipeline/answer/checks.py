"""What a claim states exactly, compared with the words that it cites: the first level of checking.

Each check looks at one kind of fact that can be read without a model (numbers, units, dates, names,
quotations, negation) and says what it did not find. A check that cannot tell says so: a figure that
may have been worked out from others is not found, and not wrong either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from pipeline.answer.facts import (
    Dates,
    Quantity,
    codes,
    comparable,
    dates,
    has_code,
    misquoted,
    multiples,
    quantities,
    rates,
)
from pipeline.answer.numerals import numbers_within, placed_numbers
from pipeline.answer.wording import STOPWORDS, fold, names, stem, words
from pipeline.models.vocabulary import written_small
from pipeline.types import Verdict

# What a claim says that has worked something out.
_WORKED_OUT = re.compile(
    r"\b(more|less|fewer|later|earlier|longer|shorter|above|below|behind|ahead|after|before|beyond"
    r"|together|total|altogether|sum|difference|apart|over|under|remain\w*|left|rest|other|than"
    r"|percent|per cent|half|average|outweigh\w*|exceed\w*|cut by|rais\w+ by|gap)\b|%",
    re.IGNORECASE,
)
# What makes a number a bound, or about right: (pattern, how the stated value may lie to it).
_BOUNDS = (
    (
        re.compile(
            r"(less than|fewer than|under|below|at most|no more than|up to|nearly|almost)\W*$"
        ),
        -1,
    ),
    (re.compile(r"(more than|over|above|at least|no less than|no fewer than)\W*$"), 1),
    (re.compile(r"(about|around|roughly|some|approximately|close to)\W*$"), 0),
)
_NEAR = 0.25  # of the value, by which a bound may miss what is stated
_FRACTION = re.compile(r"^\W*(halves|thirds?|quarters?|fourths?|fifths?|tenths?)\b")
_LISTED = re.compile(r"[^,:;()]+(?:, [^,:;()]+)*,? and [^,:;()]+")
_DIGIT_ONE = re.compile(r"(?<![\d.,:])1(?![\d:])")
_ITEMS = re.compile(r", (?:and )?| and ")
_SMALL = {"2": "two", "3": "three", "4": "four", "5": "five", "6": "six"}
_LETTERS_ALIKE = 4  # letters that "Spain" and "Spanish" share


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check did not find: `kind` of fact, what the claim `said`, what that comes to."""

    kind: str
    said: str
    verdict: Verdict


def findings(claim: str, source: str, beside: str = "") -> list[Finding]:
    """What `claim` states that `source`, the cited words, does not, by kind.

    `beside` is what a reader sees with them (title, date, speaker) and may take for granted.
    """
    known = f"{source}\n{beside}"
    quoted = [Finding("quote", part, "unsupported") for part in misquoted(claim, known)]
    when = dates(claim)
    return [
        *quoted,
        *_dates(when, dates(known), numbers_within(known)),
        *_quantities(claim, when, known),
        *_rates(claim, known),
        *(Finding("name", c, "unsupported") for c in codes(claim) if not has_code(c, known)),
        *_names(claim, known),
    ]


# ---------------------------------------------------------------- quantities


def _quantities(claim: str, when: Dates, known: str) -> Iterator[Finding]:
    stated = quantities(known)
    values = numbers_within(known) | multiples(known) | {q.value for q in stated}
    told = _of_dates(when)
    for quantity in quantities(claim):
        if quantity.value in told or _is_no_number(quantity, claim):
            continue
        if quantity.value not in values:
            allowed = (
                _measured_elsewhere(quantity, stated)
                or _counts_a_list(quantity, claim)
                or _bounds(quantity, claim, stated)
            )
            if not allowed:
                yield _not_found(quantity, claim, stated)
        elif other := _other_unit(quantity, stated):
            yield Finding("unit", f"{quantity.value} {quantity.unit}, not {other}", "contradicted")


def _of_dates(when: Dates) -> set[str]:
    """Values that are parts of dates and clock times: these are compared as such."""
    clock = {str(m // 60) for m in when.clock} | {str(m // 60 + 12) for m in when.clock}
    minutes = {str(m % 60) for m in when.clock} | (
        {"12"} if 0 in {m // 60 for m in when.clock} else set()
    )
    near = {str(60 - m % 60) for m in when.clock} | {str(m // 60 + 1) for m in when.clock}
    written = {f"{h}:{m % 60:02}" for m in when.clock for h in (m // 60, m // 60 + 12)}
    written |= {f"{m // 60:02}:{m % 60:02}" for m in when.clock}
    parts = {str(part) for day in when.days for part in day} | {str(year) for year in when.years}
    return parts | (clock | minutes | near | written if when.clock else set())


def _is_no_number(quantity: Quantity, claim: str) -> bool:
    """ "one of them", "an hour"."""
    return quantity.value == "1" and (quantity.worded or not _DIGIT_ONE.search(claim))


def _measured_elsewhere(quantity: Quantity, stated: list[Quantity]) -> bool:
    """The same amount in another unit: 90 minutes are an hour and a half."""
    return quantity.measure is not None and any(q.measure == quantity.measure for q in stated)


def _counts_a_list(quantity: Quantity, claim: str) -> bool:
    """ "three groups: A, B and C" needs no source for its three; nor have "the two" one."""
    counts = {len(_ITEMS.split(found.group())) for found in _LISTED.finditer(claim)}
    if quantity.value in {str(count - less) for count in counts for less in (0, 1)}:
        return True
    spelled = _SMALL.get(quantity.value)
    return spelled is not None and bool(re.search(rf"\b[Tt]he (other )?{spelled}\b", claim))


def _bounds(quantity: Quantity, claim: str, stated: list[Quantity]) -> bool:
    """ "less than 65 kg" of 64, "about 30" of 28."""
    amounts = [a for q in stated if q.unit == quantity.unit and (a := _amount(q.value)) is not None]
    value = _amount(quantity.value)
    if value is None or not amounts:
        return False
    for found, begin, end in placed_numbers(claim):
        if found != quantity.value:
            continue
        if _FRACTION.match(claim[end:]):
            return True
        for pattern, side in _BOUNDS:
            if pattern.search(claim[:begin].casefold()):
                near = [a for a in amounts if abs(a - value) <= _NEAR * max(a, value)]
                return any((a - value) * side >= 0 for a in near)
    return False


def _amount(value: str) -> float | None:
    return float(value) if re.fullmatch(r"\d+(\.\d+)?", value) else None


def _not_found(quantity: Quantity, claim: str, stated: list[Quantity]) -> Finding:
    said = f"{quantity.value} {quantity.unit}".strip()
    if _WORKED_OUT.search(claim) and _can_be_worked_out(quantity, stated):
        return Finding("number", said, "unchecked")
    alike = any(q.unit == quantity.unit for q in stated if q.unit)
    return Finding("number", said, "contradicted" if alike else "unsupported")


def _can_be_worked_out(quantity: Quantity, stated: list[Quantity]) -> bool:
    """Whether a sum or a difference of two stated values comes to it, or of two dates."""
    value = _amount(quantity.value)
    if value is None:
        return False
    known = sorted({a for q in stated if (a := _amount(q.value)) is not None})
    if any(abs(abs(a - b) - value) < 1e-6 or a + b == value for a, b in combinations(known, 2)):
        return True
    return quantity.unit in ("day", "week", "month", "year") and len(known) >= 2


def _other_unit(quantity: Quantity, stated: list[Quantity]) -> str:
    """The unit that the cited words give this value, where it is never the claim's; "" else."""
    if not quantity.unit:
        return ""
    units = [q.unit for q in stated if q.value == quantity.value]
    if quantity.unit in units or any(q.measure == quantity.measure for q in stated):
        return ""
    if "" in units or not units:  # "40 or 80 bytes": the unit stands somewhere else
        every = {q.unit for q in stated if q.unit}
        kind = comparable(quantity.unit)
        units = sorted(u for u in every if comparable(u) == kind and quantity.unit not in every)
    return units[0] if units else ""


def _rates(claim: str, known: str) -> Iterator[Finding]:
    """ "18 kg a month" where the cited words say a week."""
    said, there = rates(claim), rates(known)
    for rate in sorted(said - there) if there else ():
        yield Finding("unit", f"per {rate}", "contradicted")


# ---------------------------------------------------------------- dates


def _dates(claim: Dates, known: Dates, numbers: frozenset[str]) -> Iterator[Finding]:
    for kind, said, there in (
        ("year", claim.years, known.years),
        ("month", claim.months, known.months),
        ("weekday", claim.weekdays, known.weekdays),
        ("season", claim.seasons, known.seasons),
        ("time of day", claim.daytimes, known.daytimes),
        ("clock time", claim.clock, known.clock),
    ):
        for part in sorted(map(str, said - there)):
            if kind == "time of day" and known.clock:
                continue  # "8 in the morning" is 08:00
            yield Finding("date", f"{kind} {part}", "contradicted" if there else "unsupported")
    for part in sorted(claim.relative - known.relative) if known.relative else ():
        yield Finding("date", part, "contradicted")
    for month, day in sorted(claim.days - known.days):
        if str(day) not in numbers:
            yield Finding(
                "date", f"{day}.{month}.", "contradicted" if known.days else "unsupported"
            )


# ---------------------------------------------------------------- names


def _names(claim: str, known: str) -> Iterator[Finding]:
    there = {word for word in words(known)}
    stems = {stem(word) for word in there}
    for name in sorted(names(_without_dates(claim)) | _first_name(claim)):
        if stem(name) in stems or any(_akin(name, word) for word in there):
            continue
        yield Finding("name", name, "unsupported")


def _first_name(claim: str) -> frozenset[str]:
    """The first word, which has a capital anyway, where it is no common word."""
    first = re.match(r"\W*([^\W\d_]{3,})", claim)
    word = first.group(1) if first else ""
    if not word[:1].isupper() or word.casefold() in written_small():
        return frozenset()
    plain = word.casefold().removesuffix("s")
    return frozenset() if plain in written_small() else frozenset(words(word)) - STOPWORDS


def _without_dates(text: str) -> str:
    return re.sub(
        r"\b(January|February|March|April|May|June|July|August|September|October|November|December"
        r"|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)s?\b",
        lambda found: found.group().lower(),
        text,
    )


def _akin(name: str, word: str) -> bool:
    """ "Spain" and "Spanish", "Weiman" and "Weimann": one begins as the other does."""
    shared = min(len(name), len(word)) - 1
    return shared >= _LETTERS_ALIKE and fold(name)[:shared] == fold(word)[:shared]

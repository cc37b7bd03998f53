"""What a claim states exactly, compared with the words that it cites: the first level of checking.

Each check looks at one kind of fact that can be read without a model (numbers, units, dates, names,
quotations, negation) and says what it did not find. A check that cannot tell says so: a figure that
may have been worked out from others is not found, and not wrong either.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
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
from pipeline.answer.numerals import numbers_within
from pipeline.answer.planted import is_ordered
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
_DAYS_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)  # each month of a year
# Shares that the cited words may have been multiplied with.
_SHARES = {
    r"\bhalf\b": 1 / 2, r"\bthirds?\b": 1 / 3, r"\b(quarter|fourth)s?\b": 1 / 4,
    r"\bfifths?\b": 1 / 5, r"\btenths?\b": 1 / 10,
}  # fmt: skip
_FRACTION = re.compile(r"^\W*(halves|thirds?|quarters?|fourths?|fifths?|tenths?)\b")
_LISTED = re.compile(r"[^,:;()]+(?:, [^,:;()]+)*,? and [^,:;()]+")
_DIGIT_ONE = re.compile(r"(?<![\d.,:])1(?![\d:])")
_NO_TWO = re.compile(r"\bno two$", re.IGNORECASE)
_ITEMS = re.compile(r", (?:and )?| and ")
_SMALL = {"2": "two", "3": "three", "4": "four", "5": "five", "6": "six"}
_PARTS = re.compile(r"[^\W\d_]+")  # "o'beirne", "bip350"
_MISHEARD = 0.8  # share of their letters that two spellings of one name have in common
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
    ordered = [Finding("order", "what they only tell somebody to say", "unsupported")]
    when = dates(claim)
    return [
        *(ordered if is_ordered(claim, source) else ()),
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
                yield _not_found(quantity, claim, stated, known)
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
    """ "one of them", "an hour", "no two are alike"."""
    if quantity.value == "2" and _NO_TWO.search(claim[: quantity.end]):
        return True
    return quantity.value == "1" and (quantity.worded or not _DIGIT_ONE.search(claim))


def _measured_elsewhere(quantity: Quantity, stated: list[Quantity]) -> bool:
    """The same amount in another unit: 90 minutes are an hour and a half, or 1 hour 30 minutes."""
    if quantity.measure is None:
        return False
    dimension, amount = quantity.measure
    parts = {q.unit: q.measure[1] for q in stated if q.measure and q.measure[0] == dimension}
    sums = {a + b for a, b in combinations(parts.values(), 2)}
    return amount in sums or any(q.measure == quantity.measure for q in stated)


def _counts_a_list(quantity: Quantity, claim: str) -> bool:
    """ "three groups: A, B and C" needs no source for its three; nor have "the two" one."""
    counts = {len(_ITEMS.split(found.group())) for found in _LISTED.finditer(claim)}
    if quantity.value in {str(count - less) for count in counts for less in (0, 1)}:
        return True
    spelled = _SMALL.get(quantity.value)
    return spelled is not None and bool(re.search(rf"\b[Tt]he (other )?{spelled}\b", claim))


def _bounds(quantity: Quantity, claim: str, stated: list[Quantity]) -> bool:
    """ "less than 65 kg" of 64, "about 30" of 28, "more than half an hour" of 35 minutes."""
    before = claim[: quantity.begin].casefold()
    sides = [side for pattern, side in _BOUNDS if pattern.search(before)]
    pairs = [_on_one_scale(quantity, other) for other in stated] if sides else []
    return any(
        abs(there - said) <= _NEAR * max(there, said) and (there - said) * sides[0] >= 0
        for said, there in filter(None, pairs)
    )


def _on_one_scale(one: Quantity, other: Quantity) -> tuple[float, float] | None:
    """Both amounts in one unit, None where they cannot be compared."""
    a, b = one.measure, other.measure
    if a and b:
        return (float(a[1]), float(b[1])) if a[0] == b[0] else None
    x, y = _amount(one.value), _amount(other.value)
    return (x, y) if one.unit == other.unit and x is not None and y is not None else None


def _amount(value: str) -> float | None:
    return float(value) if re.fullmatch(r"\d+(\.\d+)?", value) else None


def _not_found(quantity: Quantity, claim: str, stated: list[Quantity], known: str) -> Finding:
    said = f"{quantity.value} {quantity.unit}".strip()
    if _FRACTION.match(claim[quantity.end :]) or _can_be_worked_out(quantity, claim, stated, known):
        return Finding("number", said, "unchecked")
    alike = any(q.unit == quantity.unit for q in stated if q.unit)
    return Finding("number", said, "contradicted" if alike else "unsupported")


def _can_be_worked_out(quantity: Quantity, claim: str, stated: list[Quantity], known: str) -> bool:
    """Whether it is the years between two years, a stated share of a stated value or, where the
    claim's words say so, a sum or a difference."""
    value = _amount(quantity.value)
    if value is None:
        return False
    there = sorted({a for q in stated if (a := _amount(q.value)) is not None})
    if any(unit == quantity.unit and apart == value for unit, apart in _spans(dates(known))):
        return True
    shares = [float(part) for word, part in _SHARES.items() if re.search(word, known, re.I)]
    shares += [a / 100 for q in stated if q.unit == "percent" and (a := _amount(q.value))]
    if any(abs(a * share - value) <= 0.01 * value for a in there for share in shares):
        return True
    if not _WORKED_OUT.search(claim):
        return False
    sums = {whole for a, b in combinations(there, 2) for whole in (a + b, b - a)}
    return any(abs(whole - value) < 1e-6 for whole in sums)


def _spans(when: Dates) -> Iterator[tuple[str, float]]:
    """(unit, how many) that lie between any two of the dates and clock times."""
    for a, b in combinations(sorted(when.years), 2):
        yield "year", b - a
    for a, b in combinations(sorted(when.months), 2):
        yield "month", b - a
    for a, b in combinations(sorted(when.clock), 2):
        yield from (("minute", b - a), ("hour", (b - a) / 60))
    for (month, day), (other, last) in combinations(sorted(when.days), 2):
        apart = _DAYS_BEFORE[other - 1] + last - _DAYS_BEFORE[month - 1] - day
        yield from (("day", apart), ("week", apart / 7))


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
            yield Finding("date", f"{kind} {part}", _date_verdict(kind, part, there, numbers))
    for part in sorted(claim.relative - known.relative) if known.relative else ():
        yield Finding("date", part, "contradicted")
    for month, day in sorted(claim.days - known.days):
        if str(day) not in numbers:
            yield Finding(
                "date", f"{day}.{month}.", "contradicted" if known.days else "unsupported"
            )


def _date_verdict(
    kind: str, part: str, there: Collection[object], numbers: frozenset[str]
) -> Verdict:
    if kind == "year" and there and str(int(part) % 100) in numbers:
        return "unchecked"  # "2011, 12 or 13"
    if kind in ("season", "time of day") and not there:
        return "unchecked"  # "after supper" is in the evening
    return "contradicted" if there else "unsupported"


# ---------------------------------------------------------------- names


def _names(claim: str, known: str) -> Iterator[Finding]:
    there = {part for word in words(known) for part in (word, *_PARTS.findall(word))}
    stems = {stem(word) for word in there}
    for name in sorted(names(_without_dates(claim)) | _first_name(claim)):
        if stem(name) in stems or any(_akin(name, word) for word in there):
            continue
        alike = any(_alike(name, word) for word in there)
        yield Finding("name", name, "unchecked" if alike else "unsupported")


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


def _alike(name: str, word: str) -> bool:
    """ "Pieter" and "Peter": what a transcript may have misheard."""
    if len(name) < _LETTERS_ALIKE or name[0] != word[0]:
        return False
    return SequenceMatcher(None, name, word).ratio() >= _MISHEARD

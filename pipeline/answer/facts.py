"""What a sentence states that can be compared exactly: quantities with units, dates, clock times,
quotations.

Embeddings do not see these: "35 minutes" and "35 hours" are near neighbours, "May" and "June" too.
Values are read into one form (`numerals`), units into one dimension, so that "an hour and a half"
is "90 minutes" and "a quarter past four" is "16:15".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from pipeline.answer.numerals import placed_numbers


def _split(text: str) -> list[str]:
    return text.split()


_TIME = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_MONTHS_OF = {"month": 1, "quarter": 3, "year": 12, "decade": 120, "century": 1200}
_LENGTH = {"millimetre": 1, "centimetre": 10, "metre": 1000, "kilometre": 1_000_000}
_IMPERIAL = {"inch": 1, "foot": 12, "yard": 36, "mile": 63360}
_MASS = {"gram": 1, "kilogram": 1000, "tonne": 1_000_000}
_DATA = {"bit": 1, "byte": 8, "kilobyte": 8_000, "megabyte": 8_000_000, "gigabyte": 8_000_000_000}
# unit -> (dimension, how many of the smallest unit of that dimension)
_UNITS: dict[str, tuple[str, int]] = {
    **{name: ("time", size) for name, size in _TIME.items()},
    **{name: ("months", size) for name, size in _MONTHS_OF.items()},
    **{name: ("length", size) for name, size in _LENGTH.items()},
    **{name: ("imperial", size) for name, size in _IMPERIAL.items()},
    **{name: ("mass", size) for name, size in _MASS.items()},
    **{name: ("data", size) for name, size in _DATA.items()},
    **{
        name: (name, 1)
        for name in _split(
            "percent degree litre gallon pound ounce knot volt watt kilowatt ampere hertz newton"
            " crown euro dollar cent yen franc krona satoshi bitcoin"
        )
    },
}
_WRITTEN = {
    "s": "second", "sec": "second", "secs": "second", "min": "minute", "mins": "minute",
    "h": "hour", "hr": "hour", "hrs": "hour", "yr": "year", "centuries": "century",
    "mm": "millimetre", "cm": "centimetre", "m": "metre", "km": "kilometre",
    "millimeter": "millimetre", "centimeter": "centimetre", "meter": "metre",
    "kilometer": "kilometre", "feet": "foot", "ft": "foot", "in": "", "inches": "inch",
    "g": "gram", "kg": "kilogram", "kilo": "kilogram", "kilos": "kilogram", "t": "tonne",
    "ton": "tonne", "tons": "tonne", "lb": "pound", "lbs": "pound", "oz": "ounce",
    "l": "litre", "liter": "litre", "liters": "litre", "kw": "kilowatt", "hz": "hertz",
    "kb": "kilobyte", "mb": "megabyte", "gb": "gigabyte", "meg": "megabyte", "megs": "megabyte",
    "%": "percent", "percentage": "percent", "°": "degree", "°c": "degree", "kr": "crown",
    "$": "dollar", "usd": "dollar", "bucks": "dollar", "€": "euro", "eur": "euro", "£": "pound",
    "sat": "satoshi", "sats": "satoshi", "btc": "bitcoin",
}  # fmt: skip
_SYMBOLS = "$€£"
_AFTER = re.compile(r"[\s-]*(%|°c?|[^\W\d_]+)(?:[\s-]+([^\W\d_]+))?", re.IGNORECASE)
# Without a number of its own: "an hour and a half", "half an hour", "a week"
_HALF_MORE = re.compile(
    r"\b(?:an?|one|another) (\w+) and a half\b|\b(\S+) and a half (\w+)\b"
    r"|\b(\S+) (\w+) and a half\b"
)
_HALF = re.compile(r"\bhalf(?: an?)?[ -](\w+)\b")
_COUPLE = re.compile(r"\bcouple of (\w+)\b")
_ONE = re.compile(r"\b(?:an?|one|each|every|per) (second|minute|hour|day|week|month|year)\b")
_RATE = re.compile(r"\b(?:an?|each|every|per)[ -](second|minute|hour|day|week|month|year)\b")
_ADVERBS = {
    "hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "yearly": "year",
    "annual": "year", "annually": "year",
}  # fmt: skip
_CODE = re.compile(r"(?<![\w.])(?=[\w.-]*\d)(?=[\w.-]*[^\W\d_])[\w]+(?:[.-]\w+)*")
_MONEY = frozenset(("crown", "euro", "dollar", "cent", "pound", "yen", "satoshi", "bitcoin"))
_TIMES = {
    "twice": "2", "double": "2", "doubled": "2", "doubles": "2", "both": "2", "pair": "2",
    "couple": "2", "two-thirds": "2", "thrice": "3", "triple": "3", "tripled": "3", "half": "0.5",
    "dozen": "12", "once": "1", "single": "1", "sole": "1", "third": "3", "quarter": "4",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value and its unit, "" where none is known; `value` in the form of `numerals`.

    `worded`: "a week", "half an hour", which state no number of their own. `begin` and `end` are
    the characters of the number.
    """

    value: str
    unit: str = ""
    worded: bool = False
    begin: int = 0
    end: int = 0

    @property
    def measure(self) -> tuple[str, Decimal] | None:
        """(dimension, amount in its smallest unit), None without a unit."""
        if not self.unit:
            return None
        dimension, size = _UNITS[self.unit]
        try:
            return dimension, Decimal(self.value) * size
        except InvalidOperation:  # a version, a clock time
            return None


def quantities(text: str) -> list[Quantity]:
    """Every number that `text` states, in order, with the unit that stands beside it."""
    folded = text.casefold().replace("per cent", " percent")
    found = [
        Quantity(value, _unit_before(folded, begin) or _unit_after(folded, end), False, begin, end)
        for value, begin, end in placed_numbers(folded)
    ]
    return [*found, *_worded(folded)]


def _unit_before(text: str, begin: int) -> str:
    before = text[:begin].rstrip()[-1:]
    return _WRITTEN.get(before, "") if before in _SYMBOLS else ""


def _unit_after(text: str, end: int) -> str:
    found = _AFTER.match(text, end)
    if not found:
        return ""
    return _unit(found.group(1)) or _unit(found.group(2) or "")


def _unit(word: str) -> str:
    if word in _WRITTEN:
        return _WRITTEN[word]
    singular = word.removesuffix("s")
    singular = _WRITTEN.get(singular, singular)
    return singular if singular in _UNITS else ""


def _worded(text: str) -> Iterator[Quantity]:
    for found in _HALF_MORE.finditer(text):
        if found.group(1) and (unit := _unit(found.group(1))):
            yield Quantity("1.5", unit, True, *found.span())
        for number, word in (found.group(2, 3), found.group(4, 5)):
            if word and (unit := _unit(word)):
                for value, *_ in placed_numbers(number):
                    yield Quantity(f"{value}.5", unit, True, *found.span())
    for found in _HALF.finditer(text):
        if unit := _unit(found.group(1)):
            yield Quantity("0.5", unit, True, *found.span())
    for found in _COUPLE.finditer(text):
        if unit := _unit(found.group(1)):
            yield Quantity("2", unit, True, *found.span())
    for found in _ONE.finditer(text):
        yield Quantity("1", found.group(1), True, *found.span())


def rates(text: str) -> frozenset[str]:
    """Per what something is counted: "a day", "each week", "monthly"."""
    folded = text.casefold()
    return frozenset(
        [
            *_RATE.findall(folded),
            *(_ADVERBS[w] for w in re.findall(r"\w+", folded) if w in _ADVERBS),
        ]
    )


def codes(text: str) -> frozenset[str]:
    """Words of digits and letters together, without their hyphens: "E-31", "2-of-3", "3.7.9"."""
    return frozenset(
        _squeezed(found.group())
        for found in _CODE.finditer(text)
        if not re.fullmatch(r"[\d.,:]*\d(?:st|nd|rd|th|s|k)?", found.group().casefold())
    )


def has_code(code: str, text: str) -> bool:
    """Whether a text has it, in digits or in words: "one of two" is 1-of-2, "version 0" v0."""
    if code in _squeezed(text) or code in _squeezed(digits(text.casefold())):
        return True
    short = re.fullmatch(r"([^\W\d_]+)(\d+)", code)
    if not short:
        return False
    written = rf"\b{short[1]}[^\W\d_]*[\s-]?{short[2]}\b"
    return bool(re.search(written, digits(text.casefold())))


def _squeezed(text: str) -> str:
    return re.sub(r"[\s_-]+", "", text.casefold())


def comparable(unit: str) -> str:
    """What kind of thing a unit measures: two units of one kind exclude each other."""
    return "money" if unit in _MONEY else _UNITS[unit][0] if unit in _UNITS else ""


def multiples(text: str) -> frozenset[str]:
    """Values that are told by words which are no numbers: "twice", "both", "half"."""
    return frozenset(_TIMES[w] for w in re.findall(r"[\w-]+", text.casefold()) if w in _TIMES)


# ---------------------------------------------------------------- dates and times of day

_MONTH_NAMES = _split(
    "january february march april may june july august september october november december"
)
_MONTH = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_MONTH |= {name[:3]: number for name, number in _MONTH.items()} | {"sept": 9}
_WEEKDAYS = _split("monday tuesday wednesday thursday friday saturday sunday")
_SEASONS = _split("spring summer autumn winter")
_DAYTIMES = _split("morning afternoon evening night noon midnight dawn")
_RELATIVE = re.compile(r"\b(next|last) (day|night|week|month|year|decade|century)\b")
_ALIAS = {"midday": "noon", "autumnal": "autumn"}
_ISO = re.compile(r"\b((?:1[5-9]|20)\d\d)-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01]))?(?!\d)")
_SLASHES = re.compile(r"\b([0-3]?\d)[/.]([01]?\d)[/.]((?:1[5-9]|20)\d\d)\b")
_YEAR = re.compile(r"(?<![\d.,:])(?:1[5-9]|20)\d\d(?![\d:]|[.,]\d)")
# Only the month has a capital, but for what begins a sentence.
_MAYBE = re.compile(r"\bmay\b|\bMay (?=I\b|we\b|you\b|it\b|be\b|the\b)")
_NAMED = "|".join(sorted(_MONTH, key=len, reverse=True))
_DAY_MONTH = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_NAMED})\b")
_MONTH_DAY = re.compile(
    rf"\b({_NAMED})\.? (?:the )?(\d{{1,2}})(?:st|nd|rd|th)?\b(?! ?(?:%|\w+s\b))"
)
_CLOCK = re.compile(r"(?<![\d:])([01]?\d|2[0-3])[:.]([0-5]\d)(?![\d:])(?: ?([ap])\.?m)?")
_HOUR = re.compile(r"\b(\d{1,2}) ?([ap])\.?m\b|\b(\d{1,2}) o['\u2019]clock\b")
_PAST = re.compile(
    r"\b(?:(\d{1,2}) minutes?|(quarter|half))[ -](past|to|after|before|from)"
    r" (\d{1,2}|noon|midnight)\b"
)


@dataclass(frozen=True, slots=True)
class Dates:
    """What a text says of when. `days` are (month, day); `clock` minutes of a half day."""

    years: frozenset[int]
    months: frozenset[int]
    days: frozenset[tuple[int, int]]
    weekdays: frozenset[str]
    seasons: frozenset[str]
    daytimes: frozenset[str]
    clock: frozenset[int]
    relative: frozenset[str]  # "next week"


def dates(text: str) -> Dates:
    """English dates and times of day, whatever their form; ISO dates too."""
    plain = _MAYBE.sub("might", text).casefold()
    folded = digits(plain)
    iso = [tuple(int(part) if part else 0 for part in m.groups()) for m in _ISO.finditer(plain)]
    iso += [(int(y), int(m), int(d)) for d, m, y in _SLASHES.findall(plain) if int(m) <= 12]
    days = {(_MONTH[month], int(day)) for day, month in _DAY_MONTH.findall(folded)}
    days |= {(_MONTH[month], int(day)) for month, day in _MONTH_DAY.findall(folded)}
    days |= {(month, day) for _, month, day in iso if day}
    words = re.findall(r"[^\W\d_]+", folded)
    months = {_MONTH[word] for word in words if word in _MONTH}
    months |= {month for month, _ in days} | {month for _, month, _ in iso}
    names = frozenset(_ALIAS.get(word, word).removesuffix("s") for word in words)
    names |= frozenset(("evening", "night")) if "tonight" in names else frozenset()
    return Dates(
        frozenset({int(year) for year in _YEAR.findall(folded)} | {year for year, *_ in iso}),
        frozenset(months),
        frozenset(days),
        names & frozenset(_WEEKDAYS),
        names & frozenset(_SEASONS),
        names & frozenset(_DAYTIMES),
        frozenset(_clock_times(folded)),
        frozenset(f"{side} {unit}" for side, unit in _RELATIVE.findall(folded)),
    )


def digits(text: str) -> str:
    """Spelled numbers as digits: "the second of November", "quarter past four"."""
    parts, last = [], 0
    for value, begin, end in placed_numbers(text, ordinals=True):
        parts += [text[last:begin], value if ":" not in value else text[begin:end]]
        last = end
    return "".join([*parts, text[last:]])


def _clock_times(text: str) -> Iterator[int]:
    for hour, minute, _ in _CLOCK.findall(text):
        yield (int(hour) * 60 + int(minute)) % 720
    for hour, _, plain in _HOUR.findall(text):
        yield int(hour or plain) * 60 % 720
    for minutes, part, side, hour in _PAST.findall(text):
        away = int(minutes) if minutes else {"quarter": 15, "half": 30}[part]
        base = 0 if not hour.isdigit() else int(hour) * 60
        yield (base + (away if side in ("past", "after") else -away)) % 720


# ---------------------------------------------------------------- quotations

_QUOTED = re.compile(
    r"[\"\u201c\u201e\u00ab]([^\"\u201c\u201d\u201e\u00ab\u00bb]{2,400})[\"\u201d\u201c\u00bb]"
)
_LEFT_OUT = re.compile(r"\.\.\.|\u2026")
_LETTERS = re.compile(r"\w+")


def misquoted(text: str, source: str) -> list[str]:
    """Quotations in `text` whose words do not stand in `source` one after the other.

    Case, marks and line ends do not count; "..." leaves words out.
    """
    said = f" {_bare(source)} "
    return [quoted for quoted in _QUOTED.findall(text) if not _stands(quoted, said)]


def _stands(quoted: str, said: str) -> bool:
    return all(f" {_bare(part)} " in said for part in _LEFT_OUT.split(quoted) if _bare(part))


def _bare(text: str) -> str:
    return " ".join(_LETTERS.findall(text.casefold().replace("\u2019", "'").replace("'", "")))

"""The numbers a sentence states, as comparable values: `12`, `twelve`, `1.2 million`, `3:30`.

An answer that is wrong about a number is wrong, and embeddings do not see it: "12 panels" and
"14 panels" are near neighbours. Number words are read in English, digits everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal


def _listed(text: str) -> list[str]:
    return text.split()


_SPELLED = {
    word: value
    for value, word in enumerate(
        _listed(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen "
            "fourteen fifteen sixteen seventeen eighteen nineteen"
        )
    )
} | {
    word: 10 * (i + 2)
    for i, word in enumerate(_listed("twenty thirty forty fifty sixty seventy eighty ninety"))
}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_ORDINALS = {
    word: str(i + 1)
    for i, word in enumerate(
        _listed("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth")
    )
}
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+")
_ONE = re.compile(r"(?<![\d.,:])1(?![\d:]|[.,]\d)")
_DIGITS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?")


def numbers(text: str) -> frozenset[str]:
    """Values stated in `text`. A spelled "one" is seldom a number ("one of them"): left out."""
    values = frozenset(value for value, *_ in placed_numbers(text))
    return values if _ONE.search(text) else values - {"1"}


def numbers_within(text: str) -> frozenset[str]:
    """Every value `text` could be said to state: those of `numbers`, "one", and ordinals."""
    tokens = _TOKEN.findall(text.casefold())
    values = frozenset(value for value, *_ in placed_numbers(text))
    return values | {_ORDINALS[t] for t in tokens if t in _ORDINALS}


def placed_numbers(text: str, *, ordinals: bool = False) -> Iterator[tuple[str, int, int]]:
    """(value, begin, end): every number, in order, with its characters; `ordinals` too."""
    total, current, begin, end, spelled = Decimal(0), None, 0, 0, False
    for found in [*_TOKEN.finditer(text.casefold()), None]:
        token = found.group() if found else ""
        if token == "k" and found and found.start() == end and text[end - 1 : end].isdigit():
            token = "thousand"  # 500k
        if token in _SPELLED and (
            current is None or (spelled and _extends(current, _SPELLED[token]))
        ):
            spelled = True
            begin = found.start() if found and current is None and not total else begin
            current = (current or Decimal(0)) + _SPELLED[token]
        elif token == "hundred":
            begin = found.start() if found and current is None and not total else begin
            current = (current or Decimal(1)) * 100
        elif token in _SCALES:
            begin = found.start() if found and current is None and not total else begin
            total, current = total + (current or Decimal(1)) * _SCALES[token], Decimal(0)
        elif token == "and" and current is not None:
            continue
        else:
            if current is not None:
                yield _plain(total + current), begin, end
            total, current = Decimal(0), None
            begin = found.start() if found else 0
            spelled = token in _SPELLED
            if spelled:
                current = Decimal(_SPELLED[token])
            elif _DIGITS.fullmatch(token):
                current = _decimal(token)
            elif found and token[:1].isdigit():
                yield token, found.start(), found.end()  # 3:30, 1.2.3: compared as written
            elif found and ordinals and token in _ORDINALS:
                yield _ORDINALS[token], found.start(), found.end()
        end = found.end() if found else end


def _extends(current: Decimal, value: int) -> bool:
    """Whether `current value` is one number: "twenty five", not "twenty nineteen"."""
    return current % (10 ** len(str(value))) == 0 and (current != 0 or value != 0)


def _decimal(token: str) -> Decimal:
    thousands = re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", token)
    return Decimal(token.replace(",", "" if thousands else "."))


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"

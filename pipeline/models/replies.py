"""What a model replied, read as data: its thoughts left out, its JSON found.

Models that reason aloud put that into tags before their answer (DeepSeek-R1, Qwen3), and a chat
template may have swallowed the opening one. Models that are asked for JSON fence it, explain it
and quote it. So there is one way here to leave thoughts out and one to find JSON, and what a reply
may say is the business of whoever asked.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.types import Reply

_LETTERS_PER_TOKEN = 4
_TAG = re.compile(r"<(/?)(?:think|thinking|reasoning)>", re.IGNORECASE)
_FIRST_TAG, _LAST_TAG = "<think>", "</think>"
# Where an object, or a list of objects, begins: not "[image 1]", nor a brace in a sentence.
_OBJECT = re.compile(r"\{\s*[\"}]")
_OBJECT_OR_LIST = re.compile(r"\{\s*[\"}]|\[\s*[{\]]")
_BETWEEN = re.compile(r"[, \t\r\n]*")
# Beginnings that are not JSON after all: each is read as far as it goes, a reply may be long.
_MOST_BROKEN = 50
_DECODER = json.JSONDecoder(strict=False)  # models break lines inside strings


class UnreadableReply(ValueError):
    """A reply without the JSON that was asked for; it says what is wrong in words for a model."""


# ---------------------------------------------------------------- tokens


def estimated_reply(text: str, asked: str) -> Reply:
    """A reply, or what there is of one, whose tokens nobody counted."""
    return Reply(text, estimated_tokens(asked), estimated_tokens(text), estimated=True)


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has: one for four letters, or for one wide character."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return math.ceil((len(text) - wide) / _LETTERS_PER_TOKEN) + wide


# ---------------------------------------------------------------- thoughts


def without_thoughts(reply: str) -> str:
    """`reply` without any reasoning, stripped.

    Reasoning is what stands between its tags, all that comes before a closing tag that nothing
    opened, and all that follows an opening one that nothing closes. A tag inside JSON is a text
    like any other.
    """
    if not _TAG.search(reply):
        return reply.strip()
    quoted = [(begin, end) for _, begin, end in _whole(reply, _OBJECT_OR_LIST)]
    kept: list[str] = []
    begin, thinking = 0, False
    for tag in _TAG.finditer(reply):
        if any(left < tag.start() < right for left, right in quoted):
            continue
        if tag[1]:
            kept = kept if thinking else []
            begin, thinking = tag.end(), False
        elif not thinking:
            kept.append(reply[begin : tag.start()])
            thinking = True
    return " ".join([*kept, "" if thinking else reply[begin:]]).strip()


def after_thoughts(pieces: Iterable[str]) -> Iterator[str]:
    """The pieces of a reply from where a leading block of reasoning ends, as they come; all of
    them where it begins otherwise."""
    held, deciding, thinking = "", True, False
    for piece in pieces:
        if not deciding and not thinking:
            yield piece
            continue
        held += piece
        if deciding:
            start = held.lstrip()
            if start and len(start) < len(_FIRST_TAG) and _FIRST_TAG.startswith(start):
                continue
            if not start:
                continue
            deciding, thinking = False, start.startswith(_FIRST_TAG)
        if thinking and _LAST_TAG in held:
            held, thinking = held.split(_LAST_TAG, 1)[1].lstrip(), False
        if not thinking:
            yield held
            held = ""
    if deciding and held:
        yield held


def answer_of(reply: str) -> str:
    """A whole reply as `after_thoughts` leaves it, stripped."""
    return "".join(after_thoughts([reply])).strip()


# ---------------------------------------------------------------- JSON


def json_object(reply: str) -> dict[str, Any]:
    """The first JSON object of a reply, whatever stands around it.

    Raises `UnreadableReply` where there is none, and where the first one is broken or cut off.
    """
    value = _first(without_thoughts(reply), _OBJECT)
    assert isinstance(value, dict)  # it begins with a brace
    return value


def json_value(reply: str) -> object:
    """The first JSON object or list of objects of a reply; raises as `json_object` does."""
    return _first(without_thoughts(reply), _OBJECT_OR_LIST)


def json_objects(reply: str) -> list[dict[str, Any]]:
    """Every whole JSON object of a reply, in order; those inside another one are a part of it."""
    values = (value for value, _, _ in _whole(without_thoughts(reply), _OBJECT))
    return [value for value in values if isinstance(value, dict)]


def json_rows(reply: str, key: str) -> list[object]:
    """The entries of the first list called `key`, or of a list that stands alone; of one that
    breaks off those that are whole."""
    text = without_thoughts(reply)
    begin = text.find("[", max(0, text.find(f'"{key}"')))
    rows: list[object] = []
    at = begin + 1
    while begin >= 0:
        try:
            row, at = _DECODER.raw_decode(text, _between(text, at))
        except (ValueError, RecursionError):
            break  # the end of the list, or of what is whole
        rows.append(row)
    return rows


def _between(text: str, at: int) -> int:
    """Where the next entry of a list may begin."""
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _first(text: str, beginning: re.Pattern[str]) -> object:
    found = beginning.search(text)
    if found is None:
        raise UnreadableReply("there is no JSON object in it")
    try:
        value, _ = _DECODER.raw_decode(text, found.start())
    except (ValueError, RecursionError) as error:
        problem = f"the JSON cannot be read, it is broken or cut off: {error}"
        raise UnreadableReply(problem) from error
    return value


def _whole(text: str, beginning: re.Pattern[str]) -> Iterator[tuple[object, int, int]]:
    """(value, begin, end) of everything that can be read from such a beginning, disjoint."""
    at = broken = 0
    while broken < _MOST_BROKEN and (found := beginning.search(text, at)):
        try:
            value, at = _DECODER.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            at, broken = found.start() + 1, broken + 1
        else:
            yield value, found.start(), at

"""What a vision model replied when it was asked to look: JSON, checked, or the plain text of it.

A reply that says that the frames do not show it, declines, or is empty is no finding: nothing of
it may be stored as seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.ingest.plain_text import clean_text
from pipeline.ingest.sentences import sentences, within_room
from pipeline.models.replies import UnreadableReply, json_object

_ROOM = 600  # characters of one thing seen, or of the answer: models that loop do not stop
# Compared with straight apostrophes.
_REFUSAL = re.compile(
    r"(?:(?:i'?m|i am|we're) sorry|sorry\b|unfortunately\b|as an ai\b|no images?\b"
    r"|(?:i am|i'm) (?:unable|not able)\b|i (?:cannot|can't|do not see|don't see)\b)",
    re.IGNORECASE,
)
# "The frames do not show the price", "It cannot be seen who wins", "Nothing of it is visible".
_DENIAL = re.compile(
    r"(?:(?:none|nothing|neither) of\b"
    r"|(?:the|these|this|it|they|images?|frames?)\b[^.]{0,40}?\b"
    r"(?:(?:do(?:es)?|did)(?: not|n't)|never|cannot|can't) "
    r"(?:show|reveal|depict|contain|tell|include)"
    r"|(?:the|these|this) (?:\w+ )?(?:images?|frames?|video|pictures?|clips?) "
    r"(?:show|reveal|depict|contain)s? (?:no|nothing|none)\b"
    r"|[^.]{0,60}\b(?:cannot|can't|could not|not) be (?:seen|told|determined|made out|read)\b"
    r"|[^.]{0,60}\b(?:is|are|was|were)(?: not|n't) (?:shown|visible|seen|legible)\b)",
    re.IGNORECASE,
)
_SEEN = re.compile(r'\{\s*"image"\s*:\s*(\d+)\s*,\s*"what"\s*:\s*("(?:[^"\\]|\\.)*")\s*\}')
_ANSWER = re.compile(r'"answer"\s*:\s*("(?:[^"\\]|\\.)*")')
_NOT_SHOWN = re.compile(r'"shown"\s*:\s*"?(?:false|no)\b', re.IGNORECASE)
_LEAD = re.compile(r"^(?:answer|description)\s*:\s*", re.IGNORECASE)


class _Sight(BaseModel):
    """What one image shows."""

    model_config = ConfigDict(extra="ignore")

    image: int
    what: str


class _Reply(BaseModel):
    """The reply that is asked for; the sights come first, so that the answer follows from them."""

    model_config = ConfigDict(extra="ignore")

    seen: list[_Sight]
    answer: str
    shown: bool


# For endpoints that can hold a model to a form.
SCHEMA: Mapping[str, object] = _Reply.model_json_schema()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reply says. `sights` are (place of the frame from 0, what it shows) by frame, none
    where the model found nothing. `problem` says why it is not what was asked for, "" when it is.
    """

    answer: str
    found: bool
    sights: tuple[tuple[int, str], ...] = ()
    problem: str = ""


def read_reply(text: str, images: int) -> Seen:
    """What a reply about so many images says, in whatever form it comes."""
    try:
        reply = _Reply.model_validate(json_object(text))
        wrong = [sight.image for sight in reply.seen if not 1 <= sight.image <= images]
        problem = f"there is no image {wrong[0]}, they are 1 to {images}" if wrong else ""
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(str(part) for part in first["loc"]) or "it"
        return _lenient(text, images, f"{at}: {first['msg']}")
    except UnreadableReply as error:
        return _lenient(text, images, str(error))
    sights = [(sight.image, sight.what) for sight in reply.seen]
    return _judged(reply.answer, sights, images, reply.shown, problem)


def _lenient(text: str, images: int, problem: str) -> Seen:
    """What can be had from a reply that is not as asked for: whole parts of its JSON, else the
    text as it is."""
    sights = [(int(image), json.loads(what)) for image, what in _strict(_SEEN, text)]
    answers = [json.loads(answer) for (answer,) in _strict(_ANSWER, text)]
    if sights or answers:
        shown = not _NOT_SHOWN.search(text)
        return _judged(" ".join(answers[:1]), sights, images, shown, problem)
    if "{" in text:  # JSON of another kind is nothing to quote
        return Seen("", False, problem=problem)
    return _judged(text, [], images, True, problem)


def _strict(pattern: re.Pattern[str], text: str) -> list[tuple[str, ...]]:
    """The groups of all matches whose strings are JSON: no raw line break, no half escape."""
    found = []
    for match in pattern.finditer(text):
        try:
            json.loads(match.groups()[-1])
        except json.JSONDecodeError:
            continue
        found.append(match.groups())
    return found


def _judged(
    answer: str, sights: list[tuple[int, str]], images: int, shown: bool, problem: str
) -> Seen:
    answer = _LEAD.sub("", _line(answer))
    if _matches(_REFUSAL, answer):
        return Seen("", False, problem=problem)
    texts: dict[int, list[str]] = {}
    for image, what in sights:
        said = _line(what)
        negative = _matches(_REFUSAL, said) or _matches(_DENIAL, said)
        if 1 <= image <= images and said and not negative:
            texts.setdefault(image - 1, []).append(said)
    if not shown or not (affirmed(answer) if answer else texts):
        return Seen(answer, False, problem=problem)
    found = tuple((place, within_room(" ".join(texts[place]), _ROOM)) for place in sorted(texts))
    return Seen(answer or " ".join(text for _, text in found), True, found, problem)


def affirmed(answer: str) -> str:
    """The sentences of an answer that say what is there: who searches for a thing is not to find
    that it cannot be seen."""
    said = [answer[start:end] for start, end in sentences(answer)]
    return " ".join(sentence for sentence in said if not _matches(_DENIAL, sentence))


def _matches(pattern: re.Pattern[str], text: str) -> bool:
    return bool(pattern.match(text.replace("\u2019", "'")))


def _line(text: str) -> str:
    """On one line; "" where there is not a letter or a digit in it."""
    line = " ".join(clean_text(text).split())
    return within_room(line, _ROOM) if any(character.isalnum() for character in line) else ""

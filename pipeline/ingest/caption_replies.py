"""What a vision model replied about the pictures of one view, read into timed text.

Asked for is one JSON object with a record for each picture. Models fence it, explain it, give the
list alone, a string where a list was asked for, or break off in the middle: what can be read for
certain is read, and what cannot goes back to the model once, with what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipeline.ingest.looking import Look
from pipeline.ingest.plain_text import clean_text
from pipeline.ingest.sentences import within_room
from pipeline.models.replies import json_value
from pipeline.types import Segment

_PLAIN_ROOM = 1200  # of a reply that is not in records
_FIELD_ROOM = 400
_MOST_OBJECTS = 12

_LEAD = re.compile(r"^(description|caption)\s*:\s*", re.IGNORECASE)
_NOTHING = re.compile(
    r"(none|nothing|nobody|no one|no people|no text|n/?a|empty|unchanged|same( as before)?|static"
    r"|no(t| )change[sd]?|-+|\.+|null|unknown|not visible|no visible text)[.!]?",
    re.IGNORECASE,
)
_NO_PICTURE = re.compile(
    r"(an? )?(blank|broken|black|empty|white)( (picture|image|screen|frame))?[.!]?", re.IGNORECASE
)
_WORD = re.compile(r"\w+")


class Record(BaseModel):
    """What one picture shows. A field is empty where there is nothing, or nothing new."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    image: int = 0
    scene: str = ""
    people: str = ""
    action: str = ""
    objects: list[str] = Field(default_factory=list)
    camera: str = ""
    visible_text: str = ""

    @field_validator("image", mode="before")
    @classmethod
    def _number(cls, value: object) -> int:
        """1 of "image 1"; 0 where none can be told."""
        found = re.search(r"\d{1,9}", str(value)) if isinstance(value, str | int | float) else None
        return int(found.group()) if found and not isinstance(value, bool) else 0

    @field_validator("scene", "people", "action", "camera", "visible_text", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> str:
        """Models give a list of people, and null where there is nothing."""
        return _flat(value, "; ")

    @field_validator("objects", mode="before")
    @classmethod
    def _several(cls, value: object) -> object:
        if isinstance(value, str):
            value = re.split(r"\s*[,;]\s*", value)
        parts = value if isinstance(value, list | tuple) else [value]
        return [text for part in parts if (text := _flat(part, " "))]

    @field_validator("scene", "people", "action", "camera", "visible_text")
    @classmethod
    def _clean(cls, value: str) -> str:
        text = " ".join(clean_text(value).split()).strip(" ;,")
        return "" if _NOTHING.fullmatch(text) else within_room(text, _FIELD_ROOM)

    @field_validator("objects")
    @classmethod
    def _clean_all(cls, value: list[str]) -> list[str]:
        named = (" ".join(clean_text(part).split()).strip(" .;,") for part in value)
        kept = [part[:80] for part in named if part and not _NOTHING.fullmatch(part)]
        return list(dict.fromkeys(kept))[:_MOST_OBJECTS]

    @property
    def empty(self) -> bool:
        """Whether it tells nothing, or that there is nothing to see."""
        if self.people or self.objects or self.visible_text:
            return False
        return bool(_NO_PICTURE.fullmatch(self.scene)) or not (self.scene or self.action)


def _flat(value: object, between: str, depth: int = 4) -> str:
    """A value as one text; of {"name": "cup", "colour": "red"} the values."""
    if value is None or isinstance(value, bool) or not depth:
        return ""
    if isinstance(value, Mapping):
        value, between = list(value.values()), " "
    if isinstance(value, list | tuple):
        parts = (_flat(part, " ", depth - 1) for part in value)
        return between.join(part for part in parts if part)
    return str(value)


# For endpoints that can hold a model to a form.
SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {
        "images": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "image": {"type": "integer"},
                    "scene": {"type": "string"},
                    "people": {"type": "string"},
                    "action": {"type": "string"},
                    "objects": {"type": "array", "items": {"type": "string"}},
                    "camera": {"type": "string"},
                    "visible_text": {"type": "string"},
                },
                "required": [
                    "image",
                    "scene",
                    "people",
                    "action",
                    "objects",
                    "camera",
                    "visible_text",
                ],
                "additionalProperties": False,
            },
        }
    },
    "required": ["images"],
    "additionalProperties": False,
}


def read_records(reply: str, count: int) -> list[Record]:
    """The records of a reply about `count` pictures, by picture; a picture may have none.

    A record that tells nothing is left out: all of them may be, where the pictures are blank.
    Raises `ValueError` with what is wrong, in words for the model.
    """
    given = _listed(json_value(reply), count)
    read: list[Record] = []
    for place, item in enumerate(given, 1):
        try:
            record = Record.model_validate(item)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "the record"
            raise ValueError(f"record {place}: {field}: {first['msg']}") from error
        read.append(record)
    # Models count from 0, give every picture the same number, or the time for a number.
    numbers = [record.image for record in read]
    counted = len(set(numbers)) == len(numbers) and all(1 <= n <= count for n in numbers)
    told = [
        record.model_copy(update={"image": record.image if counted else place})
        for place, record in enumerate(read[:count], 1)
        if not record.empty
    ]
    if not told and not any(_NO_PICTURE.fullmatch(record.scene) for record in read):
        raise ValueError("no record says anything")
    return sorted(told, key=lambda record: record.image)


def _listed(value: object, count: int) -> Sequence[object]:
    if isinstance(value, Mapping):
        if isinstance(value.get("images"), Sequence) and not isinstance(value["images"], str):
            value = value["images"]
        elif count == 1:
            value = [value]
        else:
            raise ValueError('there is no list "images"')
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise ValueError('there is no list "images"')
    if not all(isinstance(item, Mapping) for item in value):
        raise ValueError('"images" holds something that is no object')
    return value


def plain_record(reply: str) -> Record:
    """A reply that is in no records, as one that speaks of the whole view."""
    text = _LEAD.sub("", " ".join(clean_text(reply).split()))
    return Record(image=1).model_copy(update={"scene": within_room(text, _PLAIN_ROOM)})


# ---------------------------------------------------------------- records to text


def segments_of(
    looks: Sequence[Look], records: Sequence[Record], read: Sequence[str]
) -> list[Segment]:
    """A `caption` segment for each record, over the time for which its picture stands.

    Where a record leaves the scene empty, it is that of the record before. `read` is the screen
    text of each look: what it says already is not said again.
    """
    segments: list[Segment] = []
    scene = ""
    told = {record.image: record for record in records}
    for number, (look, on_screen) in enumerate(zip(looks, read, strict=True), 1):
        record = told.get(number)
        if record is None:
            continue
        scene = record.scene or scene
        text = text_of(record.model_copy(update={"scene": scene}), on_screen)
        if text:
            segments.append(Segment("caption", look.start, look.end, text))
    return segments


def text_of(record: Record, on_screen: str = "") -> str:
    """A record as plain sentences, the most telling first."""
    parts = [record.scene, record.people, record.action]
    said = " ".join(parts).casefold()
    things = [thing for thing in record.objects if not _is_said(thing, said)]
    if things:
        parts.append("With " + ", ".join(things))
    if record.camera:
        parts.append("Camera: " + record.camera)
    if _adds(record.visible_text, on_screen):
        parts.append("Written: " + record.visible_text)
    return within_room(" ".join(_sentence(part) for part in parts if part), _PLAIN_ROOM)


def _is_said(thing: str, said: str) -> bool:
    """Whether a thing is named already: "pen" is not by "open"."""
    return bool(re.search(rf"(?<!\w){re.escape(thing.casefold())}(?!\w)", said))


def _adds(written: str, on_screen: str) -> bool:
    """Whether most of what the model could read is not known from the screen text."""
    words = {word.casefold() for word in _WORD.findall(written)}
    known = {word.casefold() for word in _WORD.findall(on_screen)}
    return len(words - known) > len(words) / 2


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?\u2026\u3002" else text + "."

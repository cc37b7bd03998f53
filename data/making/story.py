"""A story is a list of shots; laying it out gives every picture, word and screen its time.

Times are decided here once, from the length of the narration, and everything else (frames,
audio, subtitles, truth.jsonl) is written from the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from PIL import Image

from making.voice import Narrator, Spoken, Voice

FRAMES_PER_SECOND = 10

# Seconds since the shot began, who is speaking at that moment ("" for nobody) -> picture.
Picture = Callable[[float, str], Image.Image]

Carrier = Literal["srt", "vtt-words", "vtt-voices", "subrip", "none", "silent"]


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance. `id` is what questions point at; unique in its story."""

    id: str
    voice: Voice
    text: str


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture, still or moving, with what is said over it and what can be read on it.

    `screen` maps an id to text; the same id in the next shot means that the text stayed on.
    `seconds` is the least it lasts; narration makes it longer.
    """

    picture: Picture
    lines: tuple[Line, ...] = ()
    screen: Mapping[str, str] = field(default_factory=dict)
    scene: tuple[str, str] = ("", "")  # id, description
    seconds: float = 0.0
    chapter: str = ""  # a chapter begins here


@dataclass(frozen=True, slots=True)
class Story:
    """One video: `slug` names the file and is its video_id; `date` is when it was recorded."""

    slug: str
    title: str
    date: str  # ISO 8601, UTC
    carrier: Carrier
    shots: tuple[Shot, ...]
    suffix: str = ".mp4"
    size: tuple[int, int] = (960, 540)
    jingle: bool = False
    lead: float = 0.6  # seconds from the start of a shot to its first utterance
    pause: float = 0.45  # between utterances
    tail: float = 0.6  # from the last utterance to the end of the shot


@dataclass(frozen=True, slots=True)
class Utterance:
    start: float
    end: float
    line: Line
    spoken: Spoken


@dataclass(frozen=True, slots=True)
class Placed:
    """A shot on the video's clock."""

    start: float
    end: float
    shot: Shot


@dataclass(frozen=True, slots=True)
class Truth:
    """What is really there: one row of truth.jsonl."""

    video_id: str
    id: str
    start: float
    end: float
    kind: Literal["speech", "screen", "scene"]
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    story: Story
    shots: tuple[Placed, ...]
    utterances: tuple[Utterance, ...]
    chapters: tuple[tuple[float, float, str], ...]

    @property
    def seconds(self) -> float:
        return self.shots[-1].end


def lay_out(story: Story, narrator: Narrator) -> Timeline:
    """Speak every line and place it; shots end on a frame boundary."""
    clock, placed, utterances = 0.0, [], []
    for shot in story.shots:
        start = clock
        clock += story.lead
        for line in shot.lines:
            spoken = narrator.speak(line.text, line.voice)
            begin = round(clock, 3)
            end = round(begin + spoken.seconds, 3)
            utterances.append(Utterance(begin, end, line, spoken))
            clock = end + story.pause
        if shot.lines:
            clock += story.tail - story.pause
        wanted = max(clock - start if shot.lines else 0.0, shot.seconds)
        frames = math.ceil(round(wanted * FRAMES_PER_SECOND, 6))
        clock = round(start + frames / FRAMES_PER_SECOND, 3)
        placed.append(Placed(start, clock, shot))
    return Timeline(story, tuple(placed), tuple(utterances), _chapters(placed))


def _chapters(placed: list[Placed]) -> tuple[tuple[float, float, str], ...]:
    begins = [(shot.start, shot.shot.chapter) for shot in placed if shot.shot.chapter]
    if not begins:
        return ()
    ends = [*(start for start, _ in begins), placed[-1].end][1:]
    return tuple((start, end, title) for (start, title), end in zip(begins, ends, strict=True))


def truth(timeline: Timeline) -> list[Truth]:
    """Every utterance, every screen of text and every scene, by start, then end."""
    slug = timeline.story.slug
    rows = [
        Truth(slug, said.line.id, said.start, said.end, "speech", said.line.text)
        for said in timeline.utterances
    ]
    shown: dict[str, Truth] = {}
    for placed in timeline.shots:
        identifier, description = placed.shot.scene
        if identifier:
            rows.append(Truth(slug, identifier, placed.start, placed.end, "scene", description))
        for identifier, text in placed.shot.screen.items():
            before = shown.get(identifier)
            start = before.start if before and before.end == placed.start else placed.start
            shown[identifier] = Truth(slug, identifier, start, placed.end, "screen", text)
    rows += shown.values()
    if len({row.id for row in rows}) != len(rows):
        raise ValueError(f"{slug}: an id is used twice")
    return sorted(rows, key=lambda row: (row.start, row.end, row.id))

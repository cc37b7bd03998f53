"""Shots to descriptions: what can be seen, said in words that can be searched.

A short shot is described once, from its key frames; a long one once per key frame, since a new
key frame means that the picture has changed. The prompt carries what is said and shown around
the shot, so that a description can name what it sees.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from pipeline.errors import MediaError
from pipeline.ingest.outputs import GetOutput, PutOutput, Report, output_key
from pipeline.ingest.plain_text import clean_text
from pipeline.ingest.screen_text import open_image
from pipeline.ingest.sentences import sentences
from pipeline.prompts import Prompt
from pipeline.types import Captioner, CaptionRequest, Segment

LONGEST_SHOT = 30.0  # seconds that one description may stand for, where key frames allow
MOST_IMAGES = 4  # per description
_AROUND = 5.0  # seconds of speech before and after, for a sentence that began earlier
_SPEECH_ROOM, _SCREEN_ROOM, _REPLY_ROOM = 600, 400, 1200  # characters

_REFUSAL = re.compile(
    r"(i'?m sorry|i am sorry|sorry,|i can(no|')t |i am unable|i'?m unable|i'?m not able|as an ai\b"
    r"|unfortunately,? i |i do(n't| not) see (any|an) image|no image)",
    re.IGNORECASE,
)
_LEAD = re.compile(r"^(description|caption)\s*:\s*", re.IGNORECASE)


class KeyFrame(Protocol):
    """A frame that stands for its shot (`media.shots`)."""

    @property
    def time(self) -> float: ...
    @property
    def path(self) -> Path: ...


class Shot(Protocol):
    """One shot and its key frames, ascending in time (`media.shots`)."""

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def key_frames(self) -> Sequence[KeyFrame]: ...


@dataclass(frozen=True, slots=True)
class View:
    """What one description stands for: an interval and the frames it is made from."""

    start: float
    end: float
    frames: tuple[KeyFrame, ...]


@dataclass(frozen=True, slots=True)
class CaptionText:
    """`segments` are of source `caption`; `dropped` are (start, end, why there is none)."""

    segments: tuple[Segment, ...]
    dropped: tuple[tuple[float, float, str], ...]
    model_calls: int


def caption_shots(
    shots: Sequence[Shot],
    captioner: Captioner,
    prompt: Prompt,
    *,
    title: str,
    speech: Sequence[Segment] = (),
    screen: Sequence[Segment] = (),
    get_output: GetOutput,
    put_output: PutOutput,
    progress: Report | None = None,
    batch_size: int = 8,
) -> CaptionText:
    """Describe the shots of one video (ascending, as are `speech` and `screen`).

    A reply is kept under the hashes of its frames, its rendered prompt and the captioner's name
    as soon as its batch is answered; only one batch of frames is in memory. `progress` counts
    descriptions. Raises `MediaError` for a frame that cannot be opened.
    """
    views = views_of(shots)
    prompts = _prompts(views, prompt, title, speech, screen)
    keys = [
        output_key("caption-1", captioner.name, text, *(_hash(frame) for frame in view.frames))
        for view, text in zip(views, prompts, strict=True)
    ]
    replies = {key: kept.decode() for key in set(keys) if (kept := get_output(key)) is not None}
    missing = {
        key: (view, text)
        for view, text, key in zip(views, prompts, keys, strict=True)
        if key not in replies
    }
    for batch in _batches(list(missing), batch_size):
        if progress:
            progress(sum(key in replies for key in keys), len(keys))
        requests = [_request(*missing[key]) for key in batch]
        for key, reply in zip(batch, captioner.caption(requests), strict=True):
            put_output(key, reply.text.encode("utf-8", "replace"))
            replies[key] = reply.text
    if progress and keys:
        progress(len(keys), len(keys))
    return _judged(views, [replies[key] for key in keys], len(missing))


def views_of(shots: Sequence[Shot]) -> list[View]:
    """What to describe, in order; a shot without key frames gives nothing."""
    views: list[View] = []
    for shot in shots:
        frames = tuple(shot.key_frames)
        if len(frames) > 1 and shot.end - shot.start > LONGEST_SHOT:
            edges = [shot.start, *(frame.time for frame in frames[1:]), shot.end]
            spans = zip(pairwise(edges), frames, strict=True)
            views += [View(a, b, (frame,)) for (a, b), frame in spans if a < b]
        elif frames:
            views.append(View(shot.start, shot.end, _spread(frames)))
    return views


def _spread(frames: tuple[KeyFrame, ...]) -> tuple[KeyFrame, ...]:
    """At most `MOST_IMAGES` of them, the first and the last included."""
    if len(frames) <= MOST_IMAGES:
        return frames
    step = (len(frames) - 1) / (MOST_IMAGES - 1)
    return tuple(frames[round(at * step)] for at in range(MOST_IMAGES))


def _batches(keys: Sequence[str], size: int) -> list[Sequence[str]]:
    return [keys[at : at + size] for at in range(0, len(keys), size)]


def _hash(frame: KeyFrame) -> bytes:
    try:
        return hashlib.sha256(frame.path.read_bytes()).digest()
    except OSError as error:
        message = f"frame {frame.path} cannot be read: {error.strerror or error}"
        raise MediaError(message) from error


def _request(view: View, prompt: str) -> CaptionRequest:
    return CaptionRequest(
        tuple(open_image(frame.path) for frame in view.frames),
        tuple(frame.time for frame in view.frames),
        prompt,
    )


# ---------------------------------------------------------------- the prompt


def _prompts(
    views: Sequence[View],
    prompt: Prompt,
    title: str,
    speech: Sequence[Segment],
    screen: Sequence[Segment],
) -> list[str]:
    said, shown = _Timeline(speech), _Timeline(screen)
    return [
        prompt.render(
            title=_as_data(title, _SCREEN_ROOM),
            time=f"{_clock(view.start)} to {_clock(view.end)}",
            speech=_as_data(said.text(view.start - _AROUND, view.end + _AROUND), _SPEECH_ROOM),
            screen=_as_data(shown.text(view.start, view.end), _SCREEN_ROOM),
        )
        for view in views
    ]


class _Timeline:
    """Segments in order of their starts, asked for what overlaps an interval."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = sorted(segments, key=lambda segment: segment.start)
        self._starts = [segment.start for segment in self._segments]
        self._longest = max((s.end - s.start for s in self._segments), default=0.0)

    def text(self, start: float, end: float) -> str:
        first = bisect_left(self._starts, start - self._longest)
        last = bisect_left(self._starts, end)
        return " ".join(s.text for s in self._segments[first:last] if s.end > start)


def _as_data(text: str, room: int) -> str:
    """One line of at most `room` characters that cannot end the fence of the prompt."""
    line = re.sub(r"-{3,}", "--", " ".join(clean_text(text).split()))
    if len(line) > room:
        line = line[:room].rsplit(" ", 1)[0] + " ..."
    return line or "(nothing)"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


# ---------------------------------------------------------------- replies


def _judged(views: Sequence[View], replies: Sequence[str], calls: int) -> CaptionText:
    segments: list[Segment] = []
    dropped: list[tuple[float, float, str]] = []
    for view, reply in zip(views, replies, strict=True):
        text = _LEAD.sub("", " ".join(clean_text(reply).split()))
        if not any(character.isalnum() for character in text):
            dropped.append((view.start, view.end, "the reply is empty"))
        elif len(text) < 300 and _REFUSAL.match(text.replace("\u2019", "'")):
            dropped.append((view.start, view.end, f"the model declined: {text[:80]}"))
        else:
            segments.append(Segment("caption", view.start, view.end, _shortened(text)))
    return CaptionText(tuple(segments), tuple(dropped), calls)


def _shortened(text: str) -> str:
    """Whole sentences within the room a caption has: models that loop do not stop by themselves."""
    if len(text) <= _REPLY_ROOM:
        return text
    ends = [end for _, end in sentences(text) if end <= _REPLY_ROOM]
    return text[: ends[-1]] if ends else text[:_REPLY_ROOM].rsplit(" ", 1)[0]

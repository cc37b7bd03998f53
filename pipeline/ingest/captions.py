"""Views to descriptions: what can be seen, said in words that can be searched.

Each view is one call of a vision model, with its pictures, what was described just before, and
what is said and shown around it; the model tells what changes from picture to picture. (Chen et
al. 2024, "ShareGPT4Video", section 3: captions by what differs from the frame before.) A reply
that cannot be read is repaired once, a description with a fault is asked for once more.

Views that follow one another are described in order; chains of such views, which show different
things, side by side.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Protocol

from pipeline.errors import MediaError
from pipeline.ingest.caption_checks import Fault, contradiction, fault_of, without_loops
from pipeline.ingest.caption_replies import (
    SCHEMA,
    Record,
    plain_record,
    read_records,
    segments_of,
    text_of,
)
from pipeline.ingest.looking import View
from pipeline.ingest.outputs import GetOutput, PutOutput, Report, output_key
from pipeline.ingest.screen_text import open_image
from pipeline.prompts import Prompt, as_data, shortened, visible
from pipeline.types import Captioner, CaptionRequest, Segment, Spender, clock

_AROUND = 5.0  # seconds of speech before and after a picture
_FRAME = 0.1  # seconds that a picture is there
_SPEECH_ROOM, _SCREEN_ROOM, _BEFORE_ROOM = 300, 200, 400  # characters, of one picture
_NOTHING = "(nothing)"
_REPLY_ROOM = 4000
_RULE = re.compile(r"-{4,}")  # what fences are made of
_TOKENS, _TOKENS_PER_IMAGE = 200, 160
_ALIKE = 0.1  # novelty below which two pictures can contradict each other
_KEPT, _SAID = "caption-3", "caption-said-1"  # what was accepted, and every single reply

Together = Callable[[], AbstractContextManager[object]]
_JSON = re.compile(r"\s*(```\w*\s*)?(\{|\[\s*[\"{])|.*?[{,]\s*[\"']\w+[\"']\s*:", re.DOTALL)


class Purse(Spender, Protocol):
    """What may be spent on calls of the model; see `ingest.spending`."""

    @property
    def least_worth(self) -> float:
        """Views worth less are not described in this round."""
        ...


@dataclass(frozen=True, slots=True)
class CaptionPrompts:
    """How to describe, how to mend a reply that cannot be read, how to ask once more."""

    caption: Prompt
    repair: Prompt
    again: Prompt

    @property
    def key(self) -> str:
        return " ".join(prompt.key for prompt in (self.caption, self.repair, self.again))


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a video beside its pictures; segments ascending by start."""

    title: str
    speech: Sequence[Segment] = ()
    screen: Sequence[Segment] = ()
    other: str = ""  # people, places, tags


@dataclass(frozen=True, slots=True)
class Described:
    """`segments` are of source `caption`, by time; `dropped` (start, end, why there is none).

    `left` views of `views` were not described: the purse was empty, or they were worth too little.
    """

    segments: tuple[Segment, ...]
    dropped: tuple[tuple[float, float, str], ...]
    model_calls: int
    views: int
    left: int


@dataclass(frozen=True, slots=True)
class _Told:
    """The reply about one view that was accepted, and what is wrong with it all the same."""

    reply: str
    fault: str = ""
    useless: bool = False
    mendable: bool = False


def describe_views(
    views: Sequence[View],
    captioner: Captioner,
    prompts: CaptionPrompts,
    known: Known,
    *,
    purse: Purse | None = None,
    get_output: GetOutput,
    put_output: PutOutput,
    together: Together = nullcontext,
    progress: Report | None = None,
) -> Described:
    """Describe the views of one video, by time.

    What is accepted for a view is kept, under the hashes of its pictures, its prompt and the
    captioner's name, as soon as it is known, and never asked for again. (What was described just
    before is no part of that key: it was made of the same video, and to wait for it would make a
    view that a budget left out dearer than it is.) Each reply is kept, and paid for, inside
    `together()`. `progress` counts views. Raises `MediaError` for a picture that cannot be opened,
    `ModelUnavailable` once the calls in flight have ended.
    """
    run = _Run(views, captioner, prompts, known, purse, get_output, put_output, together, progress)
    run.describe()
    return run.described()


def is_described(
    view: View, name: str, prompts: CaptionPrompts, known: Known, get_output: GetOutput
) -> bool:
    """Whether the captioner called `name` has been asked about a view already."""
    return get_output(_key(view, name, _Context(prompts, known).prompt(view, ""))) is not None


class _Context:
    """The prompts of one video's views."""

    def __init__(self, prompts: CaptionPrompts, known: Known) -> None:
        self._prompts = prompts
        self._title = shortened(as_data(known.title), _SCREEN_ROOM)
        self._said, self._shown = _Timeline(known.speech), _Timeline(known.screen)
        texts = (known.title, known.other, *(s.text for s in (*known.speech, *known.screen)))
        self.words = frozenset(_words_of(" ".join(texts)))

    def prompt(self, view: View, before: str) -> str:
        clocks = [clock(look.time) for look in view.looks]
        if len(set(clocks)) < len(clocks):
            clocks = [
                f"{clock}.{int(look.time * 10) % 10}"
                for clock, look in zip(clocks, view.looks, strict=True)
            ]
        times = (f"{n} at {clock}" for n, clock in enumerate(clocks, 1))
        return self._prompts.caption.render(
            title=self._title or _NOTHING,
            images=", ".join(times),
            before=shortened(as_data(before), _BEFORE_ROOM) or _NOTHING,
            speech=self._around(view, self._said, _AROUND, _SPEECH_ROOM),
            screen=self._around(view, self._shown, 0.0, _SCREEN_ROOM),
        )

    def _around(self, view: View, timeline: _Timeline, seconds: float, room: int) -> str:
        """What is said or shown at each picture, each segment once."""
        told: set[Segment] = set()
        parts = []
        for number, look in enumerate(view.looks, 1):
            some = timeline.during(look.time - seconds, look.time + seconds + _FRAME)
            text = as_data(" ".join(s.text for s in some if s not in told))
            told.update(some)
            if text:
                parts.append(f"(image {number}) {shortened(text, room)}")
        return " ".join(parts) or _NOTHING

    def on_screen(self, view: View) -> list[str]:
        """The screen text while each picture stands."""
        return [
            " ".join(segment.text for segment in self._shown.during(look.start, look.end))
            for look in view.looks
        ]


class _Run:
    """One pass over the views of a video: what its threads share."""

    def __init__(
        self,
        views: Sequence[View],
        captioner: Captioner,
        prompts: CaptionPrompts,
        known: Known,
        purse: Purse | None,
        get_output: GetOutput,
        put_output: PutOutput,
        together: Together,
        progress: Report | None,
    ) -> None:
        self._views = views
        self._captioner = captioner
        self._prompts = prompts
        self._context = _Context(prompts, known)
        self._purse = purse
        self._get_output, self._put_output = get_output, put_output
        self._together = together
        self._progress = progress
        self._told: dict[int, _Told] = {}
        self._calls = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def describe(self) -> None:
        """All chains, side by side as far as the captioner takes it."""
        chains = _chains(self._views)
        if not chains:
            return
        width = max(1, getattr(self._captioner, "width", 1))
        with ThreadPoolExecutor(min(len(chains), 2 * width), "footnote-captions") as pool:
            running = [pool.submit(self._describe_chain, chain) for chain in chains]
            try:
                ended, _ = wait(running, return_when=FIRST_EXCEPTION)
                for one in ended:
                    one.result()
            except BaseException:
                self._stop.set()
                for one in running:
                    one.cancel()
                wait(running)
                raise

    def _describe_chain(self, chain: Sequence[int]) -> None:
        before = ""
        for place in chain:
            if self._stop.is_set():
                return
            told = self._of_view(self._views[place], before)
            with self._lock:
                if told is not None:
                    self._told[place] = told
                if self._progress:
                    self._progress(len(self._told), len(self._views))
            if told is not None and not told.useless:
                segments = self._segments(self._views[place], told)
                before = segments[-1].text if segments else before

    def described(self) -> Described:
        segments: list[Segment] = []
        dropped: list[tuple[float, float, str]] = []
        for place, view in enumerate(self._views):
            told = self._told.get(place)
            if told is None:
                continue
            if told.useless:
                dropped.append((view.start, view.end, told.fault))
            else:
                segments += self._segments(view, told)
        left = len(self._views) - len(self._told)
        return Described(tuple(segments), tuple(dropped), self._calls, len(self._views), left)

    # ------------------------------------------------------------ one view

    def _of_view(self, view: View, before: str) -> _Told | None:
        """What was or is now said about a view; None where nothing may be spent on it."""
        key = _key(view, self._captioner.name, self._context.prompt(view, ""))
        kept = self._get_output(key)
        if kept is not None:
            return _Told(*json.loads(kept))
        if self._purse is not None and view.worth < self._purse.least_worth:
            return None
        prompt = self._context.prompt(view, before)
        reply = self._ask(view, prompt)
        if reply is None:
            return None
        told = self._judged(view, self._readable(view, reply), before)
        if told.fault and told.mendable:
            again = self._prompts.again.render(
                prompt=prompt,
                reply=_RULE.sub(" ", visible(told.reply))[:_REPLY_ROOM],
                fault=as_data(told.fault),
            )
            reply = self._ask(view, again)
            if reply is not None:
                told = self._better(told, self._judged(view, reply, before))
            elif told.useless:
                return None  # a later run asks again
        value = json.dumps([told.reply, told.fault, told.useless]).encode("utf-8", "replace")
        self._put_output(key, value)
        return told

    def _ask(self, view: View, prompt: str, *, pictures: bool = True) -> str | None:
        """One call, or its kept reply from a run that was killed; None where nothing is left."""
        looks = view.looks if pictures else ()
        pictures_of = (_hash(look.path) for look in looks)
        key = output_key(_SAID, self._captioner.name, prompt, *pictures_of)
        kept = self._get_output(key)
        if kept is not None:
            return kept.decode()
        request = CaptionRequest(
            tuple(open_image(look.path) for look in looks),
            tuple(look.time for look in looks),
            prompt,
            SCHEMA,
            _TOKENS + _TOKENS_PER_IMAGE * len(view.looks),
        )
        if self._purse is not None and not self._purse.take():
            return None
        began = perf_counter()
        try:
            reply = self._captioner.caption([request])[0]
        except BaseException:
            if self._purse is not None:
                self._purse.give_back()
            raise
        with self._together():
            self._put_output(key, reply.text.encode("utf-8", "replace"))
            if self._purse is not None:
                self._purse.book(reply, perf_counter() - began)
        with self._lock:
            self._calls += 1
        return reply.text

    def _readable(self, view: View, reply: str) -> str:
        """The reply, mended by the model where it was meant to be JSON and is not."""
        if not _meant_as_json(reply):
            return reply
        try:
            read_records(reply, len(view.looks))
        except ValueError as error:
            prompt = self._prompts.repair.render(
                count=len(view.looks), fault=error, reply=as_data(reply)[:_REPLY_ROOM]
            )
            mended = self._ask(view, prompt, pictures=False)
            if mended is not None and _records(view, mended) is not None:
                return mended
        return reply

    def _judged(self, view: View, reply: str, before: str) -> _Told:
        records = _records(view, reply)
        if records is None and _meant_as_json(reply):
            reason = "it is no JSON that can be read, with a record for each image"
            return _Told(reply, reason, useless=True, mendable=True)
        if records == []:
            return _Told(reply)  # blank pictures
        records = records or [plain_record(reply)]
        texts = [text_of(record) for record in records]
        seen = " ".join(part for r in records for part in (r.visible_text, *r.objects))
        fault = fault_of(texts, self._prompts.caption.text, self._context.words, seen)
        if fault is None and before and view.looks[0].novelty < _ALIKE:
            said = contradiction(before, texts[0])
            fault = Fault(f"it contradicts what was described before: {said}") if said else None
        if fault is None:
            return _Told(reply)
        return _Told(reply, fault.reason, fault.useless, fault.mendable)

    def _better(self, first: _Told, second: _Told) -> _Told:
        if not second.fault:
            return second
        return second if first.useless and not second.useless else first

    def _segments(self, view: View, told: _Told) -> list[Segment]:
        """What a reply comes to in the video; flagged where it has a fault."""
        records = _records(view, told.reply)
        if records is not None:
            segments = segments_of(view.looks, records, self._context.on_screen(view))
        else:
            text = text_of(plain_record(told.reply))
            segments = [Segment("caption", view.start, view.end, text)]
        if not told.fault:
            return segments
        return [
            replace(segment, text=without_loops(segment.text), flags=(told.fault,))
            for segment in segments
        ]


def _records(view: View, reply: str) -> list[Record] | None:
    """None where there are none to be read; an empty list where the pictures are blank."""
    try:
        return read_records(reply, len(view.looks))
    except ValueError:
        return None


def _meant_as_json(reply: str) -> bool:
    """Whether braces are what the reply is made of: plain sentences are a description too."""
    return bool(_JSON.match(reply))


def _chains(views: Sequence[View]) -> list[list[int]]:
    """Places of views, each list one after the other."""
    chains: list[list[int]] = []
    for place, view in enumerate(views):
        if view.follows and chains:
            chains[-1].append(place)
        else:
            chains.append([place])
    return chains


def _key(view: View, name: str, prompt: str) -> str:
    return output_key(_KEPT, name, prompt, *(_hash(look.path) for look in view.looks))


def _hash(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        raise MediaError(f"frame {path} cannot be read: {error.strerror or error}") from error


# ---------------------------------------------------------------- what is around


class _Timeline:
    """Segments in order of their starts, asked for what overlaps an interval."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = sorted(segments, key=lambda segment: segment.start)
        self._starts = [segment.start for segment in self._segments]
        self._longest = max((s.end - s.start for s in self._segments), default=0.0)

    def during(self, start: float, end: float) -> list[Segment]:
        first = bisect_left(self._starts, start - self._longest)
        last = bisect_left(self._starts, end)
        return [segment for segment in self._segments[first:last] if segment.end > start]


def _words_of(text: str) -> list[str]:
    """Words, and those that a name in them may be called by: of "Ann's" and "jean-luc" too."""
    words = [word.strip("'\u2019-") for word in _letters(text).split()]
    parts = (part for word in words for part in re.split(r"-|['\u2019]s\b", word))
    return [*words, *parts]


def _letters(text: str) -> str:
    return "".join(c if c.isalpha() or c in "'\u2019-" else " " for c in text.casefold())

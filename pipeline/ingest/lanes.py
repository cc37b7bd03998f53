"""Lanes: how much work of each kind goes on at once, and whose turn it is.

Several videos are in flight, and the stages of each run side by side; what they share is bounded
here, so that work of one kind does not pile up: so many decoders, one screen reader, one
recogniser. Those who wait for a lane are let in oldest video first, so that videos are finished
in order and a killed run leaves few of them half done.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import count

from pipeline.models.registry import physical_cores
from pipeline.types import (
    Audio,
    Diariser,
    DualEncoder,
    Embedder,
    Image,
    Levels,
    Samples,
    ScreenReader,
    Segment,
    SoundClassifier,
    SpeechDetector,
    TextLine,
    Transcriber,
    Turn,
    Vectors,
)

_BACK = 0.05  # seconds in which one who leaves a lane is expected back: to store what was read
STOP_POLL = 0.2  # seconds after which those who wait look whether the run has ended

# Models use all cores or a whole GPU by themselves: two calls at once only get in each other's way.
_WIDTHS = {
    "screen": 1,
    "detector": 1,
    "speech": 1,
    "sounds": 1,
    "embedding": 1,
    "pictures": 1,
    "levels": 2,
}


class Stopped(Exception):
    """Raised in the work on a video when the run ends early: what was done is in the catalog."""


@dataclass(frozen=True, slots=True)
class StageEvent:
    """One piece of work in a lane for a video; seconds of `time.perf_counter`."""

    lane: str
    video: str
    begin: float
    end: float


Trace = Callable[[StageEvent], None]  # called from any thread


class Lane:
    """At most `width` pieces of work at once; those of lower `order` first, then first come.

    Who leaves is awaited for a moment by those of higher order: one who comes back at once, with
    the next picture of the same video, would else find the place taken and do every other one.
    """

    def __init__(self, width: int) -> None:
        self._free = width
        self._waiting: list[tuple[int, int]] = []
        self._back: dict[int, float] = {}  # order -> until when it is awaited
        self._tickets = count()
        self._changed = threading.Condition()

    def enter(self, order: int, ended: Callable[[], bool]) -> None:
        """Wait for the turn. Raises `Stopped` once `ended` says that nobody wants it any more."""
        with self._changed:
            mine = (order, next(self._tickets))
            heapq.heappush(self._waiting, mine)
            try:
                while (wait := self._wait(mine)) > 0:
                    if ended():
                        raise Stopped
                    self._changed.wait(wait)
                self._free -= 1
                self._back.pop(order, None)
            finally:
                self._waiting.remove(mine)
                heapq.heapify(self._waiting)
                self._changed.notify_all()

    def leave(self, order: int) -> None:
        with self._changed:
            self._free += 1
            self._back[order] = time.monotonic() + _BACK
            self._changed.notify_all()

    def _wait(self, mine: tuple[int, int]) -> float:
        """Seconds after which to look again, 0 where it is this one's turn."""
        if not self._free or self._waiting[0] != mine:
            return STOP_POLL
        now = time.monotonic()
        self._back = {order: until for order, until in self._back.items() if until > now}
        older = [until for order, until in self._back.items() if order < mine[0]]
        return min(older) - now if len(older) >= self._free else 0.0


class Lanes:
    """The lanes of one run over a library. `stop` is set when the run ends early.

    Decoders are processes with threads of their own: one for each core is as many as help.
    `trace` is told of every piece of work when it is done.
    """

    def __init__(self, widths: Mapping[str, int] | None = None, trace: Trace | None = None) -> None:
        widths = {"decode": physical_cores(), **_WIDTHS, **(widths or {})}
        self._lanes = {name: Lane(width) for name, width in widths.items()}
        self.stop = threading.Event()
        self.trace = trace

    def of(self, order: int, video: str, ended: Callable[[], bool]) -> Turns:
        """The lanes as one video sees them; the lowest `order` is let in first."""
        return Turns(self, order, video, ended)

    def lane(self, name: str) -> Lane:
        return self._lanes[name]


class Turns:
    """Turns in the lanes for one video. Thread-safe."""

    def __init__(self, lanes: Lanes, order: int, video: str, ended: Callable[[], bool]) -> None:
        self._lanes = lanes
        self._ended = ended
        self._local = threading.local()
        self.order = order
        self.video = video

    @property
    def waited(self) -> float:
        """Seconds that this thread has waited for its turns."""
        return float(getattr(self._local, "waited", 0.0))

    @waited.setter
    def waited(self, seconds: float) -> None:
        self._local.waited = seconds

    def ended(self) -> bool:
        """Whether nobody wants this video's work any more."""
        return self._lanes.stop.is_set() or self._ended()

    @contextmanager
    def turn(self, lane: str) -> Iterator[None]:
        """A turn in `lane`. Raises `Stopped` while waiting for it, where the run ends."""
        asked = time.perf_counter()
        self._lanes.lane(lane).enter(self.order, self.ended)
        began = time.perf_counter()
        self.waited += began - asked
        try:
            yield
        finally:
            self._lanes.lane(lane).leave(self.order)
            if self._lanes.trace:
                event = StageEvent(lane, self.video, began, time.perf_counter())
                self._lanes.trace(event)

    def taker(self, lane: str) -> Callable[[], AbstractContextManager[None]]:
        return lambda: self.turn(lane)


TakeTurn = Callable[[], AbstractContextManager[None]]


# ---------------------------------------------------------------- models whose calls take turns


class LanedReader:
    def __init__(self, reader: ScreenReader, turn: TakeTurn) -> None:
        self.name = reader.name
        self._reader, self._turn = reader, turn

    def read(self, image: Image) -> list[TextLine]:
        with self._turn():
            return self._reader.read(image)


class LanedDetector:
    def __init__(self, detector: SpeechDetector, turn: TakeTurn) -> None:
        self.name = detector.name
        self._detector, self._turn = detector, turn

    def detect(self, audio: Audio) -> list[tuple[float, float]]:
        with self._turn():
            return self._detector.detect(audio)


class LanedTranscriber:
    def __init__(self, transcriber: Transcriber, turn: TakeTurn) -> None:
        self.name = transcriber.name
        self._transcriber, self._turn = transcriber, turn

    def transcribe(
        self, audio: Audio, language: str = "", terms: Sequence[str] = ()
    ) -> list[Segment]:
        with self._turn():
            return self._transcriber.transcribe(audio, language, terms)


class LanedDiariser:
    def __init__(self, diariser: Diariser, turn: TakeTurn) -> None:
        self.name = diariser.name
        self._diariser, self._turn = diariser, turn

    def turns(self, audio: Samples, levels: Levels) -> list[Turn]:
        with self._turn():
            return self._diariser.turns(audio, levels)


class LanedClassifier:
    def __init__(self, classifier: SoundClassifier, turn: TakeTurn) -> None:
        self.name, self.seconds = classifier.name, classifier.seconds
        self._classifier, self._turn = classifier, turn

    def classify(self, windows: Sequence[Audio]) -> list[Mapping[str, float]]:
        with self._turn():
            return self._classifier.classify(windows)


class LanedEmbedder:
    def __init__(self, embedder: Embedder, turn: TakeTurn) -> None:
        self.name, self.dimension = embedder.name, embedder.dimension
        self.max_tokens = embedder.max_tokens
        self._embedder, self._turn = embedder, turn

    def embed(self, texts: Sequence[str]) -> Vectors:
        with self._turn():
            return self._embedder.embed(texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count_tokens(texts)


class LanedEncoder:
    def __init__(self, encoder: DualEncoder, turn: TakeTurn) -> None:
        self.name, self.dimension = encoder.name, encoder.dimension
        self._encoder, self._turn = encoder, turn

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        with self._turn():
            return self._encoder.embed_images(images)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        with self._turn():
            return self._encoder.embed_texts(texts)

"""Full batches for a captioner that is asked from many threads, a request or a few at a time.

Every video in flight, and every chain of views inside one, asks for itself; one by one they would
leave a model that works on eight at once mostly idle. What is asked while the model is busy makes
up its next batch, the requests of the oldest video first. It is never kept waiting for a fuller
batch, but for the few milliseconds in which those whose replies just came ask again; and a full
batch is handed to it while it still works on the one before, so that it can prepare the pictures.

A captioner that is `concurrent` (an endpoint, which answers each request by itself) is given
requests one by one from as many threads as it has `width`, so that a slow one holds up no other.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from pipeline.ingest.lanes import STOP_POLL, StageEvent, Stopped, Trace, Turns
from pipeline.types import Captioner, CaptionRequest, Deliver, Reply

LINGER = 0.01  # seconds that an idle model waits for a batch to get fuller
_AHEAD = 2  # calls to a model in this process: one that is worked on, one that is prepared
_QUEUED = 2  # batches that may wait: a request holds its pictures


def _never() -> bool:
    return False


@dataclass(slots=True, order=True)
class _Asked:
    """One request in the queue, and what became of it."""

    order: int
    ticket: int
    video: str = field(compare=False)
    request: CaptionRequest = field(compare=False)
    reply: Reply | None = field(default=None, compare=False)
    error: BaseException | None = field(default=None, compare=False)

    @property
    def done(self) -> bool:
        return self.reply is not None or self.error is not None


class Batched:
    """One captioner for all threads; see above. `width` requests are worked on at once.

    Its threads live for as long as there is something to do, so there is nothing to close. Once
    `stop` is set those who wait get `Stopped`, and no call begins any more.
    """

    def __init__(
        self,
        captioner: Captioner,
        stop: threading.Event | None = None,
        trace: Trace | None = None,
        linger: float = LINGER,
    ) -> None:
        self.name, self.width = captioner.name, captioner.width
        self.concurrent = bool(getattr(captioner, "concurrent", False))
        self._captioner = captioner
        self._stop = stop or threading.Event()
        self._trace = trace
        self._linger = linger
        self._queue: list[_Asked] = []
        self._tickets = count()
        self._workers = 0
        self._under_way = 0  # calls
        self._idle_since = 0.0
        self._changed = threading.Condition()

    def caption(
        self, requests: Sequence[CaptionRequest], deliver: Deliver | None = None
    ) -> list[Reply]:
        """One reply per request, in order; see `Captioner`. Blocks until all are answered.

        An error is raised for the request that it belongs to, and for none beside it in a batch;
        `Stopped` where the run ends.
        """
        return self.ask(requests, deliver, 0, "", _never)

    def of(self, turns: Turns) -> Share:
        """The captioner as one video asks it: the oldest video is answered first."""
        return Share(self, turns)

    def ask(
        self,
        requests: Sequence[CaptionRequest],
        deliver: Deliver | None,
        order: int,
        video: str,
        ended: Callable[[], bool],
    ) -> list[Reply]:
        """See `caption` and `of`."""
        asked: list[_Asked] = []
        try:
            for request in requests:
                with self._changed:
                    self._wait(lambda: len(self._queue) < _QUEUED * self._width(), ended)
                    asked.append(_Asked(order, next(self._tickets), video, request))
                    self._push(asked[-1])
            left = dict(enumerate(asked))
            while left:
                with self._changed:
                    self._wait(lambda: any(one.done for one in left.values()), ended)
                for at in [at for at, one in left.items() if one.done]:
                    reply = left.pop(at).reply
                    if deliver and reply is not None:
                        deliver(at, reply)
        except BaseException:
            self._give_up(asked)
            raise
        if failed := next((one.error for one in asked if one.error is not None), None):
            raise failed
        return [one.reply for one in asked if one.reply is not None]

    def _wait(self, until: Callable[[], bool], ended: Callable[[], bool]) -> None:
        """Called with the condition held."""
        while not until():
            if self._stop.is_set() or ended():
                raise Stopped
            self._changed.wait(STOP_POLL)

    def _push(self, one: _Asked) -> None:
        """Called with the condition held."""
        if not self._queue and not self._under_way:
            self._idle_since = time.monotonic()
        heapq.heappush(self._queue, one)
        most = self._width() if self.concurrent else _AHEAD
        if self._workers < most and (not self._workers or len(self._queue) >= self._batch()):
            self._workers += 1
            threading.Thread(target=self._work, name="footnote-captions").start()
        self._changed.notify_all()

    def _give_up(self, asked: Sequence[_Asked]) -> None:
        with self._changed:
            self._queue = [one for one in self._queue if one not in asked]
            heapq.heapify(self._queue)
            self._changed.notify_all()

    # ------------------------------------------------------------ in threads of its own

    def _width(self) -> int:
        """It shrinks where a model finds out how much fits into memory."""
        return max(1, self._captioner.width)

    def _batch(self) -> int:
        return 1 if self.concurrent else self._width()

    def _work(self) -> None:
        while batch := self._draw():
            self._answer(batch)
            with self._changed:
                self._under_way -= 1
                self._idle_since = time.monotonic()
                self._changed.notify_all()

    def _draw(self) -> list[_Asked]:
        """The next batch; none when there is nothing to do, and the thread ends."""
        with self._changed:
            while self._queue and not self._stop.is_set():
                size = self._batch()
                left = self._idle_since + self._linger - time.monotonic()
                if len(self._queue) >= size or (not self._under_way and left <= 0):
                    self._under_way += 1
                    batch = [heapq.heappop(self._queue) for _ in self._queue[:size]]
                    self._changed.notify_all()
                    return batch
                self._changed.wait(STOP_POLL if self._under_way else left)
            self._workers -= 1
            return []

    def _answer(self, batch: Sequence[_Asked]) -> None:
        """Ask the captioner. Of a batch that fails the halves are asked, down to the requests
        that fail by themselves: an error is theirs alone."""
        began = time.perf_counter()

        def made(at: int, reply: Reply) -> None:
            with self._changed:
                batch[at].reply = reply
                self._changed.notify_all()

        try:
            replies = self._captioner.caption([one.request for one in batch], made)
            for at, reply in zip(range(len(batch)), replies, strict=True):
                made(at, reply)
        except BaseException as error:  # whatever it is, it goes to whoever asked
            self._failed([one for one in batch if not one.done], error)
        if self._trace:
            for video in dict.fromkeys(one.video for one in batch):
                self._trace(StageEvent("captions", video, began, time.perf_counter()))

    def _failed(self, unanswered: Sequence[_Asked], error: BaseException) -> None:
        if len(unanswered) > 1 and not self._stop.is_set():
            middle = len(unanswered) // 2
            self._answer(unanswered[:middle])
            self._answer(unanswered[middle:])
            return
        with self._changed:
            for one in unanswered:
                one.error = error
            self._changed.notify_all()


class Share:
    """A `Batched` captioner as one video asks it."""

    def __init__(self, batched: Batched, turns: Turns) -> None:
        self.name, self.width = batched.name, batched.width
        self.concurrent = batched.concurrent
        self._batched = batched
        self._as = (turns.order, turns.video, turns.ended)

    def caption(
        self, requests: Sequence[CaptionRequest], deliver: Deliver | None = None
    ) -> list[Reply]:
        """See `Batched.caption`."""
        return self._batched.ask(requests, deliver, *self._as)

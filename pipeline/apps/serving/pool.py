"""A pool with so many threads and so many waiting, instead of a thread per request.

The library is synchronous: a route hands its work over and awaits it. Who waits too long is told at
once (`Busy`), and work that nobody awaits any more is given up: taken out of the queue, or, when it
is under way, broken off where it waits for a model (`models.cancelling`). A route is cancelled when
its client disconnects (`serving.leaving`), so nothing else need be done for that.

    moments = await context.searches.run(lambda: context.library.search(query))
    async for event in context.asks.stream(lambda: context.library.ask_stream(question)): ...
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, TypeVar

from pipeline.errors import FootnoteError, GivenUp
from pipeline.models.cancelling import Cancellation

T = TypeVar("T")

_AHEAD = 8  # items of a stream that are made before they are wanted


class Busy(FootnoteError):
    """The queue is full: the request is to be made again later."""

    code = "busy"

    def __init__(self, name: str) -> None:
        super().__init__(f"too many requests wait for {name}", "try again in a moment")


class WorkPool:
    """`width` threads, and room for `waiting` pieces of work before them. Closed once, at the end.

    `running` and `waiting` say what it does now; for the thread of the event loop only.
    """

    def __init__(self, name: str, width: int, waiting: int) -> None:
        self.name = name
        self._width, self._room = width, width + waiting
        self._threads = ThreadPoolExecutor(width, thread_name_prefix=f"footnote-{name}")
        self._lock = threading.Lock()
        self._running = 0
        self._all: set[Cancellation] = set()

    @property
    def running(self) -> int:
        """Pieces of work under way, given up ones that have not noticed it included."""
        return self._running

    @property
    def taken(self) -> int:
        """Pieces of work under way or waiting."""
        return len(self._all)

    async def run(self, work: Callable[[], T], unwanted: Callable[[T], None] | None = None) -> T:
        """What `work` returns, or raises. Raises `Busy`; given up when it is cancelled.

        `unwanted` gets, in a thread, what was made all the same for one who is gone: a file that is
        to be closed.
        """
        cancellation = Cancellation()
        future = self._submit(cancellation, work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            cancellation.cancel()
            if unwanted is not None:
                future.add_done_callback(partial(_hand_back, unwanted))
            raise

    async def stream(self, work: Callable[[], Iterable[T]]) -> AsyncGenerator[T]:
        """What `work` yields, as it is made; a few ahead of who reads it.

        Raises `Busy` when it is first drawn. Closed or cancelled, the work is given up, and its
        iterator closed. Draw it under `contextlib.aclosing`.
        """
        pipe: _Pipe[T] = _Pipe(asyncio.get_running_loop(), Cancellation())
        future = self._submit(pipe.cancellation, lambda: pipe.fill(work))
        try:
            async for item in pipe.items():
                yield item
        finally:
            pipe.cancellation.cancel()
            pipe.room.release()
            future.cancel()

    def close(self) -> None:
        """Give up everything; does not wait for it."""
        for cancellation in tuple(self._all):
            cancellation.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _submit(self, cancellation: Cancellation, work: Callable[[], T]) -> Any:
        with self._lock:
            if len(self._all) >= self._room:
                raise Busy(self.name)
            self._all.add(cancellation)
        try:
            # In a context of its own: which cancellation is meant is told by it.
            future = self._threads.submit(copy_context().run, self._work, cancellation, work)
        except RuntimeError as error:
            self._done(cancellation)
            raise GivenUp("the server is being shut down") from error
        future.add_done_callback(lambda _: self._done(cancellation))
        return future

    def _done(self, cancellation: Cancellation) -> None:
        with self._lock:
            self._all.discard(cancellation)

    def _work(self, cancellation: Cancellation, work: Callable[[], T]) -> T:
        with self._lock:
            self._running += 1
        try:
            with cancellation:
                cancellation.check()
                return work()
        finally:
            with self._lock:
                self._running -= 1


def _hand_back(unwanted: Callable[[T], None], future: Future[T]) -> None:
    if not future.cancelled() and future.exception() is None:
        unwanted(future.result())


class _Pipe(Generic[T]):
    """From the iterator in a thread to who awaits its items, at most `_AHEAD` on the way."""

    def __init__(self, loop: asyncio.AbstractEventLoop, cancellation: Cancellation) -> None:
        self.cancellation = cancellation
        self.room = threading.Semaphore(_AHEAD)
        self._loop = loop
        self._made: asyncio.Queue[tuple[T] | BaseException | None] = asyncio.Queue()

    def fill(self, work: Callable[[], Iterable[T]]) -> None:
        """In the thread: draw everything, hand it over."""
        try:
            items = work()
            try:
                for item in items:
                    self.room.acquire()
                    self.cancellation.check()
                    self._hand_over((item,))
            finally:
                if (close := getattr(items, "close", None)) is not None:
                    close()
        except BaseException as error:  # whatever it is: for who awaits the items
            self._hand_over(error)
        else:
            self._hand_over(None)

    async def items(self) -> AsyncGenerator[T]:
        while (made := await self._made.get()) is not None:
            if isinstance(made, BaseException):
                raise made
            self.room.release()
            yield made[0]

    def _hand_over(self, made: tuple[T] | BaseException | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._made.put_nowait, made)
        except RuntimeError:  # the loop is closed: nobody awaits it
            self.cancellation.cancel()

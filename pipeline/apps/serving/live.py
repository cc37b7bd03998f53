"""Streams made on the fly: so many at once, each in a child process, gone with their client.

A player that is paused takes nothing more and keeps its connection, for days if nobody closes the
page. When there is no place left, the one that has stood still the longest makes room: its stream
ends there, and its page asks again from that second when somebody plays on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pipeline.apps.serving.pool import Busy
from pipeline.errors import MediaError
from pipeline.media.live import LiveStream
from pipeline.media.remux import StreamFacts

_log = logging.getLogger(__name__)

T = TypeVar("T")
Key = tuple[str, str, float]  # the id of a video, its content, and a second

_ROOM_WITHIN = 1.0  # seconds: a player that seeks opens the new stream before the old one is gone
_STANDS_STILL = 10.0  # seconds without a byte taken, after which a stream may have to make room
_KEPT = 3.0  # seconds that a stream is held between the question and the request
_STUCK = 60.0  # seconds without a byte made, after which a decoder is given up


class Playing:
    """One stream while it is sent."""

    def __init__(self, stream: LiveStream, threads: ThreadPoolExecutor) -> None:
        self._stream, self._threads = stream, threads
        self.taken = time.monotonic()  # when the client last took something
        self.waits = False  # for the client
        self.displaced = asyncio.Event()
        self.facts = StreamFacts(0.0, "")

    async def begin(self) -> None:
        self.facts = await self._made(self._stream.begin)

    async def read(self) -> bytes:
        return await self._made(self._stream.read)

    def end(self) -> None:
        self._stream.close()

    async def _made(self, work: Callable[[], T]) -> T:
        making = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.wait_for(asyncio.shield(making), _STUCK)
        except (asyncio.CancelledError, TimeoutError) as error:
            self._stream.close()  # which ends the work in the thread
            with suppress(MediaError):
                await making
            if isinstance(error, TimeoutError):
                raise MediaError("the decoder made nothing for a minute") from error
            raise


class LiveStreams:
    """The places for streams, `most` of them. For the thread of the event loop only."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._playing: list[Playing] = []
        self._kept: dict[Key, Playing] = {}
        self._opening = 0
        self._threads = ThreadPoolExecutor(most + 1, thread_name_prefix="footnote-live")

    @property
    def taken(self) -> int:
        return len(self._playing) + self._opening

    async def open(self, start: Callable[[], LiveStream]) -> Playing:
        """A stream that has begun, to be given back with `leave`. Raises `Busy`, `MediaError`."""
        await self._room()
        self._opening += 1
        try:
            playing = Playing(await self._started(start), self._threads)
            try:
                await playing.begin()
            except BaseException:
                playing.end()
                raise
            self._playing.append(playing)
            return playing
        finally:
            self._opening -= 1

    async def _started(self, start: Callable[[], LiveStream]) -> LiveStream:
        """In a thread: to start a process takes longer than the others should wait."""
        starting = asyncio.get_running_loop().run_in_executor(self._threads, start)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            (await starting).close()
            raise

    def keep(self, key: Key, playing: Playing) -> None:
        """Hold a stream that has begun for who asks for it next: a page asks where it begins, and
        then for the stream. It is dropped when nobody comes."""
        self.drop(key)
        self._kept[key] = playing
        asyncio.get_running_loop().call_later(_KEPT, self._expire, key, playing)

    def take(self, key: Key) -> Playing | None:
        """The stream that was kept; it is the caller's now."""
        return self._kept.pop(key, None)

    def drop(self, key: Key) -> None:
        if playing := self._kept.pop(key, None):
            self.leave(playing)

    def _expire(self, key: Key, playing: Playing) -> None:
        if self._kept.get(key) is playing:
            self.drop(key)

    def leave(self, playing: Playing) -> None:
        playing.end()
        if playing in self._playing:
            self._playing.remove(playing)

    async def _room(self) -> None:
        until = time.monotonic() + _ROOM_WITHIN
        while self.taken >= self._most:
            if self._kept:
                self.drop(next(iter(self._kept)))
                continue
            still = [one for one in self._playing if one.waits and not one.displaced.is_set()]
            oldest = min(still, key=lambda one: one.taken, default=None)
            if oldest and time.monotonic() - oldest.taken > _STANDS_STILL:
                oldest.displaced.set()
            elif time.monotonic() > until:
                raise Busy("a stream")
            await asyncio.sleep(0.02)


class LiveAnswer(Response):
    """Sends a stream as it is made, and frees its place whatever happens."""

    def __init__(self, playing: Playing, places: LiveStreams) -> None:
        self._playing, self._places = playing, places
        super().__init__(headers=stream_headers(playing.facts), media_type=playing.facts.mime)
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.ensure_future(self._send(send))
        displaced = asyncio.ensure_future(self._playing.displaced.wait())
        try:
            await asyncio.wait((sending, displaced), return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                _log.info("a stream that nobody watched made room for another")
        finally:
            for task in (sending, displaced):
                task.cancel()
            await asyncio.wait((sending, displaced))
            self._places.leave(self._playing)
        if not sending.cancelled():
            sending.result()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send) -> None:
        start = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        await send(start)
        while data := await self._playing.read():
            self._playing.waits = True
            await send({"type": "http.response.body", "body": data, "more_body": True})
            self._playing.waits, self._playing.taken = False, time.monotonic()


def stream_headers(facts: StreamFacts) -> dict[str, str]:
    return {
        "X-Stream-Start": f"{facts.start:.6f}",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
    }

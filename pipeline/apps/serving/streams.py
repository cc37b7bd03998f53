"""Event streams (server-sent events, WHATWG HTML 9.2) that end with their client."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

KEEP_ALIVE = b": still here\n\n"

Events = AsyncGenerator[bytes]


def event(name: str, value: Any) -> bytes:
    """One event with a JSON value. JSON holds no line break, so it is one line of data."""
    data = json.dumps(value, ensure_ascii=False, allow_nan=False)
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {data}\n\n".encode()


class EventStream(Response):
    """Sends `events` as they come, and a comment line where none comes for `keep_alive` seconds.

    The generator is closed in the end, also where the client has left. What it raises must be an
    event of its own: the status is sent already.
    """

    media_type = "text/event-stream"

    def __init__(self, events: Events, keep_alive: float) -> None:
        self._events = events
        self._keep_alive = keep_alive
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        async with contextlib.aclosing(self._events):
            await send(start)
            async for chunk in kept_alive(self._events, self._keep_alive):
                await _send(send, chunk)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def kept_alive(events: Events, seconds: float) -> Events:
    """`events`, with a comment line wherever none comes for so many seconds."""
    while True:
        drawn = asyncio.ensure_future(anext(events, None))
        try:
            while not (await asyncio.wait((drawn,), timeout=seconds))[0]:
                yield KEEP_ALIVE
            chunk = drawn.result()
        finally:
            if not drawn.done():
                drawn.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await drawn
        if chunk is None:
            return
        yield chunk


async def _send(send: Send, chunk: bytes) -> None:
    await send({"type": "http.response.body", "body": chunk, "more_body": True})

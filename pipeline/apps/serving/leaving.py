"""A client that disconnects: the request that it made is cancelled, whatever it was doing.

A route that awaits work in a pool gives it up then (`serving.pool`), and a body that streams ends.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Leaving:
    """ASGI middleware: cancels what answers a request as soon as nobody is there for the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive)
        if not _has_body(scope):
            await body.prefetch()
        answering = asyncio.ensure_future(self._app(scope, body.receive, send))
        leaving = asyncio.ensure_future(body.gone())
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                answering.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await answering
                return
        finally:
            for task in (answering, leaving):
                task.cancel()
        answering.result()


class _Body:
    """What a client sends, read only as the route asks for it, then watched for its end."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._first: Message | None = None
        self._complete = asyncio.Event()
        self._left = asyncio.Event()

    async def prefetch(self) -> None:
        self._first = await self._receive()
        self._note(self._first)

    async def receive(self) -> Message:
        if self._first is not None:
            message, self._first = self._first, None
            return message
        if self._complete.is_set():
            await self._left.wait()
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._note(message)
        return message

    async def gone(self) -> None:
        """Returns when the client has left."""
        await self._complete.wait()
        while not self._left.is_set():
            self._note(await self._receive())

    def _note(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self._left.set()
        if not message.get("more_body", False):
            self._complete.set()


def _has_body(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return b"content-length" in names or b"transfer-encoding" in names

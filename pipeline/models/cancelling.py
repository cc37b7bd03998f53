"""Work that can be given up: who waited for it is gone, so its call of a model is broken off.

A server runs each question under a `Cancellation`. What waits for an endpoint asks for the current
one: its connection is shut down when the work is given up, wherever in a reply that is, and a wait
between two attempts ends. Without one, as on the command line, nothing here does anything.

    with cancellation:              # in the thread that does the work
        library.ask(question)       # raises `GivenUp` soon after
    cancellation.cancel()           # in any other
"""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from typing import Any, Self

from pipeline.errors import GivenUp

# Where httpcore has a socket: for TLS it is another one than before.
_CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")

_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


class Cancellation:
    """One piece of work, and whether somebody still wants it. Thread-safe."""

    def __init__(self) -> None:
        self._gone = threading.Event()
        self._lock = threading.Lock()
        self._connections: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._token: Token[Cancellation | None] | None = None

    @property
    def cancelled(self) -> bool:
        return self._gone.is_set()

    def cancel(self) -> None:
        """Give the work up: connections are shut down, sleepers woken."""
        self._gone.set()
        with self._lock:
            for connection in self._connections:
                _shut_down(connection)

    def check(self) -> None:
        """Raises `GivenUp` once the work is given up."""
        if self.cancelled:
            raise GivenUp("nobody waits for this any more")

    def wait(self, seconds: float) -> None:
        """Sleep; raises `GivenUp` as soon as the work is given up."""
        self._gone.wait(seconds)
        self.check()

    def trace(self, name: str, facts: Mapping[str, Any]) -> None:
        """What httpx calls with every step of a request: its connection is remembered."""
        if name in _CONNECTED:
            connection = facts["return_value"].get_extra_info("socket")
            with self._lock:
                self._connections.add(connection)
            if self.cancelled:
                _shut_down(connection)

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._token is not None
        _current.reset(self._token)


def current() -> Cancellation | None:
    """What the work of this thread (of this context) is given up by, None where it is not."""
    return _current.get()


def check() -> None:
    """Raises `GivenUp` where the work of this thread is given up."""
    if (cancellation := current()) is not None:
        cancellation.check()


def pause(seconds: float, sleep: Callable[[float], None]) -> None:
    """Sleep, where the work can be given up only until it is (`GivenUp`)."""
    cancellation = current()
    if cancellation is None:
        sleep(seconds)
    else:
        cancellation.wait(seconds)


def _shut_down(connection: socket.socket) -> None:
    """Whoever reads from it, in whichever thread, reads its end."""
    with contextlib.suppress(OSError):  # it was closed meanwhile
        socket.socket.shutdown(connection, socket.SHUT_RDWR)

"""How fast an endpoint may be asked: the user's own limit, and what the endpoint says about its.

All threads of one client share a `Pace`. An endpoint that has had enough says so to whoever
asked last, but it means every one of them: asking on with the others only makes it wait longer.
"""

from __future__ import annotations

import email.utils
import math
import random
import re
import threading
import time
from collections.abc import Mapping

from pipeline.models import cancelling

# Threads that waited for the same thing do not all come back at the same instant.
_JITTER = 0.1
_LONGEST_RESET = 60.0
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Pace:
    """When the next request may go: a token bucket that holds one, and a pause for all.

    `per_minute` requests go in any minute, evenly; 0 sets no limit. Thread-safe.
    """

    def __init__(self, per_minute: float = 0.0) -> None:
        self._interval = 60.0 / per_minute if per_minute else 0.0
        self._lock = threading.Lock()
        self._next = self._resumed = 0.0

    def wait(self) -> None:
        """Sleep until it is this thread's turn. Raises `GivenUp` where nobody waits for it."""
        now = time.monotonic()
        while (ready := self._take(now)) > now:
            cancelling.pause(spread(ready - now), time.sleep)
            now = max(ready, time.monotonic())

    def pause(self, seconds: float) -> None:
        """Let nobody go before `seconds` have passed; a longer pause under way stays."""
        with self._lock:
            self._resumed = max(self._resumed, time.monotonic() + seconds)

    def _take(self, now: float) -> float:
        """When it is worth asking again; `now` when the turn is taken."""
        with self._lock:
            ready = max(self._next, self._resumed)
            if ready > now:
                return ready
            self._next = now + self._interval
            return now


def spread(seconds: float) -> float:
    """`seconds`, or up to a tenth more."""
    return seconds * (1 + _JITTER * random.random())


def asked_to_wait(headers: Mapping[str, str]) -> float:
    """Seconds that an answer's headers ask to wait before the next request; 0.0 without.

    Retry-After as a number or a date (RFC 9110, 10.2.3), `retry-after-ms`, and OpenAI's
    `x-ratelimit-reset-requests` and `-tokens` ("6m0s", "17ms") where that limit is used up.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds:
        return milliseconds / 1000
    value = headers.get("retry-after", "").strip()
    return _number(value) or _until(value) or _longest_reset(headers)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return max(0.0, number) if math.isfinite(number) else 0.0


def _until(date: str) -> float:
    try:
        return max(0.0, email.utils.parsedate_to_datetime(date).timestamp() - time.time())
    except ValueError:
        return 0.0


def _longest_reset(headers: Mapping[str, str]) -> float:
    """The wait for the limits that are used up; one that has something left asks for none.

    The header says when a limit is whole again, which can be hours away: a minute will do.
    """
    waits = [
        _duration(headers.get(f"x-ratelimit-reset-{what}", ""))
        for what in ("requests", "tokens")
        if not _number(headers.get(f"x-ratelimit-remaining-{what}", ""))
    ]
    return min(max(waits, default=0.0), _LONGEST_RESET)


def _duration(text: str) -> float:
    """Seconds of "1h2m3.5s" or of a plain number; 0.0 of anything else."""
    text = text.strip()
    parts = _DURATION.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        return _number(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)

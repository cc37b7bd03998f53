"""How fast an endpoint is asked: the user's limit, the headers in use, and a pause for all."""

from __future__ import annotations

import email.utils
import itertools
import threading
import time

import pytest

from pipeline.models import pacing
from pipeline.models.pacing import Pace, asked_to_wait
from tests.openai_stub import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pacing, "time", made)
    return made


def test_requests_go_evenly_and_no_more_than_a_minute_allows(clock: Clock) -> None:
    pace = Pace(per_minute=120)
    turns = []
    for _ in range(121):
        pace.wait()
        turns.append(clock.monotonic())
    gaps = [later - earlier for earlier, later in itertools.pairwise(turns)]
    assert all(0.499 < gap < 0.56 for gap in gaps)


def test_time_that_nobody_used_is_not_saved_up(clock: Clock) -> None:
    pace = Pace(per_minute=60)
    pace.wait()
    clock.sleep(30)
    clock.waits.clear()
    pace.wait()
    assert clock.waits == []
    pace.wait()
    assert 1 <= sum(clock.waits) < 1.2


def test_without_a_limit_nobody_waits(clock: Clock) -> None:
    pace = Pace()
    for _ in range(100):
        pace.wait()
    assert clock.waits == []


def test_a_pause_holds_and_a_shorter_one_does_not_end_it(clock: Clock) -> None:
    pace = Pace(per_minute=60)
    pace.wait()
    pace.pause(10)
    pace.pause(2)
    pace.wait()
    assert 10 <= sum(clock.waits) <= 11.1


def test_a_pause_holds_every_thread() -> None:
    pace = Pace()
    pace.pause(0.2)
    began, went = time.monotonic(), []

    def go() -> None:
        pace.wait()
        went.append(time.monotonic() - began)

    threads = [threading.Thread(target=go) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(went) == 6 and min(went) > 0.19


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, 0.0),
        ({"retry-after": "inf"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "", "retry-after": "2"}, 2.0),
        ({"x-ratelimit-reset-requests": "1s"}, 1.0),
        ({"x-ratelimit-reset-requests": "17ms"}, 0.017),
        ({"x-ratelimit-reset-requests": "1m2.5s"}, 60.0),
        ({"x-ratelimit-reset-requests": "6h0m0s"}, 60.0),
        ({"x-ratelimit-reset-requests": "12"}, 12.0),
        ({"x-ratelimit-reset-requests": "tomorrow"}, 0.0),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "5s"}, 5.0),
        (
            {
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "5s",
                "x-ratelimit-remaining-tokens": "900",
            },
            1.0,
        ),
        ({"retry-after": "3", "x-ratelimit-reset-requests": "20s"}, 3.0),
    ],
)
def test_what_headers_ask_for(headers: dict[str, str], seconds: float) -> None:
    assert asked_to_wait(headers) == pytest.approx(seconds)


def test_a_date_is_a_wait_until_then() -> None:
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    assert 25 < asked_to_wait({"retry-after": date}) <= 30
    assert asked_to_wait({"retry-after": email.utils.formatdate(0, usegmt=True)}) == 0.0

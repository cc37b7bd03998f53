"""Full batches for a captioner that many threads ask: fullness, order, errors, latency, the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from pipeline.errors import ModelUnavailable
from pipeline.ingest.batching import Batched
from pipeline.ingest.lanes import Lanes, StageEvent, Stopped
from pipeline.types import CaptionRequest, Deliver, Reply


def request(prompt: str) -> CaptionRequest:
    return CaptionRequest((), (), prompt)


class Recorder:
    """Takes `seconds` a call; remembers what came together, and how many calls ran at once."""

    name = "recorder"

    def __init__(self, width: int = 4, seconds: float = 0.05, *, concurrent: bool = False) -> None:
        self.width = width
        self.concurrent = concurrent
        self.batches: list[list[str]] = []
        self.most_at_once = 0
        self.fails: Callable[[str], bool] = lambda prompt: False
        self.go_on = threading.Event()  # what "slow" waits for
        self._seconds = seconds
        self._running = 0
        self._lock = threading.Lock()
        self._model = threading.Lock()

    def caption(
        self, requests: Sequence[CaptionRequest], deliver: Deliver | None = None
    ) -> list[Reply]:
        prompts = [request.prompt for request in requests]
        if self.concurrent:
            return self._work(prompts)
        with self._model:
            return self._work(prompts)

    def _work(self, prompts: list[str]) -> list[Reply]:
        with self._lock:
            self.batches.append(prompts)
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
        if "slow" in prompts:
            assert self.go_on.wait(30)
        time.sleep(self._seconds)
        with self._lock:
            self._running -= 1
        if bad := [prompt for prompt in prompts if self.fails(prompt)]:
            raise ModelUnavailable(f"cannot describe {bad[0]}")
        return [Reply(f"seen {prompt}") for prompt in prompts]


def ask(captioner: Batched, *prompts: str) -> list[str]:
    return [reply.text for reply in captioner.caption([request(prompt) for prompt in prompts])]


def asked_at_once(captioner: Batched, prompts: Sequence[str]) -> list[str | Exception]:
    def one(prompt: str) -> str | Exception:
        try:
            return ask(captioner, prompt)[0]
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(prompts)) as pool:
        return list(pool.map(one, prompts))


def test_single_requests_of_many_threads_make_full_batches() -> None:
    model = Recorder(width=4)
    prompts = [f"view {number}" for number in range(24)]
    replies = asked_at_once(Batched(model, linger=0.05), prompts)
    assert replies == [f"seen {prompt}" for prompt in prompts], "each gets its own"
    assert sum(len(batch) == 4 for batch in model.batches) >= 5
    assert max(map(len, model.batches)) == 4, "never more than it can work on"
    assert sorted(prompt for batch in model.batches for prompt in batch) == sorted(prompts)
    assert model.most_at_once == 1


def test_one_call_with_many_requests_keeps_their_order() -> None:
    told: list[tuple[int, str]] = []
    captioner = Batched(Recorder(width=3, seconds=0.0))
    requests = [request(f"view {number}") for number in range(11)]
    here = threading.get_ident()

    def deliver(place: int, reply: Reply) -> None:
        assert threading.get_ident() == here, "in the thread that called"
        told.append((place, reply.text))

    replies = captioner.caption(requests, deliver)
    assert [reply.text for reply in replies] == [f"seen view {number}" for number in range(11)]
    assert sorted(told) == [(number, f"seen view {number}") for number in range(11)]
    assert captioner.caption([]) == []


def test_an_idle_model_is_not_kept_waiting_for_a_fuller_batch() -> None:
    captioner = Batched(Recorder(width=8, seconds=0.0))
    began = time.perf_counter()
    for number in range(10):
        ask(captioner, f"view {number}")
    assert time.perf_counter() - began < 1.0


@pytest.mark.parametrize("concurrent", [False, True])
def test_an_error_reaches_the_request_it_belongs_to_and_no_other(concurrent: bool) -> None:
    model = Recorder(width=8, concurrent=concurrent)
    model.fails = lambda prompt: prompt == "view 5"
    replies = asked_at_once(Batched(model, linger=0.1), [f"view {n}" for n in range(8)])
    assert isinstance(replies[5], ModelUnavailable)
    assert str(replies[5]) == "cannot describe view 5"
    assert [reply for at, reply in enumerate(replies) if at != 5] == [
        f"seen view {number}" for number in range(8) if number != 5
    ]


def test_what_the_others_of_a_call_cost_is_delivered_before_the_error() -> None:
    model = Recorder(width=4, seconds=0.0)
    model.fails = lambda prompt: prompt == "view 1"
    told: list[int] = []
    with pytest.raises(ModelUnavailable, match="view 1"):
        Batched(model).caption(
            [request(f"view {n}") for n in range(6)], lambda place, _: told.append(place)
        )
    assert sorted(told) == [0, 2, 3, 4, 5]


def test_a_captioner_that_forgets_a_reply_is_an_error_and_not_a_wait_without_end() -> None:
    class Forgetful(Recorder):
        def _work(self, prompts: list[str]) -> list[Reply]:
            return super()._work(prompts)[1:]

    with pytest.raises(ValueError):
        ask(Batched(Forgetful(seconds=0.0)), "view")


def test_a_slow_request_to_an_endpoint_holds_up_no_other() -> None:
    model = Recorder(width=3, seconds=0.02, concurrent=True)
    captioner = Batched(model)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, captioner, "slow")
        others = [f"view {number}" for number in range(8)]
        assert asked_at_once(captioner, others) == [f"seen {view}" for view in others]
        assert not slow.done()
        model.go_on.set()
        assert slow.result() == ["seen slow"]
    assert all(len(batch) == 1 for batch in model.batches)
    assert model.most_at_once == 3, "as many as it is wide"


def test_the_oldest_video_is_answered_first() -> None:
    class Held(Recorder):
        go = threading.Event()

        def _work(self, prompts: list[str]) -> list[Reply]:
            assert self.go.wait(10)
            return super()._work(prompts)

    model = Held(width=2, seconds=0.0)
    captioner, lanes = Batched(model), Lanes()
    shares = {order: captioner.of(lanes.of(order, f"v{order}", lambda: False)) for order in (0, 7)}
    with ThreadPoolExecutor(9) as pool:
        running: list[Future[Any]] = [pool.submit(ask, captioner, "first")]
        eventually(lambda: captioner._workers == 1 and not captioner._queue)
        for number in range(3):
            running.append(pool.submit(shares[7].caption, [request(f"young {number}")]))
        eventually(lambda: len(captioner._queue) == 1)  # two of them are handed over
        running.append(pool.submit(shares[0].caption, [request("old")]))
        eventually(lambda: len(captioner._queue) == 2)
        model.go.set()
        for one in running:
            one.result()
    waiting = [batch for batch in model.batches if batch != ["first"]]
    # Which of the two is first at the model is for its lock to say.
    (with_old,) = [batch for batch in waiting if "old" in batch]
    assert with_old[0] == "old" and len(with_old) == 2, "before what came earlier"
    assert len(waiting) == 2, "behind what was handed over"


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.002)


def test_no_more_wait_in_the_queue_than_two_batches() -> None:
    model = Recorder(width=2, seconds=0.05)
    captioner = Batched(model)
    most = 0
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(ask, captioner, *(f"{v}.{n}" for n in range(20))) for v in range(2)]
        while not all(one.done() for one in running):
            most = max(most, len(captioner._queue))
            time.sleep(0.001)
    assert most == 4


def test_the_end_of_the_run_lets_everybody_go_and_begins_no_call() -> None:
    lanes = Lanes()
    model = Recorder(width=1, seconds=0.2)
    captioner = Batched(model, lanes.stop)
    with ThreadPoolExecutor(6) as pool:
        running = [pool.submit(ask, captioner, f"view {number}") for number in range(6)]
        time.sleep(0.05)
        lanes.stop.set()
        stopped = [isinstance(one.exception(timeout=1.0), Stopped) for one in running]
    assert sum(stopped) >= 5, "one may have had its reply by then"
    time.sleep(0.5)
    assert len(model.batches) <= 2, "what was handed over, and nothing after it"
    names = {thread.name for thread in threading.enumerate()}
    assert "footnote-captions" not in names


def test_its_threads_end_when_there_is_nothing_to_do() -> None:
    asked_at_once(Batched(Recorder(seconds=0.0)), ["a", "b", "c"])
    until = time.monotonic() + 2.0
    while any(t.name == "footnote-captions" for t in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_trace_names_the_videos_of_every_batch() -> None:
    events: list[StageEvent] = []
    lanes = Lanes()
    captioner = Batched(Recorder(width=2), trace=events.append)
    share = captioner.of(lanes.of(0, "talk", lambda: False))
    share.caption([request("one"), request("two")])
    time.sleep(0.05)
    assert {(event.lane, event.video) for event in events} == {("captions", "talk")}
    assert all(event.begin < event.end for event in events)

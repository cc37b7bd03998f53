"""A client that leaves frees what worked for it; who is too many is told so; nothing piles up."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.apps.serving.context import ServerOptions
from pipeline.apps.serving.pool import Busy, WorkPool
from pipeline.apps.serving.recent import Recent
from pipeline.apps.serving.streams import KEEP_ALIVE, kept_alive
from pipeline.errors import GivenUp, ModelUnavailable
from pipeline.models.cancelling import Cancellation, check, current, pause
from pipeline.models.language import load_language_model
from pipeline.settings import Settings
from tests.openai_stub import Hang, OpenAIStub, Pause, Status
from tests.served import FERRY, RIVER, Server, library_of, served, until

OPTIONS = ServerOptions(asks=1, waiting=1, keep_alive=0.05)
SAID = "Maren Oduya proposed the ferry line to Port Ambry. [1] The harbour wall"


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[OpenAIStub]:
    with OpenAIStub([Hang()]) as stub:
        yield stub


def models(stub: OpenAIStub, **more: Any) -> dict[str, Any]:
    return {
        "endpoint": stub.url, "language_model": "openai:stub-model", "expansion": "none",
        "profile": "auto", **more,
    }  # fmt: skip


def send(server: Server, path: str, body: dict[str, Any]) -> socket.socket:
    """A request by a client that can hang up at any moment."""
    data = json.dumps(body).encode()
    client = socket.create_connection(("127.0.0.1", server.port))
    client.sendall(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n".encode()
        + data
    )
    return client


BODIES = {
    "/api/ask": {"question": FERRY},
    "/api/ask/stream": {"question": FERRY},
    "/api/chats/mine/stream": {"question": FERRY},
    "/v1/chat/completions": {
        "model": "footnote", "messages": [{"role": "user", "content": FERRY}]
    },
}  # fmt: skip


@pytest.mark.parametrize("path", BODIES)
def test_a_client_that_leaves_ends_the_call_of_a_model_that_hangs(
    tmp_path: Path, hanging: OpenAIStub, path: str
) -> None:
    with (
        library_of(tmp_path, *RIVER, **models(hanging)) as library,
        served(library, OPTIONS) as server,
    ):
        asks = server.context.asks
        for turn in (1, 2):  # the only worker is free for the second one
            client = send(server, path, BODIES[path])
            until(lambda turn=turn: len(hanging.requests) == turn)
            assert asks.running == 1
            client.close()
            until(lambda: asks.running == 0 and asks.taken == 0)
        assert library.chats() == [], "a turn that nobody read is not kept"


def test_a_client_that_leaves_in_the_middle_of_a_stream_ends_it(tmp_path: Path) -> None:
    with (
        OpenAIStub([Pause(SAID)]) as stub,
        library_of(tmp_path, *RIVER, **models(stub)) as library,
        served(library, OPTIONS) as server,
    ):
        client = send(server, "/api/ask/stream", {"question": FERRY})
        read = b""
        while b"event: sentence" not in read:
            read += client.recv(65536)
        assert b"Maren Oduya" in read and server.context.asks.running == 1
        client.close()
        assert stub.hung_up.wait(30), "the model is told that nobody reads any more"
        until(lambda: server.context.asks.running == 0)


def test_who_is_too_many_is_told_when_to_come_again(tmp_path: Path, hanging: OpenAIStub) -> None:
    with (
        library_of(tmp_path, *RIVER, **models(hanging)) as library,
        served(library, OPTIONS) as server,
    ):
        asks = server.context.asks
        waiting = [send(server, "/api/ask", {"question": FERRY}) for _ in range(2)]
        until(lambda: asks.taken == 2)
        for path, body in BODIES.items():
            response = server.post(path, body)
            assert response.status_code == 503 and response.headers["retry-after"]
            assert response.json()["error"]["code"] == "busy"
        assert server.get("/api/search?q=ferry").status_code == 200, "that is another queue"
        waiting[1].close()  # who waits leaves without having begun
        until(lambda: asks.taken == 1)
        assert len(hanging.requests) == 1
        waiting[0].close()
        until(lambda: asks.taken == 0)


def test_a_stream_that_has_nothing_to_say_says_that_it_is_still_there(tmp_path: Path) -> None:
    with (
        OpenAIStub([Pause(SAID)]) as stub,
        library_of(tmp_path, *RIVER, **models(stub)) as library,
        served(library, OPTIONS) as server,
        httpx.stream("POST", f"{server.url}/api/ask/stream", json={"question": FERRY}) as reply,
    ):
        assert any(line.startswith(":") for line in reply.iter_lines())


def test_the_server_ends_though_a_model_hangs(tmp_path: Path, hanging: OpenAIStub) -> None:
    with library_of(tmp_path, *RIVER, **models(hanging)) as library:
        with served(library, OPTIONS) as server:
            client = send(server, "/api/ask", {"question": FERRY})
            until(lambda: hanging.requests)
        client.close()
        until(lambda: server.context.asks.running == 0)


# ---------------------------------------------------------------- giving up


def test_work_that_is_given_up_leaves_its_connection_and_asks_no_more() -> None:
    with OpenAIStub([Hang()]) as stub:
        model = load_language_model("openai:stub-model", Settings(endpoint=stub.url))
        for draw in (lambda: model.complete("x"), lambda: list(model.stream("x"))):
            cancellation, raised = Cancellation(), []
            asked = len(stub.requests)

            def work(draw: Any = draw, wanted: Any = cancellation, told: Any = raised) -> None:
                with wanted, pytest.raises(GivenUp) as error:
                    draw()
                told.append(error.value)

            thread = threading.Thread(target=work)
            thread.start()
            until(lambda asked=asked: len(stub.requests) > asked)
            cancellation.cancel()
            thread.join(30)
            assert raised and len(stub.requests) == asked + 1, "it is not tried again"


def test_a_wait_for_a_busy_endpoint_ends_when_it_is_given_up() -> None:
    with OpenAIStub([Status(429, headers={"retry-after": "50"})]) as stub:
        model = load_language_model("openai:stub-model", Settings(endpoint=stub.url))
        cancellation = Cancellation()
        timer = threading.Timer(0.1, cancellation.cancel)
        timer.start()
        with cancellation, pytest.raises(GivenUp):
            model.complete("x")
        timer.join()


def test_without_anybody_who_could_give_up_nothing_changes() -> None:
    slept: list[float] = []
    pause(3.0, slept.append)
    check()
    assert current() is None and slept == [3.0]
    with OpenAIStub([Status(400, "no")]) as stub, Cancellation() as cancellation:
        model = load_language_model("openai:stub-model", Settings(endpoint=stub.url))
        with pytest.raises(ModelUnavailable):
            model.complete("x")
        assert current() is cancellation


# ---------------------------------------------------------------- the pool


def test_a_pool_runs_so_many_and_lets_so_many_wait() -> None:
    async def main() -> None:
        pool, go = WorkPool("tests", 2, 1), threading.Event()
        running = [asyncio.create_task(pool.run(go.wait)) for _ in range(3)]
        while pool.running < 2:
            await asyncio.sleep(0.001)
        assert pool.taken == 3
        with pytest.raises(Busy):
            await pool.run(go.wait)
        running[2].cancel()
        await asyncio.gather(running[2], return_exceptions=True)
        assert pool.taken == 2, "who waited has left"
        go.set()
        assert await asyncio.gather(*running[:2]) == [True, True]
        pool.close()
        with pytest.raises(GivenUp):
            await pool.run(go.wait)

    asyncio.run(main())


def test_what_is_made_for_one_who_has_left_is_handed_back() -> None:
    handed: list[str] = []

    async def main() -> None:
        pool, go = WorkPool("tests", 1, 1), threading.Event()

        def opened() -> str:
            assert go.wait(30)
            return "a file"

        async def leave(running: asyncio.Task[str]) -> None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        under_way = asyncio.create_task(pool.run(opened, handed.append))
        while not pool.running:
            await asyncio.sleep(0.001)
        waiting = asyncio.create_task(pool.run(opened, handed.append))
        await asyncio.sleep(0)
        await leave(waiting)
        await leave(under_way)
        assert handed == []
        go.set()
        while pool.taken:
            await asyncio.sleep(0.001)
        assert await pool.run(lambda: "kept", handed.append) == "kept"
        pool.close()

    asyncio.run(main())
    assert handed == ["a file"]


def test_a_stream_is_made_only_a_little_ahead_and_closed_with_its_reader() -> None:
    made: list[int] = []
    closed = threading.Event()

    def count() -> Iterator[int]:
        try:
            for number in range(10_000):
                made.append(number)
                yield number
        finally:
            closed.set()

    async def main() -> None:
        pool = WorkPool("tests", 1, 1)
        async with aclosing(pool.stream(count)) as numbers:
            assert [await anext(numbers) for _ in range(3)] == [0, 1, 2]
            await asyncio.sleep(0.05)
            assert len(made) < 30
        while pool.taken:
            await asyncio.sleep(0.001)
        pool.close()

    asyncio.run(main())
    assert closed.is_set() and len(made) < 30


def test_a_stream_raises_what_its_work_raises() -> None:
    def fails() -> Iterator[int]:
        yield 1
        raise ModelUnavailable("no")

    async def main() -> None:
        pool, drawn = WorkPool("tests", 1, 0), []
        with pytest.raises(ModelUnavailable):
            async for number in pool.stream(fails):
                drawn.append(number)
        assert drawn == [1]
        while pool.taken:
            await asyncio.sleep(0.001)
        pool.close()

    asyncio.run(main())


def test_lines_that_keep_a_stream_alive_lose_nothing() -> None:
    async def slow() -> Any:
        for number in (b"1", b"2"):
            await asyncio.sleep(0.03)
            yield number

    async def main() -> list[bytes]:
        return [chunk async for chunk in kept_alive(slow(), 0.005)]

    chunks = asyncio.run(main())
    assert [chunk for chunk in chunks if chunk != KEEP_ALIVE] == [b"1", b"2"]
    assert KEEP_ALIVE in chunks


def test_what_was_answered_is_forgotten_with_the_next_version_and_beyond_so_many() -> None:
    version, made = [1], []

    async def main() -> None:
        recent = Recent(lambda: version[0], most=2)

        async def ask(key: str) -> bytes:
            async def make() -> bytes:
                made.append(key)
                return key.encode()

            return await recent.get(key, make)

        for key in "aabac":  # b, the oldest, goes
            assert await ask(key) == key.encode()
        assert made == ["a", "b", "c"]
        await ask("b")
        assert made == ["a", "b", "c", "b"]
        version[0] = 2
        await ask("b")
        assert made[-2:] == ["b", "b"]

        async def writes() -> bytes:
            version[0] += 1
            return b"old"

        assert await recent.get("x", writes) == b"old"
        assert await recent.get("x", writes) == b"old"
        assert version[0] == 4, "what may be older than the version is not kept"

    asyncio.run(main())

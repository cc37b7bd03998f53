"""A library served on loopback by a real uvicorn, inside the test process.

    with served(library) as server:
        server.get("/api/status")

`library_of` makes one from rows of `footnote import`, with the fake embedder; `RIVER` are such
rows. Nothing here waits for a clock: `until` looks for what is to come.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from pipeline.apps.server import create_app
from pipeline.apps.serving.context import Context, ServerOptions
from pipeline.library import Library
from pipeline.settings import Settings
from tests.command import write_rows

RIVER: tuple[dict[str, Any], ...] = (
    {"video_id": "council", "start": 0.0, "end": 6.0, "title": "Town council",
     "text": "Maren Oduya proposed the ferry line to Port Ambry in spring.", "speaker": "Chair"},
    {"video_id": "council", "start": 6.0, "end": 12.0, "title": "Town council",
     "text": "The harbour wall will be repaired before the winter storms."},
    {"video_id": "radio", "start": 3.0, "end": 9.0, "title": "Harbour radio",
     "text": "The lighthouse keeper feeds eleven geese every morning.",
     "url": "https://example.org/radio"},
)  # fmt: skip
FERRY = "Who proposed the ferry line to Port Ambry?"


def library_of(folder: Path, *rows: dict[str, Any], **settings: Any) -> Library:
    """A library with these rows; the caller closes it."""
    chosen = {"embedding_model": "fake:64", "profile": "embedded", **settings}
    library = Library(folder / "library", Settings.model_validate(chosen))
    if rows:
        library.import_rows(write_rows(folder / "rows.jsonl", *rows))
    return library


@dataclass(frozen=True)
class Server:
    """The server and a client of it, which sits at this machine."""

    url: str
    context: Context
    client: httpx.Client

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(path, **options)

    def post(self, path: str, value: Any, **options: Any) -> httpx.Response:
        return self.client.post(path, json=value, **options)

    def events(self, path: str, value: Any = None) -> list[tuple[str, Any]]:
        """(name, value) of every event of a stream, drawn to its end."""
        method = "GET" if value is None else "POST"
        with self.client.stream(method, path, json=value) as response:
            assert response.status_code == 200, response.read()
            assert response.headers["content-type"].startswith("text/event-stream")
            return list(events_of(response.iter_lines()))


def events_of(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


@contextmanager
def served(library: Library, options: ServerOptions | None = None) -> Iterator[Server]:
    app = create_app(library, options or ServerOptions())
    config = uvicorn.Config(
        app, port=0, log_level="error", proxy_headers=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            yield Server(url, app.state.context, client)
    finally:
        server.should_exit = True
        thread.join()
        app.state.context.jobs.join(30)


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for something to become true. The bound is for a test that fails."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)

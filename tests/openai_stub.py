"""A loopback server that speaks the OpenAI chat-completions protocol, and misbehaves to order.

    with OpenAIStub(["first reply", "second"]) as stub:
        settings = Settings(endpoint=stub.url)

Replies are given in order, the last one again and again; a callable gets the request. A reply is
a text, or one of `Said`, `Status`, `Garbage`, `Hang`, `BreakOff`, `Pause`. `stub.requests` holds
what came in, `stub.arrivals` when, and `stub.most_at_once` how many were being answered at once;
`stub.hung_up` is set when a reader of a stream has left. `Clock` is for what waits.
"""

from __future__ import annotations

import base64
import io
import json
import re
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Said:
    """A completion in full, after so many seconds."""

    text: str | None = None
    finish: str = "stop"
    refusal: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Status:
    """An error answer, as OpenAI words it, after so many seconds."""

    code: int
    message: str = "no"
    headers: Mapping[str, str] = field(default_factory=dict)
    error_code: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Garbage:
    """200 with a body that is no completion."""

    body: bytes = b"<html>welcome to the proxy</html>"
    content_type: str = "text/html"


@dataclass(frozen=True)
class Hang:
    """Says nothing until the server is closed."""


@dataclass(frozen=True)
class BreakOff:
    """Closes the connection: at once, or after these words of a stream."""

    after: str = ""


@dataclass(frozen=True)
class Pause:
    """These words of a stream, and then nothing until whoever reads hangs up."""

    after: str


Reply = str | Said | Status | Garbage | Hang | BreakOff | Pause


@dataclass(frozen=True)
class Request:
    """One request: its JSON body and its headers."""

    path: str
    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def text(self) -> str:
        """All text of all messages."""
        return "\n".join(
            part["text"] for part in self._parts() if part.get("type", "text") == "text"
        )

    @property
    def images(self) -> list[np.ndarray]:
        """The images, decoded: (height, width, 3) uint8 RGB."""
        from PIL import Image

        found = []
        for part in self._parts():
            if part.get("type") == "image_url":
                match = re.fullmatch(r"data:image/jpeg;base64,(.*)", part["image_url"]["url"], re.S)
                assert match, part["image_url"]["url"][:60]
                file = io.BytesIO(base64.b64decode(match[1], validate=True))
                found.append(np.asarray(Image.open(file).convert("RGB")))
        return found

    def _parts(self) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = []
        for message in self.body["messages"]:
            content = message["content"]
            parts += content if isinstance(content, list) else [{"text": content}]
        return parts


class OpenAIStub:
    """The server; a context manager. `url` ends in /v1."""

    def __init__(
        self,
        replies: Sequence[Reply] | Callable[[Request], Reply] = ("ok",),
        models: Sequence[str] = ("stub-model",),
        api_key: str = "",
        counts: bool = True,
    ) -> None:
        self.requests: list[Request] = []
        self.arrivals: list[float] = []  # seconds of `time.monotonic`
        self.most_at_once = self._at_once = 0
        self.models = list(models)
        self.api_key = api_key
        self.counts = counts  # whether it counts the tokens of a stream when it is asked to
        self.closing = threading.Event()
        self.hung_up = threading.Event()
        self._replies = replies
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> OpenAIStub:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reply_to(self, request: Request) -> Reply:
        with self._lock:
            self.arrivals.append(time.monotonic())
            self.requests.append(request)
            if callable(self._replies):
                return self._replies(request)
            return self._replies[min(len(self.requests), len(self._replies)) - 1]

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Counts who is answered at the same time."""
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._lock:
                self._at_once -= 1


class Clock:
    """Stands in for the `time` of a module: it passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._now = 1000.0

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._now += seconds

    def monotonic(self) -> float:
        return self._now

    def time(self) -> float:
        return time.time()


def _handler(stub: OpenAIStub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if not self.path.endswith("/v1/models"):
                return self._error(Status(404, f"no {self.path}"))
            data = [{"id": m, "object": "model", "owned_by": "stub"} for m in stub.models]
            return self._json({"object": "list", "data": data})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            if not self.path.endswith("/v1/chat/completions"):
                return self._error(Status(404, f"no {self.path}"))
            if stub.api_key and self.headers.get("authorization") != f"Bearer {stub.api_key}":
                return self._error(Status(401, "Incorrect API key provided"))
            request = Request(self.path, json.loads(raw), dict(self.headers.items()))
            if request.body["model"] not in stub.models:
                return self._error(Status(404, f"The model `{request.body['model']}` is not here"))
            # What is being sent is answered already: its reader may ask again at once.
            with stub.answering():
                reply = stub.reply_to(request)
                time.sleep(getattr(reply, "seconds", 0.0))
            return self._answer(request, reply)

        def _answer(self, request: Request, reply: Reply) -> None:
            if isinstance(reply, Status):
                return self._error(reply)
            if isinstance(reply, Garbage):
                return self._send(reply.body, reply.content_type)
            if isinstance(reply, Hang):
                stub.closing.wait(30)
                self.close_connection = True
                return None
            if isinstance(reply, BreakOff) and not reply.after:
                self.close_connection = True
                return None
            if isinstance(reply, Said):
                said = reply
            else:
                said = Said(reply.after if isinstance(reply, BreakOff | Pause) else reply)
            text = said.text or ""
            if request.body.get("stream"):
                return self._stream(request, text, reply)
            message = {"role": "assistant", "content": said.text, "refusal": said.refusal}
            usage = _usage(request, text)
            choice = {"index": 0, "finish_reason": said.finish, "message": message}
            return self._json(
                _envelope(request) | {"object": "chat.completion", "choices": [choice]} | usage
            )

        def _stream(self, request: Request, text: str, reply: Reply) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream; charset=utf-8")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for word in re.findall(r"\s*\S+|\s+$", text):
                self._event({"content": word}, None)
            if isinstance(reply, BreakOff | Pause):
                self.close_connection = True
                if isinstance(reply, Pause):
                    self._wait_for_the_end()
                return
            self._event({}, "stop")
            if stub.counts and (request.body.get("stream_options") or {}).get("include_usage"):
                self._event({}, None, _usage(request, text) | {"choices": []})
            self._chunk(b"data: [DONE]\n\n")
            self._chunk(b"")

        def _wait_for_the_end(self) -> None:
            while not stub.closing.is_set():
                if select.select([self.connection], [], [], 0.02)[0]:
                    stub.hung_up.set()
                    return

        def _event(
            self, delta: dict[str, str], finish: str | None, more: Mapping[str, Any] | None = None
        ) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            event = {
                "id": "chatcmpl-stub",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": stub.models[0],
                "choices": [choice],
                **(more or {}),
            }
            self._chunk(b"data: " + json.dumps(event).encode() + b"\n\n")

        def _chunk(self, data: bytes) -> None:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()

        def _error(self, status: Status) -> None:
            error = {"message": status.message, "type": "stub", "code": status.error_code}
            body = {"error": error}
            self._send(json.dumps(body).encode(), "application/json", status.code, status.headers)

        def _json(self, body: dict[str, Any]) -> None:
            self._send(json.dumps(body).encode(), "application/json")

        def _send(
            self,
            data: bytes,
            content_type: str,
            code: int = 200,
            headers: Mapping[str, str] | None = None,
        ) -> None:
            self.send_response(code)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(data)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    return Handler


def _envelope(request: Request) -> dict[str, Any]:
    return {"id": "chatcmpl-stub", "created": 0, "model": request.body["model"]}


def _usage(request: Request, text: str) -> dict[str, Any]:
    """Tokens are words; an image is 100."""
    asked = len(request.text.split()) + 100 * len(request.images)
    said = len(text.split())
    return {
        "usage": {
            "prompt_tokens": asked,
            "completion_tokens": said,
            "total_tokens": asked + said,
        }
    }

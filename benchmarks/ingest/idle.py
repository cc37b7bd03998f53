"""How idle a captioner is that everything else waits for: a made model, and a made endpoint.

Scoring: `fake:slow` takes so long per call and per picture, works on one batch of at most 8
requests at a time and uses no processor; the endpoint answers each request after a delay that
varies, 8 at a time. Both are slow enough to be what the run waits for. `idle` is the share of the
time from the beginning of its first call to the end of its last in which the model works on
nothing; for the endpoint the share of its 8 places that stand empty, over the same time. `full` is
requests per call over 8. The screen reader and the embedder are fakes; decoding is real. To reach:
less than 10%.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.ingest.report import Row, publish
from benchmarks.ingest.timing import Interval, covered
from pipeline.library import Library
from pipeline.models.vision import load_captioner
from pipeline.settings import Settings
from tests import clips

WIDTH = 8
_DELAY = (0.8, 1.2, 4.0, 1.0)  # seconds an answer of the endpoint takes, in turn
_SETTINGS: dict[str, Any] = {
    "profile": "embedded",
    "embedding_model": "fake:64",
    "screen_reader": "fake:Departures",
    "caption_seconds": 3.0,
    "caption_images": 1,
}


def make(folder: Path, videos: int, scenes: int) -> list[Path]:
    """Videos of `scenes` pictures, four seconds each."""
    made = []
    for number in range(videos):
        parts = [(4.0, clips.texture(1000 * number + scene)) for scene in range(scenes)]
        made.append(clips.write(folder / f"v{number}.mp4", clips.scenes(*parts, fps=5), fps=5))
    return made


def model(videos: Sequence[Path]) -> tuple[list[Interval], float]:
    """(when the model worked, mean requests per batch)."""
    settings = _settings(caption_model="fake:slow:0.4:0.1", caption_batch=WIDTH)
    captioner: Any = load_captioner(settings.caption_model, settings)
    with patch("pipeline.models.vision.load_captioner", lambda *_: captioner):
        _add(videos, settings)
    busy = captioner.busy
    return [(a, b) for a, b, _ in busy], sum(n for *_, n in busy) / len(busy)


def endpoint(videos: Sequence[Path]) -> list[Interval]:
    """When each answer was being made."""
    with served() as (url, answers):
        _add(videos, _settings(caption_model="openai:made", endpoint=url, endpoint_requests=WIDTH))
    return answers


def _settings(**more: Any) -> Settings:
    known = Settings.model_fields
    return Settings(**{k: v for k, v in {**_SETTINGS, **more}.items() if k in known})


def _add(videos: Sequence[Path], settings: Settings) -> None:
    with tempfile.TemporaryDirectory(prefix="footnote-bench-") as folder:
        library = Path(folder) / "library"
        with Library(library, settings.model_copy(update={"library": library})) as opened:
            opened.add(list(videos))


def run(out: Path) -> None:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="footnote-bench-") as folder:
        eight = make(Path(folder), 8, 20)
        (Path(folder) / "long").mkdir()
        one = make(Path(folder) / "long", 1, 160)
        for name, videos in (("8 videos of 80 s", eight), ("one of 640 s", one)):
            busy, size = model(videos)
            rows.append(_row(f"model, {name}", busy, 1, size / WIDTH))
            answers = endpoint(videos)
            rows.append(_row(f"endpoint, {name}", answers, WIDTH, 1.0))
    publish(out, "idle", rows, str(__doc__))


def _row(name: str, busy: Sequence[Interval], places: int, full: float) -> Row:
    span = max(end for _, end in busy) - min(begin for begin, _ in busy)
    used = sum(end - begin for begin, end in busy) if places > 1 else covered(busy)
    return {
        "what": name,
        "calls": len(busy),
        "seconds": span,
        "full": full,
        "idle %": 100 * (1 - used / (places * span)),
    }


# ---------------------------------------------------------------- the made endpoint


@contextmanager
def served() -> Iterator[tuple[str, list[Interval]]]:
    """(its URL, when each answer was being made)."""
    answers: list[Interval] = []
    places, lock = threading.BoundedSemaphore(WIDTH), threading.Lock()
    asked = iter(range(1 << 30))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            with lock:
                number = next(asked)
            with places:
                began = time.monotonic()
                time.sleep(_DELAY[number % len(_DELAY)])
                ended = time.monotonic()
            with lock:
                answers.append((began, ended))
            message = {"role": "assistant", "content": f"A texture of soft blobs, number {number}."}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            data = json.dumps({"id": "x", "object": "chat.completion", "choices": [choice]})
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data.encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", answers
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

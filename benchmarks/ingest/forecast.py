"""How far the forecast of `footnote add` is from what then happens, run after run.

    python -m benchmarks.ingest.forecast [--runs 4] [--videos 6] [--seconds 60] [--latency 0.4]

Made clips (a cut every few seconds, slides and footage), a captioner behind a loopback endpoint
that takes `--latency` seconds a call, the other models fakes or none. Each run adds clips that no
other run has seen to a library of its own; all runs share one file of speeds, so that the first
has nothing to go by and each later one all before it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from pipeline.library import Library, forecast_of
from pipeline.settings import Settings
from tests import clips


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--videos", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each video, on average")
    parser.add_argument("--latency", type=float, default=0.4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = _study(Path(scratch), options)
    print(json.dumps({"options": vars(options), "runs": rows}, indent=1))


def _study(scratch: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _endpoint(options.latency))
    Thread(target=server.serve_forever, daemon=True).start()
    rows = []
    for number in range(options.runs):
        videos = scratch / f"videos {number}"
        videos.mkdir()
        for name in range(options.videos):
            _clip(videos / f"{name}.mp4", 1000 * number + name, options.seconds)
        rows.append(_run(scratch, number, videos, f"http://127.0.0.1:{server.server_port}/v1"))
    server.shutdown()
    return rows


def _run(scratch: Path, number: int, videos: Path, endpoint: str) -> dict[str, Any]:
    settings = Settings(
        library=scratch / f"library {number}",
        profile="embedded",
        screen_reader="fake:Departures",
        caption_model="openai:made",
        endpoint=endpoint,
        caption_seconds=10,
        speeds=str(scratch / "speeds.json"),
    )
    expected = forecast_of([videos], settings).now()
    began = time.perf_counter()
    with Library(settings=settings) as library:
        result = library.add([videos])
    took = time.perf_counter() - began
    calls = sum(video.stages["captions"].model_calls for video in result.videos)
    row = {"seconds": round(took, 2), "calls": calls, "forecast_calls": None, "forecast": None}
    captions = next(stage for stage in expected.stages if stage.stage == "captions")
    if expected.minutes is not None and captions.calls is not None:
        seconds = expected.minutes.high * 60
        row |= {"forecast": round(seconds, 2), "forecast_calls": captions.calls.high}
        row["off"] = round(seconds / took - 1, 3)
    return row


def _clip(path: Path, seed: int, seconds: float) -> None:
    random = np.random.default_rng(seed)
    parts, left = [], seconds * random.uniform(0.5, 1.5)
    while left > 0:
        length = min(left, float(random.uniform(2, 12)))
        page = random.integers(1 << 30)
        slide = clips.slide(*(clips.words(int(page) + n) for n in range(5)))
        picture = slide if random.random() < 0.5 else clips.texture(int(page), (640, 360))
        parts.append((length, picture))
        left -= length
    clips.write(path, clips.scenes(*parts, fps=10), fps=10)


def _endpoint(latency: float) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            time.sleep(latency)
            message = {"role": "assistant", "content": "Boats lie in a harbour at noon."}
            body = {
                "choices": [{"index": 0, "message": message}],
                "usage": {"prompt_tokens": 900, "completion_tokens": 40},
            }
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


if __name__ == "__main__":
    main()

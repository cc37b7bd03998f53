"""What an `add` takes beside its models, over the time that PyAV needs to decode the same files.

Scoring: `bare` decodes every file once, pictures (threads on) and the sound that a viewer hears,
one file after the other in this process, and does nothing with it. `instant models` is a whole
`Library.add` of the same files into an empty library, indexes included, with models that answer at
once: what is left is Footnote's own. Its ratio to `bare` is given in wall seconds and in processor
seconds of all processes, each the best of `--rounds`, in turn, after one that is not counted.
`add` is the same with real models, once; `models` are the seconds of it in which at least one model
(screen reader, speech detector, embedder) was being loaded or called, what overlaps counted once;
decoding that goes on during a call is hidden in the last ratio. To reach: 1.3.
"""

from __future__ import annotations

import gc
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import av

from benchmarks.ingest.report import Row, publish
from benchmarks.ingest.timing import timed_models
from pipeline.library import Library
from pipeline.media.audio import choose_track
from pipeline.media.probe import video_stream
from pipeline.settings import Settings

REAL: dict[str, Any] = {
    "profile": "embedded",
    "speech_model": "fake:all aboard the night train to the coast",
    "caption_model": "fake:colours",
    "levels": "text",
}
INSTANT: dict[str, Any] = {
    **REAL,
    "screen_reader": "fake:Departures",
    "speech_detector": "fake:loudness",
    "embedding_model": "fake:64",
}
Cost = tuple[float, float]  # wall, processor: seconds


def measure(name: str, videos: Sequence[Path], rounds: int, *, real: bool = True) -> Row:
    """One row: these videos, `rounds` times after one that is not counted."""
    bare = instant = (1e9, 1e9)
    for number in range(rounds + 1):
        costs = (
            cost(lambda: [decode(video) for video in videos]),
            cost(lambda: add(videos, INSTANT)),
        )
        if number:
            bare, instant = _least(bare, costs[0]), _least(instant, costs[1])
    row = {
        "files": name,
        "bare s": bare[0],
        "instant models s": instant[0],
        "ratio": instant[0] / bare[0],
        "in processor time": instant[1] / bare[1],
    }
    if not real:
        return row
    with timed_models() as calls:
        wall, _ = cost(lambda: add(videos, REAL))
    return row | {
        "add s": wall,
        "models s": calls.seconds,
        "(add - models) / bare": (wall - calls.seconds) / bare[0],
    }


def _least(one: Cost, other: Cost) -> Cost:
    return min(one[0], other[0]), min(one[1], other[1])


def add(videos: Sequence[Path], settings: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory(prefix="footnote-bench-") as folder:
        library = Path(folder) / "library"
        with Library(library, Settings(**settings, library=library)) as opened:
            result = opened.add(list(videos))
        failed = [video.reason for video in result.videos if video.status == "failed"]
        if failed:
            raise SystemExit(f"cannot be measured: {failed}")


def decode(path: Path) -> None:
    """The pictures, then the sound, each decoded once; damaged packets are passed over."""
    for choose in (video_stream, choose_track):
        with av.open(str(path)) as container:
            stream: Any = choose(container)
            if stream is None:
                continue
            stream.thread_type = "AUTO"
            for packet in container.demux(stream):
                with suppress(av.FFmpegError):
                    for _ in packet.decode():
                        pass


def cost(work: Callable[[], object]) -> Cost:
    gc.collect()
    wall, processor = time.perf_counter(), _processor()
    work()
    return time.perf_counter() - wall, _processor() - processor


def _processor() -> float:
    """Seconds of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def run(sets: dict[str, Sequence[Path]], out: Path, rounds: int) -> None:
    rows = [measure(name, videos, rounds) for name, videos in sets.items()]
    publish(out, "overhead", rows, str(__doc__))

"""What reading a video costs over decoding it: scan_video against a bare PyAV loop.

    python benchmarks/decode.py [VIDEO ...] [--rounds 5]

Without files, clips are made: footage that moves, slides, a screen that scrolls.

Scoring: `bare` is a loop over `container.decode(video)` with threads on and nothing in it;
`scan` is `scan_video`, which decodes the same stream once and finds shots, key frames and still
stretches, and writes the pictures it keeps. Each file is read by both in turn, `--rounds` times
in this process after one read that is not counted; each figure is the best of its rounds. `wall`
is what a user waits, `cpu` the seconds of all cores. The ratio to reach is 1.3 or less.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.media.probe import video_stream
from pipeline.media.scan import scan_video


@dataclass(frozen=True, slots=True)
class Cost:
    wall: float
    cpu: float

    def best(self, other: Cost) -> Cost:
        return Cost(min(self.wall, other.wall), min(self.cpu, other.cpu))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        videos = arguments.videos or made_clips(Path(scratch))
        print(f"{'video':<36}{'frames':>7}{'bare':>8}{'scan':>8}{'wall':>7}{'cpu':>7}")
        total_bare, total_scan = Cost(0, 0), Cost(0, 0)
        for video in videos:
            frames, bare, scan = compare(video, Path(scratch), arguments.rounds)
            print_row(video.name, frames, bare, scan)
            total_bare = Cost(total_bare.wall + bare.wall, total_bare.cpu + bare.cpu)
            total_scan = Cost(total_scan.wall + scan.wall, total_scan.cpu + scan.cpu)
        print_row("all", 0, total_bare, total_scan)


def compare(video: Path, scratch: Path, rounds: int) -> tuple[int, Cost, Cost]:
    """(frames, cost of bare decoding, cost of a scan)."""
    frames = decode(video)
    scan_video(video, scratch / "uncounted")
    bare = scan = Cost(float("inf"), float("inf"))
    for number in range(rounds):
        pictures = scratch / f"{video.stem}-{number}"
        bare = bare.best(cost(lambda: decode(video)))
        scan = scan.best(cost(lambda folder=pictures: scan_video(video, folder)))
    return frames, bare, scan


def decode(video: Path) -> int:
    """Decode every frame and do nothing with it; a damaged packet is passed over."""
    frames = 0
    with av.open(str(video)) as container:
        stream = video_stream(container)
        stream.thread_type = "AUTO"
        for packet in container.demux(stream):
            with suppress(av.FFmpegError):
                for _ in packet.decode():
                    frames += 1
    return frames


def cost(work: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def print_row(name: str, frames: int, bare: Cost, scan: Cost) -> None:
    shown = str(frames) if frames else ""
    print(
        f"{name[:35]:<36}{shown:>7}{bare.wall:>7.2f}s{scan.wall:>7.2f}s"
        f"{scan.wall / bare.wall:>7.2f}{scan.cpu / bare.cpu:>7.2f}"
    )


def made_clips(folder: Path) -> list[Path]:
    from tests import clips

    return [
        clips.footage(folder / "footage.mp4", seconds=10, size=(1280, 720), preset="medium"),
        clips.slides(folder / "slides.mp4", seconds=24, preset="medium"),
        clips.scrolling(folder / "scrolling.mp4", seconds=10, preset="medium"),
    ]


if __name__ == "__main__":
    main()

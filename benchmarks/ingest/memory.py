"""What `footnote add` of a very long video takes in memory.

Scoring: a made video (320 x 180, a picture a second, a new slide every 20 s, tones) is added by the
command line in a process of its own, with every model a fake, so that what is measured is
Footnote's own. `parent` and `children` are the highest resident memory of the process and of its
decoders together, `all` the highest sum of both at one time, looked at ten times a second; pages
that processes share are counted in each. To reach: 1.2 GB for ten hours.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.ingest.made import long_video
from benchmarks.ingest.report import Row, publish

_ROOT = Path(__file__).resolve().parents[2]
_ENVIRONMENT = {
    "FOOTNOTE_PROFILE": "embedded",
    "FOOTNOTE_EMBEDDING_MODEL": "fake:384",
    "FOOTNOTE_SCREEN_READER": "fake:"
    + "|".join(f"Line {n} of a slide with text" for n in range(12)),
    "FOOTNOTE_SPEECH_MODEL": "fake:" + " ".join(f"word{n}" for n in range(60)),
    "FOOTNOTE_SPEECH_DETECTOR": "fake:loudness",
    "FOOTNOTE_CAPTION_MODEL": "fake:colours",
    "FOOTNOTE_SOUND_MODEL": "fake:pitch",
}


def measure(name: str, video: Path) -> Row:
    with tempfile.TemporaryDirectory(prefix="footnote-bench-") as folder:
        command = [sys.executable, "-m", "pipeline.apps.cli", "add", str(video), "--json"]
        began = time.perf_counter()
        process = psutil.Popen(
            [*command, "--library", f"{folder}/library"],
            stdout=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": str(_ROOT)},
        )
        parent = children = together = 0.0
        while process.poll() is None:
            own = _resident(process)
            theirs = sum(map(_resident, _children(process)))
            parent, children = max(parent, own), max(children, theirs)
            together = max(together, own + theirs)
            time.sleep(0.1)
        if process.returncode:
            raise SystemExit(f"footnote add exited with {process.returncode}")
    return {
        "video": name,
        "parent MB": round(parent),
        "children MB": round(children),
        "all MB": round(together),
        "seconds": time.perf_counter() - began,
    }


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _resident(process: psutil.Process) -> float:
    """MB; 0 for one that has ended."""
    try:
        return float(process.memory_info().rss) / 1e6
    except psutil.NoSuchProcess:
        return 0.0


def run(hours: Sequence[float], out: Path) -> None:
    rows = []
    with tempfile.TemporaryDirectory(prefix="footnote-bench-") as folder:
        for length in hours:
            video = long_video(Path(folder) / f"{length:g}h.mp4", 3600 * length)
            rows.append(measure(f"{length:g} h", video))
    publish(out, "memory", rows, str(__doc__))

"""What an ingest takes beside its models, and how well its work overlaps.

    python -m benchmarks.ingest overhead [VIDEO ...] --out FOLDER
    python -m benchmarks.ingest idle --out FOLDER
    python -m benchmarks.ingest memory [--hours 1 10] --out FOLDER
    python -m benchmarks.ingest overlap [VIDEO ...] --out FOLDER

Each prints a table and leaves it in FOLDER as JSON and Markdown, `overlap` a picture too. Videos
that are not named are made. README.md has the conventions and the results.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.ingest import idle, memory, overhead
from benchmarks.ingest.made import long_video


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("benchmark", choices=("overhead", "idle", "memory", "overlap"))
    parser.add_argument("videos", nargs="*", type=Path, metavar="VIDEO")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=3, help="of overhead, each")
    parser.add_argument("--hours", type=float, nargs="+", default=[1.0, 10.0], help="of memory")
    given = parser.parse_args()
    if given.benchmark == "idle":
        idle.run(given.out)
    elif given.benchmark == "memory":
        memory.run(given.hours, given.out)
    elif given.benchmark == "overhead":
        with tempfile.TemporaryDirectory(prefix="footnote-bench-") as folder:
            made = Path(folder) / "made.mp4"
            long_video(made, 600, size=(1280, 720), fps=25, moving=True)
            sets = {"10 min of 720p, slides and footage": [made]}
            if given.videos:
                sets[f"{len(given.videos)} clips"] = given.videos
            overhead.run(sets, given.out, given.rounds)
    else:
        from benchmarks.ingest import timeline

        timeline.run(given.videos, given.out)


if __name__ == "__main__":
    main()

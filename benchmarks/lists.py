"""How complete and how right the answers to questions about the whole library are.

    python benchmarks/lists.py                          the half that is not held out
    python benchmarks/lists.py --held-out               the other half: never to tune on
    python benchmarks/lists.py --library demo-library   what was read from the videos, gaps included
    python benchmarks/lists.py --passages 100000        and what a list costs in a made library

The questions are those of data/lists.jsonl; without `--library` their library is made from every
row of data/truth.jsonl, as if everything had been read without a mistake.

Scoring: an entry of a list is right when it has more than a second (of a shorter row: half) in
common with a gold row; a gold row is found when an entry has as much in common with it, and only
rows of a source that its video has text of are counted. Videos are judged apart: right when any
gold row is in them. Precision and recall are over all entries and rows of all questions, with 95%
bootstrap intervals over questions; a list is exact when nothing is wrong and nothing missing.
Cost: the best of 5 runs of each question, wall and CPU time, by how many passages its words stand
in; to reach on two idle cores: 200 ms at 300,000 passages for lists of up to 500 entries.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.search import make_library, vocabulary
from pipeline.library import Library
from pipeline.types import Entry

DATA = Path(__file__).resolve().parents[1] / "data"
SOURCES = {"speech": "speech", "screen": "screen", "scene": "caption"}
RANKS = ((15_000,), (10_000,), (5000, 9000), (900, 4000, 12_000), (300, 350), (1000,), (300,))
ROUNDS = 5
# right entries, entries, found gold rows, gold rows; of one question
Judged = tuple[int, int, int, int]


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


def import_truth(library: Library, folder: Path) -> None:
    """Everything that is said, shown and seen in the sample videos, read without a mistake."""
    told = [
        {k: row[k] for k in ("video_id", "start", "end", "text")} | {"source": SOURCES[row["kind"]]}
        for row in rows("truth.jsonl")
    ]
    file = folder / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, told)), encoding="utf-8")
    library.import_rows(file)


def meets(entry: Entry, row: dict[str, Any]) -> bool:
    common = min(entry.end, row["end"]) - max(entry.start, row["start"])
    return bool(
        entry.video_id == row["video_id"] and common > min(1.0, (row["end"] - row["start"]) / 2)
    )


def judge(
    library: Library, question: dict[str, Any], truth: dict[str, dict[str, Any]]
) -> tuple[Judged, Judged]:
    """One question by entries and by videos."""
    readable = {(v.video_id, source) for v in library.videos() for source in v.sources}
    listing = library.find_all(question["question"])
    gold = [truth[name] for name in question["evidence"]]
    there = [row for row in gold if (row["video_id"], SOURCES[row["kind"]]) in readable]
    right = sum(any(meets(entry, row) for row in gold) for entry in listing.moments)
    found = sum(any(meets(entry, row) for entry in listing.moments) for row in there)
    wanted = {row["video_id"] for row in there}
    named = {video.video_id for video in listing.videos}
    both = len(wanted & named)
    entries = (right, len(listing.moments), found, len(there))
    return entries, (both, len(named), both, len(wanted))


def share(judged: Sequence[Judged], part: int, whole: int) -> str:
    """A ratio of sums with its interval."""
    table = np.array(judged, float)
    drawn = np.random.default_rng(0).integers(0, len(table), (4000, len(table)))
    sums = table[drawn].sum(axis=1)
    low, high = np.percentile(sums[:, part] / np.maximum(sums[:, whole], 1), [2.5, 97.5])
    value = table[:, part].sum() / max(table[:, whole].sum(), 1)
    return f"{value:.3f} [{low:.2f}, {high:.2f}]"


def quality(library: Library, held_out: bool) -> None:
    truth = {f"{row['video_id']}#{row['id']}": row for row in rows("truth.jsonl")}
    chosen = [row for row in rows("lists.jsonl") if row["held_out"] == held_out]
    judged = [judge(library, question, truth) for question in chosen]
    print(f"{len(chosen)} questions, {'held out' if held_out else 'not held out'}")
    for name, column in (("entries", [e for e, _ in judged]), ("videos", [v for _, v in judged])):
        exact = sum(right == listed and found == gold for right, listed, found, gold in column)
        print(
            f"  {name:8s} precision {share(column, 0, 1)}   recall {share(column, 2, 3)}"
            f"   exact {exact}/{len(column)}   {sum(c[1] for c in column)} listed"
        )


def cost(size: int) -> None:
    words, _ = vocabulary()
    with tempfile.TemporaryDirectory(prefix="footnote-lists-") as scratch:
        folder = Path(scratch) / str(size)
        make_library(folder, size, chroma=False)
        with Library(folder, create=False) as library:
            library.find_all("to have it open")
            print(f"  {size:,} passages            entries    wall     cpu   ms by stage")
            for ranks in RANKS:
                question = " ".join(words[rank] for rank in ranks)
                taken = []
                for _ in range(ROUNDS):
                    wall, cpu = time.perf_counter(), time.process_time()
                    listing = library.find_all(f"How many times is {question} mentioned?")
                    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                    taken.append((wall * 1000, cpu * 1000))
                wall, cpu = np.min(taken, axis=0)
                stages = " ".join(f"{name} {ms:.0f}" for name, ms in listing.took_ms.items())
                count = f"{len(listing.moments):7,}"
                print(f"  {question:28s} {count} {wall:7.1f} {cpu:7.1f}   {stages}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--library", type=Path, metavar="DIR")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--passages", type=int, help="also what a list costs in such a library")
    given = parser.parse_args()
    if given.library:
        with Library(given.library, create=False) as library:
            quality(library, given.held_out)
    else:
        with (
            tempfile.TemporaryDirectory(prefix="footnote-lists-") as scratch,
            Library(Path(scratch) / "library") as library,
        ):
            import_truth(library, Path(scratch))
            quality(library, given.held_out)
    if given.passages:
        cost(given.passages)


if __name__ == "__main__":
    main()

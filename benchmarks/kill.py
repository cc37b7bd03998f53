"""Kills `footnote add` at random moments and checks that nothing is lost and nothing doubled.

    python benchmarks/kill.py FOLDER [--kills 10] [--seed 0]

Scoring convention: one undisturbed run makes the reference library. Then, per kill, a fresh
library is begun, SIGKILLed (the process and its children) at a moment drawn uniformly from the
undisturbed run's duration, `add` is run again to its end, and `doctor` is run. The libraries are
the same when their canonical dumps (ordered rows, no times of day) are equal and their vectors
differ by less than 1e-5. Nothing but the word "same" in every row is a pass.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from pipeline.store.catalog import Catalog
from pipeline.types import Vectors

FOOTNOTE = (sys.executable, "-m", "pipeline.apps.cli")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    moments = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="footnote-kill-") as scratch:
        reference = Path(scratch) / "reference"
        began = time.monotonic()
        add(given.folder, reference)
        whole = time.monotonic() - began
        print(f"undisturbed run: {whole:.1f} s, {len(dump(reference)[0])} rows")
        print("kill  at (s)  videos done  resumed (s)  doctor  library")
        outcomes = []
        for number in range(1, given.kills + 1):
            library = Path(scratch) / "killed"
            at = moments.uniform(0.0, whole)
            done = add_and_kill(given.folder, library, at)
            began = time.monotonic()
            add(given.folder, library)
            resumed = time.monotonic() - began
            doctor = json.loads(footnote("doctor", "--library", str(library), "--json").stdout)
            same = compare(dump(reference), dump(library))
            outcomes.append(same == "same" and doctor["ok"])
            health = "ok" if doctor["ok"] else "WRONG"
            print(f"{number:>4}  {at:6.1f}  {done:>11}  {resumed:11.1f}  {health:>6}  {same}")
            shutil.rmtree(library)
    print(f"{sum(outcomes)} of {len(outcomes)} the same as the undisturbed run")
    return 0 if all(outcomes) else 1


def footnote(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*FOOTNOTE, *arguments], capture_output=True, text=True, check=False)


def add(folder: Path, library: Path) -> None:
    done = footnote(
        "add", str(folder), "--library", str(library), "--profile", "embedded", "--json"
    )
    if done.returncode not in (0, 4):
        raise SystemExit(f"footnote add failed: {done.stdout}{done.stderr}")


def add_and_kill(folder: Path, library: Path, after: float) -> int:
    """Videos with a passages record when the process group was killed `after` seconds."""
    command = [*FOOTNOTE, "add", str(folder), "--library", str(library), "--profile", "embedded"]
    process = subprocess.Popen(
        [*command, "--json"], stdout=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(after)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if not (library / "library.db").exists():
        return 0
    with Catalog(library) as catalog:
        return sum("passages" in stages for stages in catalog.all_stages().values())


def dump(library: Path) -> tuple[list[tuple[object, ...]], Vectors]:
    with Catalog(library) as catalog:
        return list(catalog.dump()), catalog.dump_embeddings()


def compare(
    expected: tuple[list[tuple[object, ...]], Vectors],
    found: tuple[list[tuple[object, ...]], Vectors],
) -> str:
    if expected[0] != found[0]:
        only = [row for row in found[0] if row not in set(map(tuple, expected[0]))]
        return f"DIFFERENT: {len(expected[0])} against {len(found[0])} rows, first {only[:1]}"
    apart = float(np.abs(expected[1] - found[1]).max(initial=0.0))
    return "same" if apart < 1e-5 else f"DIFFERENT: vectors differ by {apart:.2g}"


if __name__ == "__main__":
    sys.exit(main())

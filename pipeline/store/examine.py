"""Look at a Chroma collection, and say on stdout what is wrong with it; nothing when nothing is.

    python -m pipeline.store.examine LIBRARY [URL [passages|frames]]

A program of its own, because a damaged collection can end the process that opens it. Whoever
starts it holds the library's lock.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def examined_in_child(library: Path, url: str, noun: str) -> str:
    """`examine` in a process of its own: what is wrong, or how that process died."""
    import pipeline

    package = str(Path(pipeline.__file__).resolve().parent.parent)
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.store.examine", str(library.absolute()), url, noun],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode == 0:
        return done.stdout.strip()
    last = (done.stderr.strip() or "without a word").splitlines()[-1]
    return f"opening it ended a process with {done.returncode}: {last}"


def main(library: Path, url: str = "", noun: str = "passages") -> None:
    from pipeline.store.catalog import Catalog
    from pipeline.store.chroma_places import open_chroma

    with Catalog(library) as catalog:
        index = open_chroma(library, url, noun)
        sys.stdout.write(index.examine(catalog))
        index.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])

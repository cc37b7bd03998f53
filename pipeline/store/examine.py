"""Look at a Chroma collection, and say on stdout what is wrong with it; nothing when nothing is.

    python -m pipeline.store.examine LIBRARY [URL]

A program of its own, because a damaged collection can end the process that opens it. Whoever
starts it holds the library's lock.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.store.catalog import Catalog
from pipeline.store.chroma import open_chroma


def main(library: Path, url: str) -> None:
    with Catalog(library) as catalog:
        index = open_chroma(library, url)
        sys.stdout.write(index.examine(catalog))
        index.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")

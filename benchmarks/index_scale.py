"""How the derived indexes behave as a library grows: opening, proposing, scoring, adding.

    python benchmarks/index_scale.py                    10,000 and 100,000 passages
    python benchmarks/index_scale.py --sizes 300000     the size the design speaks of
    python benchmarks/index_scale.py --no-chroma        without the slow part of building

Passages are made: words drawn from a Zipf-like law over 60,000 of them, 40 to 90 a passage;
vectors of 384 dimensions around 500 centres; 120 passages (an hour of talk) a video. What is
timed is wall time, with the CPU time of this process beside it: on a busy machine only the second
means something. Times are medians and 95th percentiles over 30 questions. `+1 video` adds an hour
to a library of that size, and is also given as a multiple of adding it to an empty one; nothing
there may grow with the library.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.store.catalog import Catalog
from pipeline.store.index import LibraryIndex, open_index
from pipeline.store.passages import EmbeddingSpace
from pipeline.store.synchronise import Indexes, library_indexes, synchronise
from pipeline.types import Passage, Segment, Vectors, Video

DIMENSION = 384
PER_VIDEO = 120
QUESTIONS = 30
VOCABULARY = 60_000

_random = np.random.default_rng(0)
_centres = _random.standard_normal((500, DIMENSION)).astype(np.float32)
_law = np.cumsum(1 / np.arange(1, VOCABULARY + 1) ** 1.05)
_law /= _law[-1]


def made_text(words: int) -> str:
    return " ".join(f"w{i}" for i in np.searchsorted(_law, _random.random(words)).tolist())


def made_vectors(count: int) -> Vectors:
    noise = _random.standard_normal((count, DIMENSION)).astype(np.float32)
    vectors = _centres[_random.integers(0, len(_centres), count)] + noise
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def add_video(catalog: Catalog, number: int) -> None:
    video_id = f"video-{number}"
    texts = [made_text(int(n)) for n in _random.integers(40, 91, PER_VIDEO)]
    times = [(30.0 * i, 30.0 * i + 30) for i in range(PER_VIDEO)]
    source = "caption" if number % 3 == 0 else "speech"
    with catalog.transaction():
        catalog.put_video(Video(video_id, video_id, duration=30.0 * PER_VIDEO))
        segments = [Segment(source, a, b, t) for (a, b), t in zip(times, texts, strict=True)]
        catalog.replace_segments(video_id, source, segments)
        passages = [
            Passage(source, a, b, t, i, i)
            for i, ((a, b), t) in enumerate(zip(times, texts, strict=True))
        ]
        catalog.replace_passages(video_id, source, passages, made_vectors(PER_VIDEO))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """(wall, CPU) seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def shown(name: str, work: Callable[[], object], repeat: int = QUESTIONS) -> None:
    taken = np.array([timed(work) for _ in range(repeat)]) * 1000
    wall, cpu = np.median(taken, axis=0)
    late = np.percentile(taken[:, 0], 95)
    print(f"  {name:44s} {wall:8.2f} ms   p95 {late:8.2f}   cpu {cpu:8.2f}", flush=True)


def searches(index: LibraryIndex) -> None:
    table = index.table
    picked = np.isin(table.video, _random.choice(len(table.videos), max(1, len(table.videos) // 5)))
    filters = {
        "": None,
        ", a fifth of the videos": picked,
        ", one source": table.source == 0,
        ", one video": table.video == 3,
        ", a scattered tenth": _random.random(len(table)) < 0.1,
    }
    for words in (8, 100):
        for name, allowed in filters.items():
            shown(
                f"words: best 300 for {words} words{name}",
                lambda n=words, a=allowed: index.words([made_text(n)], 300, a),
            )
    for questions in (1, 2, 4):
        shown(f"cosine: {questions} x all", lambda n=questions: index.cosine(made_vectors(n)))
    some = np.sort(_random.choice(len(table), min(600, len(table)), replace=False))
    shown("cosine: 2 x 600", lambda: index.cosine(made_vectors(2), some))
    shown("propose: 300 for each of 2", lambda: index.propose(made_vectors(2), 300))
    shown("texts of 30", lambda: index.texts(_random.choice(len(table), 30)))
    shown("refresh, nothing new", index.refresh)


def recall(index: LibraryIndex, count: int = 300) -> float:
    """Share of the true `count` nearest that `propose` finds, mean over questions."""
    found = []
    for _ in range(QUESTIONS):
        question = made_vectors(1)
        true = np.argsort(-index.cosine(question)[0])[:count]
        found.append(np.isin(true, index.propose(question, count)).mean())
    return float(np.mean(found))


def cold_open(folder: Path) -> None:
    """In a fresh process, so that nothing is loaded or mapped; modules are loaded before."""
    code = (
        "import json, sys, time, tantivy, numpy\n"
        "from pathlib import Path\n"
        "from pipeline.store.catalog import Catalog\n"
        "from pipeline.store.synchronise import library_indexes\n"
        "from pipeline.store.index import open_index\n"
        "start = time.perf_counter()\n"
        "catalog = Catalog(Path(sys.argv[1]))\n"
        "index = open_index(catalog, library_indexes(catalog.folder))\n"
        "took = time.perf_counter() - start\n"
        "print(json.dumps([took * 1000, 'chromadb' in sys.modules]))\n"
    )
    runs = [
        json.loads(subprocess.check_output([sys.executable, "-c", code, str(folder)]))
        for _ in range(5)
    ]
    print(f"  {'open, in a fresh process':44s} {np.median([ms for ms, _ in runs]):8.2f} ms")
    assert not any(chroma for _, chroma in runs), "opening must not import chromadb"


def add_one(catalog: Catalog, indexes: Indexes, number: int, vectors: bool) -> tuple[float, float]:
    """(wall, CPU) seconds of adding an hour: catalog and all indexes, least of five."""

    def work() -> None:
        nonlocal number
        number += 1
        add_video(catalog, number)
        synchronise(catalog, indexes, vectors=vectors)

    taken = [timed(work) for _ in range(5)]
    return min(wall for wall, _ in taken), min(cpu for _, cpu in taken)


def measure(size: int, folder: Path, vectors: bool, empty: tuple[float, float]) -> None:
    print(f"{size:,} passages", flush=True)
    with Catalog(folder, create=True) as catalog:
        catalog.claim_embedding_space(EmbeddingSpace("made", DIMENSION))
        count = -(-size // PER_VIDEO)
        wall, cpu = timed(lambda: [add_video(catalog, number) for number in range(count)])
        print(f"  {'catalog written':44s} {wall:8.1f} s    cpu {cpu:8.1f}", flush=True)
        indexes = library_indexes(folder)
        wall, cpu = timed(lambda: synchronise(catalog, indexes, vectors=False))
        print(f"  {'matrix and words made':44s} {wall:8.1f} s    cpu {cpu:8.1f}", flush=True)
        if vectors:
            wall, cpu = timed(lambda: synchronise(catalog, indexes))
            print(f"  {'Chroma made':44s} {wall:8.1f} s    cpu {cpu:8.1f}", flush=True)
        cold_open(folder)
        index = open_index(catalog, indexes)
        index.propose(made_vectors(1), 10)
        searches(index)
        print(f"  {'recall of propose at 300':44s} {recall(index):8.3f}")
        wall, cpu = add_one(catalog, indexes, count, vectors)
        ratio = f"x {wall / empty[0]:.2f} wall, x {cpu / empty[1]:.2f} cpu of an empty library"
        print(f"  {'+1 video':44s} {wall * 1000:8.1f} ms   {ratio}", flush=True)
        indexes.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--no-chroma", action="store_true")
    options = parser.parse_args()
    vectors = not options.no_chroma
    with tempfile.TemporaryDirectory() as scratch:
        with Catalog(Path(scratch) / "empty", create=True) as catalog:
            catalog.claim_embedding_space(EmbeddingSpace("made", DIMENSION))
            indexes = library_indexes(catalog.folder)
            synchronise(catalog, indexes, vectors=vectors)
            empty = add_one(catalog, indexes, 0, vectors)
            indexes.close()
        print(
            f"+1 video into an empty library: {empty[0] * 1000:.1f} ms, cpu {empty[1] * 1000:.1f}"
        )
        for size in options.sizes:
            measure(size, Path(scratch) / str(size), vectors, empty)


if __name__ == "__main__":
    main()

"""What a search costs: in a process of its own, and in one that stays, with filters and without.

    python benchmarks/search.py                                  10,000 and 100,000 passages
    python benchmarks/search.py --passages 300000 --no-chroma    the size the design speaks of
    python benchmarks/search.py --keep DIR                       libraries are kept, and used again

Libraries are made, straight into the catalog: passages of 60 to 80 English words drawn one by one
from a Zipf-like law over the 21,745 that the tokenizer knows whole, so that they have as many
tokens as real ones; clustered unit vectors of 384 dimensions under the space of the real embedder,
which embeds the questions; five windows a passage, 40 passages a video, of five videos three with
speech, one with captions, one with the text of screens; half of the videos in one of two folders,
every other one of them late. A question is 8 words of one passage, a hypothetical passage 60
words, a third of them of that one.

Scoring: `cold` is `footnote search` as a fresh process, the median of 7, each run in turn with a
Python that does nothing and one that imports torch; `user` is the CPU time it burnt itself. That
it never imports a heavy package is asserted. `warm` is `Library.search` in one process that did
not make the library, after three rounds that are not counted; every question is asked with every
filter in turn, so that a busy machine slows all of them. `ratio` is the median of a row over that
of `no filter`, which has no hypothetical passages either. `cpu` is the median of the CPU time of
all threads, which means something on a busy machine too. The stages are means of `took_ms`; words
are looked up while the question is embedded, `embed` is what is waited for after that. Memory is
what is resident at the end; `mapped` is the part of it that is files, which the system takes back
when it needs room.

To reach on two idle cores: cold <= 1.5 s at 10,000; warm p95 <= 30 ms, with hypothetical passages
<= 60 ms, at 300,000; memory <= 1.5 GB there. The last line says whether it was.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.index_scale import made_vectors, timed
from pipeline.library import Library
from pipeline.models import minilm
from pipeline.store.catalog import Catalog
from pipeline.store.passages import EmbeddingSpace
from pipeline.store.synchronise import library_indexes, synchronise
from pipeline.types import Filters, Passage, Segment, Source, Video, Window

EMBEDDING = EmbeddingSpace("onnx:all-MiniLM-L6-v2", minilm.DIMENSION)
PER_VIDEO = 40
SECONDS = 30.0
WINDOWS = 5  # of a passage, about as many as a real one has
# One of them by the video's number. Five have no factor in common with the two folders and dates.
SOURCES: tuple[Source, ...] = ("speech", "caption", "speech", "screen", "speech")
EARLY, LATE = "2024-01-01", "2024-07-01"
COLD_RUNS = 7
UNCOUNTED = 3  # rounds: after so many questions a large library opens Chroma
HEAVY = frozenset(("torch", "transformers", "sentence_transformers", "chromadb", "llama_index"))
MOST_COLD, MOST_WARM, MOST_HYDE, MOST_MEMORY = 1500.0, 30.0, 60.0, 1500.0  # ms, MB


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    hypothetical: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Warm:
    """What one process measured, by row of the table: (wall, CPU) ms of every question, ms of
    every question by stage; and its memory in bytes."""

    taken: Mapping[str, Sequence[tuple[float, float]]]
    stages: Mapping[str, Mapping[str, Sequence[float]]]
    resident: int
    mapped: int


# ---------------------------------------------------------------- the library


@cache
def vocabulary() -> tuple[list[str], np.ndarray]:
    """Words, the commonest first, and the cumulated probabilities of a Zipf-like law."""
    tokens = minilm.load_tokenizer(minilm.folder()).get_vocab()
    whole = [t for t in sorted(tokens, key=tokens.__getitem__) if t.isascii() and t.isalpha()]
    words = [word for word in whole if word.islower()]
    law = np.cumsum(1 / np.arange(2.0, len(words) + 2))  # the commonest word is 5% of all
    return words, law / law[-1]


def made_words(random: np.random.Generator, count: int) -> list[str]:
    words, law = vocabulary()
    return [words[i] for i in np.searchsorted(law, random.random(count)).tolist()]


def video_of(number: int) -> Video:
    """Folders change with every video, dates with every second one: all four pairs come up."""
    folder, date = ("talks", "films")[number % 2], (EARLY, LATE)[number // 2 % 2]
    video_id = f"video-{number:06d}"
    path = f"/library/{folder}/{video_id}.mp4"
    return Video(video_id, f"Video {number}", path, PER_VIDEO * SECONDS, date=date)


def add_video(catalog: Catalog, number: int, passages: int, random: np.random.Generator) -> None:
    video, source = video_of(number), SOURCES[number % len(SOURCES)]
    times = [(SECONDS * i, SECONDS * (i + 1)) for i in range(passages)]
    texts = [" ".join(made_words(random, int(random.integers(60, 81)))) for _ in times]
    timed_texts = list(zip(times, texts, strict=True))
    packed = [
        Passage(source, a, b, t, i, i, windows_of(a, t))
        for i, ((a, b), t) in enumerate(timed_texts)
    ]
    with catalog.transaction():
        catalog.put_video(video)
        segments = [Segment(source, a, b, t) for (a, b), t in timed_texts]
        catalog.replace_segments(video.video_id, source, segments)
        closely = np.split(made_vectors(passages * WINDOWS), passages)
        vectors = made_vectors(passages)
        catalog.replace_passages(video.video_id, source, packed, vectors, closely)


def windows_of(start: float, text: str) -> tuple[Window, ...]:
    """`WINDOWS` even parts of a passage, cut between words."""
    inner = [text.find(" ", len(text) * i // WINDOWS) + 1 for i in range(1, WINDOWS)]
    edges = [0, *inner, len(text)]
    step = SECONDS / WINDOWS
    return tuple(
        Window(start + step * i, start + step * (i + 1), left, right)
        for i, (left, right) in enumerate(pairwise(edges))
    )


def make_library(folder: Path, size: int, chroma: bool) -> None:
    random = np.random.default_rng(0)
    with Catalog(folder, create=True) as catalog:
        catalog.claim_embedding_space(EMBEDDING)
        wall, _ = timed(
            lambda: [
                add_video(catalog, number, min(PER_VIDEO, size - first), random)
                for number, first in enumerate(range(0, size, PER_VIDEO))
            ]
        )
        indexes = library_indexes(folder)
        near, _ = timed(lambda: synchronise(catalog, indexes, vectors=False))
        far, _ = timed(lambda: synchronise(catalog, indexes)) if chroma else (0.0, 0.0)
        indexes.close()
    print(f"  made: catalog {wall:.0f} s, matrix and words {near:.0f} s, Chroma {far:.0f} s")


def made_questions(folder: Path, count: int) -> list[Question]:
    random = np.random.default_rng(1)
    with Catalog(folder) as catalog:
        rows = random.integers(1, catalog.counts()["passages"] + 1, count)
        texts = catalog.texts_of(rows)
    return [made_question(random, texts[row].split()) for row in rows.tolist()]


def made_question(random: np.random.Generator, said: Sequence[str]) -> Question:
    hypothetical = [[*random.choice(said, 20), *made_words(random, 40)] for _ in range(2)]
    text = " ".join(random.choice(said, 8, replace=False))
    return Question(text, tuple(" ".join(words) for words in hypothetical))


# ---------------------------------------------------------------- a process of its own


def run_cold(command: Sequence[str]) -> tuple[float, float]:
    """(wall, user CPU) ms of a process that must succeed."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{command} failed"
    return wall * 1000, used.ru_utime * 1000


def cold(folder: Path, question: str) -> bool:
    """Whether a search in a process of its own is as fast as it should be."""
    search = ["-m", "pipeline.apps.cli", "search", question, "--library", str(folder)]
    commands = {
        "footnote search": search,
        "python -c pass": ["-c", "pass"],
        'python -c "import torch"': ["-c", "import torch"],
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(COLD_RUNS):
        for name, arguments in commands.items():
            taken[name].append(run_cold([sys.executable, *arguments]))
    medians = {name: np.median(runs, axis=0) for name, runs in taken.items()}
    print(f"  {'cold':42s}    wall      user   of import torch")
    for name, (wall, user) in medians.items():
        ratio = wall / medians['python -c "import torch"'][0]
        print(f"  {name:42s} {wall:6.0f} ms {user:6.0f} ms {ratio:8.2f}")
    assert_light(search)
    print(f"  never imported: {', '.join(sorted(HEAVY))}", flush=True)
    return bool(medians["footnote search"][0] <= MOST_COLD)


def assert_light(search: Sequence[str]) -> None:
    """Raise unless the process gets by without any heavy package."""
    command = [sys.executable, "-X", "importtime", *search]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in told.splitlines()}
    assert "tantivy" in imported, "the report of imports is not understood"
    assert not imported & HEAVY, f"a search imported {', '.join(sorted(imported & HEAVY))}"


# ---------------------------------------------------------------- a process that stays


def filters_by_name() -> dict[str, Filters]:
    return {
        "no filter": Filters(),
        "--video": Filters(videos=(video_of(7).video_id,)),
        "--source speech": Filters(sources=("speech",)),
        "--folder, half": Filters(folder="/library/talks"),
        "--after, half": Filters(after=LATE),
        "--source speech --after": Filters(sources=("speech",), after=LATE),
    }


def measure_warm(folder: Path, questions: Sequence[Question]) -> Warm:
    """Run in a process of its own, which begins with nothing loaded."""
    cases = [
        (name + ending, filters, hyde)
        for ending, hyde in (("", False), (" + HyDE", True))
        for name, filters in filters_by_name().items()
    ]
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name, _, _ in cases}
    stages: dict[str, dict[str, list[float]]] = {name: {} for name, _, _ in cases}
    with Library(folder, create=False) as library:
        for number, question in enumerate([*questions[:1] * UNCOUNTED, *questions]):
            for name, filters, hyde in cases:
                hypothetical = question.hypothetical if hyde else ()
                wall, cpu = time.perf_counter(), time.process_time()
                found = library.search(question.text, filters=filters, hypothetical=hypothetical)
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                assert found.moments, f"{name} found nothing"
                if number >= UNCOUNTED:
                    taken[name].append((wall * 1000, cpu * 1000))
                    for stage, ms in found.took_ms.items():
                        stages[name].setdefault(stage, []).append(ms)
        memory = psutil.Process().memory_info()
    return Warm(taken, stages, memory.rss, getattr(memory, "shared", 0))


def warm(folder: Path, questions: Sequence[Question]) -> bool:
    """Whether searches in a process that stays are as fast, and it as small, as it should be."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(measure_warm, folder, questions).result()
    usual, usual_cpu = np.median(found.taken["no filter"], axis=0)
    columns = list(found.stages["no filter"])
    print(f"  {'warm, ms':32s}   p50    p95  ratio    cpu  ratio   mean of {' '.join(columns)}")
    good = True
    for name, taken in found.taken.items():
        (middle, cpu), (late, _) = np.percentile(taken, [50, 95], axis=0)
        good = good and late <= (MOST_HYDE if name.endswith("HyDE") else MOST_WARM)
        by_stage = " ".join(f"{np.mean(found.stages[name][stage]):6.1f}" for stage in columns)
        wall = f"{middle:5.1f} {late:6.1f} {middle / usual:6.2f}"
        print(f"  {name:32s} {wall} {cpu:6.1f} {cpu / usual_cpu:6.2f}   {by_stage}")
    resident, mapped = found.resident / 1e6, found.mapped / 1e6
    print(f"  resident {resident:.0f} MB, of which mapped {mapped:.0f} MB", flush=True)
    return good and resident <= MOST_MEMORY


# ---------------------------------------------------------------- all of it


@contextmanager
def library_folders(kept: Path | None) -> Iterator[Path]:
    if kept:
        yield kept
    else:
        with tempfile.TemporaryDirectory(prefix="footnote-search-") as scratch:
            yield Path(scratch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--passages", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--keep", type=Path, metavar="DIR")
    parser.add_argument("--no-chroma", action="store_true", help="exact products at every size")
    given = parser.parse_args()
    sizes, good = sorted(given.passages), True
    with library_folders(given.keep) as folders:
        for size in sizes:
            folder = folders / str(size)
            print(f"{size:,} passages, load average {os.getloadavg()[0]:.1f}", flush=True)
            if not folder.exists():
                make_library(folder, size, not given.no_chroma)
            questions = made_questions(folder, given.queries)
            if size == sizes[0]:
                good = cold(folder, questions[0].text) and good
            good = warm(folder, questions) and good
    reached = "everything" if good else "NOT everything"
    print(f"{reached} reached, load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

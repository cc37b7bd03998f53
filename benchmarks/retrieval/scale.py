"""A large library: is one spoken word still found, is a list the same twice, what does it take?

    python -m benchmarks.retrieval.scale                        10,000 passages
    python -m benchmarks.retrieval.scale --passages 300000      the size the design speaks of
    ... --keep DIR --out FOLDER                                 libraries kept; figures as JSON

The library is that of `benchmarks/search.py`: made words, made vectors. Into it a code is planted,
a serial number spoken once, between passages of the same talk, with five codes beside it in other
videos that differ by one character or have only its parts, in the same words. These are embedded
by the real model.

Scoring: every question with the code must have the planted passage's moment first: the code alone,
inside a longer question, in lower case, each with none, with harmless and with misleading
hypothetical passages. `same twice`: every made question, with and without hypothetical passages,
gives the same moments and scores when asked again, later, and in another process. `rebuilt`: after
all derived indexes were deleted and made again from the catalog, the share of those questions whose
first ten moments are the same, in the same order; 99% are to be. Latency is p50 and p95 over the
questions, in a process that did not make the library, by stage, with every filter and with and
without hypothetical passages; 30 and 60 ms are to be reached at 300,000 passages.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search import (
    MOST_HYDE,
    MOST_MEMORY,
    MOST_WARM,
    PER_VIDEO,
    SECONDS,
    Question,
    made_questions,
    made_words,
    make_library,
    measure_warm,
    windows_of,
)
from pipeline.library import Library
from pipeline.models import minilm
from pipeline.store.catalog import Catalog
from pipeline.store.synchronise import library_indexes, rebuild, synchronise
from pipeline.types import Passage, Segment, Video

CODE = "QX-7741-ZK"
NEAR = ("QX-7742-ZK", "QX-7741-ZX", "QY-7741-ZK", "QX 7141 ZK", "7741")
SPOKEN = "and the plate on the side of the second pump says serial number {} so write that down"
PLANTED, AT = "planted-code", 17  # the video, and which of its passages
HARMLESS = ("The serial number is on the plate of the pump.", "They read out the number twice.")
MISLEADING = (
    "The ferry leaves at nine in the morning and comes back in the evening when the tide allows.",
    "She planted the garden in early spring, with onions, carrots and a row of beans at the wall.",
)
LEAST_SAME = 0.99
NO_VECTORS = np.empty((0, minilm.DIMENSION), np.float32)

Found = list[tuple[str, float, float, float]]  # video, start, end, score


# ---------------------------------------------------------------- the library


def plant(folder: Path, chroma: bool) -> None:
    """The video with the code, and five with others that look like it."""
    random = np.random.default_rng(7)
    with Library(folder, create=False) as library:
        embedder = library.embedder()
    with Catalog(folder) as catalog:
        for number, code in enumerate((CODE, *NEAR)):
            video_id = f"{PLANTED}-{number}" if number else PLANTED
            texts = [" ".join(made_words(random, 65)) for _ in range(PER_VIDEO)]
            texts[AT] = f"{texts[AT][:150]} {SPOKEN.format(code)} {texts[AT][150:300]}"
            times = [(SECONDS * i, SECONDS * (i + 1)) for i in range(PER_VIDEO)]
            passages = [
                Passage("speech", a, b, text, i, i, windows_of(a, text) if i == AT else ())
                for i, ((a, b), text) in enumerate(zip(times, texts, strict=True))
            ]
            windows = [window_texts(passage) for passage in passages]
            with catalog.transaction():
                catalog.put_video(Video(video_id, video_id, duration=SECONDS * PER_VIDEO))
                segments = [Segment("speech", p.start, p.end, p.text) for p in passages]
                catalog.replace_segments(video_id, "speech", segments)
                catalog.replace_passages(
                    video_id,
                    "speech",
                    passages,
                    embedder.embed(texts),
                    [embedder.embed(some) if some else NO_VECTORS for some in windows],
                )
        indexes = library_indexes(folder)
        synchronise(catalog, indexes, vectors=chroma)
        indexes.close()


def window_texts(passage: Passage) -> list[str]:
    return [passage.text[window.left : window.right] for window in passage.windows]


def coded_questions() -> dict[str, Question]:
    asked = {
        "the code alone": CODE,
        "in lower case": CODE.lower(),
        "in a question": f"which machine has the serial number {CODE}?",
        "in a long question": (
            "I remember that during the long inspection somebody was asked about the machines and "
            f"whether {CODE} was one of those that had been repaired before the winter or after"
        ),
    }
    guessed = {"": (), ", harmless passages": HARMLESS, ", misleading passages": MISLEADING}
    return {
        name + ending: Question(text, passages)
        for name, text in asked.items()
        for ending, passages in guessed.items()
    }


# ---------------------------------------------------------------- asking


def ask_all(folder: Path, questions: Sequence[Question], times: int = 1) -> list[list[Found]]:
    """The moments of all questions, `times` over. Run in a process of its own."""
    with Library(folder, create=False) as library:
        return [[_found(library, question) for question in questions] for _ in range(times)]


def _found(library: Library, question: Question) -> Found:
    found = library.search(question.text, hypothetical=question.hypothetical)
    return [(m.video_id, m.start, m.end, m.score) for m in found.moments]


def in_a_process(function: Any, *arguments: Any) -> Any:
    """What a process that knows nothing yet returns."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def is_planted(found: Found) -> bool:
    """Whether the first moment has the middle of the planted passage."""
    if not found:
        return False
    video_id, start, end, _ = found[0]
    return video_id == PLANTED and start <= (AT + 0.5) * SECONDS <= end


def spans(found: Found) -> list[tuple[str, float, float]]:
    return [(video_id, start, end) for video_id, start, end, _ in found]


# ---------------------------------------------------------------- measuring


def check_planted(folder: Path) -> dict[str, bool]:
    questions = coded_questions()
    (found,) = in_a_process(ask_all, folder, list(questions.values()))
    right = {name: is_planted(some) for name, some in zip(questions, found, strict=True)}
    print(f"  the code first: {sum(right.values())} of {len(right)} questions")
    for name, good in right.items():
        if not good:
            print(f"    NOT first: {name}")
    return right


def check_same(folder: Path, questions: Sequence[Question], chroma: bool) -> dict[str, float]:
    """Shares of questions whose list is the same again, elsewhere, and after a rebuild."""
    both = [*questions, *(Question(question.text, ()) for question in questions)]
    first, second = in_a_process(ask_all, folder, both, 2)
    (elsewhere,) = in_a_process(ask_all, folder, both[::-1])
    wall = time.perf_counter()
    with Catalog(folder) as catalog:
        indexes = library_indexes(folder)
        rebuild(catalog, indexes) if chroma else _rebuild_without(catalog, indexes)
        indexes.close()
    wall = time.perf_counter() - wall
    (after,) = in_a_process(ask_all, folder, both)
    same = {
        "again": _share(first, second),
        "in another process": _share(first, elsewhere[::-1]),
        "rebuilt": _share([spans(f) for f in first], [spans(f) for f in after]),
    }
    for name, share in same.items():
        print(f"  same {name}: {share:.1%} of {len(both)} questions")
    print(f"  rebuilding took {wall:.0f} s", flush=True)
    return {**same, "rebuild_seconds": wall}


def _rebuild_without(catalog: Catalog, indexes: Any) -> None:
    indexes.matrix.remove()
    indexes.words.remove()
    synchronise(catalog, indexes, vectors=False)


def _share(one: Sequence[object], other: Sequence[object]) -> float:
    return float(np.mean([a == b for a, b in zip(one, other, strict=True)]))


def check_latency(folder: Path, questions: Sequence[Question]) -> dict[str, Any]:
    """{row: {stage: (p50, p95)}} in ms, and the memory in MB. `wall` and `cpu` (of all threads,
    the one to read on a busy machine) stand among the stages."""
    found = in_a_process(measure_warm, folder, questions)
    rows: dict[str, dict[str, tuple[float, float]]] = {}
    for name, taken in found.taken.items():
        wall, cpu = zip(*taken, strict=True)
        values = {"wall": wall, "cpu": cpu, **found.stages[name]}
        rows[name] = {stage: _p50_p95(some) for stage, some in values.items()}
    stages = list(next(iter(rows.values())))
    print(f"  {'ms, p50/p95':32s}" + "".join(f"{stage:>14}" for stage in stages))
    for name, row in rows.items():
        cells = "".join(
            f"{row[s][0]:8.1f}/{row[s][1]:5.1f}" if s in row else " " * 14 for s in stages
        )
        print(f"  {name:32s}{cells}")
    print(f"  resident {found.resident / 1e6:.0f} MB, of which mapped {found.mapped / 1e6:.0f} MB")
    return {"rows": rows, "resident_mb": found.resident / 1e6, "mapped_mb": found.mapped / 1e6}


def _p50_p95(values: Sequence[float]) -> tuple[float, float]:
    middle, late = np.percentile(values, (50, 95))
    return float(middle), float(late)


def missed(figures: Mapping[str, Any]) -> list[str]:
    """What was to be reached and was not."""
    wrong = [f"the code first: {name}" for name, good in figures["planted"].items() if not good]
    same = figures["same"]
    wrong += [f"same {name}" for name in ("again", "in another process") if same[name] < 1]
    wrong += ["the same after a rebuild"] if same["rebuilt"] < LEAST_SAME else []
    for name, row in figures["latency"]["rows"].items():
        most = MOST_HYDE if name.endswith("HyDE") else MOST_WARM
        wrong += [f"p95 of {name} within {most:.0f} ms"] if row["wall"][1] > most else []
    memory = figures["latency"]["resident_mb"]
    return wrong + ([f"memory within {MOST_MEMORY:.0f} MB"] if memory > MOST_MEMORY else [])


# ---------------------------------------------------------------- all of it


def measure(folder: Path, passages: int, count: int, chroma: bool) -> dict[str, Any]:
    """All figures of one size; the library is made where it is not there."""
    print(f"{passages:,} passages, load average {os.getloadavg()[0]:.1f}", flush=True)
    if not folder.exists():
        make_library(folder, passages, chroma)
    with Catalog(folder) as catalog:
        there = catalog.has_video(PLANTED)
    if not there:
        plant(folder, chroma)
    questions = made_questions(folder, count)
    figures = {
        "passages": passages,
        "load_average": os.getloadavg()[0],
        "planted": check_planted(folder),
        "latency": check_latency(folder, questions),
        "same": check_same(folder, questions, chroma),
    }
    figures["missed"] = missed(figures)
    return figures


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept:
        yield kept
    else:
        with tempfile.TemporaryDirectory(prefix="footnote-scale-") as scratch:
            yield Path(scratch)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--passages", type=int, nargs="+", default=[10_000])
    parser.add_argument("--queries", type=int, default=200, help="made questions")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="libraries are kept, used again")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="figures as scale-N.json")
    parser.add_argument("--no-chroma", action="store_true", help="exact products at every size")
    given = parser.parse_args()
    wrong: list[str] = []
    with _folder(given.keep) as folders:
        for size in sorted(given.passages):
            figures = measure(folders / str(size), size, given.queries, not given.no_chroma)
            wrong += [f"{name} ({size:,})" for name in figures["missed"]]
            if given.out:
                given.out.mkdir(parents=True, exist_ok=True)
                text = json.dumps(figures, indent=1)
                (given.out / f"scale-{size}.json").write_text(text, encoding="utf-8")
    for name in wrong:
        print(f"NOT reached: {name}")
    print("everything reached" if not wrong else "")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

"""How fast text becomes vectors, and what int8 costs in retrieval.

    python benchmarks/embedding.py                       speed only
    python benchmarks/embedding.py --bench DIR ...       and retrieval, over corpora in DIR

Speed: texts per second of the same model (all-MiniLM-L6-v2) through ONNX Runtime in fp32, in int8,
and through sentence-transformers on torch, over made passages of about 120 tokens and questions of
about 12. The three run in turn, `--rounds` times after one that is not counted; each figure is the
best of its rounds. `wall` is what a user waits; `cpu` is texts per second of all cores' time, and
on a busy machine only its ratio means something.

Retrieval: a DIR holds corpus.jsonl (video_id, start, end, text), queries.jsonl (qid, text) and
qrels.jsonl (qid, video_id, start, end); where it holds expansions.jsonl, only its qids are asked.
Rows of a video are joined until they span 30 s. Passages are ranked by cosine with the question,
ties by position. One is a hit when it is of the right video and overlaps a gold span by IoU >= 0.3
or has its middle inside one. `mrr@10` is the mean over questions of 1 / rank of the first hit in
the top ten, 0 without one. The difference is paired by question, with a 95% bootstrap interval.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.models import minilm
from pipeline.models.embedding import load_embedder
from pipeline.types import Embedder, Vectors

PASSAGE_SECONDS = 30.0
BOOTSTRAP = 10_000
FP32, INT8 = "onnx:all-MiniLM-L6-v2", "onnx-int8:all-MiniLM-L6-v2"


# ---------------------------------------------------------------- speed


def made_texts(count: int, words: int) -> list[str]:
    """Texts of about `words` words of two syllables, half of them to one and a half times that."""
    random = np.random.default_rng(0)
    syllables = ["ra", "to", "mi", "lo", "ne", "sa", "ku", "vi", "de", "po"]
    vocabulary = [a + b for a in syllables for b in syllables]
    lengths = random.integers(words // 2, words * 3 // 2, count)
    return [" ".join(random.choice(vocabulary, length)) for length in lengths]


def rates(
    embedders: dict[str, Embedder], texts: Sequence[str], rounds: int
) -> dict[str, tuple[float, float]]:
    """Texts per second of wall time and of CPU time, the best round of each."""
    best = dict.fromkeys(embedders, (0.0, 0.0))
    for turn in range(rounds + 1):
        for name, embedder in embedders.items():
            wall, cpu = timed(lambda embedder=embedder: embedder.embed(texts))
            if turn:
                best[name] = (
                    max(best[name][0], len(texts) / wall),
                    max(best[name][1], len(texts) / cpu),
                )
    return best


def timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def speed(rounds: int) -> None:
    names = {FP32: FP32, INT8: INT8, "torch": f"sentence-transformers:{minilm.folder()}"}
    embedders: dict[str, Embedder] = {}
    for label, name in names.items():
        wall, cpu = timed(lambda name=name: embedders.__setitem__(name, load_embedder(name)))
        print(f"load {label:28s} {wall:6.2f} s wall {cpu:6.2f} s cpu")
    embedders = {label: embedders[name] for label, name in names.items()}
    for kind, texts in (("passages", made_texts(128, 60)), ("questions", made_texts(256, 6))):
        tokens = np.mean(embedders[FP32].count_tokens(texts))
        found = rates(embedders, texts, rounds)
        wall, cpu = found["torch"]
        print(f"\n{kind}, {tokens:.0f} tokens:          wall/s  x torch    cpu/s  x torch")
        for label, (a, b) in found.items():
            print(f"{label:28s} {a:9.1f} {a / wall:8.2f} {b:8.1f} {b / cpu:8.2f}")


# ---------------------------------------------------------------- retrieval


def read(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def packed(corpus: Sequence[dict[str, Any]]) -> Iterator[tuple[str, float, float, str]]:
    """(video_id, start, end, text) of passages that span at most 30 s, or one row."""
    ordered = sorted(corpus, key=lambda row: (row["video_id"], row["start"], row["end"]))
    for video, rows in groupby(ordered, key=lambda row: row["video_id"]):
        held: list[dict[str, Any]] = []
        for row in rows:
            if held and row["end"] - held[0]["start"] > PASSAGE_SECONDS:
                yield joined(video, held)
                held = []
            held.append(row)
        yield joined(video, held)


def joined(video: str, rows: Sequence[dict[str, Any]]) -> tuple[str, float, float, str]:
    end = max(row["end"] for row in rows)
    return video, rows[0]["start"], end, " ".join(row["text"] for row in rows)


def is_hit(passage: tuple[str, float, float, str], gold: dict[str, Any]) -> bool:
    video, start, end, _ = passage
    if video != gold["video_id"]:
        return False
    overlap = min(end, gold["end"]) - max(start, gold["start"])
    union = max(end, gold["end"]) - min(start, gold["start"])
    return overlap / union >= 0.3 or gold["start"] <= (start + end) / 2 <= gold["end"]


def reciprocal_ranks(
    questions: Vectors,
    passages: Vectors,
    spans: Sequence[tuple[str, float, float, str]],
    gold: Sequence[Sequence[dict[str, Any]]],
) -> tuple[np.ndarray, np.ndarray]:
    """Per question 1 / rank of its first hit in the top ten, and the top ten."""
    top = np.argsort(-(questions @ passages.T), axis=1, kind="stable")[:, :10]
    scores = np.zeros(len(questions))
    for row, positions in enumerate(top):
        for rank, position in enumerate(positions, 1):
            if any(is_hit(spans[position], one) for one in gold[row]):
                scores[row] = 1 / rank
                break
    return scores, top


def retrieval(folder: Path, embedders: dict[str, Embedder]) -> None:
    spans = list(packed(read(folder / "corpus.jsonl")))
    queries = {row["qid"]: row["text"] for row in read(folder / "queries.jsonl")}
    gold: dict[str, list[dict[str, Any]]] = {}
    for row in read(folder / "qrels.jsonl"):
        gold.setdefault(row["qid"], []).append(row)
    recorded = folder / "expansions.jsonl"
    asked = [row["qid"] for row in read(recorded)] if recorded.is_file() else list(queries)
    found, vectors = {}, {}
    for name, embedder in embedders.items():
        vectors[name] = embedder.embed([text for *_, text in spans])
        questions = embedder.embed([queries[qid] for qid in asked])
        found[name] = reciprocal_ranks(
            questions, vectors[name], spans, [gold[qid] for qid in asked]
        )
    cosine = (vectors[FP32] * vectors[INT8]).sum(axis=1)
    (exact, top), (rough, rough_top) = found[FP32], found[INT8]
    same = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(top, rough_top, strict=True)])
    random = np.random.default_rng(0)
    draws = random.integers(0, len(asked), (BOOTSTRAP, len(asked)))
    low, high = np.percentile((rough - exact)[draws].mean(axis=1), [2.5, 97.5])
    print(
        f"{folder.name:14s} {len(spans):6d} passages {len(asked):4d} questions  "
        f"mrr@10 fp32 {exact.mean():.3f}  int8 {rough.mean():.3f}  "
        f"difference {rough.mean() - exact.mean():+.3f} [{low:+.3f}, {high:+.3f}]  "
        f"same top ten {same:.1%}  cosine mean {cosine.mean():.4f} least {cosine.min():.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", type=Path, nargs="+", default=[], metavar="DIR")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    speed(arguments.rounds)
    embedders = {name: load_embedder(name) for name in (FP32, INT8)} if arguments.bench else {}
    for folder in arguments.bench:
        retrieval(folder, embedders)


if __name__ == "__main__":
    main()

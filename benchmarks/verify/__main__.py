"""How often false answers are caught, and true ones taken for false: the first level of checking.

    python -m benchmarks.verify [--corpus corpus.jsonl] [--held-out | --more | --time]

Scoring: a false sentence is caught when its verdict is unsupported or contradicted; a true one with
such a verdict is a false alarm. `not supported` is the share that is not called supported: what a
reader is not told to trust. `supported right` is the share of true ones among the sentences called
supported, in this mixture. Intervals are Wilson's, 95 %. The sample library's half needs nothing;
`--corpus` are the rows of the talks. Without `--held-out` the half that may be tuned on.
`--time` judges answers of ten sentences, and the same with every text embedded by itself.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from math import sqrt
from pathlib import Path
from statistics import median

from benchmarks.verify.suite import Case, bare_negations, cases, is_plain, more_true
from pipeline.answer.evidence import Evidence
from pipeline.answer.statements import Statement
from pipeline.answer.verify import Judgement, TextVerifier
from pipeline.models.embedding import load_embedder
from pipeline.settings import Settings
from pipeline.types import Embedder, Segment, Vectors, Video

DATA = Path(__file__).resolve().parents[2] / "data"
ANSWER = 10  # sentences of one answer whose time is taken
ALARMS = ("unsupported", "contradicted")


def as_evidence(case: Case) -> list[Evidence]:
    """The rows that a case cites, as the statements of an answer."""
    evidence = []
    for number, row in enumerate(case.evidence, 1):
        segment = Segment(row.source, row.start, row.end, row.text, row.speaker or "")
        statement = Statement(row.video_id, (segment,), 0, row.text, row.start, row.end)
        evidence.append(Evidence(number, Video(row.video_id, row.title or ""), statement, 0))
    return evidence


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    z, share = 1.96, hits / count
    middle = share + z * z / (2 * count)
    spread = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - spread) / (1 + z * z / count), (middle + spread) / (1 + z * z / count)


def table(some: Sequence[Case], judged: Sequence[Judgement]) -> str:
    lines = ["| kind | n | caught | 95 % | not supported |", "|---|---|---|---|---|"]
    bare = bare_negations(some, some)
    rows: dict[str, Callable[[Case], bool]] = {
        kind: partial(_is_of, kind) for kind in dict.fromkeys(case.kind for case in some)
    }
    if bare:
        rows['a "not" more or less'] = lambda case: case.id in bare
        rows["the same, said plainly"] = lambda case: case.id in bare and is_plain(case)
    for kind, belongs in rows.items():
        of_kind = [j for c, j in zip(some, judged, strict=True) if belongs(c)]
        if not of_kind:
            continue
        hits = sum(j.verdict in ALARMS for j in of_kind)
        open_ = sum(j.verdict != "supported" for j in of_kind) / len(of_kind)
        low, high = wilson(hits, len(of_kind))
        name = "true (false alarms)" if kind == "true" else kind
        share = f"{hits / len(of_kind):.2f} | {low:.2f} to {high:.2f} | {open_:.2f}"
        lines.append(f"| {name} | {len(of_kind)} | {share} |")
    told = [c.kind == "true" for c, j in zip(some, judged, strict=True) if j.verdict == "supported"]
    low, high = wilson(sum(told), len(told))
    right = f"{sum(told) / max(1, len(told)):.2f} ({low:.2f} to {high:.2f})"
    return "\n".join([*lines, "", f"supported right: {right} of {len(told)}"])


def _is_of(kind: str, case: Case) -> bool:
    return case.kind == kind


class OneByOne:
    """An embedder that is given one text at a time."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.dimension = embedder.name, embedder.dimension
        self.max_tokens = embedder.max_tokens
        self.embed, self.count_tokens = embedder.embed, embedder.count_tokens
        self._tokens = embedder.embed_tokens  # type: ignore[attr-defined]

    def embed_tokens(self, texts: Sequence[str]) -> list[Vectors]:
        return [rows for text in texts for rows in self._tokens([text])]


def times(some: Sequence[Case], embedder: Embedder) -> str:
    """Milliseconds for an answer of ten sentences, medians: wall and processor, batched or not."""
    lines = ["| texts of an answer embedded | wall ms | processor ms |", "|---|---|---|"]
    answers = [some[at : at + ANSWER] for at in range(0, len(some) - ANSWER + 1, ANSWER)]
    verdicts = []
    ways: tuple[tuple[str, Embedder], ...] = (
        ("at once", embedder),
        ("one by one", OneByOne(embedder)),
    )
    for name, how in ways:
        walls, processor, found = [], [], []
        for answer in answers:
            claims = [(case.sentence, as_evidence(case)) for case in answer]
            wall, busy = time.perf_counter(), time.process_time()
            found += TextVerifier(how).judge(claims)
            walls.append(1000 * (time.perf_counter() - wall))
            processor.append(1000 * (time.process_time() - busy))
        lines.append(f"| {name} | {median(walls):.0f} | {median(processor):.0f} |")
        verdicts.append([judged.verdict for judged in found])
    same = "the same" if verdicts[0] == verdicts[1] else "NOT the same"
    return "\n".join([*lines, "", f"{len(answers)} answers, verdicts {same}"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, metavar="FILE")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--more", action="store_true", help="the true ones of more_true.jsonl")
    parser.add_argument("--time", action="store_true", help="what ten sentences take")
    options = parser.parse_args()
    given = DATA / "truth.jsonl", options.corpus
    every = more_true(*given) if options.more else cases(*given)
    some = [case for case in every if case.held_out == options.held_out]
    embedder = load_embedder("onnx:all-MiniLM-L6-v2", Settings())
    if options.time:
        for library in dict.fromkeys(case.library for case in some):
            mixed = [case for case in some if case.library == library]
            random.Random(1).shuffle(mixed)
            sys.stdout.write(f"{library}\n{times(mixed, embedder)}\n")
        return 0
    judged = [
        TextVerifier(embedder, case.question).judge([(case.sentence, as_evidence(case))])[0]
        for case in some
    ]
    sys.stdout.write(f"{table(some, judged)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How often false answers are caught, and true ones taken for false: the first level of checking.

    python -m benchmarks.verify [--corpus corpus.jsonl] [--held-out]

Scoring: a false sentence is caught when its verdict is unsupported or contradicted; a true one with
such a verdict is a false alarm. `not supported` is the share that is not called supported: what a
reader is not told to trust. `supported right` is the share of true ones among the sentences called
supported, in this mixture. Intervals are Wilson's, 95 %. The sample library's half needs nothing;
`--corpus` are the rows of the talks. Without `--held-out` the half that may be tuned on.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from math import sqrt
from pathlib import Path

from benchmarks.verify.suite import Case, cases, more_true
from pipeline.answer.evidence import Evidence
from pipeline.answer.statements import Statement
from pipeline.answer.verify import Judgement, TextVerifier
from pipeline.models.embedding import load_embedder
from pipeline.settings import Settings
from pipeline.types import Segment, Video

DATA = Path(__file__).resolve().parents[2] / "data"
ALARMS = ("unsupported", "contradicted")


def as_evidence(case: Case) -> list[Evidence]:
    """The rows that a case cites, as the statements of an answer."""
    evidence = []
    for number, row in enumerate(case.evidence, 1):
        segment = Segment(row.source, row.start, row.end, row.text)  # type: ignore[arg-type]
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
    for kind in dict.fromkeys(case.kind for case in some):
        of_kind = [j for c, j in zip(some, judged, strict=True) if c.kind == kind]
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, metavar="FILE")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--more", action="store_true", help="the true ones of more_true.jsonl")
    options = parser.parse_args()
    given = DATA / "truth.jsonl", options.corpus
    every = more_true(*given) if options.more else cases(*given)
    some = [case for case in every if case.held_out == options.held_out]
    embedder = load_embedder("onnx:all-MiniLM-L6-v2", Settings())
    began = time.perf_counter()
    judged = [
        TextVerifier(embedder, case.question).judge([(case.sentence, as_evidence(case))])[0]
        for case in some
    ]
    took = 1000 * (time.perf_counter() - began) / len(some)
    sys.stdout.write(f"{table(some, judged)}\n{took:.1f} ms a sentence\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

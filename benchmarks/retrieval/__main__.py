"""Which part of a search earns its place, on any number of collections: a report and a picture.

    python -m benchmarks.retrieval SETS... --out FOLDER               everything
    python -m benchmarks.retrieval SETS... --out FOLDER --questions 500
    python -m benchmarks.retrieval.sample --out SET                   the sample library as a set

A set is a folder with corpus.jsonl (rows of `footnote import`), queries.jsonl, qrels.jsonl and
perhaps expansions.jsonl. Libraries, results and the report are kept under FOLDER: a killed run
goes on with the question it was at, and a second run only draws.

Scoring: Footnote and the baselines are asked exactly as `footnote eval --baselines` asks them, and
every other system through the same search with one thing changed, or, for what was tried and
dropped, through a fusion of its own. With `recorded` hypothetical passages and with the question
`alone`, the same questions in both. All intervals are 95% bootstrap over questions, all differences
paired by question. Weights are tuned on the other collections and measured on the one left out.
Latency is that of Footnote's own searches in this process, one after the other; only a quiet
machine's may be quoted.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from benchmarks.retrieval.figure import draw
from benchmarks.retrieval.report import write_report
from benchmarks.retrieval.sets import find_collections, open_library
from benchmarks.retrieval.study import Study, study
from pipeline.errors import FootnoteError
from pipeline.settings import Settings

PICTURE, REPORT = "retrieval.png", "retrieval.md"


def run(
    folders: list[Path], out: Path, settings: Settings, *, questions: int, tuning: bool
) -> Path:
    """Measure all collections; the path of the report."""
    out.mkdir(parents=True, exist_ok=True)
    studies: list[Study] = []
    for collection in find_collections(folders):
        asked = collection.questions(questions)
        with open_library(collection, out, settings) as library:
            for condition, some in asked.items():
                studies.append(study(library, collection, condition, some, out, tuning=tuning))
    draw(studies, out / PICTURE)
    report = out / REPORT
    report.write_text(write_report(studies, PICTURE, settings.embedding_model), encoding="utf-8")
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--questions",
        type=int,
        default=0,
        metavar="N",
        help="asked alone: the recorded ones and others, N in all (0: the recorded, else all)",
    )
    parser.add_argument("--no-tuning", action="store_true", help="without the grid of weights")
    given = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("benchmarks").setLevel(logging.INFO)
    settings = Settings(profile="embedded")
    try:
        tuning = not given.no_tuning
        print(run(given.sets, given.out, settings, questions=given.questions, tuning=tuning))
    except FootnoteError as error:
        print(f"{error.message}; try: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

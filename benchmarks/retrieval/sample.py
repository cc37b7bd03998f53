"""The sample library's questions as a collection that `benchmarks.retrieval` reads.

    python -m benchmarks.retrieval.sample --out SET                      texts of truth.jsonl
    python -m benchmarks.retrieval.sample --out SET --library LIBRARY    as Footnote read them
    ... --held-out                                                       the other half as well

Only the questions that are not held out, unless `--held-out` is given: those are for measuring
once, never for choosing anything. Questions that the library does not answer have no gold span and
are left out of every figure. Without a library the corpus is what is said and what can be read in
the videos, to the letter.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.library import Library

DATA = Path(__file__).resolve().parents[2] / "data"
PERCEIVED = {"speech": "speech", "screen": "screen", "scene": "caption"}

Row = Mapping[str, Any]


def convert(data: Path, out: Path, *, held_out: bool = False, library: Path | None = None) -> None:
    """Write the four files of a collection to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    chosen = [q for q in _rows(data / "questions.jsonl") if held_out or not q["held_out"]]
    qids = {question["qid"] for question in chosen}
    _write(out / "corpus.jsonl", _read_by(library) if library else _true(data))
    _write(
        out / "queries.jsonl",
        ({"qid": q["qid"], "text": q["question"], "type": q["type"]} for q in chosen),
    )
    _write(out / "qrels.jsonl", ({"qid": q["qid"], **gold} for q in chosen for gold in q["gold"]))
    recorded = [row for row in _rows(data / "expansions.jsonl") if row["qid"] in qids]
    _write(out / "expansions.jsonl", recorded)


def _true(data: Path) -> Iterator[Row]:
    for row in _rows(data / "truth.jsonl"):
        if row["kind"] in ("speech", "screen"):
            yield {
                "video_id": row["video_id"],
                "start": row["start"],
                "end": row["end"],
                "text": row["text"],
                "source": PERCEIVED[row["kind"]],
            }


def _read_by(folder: Path) -> Iterator[Row]:
    with Library(folder, create=False) as library:
        for summary in library.videos():
            for segment in library.show(summary.video_id)[1]:
                yield {
                    "video_id": summary.video_id,
                    "title": summary.title,
                    "duration": summary.duration,
                    "start": segment.start,
                    "end": segment.end,
                    "text": segment.text,
                    "source": segment.source,
                    "speaker": segment.speaker,
                }


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _write(path: Path, rows: Iterable[Row]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, metavar="SET")
    parser.add_argument("--library", type=Path, help="made by `footnote add data/videos`")
    parser.add_argument("--held-out", action="store_true", help="the held-out questions as well")
    given = parser.parse_args()
    convert(DATA, given.out, held_out=given.held_out, library=given.library)
    print(given.out)


if __name__ == "__main__":
    main()

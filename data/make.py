"""Make the sample library: the videos, their subtitles, truth.jsonl, the gold of the questions.

    python data/make.py             make everything
    python data/make.py --times     only times: truth.jsonl and questions.jsonl, no video

Needs espeak-ng (its shared library) besides Footnote's own packages. Using the library needs
neither espeak-ng nor this script.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from making.film import write
from making.stories.logger import SCREENCAST
from making.stories.news import COUNCIL, RADIO
from making.stories.observers import BALLOON, NIGHT_SKY
from making.stories.talks import TALK_1, TALK_2
from making.stories.tour import STORM, TOUR
from making.story import Truth, lay_out, truth
from making.voice import Narrator

HERE = Path(__file__).resolve().parent
STORIES = (TOUR, TALK_1, TALK_2, BALLOON, SCREENCAST, COUNCIL, RADIO, STORM, NIGHT_SKY)


def make(number: int, folder: Path | None) -> list[Truth]:
    """Lay out story `number` and write it to `folder`, if one is given."""
    timeline = lay_out(STORIES[number], Narrator())
    if folder is not None:
        write(timeline, folder)
    return truth(timeline)


def fill_gold(questions: list[dict[str, Any]], rows: list[Truth]) -> list[dict[str, Any]]:
    """Give every question its gold moments from the truth rows that its `evidence` names.

    An evidence is "video_id#id", or "video_id#first..last" for neighbouring utterances.
    """
    known = {f"{row.video_id}#{row.id}": row for row in rows}
    filled = []
    for question in questions:
        gold = []
        for evidence in question["evidence"]:
            video_id, _, identifiers = evidence.partition("#")
            found = [known[f"{video_id}#{one}"] for one in identifiers.split("..")]
            gold.append({"video_id": video_id, "start": found[0].start, "end": found[-1].end})
        filled.append({**question, "gold": gold})
    return filled


def _write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--times", action="store_true", help="only times, no video")
    folder = None if parser.parse_args().times else HERE / "videos"
    if folder is not None:
        folder.mkdir(exist_ok=True)
    # A fresh process per video: espeak-ng's state must not carry over from one to the next.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=fresh, max_tasks_per_child=1) as pool:
        count = len(STORIES)
        made = list(pool.map(make, range(count), [folder] * count))
    rows = [row for rows in made for row in rows]
    _write_rows(HERE / "truth.jsonl", [asdict(row) for row in rows])
    path = HERE / "questions.jsonl"
    questions = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    _write_rows(path, fill_gold(questions, rows))


if __name__ == "__main__":
    main()

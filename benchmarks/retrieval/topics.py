"""How complete lists over a whole collection are, for topics that are named by many words.

    python -m benchmarks.retrieval.topics SET...

A SET is a collection folder as for `benchmarks.retrieval`; its name chooses the topics in
topics.jsonl: {"collection","looked_for","mention"}, where `mention` is a regular expression of all
the ways in which the topic may be put. They were written for the three reference sets.

Scoring: a passage is right when its text has a mention. Where the corpus is captions, which never
say everything, videos are judged instead of passages, and a video is right as well when one of the
questions about it has a mention: those are a second annotator's captions. Precision, recall and F1
are means over topics with 95% bootstrap intervals, of `matches` (what `search --all` lists) and of
the passages that hold all words of the topic; the gain in F1 is paired. The weights of `matches`
were chosen on these topics: a figure for them is no held-out figure.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from pipeline.evaluate.metrics import estimates
from pipeline.library import Library
from pipeline.retrieve.exhaustive import matches
from pipeline.retrieve.sought import sought
from pipeline.settings import load_settings
from pipeline.types import SOURCES

TOPICS = Path(__file__).with_name("topics.jsonl")
MEASURES = ("precision", "recall", "F1")


def rows(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]


def judged(found: set[int], right: set[int]) -> tuple[float, float, float]:
    both = len(found & right)
    precision = both / len(found) if found else 1.0
    recall = both / len(right)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


class Collection:
    """One collection in a library, and which of its passages or videos mention something."""

    def __init__(self, folder: Path, library: Library) -> None:
        library.import_rows(folder / "corpus.jsonl")
        self.index, self.embedder = library.index(), library.embedder()
        table = self.index.table
        self.texts = self.index.texts(np.arange(len(table)))
        self.by_video = bool((table.source == SOURCES.index("caption")).mean() > 0.5)
        said = {row["qid"]: row["text"] for row in rows(folder / "queries.jsonl")}
        self.told: dict[str, list[str]] = defaultdict(list)
        for row in rows(folder / "qrels.jsonl"):
            self.told[row["video_id"]].append(said[row["qid"]])

    def judged_as(self, positions: np.ndarray) -> set[int]:
        return set((self.index.table.video[positions] if self.by_video else positions).tolist())

    def right(self, mention: re.Pattern[str]) -> set[int]:
        right = self.judged_as(np.flatnonzero([bool(mention.search(t)) for t in self.texts]))
        if self.by_video:
            for number, video_id in enumerate(self.index.table.videos):
                if any(mention.search(text) for text in self.told[video_id]):
                    right.add(number)
        return right

    def measured(self, topic: dict[str, str]) -> tuple[list[float], list[float]] | None:
        """(matches, all words), three measures each; None where nothing mentions the topic."""
        right = self.right(re.compile(topic["mention"], re.IGNORECASE))
        if not right:
            return None
        found = matches(self.index, self.embedder, sought(topic["looked_for"])).positions
        words = self.all_words(topic["looked_for"])
        return list(judged(self.judged_as(found), right)), list(judged(words, right))

    def all_words(self, text: str) -> set[int]:
        alternatives = [
            set.intersection(*(self.holding(word) for word in alternative.words))
            for alternative in sought(text).alternatives
        ]
        return self.judged_as(np.array(sorted(set().union(*alternatives)), np.int64))

    def holding(self, word: str) -> set[int]:
        return set(self.index.words([word], len(self.texts))[0][0].tolist())


def bracket(values: np.ndarray) -> str:
    (estimate,) = estimates(values[:, None])
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def report(name: str, folder: Path) -> None:
    topics = [topic for topic in rows(TOPICS) if topic["collection"] == name]
    with tempfile.TemporaryDirectory() as scratch:
        settings = load_settings({"profile": "embedded"}, environment={}, folder=Path(scratch))
        with Library(Path(scratch) / "library", settings) as library:
            collection = Collection(folder, library)
            measured = [m for topic in topics if (m := collection.measured(topic))]
    print(f"{name}: {len(measured)} topics")
    for place, system in enumerate(("search --all", "all words")):
        values = np.array([row[place] for row in measured])
        told = "  ".join(f"{m} {bracket(values[:, i])}" for i, m in enumerate(MEASURES))
        print(f"  {system:14}{told}")
    gain = np.array([ours[2] - words[2] for ours, words in measured])
    print(f"  {'gain in F1':14}{bracket(gain)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET")
    for folder in parser.parse_args().sets:
        report(folder.name, folder)


if __name__ == "__main__":
    main()

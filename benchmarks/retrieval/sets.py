"""Collections of questions with their library.

A collection is a folder with `corpus.jsonl` (the rows of `footnote import`), `queries.jsonl`,
`qrels.jsonl` and, where hypothetical passages were recorded, `expansions.jsonl`. Its library is
made once, under the folder of the report, and again when the corpus or Footnote's own way of
storing text has changed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline import __version__
from pipeline.errors import UsageError
from pipeline.evaluate.questions import Question, read_questions
from pipeline.library import Library
from pipeline.settings import Settings
from pipeline.store.schema import VERSION
from pipeline.types import Embedder, Vectors

SEED = 20


@dataclass(frozen=True, slots=True)
class Collection:
    name: str
    folder: Path

    @property
    def corpus(self) -> Path:
        return self.folder / "corpus.jsonl"

    @property
    def expansions(self) -> Path | None:
        file = self.folder / "expansions.jsonl"
        return file if file.exists() else None

    def questions(self, most: int) -> dict[str, list[Question]]:
        """Questions by condition: `recorded` with hypothetical passages, `alone` without.

        `alone` has the recorded questions and, up to `most` in all, others drawn at random; every
        question there is where nothing was recorded and `most` is 0.
        """
        queries, qrels = self.folder / "queries.jsonl", self.folder / "qrels.jsonl"
        every = read_questions(queries, qrels)
        found = read_questions(queries, qrels, self.expansions) if self.expansions else []
        recorded = [question for question in found if question.hypothetical]
        chosen = {question.qid for question in recorded}
        others = [question for question in every if question.qid not in chosen]
        wanted = max(0, most - len(recorded)) if most or recorded else len(others)
        drawn = np.random.default_rng(SEED).permutation(len(others))[:wanted]
        chosen |= {others[i].qid for i in drawn.tolist()}
        alone = [replace(q, hypothetical=()) for q in every if q.qid in chosen]
        return {"recorded": recorded, "alone": alone} if recorded else {"alone": alone}


def find_collections(folders: Sequence[Path]) -> list[Collection]:
    """Raises `UsageError` for a folder without the three files, or two of one name."""
    found: dict[str, Collection] = {}
    for folder in folders:
        missing = [
            name
            for name in ("corpus.jsonl", "queries.jsonl", "qrels.jsonl")
            if not (folder / name).is_file()
        ]
        if missing:
            raise UsageError(f"{folder} has no {missing[0]}", "see benchmarks/README.md")
        name = folder.resolve().name
        if name in found:
            raise UsageError(f"two collections are called {name}", "rename a folder")
        found[name] = Collection(name, folder)
    return list(found.values())


class Remembered:
    """An embedder that embeds the same texts once: every system asks the same questions."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[tuple[str, ...], Vectors] = {}
        self.name, self.dimension = embedder.name, embedder.dimension
        self.max_tokens = embedder.max_tokens

    def embed(self, texts: Sequence[str]) -> Vectors:
        key = tuple(texts)
        if key not in self._known:
            self._known[key] = self._embedder.embed(texts)
        return self._known[key]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count_tokens(texts)


@contextmanager
def open_library(collection: Collection, out: Path, settings: Settings) -> Iterator[Library]:
    """The collection's library under `out`; imported first where it is not there as it should."""
    folder = out / "libraries" / collection.name
    stamp = folder.with_suffix(".json")
    wanted = _stamp(collection.corpus, settings)
    if not stamp.exists() or json.loads(stamp.read_text("utf-8")) != wanted:
        _import(collection, folder, settings)
        stamp.write_text(json.dumps(wanted), encoding="utf-8")
    settings = settings.model_copy(update={"library": folder})
    with Library(settings=settings, create=False) as library:
        embedder = Remembered(library.embedder())
    with Library(settings=settings, create=False, embedder=embedder) as library:
        yield library


def _import(collection: Collection, folder: Path, settings: Settings) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with Library(folder, settings) as library:
        result = library.import_rows(collection.corpus)
    if result.errors:
        line, message = result.errors[0]
        raise UsageError(f"{collection.corpus}: line {line}: {message}", "correct the file")


def _stamp(corpus: Path, settings: Settings) -> dict[str, object]:
    """What a library is made of."""
    with corpus.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "corpus": digest,
        "footnote": __version__,
        "schema": VERSION,
        "embedding": settings.embedding_model,
        "passage_seconds": settings.passage_seconds,
    }

"""The index of words, for searching: BM25 by Tantivy over the terms that `analysis` makes.

Questions become term queries, never parsed text, so nothing a user types is an error. Documents
hold no text, only terms, the row and what filters ask for. `word_writer` keeps it up to date.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import IndexDamaged
from pipeline.store.analysis import VERSION
from pipeline.store.stamps import Stamp, read_state, stamp_of, while_it_moves

Rows = NDArray[np.int64]
Scores = NDArray[np.float64]

STATE = "state.json"
_TIE = 1e-5  # BM25 scores this near are equal: Tantivy sums float32 in an order of its own
_SPARE = 32  # hits beyond those asked for, to see where a tie at the cut ends
_CAUTION = 0.8  # expect less than promised: trying again costs more than some hits too many


@dataclass(frozen=True, slots=True)
class Sieve:
    """A filter made by `restriction`, and what part of what it lets through is wanted."""

    only: Any = None
    expected: float = 1.0


class WordIndex:
    """A snapshot of the index of words, for searching. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        """Open what lies in `folder` (the library's `index/words`), empty when nothing does.

        Raises `IndexDamaged` when Tantivy cannot read what is there.
        """
        self.stamp: Stamp
        self.languages: tuple[str, ...]  # that its passages are stemmed in
        self._folder = folder
        try:
            with panics_named(folder):
                self.stamp, self.languages, self._searcher = while_it_moves(
                    folder / STATE, lambda: _open(folder)
                )
        except (OSError, ValueError) as error:
            raise IndexDamaged(
                f"the index of words in {folder} is damaged: {error}", "footnote doctor --repair"
            ) from error

    def __len__(self) -> int:
        return 0 if self._searcher is None else int(self._searcher.num_docs)

    def best(
        self,
        terms: Counter[str],
        count: int,
        *,
        keep: Callable[[Rows], NDArray[np.bool_]] | None = None,
        sieves: Iterable[Sieve] = (Sieve(),),
    ) -> tuple[Rows, Scores]:
        """Rows and BM25 scores of the best `count` documents, score descending, ties by row.

        `keep` says which of the rows found are wanted. The sieves are tried in turn, each as
        deep as it promises to be enough, the last one ever deeper: the answer is exact however
        wrong their promises are.
        """
        rows, scores = np.zeros(0, np.int64), np.zeros(0, np.float64)
        if not len(self) or not terms or count < 1:
            return rows, scores
        for sieve, limit in self._tries(sieves, count):
            found, values = self._hits(_query(terms, sieve.only), limit)
            wanted = slice(None) if keep is None else keep(found)
            rows, scores = found[wanted], values[wanted]
            # Below the last hit nothing is known: it must be worse than the last one taken.
            enough = len(rows) >= count and values[-1] < scores[count - 1] - _TIE
            if enough or len(found) < limit:
                break
        order = _ranked(rows, scores)[:count]
        return rows[order], scores[order]

    def rarity(self, terms: Sequence[str]) -> Scores:
        """(t,) the inverse document frequency of terms, as BM25 here weighs them (Robertson and
        Zaragoza 2009, "The Probabilistic Relevance Framework", with Lucene's + 1)."""
        if self._searcher is None:
            return np.zeros(len(terms))
        with panics_named(self._folder):
            found = [self._searcher.doc_freq("terms", term) for term in terms]
        holding = np.array(found, np.float64)
        return np.log1p((len(self) - holding + 0.5) / (holding + 0.5))

    def _tries(self, sieves: Iterable[Sieve], count: int) -> Iterator[tuple[Sieve, int]]:
        limit, sieve = len(self), Sieve()
        for sieve in sieves:
            limit = int(count / (_CAUTION * sieve.expected)) + _SPARE
            yield sieve, min(limit, len(self))
        while limit < len(self):
            limit *= 4
            yield sieve, min(limit, len(self))

    def _hits(self, query: Any, limit: int) -> tuple[Rows, Scores]:
        with panics_named(self._folder):
            hits = self._searcher.search(query, limit, count=False).hits
            rows = self._searcher.fast_field_values("row", [address for _, address in hits])
        return np.array(rows, np.int64), np.array([score for score, _ in hits], np.float64)


@contextmanager
def panics_named(folder: Path) -> Iterator[None]:
    """Turn a panic of Tantivy over damaged files, which is no `Exception`, into `IndexDamaged`."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise IndexDamaged(
            f"the index of words in {folder} is damaged", "footnote doctor --repair"
        ) from error


def restriction(
    *,
    videos: Sequence[int] | None = None,
    sources: Sequence[int] | None = None,
    rows: Sequence[int] | None = None,
) -> Any:
    """A filter: passages of these video numbers, source codes and rows; None restricts nothing.

    Videos and sources cost little, however many; rows cost time in proportion to their spread.
    """
    import tantivy

    filters = [
        tantivy.Query.const_score_query(
            tantivy.Query.term_set_query(schema(), field, [int(value) for value in values]), 0.0
        )
        for field, values in (("video", videos), ("source", sources), ("row", rows))
        if values is not None
    ]
    return filters or None


def _open(folder: Path) -> tuple[Stamp, tuple[str, ...], Any]:
    """Stamp and languages, read first so that the searcher is never older; a searcher or None."""
    state = usable_state(folder)
    if not state:
        return stamp_of(state), (), None
    data = folder / state["data"]
    opened = snapshot(open_tantivy(data)) if os.access(data, os.W_OK) else _read_only_snapshot(data)
    return stamp_of(state), tuple(state["languages"]), opened


def open_tantivy(data: Path) -> Any:
    import tantivy

    return tantivy.Index.open(str(data))


def _read_only_snapshot(data: Path) -> Any:
    """Tantivy makes a lock file to open an index: let it, beside links to the real files."""
    with tempfile.TemporaryDirectory() as aside:
        for file in data.glob("[!.]*"):
            (Path(aside) / file.name).symlink_to(file.absolute())
        return snapshot(open_tantivy(Path(aside)))  # which maps every file before the links go


def snapshot(index: Any) -> Any:
    """A snapshot: it does not follow later commits, and no thread watches for them."""
    index.config_reader("manual")
    index.reload()
    return index.searcher()


def usable_state(folder: Path) -> dict[str, Any]:
    """The state of the index in `folder`; empty when there is none that can be used."""
    state = read_state(folder / STATE)
    if not state or state["analysis"] != VERSION:
        return {}
    return state if (folder / state["data"] / "meta.json").is_file() else {}


@functools.cache
def schema() -> Any:
    import tantivy

    # Signed columns: Tantivy's Python refuses plain integers in unsigned ones.
    return (
        tantivy.SchemaBuilder()
        .add_text_field("terms", tokenizer_name="whitespace", index_option="freq")
        .add_integer_field("row", fast=True, indexed=True)
        .add_integer_field("video", indexed=True)
        .add_integer_field("source", indexed=True)
        .build()
    )


def _query(terms: Counter[str], only: Any) -> Any:
    """Any of the terms, each weighted by how often it was said.

    Every term is boosted, be it by 1.0: Tantivy then adds up whole posting lists, which for the
    hundred words of a hypothetical passage is three times as fast as its block-max WAND.
    """
    from tantivy import Occur, Query

    weighted = [
        (Occur.Should, Query.boost_query(Query.term_query(schema(), "terms", t, "freq"), float(n)))
        for t, n in sorted(terms.items())
    ]
    query = Query.boolean_query(weighted)
    if only is None:
        return query
    return Query.boolean_query([(Occur.Must, part) for part in (query, *only)])


def _ranked(rows: Rows, scores: Scores) -> NDArray[np.int64]:
    """Order by score, descending; scores that differ by rounding only, by row."""
    order = np.argsort(-scores, kind="stable")
    group = np.cumsum(np.diff(scores[order], prepend=scores[order][:1]) < -_TIE)
    return order[np.lexsort((rows[order], group))]

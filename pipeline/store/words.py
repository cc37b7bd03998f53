"""The index of words: BM25 by Tantivy over the terms that `analysis` makes of the passages.

Questions become term queries, never parsed text, so nothing a user types is an error. Documents
hold no text, only terms, the row and what filters ask for. Tantivy counts deleted documents in
its statistics until it merges them away, and cannot be told to: when too many are dead the index
is written anew from the catalog, without a model, into a folder that then takes the old one's
place (300,000 passages: under a minute).
"""

from __future__ import annotations

import functools
import json
import logging
import os
import secrets
import shutil
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
from pipeline.store.analysis import DEFAULT_LANGUAGE, VERSION, passage_terms
from pipeline.store.catalog import Catalog
from pipeline.store.passages import PassageBatch
from pipeline.store.stamps import Stamp, read_state, stamp_of, while_it_moves, write_state

Rows = NDArray[np.int64]
Scores = NDArray[np.float64]
_Added = tuple[int, set[str]]  # the last row that was added, the languages of what was

_log = logging.getLogger(__name__)

_STATE = "state.json"
_SMALL = 5_000  # documents; so few are rewritten for a single dead one
_DEAD_SHARE = 0.02  # of larger indexes
_HEAP_BYTES = 60_000_000
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
        try:
            self.stamp, self.languages, self._searcher = while_it_moves(
                folder / _STATE, lambda: _open(folder)
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
        sieves: Sequence[Sieve] = (Sieve(),),
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

    def _tries(self, sieves: Sequence[Sieve], count: int) -> Iterator[tuple[Sieve, int]]:
        limit = 0
        for sieve in sieves:
            limit = int(count / (_CAUTION * sieve.expected)) + _SPARE
            yield sieve, min(limit, len(self))
        while limit < len(self):
            limit *= 4
            yield sieves[-1], min(limit, len(self))

    def _hits(self, query: Any, limit: int) -> tuple[Rows, Scores]:
        hits = self._searcher.search(query, limit, count=False).hits
        rows = self._searcher.fast_field_values("row", [address for _, address in hits])
        return np.array(rows, np.int64), np.array([score for score, _ in hits], np.float64)


class WordIndexWriter:
    """Brings the index of words to the catalog's generation. Hold the library's lock."""

    name = "words"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def stamp(self) -> Stamp:
        return stamp_of(_usable_state(self.folder))

    def advance(self, catalog: Catalog, target: int) -> None:
        """Bring the index to generation `target`; safe to repeat after a crash anywhere."""
        state = _usable_state(self.folder)
        stamp = stamp_of(state)
        if stamp.epoch != catalog.epoch() or stamp.generation > target:
            return self._rewrite(catalog, target)
        data = self.folder / state["data"]
        try:
            last_row, languages = self._extend(data, catalog, stamp, target)
        except ValueError as error:  # Tantivy's only error
            _log.warning("%s is damaged (%s) and is built anew", data, error)
            return self._rewrite(catalog, target)
        languages |= set(state["languages"])
        self._record(state["data"], Stamp(stamp.epoch, target, last_row), languages)
        live, dead = _document_counts(data)
        if dead and (live <= _SMALL or dead > _DEAD_SHARE * live):
            self._rewrite(catalog, target)

    def remove(self) -> None:
        """Delete the index; it is then built anew."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _extend(self, data: Path, catalog: Catalog, stamp: Stamp, target: int) -> _Added:
        import tantivy

        index = _index(data)
        removed = catalog.removed_since(stamp.generation, target)
        batches = catalog.passages_after(stamp.last_row, target, vectors=False)
        with _writing(index) as writer:
            if _has_rows_after(index, stamp.last_row):  # written just before a crash
                writer.delete_documents_by_query(_rows_after(stamp.last_row))
            if len(removed):
                writer.delete_documents_by_query(
                    tantivy.Query.term_set_query(_schema(), "row", removed.tolist())
                )
            return _add(writer, batches, stamp.last_row)

    def _rewrite(self, catalog: Catalog, target: int) -> None:
        import tantivy

        epoch = catalog.epoch()
        name = f"data-{secrets.token_hex(4)}"
        data = self.folder / name
        data.mkdir(parents=True)
        with _writing(tantivy.Index(_schema(), path=str(data))) as writer:
            batches = catalog.passages_after(0, target, vectors=False)
            last_row, languages = _add(writer, batches, 0)
        self._record(name, Stamp(epoch, target, last_row), languages)
        for other in self.folder.glob("data-*"):
            if other != data:
                shutil.rmtree(other)

    def _record(self, data: str, stamp: Stamp, languages: set[str]) -> None:
        write_state(
            self.folder / _STATE,
            {
                "analysis": VERSION,
                "languages": sorted(languages),
                "data": data,
                "epoch": stamp.epoch,
                "generation": stamp.generation,
                "last_row": stamp.last_row,
            },
        )
        # Tantivy makes its list of segments for its owner's eyes only.
        (self.folder / data / "meta.json").chmod((self.folder / _STATE).stat().st_mode)


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
            tantivy.Query.term_set_query(_schema(), field, [int(value) for value in values]), 0.0
        )
        for field, values in (("video", videos), ("source", sources), ("row", rows))
        if values is not None
    ]
    return filters or None


def _open(folder: Path) -> tuple[Stamp, tuple[str, ...], Any]:
    """Stamp and languages, read first so that the searcher is never older; a searcher or None."""
    state = _usable_state(folder)
    if not state:
        return stamp_of(state), (), None
    data = folder / state["data"]
    opened = _searcher(_index(data)) if os.access(data, os.W_OK) else _read_only_searcher(data)
    return stamp_of(state), tuple(state["languages"]), opened


def _index(data: Path) -> Any:
    import tantivy

    return tantivy.Index.open(str(data))


def _read_only_searcher(data: Path) -> Any:
    """Tantivy makes a lock file to open an index: let it, beside links to the real files."""
    with tempfile.TemporaryDirectory() as aside:
        for file in data.glob("[!.]*"):
            (Path(aside) / file.name).symlink_to(file.absolute())
        return _searcher(_index(Path(aside)))  # which maps every file before the links go


def _searcher(index: Any) -> Any:
    """A snapshot: it does not follow later commits, and no thread watches for them."""
    index.config_reader("manual")
    index.reload()
    return index.searcher()


def _usable_state(folder: Path) -> dict[str, Any]:
    """The state of the index in `folder`; empty when there is none that can be used."""
    state = read_state(folder / _STATE)
    if not state or state["analysis"] != VERSION:
        return {}
    return state if (folder / state["data"] / "meta.json").is_file() else {}


@functools.cache
def _schema() -> Any:
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
        (Occur.Should, Query.boost_query(Query.term_query(_schema(), "terms", t, "freq"), float(n)))
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


@contextmanager
def _writing(index: Any) -> Iterator[Any]:
    """A writer whose documents are on disk, and whose merges are done, when it ends well.

    One thread: documents then lie in row order, and filters by video skip whole stretches.
    """
    writer = index.writer(heap_size=_HEAP_BYTES, num_threads=1)
    try:
        yield writer
        writer.commit()
    except BaseException:
        writer.rollback()
        raise
    finally:
        writer.wait_merging_threads()


def _add(writer: Any, batches: Iterable[PassageBatch], last_row: int) -> _Added:
    import tantivy

    languages: set[str] = set()
    for batch in batches:
        columns = (batch.rows.tolist(), batch.video.tolist(), batch.source.tolist())
        for row, video, source, text, language in zip(
            *columns, batch.texts, batch.languages, strict=True
        ):
            terms = " ".join(passage_terms(text, language))
            writer.add_document(tantivy.Document(terms=terms, row=row, video=video, source=source))
        last_row = int(batch.rows[-1])
        languages |= {language or DEFAULT_LANGUAGE for language in batch.languages}
    return last_row, languages


def _rows_after(row: int) -> Any:
    from tantivy import FieldType, Query

    return Query.range_query(_schema(), "row", FieldType.Integer, row + 1, 2**62)


def _has_rows_after(index: Any, row: int) -> bool:
    return bool(_searcher(index).search(_rows_after(row), 1, count=False).hits)


def _document_counts(data: Path) -> tuple[int, int]:
    """(living, dead) documents, as Tantivy's own record of its segments has them."""
    segments = json.loads((data / "meta.json").read_text(encoding="utf-8"))["segments"]
    dead = sum((segment["deletes"] or {}).get("num_deleted_docs", 0) for segment in segments)
    return sum(segment["max_doc"] for segment in segments) - dead, dead

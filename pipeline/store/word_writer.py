"""Keeping the index of words up to date with the catalog.

Tantivy counts deleted documents in its statistics until it merges them away, and cannot be told
to: when too many are dead the index is written anew from the catalog, without a model, into a
folder that then takes the old one's place (300,000 passages: half a minute).

Chapters and summaries say again what lies underneath, in few words. They have an index of their
own: in the statistics of what was perceived they would count every word of theirs twice, which
alone cost .012 of MRR@10 on tutorials (.002 to .023).
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.store.analysis import DEFAULT_LANGUAGE, VERSION, passage_terms
from pipeline.store.catalog import Catalog
from pipeline.store.passages import PassageBatch
from pipeline.store.stamps import Stamp, stamp_of, write_state
from pipeline.store.words import STATE, open_tantivy, schema, snapshot, usable_state
from pipeline.types import SOURCES, Source

_log = logging.getLogger(__name__)

_SMALL = 5_000  # documents; so few are rewritten for a single dead one
_DEAD_SHARE = 0.02  # of larger indexes
_HEAP_BYTES = 60_000_000
_Added = tuple[int, set[str]]  # the last row that was added, the languages of what was


class WordIndexWriter:
    """Brings an index of the words of some sources to the catalog's generation. Hold the lock.

    `name` is what `footnote doctor` calls it.
    """

    def __init__(self, folder: Path, sources: Collection[Source], name: str = "words") -> None:
        self.folder = folder
        self.name = name
        self.sources = frozenset(sources)
        self._codes = frozenset(SOURCES.index(source) for source in sources)

    def stamp(self) -> Stamp:
        return stamp_of(usable_state(self.folder))

    def advance(self, catalog: Catalog, target: int) -> None:
        """Bring the index to generation `target`; safe to repeat after a crash anywhere."""
        state = usable_state(self.folder)
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

        index = open_tantivy(data)
        removed = catalog.removed_since(stamp.generation, target)
        batches = catalog.passages_after(stamp.last_row, target, vectors=False)
        with _writing(index) as writer:
            if _has_rows_after(index, stamp.last_row):  # written just before a crash
                writer.delete_documents_by_query(_rows_after(stamp.last_row))
            if len(removed):
                writer.delete_documents_by_query(
                    tantivy.Query.term_set_query(schema(), "row", removed.tolist())
                )
            return _add(writer, batches, self._codes, stamp.last_row)

    def _rewrite(self, catalog: Catalog, target: int) -> None:
        import tantivy

        epoch = catalog.epoch()
        name = f"data-{secrets.token_hex(4)}"
        data = self.folder / name
        data.mkdir(parents=True)
        with _writing(tantivy.Index(schema(), path=str(data))) as writer:
            batches = catalog.passages_after(0, target, vectors=False)
            last_row, languages = _add(writer, batches, self._codes, 0)
        self._record(name, Stamp(epoch, target, last_row), languages)
        for other in self.folder.glob("data-*"):
            if other != data:
                shutil.rmtree(other)

    def _record(self, data: str, stamp: Stamp, languages: set[str]) -> None:
        write_state(
            self.folder / STATE,
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
        (self.folder / data / "meta.json").chmod((self.folder / STATE).stat().st_mode)


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


def _add(
    writer: Any, batches: Iterable[PassageBatch], codes: Collection[int], last_row: int
) -> _Added:
    """Add the passages whose source is among `codes`."""
    import tantivy

    languages: set[str] = set()
    for batch in batches:
        columns = (batch.rows.tolist(), batch.video.tolist(), batch.source.tolist())
        for row, video, source, text, language in zip(
            *columns, batch.texts, batch.languages, strict=True
        ):
            if source not in codes:
                continue
            terms = " ".join(passage_terms(text, language))
            writer.add_document(tantivy.Document(terms=terms, row=row, video=video, source=source))
            languages.add(language or DEFAULT_LANGUAGE)
        last_row = int(batch.rows[-1])
    return last_row, languages


def _rows_after(row: int) -> Any:
    from tantivy import FieldType, Query

    return Query.range_query(schema(), "row", FieldType.Integer, row + 1, 2**62)


def _has_rows_after(index: Any, row: int) -> bool:
    return bool(snapshot(index).search(_rows_after(row), 1, count=False).hits)


def _document_counts(data: Path) -> tuple[int, int]:
    """(living, dead) documents, as Tantivy's own record of its segments has them."""
    segments = json.loads((data / "meta.json").read_text(encoding="utf-8"))["segments"]
    dead = sum((segment["deletes"] or {}).get("num_deleted_docs", 0) for segment in segments)
    return sum(segment["max_doc"] for segment in segments) - dead, dead

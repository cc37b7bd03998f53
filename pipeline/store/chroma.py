"""Passages, or key frames, in Chroma: embedded in the library, or on a server.

The collection holds every passage with its vector, text, video, source and times, so that it is
of use to anyone who opens it with Chroma itself. That of the key frames holds vectors, videos and
times. What is said of passages below goes for either.

An embedded Chroma knows nothing of other processes: it answers from what it loaded when it was
opened, and two writers damage it without a sign. So a writer holds the library's lock, opens
the database anew when another process wrote since, and leaves a mark while at work that tells of
a crash. A reader keeps what it has open while little is missing from it: rows never change,
newer ones are scored exactly, and deleted ones are dropped by the caller.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import FootnoteError, IndexDamaged, ModelUnavailable
from pipeline.store.catalog import Catalog
from pipeline.store.examine import examined_in_child
from pipeline.store.indexed_rows import Content, IndexedRows
from pipeline.store.lock import LibraryBusy
from pipeline.store.stamps import Stamp, read_state, stamp_of, write_state
from pipeline.types import Vectors

MOST_NEIGHBOURS = 500
# By default, ef_search 100, it finds .82 of the true 300 nearest of 60,000 passages.
_HNSW = {"space": "cosine", "ef_construction": 100, "ef_search": 2 * MOST_NEIGHBOURS}
_BATCH_ROWS = 5000  # Chroma takes 5461 at most
LAG_ROWS = 5000  # so many can be scored exactly beside it in about a millisecond
_SAMPLE = 100
_FOUND = 0.98  # of a sound graph; a damaged one finds .66 to .89
_SAME = 1e-4  # cosine distance of a vector to itself, rounding included
_RETRY_SECONDS = 10.0
_STATE = "footnote.json"

_log = logging.getLogger(__name__)


class ChromaVectors(ABC):
    """A collection in Chroma, for reading and, under the library's lock, for writing.

    One object serves all threads of a process. The stamp file in `folder` holds, besides the
    stamp: `visit`, a token of the last writer's visit; `busy`, true while a writer is at work and
    after it was killed; `count` and `dimension` of the collection.
    """

    name: str
    url = ""  # of the server, "" for an embedded database

    def __init__(self, folder: Path, content: Content) -> None:
        self.folder = folder
        self._content = content
        self._guard = threading.RLock()  # who opens, closes or writes
        self._idle = threading.Condition()  # no question is under way
        self._questions = 0
        self._client: Any = None
        self._collection: Any = None
        self._visit = ""  # that the open client knows of
        self._opened = Stamp()  # what the open client holds
        self._retry_at = 0.0

    @abstractmethod
    def _connect(self) -> Any:
        """A new Chroma client that knows all that was written so far."""

    def _disconnect(self, client: Any) -> None:
        client.close()

    @abstractmethod
    def _erase(self, state: Mapping[str, Any]) -> None:
        """Delete everything that `state` tells of. No client is open."""

    @abstractmethod
    def _collection_name(self, epoch: str) -> str: ...

    def _flush(self) -> None:  # noqa: B027  a server does it itself
        """Have what was written on disk before the stamp says so."""

    def _forget_log(self, ids: Sequence[str]) -> None:  # noqa: B027  a server's log is its own
        """Take the text of deleted passages out of what Chroma has yet to replay."""

    def _may_open(self) -> AbstractContextManager[None]:
        """Held while a reader opens the collection; raises `LibraryBusy`."""
        return nullcontext()

    # ------------------------------------------------ reading

    def stamp(self) -> Stamp:
        """How far the index has come; nowhere while a crash has left that in doubt."""
        state = self._state()
        return stamp_of({} if state.get("busy") else state)

    def ready(self) -> Stamp | None:
        """What `nearest` would answer from now; None when Chroma cannot be opened now.

        It cannot while another process writes, after a writer was killed, on a read-only disk,
        and when a server is down. The caller then takes the exact product. Does not wait.
        """
        state = self._state()
        usable = self._collection is not None and state.get("epoch") == self._opened.epoch
        recent = usable and state["last_row"] - self._opened.last_row < LAG_ROWS
        may_open = state and not state["busy"] and time.monotonic() >= self._retry_at
        if not recent and may_open and self._guard.acquire(blocking=False):
            try:
                usable = self._opened_for_reading()
            finally:
                self._guard.release()
        return self._opened if usable else None

    def nearest(self, vectors: Vectors, count: int) -> NDArray[np.int64]:
        """See `VectorIndex`; `count` is at most `MOST_NEIGHBOURS`.

        Raises `ModelUnavailable` when Chroma fails, or is not open: call `ready` before.
        """
        with self._question() as collection, _named(ModelUnavailable, self.name):
            found = collection.query(
                query_embeddings=np.ascontiguousarray(vectors, np.float32),
                n_results=min(count, MOST_NEIGHBOURS),
                include=[],
            )
        return np.array(sorted({int(row) for rows in found["ids"] for row in rows}), np.int64)

    def close(self) -> None:
        with self._guard, self._idle:
            self._idle.wait_for(lambda: self._questions == 0)
            if self._client is not None:
                self._disconnect(self._client)
            self._client = self._collection = None
            self._visit, self._opened = "", Stamp()

    @contextmanager
    def _question(self) -> Iterator[Any]:
        """The collection, which is not closed meanwhile. Questions do not wait for a writer."""
        with self._idle:
            collection = self._collection
            if collection is None:
                raise ModelUnavailable(f"{self.name} is not open")
            self._questions += 1
        try:
            yield collection
        finally:
            with self._idle:
                self._questions -= 1
                self._idle.notify_all()

    def _opened_for_reading(self) -> bool:
        try:
            with _named(ModelUnavailable, self.name), self._may_open():
                state = self._state()
                if not state or state["busy"]:
                    return False
                self._open(state)
                if state["count"]:  # loads what would else be loaded later, without the lock
                    self.nearest(np.ones((1, state["dimension"]), np.float32), 1)
                return True
        except LibraryBusy:
            return False
        except ModelUnavailable as error:
            _log.info("searching without Chroma: %s", error)
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            return False

    # ------------------------------------------------ writing

    def advance(self, catalog: Catalog, target: int) -> None:
        """Bring the collection towards generation `target`, by one batch. Hold the lock.

        Safe to repeat after a crash anywhere: ids that are there are not added again. Raises
        `IndexDamaged` when Chroma fails.
        """
        rows = self._content(catalog)
        with self._guard, _named(IndexDamaged, self.name):
            state = self._state()
            if not state or state["epoch"] != rows.epoch() or state["generation"] > target:
                state = self._begin(rows.epoch(), state)
            elif state["busy"] or state["visit"] != self._visit:
                state = self._resume(state, catalog)
            self._write(state, rows, target)

    def remove(self) -> None:
        """Delete the collection; it is then built anew."""
        with self._guard:
            state = self._state()
            self.close()
            (self.folder / _STATE).unlink(missing_ok=True)  # first, lest a crash leave it alone
            self._erase(state)

    def wrong(self, catalog: Catalog) -> str:
        """What is wrong with the collection, "" when nothing is found. Hold the lock.

        Looked at in a child process: Chroma's own code ends a process that opens a graph which
        was cut off while it was written.
        """
        with self._guard:
            self.close()
            if not self._state():
                return "there is none"
            return examined_in_child(catalog.folder, self.url, self._content(catalog).noun)

    def examine(self, catalog: Catalog) -> str:
        """Compare the collection with the catalog: its size, and whether passages find themselves.

        A random sample, and the rows written last, which a crash would have spoilt.
        """
        state, rows = self._state(), self._content(catalog)
        try:
            with _named(IndexDamaged, self.name):
                self._open(state)
                return self._difference(state, rows.noun) or self._unfound(rows, state["last_row"])
        except IndexDamaged as error:
            return error.message

    def _begin(self, epoch: str, old: Mapping[str, Any]) -> dict[str, Any]:
        self.remove()
        if old.get("epoch") != epoch:
            self._erase({"epoch": epoch})  # left by a library whose stamp was lost
        self._client = self._connect()
        self._collection = self._client.create_collection(
            self._collection_name(epoch), configuration={"hnsw": _HNSW}, embedding_function=None
        )
        state = {"epoch": epoch, "generation": 0, "last_row": 0, "count": 0, "dimension": 0}
        return self._mark(state, busy=False)

    def _resume(self, state: dict[str, Any], catalog: Catalog) -> dict[str, Any]:
        """Open what another process wrote, or this one before it failed; begin anew if damaged."""
        rows = self._content(catalog)
        try:
            wrong = self.wrong(catalog) if state["busy"] else ""
            if not wrong:
                with _named(IndexDamaged, self.name):
                    self._open(state)
                    wrong = self._difference(state, rows.noun)
        except IndexDamaged as error:
            wrong = error.message
        if not wrong:
            return state
        _log.warning("the collection in %s is built anew: %s", self.name, wrong)
        return self._begin(rows.epoch(), state)

    def _open(self, state: Mapping[str, Any]) -> None:
        self.close()
        self._client = self._connect()
        self._collection = self._client.get_collection(
            self._collection_name(state["epoch"]), embedding_function=None
        )
        self._visit, self._opened = state["visit"], stamp_of(state)

    def _difference(self, state: Mapping[str, Any], noun: str) -> str:
        count = self._collection.count()
        spare = _BATCH_ROWS if state["busy"] else 0  # of a batch whose writer was killed
        if abs(count - state["count"]) > spare:
            return f"it holds {count} {noun}, not {state['count']}"
        return ""

    def _unfound(self, rows: IndexedRows, last_row: int) -> str:
        found = [self._holds(vector) for vector in rows.sample(_SAMPLE, last_row).values()]
        if sum(found) < _FOUND * len(found):
            return f"{len(found) - sum(found)} of {len(found)} {rows.noun} do not find themselves"
        return ""

    def _holds(self, vector: NDArray[np.float32]) -> bool:
        found = self._collection.query(
            query_embeddings=vector[None], n_results=1, include=["distances"]
        )
        return bool(found["distances"][0]) and found["distances"][0][0] < _SAME

    def _write(self, state: dict[str, Any], rows: IndexedRows, target: int) -> None:
        state = self._mark(state, busy=True)
        batch = next(rows.after(state["last_row"], target, _BATCH_ROWS), None)
        finished = batch is None or len(batch) < _BATCH_ROWS
        removed = rows.removed_since(state["generation"], target) if finished else ()
        if batch is not None:
            documents, metadatas = rows.described(batch)
            self._collection.add(
                ids=[str(row) for row in batch.rows],
                embeddings=batch.vectors,
                documents=documents,
                metadatas=metadatas,
            )
            state |= {"last_row": int(batch.rows[-1]), "dimension": batch.vectors.shape[1]}
        for start in range(0, len(removed), _BATCH_ROWS):
            ids = [str(row) for row in removed[start : start + _BATCH_ROWS]]
            self._collection.delete(ids=ids)
            self._forget_log(ids)
        if len(removed) and not self._collection.count():
            # Emptied: begun anew, since its files keep what memory they were written from.
            state = self._begin(state["epoch"], state) | {"last_row": state["last_row"]}
        if finished:
            state["generation"] = target
        self._flush()
        self._mark({**state, "count": self._collection.count()}, busy=False)

    def _mark(self, state: Mapping[str, Any], *, busy: bool) -> dict[str, Any]:
        """Write the stamp file. A writer that begins to write is a new visit."""
        visit = secrets.token_hex(8) if busy or "visit" not in state else state["visit"]
        marked = {**state, "visit": visit, "busy": busy}
        write_state(self.folder / _STATE, marked)
        self._visit, self._opened = visit, stamp_of(marked)
        return marked

    def _state(self) -> dict[str, Any]:
        return read_state(self.folder / _STATE)


@contextmanager
def _named(error: type[FootnoteError], name: str) -> Iterator[None]:
    """Turn Chroma's failures into `error`, those of a connection into `ModelUnavailable`."""
    import httpx
    from chromadb.errors import ChromaError

    try:
        yield
    except httpx.HTTPError as failure:
        message = f"{name} does not answer: {failure}"
        raise ModelUnavailable(message, "see whether the Chroma server is up") from failure
    except (ChromaError, OSError, ValueError) as failure:
        message = f"{name} failed: {type(failure).__name__}: {failure}"
        raise error(message, "footnote doctor --repair") from failure

"""Where a library's Chroma collection can be: embedded in its folder, or on a server."""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import ModelUnavailable, SettingsError
from pipeline.store.chroma import ChromaVectors
from pipeline.store.indexed_rows import Content, FrameRows, PassageRows
from pipeline.store.lock import locked

_PATIENCE_SECONDS = 120.0
_VACUUM_BYTES = 64 << 20  # of the file, about half a second
# Each kind of rows has a collection, a folder and a name of its own; passages were first.
CONTENTS: Mapping[str, Content] = {"passages": PassageRows, "frames": FrameRows}
_PREFIX = {"passages": "", "frames": "frames-"}
_numbers = itertools.count(1)


class ChromaFolder(ChromaVectors):
    """The embedded database in `index/chroma`, or `index/frames-chroma`, of a library."""

    def __init__(self, library: Path, noun: str = "passages") -> None:
        self.name = f"{_PREFIX[noun]}chroma"
        super().__init__(library / "index" / self.name, CONTENTS[noun])
        self._library = library
        self._noun = noun
        # Clients of one path share what they loaded, which no reopening would renew. So every
        # object spells its path in its own way: the bits of its number as "/" and "/.".
        bits = f"{next(_numbers):b}"
        spelling = "".join("/." if bit == "1" else "/" for bit in bits)
        self._path = f"{self.folder.parent.absolute()}{spelling}/{self.folder.name}"

    def _connect(self) -> Any:
        import chromadb

        self.folder.mkdir(parents=True, exist_ok=True)
        quiet = chromadb.Settings(anonymized_telemetry=False)
        return chromadb.PersistentClient(path=self._path, settings=quiet)

    def _erase(self, state: Mapping[str, Any]) -> None:
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _collection_name(self, epoch: str) -> str:
        return self._noun

    def _flush(self) -> None:
        for file in self.folder.rglob("*"):
            if file.is_file():
                with file.open("rb") as opened:
                    os.fsync(opened.fileno())

    def _forget_log(self, ids: Sequence[str]) -> None:
        # Chroma keeps every write, text included, in a table of its SQLite file until a thousand
        # more have come; of a deleted passage it needs only that it was deleted. What Chroma
        # itself deletes it leaves in free pages, hence the VACUUM of a small file.
        file = self.folder / "chroma.sqlite3"
        with closing(sqlite3.connect(file, timeout=_PATIENCE_SECONDS)) as database:
            database.execute("PRAGMA secure_delete = ON")
            with database:
                database.executemany(
                    "UPDATE embeddings_queue SET metadata = NULL WHERE id = ?",
                    [(name,) for name in ids],
                )
            if file.stat().st_size < _VACUUM_BYTES:
                database.execute("VACUUM")

    def _may_open(self) -> AbstractContextManager[None]:
        return locked(self._library, 0, shared=True)


class ChromaServer(ChromaVectors):
    """A collection on a Chroma server. The library keeps only the stamp, in `index/chroma-server`
    or `index/frames-chroma-server`.

    Raises `SettingsError` for a URL that is none.
    """

    def __init__(self, library: Path, url: str, noun: str = "passages") -> None:
        self.name = f"{_PREFIX[noun]}chroma-server"
        super().__init__(library / "index" / self.name, CONTENTS[noun])
        self.url = url
        self._prefix = f"footnote-{_PREFIX[noun]}"
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError(f"chroma = {url!r} is not a URL", "chroma = http://localhost:8000")
        self._ssl = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port or (443 if self._ssl else 8000)

    def _connect(self) -> Any:
        import chromadb

        quiet = chromadb.Settings(anonymized_telemetry=False)
        try:
            client = chromadb.HttpClient(
                host=self._host, port=self._port, ssl=self._ssl, settings=quiet
            )
            _connection(client).timeout = _PATIENCE_SECONDS  # it would wait for ever
            return client
        except ValueError as error:  # what its client makes of a refused connection
            raise ModelUnavailable(
                f"no Chroma server answers at {self.url}",
                "chroma run --path FOLDER, or leave the setting chroma empty",
            ) from error

    def _disconnect(self, client: Any) -> None:
        client.close()
        for one in (client, client._admin_client):  # whose connections it forgets
            _connection(one).close()

    def _erase(self, state: Mapping[str, Any]) -> None:
        from chromadb.errors import NotFoundError

        if state:
            client = self._connect()
            with suppress(NotFoundError):
                client.delete_collection(self._collection_name(state["epoch"]))
            self._disconnect(client)

    def _collection_name(self, epoch: str) -> str:
        return f"{self._prefix}{epoch}"


def _connection(client: Any) -> Any:
    """The `httpx.Client` under a Chroma client, which offers no other way to it."""
    return client._server._session


def open_chroma(library: Path, url: str, noun: str = "passages") -> ChromaVectors:
    """A collection of a library: on the server at `url`, embedded when that is empty.

    `noun` is what it holds: "passages" or "frames".
    """
    return ChromaServer(library, url, noun) if url else ChromaFolder(library, noun)

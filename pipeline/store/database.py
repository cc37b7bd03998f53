"""Connections to `library.db` and the transactions every table is written in.

A pool of connections serves any number of threads: a read borrows one for a single statement, a
transaction keeps one for its thread until it ends. Writes begin IMMEDIATE, so that a transaction
never fails half-way because another process wrote first, and wait up to 30 s for their turn.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from pipeline.errors import FootnoteError, IndexDamaged, LibraryNotFound, UsageError
from pipeline.store.schema import MIGRATIONS, VERSION

DATABASE_FILE = "library.db"
BUSY_SECONDS = 30.0
_PAGE_BYTES = 8192  # five 384-dimensional vectors a page, where SQLite's 4096 holds two
DAMAGED_HINT = "put back a copy of library.db, or move the library away and footnote add again"

Row = tuple[Any, ...]


class Database:
    """The SQLite file of one library. Safe to share between threads.

    Raises `LibraryNotFound` where there is none and `create` is False, `UsageError` for a library
    written by a newer Footnote, `IndexDamaged` for a file that is not a usable database.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        self.path = folder / DATABASE_FILE
        self._idle: list[sqlite3.Connection] = []
        self._open: set[sqlite3.Connection] = set()
        self._watcher: sqlite3.Connection | None = None
        self._guard = threading.Lock()
        self._thread = threading.local()
        self._closed = False
        if not self.path.is_file():
            if not create:
                raise LibraryNotFound(f"there is no library in {folder}", "footnote add PATH")
            folder.mkdir(parents=True, exist_ok=True)
        elif not self.path.stat().st_size and (folder / "index").exists():
            # SQLite would take it for a new library, and a repair would empty the indexes.
            raise IndexDamaged(f"{self.path} is empty, though its indexes are not", DAMAGED_HINT)
        self.read_only = not _writable(folder, self.path)
        try:
            with _damage_named(self.path):
                self._migrate()
        except FootnoteError:
            self.close()
            raise

    def close(self) -> None:
        with self._guard:
            self._closed = True
            for connection in self._open:
                connection.close()
            self._open.clear()
            self._idle.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes of this thread inside it happen together, or not at all.

        Nests: an inner one that fails undoes only its own writes, if its error is caught.
        """
        if self.read_only:
            raise UsageError(f"the library in {self.folder} is read-only", "copy it, or chmod it")
        if self._mine is not None:
            with _scope(
                self._mine, "SAVEPOINT inner", "RELEASE inner", "ROLLBACK TO inner", "RELEASE inner"
            ):
                yield
            return
        with self._borrowed() as connection:
            self._thread.connection = connection
            try:
                with _scope(connection, "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"):
                    yield
            finally:
                self._thread.connection = None

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """The rows of one reading statement."""
        with self._connection() as connection:
            return connection.execute(sql, values).fetchall()

    def value(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first column of the first row, None when there is no row."""
        with self._connection() as connection:
            row = connection.execute(sql, values).fetchone()
        return None if row is None else row[0]

    def write(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one writing statement, in the thread's transaction; the number of rows changed."""
        if self._mine is not None:  # one statement is atomic as it is
            return self._mine.execute(sql, values).rowcount
        with self.transaction(), self._connection() as connection:
            return connection.execute(sql, values).rowcount

    def write_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        with self.transaction(), self._connection() as connection:
            connection.executemany(sql, rows)

    def get_meta(self, key: str, default: str = "") -> str:
        value = self.value("SELECT value FROM meta WHERE key = ?", (key,))
        return default if value is None else str(value)

    def set_meta(self, key: str, value: str) -> None:
        self.write(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (key, value),
        )

    def data_version(self) -> int:
        """Another number than before when anything was committed meanwhile, by any process.

        SQLite tells a connection of the commits of others only: one that never writes is asked.
        """
        with self._guard:
            if self._closed:
                raise FootnoteError(f"the library in {self.folder} was closed")
            if self._watcher is None:
                self._watcher = _connect(self.path, self.read_only)
                self._open.add(self._watcher)
            return int(self._watcher.execute("PRAGMA data_version").fetchone()[0])

    def integrity_check(self) -> list[str]:
        """What SQLite finds wrong with the file; empty when it is sound. Reads all of it."""
        try:
            found = [str(row[0]) for row in self.rows("PRAGMA integrity_check")]
            found += [f"{r[0]} refers to no {r[2]}" for r in self.rows("PRAGMA foreign_key_check")]
        except sqlite3.DatabaseError as error:
            return [str(error)]
        return [line for line in found if line != "ok"]

    @property
    def _mine(self) -> sqlite3.Connection | None:
        """The connection of the transaction this thread is in."""
        return getattr(self._thread, "connection", None)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        if self._mine is not None:
            yield self._mine
        else:
            with self._borrowed() as connection:
                yield connection

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            if self._closed:
                raise FootnoteError(f"the library in {self.folder} was closed")
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = _connect(self.path, self.read_only)
            with self._guard:
                self._open.add(connection)
        try:
            yield connection
        finally:
            with self._guard:
                if not self._closed:
                    self._idle.append(connection)

    def _migrate(self) -> None:
        version = int(self.value("PRAGMA user_version"))
        if version > VERSION:
            raise UsageError(
                f"the library in {self.folder} was written by a newer Footnote",
                "pip install --upgrade footnote-video",
            )
        if version == VERSION or (self.read_only and version):
            return
        with self.transaction():
            version = int(self.value("PRAGMA user_version"))  # another process may have done it
            for script in MIGRATIONS[version:]:
                for statement in _statements(script):
                    self.write(statement)
            self.write(f"PRAGMA user_version = {VERSION}")


def _writable(folder: Path, path: Path) -> bool:
    return os.access(folder, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))


def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
    if not read_only:
        return _configured(_sqlite(f"{path.absolute().as_uri()}?mode=rwc"), read_only)
    try:
        return _configured(_sqlite(f"{path.absolute().as_uri()}?mode=ro"), read_only)
    except sqlite3.OperationalError:
        # A write-ahead log needs its shared-memory file, which cannot be made on a read-only
        # disk. Where no log is left to read, the file itself is complete.
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise
        return _configured(_sqlite(f"{path.absolute().as_uri()}?immutable=1"), read_only)


def _sqlite(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(
        uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


def _configured(connection: sqlite3.Connection, read_only: bool) -> sqlite3.Connection:
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        if not read_only:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # of a new file only
            _use_write_ahead_log(connection)
            # Derived indexes are flushed to disk: the truth must not come back older than they.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")  # what is removed is overwritten
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """The busy timeout does not cover this switch when two processes make a library at once."""
    deadline = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextmanager
def _scope(connection: sqlite3.Connection, begin: str, end: str, *undo: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute(end)
    except BaseException:
        if connection.in_transaction:
            for statement in undo:
                connection.execute(statement)
        raise


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise UsageError(f"cannot open {path}: {error}", "look at the folder's rights") from error
    except sqlite3.DatabaseError as error:
        raise IndexDamaged(f"{path} is damaged: {error}", DAMAGED_HINT) from error


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; `executescript` would commit the transaction it runs in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""

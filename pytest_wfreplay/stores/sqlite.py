"""SQLite as a driver, by the standard library: one connection that writes, others that read, safe under threads, processes and forks.

1. WAL and `synchronous = NORMAL`: what was committed survives the death of the process; a power cut may take the last commits, never the file.
2. One connection writes, behind a lock: SQLite has one writer at a time anyhow, and a lock wakes its waiter where SQLite would have it poll. Reads
   that may be long have connections of their own and keep nobody waiting.
3. A write takes some 15 µs, handing it to a thread five times as long, so brief operations run where they are asked for, in an event loop too;
   when somebody else is writing they wait in a thread.
4. Pages are small and the log is written back seldom (`_LOG` bytes): a commit writes whole pages, and most steps are far smaller than one.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pytest_wfreplay.clock import SystemClock
from pytest_wfreplay.errors import StoreError, StoreUnavailable
from pytest_wfreplay.stores.asked import microseconds
from pytest_wfreplay.stores.sql import BEGIN, Answer, Dialect, Operation, Query, Schema

if TYPE_CHECKING:
    from pytest_wfreplay.clock import Clock

T = TypeVar("T")

#: A database that lives in memory, as SQLite names it.
MEMORY = ":memory:"

_PAGE, _LOG = 1024, 16 * 1024 * 1024
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
#: seconds between two tries when another process writes: at first, and at most
_SOON, _LATE = 0.0005, 0.02
_BEGIN = Query("BEGIN IMMEDIATE")
_BACK = "Bring it back from a copy, or use another file. Nothing was changed."
#: SQLite's code -> what is wrong, and what to do next
_TROUBLES = {
    sqlite3.SQLITE_NOTADB: ("is not a SQLite database", "Is it the right path? Use another file. Nothing was changed."),
    sqlite3.SQLITE_CORRUPT: ("is a damaged SQLite database", _BACK),
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", "Make room, then go on: what was kept before is still there."),
    sqlite3.SQLITE_READONLY: ("may not be written", "Let this user write the file and the folder it is in, where SQLite keeps its log."),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Is it a file, and may this user write the folder it is in?"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "Look at the disk: is it full, gone or damaged? What was kept before is still there."),
}


class _OthersWrite(Exception):  # noqa: N818 - not an error: a reason to wait
    """Another process writes, and this thread may not wait. `query` is what was to be done."""

    def __init__(self, query: Query) -> None:
        self.query = query


class SqliteDriver:
    """One SQLite database: a path, or `:memory:`, which all threads share. The file and its folder are made when they are first needed.

    `timeout` is how many seconds a write waits for other processes' writes before it is `StoreUnavailable`.
    """

    def __init__(self, path: str | os.PathLike[str], schemas: Sequence[Schema], clock: Clock | None = None, timeout: float = 10.0) -> None:
        self.path = os.fspath(path)
        self.dialect = Dialect(
            now="wfreplay_now()", serial="INTEGER PRIMARY KEY", has_table="SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        )
        self._schemas, self._timeout = schemas, timeout
        self._clock = clock or SystemClock()
        self._is_closed = False
        self._open: list[sqlite3.Connection] = []
        self._start_anew()
        weakref.finalize(self, _close_all, self._open)

    def _start_anew(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        if self.path != MEMORY or not self._open:
            self._writer: sqlite3.Connection | None = None
            self._idle: list[sqlite3.Connection] = []

    def run(self, operation: Operation[T], *, reads: bool = False) -> T:
        """Do it at once, in this thread."""
        if self._process != os.getpid():
            self._start_anew()  # connections do not survive a fork; those of the parent are left alone
        if reads and self.path != MEMORY:
            reader = self._reader()
            try:
                return self._done(reader, operation)
            finally:
                self._idle.append(reader)
        with self._lock:
            return self._done(self._writing(), operation)

    async def perform(self, operation: Operation[T], *, reads: bool = False) -> T:
        """Do it in a thread."""
        return await asyncio.to_thread(self.run, operation, reads=reads)

    async def perform_brief(self, operation: Operation[T]) -> T:
        """Do it here, or in a thread when it would have to wait."""
        if self._writer is None or self._process != os.getpid() or not self._lock.acquire(blocking=False):
            return await asyncio.to_thread(self.run, operation)
        try:
            return self._done(self._writing(), operation, waits=False)
        except _OthersWrite as others:
            query = others.query
        finally:
            self._lock.release()
        return await asyncio.to_thread(self._go_on, operation, query)

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """Close all connections; the last one of all processes writes the log back into the file."""
        if self._process != os.getpid():
            self._start_anew()
        elif not self._is_closed:
            with self._lock:
                _close_all(self._open)
        self._is_closed = True
        self._writer = None
        self._idle = []

    def _go_on(self, operation: Operation[T], query: Query) -> T:
        with self._lock:
            return self._done(self._writing(), operation, query)

    def _done(self, connection: sqlite3.Connection, operation: Operation[T], query: Query | None = None, *, waits: bool = True) -> T:
        try:
            asked = next(operation) if query is None else query
            while True:
                asked = operation.send(self._answer(connection, asked, waits=waits))
        except StopIteration as ended:
            result: T = ended.value
            return result
        except BaseException as error:
            if connection.in_transaction:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise self._trouble(error) from error
            raise

    def _answer(self, connection: sqlite3.Connection, query: Query, *, waits: bool) -> Answer:
        text, parameters, is_many = _BEGIN if query is BEGIN else query
        waited, pause = 0.0, _SOON
        while True:
            try:
                if is_many:
                    return Answer((), connection.executemany(text, parameters).rowcount)
                cursor = connection.execute(text, parameters)
                return Answer(cursor.fetchall() if cursor.description else (), cursor.rowcount)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _BUSY or waited >= self._timeout:
                    raise
            if not waits and not connection.in_transaction:
                raise _OthersWrite(query)
            threading.Event().wait(pause)
            waited, pause = waited + pause, min(2 * pause, _LATE)

    def _writing(self) -> sqlite3.Connection:
        """The connection that writes; whoever asks has the lock."""
        if self._writer is None:
            connection = self._connected()
            try:
                for schema in self._schemas:
                    self._done(connection, schema.checked(self.dialect))
                self._done(connection, _set_up())
                for schema in self._schemas:
                    self._done(connection, schema.migrated(self.dialect))
            except BaseException:
                self._open.remove(connection)
                connection.close()
                raise
            self._writer = connection
        return self._writer

    def _reader(self) -> sqlite3.Connection:
        """A connection that only reads; whoever asks puts it back."""
        with self._lock:
            self._writing()
            return self._idle.pop() if self._idle else self._connected()

    def _connected(self) -> sqlite3.Connection:
        if self._is_closed:
            raise StoreError(f"The store of {self.path} is closed.", hint="Open it again with open_store().")
        try:
            if self.path != MEMORY:
                Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        except OSError as error:
            raise StoreError(f"The folder of {self.path} cannot be made: {error}", hint="Use a path that this user may write.") from error
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        connection.create_function("wfreplay_now", 0, lambda: microseconds(self._clock.now()))
        self._open.append(connection)
        return connection

    def _trouble(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _BUSY:
            return StoreUnavailable(
                f"{self.path} was locked by other writers for {self._timeout:g} s.", hint="Another program holds it: end it, or write less at once."
            )
        problem, hint = _TROUBLES.get(code, ("cannot do what it was asked", "The cause has SQLite's own words."))
        return StoreError(f"{self.path} {problem}: {error}", hint=hint)


def _set_up() -> Operation[None]:
    """What a file is told once, and a connection each time. The size of pages counts only as long as the file is empty."""
    yield Query(f"PRAGMA page_size = {_PAGE}")
    yield Query("PRAGMA journal_mode = WAL")
    yield Query("PRAGMA synchronous = NORMAL")
    size = (yield Query("PRAGMA page_size")).rows[0][0]
    yield Query(f"PRAGMA wal_autocheckpoint = {_LOG // size}")


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        with suppress(sqlite3.Error):
            connections.pop().close()

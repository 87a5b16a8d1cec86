"""From a URL to a store: one table of schemes; each backend is imported when it is opened."""

from __future__ import annotations

import os
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.stores.store import Store

if TYPE_CHECKING:
    from pytest_wfreplay.clock import Clock
    from pytest_wfreplay.recording.store import SignalStore
    from pytest_wfreplay.steps.snapshots import SnapshotStore


def open_store(url: str) -> Store:
    """The store at a URL; nothing is read or written before it is needed.

    `memory:` keeps recordings and snapshots, `file:FOLDER` recordings; `sqlite:///relative.db`, `sqlite:////absolute.db` and
    `sqlite:///:memory:` keep snapshots.

    Raises:
        ConfigurationError: nobody knows the scheme, or the rest of the URL is not what it takes.
    """
    scheme, colon, rest = url.partition(":")
    opened = _SCHEMES.get(scheme.lower()) if colon else None
    if opened is None:
        near = get_close_matches(scheme.lower(), _SCHEMES, 1)
        guess = f" Did you mean {near[0]}?" if near else ""
        raise ConfigurationError(f"Not the URL of a store: {_shown(url)!r}.{guess}", hint=f"One of {', '.join(_FORMS)}.")
    return opened(rest)


def sqlite(path: str | os.PathLike[str], *, clock: Clock | None = None) -> Store:
    """The store in a SQLite file, or in memory for `:memory:`. It keeps snapshots."""

    def snapshots() -> SnapshotStore:
        from pytest_wfreplay.stores.sql_snapshot_store import DirectSqlSnapshotStore
        from pytest_wfreplay.stores.sql_snapshots import SCHEMA
        from pytest_wfreplay.stores.sqlite import SqliteDriver

        return DirectSqlSnapshotStore(SqliteDriver(path, [SCHEMA], clock), clock)

    path = os.fspath(path)
    return Store(f"sqlite:///{path}", {"snapshots": snapshots})


def memory(*, clock: Clock | None = None) -> Store:
    """A store that lives as long as it is held."""

    def recordings() -> SignalStore:
        from pytest_wfreplay.stores.memory import MemorySignalStore

        return MemorySignalStore(clock)

    def snapshots() -> SnapshotStore:
        from pytest_wfreplay.stores.memory_snapshots import MemorySnapshotStore

        return MemorySnapshotStore(clock)

    return Store("memory:", {"recordings": recordings, "snapshots": snapshots})


def _memory(rest: str) -> Store:
    if rest.strip("/"):
        raise ConfigurationError(f"memory: takes nothing more, not {rest!r}.", hint="Each memory: is a store of its own.")
    return memory()


def _files(rest: str) -> Store:
    folder = rest.removeprefix("//") if rest.startswith("///") else rest
    if not folder:
        raise ConfigurationError("file: needs a folder.", hint="Write it like file:cassettes.")

    def recordings() -> SignalStore:
        from pytest_wfreplay.stores.files import FileSignalStore

        return FileSignalStore(Path(folder))

    return Store(f"file:{folder}", {"recordings": recordings})


def _sqlite(rest: str) -> Store:
    path = rest.removeprefix("///")
    if path == rest or not path:
        raise ConfigurationError(
            f"Not the URL of a SQLite store: sqlite:{rest}", hint="Three slashes, then the path: sqlite:///relative.db, sqlite:////absolute.db."
        )
    return sqlite(path)


def _shown(url: str) -> str:
    """The URL without what may be a password."""
    scheme, slashes, rest = url.partition("://")
    return f"{scheme}://…@{rest.rpartition('@')[2]}" if slashes and "@" in rest else url


_SCHEMES: dict[str, Callable[[str], Store]] = {"memory": _memory, "file": _files, "sqlite": _sqlite}
_FORMS = ("memory:", "file:FOLDER", "sqlite:///PATH")

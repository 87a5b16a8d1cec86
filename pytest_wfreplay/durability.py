"""Durable steps outside tests: `durable(id)` is a run that goes on where it ended, and outside of it every script has one of its own.

1. In a test of ours, and wherever else somebody records or replays, steps are those of the recording; no store is touched.
2. Where pytest runs, steps outside of runs are done each time: what one session kept would be the green of the next.
"""

from __future__ import annotations

import asyncio
import os
import sys
from concurrent.futures import Future
from contextlib import suppress
from contextvars import Token
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, get_args

from pytest_wfreplay.errors import ConfigurationError, LeaseLost
from pytest_wfreplay.steps.key import quote
from pytest_wfreplay.steps.known import Known, OnUnfinished
from pytest_wfreplay.steps.lease import checked_seconds, owner_named, renew, take
from pytest_wfreplay.steps.line import Line, unheard
from pytest_wfreplay.steps.scope import Scope, current
from pytest_wfreplay.steps.snapshots import DirectSnapshotStore, SnapshotStore
from pytest_wfreplay.steps.step import step
from pytest_wfreplay.steps.stored import DurableRun, StoredJournal
from pytest_wfreplay.steps.waiting import in_background, waited_for
from pytest_wfreplay.stores.open import open_store

if TYPE_CHECKING:
    from pytest_wfreplay.steps.resume import ResumeState
    from pytest_wfreplay.steps.snapshots import Lease

__all__ = ["durable", "step"]

T = TypeVar("T")

#: Where steps are kept unless `WFREPLAY_STORE` says otherwise.
DEFAULT_STORE = "sqlite:///.wfreplay/state.db"

#: The run of everything that is done outside of runs; namespaces keep scripts apart.
_OUTSIDE = "outside runs"

#: The module that every pytest has loaded which finds us installed.
_IN_PYTEST = "pytest_wfreplay.plugin.hooks"


@dataclass(slots=True)
class _Entered:
    """One entered `durable`: what to undo."""

    token: Token[Scope | None]
    run: DurableRun | None = None
    lease: Lease | None = None
    renewal: asyncio.Task[None] | Future[None] | None = None


class durable:  # noqa: N801 - reads as the block it begins
    """A durable run: `with durable("order-42"): …`, or `async with`. A step in it that ended well is not done again, by whatever process.

    Steps without a namespace have `id` as theirs. `store` is a `Store` or a `SnapshotStore` (default: `WFREPLAY_STORE`, else SQLite under
    `.wfreplay/`). One process at a time works on a run: `lease` is the seconds after which it is taken for dead unless it renews, None for
    no lease; `wait` the seconds to wait for another to end; `owner` a name under which a run is taken over at once. `on_unfinished` says what
    becomes of a step that began and never ended: `"redo"` or `"raise"` (`UnfinishedStepError`).

    Raises:
        ConfigurationError: a blank id or owner, or an option that cannot be meant.
        LeaseTaken: on entering: another owner works on it.
        LeaseLost: from a step: another owner has taken it over.
        StoreError: the store failed.
    """

    def __init__(
        self,
        id: str,
        store: object = None,
        *,
        owner: str | None = None,
        lease: float | None = 60.0,
        wait: float | None = None,
        on_unfinished: OnUnfinished = "redo",
    ) -> None:
        for what, text in (("id", id), ("owner", owner)):
            if not (text is None and what == "owner") and (not isinstance(text, str) or not text.strip()):
                raise ConfigurationError(f"The {what} of a durable run is a text that is not blank, not {text!r}.")
        checked_seconds(lease, "lease", least=0.001)
        checked_seconds(wait, "wait", least=0.0)
        if on_unfinished not in get_args(OnUnfinished):
            raise ConfigurationError(f"on_unfinished is one of {', '.join(map(repr, get_args(OnUnfinished)))}, not {on_unfinished!r}.")
        self.id = id
        self._store = store
        self._owner = owner
        self._lease = lease
        self._wait = wait
        self._on_unfinished: OnUnfinished = on_unfinished
        self._entered: list[_Entered] = []

    async def __aenter__(self) -> Self:
        outer = _recorded()
        if outer is not None:
            return self._enter_recorded(outer)
        store = _snapshots(self._store)
        name, lease, renewal = owner_named(self._owner), None, None
        if self._lease is not None:
            lease = await take(store, self.id, name, self._lease, self._wait)
            renewing = renew(store, lease, self._lease)
            renewal = in_background(renewing) if isinstance(store, DirectSnapshotStore) else asyncio.create_task(renewing)
        run = DurableRun(self.id, store, _known(await store.load_resume_state(self.id), self._on_unfinished), name)
        self._enter(run, lease, renewal)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        entered = self._leave()
        if entered.run is not None and entered.lease is not None:
            with suppress(LeaseLost):
                await entered.run.store.release(self.id, entered.lease.token)

    def __enter__(self) -> Self:
        outer = _recorded()
        if outer is not None:
            return self._enter_recorded(outer)
        store = _snapshots(self._store)
        name, lease, renewal = owner_named(self._owner), None, None
        if self._lease is not None:
            lease = waited_for(take(store, self.id, name, self._lease, self._wait))
            renewal = in_background(renew(store, lease, self._lease))
        direct = store if isinstance(store, DirectSnapshotStore) else None
        state = waited_for(store.load_resume_state(self.id)) if direct is None else direct.load_resume_state_now(self.id)
        run = DurableRun(self.id, store, _known(state, self._on_unfinished), name)
        self._enter(run, lease, renewal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        entered = self._leave()
        if entered.run is not None and entered.lease is not None:
            with suppress(LeaseLost):
                waited_for(entered.run.store.release(self.id, entered.lease.token))

    def _enter_recorded(self, outer: Scope) -> Self:
        self._entered.append(_Entered(current.set(outer.below(self.id))))
        return self

    def _enter(self, run: DurableRun, lease: Lease | None, renewal: asyncio.Task[None] | Future[None] | None) -> None:
        run.token = None if lease is None else lease.token
        self._entered.append(_Entered(current.set(_scope(StoredJournal(run), self.id, self.id)), run, lease, renewal))

    def _leave(self) -> _Entered:
        entered = self._entered.pop()
        current.reset(entered.token)
        if entered.renewal is not None:
            entered.renewal.cancel()
        return entered


def _known(state: ResumeState | None, on_unfinished: OnUnfinished) -> Known:
    return Known(() if state is None else state.steps.values(), on_unfinished)


class _DurableScope(Scope):
    """Outside of its steps, namespaces of a durable run stand beside each other, not below its own."""

    __slots__ = ()

    def below(self, name: str) -> Scope:
        """The scope of a namespace of the run."""
        return Scope(self.line, f"{quote(name)}/", say=unheard)


def _scope(journal: StoredJournal, namespace: str, identity: str) -> Scope:
    return _DurableScope(Line(journal, source=journal.run, id=identity), f"{quote(namespace)}/", say=unheard)


def _recorded() -> Scope | None:
    """The scope around us, if somebody records or replays what is done in it."""
    scope = current.get()
    return scope if scope is not None and scope.line.source.rules else None


def _snapshots(store: object) -> SnapshotStore:
    found = getattr(default_store() if store is None else store, "snapshots", store)
    if not isinstance(found, SnapshotStore):
        raise ConfigurationError(f"store is a Store or a SnapshotStore, not {type(store).__name__}.", hint='Pass open_store("sqlite:///state.db").')
    return found


_stores: dict[str, Any] = {}


def default_store() -> Any:
    """The store of whoever names none, one for each place: `WFREPLAY_STORE`, else SQLite under `.wfreplay/` in the working directory."""
    url = os.environ.get("WFREPLAY_STORE") or DEFAULT_STORE
    place = f"{Path.cwd()} {url}"
    if place not in _stores:
        _stores[place] = open_store(url)
    return _stores[place]


def entry_script() -> str:
    """The namespace of what is done outside of runs: the path of the entry script from the working directory, `default` where there is none."""
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    if not path:
        return "default"
    try:
        return Path(os.path.relpath(path)).as_posix()
    except ValueError:  # on another drive
        return Path(path).as_posix()


_outside: dict[int, Scope] = {}


def outside() -> Scope | None:
    """The scope of what is done outside of runs; None where pytest runs."""
    if _IN_PYTEST in sys.modules:
        return None
    process = os.getpid()
    if process not in _outside:
        _outside.clear()  # a process that was forked is another run
        run = DurableRun(_OUTSIDE, _snapshots(None), Known(()), owner_named(None))
        _outside[process] = _scope(StoredJournal(run, lazy=True), entry_script(), f"{_OUTSIDE} in {Path.cwd()}")
    return _outside[process]


step.outside = outside

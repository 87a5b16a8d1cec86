"""The port to wherever the steps of runs are kept so that another process can go on: snapshots, their entries, and leases on them.

1. One record for each (id, key). The first that completed stands: a `Returned` is never replaced. A started-marker (outcome None) and a
   failure are replaced by whatever comes.
2. An append costs the same however much is stored, and is durable when it answers.
3. A lease's token grows each time the lease changes hands, and is never used again; who comes with an old one gets `LeaseLost`, and
   nothing is written.
4. Ids and keys are any text, compared literally. What is returned is detached from what is kept.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TypeAlias, runtime_checkable

from pytest_wfreplay.steps.entry import Entry
from pytest_wfreplay.steps.resume import ResumeState, WorkflowSnapshot

# What a store takes: the dataclass, or a mapping with its field names.
GivenEntry: TypeAlias = "Entry | Mapping[str, object]"
GivenState: TypeAlias = "ResumeState | WorkflowSnapshot | Mapping[str, object]"

#: How many seconds a lease lasts unless it says otherwise.
LEASE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class SnapshotItem:
    """One run in a list. `updated_at` is ISO-8601 UTC: when it was last changed, at most a second late."""

    id: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a list. `cursor` is what to ask for the next one with, None at the end."""

    items: tuple[SnapshotItem, ...] = ()
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a run. `token` is its fence; `expires_at` is ISO-8601 UTC, by the store's clock."""

    id: str
    owner: str
    token: int
    expires_at: str


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry with where it stands: `position` counts from 1 in the order of first appends; `updated_at` is milliseconds since 1970."""

    position: int
    entry: Entry
    owner: str | None
    updated_at: int


# `list` means a method inside the port; these name what some methods answer.
Records: TypeAlias = "list[StoredEntry]"
Names: TypeAlias = "list[str]"


@runtime_checkable
class SnapshotStore(Protocol):
    """Where the steps of runs are kept.

    A blank id or key, or a number out of range, is `ConfigurationError`; what JSON cannot carry is `NotJsonError`.
    """

    async def save(self, id: str, state: GivenState) -> None:
        """Keep this in place of all that is kept for the id."""

    async def load(self, id: str) -> ResumeState | WorkflowSnapshot | None:
        """What is kept, as what it was saved as, with what was appended since; None for an unknown id."""

    async def load_resume_state(self, id: str) -> ResumeState | None:
        """What is kept as a resume state; None for an unknown id."""

    async def append(self, id: str, entry: GivenEntry, token: int | None = None, owner: str | None = None) -> Entry:
        """Keep one more step; the entry that stands then. Creates the id.

        Raises:
            LeaseLost: the token is not that of the lease on this id.
        """

    async def records(self, id: str, prefix: str = "") -> Records:
        """The entries whose keys begin with the prefix, in the order in which they were first appended."""

    async def delete(self, id: str) -> None:
        """Forget it; an unknown id is silent. A lease on it goes on."""

    async def list(self, prefix: str = "", limit: int = 100, cursor: str | None = None) -> Page:
        """The ids that begin with the prefix, the last changed first. A `cursor` that none gave is `ConfigurationError`."""

    async def prune(self, before: dt.datetime) -> int:
        """Forget the runs that were last changed before this moment and that nobody holds a lease on; how many."""

    async def acquire(self, id: str, owner: str, ttl: float = LEASE_SECONDS, instead_of: int | None = None) -> Lease | None:
        """The lease on an id for `ttl` seconds, or None while another owner holds it. `instead_of` takes it over from the lease with that token."""

    async def renew(self, id: str, token: int, ttl: float = LEASE_SECONDS) -> Lease:
        """The same lease, for `ttl` seconds from now.

        Raises:
            LeaseLost: it ran out, was released or taken over.
        """

    async def release(self, id: str, token: int) -> None:
        """Give the lease back. One that ran out, or was given back already, is silent.

        Raises:
            LeaseLost: it was taken over.
        """

    async def holder(self, id: str) -> Lease | None:
        """The lease that is held on an id, None where there is none."""

    async def deliver(self, id: str, name: str, value: object = None) -> None:
        """Answer the oldest unanswered `wait_for(name)` of a run, or the next one when none is asked; a second delivery goes to the next."""

    async def pending(self, id: str) -> Names:
        """The names that a run waits for, in the order in which it asked."""

    async def close(self) -> None:
        """Let go of what is held open; closing twice is harmless."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None: ...


@runtime_checkable
class DirectSnapshotStore(Protocol):
    """What a store that never waits for a network offers to code that cannot wait either: the same by the same rules, at once."""

    def append_now(self, id: str, entry: GivenEntry, token: int | None = None, owner: str | None = None) -> Entry:
        """As `SnapshotStore.append`."""

    def entry_now(self, id: str, key: str) -> Entry | None:
        """The entry of one key, None where there is none."""

    def records_now(self, id: str, prefix: str = "") -> Records:
        """As `SnapshotStore.records`."""

    def load_resume_state_now(self, id: str) -> ResumeState | None:
        """As `SnapshotStore.load_resume_state`."""

    def acquire_now(self, id: str, owner: str, ttl: float = LEASE_SECONDS, instead_of: int | None = None) -> Lease | None:
        """As `SnapshotStore.acquire`."""

    def renew_now(self, id: str, token: int, ttl: float = LEASE_SECONDS) -> Lease:
        """As `SnapshotStore.renew`."""

    def release_now(self, id: str, token: int) -> None:
        """As `SnapshotStore.release`."""

    def holder_now(self, id: str) -> Lease | None:
        """As `SnapshotStore.holder`."""

    def close_now(self) -> None:
        """As `SnapshotStore.close`."""

"""Snapshots kept in memory, for as long as the process lives; safe under threads."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pytest_wfreplay.clock import SystemClock, iso
from pytest_wfreplay.steps.resume import WAIT
from pytest_wfreplay.steps.snapshots import LEASE_SECONDS, Lease, Names, Page, Records, SnapshotItem, StoredEntry
from pytest_wfreplay.steps.spelled import (
    Spelled,
    answered,
    form_of,
    given_entry,
    names_waited_for,
    read,
    read_resume_state,
    read_state,
    spelled,
    spelled_state,
    text_id,
)
from pytest_wfreplay.stores.asked import checked_limit, checked_ttl, cursor_at, lost, microseconds, moment, place_of

if TYPE_CHECKING:
    from pytest_wfreplay.clock import Clock
    from pytest_wfreplay.steps.entry import Entry
    from pytest_wfreplay.steps.resume import ResumeState, WorkflowSnapshot
    from pytest_wfreplay.steps.snapshots import GivenEntry, GivenState


@dataclass(slots=True)
class _Row:
    spelled: Spelled
    owner: str | None
    updated_at: int


@dataclass(slots=True)
class _Run:
    form: str
    changed: int
    rows: dict[str, _Row] = field(default_factory=dict)

    @property
    def steps(self) -> list[Spelled]:
        return [row.spelled for row in self.rows.values()]


@dataclass(slots=True)
class _Held:
    token: int
    owner: str | None
    expires: int

    def lease(self, id: str) -> Lease:
        return Lease(id, str(self.owner), self.token, moment(self.expires))


class MemorySnapshotStore:
    """A `SnapshotStore` in memory. It keeps texts, so nothing of it is shared with anybody."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.RLock()
        self._runs: dict[str, _Run] = {}
        self._leases: dict[str, _Held] = {}
        self._changed = 0

    async def save(self, id: str, state: GivenState) -> None:
        """Keep this in place of all that is kept for the id."""
        text_id(id)
        form, steps = spelled_state(state)
        with self._lock:
            run = self._runs[id] = _Run(form, self._change())
            run.rows = {step.key: _Row(step, None, self._now()) for step in steps}

    async def load(self, id: str) -> ResumeState | WorkflowSnapshot | None:
        """What is kept, as what it was saved as, with what was appended since; None for an unknown id."""
        with self._lock:
            run = self._runs.get(text_id(id))
            return None if run is None else read_state(run.form, run.steps)

    async def load_resume_state(self, id: str) -> ResumeState | None:
        """What is kept as a resume state; None for an unknown id."""
        return self.load_resume_state_now(id)

    def load_resume_state_now(self, id: str) -> ResumeState | None:
        """What is kept as a resume state, at once."""
        with self._lock:
            run = self._runs.get(text_id(id))
            return None if run is None else read_resume_state(run.form, run.steps)

    async def append(self, id: str, entry: GivenEntry, token: int | None = None, owner: str | None = None) -> Entry:
        """Keep one more step; the entry that stands then. Raises `LeaseLost` for a token that is not that of the lease."""
        return self.append_now(id, entry, token, owner)

    def append_now(self, id: str, entry: GivenEntry, token: int | None = None, owner: str | None = None) -> Entry:
        """Keep one more step, at once."""
        text_id(id)
        fresh = spelled(given_entry(entry))
        with self._lock:
            if token is not None:
                self._held(id, token)
            run = self._runs.setdefault(id, _Run(form_of(), 0))
            standing = run.rows.get(fresh.key)
            if standing is None or not standing.spelled.is_final:
                run.rows[fresh.key] = _Row(fresh, owner, self._now())
                run.changed = self._change()
            return read(run.rows[fresh.key].spelled)

    def entry_now(self, id: str, key: str) -> Entry | None:
        """The entry of one key, None where there is none."""
        with self._lock:
            row = self._rows(id).get(key)
            return None if row is None else read(row.spelled)

    async def records(self, id: str, prefix: str = "") -> Records:
        """The entries whose keys begin with the prefix, in the order in which they were first appended."""
        return self.records_now(id, prefix)

    def records_now(self, id: str, prefix: str = "") -> Records:
        """The entries whose keys begin with the prefix, at once."""
        with self._lock:
            numbered = enumerate(self._rows(id).values(), 1)
            return [StoredEntry(at, read(row.spelled), row.owner, row.updated_at) for at, row in numbered if row.spelled.key.startswith(prefix)]

    async def delete(self, id: str) -> None:
        """Forget it; an unknown id is silent."""
        with self._lock:
            self._runs.pop(text_id(id), None)

    async def list(self, prefix: str = "", limit: int = 100, cursor: str | None = None) -> Page:
        """The ids that begin with the prefix, the last changed first."""
        limit, place = checked_limit(limit), place_of(cursor)
        with self._lock:
            found = sorted(((run.changed, name) for name, run in self._runs.items() if name.startswith(prefix)), reverse=True)
        rest = found if place is None else [item for item in found if item < place]
        items = tuple(SnapshotItem(name, moment(changed // 1000)) for changed, name in rest[:limit])
        return Page(items, cursor_at(*rest[limit - 1]) if len(rest) > limit else None)

    async def prune(self, before: dt.datetime) -> int:
        """Forget the runs that were last changed before this moment and that nobody holds a lease on; how many."""
        bound = microseconds(before)
        with self._lock:
            old = [name for name, run in self._runs.items() if run.changed < bound and self._holder(name) is None]
            for name in old:
                del self._runs[name]
        return len(old)

    async def acquire(self, id: str, owner: str, ttl: float = LEASE_SECONDS, instead_of: int | None = None) -> Lease | None:
        """The lease on an id, or None while another owner holds it."""
        return self.acquire_now(id, owner, ttl, instead_of)

    def acquire_now(self, id: str, owner: str, ttl: float = LEASE_SECONDS, instead_of: int | None = None) -> Lease | None:
        """The lease on an id, or None while another owner holds it, at once."""
        text_id(id)
        text_id(owner, "owner")
        checked_ttl(ttl)
        with self._lock:
            holder = self._holder(id)
            if holder is not None and holder.owner != owner and holder.token != instead_of:
                return None
            before = self._leases.get(id)
            held = self._leases[id] = _Held((before.token if before else 0) + 1, owner, self._now() + round(ttl * 1000))
            return held.lease(id)

    async def renew(self, id: str, token: int, ttl: float = LEASE_SECONDS) -> Lease:
        """The same lease, for `ttl` seconds from now. Raises `LeaseLost`."""
        return self.renew_now(id, token, ttl)

    def renew_now(self, id: str, token: int, ttl: float = LEASE_SECONDS) -> Lease:
        """The same lease, for `ttl` seconds from now, at once."""
        ttl = checked_ttl(ttl)
        with self._lock:
            held = self._held(text_id(id), token)
            if held.expires <= self._now():
                raise lost(id, token)
            held.expires = self._now() + round(ttl * 1000)
            return held.lease(id)

    async def release(self, id: str, token: int) -> None:
        """Give the lease back. Raises `LeaseLost` when it was taken over."""
        self.release_now(id, token)

    def release_now(self, id: str, token: int) -> None:
        """Give the lease back, at once."""
        with self._lock:
            held = self._leases.get(text_id(id))
            if held is None or held.token != token:
                raise lost(id, token)
            held.owner = None

    async def holder(self, id: str) -> Lease | None:
        """The lease that is held on an id, None where there is none."""
        return self.holder_now(id)

    def holder_now(self, id: str) -> Lease | None:
        """The lease that is held on an id, at once."""
        with self._lock:
            return self._holder(text_id(id))

    async def deliver(self, id: str, name: str, value: object = None) -> None:
        """Answer the oldest unanswered `wait_for(name)` of a run, or the next one when none is asked."""
        with self._lock:
            self.append_now(id, answered(name, value, iso(self._clock.now()), self.records_now(id, WAIT)))

    async def pending(self, id: str) -> Names:
        """The names that a run waits for, in the order in which it asked."""
        return names_waited_for(self.records_now(id, WAIT))

    async def close(self) -> None:
        """Nothing is held open."""

    def close_now(self) -> None:
        """Nothing is held open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.close()

    def _rows(self, id: str) -> dict[str, _Row]:
        run = self._runs.get(text_id(id))
        return run.rows if run else {}

    def _now(self) -> int:
        return microseconds(self._clock.now()) // 1000

    def _change(self) -> int:
        """When something changes, in microseconds; each change is later than the one before it, whatever the clock says."""
        self._changed = max(microseconds(self._clock.now()), self._changed + 1)
        return self._changed

    def _holder(self, id: str) -> Lease | None:
        held = self._leases.get(id)
        return held.lease(id) if held is not None and held.owner is not None and held.expires > self._now() else None

    def _held(self, id: str, token: int) -> _Held:
        """The lease that has this token, run out or not."""
        held = self._leases.get(id)
        if held is None or held.owner is None or held.token != token:
            raise lost(id, token)
        return held

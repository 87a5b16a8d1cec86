"""The store of snapshots over any SQL driver: what it is given is checked and spelled here, what is kept is the operations'."""

from __future__ import annotations

import datetime as dt
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pytest_wfreplay.clock import SystemClock, iso
from pytest_wfreplay.steps.resume import WAIT
from pytest_wfreplay.steps.snapshots import LEASE_SECONDS, Lease, Names, Page, Records
from pytest_wfreplay.steps.spelled import (
    Spelled,
    given_entry,
    names_waited_for,
    read,
    read_resume_state,
    read_state,
    spelled,
    spelled_state,
    text_id,
    whole_text,
)
from pytest_wfreplay.stores.asked import checked_limit, checked_ttl, lost, microseconds, place_of
from pytest_wfreplay.stores.sql_snapshots import SnapshotOperations

if TYPE_CHECKING:
    from pytest_wfreplay.clock import Clock
    from pytest_wfreplay.steps.entry import Entry
    from pytest_wfreplay.steps.resume import ResumeState, WorkflowSnapshot
    from pytest_wfreplay.steps.snapshots import GivenEntry, GivenState
    from pytest_wfreplay.stores.sql import DirectDriver, Driver, Operation

#: Databases count tokens with 64 bits.
_TOKENS = 2**62


class SqlSnapshotStore:
    """A `SnapshotStore` in a SQL database."""

    def __init__(self, driver: Driver, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._driver = driver
        self._operations = SnapshotOperations(driver.dialect, self._clock)

    async def save(self, id: str, state: GivenState) -> None:
        """Keep this in place of all that is kept for the id."""
        await self._driver.perform(self._operations.save(text_id(id), *spelled_state(state)))

    async def load(self, id: str) -> ResumeState | WorkflowSnapshot | None:
        """What is kept, as what it was saved as, with what was appended since; None for an unknown id."""
        return await self._driver.perform(self._operations.load(text_id(id), read_state), reads=True)

    async def load_resume_state(self, id: str) -> ResumeState | None:
        """What is kept as a resume state; None for an unknown id."""
        return await self._driver.perform(self._operations.load(text_id(id), read_resume_state), reads=True)

    async def append(self, id: str, entry: GivenEntry, token: int | None = None, owner: str | None = None) -> Entry:
        """Keep one more step; the entry that stands then. Raises `LeaseLost` for a token that is not that of the lease."""
        given = given_entry(entry)
        fresh = spelled(given)
        stands = await self._driver.perform_brief(self._appending(id, fresh, token, owner))
        return given if stands is fresh else read(stands)

    async def records(self, id: str, prefix: str = "") -> Records:
        """The entries whose keys begin with the prefix, in the order in which they were first appended."""
        return await self._driver.perform(self._operations.records(text_id(id), whole_text(prefix, "prefix")), reads=True)

    async def delete(self, id: str) -> None:
        """Forget it; an unknown id is silent."""
        await self._driver.perform(self._operations.delete(text_id(id)))

    async def list(self, prefix: str = "", limit: int = 100, cursor: str | None = None) -> Page:
        """The ids that begin with the prefix, the last changed first."""
        asked = self._operations.list(whole_text(prefix, "prefix"), checked_limit(limit), place_of(cursor))
        return Page(*await self._driver.perform(asked, reads=True))

    async def prune(self, before: dt.datetime) -> int:
        """Forget the runs that were last changed before this moment and that nobody holds a lease on; how many."""
        return await self._driver.perform(self._operations.prune(microseconds(before)))

    async def acquire(self, id: str, owner: str, ttl: float = LEASE_SECONDS, instead_of: int | None = None) -> Lease | None:
        """The lease on an id, or None while another owner holds it."""
        return await self._driver.perform_brief(self._acquiring(id, owner, ttl, instead_of))

    async def renew(self, id: str, token: int, ttl: float = LEASE_SECONDS) -> Lease:
        """The same lease, for `ttl` seconds from now. Raises `LeaseLost`."""
        return await self._driver.perform_brief(self._renewing(id, token, ttl))

    async def release(self, id: str, token: int) -> None:
        """Give the lease back. Raises `LeaseLost` when it was taken over."""
        await self._driver.perform_brief(self._releasing(id, token))

    async def holder(self, id: str) -> Lease | None:
        """The lease that is held on an id, None where there is none."""
        return await self._driver.perform_brief(self._operations.holder(text_id(id)))

    async def deliver(self, id: str, name: str, value: object = None) -> None:
        """Answer the oldest unanswered `wait_for(name)` of a run, or the next one when none is asked."""
        await self._driver.perform(self._operations.deliver(text_id(id), name, value, iso(self._clock.now())))

    async def pending(self, id: str) -> Names:
        """The names that a run waits for, in the order in which it asked."""
        return names_waited_for(await self.records(id, WAIT))

    async def close(self) -> None:
        """Let go of the database; closing twice is harmless."""
        await self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.close()

    def _appending(self, id: str, fresh: Spelled, token: int | None, owner: str | None) -> Operation[Spelled]:
        owner = None if owner is None else text_id(owner, "owner")
        return self._operations.append(text_id(id), fresh, None if token is None else _known(id, token), owner)

    def _acquiring(self, id: str, owner: str, ttl: float, instead_of: int | None) -> Operation[Lease | None]:
        return self._operations.acquire(text_id(id), text_id(owner, "owner"), checked_ttl(ttl), instead_of)

    def _renewing(self, id: str, token: int, ttl: float) -> Operation[Lease]:
        return self._operations.renew(text_id(id), _known(id, token), checked_ttl(ttl))

    def _releasing(self, id: str, token: int) -> Operation[None]:
        return self._operations.release(text_id(id), _known(id, token))


class DirectSqlSnapshotStore(SqlSnapshotStore):
    """The same over a driver that need not wait: a `DirectSnapshotStore`, too."""

    def __init__(self, driver: DirectDriver, clock: Clock | None = None) -> None:
        super().__init__(driver, clock)
        self._direct = driver

    def append_now(self, id: str, entry: GivenEntry, token: int | None = None, owner: str | None = None) -> Entry:
        """Keep one more step, at once; the entry that stands then. Raises `LeaseLost` for a token that is not that of the lease."""
        given = given_entry(entry)
        fresh = spelled(given)
        stands = self._direct.run(self._appending(id, fresh, token, owner))
        return given if stands is fresh else read(stands)

    def entry_now(self, id: str, key: str) -> Entry | None:
        """The entry of one key, None where there is none."""
        row = self._direct.run(self._operations.entry(text_id(id), whole_text(key, "key")), reads=True)
        return row and read(row)

    def records_now(self, id: str, prefix: str = "") -> Records:
        """The entries whose keys begin with the prefix, at once."""
        return self._direct.run(self._operations.records(text_id(id), whole_text(prefix, "prefix")), reads=True)

    def load_resume_state_now(self, id: str) -> ResumeState | None:
        """What is kept as a resume state, at once."""
        return self._direct.run(self._operations.load(text_id(id), read_resume_state), reads=True)

    def acquire_now(self, id: str, owner: str, ttl: float = LEASE_SECONDS, instead_of: int | None = None) -> Lease | None:
        """The lease on an id, or None while another owner holds it, at once."""
        return self._direct.run(self._acquiring(id, owner, ttl, instead_of))

    def renew_now(self, id: str, token: int, ttl: float = LEASE_SECONDS) -> Lease:
        """The same lease, for `ttl` seconds from now, at once."""
        return self._direct.run(self._renewing(id, token, ttl))

    def release_now(self, id: str, token: int) -> None:
        """Give the lease back, at once."""
        self._direct.run(self._releasing(id, token))

    def holder_now(self, id: str) -> Lease | None:
        """The lease that is held on an id, at once."""
        return self._direct.run(self._operations.holder(text_id(id)))

    def close_now(self) -> None:
        """Let go of the database, at once."""
        self._direct.close_now()


def _known(id: str, token: int) -> int:
    """The token; one that no database could have given is lost."""
    if not 0 <= token < _TOKENS:
        raise lost(id, token)
    return token

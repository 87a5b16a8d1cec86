"""The right to work on a run alone: taken, renewed while the work goes on, given back; taken over from a process that is dead.

An owner is spelled `name@machine:process:start`. Whoever has the same name, and whoever finds that the process is dead, takes over at once.
"""

from __future__ import annotations

import asyncio
import functools
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_wfreplay.clock import SystemClock
from pytest_wfreplay.errors import ConfigurationError, LeaseLost, LeaseTaken, StoreError

if TYPE_CHECKING:
    from pytest_wfreplay.steps.snapshots import Lease, SnapshotStore

_CLOCK = SystemClock()

#: A lease is renewed so many times before it would run out.
_RENEWALS = 3

#: The states of a process that has ended, as Linux spells them.
_ENDED = ("Z", "X", "x")

#: Seconds between two looks at a lease that somebody else holds: at first, and at most.
_SOON, _LATE = 0.02, 0.5


def owner_named(name: str | None) -> str:
    """The owner that this process is under a name; without one nobody else has it."""
    return f"{_CLOCK.new_id() if name is None else name}@{_machine()}:{os.getpid()}:{_start_of(os.getpid()) or ''}"


async def take(store: SnapshotStore, id: str, owner: str, ttl: float, wait: float | None) -> Lease:
    """The lease on a run.

    Raises:
        LeaseTaken: somebody else works on it, and does so after `wait` seconds, too.
    """
    until = _CLOCK.monotonic() + (wait or 0.0)
    pause = _SOON
    while True:
        lease = await store.acquire(id, owner, ttl)
        holder = None if lease is not None else await store.holder(id)
        if holder is not None and (_name(holder.owner) == _name(owner) or is_dead(holder.owner)):
            lease = await store.acquire(id, owner, ttl, instead_of=holder.token)
        if lease is not None:
            return lease
        left = until - _CLOCK.monotonic()
        if holder is not None and left <= 0:
            raise LeaseTaken(
                f"Another owner works on run {id!r}: {_shown(holder.owner)}, until {holder.expires_at} unless it renews its lease.",
                hint="Wait for it with wait=seconds, or let it end.",
            )
        await asyncio.sleep(min(pause, max(left, 0.0)))
        pause = min(2 * pause, _LATE)


async def renew(store: SnapshotStore, lease: Lease, ttl: float) -> None:
    """Renew a lease for ever, or until it is lost, which whoever appends with it will hear."""
    while True:
        await asyncio.sleep(ttl / _RENEWALS)
        try:
            await store.renew(lease.id, lease.token, ttl)
        except LeaseLost:
            return
        except StoreError:
            await asyncio.sleep(_SOON)  # the store may be back before the lease runs out


def is_dead(owner: str) -> bool:
    """Whether an owner is surely a process of this machine that is gone."""
    machine, _, rest = owner.rpartition("@")[2].partition(":")
    number, _, start = rest.partition(":")
    if machine != _machine() or not number.isdigit():
        return False
    now = _start_of(int(number))
    return now is None or (bool(start) and now != start)


def _name(owner: str) -> str:
    return owner.rpartition("@")[0] or owner


def _shown(owner: str) -> str:
    """An owner as people can find it."""
    machine, *rest = owner.rpartition("@")[2].split(":")
    return f"{_name(owner)} (process {rest[0]} on {machine.partition('pid[')[0]})" if rest else _name(owner)


def _start_of(process: int) -> str | None:
    """When a process of this machine started, in its own spelling; empty where nobody says, None where there is no such process.

    One that has ended and whose parent has not asked yet how is gone, too: in a container there may be nobody who ever asks.
    """
    with suppress(OSError, IndexError):
        facts = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return None if facts[0] in _ENDED else f"{_boot()}.{facts[19]}"
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except (OSError, OverflowError):
        pass
    return ""


@functools.cache
def _machine() -> str:
    """What tells this machine, or this container, from others."""
    space = ""
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return f"{socket.gethostname()}{space}".replace(":", "").replace("@", "")


@functools.cache
def _boot() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    return ""


def checked_seconds(seconds: float | None, what: str, *, least: float) -> None:
    """Raise `ConfigurationError` unless it is None or a number of seconds that can be meant."""
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= least or seconds == float("inf")):
        raise ConfigurationError(f"{what} is a number of seconds or None, not {seconds!r}.")

"""What comes into a run from outside, in the order in which it came: the signals and the outcomes of harness calls."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.signal import Signal, SignalSource


@dataclass(frozen=True, slots=True)
class Activation:
    """One speaking of an agent: `id` is `writer#2`, `activated` the signal that says so."""

    id: str
    agent: str
    activated: Signal
    source: SignalSource


@dataclass(frozen=True, slots=True)
class Said:
    """A harness said a signal."""

    by: Activation
    name: str
    payload: JSON
    harness: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """A harness call ended, with its output."""

    by: Activation
    output: JSON


@dataclass(frozen=True, slots=True)
class Failed:
    """A harness call ended with an error."""

    by: Activation
    error: BaseException


Arrival: TypeAlias = Said | Spoken | Failed


class Inbox:
    """A queue with one reader, in the loop in which it was made; any thread may put."""

    def __init__(self) -> None:
        self._arrivals: deque[Arrival] = deque()
        self._arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def put(self, arrival: Arrival) -> None:
        """Add what has come."""
        self._arrivals.append(arrival)
        self.wake()

    def wake(self) -> None:
        """Let the reader look again."""
        if threading.get_ident() == self._thread:
            self._arrived.set()
        else:
            self._loop.call_soon_threadsafe(self._arrived.set)

    def take(self) -> Arrival | None:
        """The first that has come, or None."""
        return self._arrivals.popleft() if self._arrivals else None

    async def wait(self) -> None:
        """Return when something may have come."""
        self._arrived.clear()
        if not self._arrivals:
            await self._arrived.wait()

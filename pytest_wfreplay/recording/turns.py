"""Whose turn it is: what came from outside a run comes again in the order in which it was recorded.

1. Everybody waits for those before him. One who never comes (the code has changed) is waited for only while anything else happens, and a
   moment longer; after that nobody waits any more: the order is a courtesy to concurrent work, finding what parted is not done here.
2. Waiters may stand in other threads and other loops.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

#: How long (seconds) somebody who waits sees nothing happen before he goes on.
PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class _Waiter:
    loop: asyncio.AbstractEventLoop
    turn: asyncio.Future[None]
    must_rest: bool


class Turns:
    """The turns of one run. `positions` are those of the signals that came from outside, ascending, each from 1."""

    __slots__ = ("_came_early", "_is_patient", "_lock", "_next", "_positions", "_waiting", "happened", "heard")

    def __init__(self, positions: Sequence[int]) -> None:
        self._positions = positions
        self._next = 0
        self._came_early: set[int] = set()
        self._waiting: dict[int, _Waiter] = {}
        self._is_patient = True
        self._lock = threading.Lock()
        #: How many signals were heard.
        self.heard = 0
        #: A number that changes whenever anything happens.
        self.happened = 0

    @property
    def is_over(self) -> bool:
        """Whether everything that came from outside has come again."""
        return self._next >= len(self._positions)

    def turn(self, ordinal: int, *, at_rest: bool) -> Awaitable[None] | None:
        """What to wait for before `ordinal` may come; None when it may come now."""
        if (ordinal == self._next and (not at_rest or self.heard >= self._positions[ordinal] - 1)) or ordinal < 0 or not self._is_patient:
            return None
        return self._wait(ordinal, at_rest=at_rest)

    def arrive(self, ordinal: int) -> None:
        """It has come."""
        with self._lock:
            self.happened += 1
            if ordinal == self._next:
                self._next += 1
                while self._came_early and self._next in self._came_early:
                    self._came_early.discard(self._next)
                    self._next += 1
            elif ordinal > self._next:
                self._came_early.add(ordinal)
            if self._waiting:
                self._call()

    def hear(self) -> None:
        """One more signal was heard."""
        self.heard += 1
        self.happened += 1
        if self._waiting:
            with self._lock:
                self._call()

    def _call(self) -> None:
        waiter = self._waiting.get(self._next)
        if waiter is not None and (not waiter.must_rest or self.heard >= self._positions[self._next] - 1):
            self._release(self._next)

    def _release(self, ordinal: int) -> None:
        waiter = self._waiting.pop(ordinal)
        if not waiter.loop.is_closed():
            waiter.loop.call_soon_threadsafe(_let_go, waiter.turn)

    async def _wait(self, ordinal: int, *, at_rest: bool) -> None:
        loop = asyncio.get_running_loop()
        waiter = _Waiter(loop, loop.create_future(), at_rest)
        with self._lock:
            self._waiting[ordinal] = waiter
            self._call()
        try:
            while not waiter.turn.done():
                before = self.happened
                await asyncio.wait({waiter.turn}, timeout=PATIENCE)
                if not waiter.turn.done() and self.happened == before:
                    self._give_up()
        finally:
            with self._lock:
                self._waiting.pop(ordinal, None)

    def _give_up(self) -> None:
        self._is_patient = False
        with self._lock:
            for ordinal in sorted(self._waiting):
                self._release(ordinal)


def _let_go(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)

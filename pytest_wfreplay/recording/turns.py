"""Whose turn it is: what came from outside a run comes again in the order in which it was recorded.

1. Everybody waits for those before him. One who never comes (the code has changed) is waited for only while anything else happens, and a
   moment longer; after that nobody waits any more: the order is a courtesy to concurrent work, finding what parted is not done here.
2. Waiters may stand in other threads and other loops.
3. While a step is done live, what it says may be what the others wait for: they wait longer.
4. Between two that came at different moments the run had time to take notice of the first: it is given some rounds of its event loop.
   Between two that came in one moment (see `Ends`) it had none.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import _get_running_loop
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

#: How long (seconds) somebody who waits sees nothing happen before he goes on.
PATIENCE = 0.5

#: The same while a step is done live.
LONG_PATIENCE = 60.0

#: How many rounds of the event loop a run is given to take notice: `asyncio.wait`, a group or a timeout need three.
ROUNDS = 8


@dataclass(frozen=True, slots=True)
class _Waiter:
    loop: asyncio.AbstractEventLoop
    turn: asyncio.Future[None]
    must_rest: bool


class Turns:
    """The turns of one run. `positions` are those of the signals that came from outside, ascending, each from 1."""

    __slots__ = ("_came_at_once", "_came_early", "_is_patient", "_lock", "_next", "_positions", "_waiting", "happened", "heard", "said", "working")

    def __init__(self, positions: Sequence[int], came_at_once: Callable[[int], bool] = lambda _: False) -> None:
        self._positions = positions
        #: Whether what comes at a turn came in the same moment as what came before it.
        self._came_at_once = came_at_once
        self._next = 0
        self._came_early: set[int] = set()
        self._waiting: dict[int, _Waiter] = {}
        self._is_patient = True
        self._lock = threading.RLock()
        #: The position of the last signal that was said by itself; it may have to wait to be heard.
        self.said = 0
        #: How many steps are done live at this moment.
        self.working = 0
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

    def pass_by(self, ordinal: int, position: int) -> bool:
        """A step that says two signals in a row is heard, if it is its turn and nobody waits; `position` is that of the first. Whether it was."""
        with self._lock:
            if self._waiting or self._came_early or ordinal != self._next or self.heard != position - 1:
                return False
            self._next += 1
            self.heard += 2
            self.happened += 2
        return True

    def hear(self) -> None:
        """One more signal was heard."""
        self.heard += 1
        self.happened += 1
        if self._waiting:
            with self._lock:
                self._call()

    def _call(self) -> None:
        """Let go whose turn it is."""
        ordinal = self._next
        waiter = self._waiting.get(ordinal)
        if waiter is not None and (not waiter.must_rest or self.heard >= self._positions[ordinal] - 1):
            self._release(ordinal, ROUNDS if waiter.must_rest and not self._came_at_once(ordinal) else 0)

    def _release(self, ordinal: int, rounds: int) -> None:
        waiter = self._waiting.pop(ordinal)
        if waiter.loop is _get_running_loop():
            self._let_go(ordinal, waiter, rounds)
        elif not waiter.loop.is_closed():
            waiter.loop.call_soon_threadsafe(self._let_go, ordinal, waiter, 0)

    def _let_go(self, ordinal: int, waiter: _Waiter, rounds: int) -> None:
        """After some rounds let go one, and those who came in the same moment right behind."""
        if rounds:
            waiter.loop.call_soon(self._let_go, ordinal, waiter, rounds - 1)
            return
        if not waiter.turn.done():
            waiter.turn.set_result(None)
        behind = ordinal + 1
        if behind in self._waiting and self._positions[behind] == self._positions[ordinal] + 1 and self._came_at_once(behind):
            self._release(behind, 0)

    async def _wait(self, ordinal: int, *, at_rest: bool) -> None:
        loop = asyncio.get_running_loop()
        waiter = _Waiter(loop, loop.create_future(), at_rest)
        with self._lock:
            self._waiting[ordinal] = waiter
            self._call()
        timer = loop.call_later(PATIENCE, self._look, waiter, self.happened, PATIENCE)
        try:
            await waiter.turn
        finally:
            timer.cancel()
            with self._lock:
                self._waiting.pop(ordinal, None)

    def _look(self, waiter: _Waiter, before: int, quiet: float) -> None:
        """Look again later while anything happens or is done live, else give up; nothing has happened for `quiet` seconds."""
        if waiter.turn.done():
            return
        if self.happened != before:
            quiet = 0.0
        elif quiet >= (LONG_PATIENCE if self.working else PATIENCE):
            self._give_up()
            return
        waiter.loop.call_later(PATIENCE, self._look, waiter, self.happened, quiet + PATIENCE)

    def _give_up(self) -> None:
        self._is_patient = False
        with self._lock:
            for ordinal in sorted(self._waiting):
                if ordinal in self._waiting:
                    self._release(ordinal, 0)

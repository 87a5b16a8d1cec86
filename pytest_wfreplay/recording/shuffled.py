"""Turns in another order than the recorded one: what is under way side by side comes again in an order that a seed draws.

1. Everybody waits. When the run's event loop has come to rest, one of those who wait is drawn and goes on; then the same again. So whatever
   happens one after the other stays as it is: there is only one who waits.
2. A run says the same in any order when each activation says the same, and everything outside of activations was said as often. Which of
   several activations of one agent came first may be another; so may the values that a state had in between.
3. A run that failed, timed out or was cancelled keeps its order: what it came to before that depends on it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from pytest_wfreplay.recording.turns import ROUNDS, Turns

if TYPE_CHECKING:
    from pytest_wfreplay.clock import Luck

#: What an activation said, or one thing that was said outside of all: the names and the spelled payloads.
Saying: TypeAlias = tuple[tuple[str, str], ...]

#: Where something was said: the agent or the step, without the number of the activation.
Voice: TypeAlias = str


class Said(Protocol):
    """A signal as far as it is compared. Its payload is spelled."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def payload(self) -> str:
        """Its payload, spelled."""

    @property
    def activation(self) -> str | None:
        """Who said it; None outside of activations."""


class Shuffled(Turns):
    """The turns of one run, drawn. It stands in for `Turns`; that somebody must rest is always so."""

    __slots__ = ("_arrived", "_looking", "_luck", "_ready")

    def __init__(self, positions: Sequence[int], luck: Luck) -> None:
        super().__init__(positions)
        self._luck = luck
        self._arrived = 0
        #: Those who wait, in each event loop.
        self._ready: dict[asyncio.AbstractEventLoop, dict[int, asyncio.Future[None]]] = {}
        self._looking: set[asyncio.AbstractEventLoop] = set()

    @property
    def is_over(self) -> bool:
        """Whether everything that came from outside has come again."""
        return self._arrived >= len(self._positions)

    def turn(self, ordinal: int, *, at_rest: bool) -> Awaitable[None] | None:  # noqa: ARG002 - here everybody must rest
        """What to wait for before `ordinal` may come."""
        return None if ordinal < 0 else self._drawn(ordinal)

    def arrive(self, ordinal: int) -> None:
        """It has come."""
        with self._lock:
            self.happened += 1
            self._arrived += ordinal >= 0

    def pass_by(self, ordinal: int, position: int) -> bool:  # noqa: ARG002 - see below
        """Nobody passes by those who wait to be drawn."""
        return False

    async def _drawn(self, ordinal: int) -> None:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        with self._lock:
            self.happened += 1
            self._ready.setdefault(loop, {})[ordinal] = turn
            is_looking = loop in self._looking
            self._looking.add(loop)
        if not is_looking:
            loop.call_soon(self._draw, loop, self.happened, ROUNDS)
        try:
            await turn
        finally:
            with self._lock:
                self._ready[loop].pop(ordinal, None)

    def _draw(self, loop: asyncio.AbstractEventLoop, before: int, rounds: int) -> None:
        """After so many rounds of the loop in which nothing happened, let one go on; look on while anybody waits."""
        waiting = self._ready[loop]
        if rounds and waiting:
            loop.call_soon(self._draw, loop, self.happened, ROUNDS if self.happened != before else rounds - 1)
            return
        with self._lock:
            left = sorted(waiting)
            if left:
                turn = waiting.pop(self._luck.choice(left))
                if not turn.done():
                    turn.set_result(None)
            if len(left) > 1:
                loop.call_soon(self._draw, loop, self.happened, ROUNDS)
            else:
                self._looking.discard(loop)


def parted(recorded: Sequence[Said], current: Sequence[Said]) -> tuple[Voice, Saying | None, Saying | None] | None:
    """Where two runs part, whatever the order: whose saying is not there any more, and what is said there instead; None where nowhere."""
    was, now = Counter(_sayings(recorded)), Counter(_sayings(current))
    missing, more = list((was - now).elements()), list((now - was).elements())
    if not missing and not more:
        return None
    voice = (missing or more)[0][0]
    return voice, next((said for who, said in missing if who == voice), None), next((said for who, said in more if who == voice), None)


def _sayings(signals: Sequence[Said]) -> list[tuple[Voice, Saying]]:
    """What each activation said, as one; and the rest, one by one."""
    sayings: dict[str, list[tuple[str, str]]] = {}
    rest: list[tuple[Voice, Saying]] = []
    for signal in signals:
        one = (signal.name, "" if signal.name.startswith("state:") else signal.payload)
        if signal.activation is None:
            rest.append(("", (one,)))
        else:
            sayings.setdefault(signal.activation, []).append(one)
    return [*((without_numbers(activation), tuple(said)) for activation, said in sayings.items()), *rest]


def without_numbers(key: str) -> str:
    """A key whose parts do not say which occurrence they are."""
    return "/".join(part.partition("#")[0] for part in key.split("/"))

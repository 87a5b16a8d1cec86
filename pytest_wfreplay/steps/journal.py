"""The port that every step asks first, and the row of it that remembers nothing.

| journal  | remembers                        | keeps             |
|----------|----------------------------------|-------------------|
| live     | nothing                          | nothing           |
| recorder | nothing                          | everything        |
| replayer | everything, refuses the rest     | nothing           |
| extender | what it has, does the rest       | what it had to do |

1. `recall` is asked once for each step, before its work begins, in the order in which steps begin.
2. `begin` is called before work that is done here, `append` when it has ended, each once.
3. `place` gives each signal its id and time; `hear` is told of each signal when it takes its place in the one order.
4. `end` is called once, last, however the run ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from pytest_wfreplay.clock import Clock, SystemClock, iso
from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.signal import Signal, SignalSource, signal_id
from pytest_wfreplay.steps.entry import ABSENT, Absent, Entry, Outcome

#: How a run is ended from outside: its time is over, or this cancels it.
Interruption: TypeAlias = Literal["timeout"] | asyncio.CancelledError

#: How a run can end.
Status: TypeAlias = Literal["completed", "failed", "cancelled", "timeout"]


#: The place of a step that was done in an earlier run: it has none in this one's trace, and says its signals anew.
ANEW = -1


@dataclass(slots=True)
class Remembered:
    """A step that the journal knows. `signals` is what it had said, in order."""

    entry: Entry
    signals: Sequence[Signal] = ()
    #: For each of `signals` its place among all that came from outside in the run, -1 for what the run said by itself.
    turns: Sequence[int] = ()
    #: Where in the trace, from 1, it said its two signals in a row, the end from outside; 0 where it is not as simple as that, or `ANEW`.
    position: int = 0


#: What a journal answers when work is about to begin: nothing, or what another run has made of it meanwhile; perhaps it has to be waited for.
Begun: TypeAlias = "Remembered | Awaitable[Remembered | None] | None"


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run says of itself when it starts. `workflow` is None for bare steps; `initial_state` is JSON or absent."""

    workflow: str | None
    initial_state: JSON | Absent = ABSENT
    harnesses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended. `outcome` is that of a function workflow, its values JSON; `error` is `{"type", "message"}`."""

    status: Status
    final_state: JSON | Absent = ABSENT
    outcome: Outcome | None = None
    error: Mapping[str, JSON] | None = None
    #: Milliseconds that the run took.
    duration_ms: float = 0.0


class Journal(Protocol):
    """What one run's steps ask. See the laws above."""

    @property
    def recording_id(self) -> str | None:
        """The recording that is made or replayed, or None."""

    @property
    def clock(self) -> Clock:
        """The time and the luck of what is done live."""

    def recall(self, key: str, input: object) -> Remembered | None:
        """What is known of a step that is about to begin; None means: do it.

        Raises:
            DivergenceError: the step may not be done, or was given another input than it is known with.
        """

    def named(self, key: str) -> str:
        """The key under which a step is known here, asked once before it is recalled: a journal that is kept holds no secrets."""

    def begin(self, key: str, given: JSON) -> Begun:
        """The work of a step that is not known is about to begin, with this input."""

    def append(self, entry: Entry) -> Entry | Awaitable[Entry] | None:
        """Keep a step that was done. What stands instead, where another run was first; None where it is as given."""

    def inside(self, key: str) -> Sequence[Entry]:
        """The steps that were done inside a step that is remembered."""

    def place(self, position: int, name: str, payload: JSON, source: SignalSource | None) -> Signal:
        """The signal at a position (from 1) of this run."""

    def hear(self, signal: Signal) -> None:
        """Take note of the next signal of the one order."""

    def turn(self, ordinal: int, *, at_rest: bool) -> Awaitable[None] | None:
        """What to wait for before what came from outside at `ordinal` may come again; None when it may come now.

        `at_rest` asks that everything the run said before it was heard first.
        """

    def arrive(self, ordinal: int) -> None:
        """What came from outside at `ordinal` has come."""

    def repeat(self, remembered: Remembered, position: int) -> bool:
        """Hear all of what a step had said at once, if just that comes next in a run that has said `position` signals; whether it did."""

    async def lapse(self, remembered: Remembered) -> None:
        """Wait as a cancelled step does: until it is cancelled again."""

    async def interruption(self, timeout: float | None) -> Interruption:
        """Return when the run is to be ended from outside: its `timeout` (seconds) is over, or as it was recorded."""

    def watch(self) -> AbstractAsyncContextManager[None]:
        """Around a run without such a watch of its own: in there its task is cancelled when the run is to be ended, as it was recorded."""

    def duration_ms(self) -> float:
        """Milliseconds since the run began, as it was recorded if it is replayed."""

    async def end(self, ending: Ending) -> None:
        """Close the journal.

        Raises:
            DivergenceError: the run is not what was recorded.
        """


@runtime_checkable
class Lasting(Protocol):
    """A journal whose run may go on in another one."""

    @property
    def identity(self) -> str | None:
        """What the run is called wherever it goes on; None if this one goes on nowhere."""


_UNWATCHED = nullcontext()


class JournalSource(Protocol):
    """Who hands a run its journal: the one place where modes are known."""

    @property
    def works(self) -> bool:
        """Whether there may be work to do, so that harnesses are needed."""

    @property
    def rules(self) -> bool:
        """Whether it also decides for runs that bring another source along."""

    @property
    def inner(self) -> JournalSource:
        """Who hands journals to runs that start inside its runs."""

    async def open(self, run: RunFacts) -> Journal:
        """The journal of a run that is about to start."""


class LiveJournal:
    """The row that remembers and keeps nothing: a plain production run."""

    recording_id: str | None = None

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self._began = self.clock.monotonic()

    def recall(self, key: str, input: object) -> Remembered | None:  # noqa: ARG002 - it remembers nothing
        """Nothing."""
        return None

    def named(self, key: str) -> str:
        """The key as it is."""
        return key

    def begin(self, key: str, given: JSON) -> Begun:  # noqa: ARG002 - nothing is kept
        """Keep nothing."""
        return None

    def append(self, entry: Entry) -> Entry | Awaitable[Entry] | None:  # noqa: ARG002 - nothing is kept
        """Keep nothing."""
        return None

    def inside(self, key: str) -> Sequence[Entry]:  # noqa: ARG002 - nothing is remembered
        """Nothing."""
        return ()

    def place(self, position: int, name: str, payload: JSON, source: SignalSource | None) -> Signal:
        """A signal of this moment."""
        return Signal(signal_id(position), name, payload, iso(self.clock.now()), source)

    def hear(self, signal: Signal) -> None:
        """Keep nothing."""

    def turn(self, ordinal: int, *, at_rest: bool) -> None:
        """Nothing comes again."""

    def arrive(self, ordinal: int) -> None:
        """Nothing comes again."""

    def repeat(self, remembered: Remembered, position: int) -> bool:  # noqa: ARG002 - nothing comes again
        """Nothing comes again."""
        return False

    async def lapse(self, remembered: Remembered) -> None:
        """Nothing comes again."""

    async def interruption(self, timeout: float | None) -> Interruption:
        """After `timeout` seconds, or never."""
        if timeout is None:
            await asyncio.Event().wait()
        else:
            await self.clock.sleep(timeout)
        return "timeout"

    def watch(self) -> AbstractAsyncContextManager[None]:
        """Nobody ends it from here."""
        return _UNWATCHED

    def duration_ms(self) -> float:
        """Milliseconds since the run began."""
        return round((self.clock.monotonic() - self._began) * 1000, 3)

    async def end(self, ending: Ending) -> None:
        """Nothing was kept."""


class LiveSource:
    """Hands out live journals."""

    works = True
    rules = False

    @property
    def inner(self) -> JournalSource:
        """It does."""
        return self

    async def open(self, run: RunFacts) -> Journal:  # noqa: ARG002 - a live run is asked nothing
        """A journal that remembers and keeps nothing."""
        return LiveJournal()

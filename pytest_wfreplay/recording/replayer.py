"""The journal that remembers everything, refuses what it does not know, and says in the end where this run was another one.

1. Nothing live: an unrecorded step fails before its work begins. No fallback, no guess, no entry used twice.
2. The first divergence is raised at the call. Code that swallows it does not save the run: `end` raises it again, with the rest.
3. Equality first, diff last: a lookup and a comparison of two texts for each step; differences are looked for when they are told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_wfreplay.clock import SystemClock
from pytest_wfreplay.errors import DivergenceError
from pytest_wfreplay.jsonable import JSON, jsonable, same, spell
from pytest_wfreplay.recording.compare import Finding, compared
from pytest_wfreplay.recording.divergence import Divergence, Place, error_of
from pytest_wfreplay.recording.memory import Known, Memory
from pytest_wfreplay.recording.refusal import reordered, unrecorded, wrong_input
from pytest_wfreplay.signal import Signal, SignalSource, signal_id

if TYPE_CHECKING:
    from pytest_wfreplay.recording.matching import Matching
    from pytest_wfreplay.recording.recording import Recording
    from pytest_wfreplay.steps.journal import Ending, Interruption, Remembered

#: Seconds a run that did end when it was recorded is given now, at least; and a cancelled step to be cancelled again.
GRACE = 10.0

#: Seconds in which nothing must happen before a run is ended as it was recorded.
QUIET = 0.02


class Replayer:
    """Replays one recording for one run."""

    def __init__(self, recording: Recording, matching: Matching, place: Place, *, found: Callable[[Divergence], None] | None = None) -> None:
        self.recording_id: str | None = recording.metadata.id
        self.recording = recording
        self.divergences: list[Divergence] = []
        #: Seconds to wait for somebody else to cancel a run that was cancelled when it was recorded.
        self.patience = 0.0
        self._matching = matching
        self._place = place
        self._found = found
        self._memory = Memory(recording)
        self._turns = self._memory.turns
        self._trace = recording.signals
        self._length = len(recording.signals)
        self._others: list[tuple[int, Signal]] = []
        self._looks_at_inputs = matching.looks_at.inputs
        self._clock = SystemClock()

    def recall(self, key: str, input: object) -> Remembered | None:
        """The recorded step.

        Raises:
            UnrecordedStepError, StepInputMismatchError, DivergenceError: there is none, or not with this input, or not now.
        """
        known = self._memory.get(key)
        if known is None or known.is_consumed:
            self._refuse(unrecorded(self._memory, key, jsonable(input), self._place, self._context))
        if self._looks_at_inputs:
            spelled = spell(input, path=f"input of step {key!r}")
            if known.spelled_input is not None and spelled != known.spelled_input:
                self._guard(known, jsonable(input))
        before = self._memory.consume(known)
        if before is not None:
            self._refuse(reordered(known, before, self._place, self._context))
        return known.remembered

    def append(self, entry: object) -> None:
        """Nothing is done in a replay, so nothing is kept."""

    def place(self, position: int, name: str, payload: JSON, source: SignalSource | None) -> Signal:
        """The recorded signal where this run says the same, else a new one with its time."""
        if position > self._length:
            last = self._trace[-1].timestamp if self._length else ""
            return Signal(signal_id(position), name, payload, last, source)
        twin = self._trace[position - 1]
        if twin.name == name and (twin.payload is payload or same(twin.payload, payload)) and (twin.source is source or twin.source == source):
            return twin
        return Signal(signal_id(position), name, payload, twin.timestamp, source)

    def hear(self, signal: Signal) -> None:
        """Remember where this run says something else."""
        heard = self._turns.heard
        if heard >= self._length or self._trace[heard] is not signal:
            self._others.append((heard, signal))
        self._turns.hear()

    def turn(self, ordinal: int, *, at_rest: bool) -> object:
        """Those that came from outside come in the recorded order."""
        return self._turns.turn(ordinal, at_rest=at_rest)

    def arrive(self, ordinal: int) -> None:
        """It has come."""
        self._turns.arrive(ordinal)

    async def lapse(self, remembered: Remembered) -> None:
        """Wait as the cancelled step did.

        Raises:
            DivergenceError: nobody cancels it in this run.
        """
        if self.recording.metadata.status == "cancelled":
            await self._be_quiet(self.patience)
            raise asyncio.CancelledError("This run was cancelled when it was recorded.")
        await self._clock.sleep(GRACE + self.duration_ms() / 1000)
        self._refuse(
            Divergence("outcome", self._place, f"{remembered.entry.key} was cancelled when it was recorded; nobody cancels it in this run")
        )

    async def interruption(self, timeout: float | None) -> Interruption:
        """End the run as it was recorded; one that ended by itself is given at least `GRACE` seconds."""
        status = self.recording.metadata.status
        if status == "timeout" and timeout is not None:
            await self._be_quiet(0.0)
            return "timeout"
        if status == "cancelled":
            await self._be_quiet(self.patience)
            return "cancelled"
        if timeout is None:
            await asyncio.Event().wait()
        else:
            await self._clock.sleep(max(timeout, GRACE))
        return "timeout"

    def duration_ms(self) -> float:
        """The recorded duration; 0 where the recording does not say."""
        return self.recording.metadata.duration_ms or 0.0

    async def end(self, ending: Ending) -> None:
        """Compare what is left to compare.

        Raises:
            DivergenceError: this run was not what was recorded.
        """
        self.conclude(ending)
        if self.divergences:
            raise error_of(self.divergences)

    def conclude(self, ending: Ending) -> None:
        """Compare what is left to compare; `divergences` hold all that was found."""
        if ending.error is not None and self.divergences and _is_divergence(ending.error.get("type")):
            return
        finding = Finding(self.recording, self._matching, self._place)
        for divergence in compared(finding, self._memory.left_over(), self._heard(), ending):
            self._note(divergence)

    def _heard(self) -> list[Signal] | None:
        """This run's trace, or None when it is the recorded one, signal for signal."""
        if not self._others and self._turns.heard == self._length:
            return None
        heard = list(self._trace[: self._turns.heard])
        for index, signal in self._others:
            if index < len(heard):
                heard[index] = signal
            else:
                heard.append(signal)
        return heard

    def _guard(self, known: Known, current: JSON) -> None:
        key = known.entry.key
        if not self._matching.agree(known.entry.input, current, lambda value: self._matching.ignoring.input(key, value)):
            self._refuse(wrong_input(known, self._matching.clean(current), self._place, self._context))

    def _refuse(self, divergence: Divergence) -> None:
        self._note(divergence)
        raise error_of([divergence])

    def _note(self, divergence: Divergence) -> None:
        self.divergences.append(divergence)
        if self._found is not None:
            self._found(divergence)

    def _context(self, position: int | None = None) -> tuple[str, ...]:
        return around(list(self._trace), self._turns.heard if position is None else position)

    async def _be_quiet(self, patience: float) -> None:
        """Return when everything that came from outside has come again and nothing has happened for a while."""
        await self._clock.sleep(patience)
        before = -1
        while not self._turns.is_over or before != self._turns.happened:
            before = self._turns.happened
            await self._clock.sleep(QUIET)


def around(trace: list[Signal], position: int) -> tuple[str, ...]:
    """The three signals around a place in a trace, as lines."""
    start = max(0, min(position, len(trace)) - 2)
    return tuple(f"{index + 1}. {one.name}" + (f" [{one.source.activation}]" if one.source and one.source.activation else "")
                 for index, one in enumerate(trace[start : start + 3], start))  # fmt: skip


def _is_divergence(type_name: object) -> bool:
    names = [DivergenceError.__name__, *(cls.__name__ for cls in DivergenceError.__subclasses__())]
    return type_name in names

"""The journal that remembers everything, refuses what it does not know, and says in the end where this run was another one.

1. Nothing live: an unrecorded step fails before its work begins. No fallback, no guess, no entry used twice.
2. The first divergence is raised at the call. Code that swallows it does not save the run: `end` raises it again, with the rest.
3. Equality first, diff last: a lookup and a comparison of two texts for each step; differences are looked for when they are told.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_wfreplay.clock import SystemClock
from pytest_wfreplay.errors import DivergenceError
from pytest_wfreplay.jsonable import JSON, jsonable, same
from pytest_wfreplay.plainly import is_plainly
from pytest_wfreplay.recording.compare import Finding, compared
from pytest_wfreplay.recording.divergence import Divergence, Place, around, error_of
from pytest_wfreplay.recording.kept import insides
from pytest_wfreplay.recording.memory import Known, Memory, described
from pytest_wfreplay.recording.outside import Outside
from pytest_wfreplay.recording.refusal import reordered, unrecorded, wrong_input
from pytest_wfreplay.signal import Signal, SignalSource, signal_id
from pytest_wfreplay.steps.entry import Absent

if TYPE_CHECKING:
    from pytest_wfreplay.clock import Clock, Luck
    from pytest_wfreplay.recording.matching import Matching
    from pytest_wfreplay.recording.recording import Recording
    from pytest_wfreplay.steps.entry import Entry
    from pytest_wfreplay.steps.journal import Ending, Interruption, Remembered


class Replayer:
    """Replays one recording for one run; `luck` draws in which order work that is under way side by side ends (see `shuffled`)."""

    def __init__(
        self,
        recording: Recording,
        matching: Matching,
        place: Place,
        *,
        found: Callable[[Divergence], None] | None = None,
        luck: Luck | None = None,
    ) -> None:
        self.recording_id: str | None = recording.metadata.id
        self.clock: Clock = SystemClock()
        self.recording = recording
        self.divergences: list[Divergence] = []
        self._matching = matching
        self._place = place
        self._found = found
        self._trace = tuple(recording.signals)
        self._memory = Memory(recording, self._trace, luck if recording.metadata.status == "completed" else None)
        self._turns = self._memory.turns
        self._length = len(self._trace)
        self._others: list[tuple[int, Signal]] = []
        self._looks_at_inputs = matching.looks_at.inputs
        self._lock = threading.Lock()
        self._outside = Outside(recording, self._turns)
        #: Cancelled steps of a run that went on, which nobody in it cancelled.
        self._spared: list[str] = []
        self._names = matching.redacting

    def wait_for_others(self, seconds: float) -> None:
        """Give somebody else so many seconds to end a run that was ended from outside when it was recorded."""
        self._outside.patience = seconds

    def recall(self, key: str, input: object) -> Remembered | None:
        """The recorded step.

        Raises:
            UnrecordedStepError, StepInputMismatchError, DivergenceError: there is none, or not with this input, or not now.
        """
        memory = self._memory
        order = memory.find(key)
        if order is not None and self._fits(memory.entry(order), input):
            with self._lock:
                is_mine = memory.find(key) is not None
                before = memory.consume(order) if is_mine else None
            if before is not None:
                memory.dismiss(order)
                raise self._refusal(reordered(memory, memory.at(order), before, self._place, self._context))
            if is_mine:
                return self._matching.given_back(memory.recall(order))
        return self._another(key, input)

    def _fits(self, entry: Entry, input: object) -> bool:
        recorded = entry.input
        if isinstance(recorded, Absent) or not self._looks_at_inputs:
            return True
        if is_plainly(input, recorded):
            return True
        current = jsonable(input, path=f"input of step {entry.key!r}")
        return self._matching.agree(recorded, current, self._matching.ignoring.of_input(entry.key))

    def _another(self, key: str, input: object) -> Remembered:
        """Another occurrence of the same work, where nobody decides which one is whose.

        Raises:
            UnrecordedStepError, StepInputMismatchError: there is none.
        """
        memory = self._memory
        given = self._matching.hiding.input(key, jsonable(input, path=f"input of step {key!r}"))
        with self._lock:
            twin = memory.twin(key, lambda one: self._fits(one, input))
            if twin is not None and memory.consume(twin) is None:
                return self._matching.given_back(memory.recall(twin))
        known = memory.known(key)
        if known is None or memory.find(key) is None:
            divergence = unrecorded(memory, key, self._matching.clean(given), self._place, self._context)
        else:
            memory.dismiss(known.order)
            without, recorded = self._matching.ignoring.of_input(known.entry.key), known.entry.input
            shown = self._matching.beside(recorded, given, without)
            left = recorded if isinstance(recorded, Absent) else without(recorded)
            divergence = wrong_input(memory, Known(replace(known.entry, input=left), known.order), shown, self._place, self._context)
        raise self._refusal(divergence)

    def named(self, key: str) -> str:
        """The key without secrets, as it was recorded."""
        return key if self._memory.known(key) is not None else self._names.key(key)

    def begin(self, key: str, given: JSON) -> None:
        """Nothing is begun in a replay but what an heir of it does."""

    def append(self, entry: Entry) -> None:
        """Nothing is done in a replay, so nothing is kept."""

    def inside(self, key: str) -> Sequence[Entry]:
        """The recorded steps inside a recorded step."""
        return insides(self.recording.entries).get(key, ())

    def place(self, position: int, name: str, payload: JSON, source: SignalSource | None) -> Signal:
        """The recorded signal where this run says the same, else a new one with its time."""
        self._turns.said = position
        if position > self._length:
            last = self._trace[-1].timestamp if self._length else ""
            return Signal(signal_id(position), name, payload, last, source)
        twin = self._trace[position - 1]
        if twin.name == name and (twin.payload is payload or same(twin.payload, payload)) and (twin.source is source or twin.source == source):
            return twin
        return Signal(signal_id(position), name, payload, twin.timestamp, source)

    def hear(self, signal: Signal) -> None:
        """Remember where this run says something else."""
        turns = self._turns
        heard = turns.heard
        if heard >= self._length or self._trace[heard] is not signal:
            self._others.append((heard, signal))
        turns.hear()

    def turn(self, ordinal: int, *, at_rest: bool) -> Awaitable[None] | None:
        """Those that came from outside come in the recorded order."""
        return self._turns.turn(ordinal, at_rest=at_rest)

    def arrive(self, ordinal: int) -> None:
        """It has come."""
        self._turns.arrive(ordinal)

    def repeat(self, remembered: Remembered, position: int) -> bool:
        """What most steps of most runs do: the two signals that come next are just what was recorded there."""
        return remembered.position == position + 1 and self._turns.pass_by(remembered.turns[-1], remembered.position)

    async def lapse(self, remembered: Remembered) -> None:
        """Wait as the cancelled step did.

        Raises:
            DivergenceError: nobody cancels it in this run.
        """
        key = remembered.entry.key
        before = self._outside.cancellations
        try:
            await self._outside.lapse()
        except asyncio.CancelledError:
            if self._outside.cancellations > before and not self._outside.was_cancelled:
                self._spared.append(key)
            raise
        raise self._refusal(self._never_cancelled(key))

    def _never_cancelled(self, key: str) -> Divergence:
        return Divergence("outcome", self._place, f"{described(key)} was cancelled when it was recorded; nobody cancels it in this run")

    def watch(self) -> Outside:
        """Around a function workflow: in there it is cancelled when it was cancelled."""
        return self._outside

    async def interruption(self, timeout: float | None) -> Interruption:
        """Return when the run is to be ended from outside, as it was recorded."""
        return await self._outside.interruption(timeout)

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
        self._outside.has_ended = True
        if ending.status != self.recording.metadata.status:
            for key in self._spared:
                self._note(self._never_cancelled(key))
        for divergence in self.compared(ending):
            self._note(divergence)

    def compared(self, ending: Ending) -> Iterable[Divergence]:
        """What can only be seen now that the run has ended."""
        return compared(Finding(self.recording, self._matching, self._place, self._memory.is_drawn), self._memory, self._heard(), ending)

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

    def _refusal(self, divergence: Divergence) -> DivergenceError:
        self._note(divergence)
        return error_of([divergence])

    def _note(self, divergence: Divergence) -> None:
        self.divergences.append(divergence)
        if self._found is not None:
            self._found(divergence)

    def _context(self, order: int | None) -> tuple[str, ...]:
        position = self._memory.position(order) if order is not None else 0
        return around(self._trace, position or self._turns.heard + 1)


def _is_divergence(type_name: object) -> bool:
    names = [DivergenceError.__name__, *(cls.__name__ for cls in DivergenceError.__subclasses__())]
    return type_name in names

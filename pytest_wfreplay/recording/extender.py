"""The journal that remembers what it has and does the rest: a replayer that keeps what this run was.

1. A step that is known is replayed, its input guarded as ever: known work with another input is refused, never silently done again.
2. What may be done live is a policy: nothing (accept), what is unknown (new episodes, resume), what is picked (a partial recording).
3. What is kept is one whole run: this run's trace, state and outcome, the recorded replies, and what was done. Where it says what was recorded,
   it is kept as it was recorded: its time, its id, and what a comparison does not look at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_wfreplay.clock import SystemClock
from pytest_wfreplay.recording.compare import Finding, unused
from pytest_wfreplay.recording.kept import Kept, as_recorded, insides
from pytest_wfreplay.recording.pace import Pace
from pytest_wfreplay.recording.recorder import Naming, Recorder
from pytest_wfreplay.recording.replayer import Replayer
from pytest_wfreplay.signal import Signal, SignalSource, signal_id
from pytest_wfreplay.steps.entry import Returned
from pytest_wfreplay.steps.journal import Remembered
from pytest_wfreplay.steps.scope import current

if TYPE_CHECKING:
    from pytest_wfreplay.errors import DivergenceError
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.recording.divergence import Divergence, Place
    from pytest_wfreplay.recording.matching import Matching
    from pytest_wfreplay.recording.memory import Known
    from pytest_wfreplay.recording.picked import Picked
    from pytest_wfreplay.recording.recorder import Feeding
    from pytest_wfreplay.recording.recording import Recording
    from pytest_wfreplay.steps.entry import Entry
    from pytest_wfreplay.steps.journal import Ending, Interruption, RunFacts


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be done live, and what may be missing in the end. Without any of it: nothing, as in `accept`."""

    #: Do steps that are not known.
    does_unknown: bool = False
    #: Do known steps again that failed or were cancelled: a resume does, a test replays them.
    redoes_failed: bool = False
    #: Leave out known steps that this run did not come to.
    drops_unused: bool = False
    #: Do these again, known or not; of them, too, what does not come again is left out.
    picked: Picked | None = None

    @property
    def works(self) -> bool:
        """Whether anything may be done live."""
        return self.does_unknown or self.redoes_failed or self.picked is not None


@dataclass(slots=True)
class _Moving:
    """A signal that is said again, perhaps at another place: what it was, whose step's, and where the step's signals are now."""

    was: Signal
    key: str
    places: dict[str, str]
    #: The parent of what the step says first.
    outer: str | None


class Extender(Replayer):
    """Extends one recording by one run."""

    def __init__(
        self,
        run: RunFacts,
        recording: Recording,
        matching: Matching,
        place: Place,
        policy: Policy,
        *,
        found: Callable[[Divergence], None] | None = None,
        feed: Feeding | None = None,
    ) -> None:
        super().__init__(recording, matching, place, found=found)
        self._memory.in_order = False
        self._policy = policy
        self._run = run
        self._feed = feed
        metadata = recording.metadata
        self._recorder = Recorder(run, Naming(metadata.id, metadata.name, metadata.tags), clean=matching.cleaning)
        self._pace = Pace(self._trace, metadata.created_at)
        self._inside = insides(recording.entries)
        keys = [entry.key for entry in recording.entries]
        self._again = policy.picked.among(keys) if policy.picked is not None else frozenset[str]()
        #: The steps that were done here.
        self._done: set[str] = set()
        #: Of the known steps that are being done again: the turns that are left of those at which they spoke when they were recorded.
        self._turns_of: dict[str, deque[int]] = {}
        #: Of the steps that are replayed: how many of their signals are still to be said.
        self._unsaid: dict[str, int] = {}
        self._moving: dict[int, tuple[SignalSource, _Moving]] = {}

    @property
    def has_worked(self) -> bool:
        """Whether anything was done live."""
        return bool(self._done)

    def recall(self, key: str, input: object) -> Remembered | None:
        """The recorded step, or None where it is to be done.

        Raises:
            UnrecordedStepError, StepInputMismatchError: neither.
        """
        known = self._memory.known(key)
        if self._is_to_be_done(key, known):
            self._begin(key, known, input)
            return None
        remembered = super().recall(key, input)
        return None if remembered is None else self._kept_of(remembered)

    def _is_to_be_done(self, key: str, known: Known | None) -> bool:
        policy = self._policy
        if known is None:
            return policy.does_unknown or (policy.picked is not None and policy.picked.has(key))
        return key in self._again or (policy.redoes_failed and not isinstance(known.entry.outcome, Returned))

    def _begin(self, key: str, known: Known | None, input: object) -> None:
        if known is not None:
            self._memory.dismiss(known.order)
            self._turns_of[key] = deque(self._memory.turns_of(known.order))
        self._recorder.recall(key, input)
        if not self._done and self._feed is not None:
            self._recorder.feed(self._feed)
        self._done.add(key)
        self._turns.working += 1
        self._pace.begin()

    def _kept_of(self, remembered: Remembered) -> Remembered:
        """Keep a step that is replayed, and let its signals find the places that they have in this run."""
        entry = remembered.entry
        for one in (entry, *self._inside.get(entry.key, ())):
            self._recorder.recall(one.key, None)
            self._recorder.append(one)
        self._unsaid[entry.key] = len(remembered.signals)
        scope = current.get()
        outer = scope.origin.parent if scope is not None and scope.origin is not None and scope.line.journal is self else None
        places: dict[str, str] = {}
        signals = []
        for signal in remembered.signals:
            # A source of its own tells each signal from all others when it is placed.
            source = replace(signal.source) if signal.source is not None else SignalSource()
            self._moving[id(source)] = (source, _Moving(signal, entry.key, places, outer))
            signals.append(replace(signal, source=source))
        return Remembered(entry, signals, remembered.turns)

    def append(self, entry: Entry) -> None:
        """Keep a step that was done."""
        self._recorder.append(entry)
        for turn in self._turns_of.pop(entry.key, ()):
            self._turns.arrive(turn)
        self._turns.working -= 1
        self._pace.finish()

    def place(self, position: int, name: str, payload: JSON, source: SignalSource | None) -> Signal:
        """The signal at a position of this run, with the time of its twin."""
        self._turns.said = position
        id_ = signal_id(position)
        _, moving = self._moving.pop(id(source), (None, None))
        if moving is not None:
            source = _moved(moving, id_)
            self._unsaid[moving.key] -= 1
        elif source is not None and source.harness is not None:
            self._speaks(f"{source.activation}/harness")
        return Signal(id_, name, payload, self._pace.time(name, payload, source), source)

    def _speaks(self, key: str) -> None:
        """An agent's step says something: live, or again."""
        turns = self._turns_of.get(key)
        if turns:
            self._turns.arrive(turns.popleft())
        elif key in self._unsaid:
            self._unsaid[key] -= 1

    def hear(self, signal: Signal) -> None:
        """Keep a signal."""
        self._recorder.hear(signal)
        self._turns.hear()

    def repeat(self, remembered: Remembered, position: int) -> bool:  # noqa: ARG002 - everything that is said is kept
        """Nothing is passed over here."""
        return False

    async def interruption(self, timeout: float | None) -> Interruption:
        """As it was recorded; a run that may work takes the time that it is given."""
        if self._policy.works and timeout is not None and self.recording.metadata.status != "cancelled":
            await SystemClock().sleep(timeout)
            return "timeout"
        return await super().interruption(timeout)

    def duration_ms(self) -> float:
        """The recorded duration, or longer by what was done."""
        return round(super().duration_ms() + self._pace.added_ms, 3)

    def conclude(self, ending: Ending) -> None:
        """Find what is left over, and keep how the run ended."""
        super().conclude(ending)
        self._recorder.conclude(ending)

    def compared(self, ending: Ending) -> Iterator[Divergence]:  # noqa: ARG002 - however it ended, that is kept
        """Recorded steps that this run did not come to and that may not be left out; whatever else differs is kept."""
        finding = Finding(self.recording, self._matching, self._place)
        for known in self._memory.left_over():
            if not (self._policy.drops_unused or known.entry.key in self._again):
                yield unused(finding, self._memory, known)

    def kept(self) -> Recording:
        """What is kept of the recording and of this run."""
        cut_off = frozenset(key for key, count in self._unsaid.items() if count > 0)
        return as_recorded(Kept(self._recorder.recording(), self._pace.twins, frozenset(self._done), cut_off), self.recording, self._matching)

    def _refusal(self, divergence: Divergence) -> DivergenceError:
        return super()._refusal(self._advised(divergence))

    def _advised(self, divergence: Divergence) -> Divergence:
        """With the pattern to add, where a step that is not known was begun because of one that was done again."""
        place = divergence.place
        if self._policy.picked is None or divergence.kind != "unrecorded_step" or divergence.step is None or place.again is None:
            return divergence
        return replace(divergence, place=replace(place, commands=(place.again(divergence.step), *place.commands)))


def _moved(moving: _Moving, id_: str) -> SignalSource | None:
    """The source of a signal that is said again: its parent is where it is now."""
    was = moving.was
    moving.places[was.id] = id_
    if was.source is None:
        return None
    parent = was.source.parent
    return replace(was.source, parent=moving.places.get(parent, moving.outer) if parent is not None else None)

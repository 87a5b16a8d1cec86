"""The player: walks a recording back and forth, and shows what the run looked like at every signal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import JSON, plain_json, restore
from pytest_wfreplay.pattern import PatternLike, as_pattern
from pytest_wfreplay.recording.moments import Moments, Snapshot
from pytest_wfreplay.recording.recording import Checkpoint, Recording
from pytest_wfreplay.signal import Signal
from pytest_wfreplay.steps.entry import Absent
from pytest_wfreplay.trace import Trace


@dataclass(frozen=True, slots=True)
class Position:
    """Where a player stands: `index` from -1 (before the first signal) to `total - 1`, `current` the signal there or None."""

    index: int
    total: int
    current: Signal | None
    at_start: bool
    at_end: bool


class Player:
    """Walks the signals of a recording, a trace or any sequence of signals; stands before the first one at first.

    `checkpoints` are places to go to by name, besides the recording's own; of two with one name the later counts. Any move costs at most its
    distance in signals. Raises `ConfigurationError` for something that holds no signals.
    """

    __slots__ = ("_checkpoints", "_index", "_initial_state", "_moments", "_snapshot", "_trace")

    def __init__(self, recording: Recording | Trace | Sequence[Signal], checkpoints: Iterable[Checkpoint] = ()) -> None:
        own = recording.checkpoints if isinstance(recording, Recording) else ()
        self._trace = recording.signals if isinstance(recording, Recording) else _trace(recording)
        self._initial_state = _initial_state(recording)
        self._checkpoints = {checkpoint.name: checkpoint.index for checkpoint in (*own, *checkpoints)}
        self._index = -1
        self._moments = Moments(self._initial_state)
        self._snapshot: Snapshot | None = None

    @property
    def position(self) -> Position:
        """Where it stands; a recording without signals is at its start and at its end."""
        index, total = self._index, len(self._trace)
        return Position(index, total, self._current(), at_start=index < 0, at_end=index >= total - 1)

    @property
    def snapshot(self) -> Snapshot:
        """The run as it was right after the current signal."""
        if self._snapshot is None:
            current = self._current()
            self._snapshot = self._moments.snapshot(self._index, None if current is None else current.timestamp)
        return self._snapshot

    def step(self) -> Signal | None:
        """Move to the next signal and give it; None at the end, where it stays."""
        if self._index + 1 >= len(self._trace):
            return None
        self._move(self._index + 1)
        return self._current()

    def back(self) -> Signal | None:
        """Move back by one and give the signal that was left; None at the start, where it stays."""
        left = self._current()
        if left is not None:
            self._move(self._index - 1)
        return left

    def goto(self, index: int) -> Signal | None:
        """Move to the signal at an index and give it; an index beyond either end means that end (-1: before the first)."""
        self._move(max(-1, min(index, len(self._trace) - 1)))
        return self._current()

    def rewind(self) -> None:
        """Move before the first signal."""
        self._move(-1)

    def fast_forward(self) -> None:
        """Move to the last signal."""
        self._move(len(self._trace) - 1)

    def goto_next(self, pattern: PatternLike) -> Signal | None:
        """Move to the next signal that matches and give it; None where there is none, and it stays."""
        return self._goto_first(pattern, range(self._index + 1, len(self._trace)))

    def goto_previous(self, pattern: PatternLike) -> Signal | None:
        """Move to the nearest earlier signal that matches and give it; None where there is none, and it stays."""
        return self._goto_first(pattern, range(self._index - 1, -1, -1))

    def goto_checkpoint(self, name: str) -> bool:
        """Move to a checkpoint; False where there is none of that name, and it stays."""
        if name not in self._checkpoints:
            return False
        self.goto(self._checkpoints[name])
        return True

    def peek(self, index: int) -> Signal | None:
        """The signal at an index, without moving; None beyond either end."""
        return self._trace[index] if 0 <= index < len(self._trace) else None

    def peek_range(self, start: int, end: int) -> list[Signal]:
        """The signals from `start` up to, not including, `end`, without moving."""
        return list(self._trace[max(start, 0) : max(end, 0)])

    def find_all(self, pattern: PatternLike) -> list[tuple[int, Signal]]:
        """Every signal that matches, with its index, without moving."""
        asked = as_pattern(pattern)
        return [(index, signal) for index, signal in enumerate(self._trace) if asked.matches(signal)]

    def _current(self) -> Signal | None:
        return self._trace[self._index] if self._index >= 0 else None

    def _goto_first(self, pattern: PatternLike, indexes: Iterable[int]) -> Signal | None:
        asked = as_pattern(pattern)
        found = next((index for index in indexes if asked.matches(self._trace[index])), None)
        return None if found is None else self.goto(found)

    def _move(self, index: int) -> None:
        if index == self._index:
            return
        self._snapshot = None
        if index + 1 < self._index - index:  # nearer to the start than to here
            self._moments, self._index = Moments(self._initial_state), -1
        while self._index > index:
            self._moments.undo()
            self._index -= 1
        while self._index < index:
            self._index += 1
            self._moments.apply(self._trace[self._index])


def _trace(signals: object) -> Trace:
    if isinstance(signals, Trace):
        return signals
    if not isinstance(signals, Sequence) or not all(isinstance(signal, Signal) for signal in signals):
        raise ConfigurationError(
            f"A player plays a recording or a trace, not {type(signals).__name__}.", hint="Pass result.signals, or await store.load(id)."
        )
    return Trace(signals)


def _initial_state(recording: object) -> JSON:
    """As the trace spells values: what is tagged in a state is text in a signal."""
    if not isinstance(recording, Recording) or isinstance(recording.initial_state, Absent):
        return None
    return plain_json(restore(recording.initial_state), path="initial_state")

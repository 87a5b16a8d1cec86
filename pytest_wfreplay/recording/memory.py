"""What a replayer knows of a recording's steps: found by key, in the order in which they began, with what each had said.

1. An entry is consumed once. What a consumed step contains (its key is its namespace) is consumed with it.
2. Within a namespace steps begin in the recorded order. Two that overlapped when they were recorded may begin in either order where
   nobody decides it: in other threads, and under `asyncio.as_completed`, which keeps what it is given in a set.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_wfreplay.jsonable import canonical
from pytest_wfreplay.recording.turns import Turns
from pytest_wfreplay.steps.entry import Absent, Entry, Returned
from pytest_wfreplay.steps.journal import Remembered
from pytest_wfreplay.steps.key import read_key

if TYPE_CHECKING:
    from pytest_wfreplay.recording.recording import Recording
    from pytest_wfreplay.signal import Signal


@dataclass(slots=True)
class Known:
    """One recorded step, and whether this run has come to it. `began` and `ended` are positions in the trace, 0 where it does not say."""

    remembered: Remembered
    order: int
    spelled_input: str | None
    began: int = 0
    ended: int = 0
    is_consumed: bool = False
    #: A later step of its namespace has begun before it, in the run's own thread.
    is_overtaken: bool = False

    @property
    def entry(self) -> Entry:
        """What was recorded."""
        return self.remembered.entry


@dataclass(slots=True)
class _Namespace:
    """The steps of one namespace in order; `first` is where the first that has not begun may stand."""

    steps: list[Known] = field(default_factory=list)
    first: int = 0


class Memory:
    """The steps of one recording."""

    def __init__(self, recording: Recording) -> None:
        said = _Said(recording)
        self.turns = Turns(said.positions)
        self._known: dict[str, Known] = {}
        self._namespaces: dict[str, _Namespace] = {}
        self._thread = threading.get_ident()
        for order, entry in enumerate(recording.entries):
            signals = said.by_step.get(entry.key, [])
            spelled = canonical(entry.outcome.value) if isinstance(entry.outcome, Returned) else None  # type: ignore[arg-type]  # an entry's values are JSON
            remembered = Remembered(entry, spelled, [signal for signal, _ in signals], [turn for _, turn in signals])
            given = None if isinstance(entry.input, Absent) else canonical(entry.input)
            began, ended = said.spans.get(entry.key, (0, 0))
            known = Known(remembered, order, given, began, ended)
            self._known[entry.key] = known
            self._namespaces.setdefault(entry.key.rpartition("/")[0], _Namespace()).steps.append(known)

    def get(self, key: str) -> Known | None:
        """The step of a key."""
        return self._known.get(key)

    def __iter__(self) -> Iterator[Known]:
        return iter(self._known.values())

    def consume(self, known: Known) -> Known | None:
        """A step begins again. If it may not begin yet, the step that must begin before it."""
        namespace = self._namespaces[known.entry.key.rpartition("/")[0]]
        steps = namespace.steps
        while namespace.first < len(steps) and steps[namespace.first].is_consumed:
            namespace.first += 1
        if steps[namespace.first] is not known or known.is_overtaken:
            before = self._passed_over(namespace, known)
            if before is not None:
                return before
        known.is_consumed = True
        return None

    def expected(self, key: str) -> Known | None:
        """The step that this namespace would begin next."""
        namespace = self._namespaces.get(key.rpartition("/")[0])
        return next((one for one in namespace.steps[namespace.first :] if not one.is_consumed), None) if namespace else None

    def left_over(self) -> list[Known]:
        """The steps that this run never came to, in order."""
        return [known for known in self._known.values() if not known.is_consumed and not self._is_inside_consumed(known.entry.key)]

    def _passed_over(self, namespace: _Namespace, known: Known) -> Known | None:
        is_decided = threading.get_ident() == self._thread and not _is_started_in_any_order()
        if known.is_overtaken and is_decided:
            return next((one for one in namespace.steps if one.is_consumed and one.order > known.order), None)
        passed = []
        for earlier in namespace.steps[namespace.first :]:
            if earlier is known:
                break
            if earlier.is_consumed:
                continue
            if not earlier.ended or not known.began or earlier.ended < known.began:
                return earlier
            passed.append(earlier)
        if is_decided:
            for earlier in passed:
                earlier.is_overtaken = True
        return None

    def _is_inside_consumed(self, key: str) -> bool:
        parts = key.split("/")
        outer = (self._known.get("/".join(parts[:length])) for length in range(1, len(parts)))
        return any(known is not None and known.is_consumed for known in outer)


class _Said:
    """What a trace tells about steps: the signals of each, with their turns, and where it began and ended."""

    def __init__(self, recording: Recording) -> None:
        self.positions: list[int] = []
        self.by_step: dict[str, list[tuple[Signal, int]]] = {}
        self.spans: dict[str, tuple[int, int]] = {}
        keys = {entry.key for entry in recording.entries}
        for position, signal in enumerate(recording.signals, 1):
            source = signal.source
            if source is not None and source.harness is not None and source.activation is not None:
                self._note(f"{source.activation}/harness", signal, self._turn(position))
            elif signal.name == "step:start" or signal.name == "step:end":
                self._step(signal, position, keys)
            elif source is not None and source.activation in keys:
                self._note(str(source.activation), signal, -1)

    def _step(self, signal: Signal, position: int, keys: set[str]) -> None:
        step = signal.payload.get("step") if isinstance(signal.payload, Mapping) else None
        activation = signal.source.activation if signal.source else None
        if activation in keys:
            self._note(str(activation), signal, -1)
            return
        if not isinstance(step, str) or step not in keys:
            return
        began, _ = self.spans.get(step, (position, 0))
        is_end = signal.name == "step:end"
        self.spans[step] = (began, position if is_end else 0)
        self._note(step, signal, self._turn(position) if is_end else -1)

    def _note(self, step: str, signal: Signal, turn: int) -> None:
        self.by_step.setdefault(step, []).append((signal, turn))

    def _turn(self, position: int) -> int:
        self.positions.append(position)
        return len(self.positions) - 1


def _is_started_in_any_order() -> bool:
    """Whether the task that runs is one that `asyncio.as_completed` made or waits for: only its callback tells."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    callbacks = getattr(task, "_callbacks", None) or ()
    names = (getattr(callback, "__qualname__", "") for callback, _ in callbacks)
    return any("as_completed" in name or "_AsCompletedIterator" in name for name in names)


def described(key: str) -> str:
    """A step as people know it: the agent whose speaking it is, or the step itself."""
    namespace, name, _ = read_key(key)
    return f"agent activation {namespace}" if name == "harness" and "#" in namespace else f"step {key}"

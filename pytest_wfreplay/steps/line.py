"""The line of a run: everything said in it, each signal in its one place, and how often each step has begun."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.signal import Signal, SignalSource
from pytest_wfreplay.steps.journal import Journal, JournalSource, Lasting, LiveSource, Remembered


@dataclass(frozen=True, slots=True)
class Done:
    """Work that an explicit key names: the spelling of what it was given, and what becomes of it."""

    spelled_input: str
    outcome: Future[JSON]


class Line:
    """One run's signals in order, its journal, and its counts; threads may share it.

    `queue` takes a signal that was placed and sees to it that it is heard in its turn; without one it is heard at once.
    """

    __slots__ = ("_id", "counts", "journal", "keyed", "lock", "position", "queue", "signals", "source")

    def __init__(
        self,
        journal: Journal,
        *,
        queue: Callable[[Signal], None] | None = None,
        source: JournalSource | None = None,
        id: str | None = None,
    ) -> None:
        self.journal = journal
        self.queue = queue
        #: Who hands journals to runs that start inside this one.
        self.source: JournalSource = source or LiveSource()
        self.signals: list[Signal] = []
        self.position = 0
        self.counts: dict[str, int] = {}
        self.keyed: dict[str, Done] = {}
        self.lock = threading.RLock()
        self._id = id

    @property
    def id(self) -> str:
        """What the run is called wherever it goes on; one that goes on nowhere has a name of its own."""
        with self.lock:
            if self._id is None:
                lasting = self.journal.identity if isinstance(self.journal, Lasting) else None
                self._id = lasting or self.journal.clock.new_id()
            return self._id

    def emit(self, name: str, payload: JSON, source: SignalSource | None) -> Signal:
        """Say something: the signal with its place in the line."""
        with self.lock:
            self.position = position = self.position + 1
            signal = self.journal.place(position, name, payload, source)
            if self.queue is None:
                self.signals.append(signal)
                self.journal.hear(signal)
            else:
                self.queue(signal)
        return signal

    def repeat(self, remembered: Remembered) -> bool:
        """Say all at once what a step had said, if just that comes next; whether it did."""
        if not remembered.position or self.queue is not None:
            return False
        with self.lock:
            if not self.journal.repeat(remembered, self.position):
                return False
            self.position += len(remembered.signals)
            self.signals += remembered.signals
        return True

    def hear(self, signal: Signal) -> None:
        """Take a queued signal into the order."""
        self.signals.append(signal)
        self.journal.hear(signal)

    def count(self, name: str) -> int:
        """Which occurrence of this (namespaced) name begins now, from 1."""
        with self.lock:
            number = self.counts[name] = self.counts.get(name, 0) + 1
        return number


def unheard(name: str, payload: JSON, harness: str) -> None:
    """What is said where nobody listens: outside of workflows and tests the signals of steps are not even made."""

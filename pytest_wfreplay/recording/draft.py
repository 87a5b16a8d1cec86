"""A recording that is still being made: what a store has been told of it so far, and the rules by which it is closed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from pytest_wfreplay.clock import iso
from pytest_wfreplay.errors import ConfigurationError, RecordingFinalized
from pytest_wfreplay.jsonable import plain_json, same
from pytest_wfreplay.recording.given import given_checkpoint, given_entry, given_signal
from pytest_wfreplay.recording.recording import STATUSES, Checkpoint, Recording, RecordingMetadata
from pytest_wfreplay.steps.entry import ABSENT
from pytest_wfreplay.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_wfreplay.clock import Clock
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.recording.store import GivenEntry, GivenSignal
    from pytest_wfreplay.signal import Signal
    from pytest_wfreplay.steps.entry import Absent, Entry


def new_recording_id(clock: Clock) -> str:
    """The id of a new recording: `rec_` and 12 hex digits, the last of the clock's next id."""
    return f"rec_{clock.new_id().replace('-', '')[-12:]}"


@dataclasses.dataclass(frozen=True, slots=True)
class Ending:
    """What closing a recording says of it."""

    status: str = "completed"
    duration_ms: float | None = None
    initial_state: JSON | Absent = ABSENT
    final_state: JSON | Absent = ABSENT
    error: Mapping[str, JSON] | None = None

    def close(self, recording: Recording) -> Recording:
        """The recording with this ending.

        Raises:
            RecordingFinalized: it is closed already and this ending says something else.
        """
        if recording.metadata.status == STATUSES[0]:
            metadata = dataclasses.replace(recording.metadata, status=self.status, duration_ms=self.duration_ms, error=self.error)
            return dataclasses.replace(recording, metadata=metadata, initial_state=self.initial_state, final_state=self.final_state)
        if not same(self._said(), ending_of(recording)._said()):  # noqa: SLF001 - its own class
            raise RecordingFinalized(recording.metadata.id)
        return recording

    def _said(self) -> JSON:
        states: list[JSON] = [[] if state is ABSENT else [state] for state in (self.initial_state, self.final_state)]
        return [self.status, self.duration_ms, states, None if self.error is None else dict(self.error)]


def ending(status: str, duration_ms: float | None, initial_state: JSON, final_state: JSON, error: Mapping[str, JSON] | None) -> Ending:
    """What a store's `finalize` was given, detached; a state of None is none.

    Raises:
        ConfigurationError: the status is not an end.
        NotJsonError: JSON cannot carry a part of it.
    """
    if status not in STATUSES[1:]:
        raise ConfigurationError(f"A recording cannot end as {status!r}.", hint=f"One of {', '.join(STATUSES[1:])}.")
    return Ending(
        status,
        duration_ms,
        ABSENT if initial_state is None else plain_json(initial_state, path="initial_state"),
        ABSENT if final_state is None else plain_json(final_state, path="final_state"),
        None if error is None else plain_json(error, path="error"),  # type: ignore[arg-type]  # a mapping's JSON is a dict
    )


def ending_of(recording: Recording) -> Ending:
    """The ending that a closed recording has."""
    metadata = recording.metadata
    return Ending(metadata.status, metadata.duration_ms, recording.initial_state, recording.final_state, metadata.error)


class Draft:
    """A recording that is still being made. `start` is what was known when it began; what it is given comes in detached."""

    def __init__(self, start: Recording, clock: Clock) -> None:
        self._start = start
        self._clock = clock
        self._signals: list[Signal] = list(start.signals)
        self._entries: list[Entry] = list(start.entries)
        self._checkpoints: list[Checkpoint] = list(start.checkpoints)

    @classmethod
    def opened(cls, metadata: RecordingMetadata, clock: Clock) -> Draft:
        """A draft with nothing in it yet."""
        return cls(Recording(metadata), clock)

    def add_signals(self, signals: Iterable[GivenSignal]) -> list[Signal]:
        """Keep more signals, all of them or none; those that were kept."""
        fresh = [given_signal(signal, position=position, clock=self._clock) for position, signal in enumerate(signals, len(self._signals) + 1)]
        self._signals += fresh
        return fresh

    def add_entry(self, entry: GivenEntry) -> Entry:
        """Keep one more step; what was kept."""
        self._entries.append(given_entry(entry))
        return self._entries[-1]

    def add_checkpoint(self, name: str) -> Checkpoint:
        """Name the place after the last signal; what was kept."""
        self._checkpoints.append(Checkpoint(name, len(self._signals) - 1, iso(self._clock.now())))
        return self._checkpoints[-1]

    def keep_checkpoint(self, checkpoint: Checkpoint | Mapping[str, object]) -> None:
        """Keep a place that was named before."""
        self._checkpoints.append(given_checkpoint(checkpoint))

    def recording(self) -> Recording:
        """What there is so far. It shares what the draft holds: copy it before you give it away."""
        return dataclasses.replace(
            self._start,
            metadata=dataclasses.replace(self._start.metadata, signal_count=len(self._signals)),
            signals=Trace(self._signals),
            entries=tuple(self._entries),
            checkpoints=tuple(self._checkpoints),
        )

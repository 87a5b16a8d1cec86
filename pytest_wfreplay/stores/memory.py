"""Recordings kept in memory, for as long as the process lives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_wfreplay.clock import SystemClock, iso
from pytest_wfreplay.errors import RecordingFinalized, RecordingNotFound
from pytest_wfreplay.recording.draft import Draft, ending, new_recording_id
from pytest_wfreplay.recording.given import given_metadata, given_patterns, given_query, given_recording, given_signal
from pytest_wfreplay.recording.recording import STATUSES, Recording, RecordingMetadata
from pytest_wfreplay.recording.store import signals_between
from pytest_wfreplay.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_wfreplay.clock import Clock
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.recording.store import Checkpoints, GivenEntry, GivenPatterns, GivenQuery, GivenRecording, GivenSignal, Listed


class MemorySignalStore:
    """A `SignalStore` in memory. What it keeps is detached from what it takes and from what it returns."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._kept: dict[str, Draft | Recording] = {}

    async def create(self, name: str | None = None, tags: Iterable[str] = (), harness_type: str | None = None, workflow: str | None = None) -> str:
        """Open a recording; its id is `rec_` and 12 hex digits."""
        opened = RecordingMetadata(new_recording_id(self._clock), name, tuple(tags), workflow, harness_type, created_at=iso(self._clock.now()))
        self._kept[opened.id] = Draft.opened(opened, self._clock)
        return opened.id

    async def append(self, id: str, signal: GivenSignal) -> None:
        """Keep one more signal."""
        self._draft(id).add_signals([signal])

    async def append_batch(self, id: str, signals: Iterable[GivenSignal]) -> None:
        """Keep more signals, all of them or none."""
        self._draft(id).add_signals(signals)

    async def append_entry(self, id: str, entry: GivenEntry) -> None:
        """Keep one more step."""
        self._draft(id).add_entry(entry)

    async def checkpoint(self, id: str, name: str) -> None:
        """Give the place after the last signal a name."""
        self._draft(id).add_checkpoint(name)

    async def checkpoints(self, id: str) -> Checkpoints:
        """The named places, in the order in which they were named."""
        return list(self._recording(id).checkpoints)

    async def finalize(  # noqa: PLR0917 - the contract's own order
        self,
        id: str,
        status: str = "completed",
        duration_ms: float | None = None,
        initial_state: JSON = None,
        final_state: JSON = None,
        error: Mapping[str, JSON] | None = None,
    ) -> None:
        """Close it; closing it again is `RecordingFinalized`, unless it says the same."""
        self._kept[id] = ending(status, duration_ms, initial_state, final_state, error).close(self._recording(id))

    async def load(self, id: str) -> Recording | None:
        """The whole recording, or None for an unknown id; while it is recorded, what there is so far."""
        return given_recording(self._recording(id), clock=self._clock) if id in self._kept else None

    async def load_signals(
        self,
        id: str,
        from_index: int = 0,
        to_index: int | None = None,
        patterns: GivenPatterns | None = None,
    ) -> Trace:
        """The signals from one index up to and without the other (from 0) that match any of the patterns."""
        found = signals_between(self._recording(id).signals, from_index, to_index, given_patterns(patterns))
        return Trace([given_signal(signal, position=0, clock=self._clock) for signal in found])

    async def list(self, query: GivenQuery | None = None) -> Listed:
        """What is kept, newest first: filtered, then paged."""
        asked = given_query(query)
        kept = [self._recording(id).metadata for id in reversed(self._kept)]  # noqa: A001 - the word of the contract
        found = asked.page(sorted(kept, key=lambda metadata: metadata.created_at, reverse=True))
        return [given_metadata(metadata, metadata.signal_count) for metadata in found]

    async def delete(self, id: str) -> None:
        """Forget it; an unknown id is silent."""
        self._kept.pop(id, None)

    async def exists(self, id: str) -> bool:
        """Whether there is one."""
        return id in self._kept

    async def save(self, recording: GivenRecording) -> str:
        """Keep a whole recording under its own id (or a new one where it has none), in place of the one that was there; its id."""
        fresh = given_recording(recording, clock=self._clock)
        if not fresh.metadata.id:
            fresh = replace(fresh, metadata=replace(fresh.metadata, id=new_recording_id(self._clock)))
        self._kept.pop(fresh.metadata.id, None)
        self._kept[fresh.metadata.id] = Draft(fresh, self._clock) if fresh.metadata.status == STATUSES[0] else fresh
        return fresh.metadata.id

    async def close(self) -> None:
        """Nothing is held open."""

    def _recording(self, id: str) -> Recording:
        if id not in self._kept:
            raise RecordingNotFound(id)
        kept = self._kept[id]
        return kept.recording() if isinstance(kept, Draft) else kept

    def _draft(self, id: str) -> Draft:
        kept = self._kept.get(id)
        if kept is None:
            raise RecordingNotFound(id)
        if not isinstance(kept, Draft):
            raise RecordingFinalized(id)
        return kept

"""The port to wherever recordings are kept, and the question that its list answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from pytest_wfreplay.clock import read_iso
from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.pattern import Pattern, PatternLike
from pytest_wfreplay.recording.recording import Checkpoint, Recording, RecordingMetadata
from pytest_wfreplay.signal import Signal
from pytest_wfreplay.steps.entry import Entry
from pytest_wfreplay.trace import Trace

if TYPE_CHECKING:
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.recording.codec.leak import FindLeak

# What a store takes: the dataclass, or a mapping with its field names.
GivenSignal: TypeAlias = "Signal | Mapping[str, object]"
GivenEntry: TypeAlias = "Entry | Mapping[str, object]"
GivenRecording: TypeAlias = "Recording | Mapping[str, object]"
GivenQuery: TypeAlias = "RecordingQuery | Mapping[str, object]"
GivenPatterns: TypeAlias = "PatternLike | Iterable[PatternLike]"

# `list` means a method inside the port; these name what some methods answer.
Listed: TypeAlias = "list[RecordingMetadata]"
Checkpoints: TypeAlias = "list[Checkpoint]"


@dataclass(frozen=True, slots=True)
class RecordingQuery:
    """Which recordings to list: each part that is given must hold.

    `tags` asks for any of them; `since` and `until` (ISO-8601 text or aware datetimes) include their own moment. `limit` and `offset` page
    through what the other parts leave over, newest first; a `limit` of None is no limit. Raises `ConfigurationError` for a number below zero
    or a moment that is none.
    """

    name: str | None = None
    tags: tuple[str, ...] = ()
    harness_type: str | None = None
    workflow: str | None = None
    status: str | None = None
    since: str | dt.datetime | None = None
    until: str | dt.datetime | None = None
    limit: int | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", (self.tags,) if isinstance(self.tags, str) else tuple(self.tags))
        for part in ("since", "until"):
            object.__setattr__(self, part, _moment(part, getattr(self, part)))
        if self.offset < 0 or (self.limit is not None and self.limit < 0):
            raise ConfigurationError("limit and offset of a RecordingQuery count from 0.", hint="Leave limit out to list everything.")

    def matches(self, metadata: RecordingMetadata) -> bool:
        """Whether a recording is asked for, whatever the page."""
        asked = ("name", "harness_type", "workflow", "status")
        if any(getattr(self, part) not in (None, getattr(metadata, part)) for part in asked):
            return False
        if self.tags and not set(self.tags) & set(metadata.tags):
            return False
        if self.since is None and self.until is None:
            return True
        made = _moment("created_at", metadata.created_at)
        return made is not None and (self.since is None or self.since <= made) and (self.until is None or made <= self.until)  # type: ignore[operator]  # both became datetimes at birth

    def page(self, newest_first: Iterable[RecordingMetadata]) -> list[RecordingMetadata]:
        """The page of those that match."""
        found = [metadata for metadata in newest_first if self.matches(metadata)]
        return found[self.offset :] if self.limit is None else found[self.offset : self.offset + self.limit]


def _moment(part: str, given: str | dt.datetime | None) -> dt.datetime | None:
    if given is None or given == "":
        return None
    try:
        moment = read_iso(given) if isinstance(given, str) else given
    except ValueError:
        raise ConfigurationError(f"{part}: {given!r} is not ISO-8601.", hint="Write it like 2026-11-20T10:00:00.000Z.") from None
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment


def signals_between(trace: Trace, from_index: int, to_index: int | None, patterns: Iterable[Pattern]) -> Trace:
    """What a store's `load_signals` answers: those from one index up to and without the other that match any pattern, or all without patterns."""
    chosen = trace[max(from_index, 0) : to_index if to_index is None else max(to_index, 0)]
    asked = tuple(patterns)
    return Trace(signal for signal in chosen if any(pattern.matches(signal) for pattern in asked)) if asked else chosen


@runtime_checkable
class SignalStore(Protocol):
    """Where recordings are kept.

    What it takes may be the dataclass or a mapping with its field names; what it returns is detached: changing it changes nothing that is
    kept. Where not said otherwise an unknown id is `RecordingNotFound`, and writing to a closed recording is `RecordingFinalized`.
    """

    async def create(self, name: str | None = None, tags: Iterable[str] = (), harness_type: str | None = None, workflow: str | None = None) -> str:
        """Open a recording; its id is `rec_` and 12 hex digits."""

    async def append(self, id: str, signal: GivenSignal) -> None:
        """Keep one more signal."""

    async def append_batch(self, id: str, signals: Iterable[GivenSignal]) -> None:
        """Keep more signals, all of them or none."""

    async def append_entry(self, id: str, entry: GivenEntry) -> None:
        """Keep one more step."""

    async def checkpoint(self, id: str, name: str) -> None:
        """Give the place after the last signal a name."""

    async def checkpoints(self, id: str) -> Checkpoints:
        """The named places, in the order in which they were named."""

    async def finalize(  # noqa: PLR0917 - the contract's own order
        self,
        id: str,
        status: str = "completed",
        duration_ms: float | None = None,
        initial_state: JSON = None,
        final_state: JSON = None,
        error: Mapping[str, JSON] | None = None,
    ) -> None:
        """Close it; a state of None is none. Closing it again is `RecordingFinalized`, unless it says the same."""

    async def load(self, id: str) -> Recording | None:
        """The whole recording, or None for an unknown id; while it is recorded, what there is so far."""

    async def load_signals(
        self,
        id: str,
        from_index: int = 0,
        to_index: int | None = None,
        patterns: GivenPatterns | None = None,
    ) -> Trace:
        """The signals from one index up to and without the other (from 0) that match any of the patterns."""

    async def list(self, query: GivenQuery | None = None) -> Listed:
        """What is kept, newest first: filtered, then paged."""

    async def delete(self, id: str) -> None:
        """Forget it; an unknown id is silent."""

    async def exists(self, id: str) -> bool:
        """Whether there is one."""

    async def save(self, recording: GivenRecording) -> str:
        """Keep a whole recording under its own id (or a new one where it has none), in place of the one that was there; its id."""

    async def close(self) -> None:
        """Let go of what is held open; closing twice is harmless."""


@runtime_checkable
class Looking(Protocol):
    """A store that looks for known secrets once more before it writes a file: `SecretLeakError` where one would stand in it."""

    def look(self, id: str, find: FindLeak) -> None:
        """Look so before anything more of this recording is written."""

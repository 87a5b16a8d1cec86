"""What one run left behind: who ran and when, its states, its steps and its trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.steps.entry import ABSENT, Absent, Entry, Outcome
from pytest_wfreplay.trace import Trace

#: Every status a recording can have; all but the first are ends.
STATUSES = ("recording", "completed", "failed", "cancelled", "timeout")


@dataclass(frozen=True, slots=True)
class RecordingMetadata:
    """What a store knows about a recording without reading it.

    `created_at` is ISO-8601 UTC, `duration_ms` milliseconds or None while it is recorded, `status` one of `recording | completed | failed |
    cancelled | timeout`, `error` `{"type", "message"}` or None. `workflow` is None for bare steps in a test.
    """

    id: str
    name: str | None = None
    tags: tuple[str, ...] = ()
    workflow: str | None = None
    harness_type: str | None = None
    created_at: str = ""
    duration_ms: float | None = None
    signal_count: int = 0
    status: str = "recording"
    error: Mapping[str, JSON] | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A named place in a recording: `index` is that of the last signal before it, -1 when there was none."""

    name: str
    index: int
    timestamp: str


@dataclass(frozen=True, slots=True)
class Recording:
    """One run, whole. States and entries are JSON with tagged typed values (`jsonable.restore` gives the values back).

    `entries` stand in the order in which the steps began. `outcome` is that of a function workflow: `Returned` with JSON or `Raised` with the
    JSON of the error; None for reactive runs and bare steps. `harnesses` names the type of each agent's harness.
    """

    metadata: RecordingMetadata
    initial_state: JSON | Absent = ABSENT
    final_state: JSON | Absent = ABSENT
    entries: tuple[Entry, ...] = ()
    signals: Trace = field(default_factory=lambda: Trace(()))
    harnesses: Mapping[str, str] = field(default_factory=dict)
    outcome: Outcome | None = None
    checkpoints: tuple[Checkpoint, ...] = ()

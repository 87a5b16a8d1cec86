"""A recording as the plain data of a cassette's run: the keys in their order, each left out when there is nothing to say."""

from __future__ import annotations

import functools
import importlib.metadata
from typing import TYPE_CHECKING

from pytest_wfreplay.recording.codec.fold import folded
from pytest_wfreplay.recording.codec.times import offsets
from pytest_wfreplay.recording.recorder import harness_type_of
from pytest_wfreplay.steps.entry import ABSENT, Raised, Returned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.recording.recording import Recording, RecordingMetadata
    from pytest_wfreplay.steps.entry import Entry, Outcome

#: A run's keys, in the order in which they are written.
RUN_KEYS = (
    "workflow",
    "recorded",
    "name",
    "tags",
    "harnesses",
    "status",
    "error",
    "checkpoints",
    "state",
    "outcome",
    "steps",
    "signals",
    "at_ms",
)

#: The keys of a run that change from day to day though nothing else does.
VOLATILE = frozenset({"recorded", "at_ms"})


def stable_run(recording: Recording) -> dict[str, JSON]:
    """The run without what is volatile."""
    metadata = recording.metadata
    states = {"initial": recording.initial_state, "final": recording.final_state}
    said: dict[str, JSON | None] = {
        "name": metadata.name,
        "tags": list(metadata.tags) or None,
        "harnesses": dict(recording.harnesses) or None,
        "status": None if metadata.status == "completed" else metadata.status,
        "error": None if metadata.error is None else dict(metadata.error),
        "checkpoints": [{"name": checkpoint.name, "index": checkpoint.index} for checkpoint in recording.checkpoints] or None,
        "state": {side: state for side, state in states.items() if state is not ABSENT} or None,
        "outcome": None if recording.outcome is None else _outcome(recording.outcome, "value"),
        "steps": [_step(entry) for entry in recording.entries] or None,
        "signals": folded(recording.signals, recording.initial_state) or None,
    }
    return {"workflow": metadata.workflow, **{key: value for key, value in said.items() if value is not None}}


def run_of(recording: Recording) -> dict[str, JSON]:
    """The run, whole."""
    metadata = recording.metadata
    run = stable_run(recording)
    run["recorded"] = _recorded(metadata, recording.harnesses)
    if recording.signals:
        run["at_ms"] = list(offsets([signal.timestamp for signal in recording.signals], metadata.created_at))
    return {key: run[key] for key in RUN_KEYS if key in run}


def _recorded(metadata: RecordingMetadata, harnesses: Mapping[str, str]) -> dict[str, JSON]:
    known: dict[str, JSON] = {"id": metadata.id, "at": metadata.created_at, "by": _product()}
    recorded = {key: value for key, value in known.items() if value != ""}
    if metadata.harness_type != harness_type_of(harnesses):
        recorded["harness_type"] = metadata.harness_type
    if metadata.duration_ms is not None:
        recorded["duration_ms"] = metadata.duration_ms
    return recorded


def _step(entry: Entry) -> dict[str, JSON]:
    step: dict[str, JSON] = {"step": entry.key}
    if entry.input is not ABSENT:
        step["input"] = entry.input
    step |= {"cancelled": True} if entry.outcome is None else _outcome(entry.outcome, "output")
    if entry.attempts != 1:
        step["attempts"] = entry.attempts
    return step


def _outcome(outcome: Outcome, value_key: str) -> dict[str, JSON]:
    """What came of it; in a recording both a value and an error are JSON."""
    match outcome:
        case Returned(value):
            return {value_key: value}  # type: ignore[dict-item]  # see above
        case Raised(error):
            return {"error": error}  # type: ignore[dict-item]  # see above


@functools.cache
def _product() -> str:
    try:
        return f"pytest-wfreplay {importlib.metadata.version('pytest-wfreplay')}"
    except importlib.metadata.PackageNotFoundError:
        return "pytest-wfreplay"

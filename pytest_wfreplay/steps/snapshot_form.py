"""What a snapshot and a serialised resume state look like, held against what somebody brings: every complaint with its path, nothing silent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_wfreplay.errors import SnapshotFormatError
from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.steps.entry import ABSENT, Absent, Entry, Outcome, Raised, Returned, error_of
from pytest_wfreplay.steps.resume import (
    EXECUTION_STATUSES,
    FORMAT_VERSION,
    ResumeState,
    SnapshotExecution,
    WorkflowSnapshot,
    entry_of,
)

#: What a serialised resume state says it is.
KIND = "ResumeState"


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """Whether something is a snapshot: `snapshot` when it is, else `errors`, each with its path."""

    valid: bool
    snapshot: WorkflowSnapshot | None = None
    errors: tuple[str, ...] = ()


def looks_like_workflow_snapshot(value: object) -> bool:
    """Whether this is meant to be a snapshot, right or wrong: it has a `format_version`, `steps` and an `execution`."""
    return isinstance(value, WorkflowSnapshot) or (isinstance(value, Mapping) and {"format_version", "steps", "execution"} <= value.keys())


def validate_snapshot(value: object) -> ValidationResult:
    """Whether something is a snapshot: a `WorkflowSnapshot`, or its JSON as a mapping or as text."""
    try:
        given = _read(value.as_json() if isinstance(value, WorkflowSnapshot) else value)
    except ValueError as error:
        return ValidationResult(valid=False, errors=(f"snapshot: not JSON: {error}",))
    errors = tuple(_complaints(given))
    if errors or not isinstance(given, Mapping):
        return ValidationResult(valid=False, errors=errors)
    execution = {name: given["execution"].get(name) for name in ("status", "last_updated", "completed_at", "current_step_id")}
    snapshot = WorkflowSnapshot(
        FORMAT_VERSION,
        {key: dict(result) for key, result in given["steps"].items()},
        SnapshotExecution(**execution),
        dict(given.get("metadata") or {}),
        tuple(dict(warning) for warning in given.get("warnings") or ()),
    )
    return ValidationResult(valid=True, snapshot=snapshot)


def assert_valid_snapshot(value: object) -> WorkflowSnapshot:
    """The snapshot.

    Raises:
        SnapshotFormatError: it is none; `.errors` say why.
    """
    result = validate_snapshot(value)
    if result.snapshot is None:
        raise SnapshotFormatError(f"Invalid snapshot: {result.errors[0]}", result.errors)
    return result.snapshot


def merge_snapshots(base: WorkflowSnapshot | Mapping[str, JSON], delta: WorkflowSnapshot | Mapping[str, JSON]) -> WorkflowSnapshot:
    """One snapshot of two: the delta's steps win and its execution counts, metadata are merged one level deep, warnings are joined.

    Raises:
        SnapshotFormatError: one of them is none.
    """
    old, new = assert_valid_snapshot(base), assert_valid_snapshot(delta)
    warnings = [*old.warnings, *(warning for warning in new.warnings if warning not in old.warnings)]
    return WorkflowSnapshot(FORMAT_VERSION, {**old.steps, **new.steps}, new.execution, {**old.metadata, **new.metadata}, tuple(warnings))


def to_resume_state(value: ResumeState | WorkflowSnapshot | Mapping[str, JSON] | str) -> ResumeState:
    """The resume state that anything stands for from which a run can go on: one itself, a snapshot, or the JSON of either.

    Raises:
        SnapshotFormatError: it is none of these.
    """
    if isinstance(value, ResumeState):
        return value
    if not isinstance(value, WorkflowSnapshot):
        given = parsed(value)
        if isinstance(given, Mapping) and given.get("kind") == KIND:
            return deserialize_resume_state(given)
        value = assert_valid_snapshot(given)
    else:
        value = assert_valid_snapshot(value)
    workflow, run_id = value.metadata.get("workflow_id"), value.metadata.get("run_id")
    steps = {key: entry_of(key, result) for key, result in value.steps.items()}
    return ResumeState(steps, workflow if isinstance(workflow, str) else None, run_id if isinstance(run_id, str) else None)


def serialize_resume_state(state: ResumeState) -> dict[str, JSON]:
    """A resume state as JSON, whole: inputs, attempts and times too. `json.dumps` takes it as it is."""
    steps: list[JSON] = [_spelled(key, entry) for key, entry in state.steps.items()]
    spelled: dict[str, JSON] = {"kind": KIND, "format_version": FORMAT_VERSION, "steps": steps}
    named = {"workflow": state.workflow, "run_id": state.run_id}
    return spelled | {name: text for name, text in named.items() if text is not None}


def deserialize_resume_state(value: Mapping[str, JSON] | str) -> ResumeState:
    """The resume state that was serialised, from a mapping or from text.

    Raises:
        SnapshotFormatError: it is none, or one of a newer format; `.errors` say why.
    """
    given = parsed(value)
    errors = tuple(_state_complaints(given))
    if errors or not isinstance(given, Mapping):
        raise SnapshotFormatError(f"Invalid resume state: {errors[0]}", errors)
    return ResumeState({step["key"]: _unspelled(step) for step in given["steps"]}, given.get("workflow"), given.get("run_id"))


def _spelled(key: str, entry: Entry) -> dict[str, JSON]:
    step: dict[str, JSON] = {"key": key}
    if not isinstance(entry.input, Absent):
        step["input"] = entry.input
    if isinstance(entry.outcome, Returned):
        step["output"] = entry.outcome.value  # type: ignore[assignment]  # an entry's values are JSON
    elif isinstance(entry.outcome, Raised):
        step["error"] = dict(error_of(entry.outcome) or {})
    if entry.attempts != 1:
        step["attempts"] = entry.attempts
    times = {"started_at": entry.started_at, "ended_at": entry.ended_at}
    return step | {name: time for name, time in times.items() if time is not None}


def _unspelled(step: Mapping[str, JSON]) -> Entry:
    outcome: Outcome | None = Returned(step["output"]) if "output" in step else Raised(step["error"]) if "error" in step else None
    return Entry(
        str(step["key"]),
        step.get("input", ABSENT),
        outcome,
        step.get("attempts", 1),  # type: ignore[arg-type]  # checked before
        step.get("started_at"),  # type: ignore[arg-type]  # checked before
        step.get("ended_at"),  # type: ignore[arg-type]  # checked before
    )


def _read(value: object) -> object:
    return json.loads(value) if isinstance(value, str | bytes) else value


def parsed(value: object) -> object:
    """What JSON text says; anything else is given back as it is. Raises `SnapshotFormatError` for text that is no JSON."""
    try:
        return _read(value)
    except ValueError as error:
        raise SnapshotFormatError(f"Invalid snapshot: not JSON: {error}", (str(error),)) from None


def _complaints(given: object) -> Iterator[str]:
    """Everything that keeps this from being a snapshot."""
    if not isinstance(given, Mapping):
        yield f"snapshot: a mapping is wanted, not {type(given).__name__}"
        return
    yield from _version_complaints(given)
    steps = given.get("steps")
    if not isinstance(steps, Mapping):
        yield f"steps: a mapping is wanted, not {type(steps).__name__}"
    else:
        for key, result in steps.items():
            yield from _result_complaints(key, result)
    yield from _execution_complaints(given.get("execution"))
    if not isinstance(given.get("metadata", {}), Mapping):
        yield "metadata: a mapping is wanted"
    warnings = given.get("warnings", ())
    if not isinstance(warnings, list | tuple) or not all(isinstance(warning, Mapping) for warning in warnings):
        yield "warnings: a list of mappings is wanted"


def _version_complaints(given: Mapping[str, object]) -> Iterator[str]:
    version = given.get("format_version")
    if isinstance(version, bool) or not isinstance(version, int):
        yield f"format_version: {FORMAT_VERSION} is wanted, not {version!r}"
    elif version > FORMAT_VERSION:
        yield f"format_version: {version} is newer than {FORMAT_VERSION}, the newest that is known here"
    elif version < 1:
        yield f"format_version: {version} never was"


def _result_complaints(key: object, result: object) -> Iterator[str]:
    where = f"steps[{key!r}]"
    if not isinstance(key, str) or not key:
        yield f"{where}: a key is a text that is not empty"
    if not isinstance(result, Mapping):
        yield f"{where}: a mapping is wanted, not {type(result).__name__}"
    elif not isinstance(result.get("ok"), bool):
        yield f"{where}.ok: true or false is wanted, not {result.get('ok')!r}"
    elif result["ok"] and "value" not in result:
        yield f"{where}.value: missing"
    elif not result["ok"] and "error" not in result:
        yield f"{where}.error: missing"


def _execution_complaints(execution: object) -> Iterator[str]:
    if not isinstance(execution, Mapping):
        yield f"execution: a mapping is wanted, not {type(execution).__name__}"
        return
    if execution.get("status") not in EXECUTION_STATUSES:
        yield f"execution.status: one of {', '.join(EXECUTION_STATUSES)} is wanted, not {execution.get('status')!r}"
    if not isinstance(execution.get("last_updated"), str):
        yield f"execution.last_updated: a time as text is wanted, not {execution.get('last_updated')!r}"
    for name in ("completed_at", "current_step_id"):
        if not isinstance(execution.get(name), str | None):
            yield f"execution.{name}: text is wanted, not {execution[name]!r}"


def _state_complaints(given: object) -> Iterator[str]:
    """Everything that keeps this from being a serialised resume state."""
    if not isinstance(given, Mapping) or given.get("kind") != KIND:
        yield f"kind: {KIND!r} is wanted"
        return
    yield from _version_complaints(given)
    for name in ("workflow", "run_id"):
        if not isinstance(given.get(name), str | None):
            yield f"{name}: text is wanted, not {given[name]!r}"
    steps = given.get("steps")
    if not isinstance(steps, list | tuple):
        yield f"steps: a list is wanted, not {type(steps).__name__}"
        return
    for index, step in enumerate(steps):
        if not isinstance(step, Mapping) or not isinstance(step.get("key"), str) or not step["key"]:
            yield f"steps[{index}]: a mapping with a key is wanted"
        elif "output" in step and "error" in step:
            yield f"steps[{index}]: an output or an error, not both"
        elif "error" in step and not isinstance(step["error"], Mapping):
            yield f"steps[{index}].error: a mapping is wanted"
        else:
            yield from _entry_complaints(f"steps[{index}]", step)


def _entry_complaints(where: str, step: Mapping[str, object]) -> Iterator[str]:
    attempts = step.get("attempts", 1)
    if isinstance(attempts, bool) or not isinstance(attempts, int) or attempts < 1:
        yield f"{where}.attempts: a number above 0 is wanted, not {attempts!r}"
    for name in ("started_at", "ended_at"):
        if not isinstance(step.get(name), str | None):
            yield f"{where}.{name}: a time as text is wanted, not {step[name]!r}"

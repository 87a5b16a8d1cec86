"""From what a run goes on: the steps it has done, as a resume state, and as a snapshot for people and other systems.

1. A resume state holds entries: keys, inputs, outcomes. Its inputs guard the run that goes on from it.
2. A snapshot holds results by key and what is known of the execution. It has no inputs, so a run that goes on from it is not guarded by them.
3. Both are JSON as they stand: typed values are tagged (see `typed`). What JSON cannot carry is refused, or listed in a snapshot's warnings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from pytest_wfreplay.clock import SystemClock, iso
from pytest_wfreplay.errors import ConfigurationError, NotJsonError
from pytest_wfreplay.jsonable import JSON, jsonable
from pytest_wfreplay.steps.entry import ABSENT, Entry, Raised, Returned, error_of
from pytest_wfreplay.steps.key import quote, spell_key

if TYPE_CHECKING:
    from pytest_wfreplay.signal import Signal

#: The format of snapshots and serialised resume states. A newer one is refused.
FORMAT_VERSION = 1

#: `{"ok": true, "value"}` or `{"ok": false, "error", "cause", "meta"}`.
StepResult: TypeAlias = dict[str, JSON]

ExecutionStatus: TypeAlias = Literal["running", "completed", "failed"]
EXECUTION_STATUSES: tuple[str, ...] = get_args(ExecutionStatus)


@dataclass(slots=True)
class ResumeState:
    """What a run has done: `steps` by key, in the order in which they ended. `workflow` is that of the run, None where nobody knows.

    `run_id` is the run's own name wherever it goes on: idempotency keys follow from it. It does not count when states are compared.
    """

    steps: dict[str, Entry] = field(default_factory=dict)
    workflow: str | None = None
    run_id: str | None = field(default=None, compare=False)

    @property
    def waiting_for(self) -> list[str]:
        """The names that the run waits for, each once, in the order in which it asked."""
        waits = [entry.input for entry in self.steps.values() if entry.outcome is None and entry.key.startswith(WAIT)]
        names = [given.get("wait_for") for given in waits if isinstance(given, Mapping)]
        return list(dict.fromkeys(name for name in names if isinstance(name, str)))

    def deliver(self, name: str, value: object = None) -> None:
        """Answer the oldest unanswered `wait_for(name)`, or the next one when none is asked: the run that goes on from here gets `value`.

        Workflows that are run inside of steps are answered only when they have asked.

        Raises:
            ConfigurationError: a blank name.
            NotJsonError: JSON cannot carry the value.
        """
        occurrence = 1
        while (asked := self.steps.get(key := wait_key(name, occurrence))) is not None and asked.outcome is not None:
            occurrence += 1
        if asked is None:
            open_ones = (entry for entry in self.steps.values() if entry.outcome is None and entry.key.startswith(WAIT))
            asked = next((entry for entry in open_ones if entry.input == {"wait_for": name}), None)
            key = key if asked is None else asked.key
        started = None if asked is None else asked.started_at
        answer = Returned(jsonable(value, path=f"what is delivered to {name!r}"))
        self.steps[key] = Entry(key, {"wait_for": name}, answer, started_at=started, ended_at=iso(SystemClock().now()))


#: How the keys of waits begin.
WAIT = "wait_for/"


def wait_key(name: str, occurrence: int) -> str:
    """The key of the entry by which a run waits for a name, for the first, second, … time. Raises `ConfigurationError` for a blank name."""
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(f"What a run waits for has a name that is not blank, not {name!r}.")
    return spell_key(WAIT, quote(name), occurrence)


@dataclass(frozen=True, slots=True)
class SnapshotExecution:
    """How far the run is. Times are ISO-8601 UTC."""

    status: ExecutionStatus
    last_updated: str
    completed_at: str | None = None
    current_step_id: str | None = None


@dataclass(frozen=True, slots=True)
class WorkflowSnapshot:
    """A run's steps by key, for people and other systems.

    `metadata` may hold anything that is JSON; known to us are `workflow_id`, `run_id`, `definition_hash` and
    `input`. `warnings` are
    `{"type": "lossy_value", "step_id", "path", "reason"}`.
    """

    format_version: int = FORMAT_VERSION
    steps: dict[str, StepResult] = field(default_factory=dict)
    execution: SnapshotExecution = field(default_factory=lambda: SnapshotExecution("running", iso(SystemClock().now())))
    metadata: dict[str, JSON] = field(default_factory=dict)
    warnings: tuple[dict[str, JSON], ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.execution, Mapping):
            object.__setattr__(self, "execution", SnapshotExecution(**self.execution))

    def as_json(self) -> dict[str, JSON]:
        """The snapshot as JSON; what is not known is left out."""
        execution = {
            "status": self.execution.status,
            "last_updated": self.execution.last_updated,
            "completed_at": self.execution.completed_at,
            "current_step_id": self.execution.current_step_id,
        }
        return {
            "format_version": self.format_version,
            "steps": dict(self.steps),
            "execution": {name: value for name, value in execution.items() if value is not None},
            "metadata": self.metadata,
            "warnings": list(self.warnings),
        }


def to_snapshot(
    resume_state: ResumeState, *, status: ExecutionStatus | None = None, current_step_id: str | None = None, **metadata: object
) -> WorkflowSnapshot:
    """The snapshot of a resume state. `metadata` is kept with it: `workflow_id=`, `definition_hash=`, `input=`, or anything else.

    Without a `status` it is "running" if a step has not ended, "failed" if one has failed, else "completed". A step that was cancelled or
    waits has no result and is left out. What JSON cannot carry in `metadata` is left out and listed in `warnings`.
    """
    now = iso(SystemClock().now())
    status = status or _status_of(resume_state)
    warnings: list[dict[str, JSON]] = []
    kept: dict[str, JSON] = {}
    if resume_state.workflow is not None:
        metadata.setdefault("workflow_id", resume_state.workflow)
    if resume_state.run_id is not None:
        metadata.setdefault("run_id", resume_state.run_id)
    for name, value in metadata.items():
        try:
            kept[name] = jsonable(value, path=f"metadata.{name}")
        except NotJsonError as error:
            warnings.append({"type": "lossy_value", "step_id": "", "path": error.path, "reason": "non-json"})
    return WorkflowSnapshot(
        steps={key: step_result(entry) for key, entry in resume_state.steps.items() if entry.outcome is not None},
        execution=SnapshotExecution(status, now, None if status == "running" else now, current_step_id),
        metadata=kept,
        warnings=tuple(warnings),
    )


def _status_of(state: ResumeState) -> ExecutionStatus:
    outcomes = [entry.outcome for entry in state.steps.values()]
    return "running" if None in outcomes else "failed" if any(isinstance(outcome, Raised) for outcome in outcomes) else "completed"


def step_result(entry: Entry) -> StepResult:
    """What a snapshot says of a step that has ended."""
    outcome = entry.outcome
    if isinstance(outcome, Returned):
        return {"ok": True, "value": _copied(outcome.value)}
    facts = dict(error_of(outcome) or {})
    cause = facts.pop("cause", None)
    meta: dict[str, JSON] = {"origin": "throw", "attempts": entry.attempts}
    return {"ok": False, "error": facts, "cause": cause, "meta": meta}


def _copied(value: object) -> JSON:
    if isinstance(value, Mapping):
        return {str(name): _copied(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item) for item in value]
    return value  # type: ignore[return-value]  # an entry's values are JSON


def entry_of(key: str, result: Mapping[str, JSON]) -> Entry:
    """The entry that a step's result stands for. It has no input, so it matches any."""
    if result["ok"]:
        return Entry(key, ABSENT, Returned(_copied(result.get("value"))))
    error = _described(result.get("error"))
    cause = result.get("cause")
    if isinstance(cause, Mapping):
        error["cause"] = _copied(cause)
    meta = result.get("meta")
    attempts = meta.get("attempts", 1) if isinstance(meta, Mapping) else 1
    return Entry(key, ABSENT, Raised(error), attempts if isinstance(attempts, int) else 1)


class ResumeStateCollector:
    """Collects a resume state from the signals of a run, as they come or afterwards.

    A signal shows typed values as text, so a run that goes on from what was collected gets text there; `run_with_state` keeps them.
    """

    def __init__(self) -> None:
        self._state = ResumeState()
        self._inputs: dict[str, JSON] = {}

    def handle_event(self, signal: Signal) -> None:
        """Take note of one signal; those that say nothing of a step are passed over."""
        payload = signal.payload
        if not isinstance(payload, dict) or not isinstance(key := payload.get("step"), str):
            return
        if signal.name == "step:start":
            self._inputs[key] = jsonable(payload.get("input"))
        elif is_step_complete(signal):
            outcome = Raised(_described(payload["error"])) if "error" in payload else Returned(jsonable(payload.get("output")))
            given = self._inputs.pop(key, ABSENT)
            self._state.steps[key] = Entry(key, given, outcome, ended_at=signal.timestamp)

    def get_resume_state(self) -> ResumeState:
        """What was collected so far: a state of its own."""
        return ResumeState(dict(self._state.steps), self._state.workflow)

    def clear(self) -> None:
        """Forget everything."""
        self._state = ResumeState()
        self._inputs.clear()


def _described(error: JSON | None) -> dict[str, JSON]:
    """The facts of an error, which others may have put into a word."""
    if isinstance(error, Mapping) and "type" in error:
        return {str(name): _copied(value) for name, value in error.items()}
    return {"type": "Error", "message": str(error)}


def create_resume_state_collector() -> ResumeStateCollector:
    """A collector of what a run's signals say of its steps."""
    return ResumeStateCollector()


def is_step_complete(signal: Signal) -> bool:
    """Whether a signal says that a step has ended, well or not."""
    return signal.name == "step:end"

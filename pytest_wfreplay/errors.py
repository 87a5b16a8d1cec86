"""Every error of the product in one tree, each with its facts and a hint that says what to do next.

WfreplayError
├── ConfigurationError                      a workflow, an option or a setting is wrong; nothing has started
├── NotJsonError                            a value that JSON cannot carry            (also TypeError)
│   └── SignalPayloadError                  … in the payload of a signal, or against its schema
├── TemplateError                           a prompt names what is not there
├── OutputSchemaError                       a reply is not what the agent's schema asks for
├── HarnessError                            a harness failed
│   └── ScriptExhausted                     a scripted harness has no reply left
├── HandlerError                            a reducer, handler, process, guard or prompt raised
├── WorkflowTimeoutError                    the run used up its time                  (also TimeoutError)
├── StepTimeoutError                        one step used up its time                 (also TimeoutError)
├── ActivationLimitError                    agents or handlers go round in a circle
├── WorkflowSuspended                       a run waits for somebody
├── StepFailed                              a step failed with an error whose class cannot be found again
├── UnfinishedStepError                     a step began in an earlier run and never ended
├── RecordingNotFound                       no recording of that id or name           (also LookupError)
├── RecordingFinalized                      a recording that is closed was written to
├── CassetteError                           a cassette cannot be used
│   ├── CassetteMissing                     there is none
│   ├── CassetteEmpty                       there is a file, with nothing in it
│   ├── CassetteTruncated                   its end is missing
│   ├── CassetteUnreadable                  bad YAML or a wrong shape
│   └── CassetteVersionError                written by a newer version
├── DivergenceError                         this run is not what was recorded
│   ├── StepInputMismatchError              a known step was given another input
│   └── UnrecordedStepError                 a step that the recording does not know
├── LiveCallBlocked                         replay reached for the network or a new process
├── SecretLeakError                         a known secret would have reached the disk
├── SnapshotFormatError                     a snapshot is not one
├── SnapshotMismatchError                   a snapshot of another workflow
└── StoreError                              a store failed
    ├── StoreUnavailable                    it does not answer
    ├── LeaseTaken                          another owner works on this run
    ├── LeaseLost                           another owner took this run over
    └── IllegalTransition                   a status cannot follow the one before it
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class WfreplayError(Exception):
    """The root: catch this to catch everything this package raises on its own account.

    `hint` says what to do next; it is shown below the message in tracebacks (as a note), never inside `str(error)`.
    """

    #: The `RunResult` of the run that this error ended, with its state and signals so far; None outside of one.
    result: Any = None

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")


class ConfigurationError(WfreplayError):
    """A workflow, an option or a setting is wrong. Raised before anything starts."""


class NotJsonError(WfreplayError, TypeError):
    """A value that JSON cannot carry. `path` says where it stands, such as `payload.items[3].price`."""

    def __init__(self, path: str, problem: str, *, hint: str = "") -> None:
        super().__init__(f"{path}: {problem}", hint=hint or "Pass JSON values, or turn this one into text or numbers first.")
        self.path = path
        self.problem = problem


class SignalPayloadError(NotJsonError):
    """A signal's payload that JSON cannot carry, or that its schema refuses."""


class TemplateError(WfreplayError):
    """A prompt template names something that is not there, or is not a template. `name` is what it asked for."""

    def __init__(self, message: str, *, name: str = "", agent: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint or "Templates know `state`, `signal`, `input` and the state's own fields.")
        self.name = name
        self.agent = agent


class OutputSchemaError(WfreplayError):
    """An agent's reply has no JSON value, or one that its schema refuses. `value` is the value, `problems` say why."""

    def __init__(self, message: str, *, agent: str = "", value: object = None, problems: Sequence[str] = ()) -> None:
        super().__init__(message, hint="Say the wanted shape in the prompt, or loosen the agent's output_schema.")
        self.agent = agent
        self.value = value
        self.problems = tuple(problems)


class HarnessError(WfreplayError):
    """A harness failed. `code` is the service's word for it, or the class name of the exception it raised."""

    def __init__(self, code: str, message: str, recoverable: bool = False, *, hint: str = "") -> None:  # noqa: FBT001, FBT002 - the contract's own shape
        super().__init__(message, hint=hint)
        self.code = code
        self.message = message
        self.recoverable = recoverable


class ScriptExhausted(HarnessError):  # noqa: N818 - the contract's name
    """A scripted harness was asked once more than it has replies."""

    def __init__(self, message: str) -> None:
        super().__init__("script_exhausted", message, hint="Give the script one more reply, or find out who asks again.")


class HandlerError(WfreplayError):
    """A reducer, handler, process, guard or prompt raised. `part` says which of these, `name` which one."""

    def __init__(self, part: str, name: str, cause: BaseException) -> None:
        super().__init__(f"{part} {name!r} raised {type(cause).__name__}: {cause}", hint=f"Mend the {part}; its changes to the state were dropped.")
        self.part = part
        self.name = name


class WorkflowTimeoutError(WfreplayError, TimeoutError):
    """A run used up its time. `timeout` and `elapsed` are seconds."""

    def __init__(self, timeout: float, elapsed: float) -> None:
        super().__init__(f"The workflow did not end within {timeout:g} s.", hint="Raise timeout=, or find the agent that never ends.")
        self.timeout, self.elapsed = timeout, elapsed


class StepTimeoutError(WfreplayError, TimeoutError):
    """One step used up its time. `timeout` is seconds."""

    def __init__(self, step: str, timeout: float) -> None:
        super().__init__(f"Step {step!r} did not end within {timeout:g} s.", hint="Raise the step's timeout=.")
        self.step = step
        self.timeout = timeout


class ActivationLimitError(WfreplayError):
    """Agents or handlers go round in a circle. `cycle` names it, `limit` is max_activations."""

    def __init__(self, limit: int, cycle: Sequence[str]) -> None:
        message = f"More than {limit} activations: {' -> '.join(cycle)}"
        super().__init__(message, hint="Give one of them a when= guard, or end the run with end_when=.")
        self.limit = limit
        self.cycle = tuple(cycle)


class WorkflowSuspended(WfreplayError):  # noqa: N818 - a state of the run, not a fault
    """A run waits for somebody. `waiting_for` names what."""

    def __init__(self, waiting_for: str) -> None:
        super().__init__(f"The run waits for {waiting_for!r}.", hint="Deliver it to the store, then run again.")
        self.waiting_for = waiting_for


class StepFailed(WfreplayError):  # noqa: N818 - the contract's name
    """A step failed with an error whose class cannot be found again, live or in replay. `type` is its name."""

    def __init__(self, type: str, message: str) -> None:
        super().__init__(f"{type}: {message}", hint="Define the exception's class at the top of a module to catch it by its class.")
        self.type = type
        self.message = message


class UnfinishedStepError(WfreplayError):
    """A step began in an earlier run and never ended: nobody knows whether its work was done."""

    def __init__(self, step: str) -> None:
        super().__init__(f"Step {step!r} began in an earlier run and never ended.", hint='Pass on_unfinished="redo" to do it again.')
        self.step = step


class RecordingNotFound(WfreplayError, LookupError):  # noqa: N818 - the contract's name
    """No recording of that id or name. `recording` is what was asked for."""

    def __init__(self, recording: str) -> None:
        super().__init__(f"Recording not found: {recording}", hint="Ask the store's list() for what it holds.")
        self.recording = recording


class RecordingFinalized(WfreplayError):  # noqa: N818 - the contract's name
    """A recording that is closed was written to."""

    def __init__(self, recording: str) -> None:
        super().__init__(f"Recording is finalized: {recording}", hint="Create a new recording; a closed one never changes.")
        self.recording = recording


class CassetteError(WfreplayError):
    """A cassette cannot be used. `path` is the file, `line` the line in it (from 1) or None."""

    def __init__(self, path: str, problem: str, *, line: int | None = None, hint: str = "") -> None:
        where = f"{path}:{line}" if line else path
        super().__init__(f"{where}: {problem}", hint=hint or "Record it again with pytest --record.")
        self.path = path
        self.problem = problem
        self.line = line


class CassetteMissing(CassetteError):  # noqa: N818 - the contract's name
    """There is no cassette at the path."""


class CassetteEmpty(CassetteError):  # noqa: N818 - the contract's name
    """There is a file at the path, with nothing in it."""


class CassetteTruncated(CassetteError):  # noqa: N818 - the contract's name
    """The cassette's end is missing."""


class CassetteUnreadable(CassetteError):  # noqa: N818 - the contract's name
    """Bad YAML, a wrong shape, or a file that the system does not let us read or write."""


class CassetteVersionError(CassetteError):
    """The cassette was written by a newer version of this package."""


class Diverged(Protocol):
    """What a `DivergenceError` carries: see `recording.divergence.Divergence`, which is one."""

    @property
    def kind(self) -> str:
        """`input_mismatch`, `unrecorded_step`, `unused_step`, `trace`, `state` or `outcome`."""


class DivergenceError(WfreplayError):
    """This run is not what was recorded. `divergences` hold each place where the two part."""

    def __init__(self, message: str, divergences: Sequence[Diverged] = (), *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.divergences = tuple(divergences)


class StepInputMismatchError(DivergenceError):
    """A known step was given another input."""


class UnrecordedStepError(DivergenceError):
    """A step that the recording does not know; its work was not begun."""


class LiveCallBlocked(WfreplayError):  # noqa: N818 - the contract's name
    """Replay reached for the network or a new process. `test`, `what` (`connect`, `look up`, `process`), `target` and `line` say which."""

    def __init__(self, message: str, *, test: str = "", what: str = "", target: str = "", line: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.test = test
        self.what = what
        self.target = target
        self.line = line


class SecretLeakError(WfreplayError):
    """A known secret would have reached the disk; nothing was written. `path` is the file, `place` where in it; the value is told nowhere."""

    path: str = ""
    place: str = ""


class SnapshotFormatError(WfreplayError):
    """A snapshot is not one. `errors` say why."""

    def __init__(self, message: str, errors: Sequence[str] = ()) -> None:
        super().__init__(message, hint="Save a snapshot with to_snapshot() or a store; upgrade pytest-wfreplay to read one of a newer format.")
        self.errors = tuple(errors)


class SnapshotMismatchError(WfreplayError):
    """A snapshot of another workflow, or of another version of this one."""


class StoreError(WfreplayError):
    """A store failed; the driver's own error is its cause."""


class StoreUnavailable(StoreError):  # noqa: N818 - the contract's name
    """A store does not answer."""


class LeaseTaken(StoreError):  # noqa: N818 - the contract's name
    """Another owner works on this run."""


class LeaseLost(StoreError):  # noqa: N818 - the contract's name
    """Another owner took this run over."""


class IllegalTransition(StoreError):  # noqa: N818 - the contract's name
    """A status cannot follow the one before it."""

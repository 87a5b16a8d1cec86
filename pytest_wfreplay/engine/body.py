"""Function workflows: a plain function whose every touch of the outside world is a step of its context."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_wfreplay.clock import SystemClock
from pytest_wfreplay.engine.result import RunMetrics, RunResult, attach
from pytest_wfreplay.errors import ConfigurationError, DivergenceError, SnapshotMismatchError, WorkflowSuspended
from pytest_wfreplay.jsonable import JSON, jsonable, restore
from pytest_wfreplay.signal import Signal, payload_of
from pytest_wfreplay.steps.effort import ONCE, Effort
from pytest_wfreplay.steps.entry import Outcome, Raised, Returned
from pytest_wfreplay.steps.failure import briefly, describe, is_from_outside
from pytest_wfreplay.steps.journal import Ending, RunFacts
from pytest_wfreplay.steps.keyed import step_of_key
from pytest_wfreplay.steps.line import Line
from pytest_wfreplay.steps.resume import WAIT, wait_key
from pytest_wfreplay.steps.scope import Scope, current, entered
from pytest_wfreplay.trace import Trace

if TYPE_CHECKING:
    import datetime as dt

    from pytest_wfreplay.steps.journal import JournalSource, Status

#: What a function workflow does with its context.
Body: TypeAlias = "Callable[[RunScope], Awaitable[Any]]"

_CLOCK = SystemClock()


class RunScope:
    """What a function workflow is given: `ctx`. Each of its calls but `emit` is a recorded step."""

    def __init__(self, scope: Scope, deps: Any) -> None:
        self._scope = scope
        #: What the workflow was created with: `create_workflow(name, deps=…)`.
        self.deps = deps

    async def step(
        self, name: str, fn: Callable[..., Any], /, *args: Any, key: str | None = None, retries: int = 0, timeout: float | None = None
    ) -> Any:
        """Do `fn(*args)` at most once (sync or async), and give its JSON-shaped result as a replay will.

        Its input are the arguments. `key` names the work: a second call with that key in one run gives the first one's outcome.
        `retries` more tries after a failure, each of at most `timeout` seconds.

        Raises:
            ConfigurationError: a blank name or key, or something to do that is no function.
            NotJsonError: JSON cannot carry an argument or the result.
            StepTimeoutError: the last try took longer than `timeout`.
            DivergenceError: the recording that is replayed knows something else.
        """
        effort = ONCE if not retries and timeout is None else _effort(retries, timeout)
        scope = self._here()
        if not isinstance(name, str) or not name.strip():
            raise ConfigurationError(f"A step's name is a text that is not blank, not {name!r}.")
        if not callable(fn):
            raise ConfigurationError(f"Step {name!r} is given {type(fn).__name__}, not a function.", hint="Pass the function and then its arguments.")
        work = functools.partial(fn, *args) if args else fn
        if key is None:
            return await scope.step(scope.key(name), work, args, effort)
        if not isinstance(key, str) or not key.strip():
            raise ConfigurationError(f"A step's key is a text that is not blank, not {key!r}.")
        return await step_of_key(scope, key, work, args, effort)

    def emit(self, name: str, payload: object = None) -> Signal:
        """Say a signal; it takes its place in the run's trace.

        Raises:
            SignalPayloadError: JSON cannot carry the payload.
        """
        spelled = payload_of(name, payload)
        scope = self._here()
        return scope.line.emit(name, spelled, scope.origin)

    def now(self) -> dt.datetime:
        """The time of day (aware, UTC), the same in replay."""
        return self._asked("now", _CLOCK.now)  # type: ignore[no-any-return]  # a datetime keeps its type

    def new_id(self) -> str:
        """A new UUID, the same in replay."""
        return self._asked("new_id", _CLOCK.new_id)  # type: ignore[no-any-return]  # text stays text

    def random(self) -> float:
        """A number in [0, 1), the same in replay."""
        return self._asked("random", _CLOCK.random)  # type: ignore[no-any-return]  # a number stays a number

    async def sleep(self, seconds: float) -> None:
        """Wait; in replay not at all."""
        scope = self._here()
        await scope.step(scope.key("sleep"), functools.partial(_CLOCK.sleep, seconds), {"seconds": seconds})

    async def child(self, workflow: Any, body_or_agents: Body | Mapping[str, Any], /, **options: Any) -> Any:
        """Run another workflow as one step, named after it: what is remembered of it is not run again.

        With a body it takes the options of `Workflow.run` and gives what the body gives; with agents those of `run_reactive`, and
        gives the final state as JSON. The step's input are its `state` and `input`.
        """
        given = {name: options[name] for name in ("state", "input") if options.get(name) is not None}
        if callable(body_or_agents):
            work = functools.partial(workflow.run, body_or_agents, **options)
        else:
            work = functools.partial(_final_state, workflow, body_or_agents, options)
        scope = self._here()
        return await scope.step(scope.key(workflow.name), work, given)

    async def wait_for(self, name: str) -> Any:
        """What somebody delivers under this name. Until then the run is suspended: run it again when it was delivered.

        `store.snapshots.deliver(id, name, value)` delivers to the run in `durable(id)`, `resume_state.deliver(name, value)` to one that goes on
        from a state.

        Raises:
            WorkflowSuspended: nothing was delivered yet.
            ConfigurationError: a blank name, or a step that waits: only the body may.
        """
        wait_key(name, 1)
        scope = self._here()
        if scope.is_inside:
            raise ConfigurationError(f"A step waits for {name!r}.", hint="Wait in the body, and give the step what came.")
        below = scope.below(WAIT.rstrip("/"))
        return await below.step(below.key(name), functools.partial(_suspend, name), {"wait_for": name})

    def _asked(self, name: str, work: Callable[[], object]) -> Any:
        scope = self._here()
        return scope.step_now(scope.key(name), work)

    def _here(self) -> Scope:
        """The scope of the caller, if it is one of this run: a step of it, say. Otherwise that of the run."""
        scope = current.get()
        return scope if scope is not None and scope.line is self._scope.line else self._scope


async def run_body(name: str, body: Body, deps: Any, source: JournalSource) -> Any:
    """Run a function workflow with the journal that `source` hands out: what its body gives, as a replay will give it.

    Raises:
        Exception: what the body raised.
        DivergenceError: the run is not what was recorded.
    """
    if not callable(body):
        raise ConfigurationError(f"A body is a function of the context, not {type(body).__name__}.")
    journal = await source.open(RunFacts(name))
    line = Line(journal, source=source.inner)
    line.emit("workflow:start", {"agents": []}, None)
    try:
        with entered(Scope(line)):
            async with journal.watch():
                answer = body(RunScope(Scope(line), deps))
                value = await answer if inspect.isawaitable(answer) else answer
        spelled = jsonable(value, path=f"result of {name!r}")
    except Exception as error:
        line.emit("workflow:failed", {"error": briefly(error)}, None)
        await _close(line, "failed", error, Raised(describe(error)))
        raise
    except BaseException as error:
        line.emit("workflow:cancelled", {}, None)
        await _close(line, "cancelled", error)
        raise
    line.emit("workflow:end", {"activations": 0}, None)
    await _close(line, "completed", None, Returned(spelled))
    return restore(spelled)


def _suspend(name: str) -> None:
    raise WorkflowSuspended(name)


async def _close(line: Line, status: Status, error: BaseException | None, outcome: Outcome | None = None) -> None:
    journal = line.journal
    metrics = RunMetrics(duration_ms=journal.duration_ms())
    result = RunResult(state=None, signals=Trace(line.signals), metrics=metrics, recording_id=journal.recording_id)
    if error is not None:
        attach(result, error)
    ending = Ending(status, outcome=outcome, error=None if error is None else briefly(error), duration_ms=metrics.duration_ms)
    try:
        await journal.end(ending)
    except (DivergenceError, SnapshotMismatchError) as divergence:
        attach(result, divergence)
        if error is None or not (isinstance(error, DivergenceError) or is_from_outside(error)):
            raise divergence from error


async def _final_state(workflow: Any, agents: Mapping[str, Any], options: Mapping[str, Any]) -> JSON:
    result = await workflow.run_reactive(agents=agents, **options)
    return jsonable(result.state, path="state")


def _effort(retries: int, timeout: float | None) -> Effort:
    if not isinstance(retries, int) or retries < 0 or not (timeout is None or (isinstance(timeout, int | float) and timeout > 0)):
        raise ConfigurationError(f"retries is a number from 0 and timeout one above 0 (seconds) or None, not {retries!r} and {timeout!r}.")
    return Effort(retries, timeout)

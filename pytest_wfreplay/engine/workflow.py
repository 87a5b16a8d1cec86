"""The workflow: a named declaration of agents or of a function, and the methods that run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pytest_wfreplay.clock import SystemClock
from pytest_wfreplay.engine.agent import Agent, AgentContext, Prompt, Wording, declare
from pytest_wfreplay.engine.body import Body, run_body
from pytest_wfreplay.engine.definition import definition_hash, state_to_go_on_from
from pytest_wfreplay.engine.plan import Plan, Reactions
from pytest_wfreplay.engine.runner import run_plan
from pytest_wfreplay.engine.state import State
from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import plain_json
from pytest_wfreplay.steps.entry import Outcome, Raised, Returned
from pytest_wfreplay.steps.journal import JournalSource, LiveSource
from pytest_wfreplay.steps.nested import source_within
from pytest_wfreplay.steps.resume import ResumeState
from pytest_wfreplay.steps.resumer import Resuming
from pytest_wfreplay.steps.scope import current

if TYPE_CHECKING:
    from pytest_wfreplay.engine.adapters import SignalAdapter
    from pytest_wfreplay.engine.result import RunResult
    from pytest_wfreplay.harness import Harness

_CLOCK = SystemClock()


class Workflow:
    """A workflow by name; `create_workflow` makes one."""

    def __init__(self, name: str, state_type: type | None = None, deps: Any = None) -> None:
        if not isinstance(name, str) or not name.strip():
            raise ConfigurationError(f"A workflow's name is a text that is not blank, not {name!r}.")
        self.name = name
        self.state_type = state_type
        self.deps = deps

    def agent(
        self,
        *,
        prompt: Prompt,
        activate_on: object = (),
        emits: Iterable[str] = (),
        updates: str | None = None,
        when: Callable[[AgentContext], Any] | None = None,
        harness: Harness | None = None,
        output_schema: object = None,
        message: Prompt | None = None,
        tools: Iterable[Any] | None = None,
        model: str | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> Agent:
        """Declare an agent.

        `prompt` is a template or a function of the context; `activate_on` the patterns that wake it, if `when` (a guard) agrees. What it
        says goes into the state's field `updates` and out as each of `emits`. With `output_schema` (a pydantic model or a JSON schema) its
        value is the validated JSON, otherwise its text. The rest is passed on to the harness; `message` (a template, too) as the user's message.

        Raises:
            ConfigurationError: nothing to be activated on, a pattern or a schema that is none.
        """
        wording = Wording(output_schema, message, tools, model, max_tokens, temperature)
        return declare(prompt, activate_on, emits, updates, wording, when=when, harness=harness)

    async def run_reactive(
        self,
        *,
        agents: Mapping[str, Agent],
        state: Any = None,
        input: Any = None,
        harness: Harness | None = None,
        end_when: Callable[[Any], Any] | None = None,
        timeout: float | None = None,
        max_activations: int = 1000,
        reducers: Mapping[Any, Callable[[Any, Any], Any]] | None = None,
        handlers: Mapping[Any, Callable[[Any, Any], Any]] | None = None,
        processes: Mapping[Any, Callable[[Any, Any], Any]] | None = None,
        adapters: Iterable[SignalAdapter] = (),
        recording: JournalSource | None = None,
        run_id: str | None = None,
    ) -> RunResult:
        """Let agents hear and speak until nobody has anything left to say, or for `timeout` seconds. The `state` that is given is never touched.

        Reducers `(state, signal)` change a draft, handlers may return signals too, processes only read and return signals: what their keys match.

        Raises:
            ConfigurationError: before anything starts.
            WfreplayError: the one of its heirs that says what ended the run; its `.result` has the state and the signals so far.
        """
        plan = Plan(
            workflow=self.name,
            agents=agents,
            state=State({} if state is None else state, self.state_type),
            input=plain_json(input, path="input"),
            harness=harness,
            run_id=run_id or f"run_{_CLOCK.new_id()}",
            end_when=end_when,
            timeout=timeout,
            max_activations=max_activations,
            reactions=Reactions.of(reducers, handlers, processes),
            adapters=tuple(adapters),
        )
        return await run_plan(plan, _source(recording))

    async def run(self, body: Body, *, resume_state: object = None, snapshot: object = None, recording: JournalSource | None = None) -> Any:
        """Run a function workflow: `async def body(ctx)`. What it returns is JSON-shaped and comes back as a replay will give it.

        It goes on from `resume_state` or `snapshot`, each a `ResumeState`, a `WorkflowSnapshot` or the JSON of either: what ended well is not
        done again, what failed or never ended is.

        Raises:
            Exception: what the body raised.
            WorkflowSuspended: it waits for somebody.
            NotJsonError: JSON cannot carry what it returned.
            SnapshotFormatError, SnapshotMismatchError: that is no state of a run of this workflow, or has steps that this run never asked for.
            StepInputMismatchError: a known step is given another input.
            DivergenceError: the run is not what was recorded.
        """
        source = _source(recording)
        if resume_state is not None or snapshot is not None:
            source = Resuming(source, state_to_go_on_from(self.name, body, resume_state, snapshot), self.name)
        return await run_body(self.name, body, self.deps, source)

    async def run_with_state(
        self, body: Body, *, resume_state: object = None, snapshot: object = None, recording: JournalSource | None = None
    ) -> tuple[Outcome, ResumeState]:
        """Run a function workflow as `run` does: its outcome, `Returned(value)` or `Raised(error)`, and the state from which it can go on.

        The state holds every step that has ended, in this run or before, in the order in which they ended. Raises what `run` raises before it starts.
        """
        source = Resuming(_source(recording), state_to_go_on_from(self.name, body, resume_state, snapshot), self.name)
        try:
            outcome: Outcome = Returned(await run_body(self.name, body, self.deps, source))
        except Exception as error:
            if source.state is None:
                raise
            outcome = Raised(error)
        return outcome, source.state or ResumeState()

    def definition_hash(self, body: Body) -> str:
        """What a snapshot says of the workflow that it is of: `to_snapshot(state, definition_hash=flow.definition_hash(body))`."""
        return definition_hash(self.name, body)


def create_workflow(name: str, state_type: type | None = None, deps: Any = None) -> Workflow:
    """A workflow. `state_type` (a dataclass, a pydantic model or a TypedDict) declares its state; `deps` is what functions find as `ctx.deps`.

    Raises:
        ConfigurationError: a blank name.
    """
    return Workflow(name, state_type, deps)


def _source(recording: JournalSource | None) -> JournalSource:
    """Who hands the journal: the recording that was asked for, else the run or test around us, else nobody keeps anything.

    A test that records or replays decides for runs that would record themselves. Inside a step nobody keeps anything, for what is in there is
    part of what the step's own entry remembers; but where runs go on, so do those inside of their steps.
    """
    if recording is not None and not callable(getattr(recording, "open", None)):
        raise ConfigurationError(f"recording is RecordingOptions(...), not {type(recording).__name__}.")
    scope = current.get()
    around = LiveSource() if scope is None or scope.is_inside else scope.line.source
    if scope is not None and isinstance(around, LiveSource):
        around = source_within(scope)
    return around if recording is None or (around.rules and recording.works) else recording

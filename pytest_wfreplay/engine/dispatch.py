"""The one sequential dispatcher of a reactive run.

1. Signals go through one queue. A signal is heard by everybody before the next one is looked at.
2. What comes from outside is admitted only when the queue is empty. So everything else is computed from the order of arrivals, and a
   replay that feeds the same order gets the same run.
3. After the run began to terminate, or to fail, no agent is activated; each one that would have been says so. `workflow:end` is heard by
   everybody but agents; how a run ended before its time (failed, out of time, cancelled) by the trace and the adapters only.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from typing import TYPE_CHECKING, NoReturn

from pytest_wfreplay.engine.activation import spoken, told, usage_of
from pytest_wfreplay.engine.agent import Agent, AgentContext
from pytest_wfreplay.engine.asking import asked, reduced, signals_of, worded
from pytest_wfreplay.engine.bus import Bus, hearing
from pytest_wfreplay.engine.cycle import Echoes, agents_in_circle
from pytest_wfreplay.engine.inbox import Activation, Arrival, Failed, Inbox, Said, Spoken
from pytest_wfreplay.engine.speaking import speak
from pytest_wfreplay.errors import ActivationLimitError, HandlerError, OutputSchemaError, WfreplayError
from pytest_wfreplay.harness import HarnessInput, RunContext
from pytest_wfreplay.jsonable import JSON, plain_json
from pytest_wfreplay.signal import Signal, SignalSource, payload_of
from pytest_wfreplay.steps.entry import Entry
from pytest_wfreplay.steps.failure import briefly, message_of
from pytest_wfreplay.steps.key import activation_id
from pytest_wfreplay.steps.scope import Scope, current

if TYPE_CHECKING:
    from pytest_wfreplay.engine.adapters import Adapters
    from pytest_wfreplay.engine.bus import Audience
    from pytest_wfreplay.engine.plan import Plan, Reaction
    from pytest_wfreplay.engine.state import Change
    from pytest_wfreplay.steps.line import Line


class Dispatcher:
    """A reactive run, alive: its queue, its activations, and what it has counted."""

    def __init__(self, plan: Plan, line: Line, adapters: Adapters) -> None:
        self.plan = plan
        self.outputs: dict[str, JSON] = {}
        self.usages: list[tuple[int, int, int, float]] = []
        self.activations = 0
        self.harness_calls = 0
        self.is_terminating = False
        self._line = line
        self._scope = Scope(line)
        line.queue = self.say
        self._queue: deque[Signal] = deque()
        self._adapters = adapters
        self._bus = Bus(plan)
        self._inbox = Inbox()
        self._numbers: dict[str, int] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ended: dict[str, Entry] = {}
        self._echoes = Echoes(plan.max_activations, line.signals)
        self._is_failing = False
        self._is_over = False

    def say(self, signal: Signal) -> None:
        """Let a signal that was placed wait for its turn."""
        self._queue.append(signal)
        self._inbox.wake()

    async def live(self) -> None:
        """Run until nothing is left to say."""
        current.set(self._scope)
        started: dict[str, JSON] = {"agents": list(self.plan.agents)}
        if self.plan.input is not None:
            started["input"] = self.plan.input
        self._line.emit("workflow:start", started, None)
        await self._ask_whether_to_end(None)
        while True:
            await self._drain()
            arrival = self._inbox.take()
            if arrival is not None:
                await self._admit(arrival)
            elif self._tasks:
                await self._inbox.wait()
            elif self._is_over and not self._queue:
                return
            elif not self._queue:
                self._is_over = True
                self._line.emit("workflow:end", {"activations": self.activations}, None)

    async def close(self, name: str, payload: JSON) -> None:
        """Ended before its time: stop who still speaks, let what was said be heard by those who only listen, and say the last word."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()
        for entry in self._ended.values():
            # It came too late: this run, and so its replay, ends before the outcome is looked at.
            self._line.journal.append(Entry(entry.key, entry.input, None))
        self._line.emit(name, payload, None)
        while self._queue:
            await self._hear(self._queue.popleft())

    # what comes from inside: signals that wait to be heard

    async def _drain(self) -> None:
        queue, bus = self._queue, self._bus
        while queue:
            signal = queue.popleft()
            await self._hear(signal)
            self._echoes.hear(signal)
            audience = bus.audience(signal)
            if audience is not None:
                await self._dispatch(signal, audience)

    async def _hear(self, signal: Signal) -> None:
        self._line.hear(signal)
        if self._adapters:
            await self._adapters.tell(signal)

    async def _dispatch(self, signal: Signal, audience: Audience) -> None:
        self._scope.origin = SignalSource(parent=signal.id)
        for reducer in hearing(audience.reducers, signal):
            await self._change(reducer, "reducer", signal)
        for handler in hearing(audience.handlers, signal):
            self._say_all(await self._change(handler, "handler", signal), handler, "handler", signal)
        for process in hearing(audience.processes, signal):
            said = await asked("process", process.name, process.function, self.plan.state.view(), signal)
            self._say_all(said, process, "process", signal)
        for agent in hearing(audience.agents, signal):
            await self._wake(agent, signal)

    async def _change(self, reaction: Reaction, part: str, signal: Signal) -> object:
        draft = self.plan.state.draft()
        given = await asked(part, reaction.name, reaction.function, draft, signal)
        if part == "reducer":
            draft = reduced(reaction, draft, given, self.plan.state.view())
        try:
            changes = self.plan.state.commit(draft)
        except Exception as error:
            raise HandlerError(part, reaction.name, error) from error
        self._echoes.answer(reaction, await self._tell_changes(changes, None, SignalSource(parent=signal.id)))
        return given

    def _say_all(self, said: object, reaction: Reaction, part: str, heard: Signal) -> None:
        if said is None:
            return
        try:
            listed = [(signal.name, payload_of(signal.name, signal.payload)) for signal in signals_of(said)]
        except (WfreplayError, TypeError) as error:
            raise HandlerError(part, reaction.name, error) from error
        source = SignalSource(parent=heard.id)
        self._echoes.answer(reaction, [self._line.emit(name, payload, source) for name, payload in listed])

    async def _tell_changes(self, changes: list[Change], agent: str | None, source: SignalSource) -> list[Signal]:
        told = []
        for change in changes:
            payload: dict[str, JSON] = {"key": change.field, "old_value": change.old, "new_value": change.new}
            if agent is not None:
                payload["agent"] = agent
            told.append(self._line.emit(f"state:{change.field}:changed", payload, source))
        await self._ask_whether_to_end(agent)
        return told

    async def _ask_whether_to_end(self, agent: str | None) -> None:
        end_when = self.plan.end_when
        if end_when is None or self.is_terminating:
            return
        if await asked("end_when", self.plan.workflow, end_when, self.plan.state.view()):
            self.is_terminating = True
            payload: dict[str, JSON] = {"reason": "end_when holds"}
            self._line.emit("workflow:terminating", payload if agent is None else {**payload, "agent": agent}, None)

    # agents

    async def _wake(self, name: str, signal: Signal) -> None:
        agent = self.plan.agents[name]
        ctx = AgentContext(signal, self.plan.state.view(), self.plan.input)
        if self._is_over:
            return  # nobody speaks after the last word
        if self.is_terminating or self._is_failing:
            self._skip(name, "the workflow is failing" if self._is_failing else "the workflow is terminating", signal)
        elif agent.when is not None and not await asked("guard", name, agent.when, ctx):
            self._skip(name, "when guard returned false", signal)
        else:
            await self._activate(name, agent, ctx)

    def _skip(self, name: str, reason: str, signal: Signal) -> None:
        if signal.name == "agent:skipped":
            return  # an agent that hears everything would hear its own skipping for ever
        self._line.emit("agent:skipped", {"agent": name, "reason": reason, "trigger": signal.name}, SignalSource(name, parent=signal.id))

    async def _activate(self, name: str, agent: Agent, ctx: AgentContext) -> None:
        if self.activations == self.plan.max_activations:
            raise ActivationLimitError(self.plan.max_activations, agents_in_circle(self._line.signals, ctx.signal, name))
        self.activations += 1
        number = self._numbers[name] = self._numbers.get(name, 0) + 1
        id = activation_id(name, number)  # noqa: A001 - the word of the contract
        source = SignalSource(name, id, parent=ctx.signal.id)
        activated = self._line.emit("agent:activated", {"agent": name, "trigger": ctx.signal.name}, source)
        message = None if agent.message is None else await worded(name, agent.message, ctx)
        given = told(agent, await worded(name, agent.prompt, ctx), message, self.plan.input)
        activation = Activation(id, name, activated, SignalSource(name, id, parent=activated.id))
        self.harness_calls += 1
        self._tasks[id] = asyncio.create_task(self._speak(activation, given), name=f"{self.plan.workflow}:{id}")

    async def _speak(self, activation: Activation, given: HarnessInput) -> None:
        harness = self.plan.harness_of(activation.agent)
        ctx = RunContext(self.plan.run_id, activation.agent, activation.id)
        say = functools.partial(self._deliver, activation)
        origin = SignalSource(activation.agent, activation.id, harness.type if harness else None, activation.activated.id)
        scope = Scope(self._line, f"{activation.id}/", origin=origin, say=say, is_inside=True)
        keep = functools.partial(self._ended.__setitem__, activation.id)
        try:
            # A journal that knows the answer never asks for the work, and then there may be no harness.
            output = await scope.stream("harness", given.to_json(), lambda: speak(harness, given, ctx, say), say, keep)  # type: ignore[arg-type]
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._inbox.put(Failed(activation, error))
            if not isinstance(error, (Exception, BaseExceptionGroup)):
                raise
        else:
            self._inbox.put(Spoken(activation, output))

    def _deliver(self, activation: Activation, name: str, payload: JSON, harness: str) -> None:
        self._inbox.put(Said(activation, name, payload, harness))

    # what comes from outside

    async def _admit(self, arrival: Arrival) -> None:
        by = arrival.by
        if isinstance(arrival, Said):
            source = SignalSource(by.agent, by.id, arrival.harness or None, by.activated.id)
            self._line.emit(arrival.name, arrival.payload, source)
            return
        del self._tasks[by.id]
        if by.id in self._ended:
            self._line.journal.append(self._ended.pop(by.id))
        if isinstance(arrival, Failed):
            await self._fail(by, arrival.error)
        else:
            await self._conclude(by, arrival.output)

    async def _conclude(self, by: Activation, output: JSON) -> None:
        agent = self.plan.agents[by.agent]
        self.usages.append(usage_of(output))
        try:
            value = spoken(by.agent, agent.output_schema, output)
            changes = [] if agent.updates is None else self._update(by.agent, agent.updates, value)
        except OutputSchemaError as error:
            await self._fail(by, error)
        self.outputs[by.agent] = value
        if agent.updates is not None:
            await self._tell_changes(changes, by.agent, by.source)
        self._line.emit("agent:completed", {"agent": by.agent, "output": plain_json(value)}, by.source)
        for name in agent.emits:
            payload = plain_json(value if agent.output_schema is not None else {"agent": by.agent, "output": value})
            self._line.emit(name, payload, by.source)

    def _update(self, agent: str, field: str, value: JSON) -> list[Change]:
        try:
            return self.plan.state.set(field, value)
        except ValueError as error:
            message = f"What agent {agent!r} replied is not what the state's field {field!r} is declared as: {error}"
            raise OutputSchemaError(message, agent=agent, value=value, problems=(str(error),)) from error

    async def _fail(self, by: Activation, error: BaseException) -> NoReturn:
        self._is_failing = True
        self._line.emit("agent:failed", {"agent": by.agent, "error": briefly(error)}, by.source)
        try:
            await self._drain()
        except Exception as another:  # noqa: BLE001 - a run ends with one error, and this one came first
            error.add_note(f"Then {type(another).__name__}: {message_of(another)}")
        raise error

"""Workflows: what is refused before anything starts, and what harnesses are told."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypedDict

import pydantic
import pytest

from pytest_wfreplay.engine.result import RunResult
from pytest_wfreplay.engine.workflow import Workflow, create_workflow
from pytest_wfreplay.errors import ConfigurationError, NotJsonError
from pytest_wfreplay.harness import ToolDefinition
from pytest_wfreplay.harnesses.scripted import ScriptedHarness
from pytest_wfreplay.options import RecordingOptions
from pytest_wfreplay.pattern import Pattern
from pytest_wfreplay.signal import create_signal
from pytest_wfreplay.stores.memory import MemorySignalStore

Run = Callable[..., RunResult]


class Ticket(TypedDict):
    text: str


class Reply(pydantic.BaseModel):
    category: str = "other"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "An agent without activate_on would never speak"),
        ({"activate_on": []}, "An agent without activate_on"),
        ({"activate_on": None}, "An agent without activate_on"),
        ({"activate_on": [3]}, "Not a pattern: 3"),
        ({"activate_on": 3}, "Not a pattern: 3"),
        ({"activate_on": [{"nam": "x"}]}, "A pattern mapping has the key 'name'"),
        ({"activate_on": "x", "prompt": 3}, "A prompt is a text or a function"),
        ({"activate_on": "x", "message": 3}, "A message is a text or a function"),
        ({"activate_on": "x", "when": True}, "when is a function of the context, not bool"),
        ({"activate_on": "x", "output_schema": 3}, "A schema is a pydantic model class or a JSON schema"),
        ({"activate_on": "x", "output_schema": {"type": 3}}, "Not a JSON schema"),
        ({"activate_on": "x", "emits": [3]}, "A signal's name is a text"),
        ({"activate_on": "x", "updates": 3}, "updates is the name of a field"),
    ],
)
def test_an_agent_that_cannot_be_is_refused_when_it_is_declared(flow: Workflow, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        flow.agent(**{"prompt": "x", **options})


def test_an_unknown_option_is_pythons_own_type_error(flow: Workflow) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'activateOn'"):
        flow.agent(prompt="x", activateOn=["x"])  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'agent'"):
        flow.run_reactive(agent={})  # type: ignore[call-arg]


def _nothing(*_: Any) -> None:
    return None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"harness": None}, "Agent 'a' has no harness."),
        ({"harness": "claude"}, "The harness of agent 'a' is a str, which has no run() and type."),
        ({"agents": {"": "x"}}, "An agent's name is a text that is not blank"),
        ({"agents": {"a": "x"}}, "'a' is not an agent but str."),
        ({"agents": ["a"]}, "agents are a mapping from names to agents, not list."),
        ({"timeout": 0}, "timeout is a number of seconds above 0, not 0."),
        ({"timeout": float("nan")}, "timeout is a number of seconds above 0"),
        ({"timeout": "1"}, "timeout is a number of seconds above 0, not '1'."),
        ({"max_activations": 0}, "max_activations is at least 1, not 0."),
        ({"end_when": True}, "end_when is a function of the state, not bool."),
        ({"reducers": {3: _nothing}}, "Not a pattern: 3"),
        ({"handlers": {"x": 3}}, "The handler of 'x' is not a function but int."),
        ({"processes": [_nothing]}, "Give each process in a mapping from patterns to functions, not in a list."),
        ({"state": 3}, "A state is a dict, a dataclass instance or a pydantic model, not int."),
        ({"adapters": [object()]}, "An adapter has no name, patterns, on_start, on_signal, on_stop"),
        ({"recording": "record"}, "recording is RecordingOptions(...), not str."),
    ],
)
def test_a_run_that_cannot_be_is_refused_before_anything_starts(flow: Workflow, run: Run, options: dict[str, Any], message: str) -> None:
    harness = ScriptedHarness(["ok"])
    agents = {"a": flow.agent(prompt="x", activate_on=["workflow:start"])}
    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        run(**{"agents": agents, "harness": harness, **options})
    assert caught.value.result is None
    assert harness.calls == []


@pytest.mark.parametrize("name", ["", " ", None, 3])
def test_a_workflow_has_a_name(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="A workflow's name is a text that is not blank"):
        create_workflow(name)


def test_a_field_that_a_typed_state_lacks_is_refused() -> None:
    flow = create_workflow("support", state_type=Ticket)
    with pytest.raises(ConfigurationError, match="Agent 'a' updates 'txt', which the state does not have"):
        flow.run_reactive(agents={"a": flow.agent(prompt="x", activate_on="x", updates="txt")}, state={"text": ""}, harness=ScriptedHarness([])).send(
            None
        )


def test_an_input_that_json_cannot_carry_names_its_place(run: Run) -> None:
    with pytest.raises(NotJsonError, match=r"input\.x: JSON has no word for set"):
        run(input={"x": {1}})


def test_what_a_harness_is_told(flow: Workflow, run: Run) -> None:
    tools = [ToolDefinition("search", "Finds things.")]
    agents = {
        "plain": flow.agent(prompt="Say {{ input.n }}", activate_on="workflow:start"),
        "asked": flow.agent(prompt=lambda ctx: f"{ctx.signal.name} {ctx.state['n']}", message="Hear {{ n }}", activate_on="workflow:start"),
        "full": flow.agent(
            prompt="x", activate_on="workflow:start", tools=tools, model="m", max_tokens=5, temperature=0.0, output_schema=Reply, message=""
        ),
    }
    harness = ScriptedHarness({"plain": ["ok"], "asked": ["ok"], "full": ["{}"]})
    result = run(agents=agents, state={"n": 1}, input={"n": 2}, harness=harness)
    plain, asked, full = harness.calls
    assert (plain.system, plain.messages) == ("Say 2", [{"role": "user", "content": '{"n":2}'}])
    assert (asked.system, asked.messages) == ("workflow:start 1", [{"role": "user", "content": "Hear 1"}])
    assert full.messages == [{"role": "user", "content": ""}]
    assert (full.tools, full.model, full.max_tokens, full.temperature, full.output_schema) == (tools, "m", 5, 0.0, Reply)
    assert result.outputs["full"] == {"category": "other"}


def test_the_state_goes_nowhere_by_itself_and_text_input_goes_as_it_is(flow: Workflow, run: Run) -> None:
    harness = ScriptedHarness(["ok", "ok"])
    agents = {"a": flow.agent(prompt="x", activate_on="workflow:start")}
    run(agents=agents, state={"secret": 1}, harness=harness)
    run(agents=agents, input="money back", harness=harness)
    assert [call.messages for call in harness.calls] == [[], [{"role": "user", "content": "money back"}]]


def test_an_agents_own_harness_comes_first(flow: Workflow, run: Run) -> None:
    own = ScriptedHarness(["own"])
    agents = {"a": flow.agent(prompt="x", activate_on="workflow:start", harness=own), "b": flow.agent(prompt="x", activate_on="workflow:start")}
    assert run(agents=agents, harness=ScriptedHarness(["shared"])).outputs == {"a": "own", "b": "shared"}


def test_a_replay_does_not_even_look_at_a_harness(flow: Workflow, run: Run) -> None:
    class Untouchable:
        def __getattribute__(self, name: str) -> object:
            raise AssertionError(f"{name} was asked for")

        def __bool__(self) -> bool:
            raise AssertionError("it was weighed")

    agent = flow.agent(prompt="x", activate_on="workflow:start")
    store = MemorySignalStore()
    recorded = run(agents={"a": agent}, harness=ScriptedHarness(["ok"]), recording=RecordingOptions("record", store))
    own = flow.agent(prompt="x", activate_on="workflow:start", harness=Untouchable())  # type: ignore[arg-type]
    replayed = run(agents={"a": own}, harness=Untouchable(), recording=RecordingOptions("replay", store, recording_id=recorded.recording_id))
    assert replayed.signals == recorded.signals


def test_patterns_of_every_kind_wake_an_agent(flow: Workflow, run: Run) -> None:
    patterns: list[Any] = ["go", "g*", "**", re.compile("^go$"), {"name": "go", "payload": {"n": 1}}, Pattern("go", payload={"n": 1})]
    for pattern in patterns:
        agent = flow.agent(prompt="x", activate_on=pattern, when=lambda ctx: ctx.signal.name == "go")
        result = run(agents={"a": agent}, handlers={"workflow:start": lambda _s, _g: create_signal("go", {"n": 1, "m": 2})})
        assert result.metrics.activations == 1, pattern
    agent = flow.agent(prompt="x", activate_on={"name": "go", "payload": {"n": 2}})
    assert run(agents={"a": agent}, handlers={"workflow:start": lambda _s, _g: create_signal("go", {"n": 1})}).metrics.activations == 0


def test_one_signal_wakes_an_agent_once_however_many_of_its_patterns_match(flow: Workflow, run: Run) -> None:
    assert run(agents={"a": flow.agent(prompt="x", activate_on=["workflow:start", "workflow:*"])}).metrics.activations == 1


def test_a_run_may_be_given_its_id(run: Run) -> None:
    assert run(run_id="order-42").run_id == "order-42"
    assert re.fullmatch(r"run_[0-9a-f-]{36}", run().run_id)

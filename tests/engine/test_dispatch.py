"""One sequential dispatcher: the order of everything that a run says, and who hears it when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from pytest_wfreplay.engine.result import RunResult
from pytest_wfreplay.engine.workflow import Workflow
from pytest_wfreplay.errors import ActivationLimitError, HandlerError, NotJsonError, SignalPayloadError, TemplateError
from pytest_wfreplay.harness import HarnessInput, RunContext
from pytest_wfreplay.harnesses.function import FunctionHarness
from pytest_wfreplay.harnesses.scripted import ScriptedHarness
from pytest_wfreplay.signal import Signal, SignalSource, create_signal
from pytest_wfreplay.steps.step import step

Run = Callable[..., RunResult]
KICK = {"workflow:start": lambda _state, _signal: create_signal("kick", {"n": 1})}


def _parents(result: RunResult) -> dict[str, str | None]:
    """The name of each signal's parent, by the signal's name."""
    by_id = {signal.id: signal.name for signal in result.signals}
    return {one.name: by_id.get(one.source.parent) if one.source and one.source.parent else None for one in result.signals}


def test_the_lifecycle_of_one_activation(flow: Workflow, run: Run) -> None:
    agent = flow.agent(prompt="Say: {{ state.ticket }}", activate_on=["workflow:start"], emits=["a:said", "b:said"], updates="category")
    result = run(agents={"classify": agent}, state={"ticket": "money", "category": None}, harness=ScriptedHarness(["refund"]))
    assert result.signals.names == [
        "workflow:start",
        "agent:activated",
        "harness:start",
        "text:delta",
        "text:complete",
        "harness:end",
        "state:category:changed",
        "agent:completed",
        "a:said",
        "b:said",
        "workflow:end",
    ]
    assert [signal.payload for signal in result.signals] == [
        {"agents": ["classify"]},
        {"agent": "classify", "trigger": "workflow:start"},
        {"input": {"system": "Say: money"}},
        {"content": "refund"},
        {"content": "refund"},
        {"output": {"content": "refund", "stop_reason": "end"}},
        {"key": "category", "old_value": None, "new_value": "refund", "agent": "classify"},
        {"agent": "classify", "output": "refund"},
        {"agent": "classify", "output": "refund"},
        {"agent": "classify", "output": "refund"},
        {"activations": 1},
    ]
    own, harness = SignalSource("classify", "classify#1", None, "sig_000002"), SignalSource("classify", "classify#1", "scripted", "sig_000002")
    trigger = SignalSource("classify", "classify#1", None, "sig_000001")
    assert [signal.source for signal in result.signals] == [None, trigger, *[harness] * 4, *[own] * 4, None]
    assert [signal.id for signal in result.signals] == [f"sig_{n:06d}" for n in range(1, 12)]
    assert (result.state, result.outputs) == ({"ticket": "money", "category": "refund"}, {"classify": "refund"})


def test_a_run_without_anybody_says_its_two_words(run: Run) -> None:
    result = run(input={"a": 1})
    assert [(one.name, one.payload) for one in result.signals] == [
        ("workflow:start", {"agents": [], "input": {"a": 1}}),
        ("workflow:end", {"activations": 0}),
    ]
    assert run().signals[0].payload == {"agents": []}
    assert run(input=0).signals[0].payload == {"agents": [], "input": 0}


def test_agents_hear_each_other_in_a_chain(flow: Workflow, run: Run) -> None:
    agents = {
        "c": flow.agent(prompt="{{ signal.payload.output }}!", activate_on="b:said"),
        "b": flow.agent(prompt="{{ signal.payload.output }}?", activate_on=["a:said"], emits="b:said"),
        "a": flow.agent(prompt="go", activate_on=["workflow:*"], emits=["a:said"]),
    }
    harness = ScriptedHarness({"a": ["one"], "b": ["two"], "c": ["three"]})
    result = run(agents=agents, harness=harness)
    assert [call.system for call in harness.calls] == ["go", "one?", "two!"]
    assert result.outputs == {"a": "one", "b": "two", "c": "three"}
    assert [one.payload["agent"] for one in result.signals.filter("agent:activated")] == ["a", "b", "c"]  # type: ignore[index, call-overload]
    assert _parents(result)["b:said"] == "agent:activated"


def test_agents_side_by_side_are_activated_in_the_order_of_their_registration(flow: Workflow, run: Run) -> None:
    agents = {name: flow.agent(prompt=name, activate_on=["workflow:start"], emits=[f"{name}:said"]) for name in "zab"}

    async def slow_first(_input: HarnessInput, ctx: RunContext) -> str:
        await asyncio.sleep({"z": 0.03, "a": 0.02, "b": 0.01}[ctx.agent])
        return ctx.agent

    result = run(agents=agents, harness=ScriptedHarness(slow_first))
    names = result.signals.names
    assert [one.source.agent for one in result.signals.filter("agent:activated") if one.source] == ["z", "a", "b"]
    assert [name for name in names if name.endswith(":said")] == ["b:said", "a:said", "z:said"]
    for name in "zab":
        at = names.index(f"{name}:said")
        assert names[at - 2 : at + 1] == ["harness:end", "agent:completed", f"{name}:said"]


def test_an_agent_that_speaks_many_times_has_an_activation_for_each(flow: Workflow, run: Run) -> None:
    agent = flow.agent(prompt="{{ signal.payload }}", activate_on=["go"])
    result = run(
        agents={"writer": agent},
        handlers={"workflow:start": lambda _s, _g: [create_signal("go", n) for n in range(5)]},
        harness=ScriptedHarness(lambda told, ctx: f"{ctx.activation} {told.system}", delay=0.001),
    )
    ended = {one.source.activation: one.payload["output"]["content"] for one in result.signals.filter("harness:end") if one.source}  # type: ignore[index, call-overload]
    assert ended == {f"writer#{n + 1}": f"writer#{n + 1} {n}" for n in range(5)}
    assert result.metrics.activations == 5
    for activation in ended:
        said = [one for one in result.signals if one.source and one.source.activation == activation]
        assert [one.name for one in said][1:-1] == ["harness:start", "text:delta", "text:complete", "harness:end"]
        assert len({one.source.parent for one in said[1:] if one.source}) == 1


def test_everybody_hears_a_signal_before_the_next_one_is_looked_at(flow: Workflow, run: Run) -> None:
    heard: list[str] = []

    def hears(who: str) -> Callable[[Any, Signal], None]:
        return lambda _state, signal: heard.append(f"{who} {signal.name}")

    class Adapter:
        name = "first"
        patterns = ("x", "y")

        def on_start(self) -> None: ...

        def on_signal(self, signal: Signal) -> None:
            heard.append(f"adapter {signal.name}")

        def on_stop(self) -> None: ...

    def guard(ctx: Any) -> bool:
        heard.append(f"agent {ctx.signal.name}")
        return False

    run(
        agents={"a": flow.agent(prompt="x", activate_on=["x", "y"], when=guard)},
        processes={"*": hears("process")},
        handlers={"workflow:start": lambda _s, _g: [create_signal("x"), create_signal("y")], "x": hears("handler 1"), "*": hears("handler 2")},
        reducers={"y": hears("reducer 1"), "*": hears("reducer 2")},
        adapters=[Adapter()],
    )
    assert heard == [
        *["adapter x", "reducer 2 x", "handler 1 x", "handler 2 x", "process x", "agent x"],
        *["adapter y", "reducer 1 y", "reducer 2 y", "handler 2 y", "process y", "agent y"],
    ]


def test_reactions_may_be_sync_or_async_or_generators(run: Run) -> None:
    async def reduce(state: Any, _signal: Signal) -> None:
        await asyncio.sleep(0)
        state["reduced"] = True

    def handle(state: Any, _signal: Signal) -> Iterator[Signal]:
        state["handled"] = True
        yield create_signal("from:generator")

    async def process(_state: Any, _signal: Signal) -> AsyncIterator[Signal]:
        await asyncio.sleep(0)
        yield create_signal("from:async", 0)

    async def answer(_state: Any, _signal: Signal) -> Signal:
        return create_signal("from:coroutine", [])

    result = run(
        state={},
        reducers={"workflow:start": reduce},
        handlers={"workflow:start": handle, "from:generator": answer},
        processes={"workflow:start": process, "from:generator": lambda _s, _g: iter([create_signal("from:iterator")])},
    )
    assert result.state == {"reduced": True, "handled": True}
    assert result.signals.names[1:-1] == [
        "state:reduced:changed",
        "state:handled:changed",
        "from:generator",
        "from:async",
        "from:coroutine",
        "from:iterator",
    ]
    assert _parents(result)["from:coroutine"] == "from:generator"
    assert _parents(result)["state:handled:changed"] == "workflow:start"


def test_each_commit_says_what_it_changed_in_order_and_nothing_else(run: Run) -> None:
    def change(state: dict[str, Any], _signal: Signal) -> None:
        state["b"] = 2
        state["a"] = (1, {"x": ()})
        state["same"] = 1.0
        del state["gone"]
        state["new"] = None

    result = run(
        state={"a": 0, "b": 1, "same": 1, "gone": "x"}, reducers={"workflow:start": change}, handlers={"state:b:changed": lambda s, _: s.update(a=0)}
    )
    changes = [one.payload for one in result.signals.filter("state:**")]
    assert changes == [
        {"key": "a", "old_value": 0, "new_value": [1, {"x": []}]},
        {"key": "b", "old_value": 1, "new_value": 2},
        {"key": "new", "old_value": None, "new_value": None},
        {"key": "gone", "old_value": "x", "new_value": None},
        {"key": "a", "old_value": [1, {"x": []}], "new_value": 0},
    ]
    assert result.state == {"a": 0, "b": 2, "same": 1.0, "new": None}


@pytest.mark.parametrize(
    ("part", "options"),
    [
        ("reducer", {"reducers": {"kick": lambda state, _: (state.update(n=9), 1 / 0)}}),
        ("handler", {"handlers": {**KICK, "kick": lambda state, _: (state.update(n=9), 1 / 0)}}),
        ("process", {"processes": {"kick": lambda _s, _g: 1 / 0}}),
        ("process", {"processes": {"kick": lambda _s, _g: (1 / 0 for _ in "x")}}),
        ("guard", {"when": lambda _: 1 / 0}),
        ("prompt", {"prompt": lambda _: 1 / 0}),
        ("prompt", {"message": lambda _: 1 / 0}),
        ("end_when", {"end_when": lambda _: 1 / 0}),
    ],
)
def test_whatever_raises_ends_the_run_as_handler_error_and_its_draft_is_dropped(flow: Workflow, run: Run, part: str, options: dict[str, Any]) -> None:
    agent = flow.agent(
        activate_on=["kick"], **{"prompt": "x", **{name: options.pop(name) for name in ("when", "prompt", "message") if name in options}}
    )
    with pytest.raises(HandlerError) as caught:
        run(agents={"a": agent}, state={"n": 0}, **{"handlers": KICK, **options})
    error = caught.value
    assert (error.part, error.name) == (part, {"guard": "a", "prompt": "a", "end_when": "support"}.get(part, "kick"))
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert str(error) == f"{part} {error.name!r} raised ZeroDivisionError: division by zero"
    assert error.hint
    assert error.result.state == {"n": 0}
    assert error.result.signals[-1].name == "workflow:failed"
    assert error.result.signals[-1].payload == {"error": {"type": "HandlerError", "message": str(error)}}
    assert error.result.signals.count("workflow:**") == 2


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ("text", "it returns signals, not str"),
        ({"a": 1}, "it returns signals, not dict"),
        (3, "it returns signals, not int"),
        ([create_signal("x"), None], "it returns signals, not NoneType"),
        (Signal("sig_000001", "x", {"f": print}, ""), "payload.f: JSON has no word for builtin_function_or_method"),
        (Signal("sig_000001", "", None, ""), "A signal's name is a text that is not blank"),
    ],
)
@pytest.mark.parametrize("part", ["handler", "process"])
def test_what_is_no_signal_is_refused_by_name(run: Run, part: str, answer: Any, complaint: str) -> None:
    kind = "handlers" if part == "handler" else "processes"
    with pytest.raises(HandlerError, match=complaint.replace("'", ".")) as caught:
        run(**{kind: {"workflow:start": lambda _s, _g: answer}})
    assert (caught.value.part, caught.value.name) == (part, "workflow:start")
    assert "x" not in caught.value.result.signals


def test_a_state_that_json_cannot_carry_names_its_place(run: Run) -> None:
    with pytest.raises(NotJsonError, match=r"state\.a\.b\[0\]: JSON has no word for object"):
        run(state={"a": {"b": [object()]}})
    with pytest.raises(HandlerError, match=r"state\.x: JSON has no word for set") as caught:
        run(state={"x": 1}, reducers={"workflow:start": lambda state, _: state.update(x={1})})
    assert isinstance(caught.value.__cause__, NotJsonError)
    assert caught.value.result.state == {"x": 1}
    with pytest.raises(HandlerError, match=r"payload\[0\]") as refused:
        run(handlers={"workflow:start": lambda _s, _g: create_signal("x", [{1}])})
    assert isinstance(refused.value.__cause__, SignalPayloadError)


def test_a_reducer_that_returns_a_new_dict_is_told_that_it_would_be_lost(run: Run) -> None:
    with pytest.raises(HandlerError, match="a reducer changes the state it is given"):
        run(state={"n": 1}, reducers={"workflow:start": lambda state, _: {**state, "n": 2}})
    assert run(state={"seen": {}}, reducers={"workflow:start": lambda state, _: state.setdefault("seen", {})}).state == {"seen": {}}
    with pytest.raises(HandlerError, match="it returned another one"):
        run(state={}, reducers={"workflow:start": lambda _s, _: {"n": 2}})
    assert run(state={"seen": {"a": 1}}, reducers={"workflow:start": lambda state, _: state.pop("seen")}).state == {}


def test_a_template_that_names_nothing_names_the_hole_and_the_agent(flow: Workflow, run: Run) -> None:
    with pytest.raises(TemplateError, match="agent 'a'") as caught:
        run(agents={"a": flow.agent(prompt="{{ state.tikcet }}", activate_on=["workflow:start"])}, state={"ticket": 1})
    assert (caught.value.name, caught.value.agent, caught.value.hint) == ("tikcet", "a", "Did you mean 'ticket'?")
    assert caught.value.result.signals[-1].name == "workflow:failed"


def test_guards_decide_by_signal_state_and_input_and_skips_say_why(flow: Workflow, run: Run) -> None:
    seen: list[Any] = []

    async def guard(ctx: Any) -> bool:
        seen.append((ctx.signal.name, ctx.state["n"], ctx.input))
        with pytest.raises(TypeError, match="read-only"):
            ctx.state["n"] = 2
        return False

    result = run(agents={"a": flow.agent(prompt="x", activate_on=["workflow:start"], when=guard)}, state={"n": 1}, input="go")
    assert seen == [("workflow:start", 1, "go")]
    [skipped] = result.signals.filter("agent:skipped")
    assert skipped.payload == {"agent": "a", "reason": "when guard returned false", "trigger": "workflow:start"}
    assert skipped.source == SignalSource("a", parent="sig_000001")
    assert result.metrics.activations == 0


def test_an_agent_that_hears_everything_does_not_hear_its_own_skipping_for_ever(flow: Workflow, run: Run) -> None:
    agents = {name: flow.agent(prompt="x", activate_on=["**"], when=lambda _: False) for name in "ab"}
    assert run(agents=agents).signals.names == ["workflow:start", "agent:skipped", "agent:skipped", "workflow:end"]


def test_when_end_when_first_holds_running_agents_finish_and_later_ones_are_skipped(flow: Workflow, run: Run) -> None:
    agents = {
        "fast": flow.agent(prompt="x", activate_on=["workflow:start"], updates="done", emits=["fast:said"]),
        "slow": flow.agent(prompt="x", activate_on=["workflow:start"], emits=["slow:said"]),
        "late": flow.agent(prompt="x", activate_on=["fast:said", "slow:said"]),
    }

    async def reply(_input: HarnessInput, ctx: RunContext) -> str:
        await asyncio.sleep(0.02 if ctx.agent == "slow" else 0)
        return "yes"

    result = run(agents=agents, state={"done": None}, harness=ScriptedHarness(reply), end_when=lambda state: state["done"])
    names = result.signals.names
    at = names.index("state:done:changed")
    assert names[at : at + 4] == ["state:done:changed", "workflow:terminating", "agent:completed", "fast:said"]
    terminating = result.signals[at + 1]
    assert (terminating.payload, terminating.source) == ({"reason": "end_when holds", "agent": "fast"}, None)
    assert [one.payload["trigger"] for one in result.signals.filter("agent:skipped")] == ["fast:said", "slow:said"]  # type: ignore[index, call-overload]
    assert names[-1] == "workflow:end"
    assert names.count("workflow:terminating") == 1
    assert result.terminated_early
    assert result.outputs == {"fast": "yes", "slow": "yes"}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_end_when_may_hold_from_the_start(flow: Workflow, run: Run, asynchronous: bool) -> None:
    async def later(state: Any) -> bool:
        return bool(state["done"])

    result = run(
        agents={"a": flow.agent(prompt="x", activate_on=["**"])},
        state={"done": True},
        end_when=later if asynchronous else lambda state: state["done"],
    )
    assert result.signals.names[:2] == ["workflow:start", "workflow:terminating"]
    assert result.signals[1].payload == {"reason": "end_when holds"}
    assert "agent:activated" not in result.signals
    assert result.signals[-1].name == "workflow:end"


def test_end_when_is_asked_once_at_the_start_and_after_every_commit(run: Run) -> None:
    asked: list[int] = []

    def end_when(state: Any) -> bool:
        asked.append(state["n"])
        return False

    run(
        state={"n": 0},
        end_when=end_when,
        reducers={"workflow:start": lambda s, _: s.update(n=1), "state:n:changed": lambda s, _: s.update(n=2) if s["n"] < 2 else None},
    )
    assert asked == [0, 1, 2, 2]


def test_falsy_values_go_where_values_go(flow: Workflow, run: Run) -> None:
    for falsy in (0, False, None, [], {}, ""):
        agent = flow.agent(prompt="x", activate_on=["workflow:start"], updates="v", emits=["said"], output_schema={})
        harness = FunctionHarness(lambda _input, falsy=falsy: __import__("json").dumps(falsy))
        result = run(agents={"a": agent}, state={"v": "old"}, harness=harness)
        assert result.outputs == {"a": falsy}
        assert result.state == {"v": falsy}
        said = result.signals.first("said")
        assert said is not None
        assert said.payload == falsy
        assert type(said.payload) is type(falsy)


def test_steps_in_reactions_are_said_in_the_trace(run: Run) -> None:
    async def fetch() -> int:
        return 7

    async def handle(state: Any, _signal: Signal) -> Signal:
        state["got"] = await step.run("fetch", fetch)
        return create_signal("fetched")

    result = run(state={}, handlers={"workflow:start": handle})
    assert result.signals.names == ["workflow:start", "step:start", "step:end", "state:got:changed", "fetched", "workflow:end"]
    assert _parents(result)["step:start"] == "workflow:start"
    assert _parents(result)["step:end"] == "step:start"


def test_a_step_in_a_thread_of_a_handler_is_heard_too(run: Run) -> None:
    async def handle(_state: Any, _signal: Signal) -> None:
        await asyncio.to_thread(step.run, "work", lambda: 1)

    assert run(handlers={"workflow:start": handle}).signals.names[1:3] == ["step:start", "step:end"]


def test_a_part_of_the_read_only_state_may_go_into_a_payload(run: Run) -> None:
    result = run(
        state={"list": [{"a": 1}]},
        processes={"workflow:start": lambda state, _: create_signal("copy", {"list": state["list"]})},
        handlers={"copy": lambda state, signal: state.update(again=signal.payload["list"])},
    )
    assert result.state == {"list": [{"a": 1}], "again": [{"a": 1}]}


def test_a_heard_signal_may_be_said_again_with_a_place_of_its_own(run: Run) -> None:
    result = run(
        handlers={"workflow:start": lambda _s, _g: create_signal("x"), "x": lambda _s, signal: None if signal.id != "sig_000002" else [signal]}
    )
    assert result.signals.names == ["workflow:start", "x", "x", "workflow:end"]
    assert [one.id for one in result.signals.filter("x")] == ["sig_000002", "sig_000003"]


def test_a_run_that_fails_wakes_nobody_any_more(flow: Workflow, run: Run) -> None:
    agents = {"a": flow.agent(prompt="x", activate_on=["workflow:start"]), "nurse": flow.agent(prompt="x", activate_on=["agent:failed"])}
    heard: list[str] = []
    with pytest.raises(Exception, match="boom") as caught:
        run(
            agents=agents,
            harness=ScriptedHarness({"a": [RuntimeError("boom")]}),
            processes={"agent:failed": lambda _s, signal: heard.append(signal.name)},
        )
    assert heard == ["agent:failed"]
    assert caught.value.result.signals.names[-3:] == ["agent:failed", "agent:skipped", "workflow:failed"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["reducers", "handlers"])
def test_a_reaction_that_answers_its_own_change_is_stopped(run: Run, kind: str) -> None:
    def count(state: Any, _signal: Signal) -> None:
        state["n"] = state["n"] + 1

    with pytest.raises(ActivationLimitError, match="state:n:changed -> state:n:changed"):
        run(state={"n": 0}, max_activations=20, **{kind: {"**": count}})


def test_a_bus_of_many_listeners_doubles_nothing_for_ever(run: Run) -> None:
    """Two answers to each signal fill the memory long before the chain is deep."""
    with pytest.raises(ActivationLimitError):
        run(handlers={"**": lambda _s, _g: [create_signal("x"), create_signal("y")]}, processes={"**": lambda _s, _g: create_signal("z")})


def test_a_long_burst_is_not_a_circle(run: Run) -> None:
    result = run(
        state={"n": 0},
        max_activations=10,
        handlers={"workflow:start": lambda _s, _g: [create_signal("x", n) for n in range(500)], "x": lambda _s, _g: create_signal("y")},
        reducers={"y": lambda state, _: state.update(n=state["n"] + 1)},
    )
    assert result.state == {"n": 500}


def test_everybody_but_agents_hears_the_last_word(flow: Workflow, run: Run) -> None:
    heard: dict[str, list[str]] = {"handler": [], "process": []}
    agent = flow.agent(prompt="hi", activate_on=["workflow:start", "workflow:end"])
    result = run(
        agents={"one": agent},
        state={"names": []},
        reducers={"workflow:*": lambda state, signal: state["names"].append(signal.name)},
        handlers={"**": lambda _state, signal: heard["handler"].append(signal.name)},
        processes={"**": lambda _state, signal: heard["process"].append(signal.name)},
    )
    assert result.signals.names[-2:] == ["workflow:end", "state:names:changed"]
    assert result.state == {"names": ["workflow:start", "workflow:end"]}
    assert result.metrics.activations == 1
    assert heard["handler"] == heard["process"] == result.signals.names

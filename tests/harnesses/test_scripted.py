"""A scripted harness answers from its script, each agent from its own place."""

from __future__ import annotations

import asyncio

import pytest

from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.errors import ConfigurationError, HarnessError, ScriptExhausted
from pytest_wfreplay.harness import HarnessInput, HarnessOutput, RunContext
from pytest_wfreplay.harnesses.scripted import ScriptedHarness
from pytest_wfreplay.signal import Signal, create_signal


async def heard(harness: ScriptedHarness, agent: str = "writer", system: str = "Go.") -> list[Signal]:
    return [signal async for signal in harness.run(HarnessInput(system=system), RunContext("run", agent, f"{agent}#1"))]


def content(signals: list[Signal]) -> object:
    return signals[-1].payload["output"]["content"]  # type: ignore[index,call-overload]  # the end's shape


def test_a_list_answers_whoever_asks_in_order() -> None:
    async def scenario() -> None:
        harness = ScriptedHarness(["one", {"two": 2}, HarnessOutput("three", cost_usd=0.1)])
        assert content(await heard(harness, "a")) == "one"
        assert content(await heard(harness, "b")) == '{"two": 2}'
        assert content(await heard(harness, "a")) == "three"

    asyncio.run(scenario())


def test_a_dict_gives_each_agent_its_own_replies_whichever_asks_first() -> None:
    async def scenario() -> None:
        harness = ScriptedHarness({"a": ["a1", "a2"], "b": ["b1"]}, delay=0.001)
        first, second = await asyncio.gather(heard(harness, "b"), heard(harness, "a"))
        assert (content(first), content(second)) == ("b1", "a1")
        assert content(await heard(harness, "a")) == "a2"

    asyncio.run(scenario())


def test_a_callable_may_be_sync_or_async() -> None:
    async def later(told: HarnessInput, ctx: RunContext) -> str:
        return f"{ctx.agent}: {told.system}"

    assert content(asyncio.run(heard(ScriptedHarness(later)))) == "writer: Go."
    assert content(asyncio.run(heard(ScriptedHarness(lambda told, ctx: f"{ctx.activation}")))) == "writer#1"


def test_the_calls_are_remembered_in_order() -> None:
    async def scenario() -> None:
        harness = ScriptedHarness(["one", "two"])
        await heard(harness, system="First.")
        await heard(harness, system="Second.")
        assert [call.system for call in harness.calls] == ["First.", "Second."]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("replies", "complaint"),
    [
        ([], "no reply left for agent 'writer'"),
        ({"writer": []}, "no reply left for agent 'writer'"),
        ({"reader": ["hi"]}, "no replies for agent 'writer'; it has some for reader"),
        ({}, "no replies for agent 'writer'; it has some for nobody"),
    ],
)
def test_a_script_that_has_no_reply_says_for_whom(replies: object, complaint: str) -> None:
    with pytest.raises(ScriptExhausted, match=complaint):
        asyncio.run(heard(ScriptedHarness(replies)))  # type: ignore[arg-type]  # the table mixes the kinds


@pytest.mark.parametrize("reply", [ValueError("bad"), HarnessError("overloaded", "Later.", recoverable=True), TimeoutError])
def test_an_exception_is_raised_after_it_was_said(reply: object) -> None:
    signals: list[Signal] = []

    async def listen() -> None:
        async for signal in ScriptedHarness([reply]).run(HarnessInput(), RunContext("run")):  # type: ignore[list-item]  # the table mixes the kinds
            signals.append(signal)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(reply if isinstance(reply, type) else type(reply)):
        asyncio.run(listen())
    assert [signal.name for signal in signals] == ["harness:start", "harness:error"]


def test_an_exception_of_the_script_itself_is_one_too() -> None:
    def broken(told: HarnessInput, ctx: RunContext) -> str:
        raise LookupError(ctx.agent)

    with pytest.raises(LookupError, match="writer"):
        asyncio.run(heard(ScriptedHarness(broken)))


def test_signals_are_said_with_start_and_end_added() -> None:
    signals = asyncio.run(heard(ScriptedHarness([[create_signal("text:delta", {"content": "a"}), create_signal("text:delta", {"content": "b"})]])))
    assert [signal.name for signal in signals] == ["harness:start", "text:delta", "text:delta", "text:complete", "harness:end"]
    assert content(signals) == "ab"


def test_the_delay_lies_between_two_signals_and_can_be_cancelled() -> None:
    async def scenario() -> None:
        seen: list[str] = []

        async def listen() -> None:
            async for signal in ScriptedHarness(["hi"], delay=30).run(HarnessInput(), RunContext("run")):
                seen.append(signal.name)  # noqa: PERF401 - what came before the cancellation counts

        task = asyncio.create_task(listen())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == ["harness:start"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("replies", "complaint"),
    [
        ({"writer": "hi"}, "the replies of agent 'writer' are a list, not str"),
        ({"writer": {"a": 1}}, "the replies of agent 'writer' are a list, not dict"),
        ({"writer": [3]}, "A reply is a str"),
        ([None], "A reply is a str"),
        ("hi", "A script is a dict from agents to lists of replies, a list or a callable, not str"),
    ],
)
def test_a_script_that_is_none_is_refused_at_once(replies: object, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        ScriptedHarness(replies)  # type: ignore[arg-type]  # that is the point


def test_the_callers_lists_are_not_touched() -> None:
    replies = ["one", "two"]
    asyncio.run(heard(ScriptedHarness(replies)))
    assert replies == ["one", "two"]


@pytest.mark.parametrize("recoverable", [True, False])
def test_in_a_workflow_a_failure_that_the_harness_has_said_is_said_once(recoverable: bool) -> None:
    flow = create_workflow("failing")
    agents = {"writer": flow.agent(prompt="Go.", activate_on=["workflow:start"])}
    harness = ScriptedHarness({"writer": [HarnessError("overloaded", "Later.", recoverable=recoverable)]})
    with pytest.raises(HarnessError, match=r"Later\.") as caught:
        asyncio.run(flow.run_reactive(agents=agents, harness=harness))
    said = [signal.payload for signal in caught.value.result.signals if signal.name == "harness:error"]  # type: ignore[attr-defined]  # every error that ends a run has it
    assert said == [{"code": "overloaded", "message": "Later.", "recoverable": recoverable}]

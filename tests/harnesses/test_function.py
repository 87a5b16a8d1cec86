"""A function harness puts any function behind an agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.harness import HarnessInput, HarnessOutput, RunContext, TokenUsage
from pytest_wfreplay.harnesses.function import FunctionHarness
from pytest_wfreplay.signal import Signal, create_signal

SCHEMA = {"type": "object", "properties": {"content": {"type": "string"}}}


async def _heard(fn: Callable[[HarnessInput], object], told: HarnessInput) -> list[Signal]:
    return [signal async for signal in FunctionHarness(fn).run(told, RunContext("run"))]


def heard(fn: Callable[[HarnessInput], object], told: HarnessInput | None = None) -> list[Signal]:
    return asyncio.run(_heard(fn, told or HarnessInput(system="Go.")))


def output(signals: list[Signal]) -> dict[str, object]:
    return signals[-1].payload["output"]  # type: ignore[index,call-overload,return-value]  # the end's shape


async def _later(told: HarnessInput) -> str:
    return f"later: {told.system}"


def _words(told: HarnessInput) -> Iterator[str]:
    yield "a "
    yield "b"


async def _signals(told: HarnessInput) -> AsyncIterator[object]:
    yield create_signal("thinking:delta", {"content": "hm"})
    yield "a"
    yield create_signal("tool:call", {"id": "t", "name": "n", "input": {}})


@pytest.mark.parametrize(
    ("fn", "content", "names"),
    [
        (lambda told: f"now: {told.system}", "now: Go.", ["text:delta", "text:complete"]),
        (_later, "later: Go.", ["text:delta", "text:complete"]),
        (lambda told: HarnessOutput("whole"), "whole", ["text:delta", "text:complete"]),
        (_words, "a b", ["text:delta", "text:delta", "text:complete"]),
        (_signals, "a", ["thinking:delta", "text:delta", "tool:call", "thinking:complete", "text:complete"]),
    ],
)
def test_it_answers_what_the_function_gives(fn: Callable[[HarnessInput], object], content: str, names: list[str]) -> None:
    signals = heard(fn)
    assert [signal.name for signal in signals] == ["harness:start", *names, "harness:end"]
    assert signals[0].payload == {"input": {"system": "Go."}}
    assert output(signals)["content"] == content


def test_a_generator_that_asks_for_a_tool_stops_for_it() -> None:
    assert output(heard(_signals))["stop_reason"] == "tool_use"


def test_chunks_are_passed_on_as_they_come() -> None:
    async def scenario() -> None:
        going_on = asyncio.Event()

        async def slow(told: HarnessInput) -> AsyncIterator[str]:
            yield "first"
            await going_on.wait()
            yield "second"

        names = []
        async for signal in FunctionHarness(slow).run(HarnessInput(), RunContext("run")):
            names.append(signal.name)
            if signal.name == "text:delta":
                going_on.set()
        assert names == ["harness:start", "text:delta", "text:delta", "text:complete", "harness:end"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("reply", "schema", "structured"),
    [
        ({"category": "billing"}, None, {"category": "billing"}),
        ({}, None, {}),
        ({"content": "hi", "usage": {"input_tokens": 1, "output_tokens": 2}}, None, None),
        ({"content": "hi"}, SCHEMA, {"content": "hi"}),
        ({"content": "x", "structured_output": {"content": "hi"}}, SCHEMA, {"content": "hi"}),
        ({"content": "hi", "more": 1}, None, {"content": "hi", "more": 1}),
    ],
)
def test_a_dict_is_an_output_if_it_looks_like_one_and_else_the_structured_value(reply: object, schema: object, structured: object) -> None:
    assert output(heard(lambda told: reply, HarnessInput(output_schema=schema))).get("structured_output") == structured


def test_usage_and_cost_reach_the_end() -> None:
    said = output(heard(lambda told: HarnessOutput("hi", usage=TokenUsage(1, 2), cost_usd=0.5)))
    assert (said["usage"], said["cost_usd"]) == ({"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}, 0.5)


def _breaks(told: HarnessInput) -> Iterator[str]:
    yield "half"
    raise ValueError("broken")


def test_what_it_raises_is_said_and_raised() -> None:
    signals: list[Signal] = []

    async def listen() -> None:
        async for signal in FunctionHarness(_breaks).run(HarnessInput(), RunContext("run")):
            signals.append(signal)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(listen())
    assert [signal.name for signal in signals] == ["harness:start", "text:delta", "harness:error"]
    assert signals[-1].payload == {"code": "ValueError", "message": "broken", "recoverable": False}


@pytest.mark.parametrize("asynchronous", [True, False])
def test_closing_the_run_closes_the_generator(asynchronous: bool) -> None:
    closed: list[bool] = []

    async def endless(told: HarnessInput) -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
        finally:
            closed.append(True)

    def endless_too(told: HarnessInput) -> Iterator[str]:
        try:
            while True:
                yield "x"
        finally:
            closed.append(True)

    async def scenario() -> None:
        signals = FunctionHarness(endless if asynchronous else endless_too).run(HarnessInput(), RunContext("run"))
        await anext(signals)
        await anext(signals)
        await signals.aclose()  # type: ignore[attr-defined]  # an async generator is what it is
        assert closed == [True]

    asyncio.run(scenario())


def test_a_chunk_that_is_neither_text_nor_a_signal_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="A generator yields text chunks or signals, not int"):
        heard(lambda told: (number for number in [1]))


def test_it_needs_a_function() -> None:
    with pytest.raises(ConfigurationError, match="asks a function, not str"):
        FunctionHarness("hi")  # type: ignore[arg-type]  # that is the point

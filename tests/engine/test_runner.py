"""Runs that end otherwise: failures, timeouts, cancellation; each ends with one error, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from pytest_wfreplay.engine.result import RunResult
from pytest_wfreplay.engine.workflow import Workflow
from pytest_wfreplay.errors import HandlerError, HarnessError, OutputSchemaError, ScriptExhausted, WorkflowTimeoutError
from pytest_wfreplay.harness import HarnessCapabilities, HarnessInput, RunContext
from pytest_wfreplay.harnesses.scripted import ScriptedHarness
from pytest_wfreplay.signal import Signal, create_signal

Run = Callable[..., RunResult]
Settle = Callable[[Callable[[], Any]], Any]
START = create_signal("harness:start", {"input": {}})
END = create_signal("harness:end", {"output": {"content": "done"}})


class Harness:
    """Runs an async generator function, and remembers how it ended."""

    type = "odd"
    display_name = "Odd"
    capabilities = HarnessCapabilities()

    def __init__(self, speak: Callable[[], AsyncIterator[Signal]]) -> None:
        self._speak = speak
        self.endings: list[str] = []

    async def run(self, input: HarnessInput, ctx: RunContext) -> AsyncIterator[Signal]:
        try:
            async for signal in self._speak():
                yield signal
            self.endings.append("finished")
        except asyncio.CancelledError:
            self.endings.append(f"{ctx.agent} cancelled")
            raise


async def _never() -> AsyncIterator[Signal]:
    yield START
    await asyncio.Event().wait()
    yield END


async def _before() -> AsyncIterator[Signal]:
    raise RuntimeError("boom")
    yield START


async def _during() -> AsyncIterator[Signal]:
    yield START
    yield create_signal("text:delta", {"content": "ha"})
    raise RuntimeError("boom")


async def _after() -> AsyncIterator[Signal]:
    yield START
    yield END
    raise RuntimeError("boom")


def _failed(flow: Workflow, run: Run, speak: Callable[[], AsyncIterator[Signal]], **options: Any) -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        run(agents={"a": flow.agent(prompt="x", activate_on=["workflow:start"])}, harness=Harness(speak), **options)
    return caught.value


@pytest.mark.parametrize(
    ("speak", "said"),
    [(_before, []), (_during, ["harness:start", "text:delta"]), (_after, ["harness:start", "harness:end"])],
    ids=["before", "during", "after"],
)
def test_a_harness_that_raises(flow: Workflow, run: Run, speak: Any, said: list[str]) -> None:
    error = _failed(flow, run, speak, state={"n": 1})
    assert (error.code, error.message, error.recoverable, str(error)) == ("RuntimeError", "boom", False, "boom")
    assert isinstance(error.__cause__, RuntimeError)
    result = error.result
    assert result.signals.names == ["workflow:start", "agent:activated", *said, "harness:error", "agent:failed", "workflow:failed"]
    assert [one.payload for one in result.signals[-3:]] == [
        {"code": "RuntimeError", "message": "boom", "recoverable": False},
        {"agent": "a", "error": {"type": "HarnessError", "message": "boom"}},
        {"error": {"type": "HarnessError", "message": "boom"}},
    ]
    assert result.signals[-3].source == result.signals[-2].source.__class__("a", "a#1", "odd", "sig_000002")
    assert result.signals[-1].source is None
    assert result.state == {"n": 1}
    assert result.metrics.harness_calls == 1


@pytest.mark.parametrize("recoverable", [True, False])
def test_a_harness_error_that_is_not_recoverable_fails_the_agent_when_the_stream_ends(flow: Workflow, run: Run, recoverable: bool) -> None:
    async def speak() -> AsyncIterator[Signal]:
        yield START
        yield create_signal("harness:error", {"code": "overloaded", "message": "Busy.", "recoverable": recoverable})
        yield create_signal("text:delta", {"content": "still here"})
        yield END

    agents = {"a": flow.agent(prompt="x", activate_on=["workflow:start"])}
    if recoverable:
        assert run(agents=agents, harness=Harness(speak)).outputs == {"a": "done"}
        return
    error = _failed(flow, run, speak)
    assert (error.code, str(error)) == ("overloaded", "Busy.")
    assert error.result.signals.names[3:] == ["harness:error", "text:delta", "harness:end", "agent:failed", "workflow:failed"]
    assert error.result.outputs == {}


def _plain(_input: HarnessInput, _ctx: RunContext) -> Any:
    raise ValueError("not even a generator")


async def _coroutine(_input: HarnessInput, _ctx: RunContext) -> AsyncIterator[Signal]:
    async def said() -> AsyncIterator[Signal]:
        yield START
        yield END

    return said()


def test_a_harness_may_fail_before_it_gives_a_stream_or_give_it_late(flow: Workflow, run: Run) -> None:
    harness = Harness(_never)
    agents = {"a": flow.agent(prompt="x", activate_on=["workflow:start"])}
    harness.run = _plain  # type: ignore[method-assign]
    with pytest.raises(HarnessError, match="not even a generator") as caught:
        run(agents=agents, harness=harness)
    assert caught.value.code == "ValueError"
    harness.run = _coroutine  # type: ignore[method-assign, assignment]
    assert run(agents=agents, harness=harness).outputs == {"a": "done"}


async def _no_end() -> AsyncIterator[Signal]:
    yield START


async def _text() -> AsyncIterator[Any]:
    yield "text"


async def _unserialisable() -> AsyncIterator[Signal]:
    yield Signal("sig_000001", "tool:call", {"input": {"f": print}}, "")


async def _odd_end() -> AsyncIterator[Signal]:
    yield create_signal("harness:end", {"content": "x"})


async def _cancelled_within() -> AsyncIterator[Signal]:
    yield START
    raise asyncio.CancelledError


async def _group() -> AsyncIterator[Signal]:
    yield START
    raise ExceptionGroup("several", [ValueError("a"), KeyError("b")])


@pytest.mark.parametrize(
    ("speak", "code", "message"),
    [
        (_no_end, "no_end", "The harness ended without harness:end."),
        (_text, "TypeError", "A harness yields signals, not str."),
        (_unserialisable, "NotJsonError", "payload of tool:call.input.f: JSON has no word for builtin_function_or_method"),
        (_odd_end, "TypeError", "The payload of harness:end is {'output': {…}}."),
        (_cancelled_within, "CancelledError", "The harness was cancelled from within."),
        (_group, "ExceptionGroup", "several (2 sub-exceptions)"),
    ],
)
def test_a_harness_that_is_not_what_it_should_be_is_one_clear_error(flow: Workflow, run: Run, speak: Any, code: str, message: str) -> None:
    error = _failed(flow, run, speak)
    assert (error.code, str(error)) == (code, message)
    assert error.result.signals.names[-3:] == ["harness:error", "agent:failed", "workflow:failed"]


def test_a_base_exception_group_does_not_hang_the_run(flow: Workflow, run: Run) -> None:
    async def speak() -> AsyncIterator[Signal]:
        yield START
        raise BaseExceptionGroup("several", [asyncio.CancelledError(), ValueError("a")])

    with pytest.raises(BaseExceptionGroup) as caught:
        run(agents={"a": flow.agent(prompt="x", activate_on=["workflow:start"])}, harness=Harness(speak))
    assert caught.value.result.signals[-1].name == "workflow:failed"  # type: ignore[attr-defined]


def test_script_exhausted_is_a_harness_error(flow: Workflow, run: Run) -> None:
    with pytest.raises(ScriptExhausted, match="no reply left for agent 'a'") as caught:
        run(agents={"a": flow.agent(prompt="x", activate_on=["workflow:start"])}, harness=ScriptedHarness([]))
    assert caught.value.result.signals.names[-3:] == ["harness:error", "agent:failed", "workflow:failed"]


def test_one_failure_cancels_the_siblings_and_there_is_one_error(flow: Workflow, run: Run) -> None:
    slow = Harness(_never)
    agents = {
        "slow": flow.agent(prompt="x", activate_on=["workflow:start"], harness=slow),
        "slower": flow.agent(prompt="x", activate_on=["workflow:start"], harness=slow),
        "bad": flow.agent(prompt="x", activate_on=["workflow:start"], harness=Harness(_during)),
        "worse": flow.agent(prompt="x", activate_on=["workflow:start"], harness=Harness(_during)),
    }
    with pytest.raises(HarnessError, match="boom") as caught:
        run(agents=agents)
    assert slow.endings == ["slow cancelled", "slower cancelled"]
    assert caught.value.result.signals.count("agent:failed") == 1
    assert caught.value.result.signals.count("workflow:failed") == 1


def test_a_handler_that_raises_while_the_run_fails_is_a_note_on_the_first_error(flow: Workflow, run: Run) -> None:
    error = _failed(flow, run, _during, handlers={"agent:failed": lambda _s, _g: 1 / 0})
    assert isinstance(error.__cause__, RuntimeError)
    assert any("ZeroDivisionError" in note for note in error.__notes__)


@pytest.mark.parametrize("reply", ["no json here", '{"category": 3}', '{"category": NaN}', '{"category": "\\ud800"}'])
def test_a_reply_that_misses_its_schema_fails_the_agent(flow: Workflow, run: Run, reply: str) -> None:
    schema = {"type": "object", "properties": {"category": {"type": "string"}}, "required": ["category"]}
    agent = flow.agent(prompt="x", activate_on=["workflow:start"], output_schema=schema, updates="category", emits=["said"])
    with pytest.raises(OutputSchemaError, match="Agent 'a'") as caught:
        run(agents={"a": agent}, harness=ScriptedHarness([reply]), state={"category": 0})
    assert caught.value.result.signals.names[-3:] == ["harness:end", "agent:failed", "workflow:failed"]
    assert caught.value.result.state == {"category": 0}


def test_a_harness_that_never_ends_is_cancelled_by_the_timeout(flow: Workflow, run: Run) -> None:
    harness = Harness(_never)
    with pytest.raises(WorkflowTimeoutError) as caught:
        run(agents={"a": flow.agent(prompt="x", activate_on=["workflow:start"])}, harness=harness, timeout=0.05, state={"n": 1})
    error = caught.value
    assert isinstance(error, TimeoutError)
    assert error.timeout == 0.05
    assert 0.04 < error.elapsed < 5
    assert harness.endings == ["a cancelled"]
    assert error.result.signals.names == ["workflow:start", "agent:activated", "harness:start", "workflow:timeout"]
    assert error.result.signals[-1].payload == {"timeout": 0.05}
    assert error.result.state == {"n": 1}


def test_a_handler_that_never_ends_is_cancelled_by_the_timeout_and_its_draft_dropped(run: Run) -> None:
    async def handle(state: Any, _signal: Signal) -> None:
        state["n"] = 2
        await asyncio.Event().wait()

    with pytest.raises(WorkflowTimeoutError) as caught:
        run(handlers={"workflow:start": handle}, timeout=0.05, state={"n": 1})
    assert caught.value.result.state == {"n": 1}


def test_a_run_that_ends_in_time_leaves_no_timer(flow: Workflow, run: Run) -> None:
    assert run(agents={"a": flow.agent(prompt="x", activate_on=["workflow:start"])}, timeout=60).outputs == {"a": "ok"}


@pytest.mark.parametrize("where", ["harness", "handler"])
def test_cancelling_the_task_cancels_what_it_does_and_ends_with_cancelled(flow: Workflow, settle: Settle, where: str) -> None:
    harness = Harness(_never)
    agents = {"a": flow.agent(prompt="x", activate_on=["workflow:start"])} if where == "harness" else {}

    async def handle(_state: Any, _signal: Signal) -> None:
        await asyncio.Event().wait()

    async def cancelled() -> BaseException:
        task = asyncio.ensure_future(flow.run_reactive(agents=agents, harness=harness, handlers={} if agents else {"workflow:start": handle}))
        await asyncio.sleep(0.02)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError as error:
            assert task.cancelled()
            return error
        raise AssertionError

    error = settle(cancelled)
    assert error.result.signals[-1].name == "workflow:cancelled"
    assert error.result.signals[-1].payload == {}
    assert harness.endings == (["a cancelled"] if agents else [])


def test_a_handler_that_is_cancelled_from_within_is_a_handler_error(run: Run) -> None:
    async def handle(_state: Any, _signal: Signal) -> None:
        raise asyncio.CancelledError

    with pytest.raises(HandlerError):
        run(handlers={"workflow:start": handle})


def test_a_keyboard_interrupt_is_one(run: Run) -> None:
    def interrupt(_state: Any, _signal: Signal) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(handlers={"workflow:start": interrupt})


def test_the_callers_state_is_never_touched_and_the_result_is_detached(flow: Workflow, run: Run) -> None:
    state = {"list": [1]}
    result = run(state=state, handlers={"workflow:start": lambda s, _: s["list"].append(2)})
    assert state == {"list": [1]}
    assert result.state == {"list": [1, 2]}
    result.state["list"].append(3)
    assert result.signals.last("state:list:changed").payload == {"key": "list", "old_value": [1], "new_value": [1, 2]}  # type: ignore[union-attr]


def test_signals_cost_the_same_however_many_there_are(flow: Workflow, settle: Settle) -> None:
    """Counted, not timed: how often the state and the patterns are looked at does not grow with the trace."""

    async def many() -> AsyncIterator[Signal]:
        yield START
        delta = create_signal("text:delta", {"content": "x"})
        for _ in range(20_000):
            yield delta
        yield END

    agent = flow.agent(prompt="x", activate_on=["workflow:start"])
    result = settle(lambda: flow.run_reactive(agents={"a": agent}, harness=Harness(many)))
    assert result.signals.count("text:delta") == 20_000
    assert result.signals[-1].id == "sig_020006"


def test_the_last_word_of_a_failed_call_and_its_failure_arrive_together(flow: Workflow, run: Run) -> None:
    """Nobody else is heard between the two, so that a replay needs no more than the order of what was said."""
    agents = {name: flow.agent(prompt="x", activate_on=["workflow:start"]) for name in "ab"}
    with pytest.raises(HarnessError) as caught:
        run(agents=agents, harness=ScriptedHarness({"a": [RuntimeError("boom")], "b": ["reply"]}, delay=0.01))
    names = caught.value.result.signals.names
    assert names[names.index("harness:error") + 1] == "agent:failed"
    assert names.count("harness:error") == 1

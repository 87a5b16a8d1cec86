"""The public API as mypy sees it: checked by `tox -e types`, never run. A `type: ignore` here is a mistake that mypy must find."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import assert_type

import pytest_wfreplay
from pytest_wfreplay import (
    Agent,
    CassetteMissing,
    DivergenceError,
    FileSignalStore,
    FunctionHarness,
    Harness,
    HarnessInput,
    MemorySignalStore,
    Pattern,
    Player,
    Recording,
    RecordingOptions,
    RecordingQuery,
    RunContext,
    RunResult,
    ScriptedHarness,
    Signal,
    SignalSource,
    SignalStore,
    Trace,
    Workflow,
    create_signal,
    create_workflow,
    expect,
    is_signal,
    resolve_harness,
    step,
)


def signals(trace: Trace, found: object) -> None:
    signal = create_signal("ticket:opened", {"id": 7}, SignalSource(agent="classify"))
    assert_type(signal, Signal)
    assert_type(signal.id, str)
    signal.name = "other"  # type: ignore[misc]  # signals are frozen
    if is_signal(found):
        assert_type(found, Signal)
    assert_type(trace[0], Signal)
    assert_type(trace[1:], Trace)
    assert_type(trace.names, list[str])
    assert_type(trace.filter("agent:*"), Trace)
    assert_type(trace.first(Pattern("agent:*", payload={"agent": "writer"})), Signal | None)
    assert_type(trace.summary(), dict[str, int])


async def workflows(harness: Harness) -> None:
    flow = create_workflow("support")
    assert_type(flow, Workflow)
    classify = flow.agent(
        prompt="Classify: {{ ticket }}", activate_on=["workflow:start"], updates="category", when=lambda ctx: ctx.signal is not None
    )
    assert_type(classify, Agent)
    flow.agent(prompt="x", activate_on=["workflow:start"], colour="red")  # type: ignore[call-arg]  # no such option
    result = await flow.run_reactive(agents={"classify": classify}, state={"ticket": "x"}, harness=harness, timeout=30.0)
    assert_type(result, RunResult)
    assert_type(result.signals, Trace)
    assert_type(result.metrics.tokens.total, int)


class Echo:
    """A third party's harness needs no base class."""

    type = "echo"
    display_name = "Echo"
    capabilities = pytest_wfreplay.HarnessCapabilities(streaming=True, structured_output=False, tools=False, resume=False)

    async def run(self, input: HarnessInput, ctx: RunContext) -> AsyncIterator[Signal]:
        yield create_signal("harness:start", {"input": {}})
        yield create_signal("harness:end", {"output": {"content": f"{ctx.agent}: {input.system}"}})


def harnesses() -> list[Harness]:
    resolve_harness("claude", model="a-model")
    return [Echo(), ScriptedHarness(["a reply"]), FunctionHarness(lambda given: given.system)]


async def stores() -> None:
    shelves: list[SignalStore] = [MemorySignalStore(), FileSignalStore("cassettes")]
    recording = await shelves[0].load("rec_1")
    assert_type(recording, Recording | None)
    assert_type(await shelves[1].exists("rec_1"), bool)
    await shelves[1].list(RecordingQuery(name="newsroom", limit=1))
    RecordingOptions(mode="record", store=shelves[0], name="newsroom", tags=("nightly",))
    RecordingOptions(mode="recrod")  # type: ignore[arg-type]  # no such mode
    if recording is not None:
        assert_type(Player(recording).step(), Signal | None)


@step
def load_user(user_id: int) -> dict[str, int]:
    return {"id": user_id}


@step(key="load-posts")
async def load_posts(user_id: int) -> list[str]:
    return [str(user_id)]


async def steps(count: Callable[[], int], fetch: Callable[[int], Awaitable[bytes]]) -> None:
    assert_type(load_user(7), dict[str, int])
    assert_type(await load_posts(7), list[str])
    load_user("seven")  # type: ignore[arg-type]  # a step keeps its function's parameters
    assert_type(step.run("count", count), int)
    assert_type(await step.run("fetch", fetch, input=7), bytes)


def expectations(result: RunResult) -> None:
    expect(result).to_contain_signal("agent:completed", {"agent": "answer"}).not_to_contain_signal("harness:error")
    expect(result.signals).to_have_signal_count("agent:*", at_least=1)


def errors() -> None:
    try:
        load_user(7)
    except CassetteMissing as missing:
        assert_type(missing.path, str)
    except DivergenceError as divergence:
        assert_type(divergence.divergences[0].kind, str)


pytest_wfreplay.creat_workflow("support")  # type: ignore[attr-defined]  # a misspelled name is found, though the face is lazy

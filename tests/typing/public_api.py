"""The public API as mypy sees it: checked by `tox -e types`, never run. A `type: ignore` here is a mistake that mypy must find."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import assert_type

import pytest_wfreplay
from pytest_wfreplay import (
    Agent,
    AnthropicHarness,
    CassetteMissing,
    Checkpoint,
    ConfigurationError,
    DivergenceError,
    Entry,
    FileSignalStore,
    FunctionHarness,
    Harness,
    HarnessError,
    HarnessInput,
    HarnessOutput,
    Lease,
    MemorySignalStore,
    NotJsonError,
    Page,
    Pattern,
    Player,
    Recording,
    RecordingMetadata,
    RecordingOptions,
    RecordingQuery,
    ResumeState,
    RunContext,
    RunResult,
    ScriptedHarness,
    Signal,
    SignalAdapter,
    SignalSource,
    SignalStore,
    SnapshotStore,
    Store,
    TokenUsage,
    ToolCall,
    Trace,
    WfreplayError,
    Workflow,
    WorkflowSnapshot,
    WorkflowTimeoutError,
    create_signal,
    create_workflow,
    define_signal,
    expect,
    is_signal,
    logging_adapter,
    open_store,
    register_codec,
    resolve_harness,
    sqlite,
    step,
    terminal_adapter,
)
from pytest_wfreplay.engine.body import RunScope
from pytest_wfreplay.plugin.facade import Wfreplay


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
    assert_type(trace.last(re.compile("^agent:")), Signal | None)
    assert_type(trace.count({"name": "**", "payload": {"agent": "writer"}}), int)
    assert_type(trace.for_agent("writer").causes("sig_000002").children("sig_000001"), Trace)
    assert_type(trace.tree(), str)
    assert_type("agent:*" in trace, bool)
    assert_type([one.name for one in trace], list[str])
    trace.append(signal)  # type: ignore[attr-defined]  # traces are immutable
    opened = define_signal("ticket:opened", {"type": "object"})
    assert_type(opened.create({"id": 7}), Signal)
    assert_type(opened.is_(found, validate_payload=True), bool)


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
    assert_type(result.metrics.cost_usd, float)
    assert_type(result.terminated_early, bool)
    assert_type(result.recording_id, str | None)
    adapters: list[SignalAdapter] = [terminal_adapter(), logging_adapter()]
    await flow.run_reactive(
        agents={"classify": classify},
        harness=harness,
        end_when=lambda state: state["done"],
        reducers={"ticket:*": reduce, re.compile("x"): reduce},
        processes={"workflow:start": process},
        adapters=adapters,
        max_activations=10,
    )
    await flow.run_reactive(agents=[classify], harness=harness)  # type: ignore[arg-type]  # agents have names
    await flow.run_reactive({"classify": classify})  # type: ignore[call-arg]  # keywords only


def reduce(state: dict[str, int], signal: Signal) -> None:
    state["heard"] += len(signal.name)


async def process(state: Mapping[str, int], signal: Signal) -> list[Signal]:
    return [create_signal("heard", {"name": signal.name, "times": state["heard"]})]


async def body(ctx: RunScope) -> dict[str, object]:
    user = await ctx.step("fetch-user", load_posts, 7, key="user:7", retries=2, timeout=1.5)
    assert_type(ctx.emit("greeted", {"user": user}), Signal)
    assert_type(ctx.now(), dt.datetime)
    assert_type(ctx.new_id(), str)
    assert_type(ctx.random(), float)
    await ctx.sleep(0.1)
    await ctx.child(create_workflow("child"), body)
    return {"user": user}


async def functions() -> None:
    await create_workflow("signup", deps={"fetch": load_posts}).run(body, recording=RecordingOptions("live"))


class Echo:
    """A third party's harness needs no base class."""

    type = "echo"
    display_name = "Echo"
    capabilities = pytest_wfreplay.HarnessCapabilities(streaming=True, structured_output=False, tools=False, resume=False)

    async def run(self, input: HarnessInput, ctx: RunContext) -> AsyncIterator[Signal]:
        yield create_signal("harness:start", {"input": {}})
        yield create_signal("harness:end", {"output": {"content": f"{ctx.agent}: {input.system}"}})


def harnesses() -> list[Harness]:
    assert_type(resolve_harness("anthropic", model="a-model"), Harness)
    usage = TokenUsage(input_tokens=3, output_tokens=4)
    output = HarnessOutput(content="hello", tool_calls=[ToolCall("call_1", "look", {"at": 1})], usage=usage, stop_reason="end")
    HarnessOutput(stop_reason="stop")  # type: ignore[arg-type]  # no such reason
    scripted = ScriptedHarness({"classify": ["text", {"structured": 1}, output, ValueError("no"), [create_signal("text:delta", {"content": "x"})]]})
    assert_type(scripted.calls, list[HarnessInput])
    return [Echo(), scripted, ScriptedHarness(["a reply"], delay=0.1), FunctionHarness(lambda given: given.system), AnthropicHarness(api_key="x")]


async def stores() -> None:
    shelves: list[SignalStore] = [MemorySignalStore(), FileSignalStore("cassettes")]
    recording = await shelves[0].load("rec_1")
    assert_type(recording, Recording | None)
    assert_type(await shelves[1].exists("rec_1"), bool)
    await shelves[1].list(RecordingQuery(name="newsroom", limit=1))
    RecordingOptions(mode="record", store=shelves[0], name="newsroom", tags=("nightly",))
    RecordingOptions(mode="recrod")  # type: ignore[arg-type]  # no such mode
    if recording is not None:
        recordings(recording)


def recordings(recording: Recording) -> None:
    assert_type(recording.metadata, RecordingMetadata)
    assert_type(recording.metadata.duration_ms, float | None)
    assert_type(recording.signals, Trace)
    assert_type(list(recording.entries), list[Entry])
    player = Player(recording, checkpoints=[Checkpoint("opened", 3, "2026-11-20T10:00:00.000Z")])
    assert_type(player.step(), Signal | None)
    assert_type(player.goto_checkpoint("opened"), bool)
    assert_type(player.find_all("tool:*"), list[tuple[int, Signal]])
    assert_type(player.snapshot.text, str)
    assert_type(player.position.index, int)


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
    assert_type(step.now(), dt.datetime)
    assert_type(step.new_id(), str)
    assert_type(step.random(), float)
    await step.sleep(0.1)
    register_codec(complex, "complex", lambda number: [number.real, number.imag], lambda parts: complex(*parts))


def expectations(result: RunResult) -> None:
    expect(result).to_contain_signal("agent:completed", {"agent": "answer"}).not_to_contain_signal("harness:error")
    expect(result.signals).to_have_signal_count("agent:*", at_least=1)
    expect(result).to_have_state({"reply": "x"}).to_have_latency_under(100).to_cost_under(0.01).to_have_tokens_under(1000)
    expect(result).to_have_signals_in_order(["a", {"name": "b"}, Pattern("c")], strict=True).to_have_signal_with_payload("d", None)
    expect(result).to_contain("a")  # type: ignore[attr-defined]  # no such assertion


def fixture(wfreplay: Wfreplay) -> None:
    assert_type(wfreplay.run(create_workflow("support").run_reactive(agents={})), RunResult)
    assert_type(wfreplay.run(lambda: 3), int)
    assert_type(wfreplay.mode, str)
    assert_type(wfreplay.cassette, Path)
    assert_type(wfreplay.recordings, list[Recording])
    assert_type(wfreplay.now(), dt.datetime)
    wfreplay.add_redactor("customer-[0-9]+")
    wfreplay.add_redactor(str.lower, replacement="[customer]")
    wfreplay.ignore("state.updated_at", "signals[text:delta]")


async def opened_stores(entry: Entry) -> None:
    async with open_store("sqlite:///state.db") as store:
        assert_type(store, Store)
        assert_type(store.recordings, SignalStore)
        assert_type(store.snapshots, SnapshotStore)
        assert_type(await store.snapshots.append("run", entry, token=7), Entry)
        assert_type(await store.snapshots.append("run", {"key": "k"}), Entry)
        assert_type(await store.snapshots.load("run"), ResumeState | WorkflowSnapshot | None)
        assert_type(await store.snapshots.list(prefix="tenant/", limit=10), Page)
        assert_type(await store.snapshots.acquire("run", "me"), Lease | None)
        await store.snapshots.save("run", ResumeState())
    assert_type(sqlite(Path("state.db")), Store)


def errors() -> None:
    try:
        load_user(7)
    except CassetteMissing as missing:
        assert_type(missing.path, str)
    except DivergenceError as divergence:
        assert_type(divergence.divergences[0].kind, str)
    except HarnessError as failed:
        assert_type((failed.code, failed.message, failed.recoverable), tuple[str, str, bool])
    except WorkflowTimeoutError as late:
        also: TimeoutError = late
        assert_type(late.elapsed, float)
        print(also)
    except NotJsonError as refused:
        assert_type(refused.path, str)
    except (ConfigurationError, WfreplayError) as error:
        assert_type(error.hint, str)


pytest_wfreplay.creat_workflow("support")  # type: ignore[attr-defined]  # a misspelled name is found, though the face is lazy

"""Function workflows: every touch of the outside world is a step of the context."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from pytest_wfreplay.engine.workflow import Workflow, create_workflow
from pytest_wfreplay.errors import ConfigurationError, NotJsonError, SignalPayloadError, StepFailed, StepInputMismatchError, StepTimeoutError
from pytest_wfreplay.harnesses.scripted import ScriptedHarness
from pytest_wfreplay.steps.effort import pause
from pytest_wfreplay.steps.step import step

Settle = Callable[[Callable[[], Any]], Any]


@pytest.fixture
def ask(flow: Workflow, settle: Settle) -> Callable[[Any], Any]:
    return lambda body: settle(lambda: flow.run(body))


def _signals(ask: Callable[[Any], Any], body: Any) -> Any:
    """The trace of a function workflow: that of the error with which it ends."""

    async def failing(ctx: Any) -> None:
        await body(ctx)
        raise LookupError

    with pytest.raises(LookupError) as caught:
        ask(failing)
    return caught.value.result.signals  # type: ignore[attr-defined]


def test_a_body_calls_steps_sync_and_async_and_finds_its_deps(settle: Settle) -> None:
    async def fetch(id: str) -> dict[str, Any]:
        return {"id": id, "tags": ("a",)}

    flow = create_workflow("users", deps={"fetch": fetch})

    async def body(ctx: Any) -> Any:
        user = await ctx.step("fetch-user", ctx.deps["fetch"], "1")
        return {"user": user, "count": await ctx.step("count", len, "abc"), "when": dt.date(2026, 1, 1), "pair": (1, 2)}

    value = settle(lambda: flow.run(body))
    assert value == {"user": {"id": "1", "tags": ["a"]}, "count": 3, "when": dt.date(2026, 1, 1), "pair": [1, 2]}


def test_steps_are_said_with_their_keys(ask: Any) -> None:
    async def body(ctx: Any) -> None:
        await ctx.step("fetch/posts", lambda: 1)
        await ctx.step("fetch/posts", lambda n: n, 2)
        await ctx.step("named", lambda: 3, key="user:1")

    assert [(one.name, one.payload) for one in _signals(ask, body)][1:-1] == [
        ("step:start", {"step": "fetch%2Fposts", "input": []}),
        ("step:end", {"step": "fetch%2Fposts", "output": 1}),
        ("step:start", {"step": "fetch%2Fposts#2", "input": [2]}),
        ("step:end", {"step": "fetch%2Fposts#2", "output": 2}),
        ("step:start", {"step": "user:1", "input": []}),
        ("step:end", {"step": "user:1", "output": 3}),
    ]


def test_signals_of_a_body_take_their_place(ask: Any) -> None:
    async def body(ctx: Any) -> None:
        said = ctx.emit("half:way", {"n": (1,)})
        assert (said.id, said.name, said.payload) == ("sig_000002", "half:way", {"n": [1]})
        await ctx.step("work", lambda: ctx.emit("inside").id)
        with pytest.raises(SignalPayloadError, match=r"payload\.x"):
            ctx.emit("bad", {"x": object()})
        with pytest.raises(ConfigurationError):
            ctx.emit("")

    trace = _signals(ask, body)
    assert trace.names == ["workflow:start", "half:way", "step:start", "inside", "step:end", "workflow:failed"]
    assert trace[3].source.parent == "sig_000003"


def test_time_ids_and_luck_are_steps(ask: Any) -> None:
    seen: list[Any] = []

    async def body(ctx: Any) -> None:
        seen.extend([ctx.now(), ctx.new_id(), ctx.random(), ctx.now()])
        await ctx.sleep(0.001)

    trace = _signals(ask, body)
    assert seen[0].tzinfo is dt.UTC
    assert uuid.UUID(seen[1])
    assert 0 <= seen[2] < 1
    assert [one.payload["step"] for one in trace.filter("step:end")] == ["now", "new_id", "random", "now#2", "sleep"]
    assert trace.filter("step:start")[-1].payload == {"step": "sleep", "input": {"seconds": 0.001}}


def test_an_explicit_key_names_the_work(ask: Any) -> None:
    calls: list[int] = []

    async def work(n: int) -> dict[str, int]:
        calls.append(n)
        await asyncio.sleep(0.001)
        return {"n": n}

    async def body(ctx: Any) -> Any:
        one, two = await asyncio.gather(ctx.step("a", work, 1, key="k"), ctx.step("b", work, 1, key="k"))
        one["changed"] = True
        with pytest.raises(StepInputMismatchError, match=r"Step 'k' was done in this run with the input \[1\]; now it is asked for with \[2\]"):
            await ctx.step("a", work, 2, key="k")
        return [one, two, await ctx.step("a", work, 1, key="k")]

    assert ask(body) == [{"n": 1, "changed": True}, {"n": 1}, {"n": 1}]
    assert calls == [1]


def test_a_keyed_failure_is_everybodys(ask: Any) -> None:
    async def body(ctx: Any) -> None:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await ctx.step("a", lambda: 1 // 0, key="k")

    ask(body)


def test_whoever_waits_for_keyed_work_survives_the_one_who_did_it(ask: Any) -> None:
    calls: list[int] = []

    async def work() -> int:
        calls.append(1)
        await asyncio.sleep(0.02)
        return len(calls)

    async def body(ctx: Any) -> int:
        first = asyncio.ensure_future(ctx.step("a", work, key="k"))
        second = asyncio.ensure_future(ctx.step("a", work, key="k"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        return int(await second)

    assert ask(body) == 2


def test_a_waiter_that_is_cancelled_does_not_cancel_the_work(ask: Any) -> None:
    async def work() -> int:
        await asyncio.sleep(0.01)
        return 1

    async def body(ctx: Any) -> int:
        first = asyncio.ensure_future(ctx.step("a", work, key="k"))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ctx.step("a", work, key="k"), 0.001)
        return int(await first)

    assert ask(body) == 1


def test_a_key_that_is_another_steps_name_is_refused(ask: Any) -> None:
    async def body(ctx: Any) -> list[int]:
        await ctx.step("load", lambda: 1)
        with pytest.raises(ConfigurationError, match="'load' is the name of another step of this run"):
            await ctx.step("x", lambda: 2, key="load")
        await ctx.step("x", lambda: 3, key="other")
        return [await ctx.step("other", lambda: 4)]

    trace = _signals(ask, body)
    assert [one.payload["step"] for one in trace.filter("step:start")] == ["load", "other", "other#2"]


def test_retries_are_more_tries(ask: Any) -> None:
    tries: list[int] = []

    def work() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise RuntimeError(f"try {len(tries)}")
        return len(tries)

    async def body(ctx: Any) -> Any:
        with pytest.raises(RuntimeError, match="try 2"):
            await ctx.step("a", work, retries=1)
        return await ctx.step("a", work)

    assert ask(body) == 3


def test_a_step_that_takes_too_long_is_a_step_timeout(ask: Any) -> None:
    async def body(ctx: Any) -> None:
        with pytest.raises(StepTimeoutError, match=r"Step 'slow' did not end within 0.01 s") as caught:
            await ctx.step("slow", asyncio.sleep, 10, timeout=0.01)
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.timeout == 0.01
        with pytest.raises(StepTimeoutError):
            await ctx.step("slow and sync", time.sleep, 0.02, timeout=0.01)
        assert await ctx.step("in time", lambda: "fine", timeout=5) == "fine"
        with pytest.raises(TimeoutError) as own:
            await ctx.step("own", lambda: (_ for _ in ()).throw(TimeoutError("mine")), timeout=5)
        assert type(own.value) is TimeoutError

    ask(body)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ctx: ctx.step("", len, ""), "A step's name is a text that is not blank"),
        (lambda ctx: ctx.step("a", len, "", key=" "), "A step's key is a text that is not blank"),
        (lambda ctx: ctx.step("a", 3), "Step 'a' is given int, not a function."),
        (lambda ctx: ctx.step("a", len, "", retries=-1), "retries is a number from 0"),
        (lambda ctx: ctx.step("a", len, "", retries="2"), "retries is a number from 0"),
        (lambda ctx: ctx.step("a", len, "", timeout=float("nan")), "timeout one above 0"),
        (lambda ctx: ctx.step("a", len, "", timeout=0), "timeout one above 0"),
    ],
)
def test_a_step_that_cannot_be_is_refused(ask: Any, call: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        ask(call)


def test_what_json_cannot_carry_names_its_place(ask: Any) -> None:
    async def output(ctx: Any) -> None:
        await ctx.step("a", lambda: {"x": object()})

    async def given(ctx: Any) -> None:
        await ctx.step("a", lambda _: 1, {1})

    async def result(_ctx: Any) -> object:
        return [object()]

    for body, path in ((output, r"output of step 'a'\.x"), (given, r"input of step 'a'\[0\]"), (result, r"result of 'support'\[0\]")):
        with pytest.raises(NotJsonError, match=path):
            ask(body)


def test_a_body_that_fails_raises_its_own_error_with_the_run_so_far(ask: Any) -> None:
    class LocalError(Exception):
        pass

    async def body(ctx: Any) -> None:
        await ctx.step("a", lambda: 1)
        raise LocalError("mine")

    with pytest.raises(LocalError) as caught:
        ask(body)
    result = caught.value.result  # type: ignore[attr-defined]
    assert result.signals.names == ["workflow:start", "step:start", "step:end", "workflow:failed"]
    assert result.signals[-1].payload == {"error": {"type": "LocalError", "message": "mine"}}


def test_a_step_that_fails_with_a_local_class_is_step_failed(ask: Any) -> None:
    class LocalError(Exception):
        pass

    def work() -> None:
        raise LocalError("gone")

    async def body(ctx: Any) -> None:
        await ctx.step("a", work)

    with pytest.raises(StepFailed, match="LocalError: gone") as caught:
        ask(body)
    assert isinstance(caught.value.__cause__, LocalError)


def test_cancelling_a_body_ends_with_cancelled(flow: Workflow, settle: Settle) -> None:
    async def body(ctx: Any) -> None:
        await ctx.step("wait", asyncio.Event().wait)

    async def cancelled() -> Any:
        task = asyncio.ensure_future(flow.run(body))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        return caught.value.result.signals.names  # type: ignore[attr-defined]

    assert settle(cancelled) == ["workflow:start", "step:start", "workflow:cancelled"]


def test_a_child_is_one_step(ask: Any) -> None:
    inner = create_workflow("inner")

    async def doubled(ctx: Any) -> int:
        return 2 * int(await ctx.step("one", lambda: 21))

    agents = {"a": inner.agent(prompt="x", activate_on="workflow:start", updates="said")}

    async def body(ctx: Any) -> list[Any]:
        state = await ctx.child(inner, agents, state={"said": None}, harness=ScriptedHarness(["hello"]))
        return [await ctx.child(inner, doubled), state]

    assert ask(body) == [42, {"said": "hello"}]
    trace = _signals(ask, body)
    assert [one.payload for one in trace.filter("step:start")] == [
        {"step": "inner", "input": {"state": {"said": None}}},
        {"step": "inner#2", "input": {}},
    ]


def test_steps_below_a_step_have_a_namespace_of_their_own(ask: Any) -> None:
    async def outer() -> int:
        return int(await step.run("inner", _one)) + step.run("inner", lambda: 2)

    async def body(ctx: Any) -> None:
        assert await ctx.step("outer", outer) == 3
        assert await ctx.step("inner", outer) == 3

    trace = _signals(ask, body)
    assert [one.payload["step"] for one in trace.filter("step:start")] == [
        *["outer", "outer/inner", "outer/inner#2"],
        *["inner", "inner/inner", "inner/inner#2"],
    ]
    assert trace[2].source.parent == trace[1].id


async def _one() -> int:
    return 1


def test_a_body_is_a_function(flow: Workflow, settle: Settle) -> None:
    with pytest.raises(ConfigurationError, match="A body is a function of the context, not int"):
        settle(lambda: flow.run(3))  # type: ignore[arg-type]


def test_each_failed_try_is_said_and_time_passes_before_the_next(play: Any) -> None:
    tries: list[float] = []

    def work() -> int:
        tries.append(time.monotonic())
        if len(tries) < 3:
            raise RuntimeError(f"try {len(tries)}")
        return len(tries)

    async def test() -> list[Any]:
        return [await create_workflow("w").run(lambda ctx: ctx.step("a", work, retries=5)) for _ in range(2)]

    recorded = play(test)
    assert recorded.value == [3, 4]
    first, second = recorded.cassette.runs
    assert [entry.attempts for run in (first, second) for entry in run.entries] == [3, 1]
    assert [(one.name, one.payload) for one in first.signals][1:-1] == [
        ("step:start", {"step": "a", "input": []}),
        ("step:retry", {"step": "a", "attempt": 1, "error": {"type": "RuntimeError", "message": "try 1"}}),
        ("step:retry", {"step": "a", "attempt": 2, "error": {"type": "RuntimeError", "message": "try 2"}}),
        ("step:end", {"step": "a", "output": 3}),
    ]
    assert tries[1] - tries[0] >= 0.05
    assert tries[2] - tries[1] >= 0.1
    replayed = play(test, recorded.cassette)
    assert (replayed.value, replayed.report) == ([3, 4], "")
    assert len(tries) == 4
    assert replayed.seconds < recorded.seconds


@pytest.mark.parametrize(("failures", "shortest", "longest"), [(1, 0.05, 0.1), (2, 0.1, 0.2), (5, 0.8, 1.6), (60, 15, 30)])
def test_pauses_between_tries_grow_and_differ(failures: int, shortest: float, longest: float) -> None:
    assert pause(failures, 1.0) == shortest
    assert pause(failures, 0.0) == longest

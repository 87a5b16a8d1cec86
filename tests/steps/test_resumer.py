"""A run goes on from what it has done before: what ended well is not done again, and its state is whole each time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.errors import ConfigurationError, SnapshotFormatError, SnapshotMismatchError, StepInputMismatchError, WorkflowSuspended
from pytest_wfreplay.steps.entry import ABSENT, Entry, Raised, Returned
from pytest_wfreplay.steps.resume import ResumeState, create_resume_state_collector, to_snapshot
from pytest_wfreplay.steps.snapshot_form import serialize_resume_state
from pytest_wfreplay.steps.step import step

flow = create_workflow("orders")


class Shop:
    """A workflow whose steps are counted; `fails` says which fails."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.fails = ""

    def work(self, name: str) -> str:
        self.done.append(name)
        if name == self.fails:
            raise RuntimeError(f"{name} failed")
        return name.upper()

    async def body(self, ctx: Any) -> list[Any]:
        async def outer() -> Any:
            return await ctx.step("inner", self.work, "inner")

        return [
            await ctx.step("a", self.work, "a"),
            await ctx.step("outer", outer),
            *await asyncio.gather(*(ctx.step("many", self.work, f"many {n}") for n in range(2))),
            await ctx.step("b", self.work, "b", key="b:1"),
        ]


def run_with_state(body: Any, **options: Any) -> tuple[Any, ResumeState]:
    return asyncio.run(flow.run_with_state(body, **options))


ALL = ["a", "inner", "many 0", "many 1", "b"]


def test_a_failed_run_goes_on_where_it_failed() -> None:
    shop = Shop()
    shop.fails = "b"
    outcome, state = run_with_state(shop.body)
    assert isinstance(outcome, Raised)
    assert isinstance(outcome.error, RuntimeError)
    assert list(state.steps) == ["a", "outer/inner", "outer", "many", "many#2", "b:1"]
    assert isinstance(state.steps["b:1"].outcome, Raised)
    shop.fails, shop.done = "", []
    outcome, second = run_with_state(shop.body, resume_state=state)
    assert outcome == Returned(["A", "INNER", "MANY 0", "MANY 1", "B"])
    assert shop.done == ["b"]
    assert list(second.steps) == list(state.steps)
    assert {key: second.steps[key] for key in state.steps if key != "b:1"} == {key: state.steps[key] for key in state.steps if key != "b:1"}
    assert run_with_state(shop.body, resume_state=second) == (outcome, second)
    assert shop.done == ["b"]


def test_a_run_that_fails_early_again_loses_nothing() -> None:
    shop = Shop()
    _, state = run_with_state(shop.body)

    async def fails_at_once(ctx: Any) -> None:
        await ctx.step("a", shop.work, "a")
        raise OSError("no network")

    outcome, second = run_with_state(fails_at_once, resume_state=state)
    assert isinstance(outcome, Raised)
    assert second.steps == state.steps
    assert shop.done == ALL


@pytest.mark.parametrize(
    "form",
    [
        lambda state: state,
        serialize_resume_state,
        lambda state: json.dumps(serialize_resume_state(state)),
        to_snapshot,
        lambda state: to_snapshot(state).as_json(),
        lambda state: json.dumps(to_snapshot(state).as_json()),
    ],
)
@pytest.mark.parametrize("option", ["resume_state", "snapshot"])
def test_a_run_goes_on_from_any_form_of_its_state(form: Callable[[ResumeState], Any], option: str) -> None:
    shop = Shop()
    _, state = run_with_state(shop.body)
    value = asyncio.run(flow.run(shop.body, **{option: form(state)}))
    assert value == ["A", "INNER", "MANY 0", "MANY 1", "B"]
    assert shop.done == ALL


def test_what_is_known_is_said_again_for_collectors() -> None:
    shop = Shop()
    _, state = run_with_state(shop.body)

    async def body(ctx: Any) -> None:
        await shop.body(ctx)
        raise RuntimeError("look at my trace")

    outcome, _ = run_with_state(body, resume_state=state)
    trace = outcome.error.result.signals
    collector = create_resume_state_collector()
    for signal in trace:
        collector.handle_event(signal)
    assert list(collector.get_resume_state().steps) == ["a", "outer", "many", "many#2", "b:1"]
    assert trace.summary() == {"workflow:start": 1, "step:start": 5, "step:cached": 5, "step:end": 5, "workflow:failed": 1}
    assert [signal.name for signal in trace.children(trace.first("step:start").id)] == ["step:cached", "step:end"]


def test_another_input_for_a_known_step_is_a_mismatch_with_its_fields() -> None:
    async def body(ctx: Any, given: object) -> None:
        await ctx.step("load", lambda value: value, given)

    _, state = run_with_state(lambda ctx: body(ctx, {"user": 1, "tags": ["a", "b"]}))
    with pytest.raises(StepInputMismatchError) as caught:
        asyncio.run(flow.run(lambda ctx: body(ctx, {"user": True, "tags": ["a", "c"], "new": None}), resume_state=state))
    first, *fields = str(caught.value).split("\n")
    assert first.startswith("step.run: deterministic input mismatch for key `load` occurrence 1 in namespace `` (recorded sha256:")
    assert fields == [
        "  input[0].user: recorded 1, now true",
        '  input[0].tags[1]: recorded "b", now "c"',
        "  input[0].new: recorded nothing, now null",
    ]


def test_a_state_of_something_else_is_refused_before_anything_starts() -> None:
    shop = Shop()
    _, state = run_with_state(shop.body)
    shop.done.clear()

    def refused(error: type[Exception], message: str, body: Any = shop.body, workflow: Any = flow, **options: Any) -> None:
        with pytest.raises(error, match=message):
            asyncio.run(workflow.run(body, **options))
        with pytest.raises(error, match=message):
            asyncio.run(workflow.run_with_state(body, **options))

    refused(ConfigurationError, "Both resume_state and snapshot", resume_state=state, snapshot=state)
    refused(SnapshotMismatchError, "workflow 'orders', not of 'other'", workflow=create_workflow("other"), resume_state=state)
    refused(SnapshotMismatchError, "not of 'other'", workflow=create_workflow("other"), snapshot=to_snapshot(state))
    snapshot = to_snapshot(state, definition_hash=flow.definition_hash(shop.body))
    assert asyncio.run(flow.run(shop.body, snapshot=snapshot))
    refused(SnapshotMismatchError, "another version of workflow 'orders'", body=lambda ctx: None, snapshot=snapshot.as_json())
    refused(SnapshotFormatError, "Invalid", resume_state={"steps": 3})
    refused(SnapshotFormatError, "newer", snapshot={**to_snapshot(state).as_json(), "format_version": 99})
    assert shop.done == []


def test_steps_that_a_completed_run_never_asked_for_are_named() -> None:
    shop = Shop()
    _, state = run_with_state(shop.body)
    with pytest.raises(SnapshotMismatchError, match="without asking for 3 of the steps it was resumed from: many, many#2, b:1") as caught:
        asyncio.run(flow.run(lambda ctx: asyncio.gather(*_first_two(ctx)), resume_state=state))
    assert caught.value.result.signals.names[-1] == "workflow:end"
    assert "take them out of the state" in caught.value.hint


def _first_two(ctx: Any) -> list[Any]:
    return [ctx.step("a", str, "a"), ctx.step("outer", str)]


def test_after_a_failure_that_is_mended_a_run_may_take_another_way() -> None:
    tries: list[int] = []

    def flaky() -> int:
        tries.append(1)
        return 1 // (len(tries) - 1)

    async def body(ctx: Any) -> str:
        try:
            await ctx.step("flaky", flaky)
        except ZeroDivisionError:
            await ctx.step("instead", lambda: None)
            raise
        return "fine"

    outcome, state = run_with_state(body)
    assert list(state.steps) == ["flaky", "instead"]
    outcome, state = run_with_state(body, resume_state=state)
    assert outcome == Returned("fine")
    assert list(state.steps) == ["flaky"]


async def _approve(ctx: Any) -> list[Any]:
    order = await ctx.step("order", lambda: 7)
    manager, clerk = await asyncio.gather(ctx.wait_for("manager"), ctx.wait_for("clerk/2"))
    return [order, manager, clerk, await ctx.wait_for("manager")]


def test_two_waits_at_once_are_pending_until_each_is_answered() -> None:
    outcome, state = run_with_state(_approve)
    assert isinstance(outcome, Raised)
    assert isinstance(outcome.error, WorkflowSuspended)
    assert outcome.error.waiting_for == "manager"
    assert state.waiting_for == ["manager", "clerk/2"]
    state.deliver("clerk/2", {"ok": True})
    outcome, state = run_with_state(_approve, resume_state=json.dumps(serialize_resume_state(state)))
    assert state.waiting_for == ["manager"]
    state.deliver("manager", "yes")
    state.deliver("manager", "yes again")
    assert run_with_state(_approve, resume_state=state)[0] == Returned([7, "yes", {"ok": True}, "yes again"])


def test_a_wait_that_cannot_be_is_refused() -> None:
    async def in_a_step(ctx: Any) -> Any:
        return await ctx.step("a", lambda: ctx.wait_for("b"))

    with pytest.raises(ConfigurationError, match="A step waits for 'b'"):
        asyncio.run(flow.run(in_a_step))
    with pytest.raises(ConfigurationError, match="not blank"):
        asyncio.run(flow.run(lambda ctx: ctx.wait_for(" ")))
    with pytest.raises(ConfigurationError, match="not blank"):
        ResumeState().deliver("")


def test_a_suspended_run_and_the_one_that_goes_on_are_recorded_and_replayed(play: Any) -> None:
    async def test() -> list[Any]:
        outcome, state = await flow.run_with_state(_approve)
        assert isinstance(outcome, Raised)
        assert isinstance(outcome.error, WorkflowSuspended)
        waiting = state.waiting_for
        for name in ("manager", "clerk/2", "manager"):
            state.deliver(name, name.upper())
        value = await flow.run(_approve, resume_state=state)
        return [waiting, value, list(state.steps)]

    recorded = play(test)
    assert recorded.value == [
        ["manager", "clerk/2"],
        [7, "MANAGER", "CLERK/2", "MANAGER"],
        ["order", "wait_for/manager", "wait_for/clerk%2F2", "wait_for/manager#2"],
    ]
    replayed = play(test, recorded.cassette)
    assert (replayed.value, replayed.error, replayed.report) == (recorded.value, None, "")


def test_a_run_with_state_in_a_test_is_recorded_and_replayed(play: Any) -> None:
    shop = Shop()

    async def test() -> list[Any]:
        _, state = await flow.run_with_state(shop.body)
        outcome, again = await flow.run_with_state(shop.body, resume_state=state)
        assert isinstance(outcome, Returned)
        return [outcome.value, list(state.steps), list(again.steps)]

    recorded = play(test)
    assert recorded.error is None
    assert shop.done == ALL
    replayed = play(test, recorded.cassette)
    assert (replayed.value, replayed.error, replayed.report) == (recorded.value, None, "")
    assert shop.done == ALL
    assert recorded.value[1] == recorded.value[2]


def test_an_entry_without_an_input_matches_any() -> None:
    state = ResumeState({"a": Entry("a", ABSENT, Returned(5))})
    assert asyncio.run(flow.run(lambda ctx: ctx.step("a", len, "abc"), resume_state=state)) == 5


@pytest.mark.parametrize("kept", [lambda state: state, serialize_resume_state, to_snapshot], ids=["state", "json", "snapshot"])
def test_a_step_that_is_done_again_keeps_its_idempotency_key(kept: Callable[[ResumeState], Any]) -> None:
    seen: list[str] = []

    def work() -> None:
        seen.append(step.current().idempotency_key)
        raise OSError("down")

    async def body(ctx: Any) -> None:
        await ctx.step("a", work)

    _, state = run_with_state(body)
    _, state = run_with_state(body, resume_state=kept(state))
    run_with_state(body, resume_state=kept(state))
    run_with_state(body)
    assert seen[0] == seen[1] == seen[2] != seen[3]

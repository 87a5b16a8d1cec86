"""A live run that is held against its recording: what differs is told when it has ended, and luck is not a difference."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.errors import UnrecordedStepError
from pytest_wfreplay.harnesses.function import FunctionHarness
from pytest_wfreplay.recording.ignoring import Ignoring
from pytest_wfreplay.recording.matching import Matching
from pytest_wfreplay.steps.step import step


def service(*, answer: str = "refund", pieces: tuple[str, ...] = ("re", "fund"), prompt: str = "Classify") -> Any:
    async def speak(_: Any) -> Any:
        for piece in pieces if answer == "refund" else (answer,):
            yield piece

    async def test() -> Any:
        flow = create_workflow("support")
        agent = flow.agent(prompt=prompt, activate_on=["workflow:start"], updates="kind")
        return (await flow.run_reactive(agents={"classify": agent}, state={"kind": None}, harness=FunctionHarness(speak))).state

    return test


def test_the_same_again_is_no_difference_and_nothing_is_replayed(play: Any) -> None:
    recorded = play(service()).cassette
    verified = play(service(), recorded, act="verify")
    assert (verified.kinds, verified.value) == ([], {"kind": "refund"})


def test_in_how_many_pieces_a_text_comes_is_no_difference(play: Any) -> None:
    assert play(service(pieces=("r", "e", "f", "und")), play(service()).cassette, act="verify").kinds == []


def test_another_answer_is_another_outcome_of_its_step_and_the_run_goes_on(play: Any) -> None:
    verified = play(service(answer="complaint"), play(service()).cassette, act="verify")
    assert verified.error is None
    assert verified.value == {"kind": "complaint"}
    assert verified.kinds == ["outcome", "trace", "state"]
    report = verified.report.splitlines()
    assert report[0] == "agent activation classify#1 gave another answer than recorded"
    assert "  outcome.output.content" in report
    assert '    recorded: "refund"' in report
    assert '    this run: "complaint"' in report
    assert "  the service answers otherwise now" in report


def test_what_is_not_looked_at_is_no_difference(play: Any) -> None:
    recorded = play(service()).cassette
    inputs = play(service(answer="complaint"), recorded, act="verify", matching=Matching("inputs"))
    assert inputs.kinds == []
    paths = ("steps[classify].output.content", "signals[text:*].payload", "signals[agent:completed].payload.output", "state.kind")
    assert play(service(answer="complaint"), recorded, act="verify", matching=Matching(ignoring=Ignoring(paths))).kinds == []


def test_a_changed_input_is_told_as_one(play: Any) -> None:
    verified = play(service(prompt="Sort"), play(service()).cassette, act="verify")
    assert verified.kinds == ["input_mismatch", "trace"]
    assert '    recorded: "Classify"' in verified.report


def test_steps_that_are_missing_and_new_are_told(play: Any) -> None:
    def test(*names: str) -> Any:
        return lambda: [step.run(name, lambda given: given, input=name) for name in names]

    verified = play(test("a", "x", "c"), play(test("a", "b", "c")).cassette, act="verify")
    assert verified.kinds == ["unused_step", "unrecorded_step", "trace"]
    assert play(test("b", "a"), play(test("a", "b")).cassette, act="verify").kinds == ["trace"]


def test_a_run_too_many_is_refused_and_one_that_never_starts_is_told(play: Any) -> None:
    async def one() -> None:
        await service()()

    async def two() -> None:
        await one()
        await one()

    assert isinstance(play(two, play(one).cassette, act="verify").error, UnrecordedStepError)
    assert play(one, play(two).cassette, act="verify").kinds == ["unused_step"]


def chorus(seed: int) -> Any:
    """Agents side by side, each heard by another; and steps side by side, each with another behind it."""
    luck = random.Random(seed)  # noqa: S311 - the same luck each time

    async def speak(given: Any) -> Any:
        for word in given.system.split():
            await asyncio.sleep(luck.choice([0, 0.001]))
            yield word

    async def work(given: str) -> str:
        await asyncio.sleep(luck.choice([0, 0.001]))
        return given.upper()

    async def strand(ctx: Any, name: str) -> str:
        return str(await ctx.step("behind", work, await ctx.step(name, work, name)))

    async def body(ctx: Any) -> list[str]:
        return list(await asyncio.gather(*(strand(ctx, name) for name in "xyz")))

    async def test() -> Any:
        flow = create_workflow("chorus")
        agents = {name: flow.agent(prompt=f"{name} says so", activate_on=["workflow:start"], emits=[f"{name}:done"], updates=name) for name in "ab"}
        agents["c"] = flow.agent(prompt="after {{ signal.payload.agent }}", activate_on=["*:done"])
        await flow.run_reactive(agents=agents, state={"a": None, "b": None}, harness=FunctionHarness(speak))
        return await create_workflow("strands").run(body)

    return test


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=st.integers(0, 10_000), other=st.integers(0, 10_000))
def test_concurrent_work_may_end_in_any_order(play: Any, one: int, other: int) -> None:
    verified = play(chorus(other), play(chorus(one)).cassette, act="verify")
    assert verified.kinds == [], verified.report


@pytest.mark.parametrize("kind", ["value", "error"])
def test_a_run_that_ends_otherwise_is_told(play: Any, kind: str) -> None:
    def test(*, fails: bool) -> Any:
        async def body(ctx: Any) -> Any:
            await ctx.step("a", lambda: 1)
            if fails and kind == "error":
                raise ValueError("no")
            return 2 if fails else 1

        return lambda: asyncio.run(create_workflow("w").run(body))

    verified = play(test(fails=True), play(test(fails=False)).cassette, act="verify")
    assert verified.kinds == (["outcome"] if kind == "value" else ["outcome", "trace"])


def test_the_line_that_began_a_step_is_told(play: Any) -> None:
    def test(answer: str) -> Any:
        def ask() -> Any:
            return step.run("ask", lambda: answer)

        return ask

    report = play(test("no"), play(test("yes")).cassette, act="verify").report.splitlines()
    (called,) = [line for line in report if line.startswith("  called at ")]
    assert called.endswith(" in ask")

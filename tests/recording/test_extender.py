"""What extends a recording: what is known is replayed, what may be done is done, and what is kept replays green."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.errors import DivergenceError, StepInputMismatchError, UnrecordedStepError
from pytest_wfreplay.harnesses.function import FunctionHarness
from pytest_wfreplay.harnesses.scripted import ScriptedHarness
from pytest_wfreplay.recording.codec.text import differs_only_in_volatile, encode
from pytest_wfreplay.recording.ignoring import Ignoring
from pytest_wfreplay.recording.matching import Matching
from pytest_wfreplay.recording.picked import Picked
from pytest_wfreplay.steps.step import step

#: A plan: steps one after the other; a list is a group side by side, each of them with steps of its own.
PLANS = st.lists(
    st.one_of(st.sampled_from("abcd"), st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=3), min_size=2, max_size=3)), max_size=5
)


class World:
    """What is done live, and how often."""

    def __init__(self, seed: int = 0) -> None:
        self.luck = random.Random(seed)  # noqa: S311 - the same luck each time
        self.done: list[str] = []

    async def work(self, name: str) -> Any:
        self.done.append(name)
        if self.luck.random() < 0.5:
            await asyncio.sleep(self.luck.choice([0, 0.001]))
        if name.startswith("d"):
            raise ValueError(f"{name} fails")
        if name.startswith("c"):
            return self.inner(name)
        return {"name": name}

    def inner(self, name: str) -> Any:
        return step.run("inside", lambda given: [given], input=name)

    def run(self, plan: list[Any], workflow: str = "w") -> Any:
        async def body(ctx: Any) -> list[Any]:
            ctx.emit("note", {"plan": len(plan)})
            return [await self.part(ctx, f"{at}", part) for at, part in enumerate(plan)]

        async def test() -> Any:
            return await create_workflow(workflow).run(body)

        return test

    async def part(self, ctx: Any, at: str, part: Any) -> Any:
        if isinstance(part, list):
            return await asyncio.gather(*(self.strand(ctx, f"{at}.{number}", names) for number, names in enumerate(part)))
        return await self.one(ctx, f"{part}{at}")

    async def strand(self, ctx: Any, at: str, names: list[str]) -> list[Any]:
        return [await self.one(ctx, f"{name}{at}.{number}") for number, name in enumerate(names)]

    async def one(self, ctx: Any, name: str) -> Any:
        try:
            return await ctx.step(name, self.work, name)
        except ValueError as error:
            return str(error)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=PLANS, after=PLANS, seed=st.integers(0, 1000))
def test_a_recording_that_was_extended_replays_green_and_extending_it_again_does_nothing(play: Any, before: Any, after: Any, seed: int) -> None:
    """Whatever the workflow was and has become: what was known is not done again, and the result is one whole recording."""
    recorded = play(World(seed).run(before))
    world = World(seed + 1)
    extended = play(world.run(after), recorded.cassette, act="extend")
    assert extended.kinds == []
    assert extended.error is None
    known = {entry.key for run in recorded.cassette.runs for entry in run.entries}
    assert not known & set(world.done)
    replayed = World(seed + 2)
    green = play(replayed.run(after), extended.cassette)
    assert (green.kinds, green.error, green.value, replayed.done) == ([], None, extended.value, [])
    again = play(World(seed + 3).run(after), extended.cassette, act="extend")
    assert differs_only_in_volatile(extended.cassette, again.cassette)
    assert not again.deck.has_worked


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=PLANS, seed=st.integers(0, 1000))
def test_accepting_what_did_not_change_changes_nothing_not_even_a_time(play: Any, plan: Any, seed: int) -> None:
    recorded = play(World(seed).run(plan))
    world = World(seed + 1)
    accepted = play(world.run(plan), recorded.cassette, act="accept")
    assert (accepted.kinds, world.done) == ([], [])
    assert encode(accepted.cassette) == encode(recorded.cassette)


# agents


def desk(*, harness: Any = None, **changed: Any) -> Any:
    """Two agents side by side, and one that hears them both."""

    async def test() -> Any:
        flow = create_workflow("desk")
        parts = {"emits": ["first:read"], "prompt": "Read {{ state.text }}", "end": "Answer", **changed}
        first = flow.agent(prompt=parts["prompt"], activate_on=["workflow:start"], updates="first", emits=parts["emits"])
        second = flow.agent(prompt="Weigh it", activate_on=["workflow:start"], updates="second")
        last = flow.agent(prompt=parts["end"], activate_on=["first:read"], updates="last")
        state = {"text": "hello", "first": None, "second": None, "last": None, **parts.get("state", {})}
        return (await flow.run_reactive(agents={"first": first, "second": second, "last": last}, state=state, harness=harness)).state

    return test


def replies(**said: str) -> ScriptedHarness:
    return ScriptedHarness({name: [said.get(name, f"{name} says")] for name in ("first", "second", "last")})


def lines(cassette: Any) -> list[str]:
    return encode(cassette).splitlines()


def test_a_refactoring_that_keeps_every_input_is_accepted_without_a_harness(play: Any) -> None:
    recorded = play(desk(harness=replies()))
    refactored = desk(emits=["note:taken", "first:read"], state={"version": 2})
    assert play(refactored, recorded.cassette).kinds != []
    accepted = play(refactored, recorded.cassette, act="accept")
    assert accepted.kinds == []
    assert play(refactored, accepted.cassette).kinds == []
    [was], [now] = recorded.cassette.runs, accepted.cassette.runs
    assert "note:taken" in now.signals
    assert now.final_state == {**was.final_state, "version": 2}
    assert (now.entries, now.metadata.id, now.metadata.created_at) == (was.entries, was.metadata.id, was.metadata.created_at)


def test_accepting_refuses_a_changed_input_and_a_step_that_is_not_known_or_never_comes(play: Any) -> None:
    recorded = play(desk(harness=replies())).cassette
    assert isinstance(play(desk(prompt="Read it: {{ state.text }}"), recorded, act="accept").error, StepInputMismatchError)
    unheard = play(desk(emits=["first:unheard"]), recorded, act="accept")
    assert unheard.kinds == ["unused_step"]
    assert "agent activation last#1 was recorded and never began" in unheard.report

    async def more() -> None:
        await desk()()
        await step.run("more", World().work, input="a")

    assert isinstance(play(more, recorded, act="accept").error, UnrecordedStepError)


def test_what_is_started_in_another_order_is_accepted(play: Any) -> None:
    def test(*names: str) -> Any:
        return lambda: [step.run(name, lambda given: given, input=name) for name in names]

    recorded = play(test("a", "b", "c")).cassette
    assert play(test("b", "a", "c"), recorded).kinds != []
    accepted = play(test("b", "a", "c"), recorded, act="accept")
    assert accepted.kinds == []
    assert [entry.key for entry in accepted.cassette.runs[0].entries] == ["b", "a", "c"]
    assert play(test("b", "a", "c"), accepted.cassette).kinds == []


def test_extending_refuses_a_known_step_with_another_input(play: Any) -> None:
    recorded = play(desk(harness=replies())).cassette
    harness = replies()
    refused = play(desk(harness=harness, prompt="Other"), recorded, act="extend", again=lambda key: f"do it again: {key}")
    assert isinstance(refused.error, StepInputMismatchError)
    assert str(refused.error).splitlines()[-2] == "  do it again: first#1/harness"
    assert "Other" not in [call.system for call in harness.calls]


def test_new_runs_are_added_and_runs_that_never_come_are_left_out(play: Any) -> None:
    async def one() -> None:
        await World().run(["a"], "one")()

    async def two() -> None:
        await World().run(["b"], "two")()
        await World().run(["a"], "one")()
        await World().run(["a"], "one")()

    recorded = play(one).cassette
    extended = play(two, recorded, act="extend")
    assert [run.metadata.workflow for run in extended.cassette.runs] == ["one", "two", "one"]
    assert extended.cassette.runs[0] == recorded.runs[0]
    assert play(two, extended.cassette).kinds == []
    assert play(one, play(one, extended.cassette, act="extend").cassette).kinds == []


def test_one_agent_is_recorded_again_and_every_other_line_stays_as_it_is(play: Any) -> None:
    recorded = play(desk(harness=replies())).cassette
    harness = replies(second="second thinks")
    redone = play(desk(harness=harness), recorded, act="redo", picked=Picked(("second*",)))
    assert redone.kinds == []
    assert [call.system for call in harness.calls] == ["Weigh it"]
    before, after = lines(recorded), lines(redone.cassette)
    assert len(before) == len(after)
    changed = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    assert changed
    assert all("second says" in one and other == one.replace("second says", "second thinks") for one, other in changed)
    assert play(desk(), redone.cassette).kinds == []


def test_the_same_reply_again_leaves_every_line_as_it_is(play: Any) -> None:
    recorded = play(desk(harness=replies())).cassette
    assert lines(play(desk(harness=replies()), recorded, act="redo", picked=Picked(("first", "last#1/*"))).cassette) == lines(recorded)


def test_a_step_whose_input_changes_with_the_new_reply_must_be_picked_too(play: Any) -> None:
    def test(luck: str) -> Any:
        async def body(ctx: Any) -> Any:
            number = await ctx.step("draw", lambda: luck)
            return await ctx.step("use", lambda given: f"used {given}", number)

        return lambda: asyncio.run(create_workflow("w").run(body))

    recorded = play(test("1")).cassette
    refused = play(test("2"), recorded, act="redo", picked=Picked(("draw",)), again=lambda key: f"do this step again, too: {key}")
    assert isinstance(refused.error, StepInputMismatchError)
    assert "do this step again, too: use" in str(refused.error)
    both = play(test("2"), recorded, act="redo", picked=Picked(("draw", "use")))
    assert both.value == "used 2"
    assert play(test("3"), both.cassette).value == "used 2"


def test_a_picked_step_takes_its_inner_steps_along_and_an_inner_one_its_outer(play: Any) -> None:
    def test(world: World) -> Any:
        return world.run(["c", "a", "c"])

    recorded = play(test(World())).cassette
    for pattern in ("c0", "c0/*", "c0/inside"):
        world = World()
        redone = play(test(world), recorded, act="redo", picked=Picked((pattern,)))
        assert (redone.kinds, world.done) == ([], ["c0"])
        assert lines(redone.cassette) == lines(recorded)


def test_replies_that_are_replayed_wait_for_the_one_that_is_done_again(play: Any) -> None:
    """Side by side with a slow live reply, the others come where they came."""

    def chorus(delay: float) -> Any:
        async def speak(given: Any) -> Any:
            for word in ("one", "two", "three"):
                await asyncio.sleep(delay)
                yield word

        async def test() -> Any:
            flow = create_workflow("chorus")
            agents = {name: flow.agent(prompt=name, activate_on=["workflow:start"]) for name in "ab"}
            return (await flow.run_reactive(agents=agents, harness=FunctionHarness(speak))).signals

        return test

    recorded = play(chorus(0.01)).cassette
    redone = play(chorus(0.7), recorded, act="redo", picked=Picked(("a",)))
    assert redone.kinds == []
    assert lines(redone.cassette) == lines(recorded)


def test_what_a_comparison_ignores_is_kept_as_it_was(play: Any) -> None:
    recorded = play(desk(harness=replies(), state={"day": 1})).cassette
    matching = Matching(ignoring=Ignoring(("state.day", "steps[first].input")))
    accepted = play(desk(prompt="Read again", state={"day": 2}), recorded, act="accept", matching=matching)
    assert accepted.kinds == []
    assert [run.final_state for run in accepted.cassette.runs] == [run.final_state for run in recorded.runs]
    assert accepted.cassette.runs[0].entries == recorded.runs[0].entries


def test_a_run_that_did_something_live_took_longer_and_is_as_old_as_it_was(play: Any) -> None:
    async def slowly(given: str) -> str:
        await asyncio.sleep(0.05)
        return given

    def test(*names: str) -> Any:
        async def body(ctx: Any) -> Any:
            return [await ctx.step(name, slowly, name) for name in names]

        return lambda: asyncio.run(create_workflow("w").run(body))

    [was] = play(test("a")).cassette.runs
    [now] = play(test("a", "b"), play(test("a")).cassette, act="extend").cassette.runs
    assert now.metadata.duration_ms >= was.metadata.duration_ms + 40
    assert now.metadata.duration_ms == round(now.metadata.duration_ms, 3)
    stamps = [signal.timestamp for signal in now.signals]
    assert stamps == sorted(stamps)


def test_a_swallowed_refusal_is_told_all_the_same(play: Any) -> None:
    async def body(ctx: Any) -> None:
        with contextlib.suppress(DivergenceError):
            await ctx.step("a", World().work, "other")

    async def test() -> None:
        await create_workflow("w").run(body)

    recorded = play(World().run(["a"])).cassette
    assert play(test, recorded, act="accept").kinds == ["unrecorded_step", "unused_step"]


@pytest.mark.parametrize(("pattern", "key", "is_picked"), [
    ("classify*", "classify#2/harness", True),
    ("classify", "classify#2/harness", True),
    ("writer#2", "writer#2/harness", True),
    ("writer#2/*", "writer#2/harness/look", True),
    ("writer#2/*", "writer#1/harness", False),
    ("charge-card#2", "charge-card#2", True),
    ("charge-card", "charge-card#2", False),
    ("outer", "outer/inner", True),
])  # fmt: skip
def test_patterns_of_steps(pattern: str, key: str, *, is_picked: bool) -> None:
    """They are those of `ignore`, and what a picked step contains is picked."""
    assert Picked((pattern,)).has(key) is is_picked


def test_a_pattern_that_picks_nothing_is_told_with_the_nearest_keys() -> None:
    assert Picked(("clasify*", "wr*")).unmatched(["classify#1/harness", "writer#1/harness"]) == [
        ("clasify*", ["classify#1/harness", "writer#1/harness"])
    ]

"""How strictly is said in a word, what a rule hides is listed, and volatile values are told apart by where they stand."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.harnesses.function import FunctionHarness
from pytest_wfreplay.normalise import KINDS, Normaliser
from pytest_wfreplay.recording.ignoring import Ignoring
from pytest_wfreplay.recording.matching import Compared, Matching
from pytest_wfreplay.redact import Redactor
from pytest_wfreplay.steps.step import step

# match and ignore


def shop(change: str) -> Any:
    """A run of agents: its step inputs, trace, state and leftovers may each be another one."""

    def count(state: Any, signal: Any) -> None:
        state["count"] += 2 if change == "state" else 1

    async def run() -> Any:
        flow = create_workflow("shop")
        agents = {
            "ask": flow.agent(
                prompt="other" if change == "input" else "ask",
                activate_on=["workflow:start"],
                updates="reply",
                emits=["b" if change == "trace" else "a"],
            )
        }
        if change != "leftover":
            agents["end"] = flow.agent(prompt="end", activate_on=["ask:done", "a", "b"])
        return await flow.run_reactive(
            agents=agents, state={"count": 0, "reply": ""}, reducers={"workflow:start": count}, harness=FunctionHarness(lambda told: "fine")
        )

    return run


@pytest.mark.parametrize(
    ("match", "seen"),
    [("strict", {"input", "trace", "state", "leftover"}), ("inputs", {"input", "leftover"}), ("keys", {"leftover"})],
)
@pytest.mark.parametrize("change", ["nothing", "input", "trace", "state", "leftover"])
def test_each_strictness_sees_what_it_says_for_agents(play, match, seen, change):
    recorded = play(shop("nothing")).cassette
    played = play(shop(change), recorded, matching=Matching(match))
    assert bool(played.kinds) == (change in seen)


@pytest.mark.parametrize(("match", "seen"), [("strict", True), ("inputs", True), ("keys", False)])
def test_the_outcome_of_a_function_counts_unless_only_keys_do(play, match, seen):
    def run(value: object) -> Any:
        async def body(ctx: Any) -> object:
            await ctx.step("load", lambda: 1)
            return value

        async def test() -> object:
            return await create_workflow("f").run(body)

        return test

    assert play(run(2), play(run(1)).cassette, matching=Matching(match)).kinds == (["outcome"] if seen else [])


def nested(at: str, number: int, place: int) -> Any:
    """A function workflow whose steps (one of them a child), signals and lists hold a value that changes."""

    async def inner(ctx: Any) -> object:
        return await ctx.step("look", lambda given: number, {"at": at})

    async def body(ctx: Any) -> object:
        ctx.emit("noted", {"at": at, "n": number})
        await ctx.step("save", lambda given: None, {"rows": [{"id": at, "n": number}] * place})
        return await ctx.child(create_workflow("inner"), inner)

    async def run() -> object:
        return await create_workflow("outer").run(body)

    return run


INSIDE = ["steps[sa*].input[*].rows[*].id", "signals[noted].payload.at"]


def test_ignored_places_of_nested_steps_lists_and_signals_are_not_compared(play):
    recorded = play(nested("monday", 1, 2)).cassette
    matching = Matching(ignoring=Ignoring(INSIDE))
    assert play(nested("tuesday", 1, 2), recorded, matching=matching).kinds == []
    assert play(nested("tuesday", 1, 3), recorded, matching=Matching(ignoring=Ignoring(INSIDE))).kinds != []
    assert play(nested("tuesday", 1, 2), recorded).kinds != []


def test_what_a_rule_hid_is_listed_and_a_rule_that_fits_nothing_is_named(play):
    def test(at: int, number: int) -> Any:
        def run() -> None:
            step.run("save", lambda given: None, input={"at": at, "by": "Ada"})
            step.run("load", lambda given: None, input={"n": number})

        return run

    paths = ["steps[save].input.at", "steps[save].input.by", "steps[saev].input.at"]
    played = play(test(2, 2), play(test(1, 1)).cassette, matching=Matching("inputs", Ignoring(paths)))
    assert played.kinds == ["input_mismatch"]
    assert (
        '  not compared: the trace and the final state (match="inputs"), steps[save].input.at (hid a difference in 1 place), '
        "steps[save].input.by (hid nothing)\n"
        "  ignored in vain: steps[saev].input.at: nothing in the recording or in this run is there. Misspelled?\n"
    ) in played.report


# the judge


def test_the_judge_is_asked_about_what_differs_and_what_it_grants_is_listed(play):
    asked = []

    def judge(recorded: Compared, current: Compared) -> bool | None:
        asked.append((recorded, current))
        if isinstance(recorded.value, dict) and isinstance(current.value, dict) and recorded.kind in {"input", "signal"}:
            return str(recorded.value).lower() == str(current.value).lower() or None
        return None

    def test(text: str, number: int) -> Any:
        async def body(ctx: Any) -> None:
            await ctx.step("ask", lambda given: "x", {"text": text})
            ctx.emit("said", {"text": text})
            await ctx.step("count", lambda given: "x", number)

        async def run() -> object:
            return await create_workflow("f").run(body)

        return run

    def loose(recorded: Compared, current: Compared) -> bool | None:
        return judge(Compared(recorded.kind, recorded.key, _first(recorded)), Compared(current.kind, current.key, _first(current)))

    recorded = play(test("Hello", 1)).cassette
    assert play(test("hello", 1), recorded, matching=Matching(judge=loose)).kinds == []
    assert [(one.kind, one.key, other.kind, other.key) for one, other in asked] == [
        ("input", "ask", "input", "ask"),
        ("signal", "said", "signal", "said"),
    ]
    played = play(test("hello", 2), recorded, matching=Matching(judge=loose))
    assert played.kinds[0] == "input_mismatch"
    assert "  matched by pytest_wfreplay_match, though different: input of step ask" in played.report
    assert play(test("hello", 1), recorded, matching=Matching(judge=lambda one, other: False)).kinds[0] == "input_mismatch"


def _first(side: Compared) -> Any:
    return side.value[0] if isinstance(side.value, list) else side.value


# volatile values


def named() -> Matching:
    return Matching(clean=Redactor().json, names=Normaliser(KINDS))


class World:
    """Values that are never twice the same."""

    def __init__(self, *, is_typed: bool) -> None:
        self.is_typed = is_typed

    def id(self) -> Any:
        return uuid.uuid4() if self.is_typed else str(uuid.uuid4())

    def now(self) -> Any:
        now = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=random.randint(0, 10**6))  # noqa: S311 - luck is the point
        return now if self.is_typed else now.isoformat()

    def path(self) -> str:
        return f"/tmp/pytest-of-ada/pytest-{random.randint(0, 10**6)}/out.txt"  # noqa: S108, S311 - nothing is written there

    def url(self) -> str:
        return f"http://localhost:{random.randint(1024, 65000)}/x"  # noqa: S311 - luck is the point


def errand(plan: list[tuple[str, int, int]], *, is_typed: bool) -> Any:
    """Steps side by side and one after the other, which make values, are given values and give some back."""

    async def serve(given: Any) -> Any:
        await asyncio.sleep(random.random() / 500)  # noqa: S311 - luck is the point
        return {"echo": given, "made": World(is_typed=is_typed).id(), "at": World(is_typed=is_typed).now()}

    async def body(ctx: Any) -> object:
        world = World(is_typed=is_typed)
        made: list[Any] = [world.id(), world.id(), world.path(), world.url()]
        ctx.emit("begun", {"at": world.now(), "ids": [str(one) for one in made]})

        async def go(at: int, name: str, one: int, other: int) -> None:
            one, other = one % len(made), other % len(made)
            given = {"one": made[one], "text": f"{made[one]} before {made[other]}", "at": world.now()}
            answer = await ctx.step(f"{name}-{at}", serve, given)
            assert answer["echo"]["one"] == made[one]
            if at >= len(first):
                made.append(answer["made"])

        first, rest = plan[: len(plan) // 2], plan[len(plan) // 2 :]
        await asyncio.gather(*(go(at, *planned) for at, planned in enumerate(first)))
        for at, planned in enumerate(rest, len(first)):
            await go(at, *planned)
        return {"ids": made, "token": "Bearer abcdefgh12345678"}

    async def run() -> object:
        return await create_workflow("errand").run(body)

    return run


plans = st.lists(st.tuples(st.sampled_from(["ask", "tell"]), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6)


@given(plan=plans, is_typed=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_run_whose_only_difference_are_volatile_values_replays_green(play, plan, is_typed):
    recorded = play(errand(plan, is_typed=is_typed), matching=named())
    assert recorded.error is None
    played = play(errand(plan, is_typed=is_typed), recorded.cassette, matching=named())
    assert (played.error, played.kinds) == (None, []), played.report
    again = play(errand(plan, is_typed=is_typed), recorded.cassette, matching=named())
    assert (again.error, again.kinds) == (None, [])


@given(plan=plans)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_volatile_stands_in_a_recording(play, plan):
    recorded = play(errand(plan, is_typed=False), matching=named())
    for recording in recorded.cassette.runs:
        for entry in recording.entries:
            assert Normaliser(KINDS).json(entry.input) == entry.input
        assert all(Normaliser(KINDS).json(signal.payload) == signal.payload for signal in recording.signals)
    assert "abcdefgh12345678" not in str(recorded.cassette)


def test_two_values_that_changed_places_diverge(play):
    def test(*, swapped: bool) -> Any:
        def run() -> None:
            one, other = str(uuid.uuid4()), str(uuid.uuid4())
            step.run("first", lambda given: None, input=one)
            step.run("second", lambda given: None, input=other)
            step.run("both", lambda given: None, input=[other, one] if swapped else [one, other])

        return run

    recorded = play(test(swapped=False), matching=named()).cassette
    assert play(test(swapped=False), recorded, matching=named()).kinds == []
    played = play(test(swapped=True), recorded, matching=named())
    assert played.kinds[0] == "input_mismatch"
    assert '  input[0]\n    recorded: "<uuid-1>"\n    this run: "<uuid-2>"' in played.report
    assert "not compared as they are, but by steady names: 2 uuids" in played.report


def test_a_value_of_the_runs_own_is_not_one_that_a_step_gave(play):
    def test(*, is_own: bool) -> Any:
        def run() -> None:
            given = step.run("order", lambda: str(uuid.uuid4()))
            step.run("pay", lambda given: None, input=str(uuid.uuid4()) if is_own else given)

        return run

    recorded = play(test(is_own=False), matching=named()).cassette
    assert play(test(is_own=False), recorded, matching=named()).kinds == []
    assert play(test(is_own=True), recorded, matching=named()).kinds[0] == "input_mismatch"


def test_agents_side_by_side_keep_their_values_whoever_comes_first(play):
    def test() -> Any:
        async def run() -> Any:
            flow = create_workflow("agents")
            ids = {name: str(uuid.uuid4()) for name in "abc"}

            async def reply(told: Any) -> str:
                await asyncio.sleep(random.random() / 100)  # noqa: S311 - luck is the point
                return f"seen {told.system} made {uuid.uuid4()}"

            agents = {
                name: flow.agent(prompt=f"{{{{ state.ids.{name} }}}}", activate_on=["workflow:start"], updates=name, emits=["said"]) for name in "abc"
            }
            agents["d"] = flow.agent(
                prompt="{{ state.a }} {{ state.b }}", activate_on=["said"], when=lambda ctx: all(ctx.state[name] for name in "abc"), updates="d"
            )
            state = {"ids": ids, **dict.fromkeys("abcd", "")}
            result = await flow.run_reactive(agents=agents, state=state, harness=FunctionHarness(reply))
            assert all(ids[name] in result.state[name] for name in "abc")
            return result

        return run

    for _ in range(5):
        recorded = play(test(), matching=named())
        assert recorded.error is None
        for _ in range(3):
            played = play(test(), recorded.cassette, matching=named())
            assert (played.error, played.kinds) == (None, []), played.report


def test_a_recording_made_without_names_replays_with_them(play):
    def run() -> None:
        step.run("first", lambda given: given, input=str(uuid.uuid4()))

    assert play(run, play(run).cassette, matching=named()).kinds == []
    assert play(run, play(run).cassette).kinds[0] == "input_mismatch"


def test_a_slow_clock_makes_no_difference(play):
    def test(second: int) -> Any:
        def run() -> None:
            step.run("first", lambda given: None, input="2026-01-01T10:00:00Z")
            step.run("second", lambda given: None, input=f"2026-01-01T10:00:0{second}Z")

        return run

    for then, now in ((0, 1), (1, 0)):
        assert play(test(now), play(test(then), matching=named()).cassette, matching=named()).kinds == []


@pytest.mark.parametrize("is_typed", [False, True])
def test_a_live_run_is_verified_by_its_names_too(play, is_typed):
    plan = [("ask", 0, 1), ("tell", 4, 5), ("ask", 2, 3)]
    recorded = play(errand(plan[:1], is_typed=is_typed), matching=named()).cassette
    verified = play(errand(plan[:1], is_typed=is_typed), recorded, act="verify", matching=named())
    assert (verified.error, verified.kinds) == (None, []), verified.report
    assert play(errand(plan, is_typed=is_typed), recorded, act="verify", matching=named()).kinds != []

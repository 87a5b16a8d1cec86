"""A replay is the recorded run again: the same trace, state and outcome, whatever the timing and however the run ended."""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.errors import DivergenceError, StepInputMismatchError, StepTimeoutError, UnrecordedStepError
from pytest_wfreplay.harnesses.function import FunctionHarness
from pytest_wfreplay.options import RecordingOptions
from pytest_wfreplay.recording.ignoring import Ignoring
from pytest_wfreplay.recording.matching import Matching
from pytest_wfreplay.redact import Redactor
from pytest_wfreplay.signal import create_signal
from pytest_wfreplay.steps.step import step
from pytest_wfreplay.stores.memory import MemorySignalStore


class Declined(Exception):  # noqa: N818 - an error of a user's
    def __init__(self, card: str, *, limit: int) -> None:
        super().__init__(card)
        self.limit = limit


def full_trace(signals: Any) -> list[tuple[object, ...]]:
    return [(one.id, one.name, one.payload, one.timestamp, one.source) for one in signals]


# agents


def talkative(luck: random.Random, name: str) -> FunctionHarness:
    """A harness that says a few words at odd moments, and does steps of its own."""

    async def look(word: str) -> str:
        await asyncio.sleep(luck.choice([0, 0.001]))
        return word.upper()

    async def speak(_: object):
        for number in range(luck.randint(1, 4)):
            await asyncio.sleep(luck.choice([0, 0, 0.001, 0.002]))
            yield f"{name}{number} " if luck.random() < 0.5 else await step.run("look", look, input=name)

    return FunctionHarness(speak)


def busy_run(seed: int):
    """Four agents side by side, and everything that reacts to what they say."""
    luck = random.Random(seed)  # noqa: S311 - a seeded world

    async def weigh(text: str) -> list[object]:
        await asyncio.sleep(luck.choice([0, 0.001]))
        return [text, luck.random()]

    async def listen(state: Any, signal: Any) -> Any:
        state["heard"] += 1
        if state["heard"] % 3 == 0:
            return create_signal("ping", await step.run("weigh", weigh, input=signal.payload["content"]))
        return None

    def note(state: Any, signal: Any) -> None:
        state["log"] = [*state["log"], signal.name]

    async def run() -> Any:
        flow = create_workflow("busy")
        agents = {
            name: flow.agent(
                prompt=f"{name}: {{{{ state.a }}}}" if name == "d" else name,
                activate_on=["a:done", "b:done"] if name == "d" else ["workflow:start", "ping" if name == "a" else "nothing"],
                emits=[f"{name}:done"],
                updates=name,
                harness=talkative(luck, name),
            )
            for name in "abcd"
        }
        state = {"heard": 0, "log": [], **dict.fromkeys("abcd", "")}
        return await flow.run_reactive(
            agents=agents,
            state=state,
            handlers={"text:delta": listen},
            processes={"ping": lambda state, signal: [create_signal("pong", signal.payload)]},
            reducers={"**:done": note},
            end_when=lambda state: state["heard"] > 12,
        )

    return run


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_agents_of_any_timing_replay_signal_for_signal(play, seed):
    recorded = play(busy_run(seed))
    assert recorded.error is None
    replayed = play(busy_run(seed + 1), recorded.cassette)
    assert replayed.error is None
    assert replayed.kinds == []
    assert full_trace(replayed.value.signals) == full_trace(recorded.value.signals)
    assert replayed.value.state == recorded.value.state
    assert replayed.value.metrics == recorded.value.metrics


# ends


class Hanging:
    type = "hanging"
    display_name = "Hanging"
    capabilities = None

    async def run(self, input: Any, ctx: Any):
        yield create_signal("harness:start", {"input": {}})
        yield create_signal("text:delta", {"content": "hm"})
        await asyncio.Event().wait()


async def hang(state: Any, signal: Any) -> None:
    await asyncio.Event().wait()


def stumble(state: Any, signal: Any) -> None:
    raise KeyError("gone")


async def fail_soon(_: object) -> str:
    await asyncio.sleep(0.01)
    raise Declined("visa", limit=3)


async def fail_at_once(_: object) -> str:
    raise Declined("visa", limit=3)


async def speak_on(_: object) -> str:
    """Takes no notice of being cancelled."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "never mind"
    return "not reached"


async def fail_when_cancelled(_: object) -> str:
    """Says that it was cancelled in words of its own."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise RuntimeError("connection closed") from None
    return "not reached"


async def dawdle(state: Any, signal: Any) -> None:
    await asyncio.sleep(0.06)


ENDS = {
    "failed": ({"a": FunctionHarness(fail_soon)}, {}),
    "failed beside another": ({"a": FunctionHarness(fail_soon), "b": Hanging()}, {}),
    "timeout of a harness": ({"a": Hanging(), "b": FunctionHarness(lambda _: "fine")}, {"timeout": 0.6}),
    "timeout of a handler": ({"a": FunctionHarness(lambda _: "fine")}, {"timeout": 0.6, "handlers": {"text:delta": hang}}),
    "handler that raises": ({"a": FunctionHarness(lambda _: "fine"), "b": Hanging()}, {"handlers": {"text:delta": stumble}}),
    "another ended in the same moment": ({"a": FunctionHarness(fail_at_once), "b": FunctionHarness(lambda _: "fine")}, {}),
    "another takes no notice": ({"a": FunctionHarness(fail_soon), "b": FunctionHarness(speak_on)}, {}),
    "another fails when it is cancelled": ({"a": FunctionHarness(fail_soon), "b": FunctionHarness(fail_when_cancelled)}, {}),
    "timeout of who takes no notice": ({"a": FunctionHarness(speak_on)}, {"timeout": 0.1}),
    "timeout before anybody is heard": ({"a": FunctionHarness(lambda _: "fine")}, {"timeout": 0.1, "reducers": {"**": dawdle}}),
    "circle": ({"a": FunctionHarness(lambda _: "fine")}, {"handlers": {"ping": lambda state, signal: create_signal("ping")}, "max_activations": 3}),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_run_that_ended_badly_ends_so_again_and_soon(end):
    harnesses, options = ENDS[end]

    async def run(recording: RecordingOptions) -> BaseException:
        flow = create_workflow("ends")
        agents = {name: flow.agent(prompt="p", activate_on="workflow:start", emits=["ping"], harness=one) for name, one in harnesses.items()}
        with pytest.raises(Exception) as raised:
            await flow.run_reactive(agents=agents, recording=recording, **options)
        return raised.value

    async def both() -> tuple[Any, Any, float]:
        store = MemorySignalStore()
        first = await run(RecordingOptions("record", store, name="it"))
        seconds = []
        while len(seconds) < 10 and min(seconds, default=1.0) >= 0.5:  # on a busy machine the best of some tries tells
            began = time.perf_counter()
            second = await run(RecordingOptions("replay", store, name="it"))
            seconds.append(time.perf_counter() - began)
        return first, second, min(seconds)

    first, second, seconds = asyncio.run(both())
    assert (type(first), str(first)) == (type(second), str(second))
    assert full_trace(first.result.signals) == full_trace(second.result.signals)
    assert first.result.metrics == second.result.metrics
    assert seconds < 0.5


@pytest.mark.parametrize("kind", ["agents", "step", "group", "gather", "tidy"])
def test_a_run_that_was_cancelled_is_cancelled_again(kind):
    async def forever() -> None:
        await asyncio.Event().wait()

    async def in_a_step(ctx: Any) -> None:
        await ctx.step("forever", forever)

    async def in_a_group(ctx: Any) -> str:
        async with asyncio.TaskGroup() as group:
            for name in ("one", "two"):
                group.create_task(ctx.step(name, forever))
        return "not reached"

    async def gathered(ctx: Any) -> None:
        await asyncio.gather(ctx.step("one", forever), ctx.step("two", forever))

    async def tidily(ctx: Any) -> None:
        try:
            await ctx.step("forever", forever)
        finally:
            await ctx.step("tidy up", lambda: "done")

    async def run(recording: RecordingOptions) -> Any:
        flow = create_workflow("cancelled")
        if kind == "agents":
            return await flow.run_reactive(agents={"a": flow.agent(prompt="p", activate_on="workflow:start", harness=Hanging())}, recording=recording)
        return await flow.run({"step": in_a_step, "group": in_a_group, "gather": gathered, "tidy": tidily}[kind], recording=recording)

    async def both() -> str:
        store = MemorySignalStore()
        task = asyncio.create_task(run(RecordingOptions("record", store, name="it")))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            with pytest.raises(asyncio.CancelledError):
                await asyncio.create_task(run(RecordingOptions("replay", store, name="it")))
        return (await store.list())[0].status

    assert asyncio.run(both()) == "cancelled"


# function workflows


async def later(value: object) -> dict[str, object]:
    await asyncio.sleep(random.choice([0, 0, 0.001, 0.002]))  # noqa: S311 - any timing will do
    return {"got": value}


async def at_once(value: object) -> dict[str, object]:
    return {"got": value}


def plain(value: object) -> list[object]:
    time.sleep(random.choice([0, 0.0005]))  # noqa: S311 - any timing will do
    return [value]


async def body_gather(ctx: Any) -> Any:
    return await asyncio.gather(*(ctx.step("get", later, number) for number in range(5)), ctx.step("other", later, "x"))


async def body_chains(ctx: Any) -> Any:
    async def chain(number: int) -> Any:
        ctx.emit("begun", {"number": number})
        found = await ctx.step(f"find-{number}", later, number)
        ctx.emit("found", found)
        return await ctx.step(f"use-{number}", later, found)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(chain(number)) for number in range(4)]
    return [task.result() for task in tasks]


async def body_any_order(ctx: Any) -> Any:
    """`as_completed` keeps its tasks in a set: nobody knows which begins first, with names of their own or with one for all."""

    async def chain(number: int) -> Any:
        found = await ctx.step("find", at_once, number)
        deeper = await asyncio.gather(ctx.step("deep", later, [number, 1]), ctx.step("deep", at_once, [number, 2]))
        return await ctx.step(f"use-{number}", later, [found, deeper])

    found = [await one for one in asyncio.as_completed([chain(number) for number in range(5)])]
    return sorted(map(repr, found))


async def body_threads(ctx: Any) -> Any:
    def visit(number: int) -> Any:
        return step.run("fetch", plain, input=number) + step.run(f"then-{number}", plain, input=number)

    found = await asyncio.gather(*(asyncio.to_thread(visit, number) for number in range(5)))
    return [found, await ctx.step("after", later, found)]


async def body_pool(ctx: Any) -> Any:
    def visit(number: int) -> Any:
        return asyncio.run(visit_async(number)) if number % 2 else step.run("visit", plain, input=number)

    async def visit_async(number: int) -> Any:
        return await step.run("visit", later, input=number)

    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(contextvars.copy_context().run, visit, number) for number in range(6)]
        return [future.result() for future in futures]


async def body_nested(ctx: Any) -> Any:
    async def outer(number: int) -> Any:
        inner = await ctx.step("inner", later, number)
        ctx.emit("halfway", {"number": number})
        return [inner, step.run("plain", plain, input=number), ctx.random(), ctx.new_id()]

    one_by_one = [await ctx.step("outer", outer, number) for number in range(2)]
    return [one_by_one, await asyncio.gather(*(ctx.step("outer", outer, number) for number in range(3))), ctx.now().isoformat()]


async def body_keys(ctx: Any) -> Any:
    first = await ctx.step("load", later, 1, key="user:1")
    again = await asyncio.gather(*(ctx.step("load", later, 1, key="user:1") for _ in range(2)), ctx.step("load", later, 2, key="user:2"))
    return [first, again]


async def body_failures(ctx: Any) -> Any:
    class Local(Exception):  # noqa: N818 - a class that no replay can find
        pass

    def fail(error: Exception) -> Any:
        def work() -> None:
            raise error

        return work

    async def slow() -> None:
        await asyncio.sleep(30)

    tries = iter([fail(Declined("one", limit=1)), lambda: "third time lucky"])
    caught: list[object] = [await ctx.step("flaky", lambda: next(tries)(), retries=2)]  # noqa: PLW0108 - another one each time
    for name, error in {"own": Declined("visa", limit=3), "local": Local("no"), "builtin": KeyError("k")}.items():
        try:
            await ctx.step(name, fail(error))
        except Exception as raised:  # noqa: BLE001 - which one it is is the point
            caught.append([type(raised).__name__, str(raised), getattr(raised, "limit", None)])
    try:
        await ctx.step("slow", slow, timeout=0.01)
    except StepTimeoutError as raised:
        caught.append(str(raised))
    return caught


async def body_races(ctx: Any) -> Any:
    delays = random.sample([0.004, 0.010, 0.016], 3)

    async def slow() -> None:
        await asyncio.sleep(30)

    async def run(number: int) -> int:
        await asyncio.sleep(delays[number])
        return number

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ctx.step("too slow", slow), 0.02)
    tasks = [asyncio.create_task(ctx.step(f"race-{number}", run, number)) for number in range(3)] + [asyncio.create_task(ctx.step("last", slow))]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    # `asyncio.wait` gives a set: on a slow machine there may be two winners, and a set of tasks has no order that could be the same again
    return await ctx.step("winner", later, sorted(task.result() for task in done))


async def body_one_after_the_other(ctx: Any) -> Any:
    """Many of them within one millisecond; who looks sees which had ended, and says nothing of it until all have."""

    async def run(number: int) -> int:
        await asyncio.sleep(random.choice([0, 0.001, 0.0011, 0.0012, 0.0015, 0.002]))  # noqa: S311 - any timing will do
        return number

    pending = {asyncio.create_task(ctx.step(f"one-{number}", run, number)) for number in range(4)}
    seen = []
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        seen.append(sorted(task.result() for task in done))
    return await ctx.step("seen", later, seen)


async def body_dead_heat(ctx: Any) -> Any:
    start = asyncio.Event()

    async def run(number: int) -> int:
        await start.wait()
        return number

    tasks = [asyncio.create_task(ctx.step(f"heat-{number}", run, number)) for number in range(3)]
    asyncio.get_running_loop().call_later(0.005, start.set)
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.gather(*pending)
    return await ctx.step("winners", later, sorted(task.result() for task in done))


async def body_failing(ctx: Any) -> Any:
    async def fail() -> None:
        raise Declined("visa", limit=3)

    await ctx.step("fail", fail)


BODIES = [body for name, body in list(globals().items()) if name.startswith("body_")]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_function_workflows_of_any_timing_replay(play, body):
    async def test() -> Any:
        return await create_workflow("function").run(body)

    for _ in range(8):
        recorded = play(test)
        cassette = recorded.cassette
        for _ in range(6):
            replayed = play(test, cassette)
            assert replayed.report == ""
            assert replayed.value == recorded.value
            assert (type(replayed.error), str(replayed.error)) == (type(recorded.error), str(recorded.error))
            assert getattr(replayed.error, "limit", None) == getattr(recorded.error, "limit", None)


def test_a_step_gives_in_replay_what_it_gave_live_to_the_letter(play):
    async def test() -> str:
        async def body(ctx: Any) -> Any:
            return str(await ctx.step("odd", lambda: {"z": 1.0, "a": [True, 1, 10**30, (0.1 + 0.2)], "": {"$x": None}}))

        return await create_workflow("letters").run(body)

    recorded = play(test)
    assert (
        play(test, recorded.cassette).value
        == recorded.value
        == "{'z': 1.0, 'a': [True, 1, 1000000000000000000000000000000, 0.30000000000000004], '': {'$x': None}}"
    )


# what is refused


def test_swapped_steps_in_a_strand_are_found_where_strands_begin_in_any_order(play):
    def test(names: tuple[str, str]):
        async def run() -> Any:
            def visit(number: int) -> None:
                for name in names:
                    step.run(f"{name}-{number}", plain, input=number)

            async def body(ctx: Any) -> None:
                await asyncio.gather(*(asyncio.to_thread(visit, number) for number in range(3)))

            return await create_workflow("threads").run(body)

        return run

    recorded = play(test(("one", "two")))
    assert "reordered?" in play(test(("two", "one")), recorded.cassette).report


def test_a_swallowed_divergence_is_raised_when_the_run_ends(play):
    def test(given: int):
        async def run() -> Any:
            async def body(ctx: Any) -> str:
                try:
                    await ctx.step("load", at_once, given)
                except Exception:  # noqa: BLE001 - the very mistake
                    return "never mind"
                return "fine"

            return await create_workflow("swallows").run(body)

        return run

    replayed = play(test(2), play(test(1)).cassette)
    assert isinstance(replayed.error, StepInputMismatchError)
    assert replayed.kinds[0] == "input_mismatch"


@pytest.mark.parametrize(("match", "kinds"), [("strict", ["trace"]), ("inputs", []), ("keys", [])])
def test_only_strict_looks_at_the_trace(play, match, kinds):
    def test(name: str):
        async def run() -> Any:
            async def body(ctx: Any) -> None:
                ctx.emit(name)

            return await create_workflow("says").run(body)

        return run

    assert play(test("bye"), play(test("hello")).cassette, matching=Matching(match)).kinds == kinds


def test_keys_do_not_look_at_inputs_and_ignored_fields_are_not_looked_at(play):
    def test(given: object):
        return lambda: step.run("load", lambda one: one, input=given)

    cassette = play(test({"id": 1, "at": 2})).cassette
    assert play(test({"id": 1, "at": 3}), cassette).kinds[0] == "input_mismatch"
    assert play(test({"id": 1, "at": 3}), cassette, matching=Matching("keys")).kinds == []
    ignoring = Ignoring(("steps[load].input.at",))
    assert play(test({"id": 1, "at": 3}), cassette, matching=Matching(ignoring=ignoring)).kinds == []
    assert play(test({"id": 2, "at": 3}), cassette, matching=Matching(ignoring=ignoring)).kinds[0] == "input_mismatch"


def test_another_secret_replays(play):
    def test(token: str):
        async def run() -> Any:
            async def body(ctx: Any) -> Any:
                ctx.emit("asked", {"with": token})
                for piece in ("my key is ", token[:9], token[9:], " ok"):
                    ctx.emit("text:delta", {"content": piece})
                await ctx.step("ask", at_once, {"token": token, "n": 1})
                return {"used": token}

            return await create_workflow("secretive").run(body)

        return run

    one, other = "sk-ant-" + "a1" * 20, "sk-ant-" + "b2" * 21
    matching = Matching(clean=Redactor().json)
    recorded = play(test(one), matching=matching)
    assert one not in repr(recorded.deck.cassette())
    joined = "".join(signal.payload["content"] for signal in recorded.cassette.runs[0].signals.filter("text:delta"))
    assert joined == "my key is [redacted] ok"
    replayed = play(test(other), recorded.cassette, matching=matching)
    assert replayed.report == ""
    assert replayed.value == {"used": other}


def test_nothing_is_replayed_twice(play):
    def test(times: int):
        def run() -> None:
            for _ in range(times):
                step.run("roll", random.random)

        return run

    replayed = play(test(3), play(test(2)).cassette)
    assert isinstance(replayed.error, UnrecordedStepError)
    assert "after the last of 2 steps" in str(replayed.error)


def test_an_input_that_json_cannot_carry_is_named_in_replay_too(play):
    def test(given: object):
        return lambda: step.run("load", lambda one: 1, input=given)

    cassette = play(test([1])).cassette
    assert str(play(test([object()]), cassette).error) == str(play(test([object()])).error)


def test_a_step_that_was_cancelled_and_is_not_cancelled_now_is_a_divergence(play, monkeypatch):
    monkeypatch.setattr("pytest_wfreplay.recording.outside.GRACE", 0.1)

    def test(patience: float | None):
        async def run() -> Any:
            async def slow() -> None:
                await asyncio.sleep(5)

            async def body(ctx: Any) -> None:
                try:
                    await asyncio.wait_for(ctx.step("slow", slow), patience)
                except TimeoutError:
                    return

            return await create_workflow("patient").run(body)

        return run

    replayed = play(test(None), play(test(0.01)).cassette)
    assert isinstance(replayed.error, DivergenceError)
    assert "nobody cancels it in this run" in str(replayed.error)

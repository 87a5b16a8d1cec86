"""Shuffled turns: what is under way side by side comes in an order that the seed draws; what is not, as it was recorded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_wfreplay.clock import seeded
from pytest_wfreplay.deck import Deck, Treatment
from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.errors import DivergenceError
from pytest_wfreplay.harnesses.scripted import ScriptedHarness
from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.shuffled import Shuffled
from pytest_wfreplay.steps.scope import entered
from pytest_wfreplay.steps.step import step


def drawn(seed: int, count: int, rounds: list[int]) -> list[int]:
    """The order in which `count` come that wait side by side, each after some rounds of the loop."""

    async def main() -> list[int]:
        turns, came = Shuffled(range(1, count + 1), seeded(seed)), []

        async def come(ordinal: int) -> None:
            for _ in range(rounds[ordinal]):
                await asyncio.sleep(0)
            waiting = turns.turn(ordinal, at_rest=False)
            assert waiting is not None
            await waiting
            turns.arrive(ordinal)
            came.append(ordinal)

        await asyncio.gather(*map(come, range(count)))
        assert turns.is_over
        return came

    return asyncio.run(main())


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(), count=st.integers(1, 8), rounds=st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_a_seed_draws_one_order(seed: int, count: int, rounds: list[int]) -> None:
    order = drawn(seed, count, rounds)
    assert sorted(order) == list(range(count))
    assert drawn(seed, count, [0] * 8) == order


def test_seeds_draw_all_orders() -> None:
    assert len({tuple(drawn(seed, 3, [0] * 3)) for seed in range(60)}) == 6


def test_one_who_waits_can_be_cancelled_and_the_others_go_on() -> None:
    async def main() -> bool:
        turns = Shuffled(range(1, 4), seeded(1))

        async def come(ordinal: int) -> None:
            await turns.turn(ordinal, at_rest=True)  # type: ignore[misc]  # there is always one
            turns.arrive(ordinal)

        tasks = [asyncio.create_task(come(ordinal)) for ordinal in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return turns.is_over

    assert asyncio.run(main()) is False


Run = Callable[[], Awaitable[Any]]


def played(run: Run, *, seeds: int = 8) -> list[tuple[Any, list[str]]]:
    """What a run came to in each of some orders, and the kinds of what diverged."""
    deck = Deck("record", Treatment())
    with entered(deck.scope):
        asyncio.run(_awaited(run))
    deck.close()
    return [_replayed(run, deck.cassette(), seed) for seed in range(seeds)]


def _replayed(run: Run, cassette: Cassette, seed: int) -> tuple[Any, list[str]]:
    deck = Deck("replay", Treatment(seed=seed), cassette)
    value = None
    with entered(deck.scope), contextlib.suppress(DivergenceError):
        value = asyncio.run(_awaited(run))
    deck.close()
    return value, [one.kind for one in deck.divergences]


async def _awaited(run: Run) -> Any:
    return await run()


async def later(value: int) -> int:
    await asyncio.sleep(value / 1000)
    return value


def crowd(gather: Callable[[list[int]], Any]) -> Run:
    """Four chains of two steps each, side by side."""

    async def body(ctx: Any) -> Any:
        ended: list[int] = []

        async def chain(number: int) -> None:
            ended.append(await ctx.step("load", later, number))
            await ctx.step("save", later, number)

        async with asyncio.TaskGroup() as group:
            for number in (1, 2, 3, 4):
                group.create_task(chain(number))
        return gather(ended)

    return lambda: create_workflow("crowd").run(body)


def test_a_function_that_does_not_mind_the_order_replays_in_any() -> None:
    assert played(crowd(sorted)) == [([1, 2, 3, 4], [])] * 8


def test_a_function_that_minds_the_order_is_found() -> None:
    kinds = [tuple(found) for _, found in played(crowd(list))]
    assert ("outcome",) in kinds
    assert set(kinds) <= {("outcome",), ()}


def test_what_one_step_is_given_by_whoever_came_first_is_found() -> None:
    async def body(ctx: Any) -> Any:
        done, pending = await asyncio.wait([asyncio.create_task(ctx.step("a", later, 1)), asyncio.create_task(ctx.step("b", later, 20))],
                                           return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
        first = next(iter(done)).result()
        await asyncio.wait(pending)
        return await ctx.step("first", later, first)

    assert ["input_mismatch"] in [found[:1] for _, found in played(lambda: create_workflow("race").run(body))]


def test_one_step_after_the_other_stays_as_it_is() -> None:
    async def body(ctx: Any) -> list[int]:
        return [await ctx.step("work", later, number) for number in range(4)]

    assert played(lambda: create_workflow("row").run(body)) == [([0, 1, 2, 3], [])] * 8


def test_steps_of_a_test_itself_are_shuffled_too() -> None:
    orders = []

    async def run() -> None:
        async def one(number: int) -> None:
            order.append(await step.run(f"work-{number}", later, input=number))  # type: ignore[misc]  # it is async

        order: list[int] = []
        orders.append(order)
        await asyncio.gather(*map(one, range(3)))

    assert [found for _, found in played(run)] == [[]] * 8
    assert len(set(map(tuple, orders))) > 1


def test_a_run_that_failed_keeps_its_order() -> None:
    async def body(ctx: Any) -> None:
        ended: list[int] = []

        async def one(number: int) -> None:
            ended.append(await ctx.step("work", later, number))

        await asyncio.gather(*map(one, (1, 2, 3)))
        raise ValueError(str(ended))

    async def run() -> str:
        with pytest.raises(ValueError, match=r"\[") as raised:
            await create_workflow("failing").run(body)
        return str(raised.value)

    assert played(run) == [("[1, 2, 3]", [])] * 8


def desk(reducers: dict[str, Any]) -> Run:
    """Two writers side by side, and a reviewer of each."""
    flow = create_workflow("desk")
    agents = {
        "ann": flow.agent(prompt="ann", activate_on=["workflow:start"], updates="ann", emits=["written"]),
        "bob": flow.agent(prompt="bob", activate_on=["workflow:start"], updates="bob", emits=["written"]),
        "rev": flow.agent(prompt=lambda ctx: f"review {ctx.signal.payload['output']}", activate_on=["written"], emits=["reviewed"]),
    }

    async def run() -> Any:
        harness = ScriptedHarness({"ann": ["by Ann"], "bob": ["by Bob"], "rev": ["good", "bad"]}, delay=0.001)
        result = await flow.run_reactive(agents=agents, state={"ann": "", "bob": "", "words": 0, "log": []}, harness=harness, reducers=reducers)
        return result.state["ann"], result.state["bob"], result.state["words"]

    return run


def count(state: Any, signal: Any) -> None:
    state["words"] += len(signal.payload["output"])


def note(state: Any, signal: Any) -> None:
    state["log"] = [*state["log"], signal.payload["agent"]]


def test_agents_may_answer_in_any_order_and_whoever_reacts_may_be_the_first_or_the_second() -> None:
    assert played(desk({"written": count})) == [(("by Ann", "by Bob", 12), [])] * 8


def test_a_state_that_tells_who_was_first_is_found() -> None:
    assert {tuple(found) for _, found in played(desk({"written": note}))} == {(), ("state",)}

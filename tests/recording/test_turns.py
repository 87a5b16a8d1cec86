"""Turns: what came from outside comes again in its order, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import random
import threading
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_wfreplay.recording.turns import Turns


async def come(turns: Turns, ordinal: int, order: list[int], *, at_rest: bool = False) -> None:
    waiting = turns.turn(ordinal, at_rest=at_rest)
    if waiting is not None:
        await waiting
    turns.arrive(ordinal)
    order.append(ordinal)
    turns.hear()


@settings(max_examples=50, deadline=None)
@given(order=st.permutations(list(range(12))), at_rest=st.booleans())
def test_whoever_asks_first_the_recorded_order_comes_out(order, at_rest):
    async def run() -> list[int]:
        turns, came = Turns(range(1, 13)), []
        await asyncio.gather(*(come(turns, ordinal, came, at_rest=at_rest) for ordinal in order))
        assert turns.is_over
        return came

    assert asyncio.run(run()) == list(range(12))


def test_one_who_never_comes_is_waited_for_a_moment_only():
    async def run() -> list[int]:
        turns, came = Turns([1, 2, 3]), []
        await asyncio.gather(come(turns, 2, came), come(turns, 1, came))
        return came

    began = time.perf_counter()
    assert asyncio.run(run()) == [1, 2]
    assert 0.3 < time.perf_counter() - began < 20


def test_one_who_waits_can_be_cancelled():
    async def run() -> list[int]:
        turns, came = Turns([1, 2, 3]), []
        waiter = asyncio.create_task(come(turns, 1, came))
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        await come(turns, 0, came)
        return came

    assert asyncio.run(run()) == [0]


def test_loops_in_threads_wait_for_each_other():
    for _ in range(20):
        turns, came = Turns(range(1, 9)), []
        order = random.sample(range(8), 8)
        threads = [threading.Thread(target=lambda *given: asyncio.run(come(*given)), args=(turns, number, came)) for number in order]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert came == list(range(8))

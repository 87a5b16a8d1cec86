"""Steps that end in one moment share its time, and no two that end in different moments do."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from typing import Any

from pytest_wfreplay.clock import FrozenClock
from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.recording.ends import LONGEST, Ends


def flow(body: Any) -> Any:
    """A function workflow as a test that runs it."""

    async def run() -> Any:
        return await create_workflow("function").run(body)

    return run


def times(recorded: Any, name: str = "step:end") -> list[str]:
    """When each signal of a name was said, in order."""
    return [signal.timestamp for signal in recorded.cassette.runs[0].signals if signal.name == name]


def test_what_ends_in_one_round_of_the_loop_ends_at_one_time_however_slow_the_machine_is(play):
    async def body(ctx: Any) -> None:
        start = asyncio.Event()

        async def run() -> None:
            await start.wait()
            time.sleep(0.02)  # noqa: ASYNC251 - the machine stands still

        tasks = [asyncio.create_task(ctx.step(f"one-{number}", run)) for number in range(3)]
        asyncio.get_running_loop().call_soon(start.set)
        await asyncio.gather(*tasks)

    assert len(set(times(play(flow(body))))) == 1


def test_what_ends_in_other_rounds_ends_at_other_times_however_fast_the_machine_is(play):
    async def body(ctx: Any) -> None:
        async def run(rounds: int) -> None:
            for _ in range(rounds):
                await asyncio.sleep(0)

        await asyncio.gather(*(ctx.step(f"one-{number}", run, number * 5) for number in range(1, 9)))

    ends = times(play(flow(body)))
    assert ends == sorted(set(ends))


def test_steps_one_by_one_have_the_time_of_the_clock(play):
    async def body(ctx: Any) -> None:
        for number in range(300):
            await ctx.step(f"one-{number}", asyncio.sleep, 0)

    began = dt.datetime.now(dt.UTC)
    recorded = play(flow(body))
    last = dt.datetime.fromisoformat(times(recorded)[-1])
    assert began - dt.timedelta(milliseconds=1) <= last <= dt.datetime.now(dt.UTC)


def test_a_step_within_a_moment_takes_the_time_that_it_takes():
    async def run() -> list[str]:
        clock = FrozenClock(dt.datetime(2026, 11, 20, tzinfo=dt.UTC))
        ends = Ends(clock)
        said = [ends.time(position, "step:start", {"step": key}) for position, key in enumerate("ab", 1)]
        said.append(ends.time(3, "step:end", {"step": "a"}))
        clock.advance(0.1)
        said += [ends.time(4, "word", None), ends.time(5, "step:start", {"step": "c"})]
        clock.advance(0.2)
        said.append(ends.time(6, "step:end", {"step": "c"}))
        clock.advance(LONGEST.total_seconds())
        said.append(ends.time(7, "step:end", {"step": "b"}))
        return [one[17:23] for one in said]

    assert asyncio.run(run()) == ["00.000", "00.000", "00.000", "00.000", "00.000", "00.300", "01.300"]

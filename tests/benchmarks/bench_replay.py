"""What a replay costs: multiples of a trivial await and of its own cassette's size; run `python tests/benchmarks replay`."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from pytest_wfreplay.deck import Deck, Treatment
from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.harnesses.function import FunctionHarness
from pytest_wfreplay.recording.codec.text import decode, encode
from pytest_wfreplay.steps.scope import entered

AWAITS, GROWTH, MEMORY = 100, 1.3, 10
FEW, MANY = 1_000, 100_000


async def noop() -> None:
    """The unit."""


async def _awaits(count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        await noop()
    return (time.perf_counter() - began) / count


async def load(user: dict[str, int]) -> dict[str, Any]:
    """A step's work."""
    return {"id": user["user_id"], "name": "Ada"}


def steps(count: int) -> Callable[[], Any]:
    """A function workflow of so many steps."""

    async def body(ctx: Any) -> None:
        for number in range(count):
            await ctx.step("load-user", load, {"user_id": number})

    return lambda: create_workflow("steps").run(body)


def signals(count: int) -> Callable[[], Any]:
    """A run whose agent says so many pieces of text."""

    def talk(_: object) -> Any:
        return (f" piece {number % 100}" for number in range(count))

    flow = create_workflow("talk")
    agents = {"talker": flow.agent(prompt="Talk.", activate_on="workflow:start", harness=FunctionHarness(talk))}
    return lambda: flow.run_reactive(agents=agents)


def played(deck: Deck, test: Callable[[], Any]) -> float:
    """Seconds that a test takes in a deck."""
    gc.collect()
    began = time.perf_counter()
    with entered(deck.scope):
        asyncio.run(test())
    deck.close()
    taken = time.perf_counter() - began
    if deck.divergences:
        raise AssertionError(deck.divergences[0].headline)
    return taken


def recorded(test: Callable[[], Any]) -> str:
    """The cassette's text."""
    deck = Deck("record", Treatment())
    played(deck, test)
    return encode(deck.cassette())


def each(kind: Callable[[int], Callable[[], Any]], count: int, rounds: int) -> float:
    """Seconds that a step or signal takes in replay, the best of some rounds."""
    cassette = decode(recorded(kind(count)), path="bench")
    return min(played(Deck("replay", Treatment(), cassette), kind(count)) for _ in range(rounds)) / count


def told(what: str, ratio: float, bound: float) -> bool:
    """Print a figure; whether it keeps its promise."""
    print(f"{what}: {ratio:.2f} (promised {bound}): {'meets' if ratio <= bound else 'misses'}")
    return ratio <= bound


def main() -> int:
    """Print a line a figure; 1 when a promise is broken."""
    unit = min(asyncio.run(_awaits(MANY)) for _ in range(7))
    kept = []
    for name, kind in (("step", steps), ("signal", signals)):
        few, many = each(kind, FEW, 40), each(kind, MANY, 4)
        kept.append(told(f"one {name} of {FEW}, in trivial awaits", few / unit, AWAITS))
        kept.append(told(f"one {name} of {MANY}, in trivial awaits", many / unit, AWAITS))
        kept.append(told(f"one {name} of {MANY}, in those of {FEW}", many / few, GROWTH))
    text = recorded(signals(MANY))
    gc.collect()
    tracemalloc.start()
    played(Deck("replay", Treatment(), decode(text, path="bench")), signals(MANY))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    kept.append(told(f"peak memory of {MANY} signals, in sizes of the cassette ({len(text) / 1e6:.1f} MB)", peak / len(text), MEMORY))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())

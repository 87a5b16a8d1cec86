"""Whatever is changed in code that was recorded fails its replay, with nothing done live, and the report says what was changed."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.errors import DivergenceError
from pytest_wfreplay.harnesses.function import FunctionHarness
from pytest_wfreplay.steps.step import step

DONE: list[object] = []

STEPS = ["load", "price", "save"]


def work(given: object) -> object:
    """What steps and harnesses do when they are live."""
    DONE.append(given)
    return f"did {given}"


class Bare:
    """Steps of a test itself, with the words of a function workflow."""

    async def step(self, name: str, given: object) -> object:
        return step.run(name, work, input=given)

    async def sleep(self, seconds: float) -> None:
        await step.sleep(seconds)


class InRun:
    """The same in a function workflow."""

    def __init__(self, ctx: Any) -> None:
        self._ctx = ctx

    async def step(self, name: str, given: object) -> object:
        return await self._ctx.step(name, work, given)

    async def sleep(self, seconds: float) -> None:
        await self._ctx.sleep(seconds)


async def story(do: Any, change: str, luck: float = 0.0) -> object:
    """Three steps, with one change."""
    await do.step("load", 8 if change == "other input" else 7)
    if change == "added in the middle":
        await do.step("audit", "all")
    if change == "timer added":
        await do.sleep(30)
    names = {"renamed": ["cost", "save"], "swapped": ["save", "price"], "removed at the end": ["price"], "removed in the middle": ["save"]}
    for name in names.get(change, ["price", "save"]):
        await do.step(name, luck if change == "random" and name == "price" else f"{'price' if name == 'cost' else name} input")
    if change == "added at the end":
        await do.step("notify", "all")
    if change == "raises":
        raise ValueError("no")
    return "another" if change == "other result" else "done"


CHANGES = [
    ("other input", "input_mismatch", "load was given another input", "recorded: ", "this run: "),
    ("renamed", "unrecorded_step", "step cost is not in the recording", "renamed?", "price"),
    ("added in the middle", "unrecorded_step", "step audit is not in the recording", "inserted?", "step 2 of 3"),
    ("added at the end", "unrecorded_step", "step notify is not in the recording", "inserted?", "after the last of 3 steps"),
    ("removed at the end", "unused_step", "step save was recorded and never began", "removed?", "step 3 of 3"),
    ("removed in the middle", "unused_step", "step price was recorded and never began", "removed?", "step 2 of 3"),
    ("timer added", "unrecorded_step", "step sleep is not in the recording", "inserted?", '{"seconds": 30}'),
    ("other result", "outcome", "another outcome", '"done"', '"another"'),
    ("raises", "outcome", "the run failed; recorded, it completed", "ValueError", "outcome"),
    ("random", "input_mismatch", "price was given another input", "recorded: ", "this run: "),
    ("swapped", "trace", "began in another order", "reordered?", "step price, then step save"),
]


@pytest.mark.parametrize(("change", "kind", "headline", "one", "other"), CHANGES)
def test_a_changed_function_workflow_fails(play, change, kind, headline, one, other):  # noqa: PLR0917 - a row of the table
    def test(now):
        async def run():
            return await create_workflow("shop").run(lambda ctx: story(InRun(ctx), now, random.random()))  # noqa: S311 - the very change

        return run

    recorded = play(test("random" if change == "random" else "nothing"))
    DONE.clear()
    played = play(test(change), recorded.cassette)
    assert isinstance(played.error, DivergenceError)
    assert played.kinds[0] == kind
    assert DONE == []
    for words in (headline, one, other, "run 1 'shop'", "recorded in cassettes/test.yaml", "test_ten_changes.py", "accept the change"):
        assert words in str(played.error)


@pytest.mark.parametrize(("change", "kind", "headline", "one", "other"), [row for row in CHANGES if row[1] != "outcome"])
def test_changed_bare_steps_fail(play, change, kind, headline, one, other):  # noqa: PLR0917 - a row of the table
    def test(now):
        async def run():
            return await story(Bare(), now, random.random())  # noqa: S311 - the very change

        return run

    recorded = play(test("random" if change == "random" else "nothing"))
    DONE.clear()
    played = play(test(change), recorded.cassette)
    assert played.kinds[0] == kind
    assert DONE == []
    for words in (headline, one, other, "the test's own steps", "recorded in cassettes/test.yaml"):
        assert words in played.report


def agents(flow, change, luck):
    """Three agents, one after the other, with one change."""
    harness = FunctionHarness(lambda told: work(told.system))

    def one(prompt, after, updates):
        return flow.agent(prompt=prompt, activate_on=after, emits=[f"{updates}:done"], updates=updates, harness=harness)

    table = {
        "load": one("load 8" if change == "other input" else "load 7", "workflow:start", "load"),
        "price": one(f"price {luck if change == 'random' else ''}", "load:done", "price"),
        "save": one("save", "price:done", "save"),
    }
    if change == "renamed":
        table = {("cost" if name == "price" else name): agent for name, agent in table.items()}
    if change == "added in the middle":
        table["audit"] = one("audit", "load:done", "audit")
    if change == "added at the end":
        table["notify"] = one("notify", "save:done", "notify")
    if change == "removed at the end":
        del table["save"]
    if change == "swapped":
        table["save"] = one("save", "load:done", "save")
        table["price"] = one("price ", "save:done", "price")
    return table


async def sleepy(state: Any, signal: Any) -> None:
    await step.sleep(30)


def clumsy(state: Any, signal: Any) -> None:
    raise ValueError("no")


def clever(state: Any, signal: Any) -> None:
    state["save"] += "!"


HANDLERS = {"timer added": {"load:done": sleepy}, "raises": {"save:done": clumsy}, "other result": {"save:done": clever}}

CHANGED_AGENTS = [
    ("other input", "input_mismatch", "agent activation load#1 was given another input", 'recorded: "load 7"', 'this run: "load 8"'),
    (
        "renamed",
        "unrecorded_step",
        "agent activation cost#1 is not in the recording",
        "renamed?",
        "agent activation price#1 here, with the same input",
    ),
    ("added in the middle", "unrecorded_step", "agent activation audit#1 is not in the recording", "inserted?", "step 3 of 3"),
    ("added at the end", "unrecorded_step", "agent activation notify#1 is not in the recording", "inserted?", "after the last of 3 steps"),
    ("removed at the end", "unused_step", "agent activation save#1 was recorded and never began", "removed?", "step 3 of 3"),
    ("timer added", "unrecorded_step", "step sleep is not in the recording", "inserted?", '{"seconds": 30}'),
    ("other result", "trace", "this run", "state:save:changed", "recorded: "),
    ("raises", "outcome", "the run failed; recorded, it completed", "HandlerError", "outcome"),
    ("random", "input_mismatch", "agent activation price#1 was given another input", "recorded: ", "this run: "),
    ("swapped", "trace", "signal 10 is another one", "reordered?", "agent save speaks where price did"),
]


@pytest.mark.parametrize(("change", "kind", "headline", "one", "other"), CHANGED_AGENTS)
def test_a_changed_reactive_workflow_fails(play, change, kind, headline, one, other):  # noqa: PLR0917 - a row of the table
    def test(now):
        async def run():
            flow = create_workflow("shop")
            state = dict.fromkeys(["load", "price", "save", "audit", "notify"], "")
            return await flow.run_reactive(agents=agents(flow, now, random.random()), state=state, handlers=HANDLERS.get(now, {}))  # noqa: S311

        return run

    recorded = play(test("random" if change == "random" else "nothing"))
    assert recorded.error is None
    DONE.clear()
    played = play(test(change), recorded.cassette)
    assert isinstance(played.error, DivergenceError)
    assert played.kinds[0] == kind
    assert DONE == []
    for words in (headline, one, other, "run 1 'shop'", "recorded in cassettes/test.yaml", "accept the change"):
        assert words in str(played.error)


@pytest.mark.parametrize("kind", ["bare", "function", "reactive"])
def test_what_was_not_changed_replays(play, kind):
    async def bare():
        return await story(Bare(), "nothing")

    async def function():
        return await create_workflow("shop").run(lambda ctx: story(InRun(ctx), "nothing"))

    async def reactive():
        flow = create_workflow("shop")
        return (await flow.run_reactive(agents=agents(flow, "nothing", 0), state=dict.fromkeys(STEPS, ""))).state

    test = {"bare": bare, "function": function, "reactive": reactive}[kind]
    recorded = play(test)
    DONE.clear()
    played = play(test, recorded.cassette)
    assert (played.value, played.error, played.kinds, DONE) == (recorded.value, None, [], [])

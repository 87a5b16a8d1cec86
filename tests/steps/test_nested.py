"""What a workflow did inside a step of another one is kept with that one: it is not done again, and its waits are answered."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pytest_wfreplay.durability import durable
from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.errors import WorkflowSuspended
from pytest_wfreplay.steps.entry import Raised, Returned
from pytest_wfreplay.steps.step import step
from pytest_wfreplay.stores.open import memory, sqlite
from pytest_wfreplay.stores.store import Store

outer, inner = create_workflow("outer"), create_workflow("inner")


class Shop:
    """Two steps, of which the second fails as long as it is told to."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.keys: list[str] = []
        self.is_down = True

    def pay(self, what: str) -> str:
        self.done.append(what)
        return what

    def ship(self) -> str:
        self.keys.append(step.current().idempotency_key)
        if self.is_down:
            raise OSError("down")
        return "shipped"

    async def order(self, ctx: Any) -> list[str]:
        return [await ctx.step("pay", self.pay, "inner"), await ctx.step("ship", self.ship)]

    async def body(self, ctx: Any) -> list[Any]:
        return [await ctx.step("pay", self.pay, "outer"), await ctx.child(inner, self.order)]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store of each kind that there is."""
    return memory() if request.param == "memory" else sqlite(tmp_path / "state.db")


def in_durable(store: Store, body: Any) -> Any:
    with durable("run", store):
        return asyncio.run(outer.run(body))


def test_a_child_that_failed_goes_on_where_it_failed(store: Store) -> None:
    shop = Shop()
    with pytest.raises(OSError, match="down"):
        in_durable(store, shop.body)
    shop.is_down = False
    for _ in range(2):
        assert in_durable(store, shop.body) == ["outer", ["inner", "shipped"]]
    assert shop.done == ["outer", "inner"]
    assert len(set(shop.keys)) == 1


def test_a_child_goes_on_from_a_state_too() -> None:
    shop = Shop()
    outcome, state = asyncio.run(outer.run_with_state(shop.body))
    assert isinstance(outcome, Raised)
    assert list(state.steps) == ["pay", "inner//pay", "inner//ship", "inner"]
    shop.is_down = False
    for _ in range(2):
        outcome, state = asyncio.run(outer.run_with_state(shop.body, resume_state=state))
        assert outcome == Returned(["outer", ["inner", "shipped"]])
        assert list(state.steps) == ["pay", "inner//pay", "inner//ship", "inner"]
    assert shop.done == ["outer", "inner"]
    assert len(set(shop.keys)) == 1


def test_workflows_in_one_step_stay_apart_from_each_other_and_from_its_steps(store: Store) -> None:
    done: list[str] = []

    def work(what: str) -> str:
        done.append(what)
        return what

    async def once(ctx: Any, what: str) -> Any:
        return await ctx.step("a", work, what)

    async def handler() -> list[Any]:
        values = [step.run("a", work, input="bare")]
        return values + [await inner.run(lambda ctx, what=what: once(ctx, what)) for what in ("first", "second")]

    fails = [True]

    async def body(ctx: Any) -> Any:
        value = [*await ctx.step("s", handler), await inner.run(lambda ctx: once(ctx, "direct"))]
        if fails.pop():
            raise OSError("down")
        return value

    with pytest.raises(OSError, match="down"):
        in_durable(store, body)
    fails.append(False)
    assert in_durable(store, body) == ["bare", "first", "second", "direct"]
    assert done == ["bare", "first", "second", "direct"]


def test_children_wait_for_people_beside_the_workflow_around_them(store: Store) -> None:
    async def wait(ctx: Any) -> Any:
        return await ctx.wait_for("ok")

    async def body(ctx: Any) -> list[Any]:
        children = [await ctx.child(inner, wait) for _ in range(2)]
        return [*children, await ctx.wait_for("ok")]

    for answer in (False, None, "yes"):
        with pytest.raises(WorkflowSuspended):
            in_durable(store, body)
        assert asyncio.run(store.snapshots.pending("run")) == ["ok"]
        asyncio.run(store.snapshots.deliver("run", "ok", answer))
    for _ in range(2):
        assert in_durable(store, body) == [False, None, "yes"]


def test_children_wait_in_a_state_too() -> None:
    async def wait(ctx: Any) -> Any:
        return await ctx.wait_for("ok")

    async def body(ctx: Any) -> list[Any]:
        return await asyncio.gather(*(ctx.child(inner, wait) for _ in range(2)), return_exceptions=False)

    outcome, state = asyncio.run(outer.run_with_state(body))
    assert isinstance(outcome, Raised)
    assert state.waiting_for == ["ok"]
    state.deliver("ok", 1)
    state.deliver("ok", 2)
    outcome, state = asyncio.run(outer.run_with_state(body, resume_state=state))
    assert outcome == Returned([1, 2])
    assert asyncio.run(outer.run_with_state(body, resume_state=state))[0] == Returned([1, 2])

"""What the engine's tests run: small workflows with scripted agents."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pytest_wfreplay.engine.result import RunResult
from pytest_wfreplay.engine.workflow import Workflow, create_workflow
from pytest_wfreplay.harnesses.scripted import ScriptedHarness


@pytest.fixture
def flow() -> Workflow:
    """A workflow without a declared state."""
    return create_workflow("support")


@pytest.fixture
def run(flow: Workflow) -> Callable[..., RunResult]:
    """Runs agents to the end: `run(agents=..., harness=..., ...)`; fails when a task is left over or an error was never looked at."""

    def run(**options: Any) -> RunResult:
        options.setdefault("agents", {})
        options.setdefault("harness", ScriptedHarness({name: ["ok"] * 50 for name in options["agents"]}))
        return settled(lambda: flow.run_reactive(**options))

    return run


def settled(start: Callable[[], Awaitable[Any]]) -> Any:
    """The outcome of a coroutine, after which no task may be left and nothing may have been reported to the loop."""
    unobserved: list[dict[str, Any]] = []

    async def watched() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unobserved.append(context))
        try:
            return await start()
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}

    try:
        return asyncio.run(watched())
    finally:
        assert unobserved == []


@pytest.fixture
def settle() -> Callable[[Callable[[], Awaitable[Any]]], Any]:
    """The same for any coroutine function."""
    return settled

"""Whose line a report names: the user's own, wherever the event loop stands."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pytest_wfreplay import DivergenceError, FileSignalStore, RecordingOptions, ScriptedHarness, create_workflow
from pytest_wfreplay.recording.caller import caller

FLOW = create_workflow("called")


async def ask() -> str:
    return caller()


def agents(prompt: str) -> Any:
    return {"a": FLOW.agent(prompt=prompt, activate_on="workflow:start")}


def test_it_is_the_nearest_line_of_the_users() -> None:
    assert caller().endswith("in test_it_is_the_nearest_line_of_the_users")
    assert asyncio.run(ask()).endswith("in ask")


@pytest.mark.parametrize("how", ["run", "runner", "loop"])
def test_a_workflow_that_is_all_that_the_loop_runs_was_called_where_the_loop_was_started(tmp_path: Any, how: str) -> None:
    store = FileSignalStore(tmp_path)

    def start(prompt: str, mode: Any) -> None:
        run = FLOW.run_reactive(agents=agents(prompt), harness=ScriptedHarness(["x"]), recording=RecordingOptions(mode, store, name="it"))
        if how == "run":
            asyncio.run(run)
        elif how == "runner":
            with asyncio.Runner() as runner:
                runner.run(run)
        else:
            loop = asyncio.new_event_loop()
            try:
                loop.run_until_complete(run)
            finally:
                loop.close()

    start("recorded", "record")
    with pytest.raises(DivergenceError, match=r"(?m)^  called at .*test_caller\.py:\d+ in start$"):
        start("another", "replay")


def test_a_task_beside_was_not_called_where_the_loop_was_started(tmp_path: Any) -> None:
    store = FileSignalStore(tmp_path)

    async def start(prompt: str, mode: Any) -> None:
        options = RecordingOptions(mode, store, name="it")
        await asyncio.create_task(FLOW.run_reactive(agents=agents(prompt), harness=ScriptedHarness(["x"]), recording=options))

    asyncio.run(start("recorded", "record"))
    with pytest.raises(DivergenceError) as raised:
        asyncio.run(start("another", "replay"))
    assert "called at" not in str(raised.value)

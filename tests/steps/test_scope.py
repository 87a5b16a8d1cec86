"""Scopes: where steps find themselves, in tasks, in threads and inside each other."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pytest_wfreplay.steps.effort import Effort
from pytest_wfreplay.steps.entry import Entry, Raised, Returned
from pytest_wfreplay.steps.journal import LiveJournal
from pytest_wfreplay.steps.line import Line
from pytest_wfreplay.steps.scope import Scope, current, entered
from pytest_wfreplay.steps.step import step


class Keeping(LiveJournal):
    """A live journal that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []

    def append(self, entry: Entry) -> None:
        self.entries.append(entry)


def kept(body: Callable[[], Awaitable[Any]]) -> tuple[dict[str, Entry], Line]:
    journal = Keeping()
    line = Line(journal)
    with entered(Scope(line)):
        asyncio.run(body())  # type: ignore[arg-type]  # a coroutine
    assert len({entry.key for entry in journal.entries}) == len(journal.entries)
    return {entry.key: entry for entry in journal.entries}, line


async def work(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


def test_an_entry_keeps_typed_json_and_the_caller_gets_what_a_replay_gives() -> None:
    async def body() -> None:
        assert await step.run("load", work, input=({"$x": 1}, b"b")) == [{"$x": 1}, b"b"]

    entries, _ = kept(body)
    spelled = [{"$value": {"$x": 1}}, {"$bytes": "Yg=="}]
    assert entries["load"] == Entry("load", spelled, Returned(spelled))


def test_every_call_counts_failed_or_not() -> None:
    async def body() -> None:
        with pytest.raises(ZeroDivisionError):
            step.run("a", lambda: 1 // 0)
        step.run("a", lambda: 2)

    entries, _ = kept(body)
    assert isinstance(entries["a"].outcome, Raised)
    assert entries["a#2"].outcome == Returned(2)


def test_steps_in_gather_and_task_groups_and_as_completed_have_keys_in_the_order_of_their_start() -> None:
    async def body() -> None:
        assert await asyncio.gather(*(step.run("g", work, input=n) for n in range(3))) == [0, 1, 2]
        async with asyncio.TaskGroup() as group:
            for n in range(3):
                group.create_task(_step("t", n))
        assert sorted([await one for one in asyncio.as_completed([_step("c", n) for n in range(3)])]) == [0, 1, 2]

    entries, line = kept(body)
    assert {key: entry.input for key, entry in entries.items() if key[0] != "c"} == {"g": 0, "g#2": 1, "g#3": 2, "t": 0, "t#2": 1, "t#3": 2}
    assert sum(key.startswith("c") for key in entries) == 3
    assert [signal.id for signal in line.signals] == [f"sig_{n:06d}" for n in range(1, 19)]


async def _step(key: str, value: int) -> Any:
    return await step.run(key, work, input=value)


def test_steps_in_threads_belong_to_the_run_whose_context_they_have() -> None:
    async def body() -> None:
        await asyncio.gather(*(asyncio.to_thread(step.run, "thread", lambda: 1) for _ in range(20)))
        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(contextvars.copy_context().run, step.run, "pool", lambda: 2) for _ in range(20)]
            assert [future.result() for future in futures] == [2] * 20

    entries, line = kept(body)
    assert {key.partition("#")[0] for key in entries} == {"thread", "pool"}
    assert len(entries) == 40
    assert len({signal.id for signal in line.signals}) == 80


def test_a_step_in_a_step_has_its_key_as_namespace() -> None:
    async def inner() -> int:
        return int(await step.run("leaf", work, input=1)) + step.run("leaf", lambda: 2)

    async def body() -> None:
        assert await asyncio.gather(*(step.run("outer", inner, namespace="ns/1") for _ in range(2))) == [3, 3]
        assert current.get() is not None
        assert current.get().prefix == ""  # type: ignore[union-attr]

    entries, line = kept(body)
    assert list(entries) == [
        *["ns%2F1/outer/leaf", "ns%2F1/outer/leaf#2", "ns%2F1/outer"],
        *["ns%2F1/outer#2/leaf", "ns%2F1/outer#2/leaf#2", "ns%2F1/outer#2"],
    ] or sorted(entries) == sorted(["ns%2F1/outer", "ns%2F1/outer#2", *(f"ns%2F1/outer{n}/leaf{m}" for n in ("", "#2") for m in ("", "#2"))])
    by_key = {signal.payload["step"]: signal for signal in line.signals if signal.name == "step:start"}  # type: ignore[index, call-overload]
    assert by_key["ns%2F1/outer#2/leaf"].source.parent == by_key["ns%2F1/outer#2"].id  # type: ignore[union-attr]


def test_a_cancelled_step_has_no_outcome() -> None:
    async def body() -> None:
        task = asyncio.ensure_future(step.run("wait", asyncio.Event().wait))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    entries, line = kept(body)
    assert entries["wait"].outcome is None
    assert [signal.name for signal in line.signals] == ["step:start"]


def test_attempts_are_counted() -> None:
    tries: list[int] = []

    async def flaky() -> int:
        tries.append(1)
        return 1 // (len(tries) - 1)

    async def body() -> None:
        scope = current.get()
        assert scope is not None
        assert await scope.step(scope.key("a"), flaky, None, Effort(retries=3)) == 1

    entries, _ = kept(body)
    assert entries["a"].attempts == 2


def test_scopes_do_not_leak_out_of_what_they_were_entered_for() -> None:
    assert current.get() is None
    kept(lambda: _step("a", 1))
    assert current.get() is None
    with pytest.raises(ZeroDivisionError), entered(Scope(Line(LiveJournal()))):
        step.run("a", lambda: 1 // 0)
    assert current.get() is None

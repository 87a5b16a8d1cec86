"""Durable steps: done once, by whatever process, in scripts that set nothing up and in runs that have a name."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pytest_wfreplay.durability import durable
from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.errors import (
    ConfigurationError,
    LeaseLost,
    LeaseTaken,
    StepInputMismatchError,
    UnfinishedStepError,
    WorkflowSuspended,
)
from pytest_wfreplay.steps.step import step
from pytest_wfreplay.stores.open import memory, sqlite
from pytest_wfreplay.stores.store import Store

Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store of each kind that there is."""
    return memory() if request.param == "memory" else sqlite(tmp_path / "state.db")


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Runs a script in a process of its own, as its user would."""

    def run(text: str, *arguments: str, name: str = "script.py") -> subprocess.CompletedProcess[str]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return subprocess.run([sys.executable, str(path), *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    return run


TWICE = """
    import asyncio
    from pytest_wfreplay import step

    def work(number):
        print("work", number)
        return (number,)

    @step
    async def load(user):
        print("load", user)
        return {"user": user}

    print(step.run("a", work, input=1), step.run("a", work, input=2), asyncio.run(load(7)))
"""


def test_a_script_that_is_run_twice_does_its_work_once_with_no_set_up(script: Script, tmp_path: Path) -> None:
    first, second = script(TWICE), script(TWICE)
    assert first.stdout == "work 1\nwork 2\nload 7\n[1] [2] {'user': 7}\n", first.stderr
    assert second.stdout == "[1] [2] {'user': 7}\n", second.stderr
    assert (tmp_path / ".wfreplay" / "state.db").is_file()
    assert script(TWICE, name="folder/other.py").stdout == first.stdout


def test_an_error_is_not_kept_and_a_crash_costs_only_what_had_not_ended(script: Script) -> None:
    text = """
        import os, sys
        from pytest_wfreplay import step

        def work(number):
            print("work", number, flush=True)
            if number == 2 and sys.argv[1] == "crash":
                os._exit(9)
            if number == 2 and sys.argv[1] == "fail":
                raise OSError("no network")
            return number

        for number in range(1, 4):
            step.run("work", work, input=number)
        print("done")
    """
    assert script(text, "crash").stdout == "work 1\nwork 2\n"
    failed = script(text, "fail")
    assert failed.stdout == "work 2\n"
    assert "OSError: no network" in failed.stderr
    assert script(text, "go").stdout == "work 2\nwork 3\ndone\n"
    assert script(text, "go").stdout == "done\n"


def test_the_store_of_scripts_is_named_by_the_environment(script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WFREPLAY_STORE", "sqlite:///elsewhere/steps.db")
    assert script(TWICE).stdout.startswith("work 1")
    assert script(TWICE).stdout.startswith("[1]")
    assert (tmp_path / "elsewhere" / "steps.db").is_file()
    assert not (tmp_path / ".wfreplay").exists()


def test_a_script_in_threads_and_tasks_keeps_each_step_once(script: Script) -> None:
    text = """
        import asyncio
        from concurrent.futures import ThreadPoolExecutor
        from pytest_wfreplay import step

        done = []

        async def slow(number):
            done.append(number)
            await asyncio.sleep(0.01)
            return number

        async def tasks():
            return await asyncio.gather(*(step.run(f"task {n}", slow, input=n) for n in range(20)))

        with ThreadPoolExecutor(4) as pool:
            threads = list(pool.map(lambda n: step.run(f"thread {n}", lambda: done.append(n) or n), range(20)))
        print(threads == asyncio.run(tasks()) == list(range(20)), len(done))
    """
    assert script(text).stdout == "True 40\n"
    assert script(text).stdout == "True 0\n"


def test_under_pytest_steps_outside_of_runs_are_done_each_time(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from pytest_wfreplay import step

        done = []

        def test_step():
            for _ in range(2):
                step.run("a", lambda: done.append(1))
            assert len(done) == 2
        """
    )
    for _ in range(2):
        pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)
    assert not (pytester.path / ".wfreplay").exists()


class Shop:
    """Work that is counted."""

    def __init__(self) -> None:
        self.done: list[Any] = []

    def work(self, value: Any) -> Any:
        self.done.append(value)
        return (value,)

    async def wait(self, value: Any) -> Any:
        await asyncio.sleep(0)
        return self.work(value)


def test_a_durable_run_goes_on_where_it_ended_sync_and_async(store: Store) -> None:
    shop = Shop()

    def sync() -> list[Any]:
        with durable("order-42", store):
            return [step.run("a", shop.work, input=1), step.run("a", shop.work, input=2), step.run("a", shop.work, input=3, namespace="b")]

    async def waiting() -> list[Any]:
        async with durable("order-42", store):
            return [
                await step.run("a", shop.wait, input=1),
                await step.run("a", shop.wait, input=2),
                step.run("a", shop.work, input=3, namespace="b"),
            ]

    assert sync() == sync() == asyncio.run(waiting()) == [[1], [2], [3]]
    assert shop.done == [1, 2, 3]
    with durable("order-43", store):
        assert step.run("a", shop.work, input=5) == [5]
        assert step.run("a", shop.work, input=6, namespace="order-42") == [6]


def test_namespaces_of_any_characters_stay_apart(store: Store) -> None:
    names = ["tenant/a", "tenant_a", "tenant a", "tenant%2Fa", "TENANT_A", "tenant/a/", "täñant", "a#2", "a"]
    shop = Shop()
    for _ in range(2):
        with durable("all", store):
            assert [step.run("k", shop.work, input=name, namespace=name) for name in names] == [[name] for name in names]
            for name in names:
                [record] = asyncio.run(step.inspect(name))
                assert (record["namespace"], record["input"], record.sequence) == (name, name, 1)
    assert shop.done == names


def test_a_step_is_inspected_as_it_was_kept(store: Store) -> None:
    def fails() -> None:
        raise ValueError("no")

    with durable("order-42", store):
        step.run("load-user", lambda user: {"id": user["user_id"]}, input={"user_id": 7}, namespace="signup")
        with pytest.raises(ValueError, match="no"):
            step.run("load-user", fails, namespace="signup")
        step.run("outer", lambda: step.run("inner", lambda: 1), namespace="signup")
        records = asyncio.run(step.inspect("signup"))
    assert [(one.namespace, one.key, one.sequence, one.result) for one in records] == [
        ("signup", "load-user", 1, {"id": 7}),
        ("signup", "load-user", 2, None),
        ("signup", "outer", 1, 1),
    ]
    assert list(records[0]) == [
        *["event_id", "namespace", "key", "sequence", "deterministic_inputs_hash", "input", "result", "error", "occurred_at_ms"]
    ]
    assert [one.event_id for one in records] == sorted(one.event_id for one in records)
    assert records[0].deterministic_inputs_hash.startswith("sha256:")
    assert records[1].error["type"] == "ValueError"
    assert records[0].occurred_at_ms > 1_700_000_000_000


def test_another_input_for_a_known_key_is_a_mismatch(store: Store) -> None:
    with durable("o", store):
        step.run("load", lambda value: value, input={"user": 1})
    with durable("o", store), pytest.raises(StepInputMismatchError) as caught:
        step.run("load", lambda value: value, input={"user": 2})
    assert "step.run: deterministic input mismatch for key `load` occurrence 1 in namespace `o` (recorded sha256:" in str(caught.value)
    assert "input.user: recorded 1, now 2" in str(caught.value)


def test_what_began_and_never_ended_is_redone_or_refused(store: Store) -> None:
    async def cancelled() -> None:
        async with durable("o", store):
            await asyncio.wait_for(step.run("slow", asyncio.Event().wait), 0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(cancelled())
    with durable("o", store, on_unfinished="raise"):
        with pytest.raises(UnfinishedStepError, match=r"'o/slow' began in an earlier run and never ended"):
            step.run("slow", lambda: 1)
        [record] = asyncio.run(step.inspect())
        assert record.error["type"] == "UnfinishedStepError"
    for _ in range(2):
        with durable("o", store, on_unfinished="redo"):
            assert step.run("slow", lambda: 1) == 1
    with durable("o", store, on_unfinished="raise"):
        assert step.run("slow", lambda: 2) == 1


def test_the_current_step_knows_its_key_and_how_others_know_it_again(store: Store) -> None:
    seen: list[Any] = []

    def work() -> None:
        now = step.current()
        seen.append((now.key, now.attempt, now.idempotency_key))
        if len(seen) < 3:
            raise OSError("down")

    for number in range(3):
        with durable("o", store):
            if number < 2:
                with pytest.raises(OSError, match="down"):
                    step.run("a", work)
            else:
                step.run("a", work)
    assert len(set(seen)) == 1
    assert seen[0][:2] == ("o/a", 1)
    with durable("p", store):
        step.run("a", work)
        with pytest.raises(ConfigurationError, match="outside of a step"):
            step.current()
    assert seen[-1][2] != seen[0][2]


def test_attempts_of_a_retried_step_share_their_idempotency_key() -> None:
    seen: list[tuple[int, str]] = []

    def work() -> None:
        seen.append((step.current().attempt, step.current().idempotency_key))
        if len(seen) < 2:
            raise OSError("down")

    asyncio.run(create_workflow("w").run(lambda ctx: ctx.step("a", work, retries=2)))
    assert [attempt for attempt, _ in seen] == [1, 2]
    assert len({key for _, key in seen}) == 1


def test_a_workflows_step_that_is_done_again_by_the_next_run_keeps_its_idempotency_key(store: Store) -> None:
    seen: list[str] = []
    flow = create_workflow("w")

    def work() -> None:
        seen.append(step.current().idempotency_key)
        raise OSError("down")

    async def body(ctx: Any) -> None:
        await ctx.step("a", work)

    for name in ("o", "o", "p"):
        with durable(name, store), pytest.raises(OSError, match="down"):
            asyncio.run(flow.run(body))
    assert seen[0] == seen[1] != seen[2]


def test_a_run_has_one_owner_at_a_time(store: Store) -> None:
    with durable("o", store, owner="one") as first:
        with pytest.raises(LeaseTaken, match=r"Another owner works on run 'o': one \(process \d+ on "), durable("o", store, owner="two"):
            pass
        with durable("p", store):
            pass
        timer = threading.Timer(0.1, lambda: asyncio.run(_release(store)))
        timer.start()
        with durable("o", store, owner="two", wait=10):
            step.run("a", lambda: 1)
        assert first.id == "o"


async def _release(store: Store) -> None:
    holder = await store.snapshots.holder("o")
    assert holder is not None
    await store.snapshots.release("o", holder.token)


def test_who_comes_with_the_same_owner_takes_over_and_the_slower_one_loses(store: Store) -> None:
    with durable("o", store, owner="me"):
        step.run("a", lambda: 1)
        copied = threading.Thread(target=_take_over, args=(store,))
        copied.start()
        copied.join()
        with pytest.raises(LeaseLost):
            step.run("b", lambda: 2)
    with durable("o", store):
        assert step.run("a", lambda: 0) == 1
        assert step.run("b", lambda: 0) == "taken over"


def _take_over(store: Store) -> None:
    with durable("o", store, owner="me"):
        step.run("b", lambda: "taken over", namespace="o")


def test_a_lease_is_renewed_while_the_run_goes_on(store: Store) -> None:
    async def run() -> None:
        async with durable("o", store, lease=0.2):
            await asyncio.sleep(0.5)
            with pytest.raises(LeaseTaken):
                async with durable("o", store):
                    pass
            assert await step.run("a", asyncio.sleep, input=0) is None

    asyncio.run(run())


def test_a_run_whose_process_died_is_taken_over_at_once(script: Script, tmp_path: Path) -> None:
    text = """
        import os, sys
        from pytest_wfreplay import durable, open_store, step

        with durable("o", open_store("sqlite:///state.db"), lease=600):
            step.run("a", lambda: print("a", flush=True))
            if sys.argv[1] == "crash":
                os._exit(9)
            step.run("b", lambda: print("b", flush=True))
    """
    assert script(text, "crash").stdout == "a\n"
    second = script(text, "go")
    assert second.stdout == "b\n", second.stderr


def test_without_a_lease_two_racers_end_with_one_record_and_one_result(store: Store) -> None:
    barrier = threading.Barrier(4)

    def race(number: int) -> Any:
        with durable("o", store, lease=None):
            return step.run("a", lambda: (barrier.wait(10), number)[1])

    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(race, range(4)))
    assert len(set(values)) == 1
    with durable("o", store):
        assert len(asyncio.run(step.inspect())) == 1


async def _approve(ctx: Any, shop: Shop) -> list[Any]:
    order = await ctx.step("order", shop.work, 7)
    return [order, *await asyncio.gather(ctx.wait_for("manager"), ctx.wait_for("clerk"))]


def test_a_workflow_in_a_durable_run_waits_for_people(store: Store) -> None:
    flow, shop = create_workflow("orders"), Shop()

    async def run() -> Any:
        async with durable("o", store):
            return await flow.run(lambda ctx: _approve(ctx, shop))

    async def test() -> Any:
        with pytest.raises(WorkflowSuspended, match="manager"):
            await run()
        assert await store.snapshots.pending("o") == ["manager", "clerk"]
        await store.snapshots.deliver("o", "clerk", {"ok": True})
        with pytest.raises(WorkflowSuspended, match="manager"):
            await run()
        await store.snapshots.deliver("o", "manager", "yes")
        return [await run(), await run()]

    assert asyncio.run(test()) == [[[7], "yes", {"ok": True}]] * 2
    assert shop.done == [7]


def test_workflows_one_after_the_other_in_a_durable_run_stay_apart(store: Store) -> None:
    flow, shop = create_workflow("orders"), Shop()

    async def body(ctx: Any, number: int) -> Any:
        await ctx.step("work", shop.work, number, key="the work")
        return await ctx.wait_for("ok")

    async def run() -> list[Any]:
        async with durable("o", store):
            return [await flow.run(lambda ctx, n=n: body(ctx, n)) for n in range(3)]

    async def test() -> list[Any]:
        for answer in ("a", "b", "c"):
            with pytest.raises(WorkflowSuspended):
                await run()
            await store.snapshots.deliver("o", "ok", answer)
        return await run()

    assert asyncio.run(test()) == ["a", "b", "c"]
    assert shop.done == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"id": " "}, "The id of a durable run is a text that is not blank"),
        ({"owner": ""}, "The owner of a durable run is a text that is not blank"),
        ({"lease": 0}, "lease is a number of seconds or None, not 0"),
        ({"wait": -1}, "wait is a number of seconds or None, not -1"),
        ({"on_unfinished": "ask"}, "on_unfinished is one of 'redo', 'raise', not 'ask'"),
    ],
)
def test_a_durable_run_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        durable(**{"id": "o", **options})
    with pytest.raises(ConfigurationError, match="store is a Store or a SnapshotStore, not int"), durable("o", 3):
        pass


def test_in_a_marked_test_durable_runs_are_recorded_and_replayed_and_no_store_is_touched(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio
        import pytest
        from pytest_wfreplay import create_workflow, durable, open_store, step

        done = []

        async def body(ctx):
            return await ctx.step("in a workflow", lambda: done.append(3) or 3)

        @pytest.mark.wfreplay
        def test_durable(wfreplay):
            store = open_store("sqlite:///state.db")
            with durable("order-42", store, lease=1.0):
                assert step.run("a", lambda: done.append(1) or (1,)) == [1]
                assert step.run("a", lambda: done.append(2) or 2, namespace="b") == 2
            with durable("order-43"):
                step.run("a", lambda: 5)

            async def waits():
                async with durable("order-44", store):
                    return await create_workflow("w").run(body)

            assert wfreplay.run(waits) == 3
            print(done)
        """
    )
    recorded = pytester.runpytest_subprocess("-q", "-s", "--record")
    recorded.stdout.fnmatch_lines(["*[[]1, 2, 3]*"])
    replayed = pytester.runpytest_subprocess("-q", "-s")
    replayed.assert_outcomes(passed=1)
    replayed.stdout.fnmatch_lines(["*[[]]*"])
    assert not list(pytester.path.rglob("*.db"))
    assert not (pytester.path / ".wfreplay").exists()

"""Threads and pools carry the test along; what outlives the test carries nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pytest_wfreplay.plugin.threads import carrying_context
from pytest_wfreplay.steps.journal import LiveJournal
from pytest_wfreplay.steps.line import Line
from pytest_wfreplay.steps.scope import Scope, current, entered

if TYPE_CHECKING:
    from conftest import Project


def test_threads_and_pools_find_the_scope_of_who_starts_them() -> None:
    scope = Scope(Line(LiveJournal()))
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit
    with ThreadPoolExecutor(1) as old, ThreadPoolExecutor(1) as new:
        assert old.submit(current.get).result() is None
        with entered(scope), carrying_context():
            found: list[Scope | None] = []
            thread = threading.Thread(target=lambda: found.append(current.get()))
            thread.start()
            thread.join()
            assert [*found, old.submit(current.get).result(), *new.map(lambda _: current.get(), range(2))] == [scope] * 4
        assert threading.Thread.start is start
        assert ThreadPoolExecutor.submit is submit
        # The pool's own thread was born while the test ran.
        assert [new.submit(current.get).result(), old.submit(current.get).result()] == [None, None]


TESTS = """
import threading
from concurrent.futures import ThreadPoolExecutor

POOL = ThreadPoolExecutor(2)
GO = threading.Event()
SAID = []

@pytest.mark.wfreplay
def test_threads():
    thread = threading.Thread(target=lambda: step.run("thread", live, input=1))
    thread.start()
    thread.join()
    assert POOL.submit(step.run, "pool", live, input=2).result() == 2
    with ThreadPoolExecutor(1) as pool:
        assert list(pool.map(lambda n: step.run("mapped", live, input=n), range(3))) == [0, 1, 2]

    async def main():
        return await asyncio.gather(asyncio.to_thread(step.run, "one", live, input=1), asyncio.to_thread(step.run, "two", live, input=2))
    assert asyncio.run(main()) == [1, 2]

def leaks():
    GO.wait(5)
    try:
        step.run("late", live)
    except Exception as error:
        SAID.append(f"{type(error).__name__}: {error}")

LEAKED = []

@pytest.mark.wfreplay
def test_leaks():
    step.run("work", live)
    LEAKED.append(threading.Thread(target=leaks))
    LEAKED[0].start()

def test_what_leaked_is_refused():
    GO.set()
    LEAKED[0].join()
    assert SAID == ["ConfigurationError: Step 'late' began after test_it.py::test_leaks had ended."]

def test_of_nobody_uses_the_pool():
    assert POOL.submit(step.run, "pool", lambda: "live").result() == "live"
"""


def test_threads_replay_and_a_leaked_one_is_refused(project: Project) -> None:
    project.write(text=TESTS)
    ran = project.record()
    assert set(ran.outcomes.values()) == {"passed"}, ran.text
    ran = project.replay()
    assert set(ran.outcomes.values()) == {"passed"}, ran.text
    assert not project.was_live


ANYIO = """
import concurrent.futures
import threading
import anyio
import anyio.to_thread

@pytest.fixture(scope="session")
def old_pool():
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        pool.submit(int).result()
        yield pool

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.wfreplay
@pytest.mark.anyio
async def test_anyio():
    async def one(number):
        await step.run("task", later, input=number)
    async def later(number):
        return live(number)
    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(one, number)
    assert await anyio.to_thread.run_sync(lambda: step.run("thread", live, input=7)) == 7
    assert [await anyio.to_thread.run_sync(lambda: step.run("again", live, input=at)) for at in range(3)] == [0, 1, 2]

@pytest.mark.wfreplay
@pytest.mark.anyio
async def test_executors(old_pool):
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, lambda: step.run("default", live, input=1)) == 1
    assert await loop.run_in_executor(old_pool, lambda: step.run("old", live, input=2)) == 2
    done = await asyncio.gather(*(loop.run_in_executor(old_pool, lambda at=at: step.run(f"old-{at}", live, input=at)) for at in range(4)))
    assert done == [0, 1, 2, 3]

@pytest.mark.wfreplay
def test_timer():
    said = []
    timer = threading.Timer(0.01, lambda: said.append(step.run("timer", live, input=3)))
    timer.start()
    timer.join()
    assert said == [3]

@pytest.mark.wfreplay
def test_runner():
    with anyio.from_thread.start_blocking_portal() as portal:
        assert portal.call(lambda: step.run("portal", live, input=4)) == 4
"""


def test_anyio_executors_and_timers_are_followed(project: Project) -> None:
    project.write(text=ANYIO.replace("import anyio.to_thread", "import anyio.to_thread\nimport anyio.from_thread"))
    with_anyio = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:xdist")
    ran = project.record(lean=with_anyio)
    assert set(ran.outcomes.values()) == {"passed"}, ran.text
    for test, key in (("anyio", "- step: again#3"), ("executors", "- step: old-3"), ("timer", "- step: timer"), ("runner", "- step: portal")):
        assert key in project.cassette(f"test_it/test_{test}.yaml").read_text()
    ran = project.replay(lean=with_anyio)
    assert set(ran.outcomes.values()) == {"passed"}, ran.text
    assert not project.was_live


LEAKING = """
import threading

GO, DONE = threading.Event(), threading.Event()
SAID = []

def leaks():
    GO.wait(5)
    for name in ("late", "next"):
        try:
            SAID.append(step.run(name, live))
        except Exception as error:
            SAID.append(f"{type(error).__name__}: {error}")
    DONE.set()

@pytest.mark.wfreplay
def test_leaks():
    step.run("work", live)
    threading.Thread(target=leaks).start()

@pytest.mark.wfreplay
def test_next():
    step.run("next", live, input=1)
    GO.set()
    assert DONE.wait(5)
    step.run("last", live)
    refused = "ConfigurationError: Step {!r} began after test_it.py::test_leaks had ended."
    assert SAID == [refused.format("late"), refused.format("next")]
"""


def test_a_leaked_thread_neither_reads_nor_writes_the_next_tests_cassette(project: Project) -> None:
    project.write(text=LEAKING)
    ran = project.record()
    assert ran.outcomes == {"test_leaks": "passed", "test_next": "passed"}, ran.text
    text = project.cassette("test_it/test_next.yaml").read_text()
    assert "late" not in text
    assert text.count("step: next") == 1
    ran = project.replay()
    assert ran.outcomes == {"test_leaks": "passed", "test_next": "passed"}, ran.text
    assert not project.was_live

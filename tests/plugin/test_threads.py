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

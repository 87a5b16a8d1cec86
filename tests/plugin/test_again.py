"""Tests that are run again: from what they have just recorded, in another order, and from what was changed. Each is reported once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

DETERMINISM = """
import random, unittest

flow = create_workflow("flow")
AGENTS = {"one": flow.agent(prompt="hi", activate_on=["workflow:start"], updates="said")}
CALLS = []

def run_of(said="yo"):
    return flow.run_reactive(agents=AGENTS, state={"said": ""}, harness=ScriptedHarness([said]))

def test_good(wfreplay, tmp_path, made):
    assert wfreplay.run(run_of()).state["said"] == "yo"
    assert step.run("work", live, input=1) == 1

def test_draws(wfreplay):
    step.run("work", live, input=random.random())

def test_leaks(wfreplay):
    CALLS.append(1)
    step.run("work", live, input=len(CALLS))

def test_knows_whether_it_records(wfreplay):
    assert step.run("work", live, input=1) == 1
    assert wfreplay.mode == "rewrite"

def test_breaks_a_fixture(wfreplay, once):
    step.run("work", live)

@pytest.mark.wfreplay
async def test_async(made):
    assert (await run_of()).state["said"] == "yo"

@pytest.mark.wfreplay
class TestUnit(unittest.TestCase):
    def setUp(self):
        self.count = 0

    def test_unit(self):
        self.count += 1
        assert step.run("work", live, input=self.count) == 1

class TestPlain:
    def test_plain(self, wfreplay):
        assert not hasattr(self, "count")
        self.count = step.run("work", live, input=1)

@pytest.fixture
def once():
    assert not CALLS or CALLS[-1] != "once"
    CALLS.append("once")

@pytest.fixture(scope="module")
def made():
    with Path(__file__).with_name("MADE").open("a") as file:
        file.write("up ")
    yield
    with Path(__file__).with_name("MADE").open("a") as file:
        file.write("down ")
"""


def lean(*without: str) -> tuple[str, ...]:
    """What the other tests go without, but for these."""
    return tuple(f"-pno:{name}" for name in ("cacheprovider", "hypothesispytest", "asyncio", "anyio", "xdist") if name not in without)


NOTE = "recorded, then replayed at once: this differs, so the test, or what it calls, is not deterministic; its cassette is as it was"


def test_what_was_recorded_is_replayed_at_once(project: Project) -> None:
    project.ini("asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    project.write(text=DETERMINISM)
    ran = project.record("--wfreplay-always-replay", lean=lean("asyncio"))
    bad = ["test_breaks_a_fixture", "test_draws", "test_knows_whether_it_records", "test_leaks"]
    assert {name for name, outcome in ran.outcomes.items() if outcome in ("failed", "error")} == set(bad), ran.text
    assert sum(outcome == "passed" for outcome in ran.outcomes.values()) == 4
    assert ran.code == 1
    assert project.cassettes == [
        "test_it/TestPlain.test_plain.yaml",
        "test_it/TestUnit.test_unit.yaml",
        "test_it/test_async.yaml",
        "test_it/test_breaks_a_fixture.failed.yaml",
        "test_it/test_draws.failed.yaml",
        "test_it/test_good.yaml",
        "test_it/test_knows_whether_it_records.failed.yaml",
        "test_it/test_leaks.failed.yaml",
    ]
    assert ran.told("test_leaks")[0] == "StepInputMismatchError: step work was given another input than recorded"
    assert ran.told("test_leaks")[-2:] == ['see it again: pytest --record --wfreplay-always-replay "test_it.py::test_leaks"', NOTE]
    assert ran.told("test_knows_whether_it_records")[-2:] == [
        NOTE,
        'see it again: pytest --record --wfreplay-always-replay "test_it.py::test_knows_whether_it_records"',
    ]
    assert NOTE in ran.told("test_breaks_a_fixture")
    # What outlasts the tests was made once, and torn down at the end.
    assert (project.path / "MADE").read_text() == "up down "


def test_each_test_is_counted_once(project: Project) -> None:
    project.write(text="def test_a(wfreplay):\n    step.run('work', live)\n\ndef test_b(wfreplay):\n    step.run('work', live)\n")
    ran = project.record("--wfreplay-always-replay", "--junitxml=junit.xml", "-rA")
    assert ran.summary == "wfreplay: 0 replayed, 2 recorded, 0 diverged, 0 unused cassettes"
    assert "2 passed" in ran.text
    assert (project.path / "LIVE").read_text() == "xx"
    told = (project.path / "junit.xml").read_text()
    assert told.count('name="wfreplay.outcome" value="recorded"') == 2
    assert told.count("<testcase ") == told.count('name="wfreplay.mode" value="rewrite"') == 2


def test_an_old_cassette_stays_when_the_new_one_does_not_replay(project: Project) -> None:
    project.write(text="def test_a(wfreplay):\n    step.run('work', live, input=1)\n")
    project.record()
    before = project.cassette("test_it/test_a.yaml").read_bytes()
    project.write(text="import random\ndef test_a(wfreplay):\n    step.run('work', live, input=random.random())\n")
    ran = project.record("--wfreplay-always-replay")
    assert ran.summary == "wfreplay: 0 replayed, 0 recorded, 1 diverged, 0 unused cassettes"
    assert project.cassette("test_it/test_a.yaml").read_bytes() == before
    assert project.cassettes == ["test_it/test_a.failed.yaml", "test_it/test_a.yaml"]


def test_a_session_that_records_nothing_replays_nothing_again(project: Project) -> None:
    project.write(text="CALLS = []\ndef test_a(wfreplay):\n    CALLS.append(1)\n    step.run('work', live)\n    assert len(CALLS) == 1\n")
    project.record()
    assert project.replay("--wfreplay-always-replay").summary == "wfreplay: 1 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    assert project.replay("--wfreplay=once", "--wfreplay-always-replay").code == 0
    assert project.run("--wfreplay=live", "--wfreplay-always-replay").code == 0


def test_a_recording_that_cannot_be_written_is_an_error_of_the_test(project: Project) -> None:
    project.write(
        text="""
@pytest.fixture
def full(wfreplay):
    yield
    wfreplay.cassette.mkdir(parents=True, exist_ok=True)

def test_a(full, wfreplay):
    step.run("work", live)
"""
    )
    ran = project.record("--wfreplay-always-replay")
    assert ran.code == 1
    assert "CassetteUnreadable: cassettes/test_it/test_a.yaml: it cannot be written: Is a directory" in "\n".join(ran.told("test_a")), ran.text


SHUFFLED = """
async def one(number, ended):
    async def work():
        return number
    ended.append(await step.run(f"work-{number}", work))

def test_minds(wfreplay):
    async def main():
        ended = []
        await asyncio.gather(*(one(number, ended) for number in range(4)))
        assert ended == [0, 1, 2, 3]
    wfreplay.run(main)

def test_is_given_the_order(wfreplay):
    async def body(ctx):
        ended = []
        await asyncio.gather(*(one(number, ended) for number in range(4)))
        return ended
    wfreplay.run(create_workflow("order").run(body))

def test_does_not_mind(wfreplay):
    async def main():
        ended = []
        await asyncio.gather(*(one(number, ended) for number in range(4)))
        assert sorted(ended) == [0, 1, 2, 3]
    wfreplay.run(main)

def test_one_after_the_other(wfreplay):
    ended = []
    for number in range(4):
        wfreplay.run(one(number, ended))
    assert ended == [0, 1, 2, 3]
"""


def test_another_order_finds_who_minds_the_order(project: Project) -> None:
    project.write(text=SHUFFLED)
    assert project.record().code == 0
    ran = project.replay("--wfreplay-shuffle=7")
    assert ran.outcomes == {
        "test_minds": "failed",
        "test_is_given_the_order": "failed",
        "test_does_not_mind": "passed",
        "test_one_after_the_other": "passed",
    }
    note = "order-dependent? it passes in the recorded order, and was replayed with --wfreplay-shuffle=7"
    assert ran.told("test_minds")[0].startswith("AssertionError: assert [")
    assert ran.told("test_minds")[-2:] == [note, 'see it again: pytest --wfreplay-shuffle=7 "test_it.py::test_minds"']
    assert ran.told("test_is_given_the_order")[0] == "DivergenceError: the run ended with another outcome than recorded"
    assert ran.told("test_is_given_the_order")[-2:] == ['see it again: pytest --wfreplay-shuffle=7 "test_it.py::test_is_given_the_order"', note]
    assert ran.summary == "wfreplay: 2 replayed, 0 recorded, 1 diverged, 0 unused cassettes"
    assert not project.was_live
    alone = project.replay("--wfreplay-shuffle=7", "test_it.py::test_minds")
    assert alone.told("test_minds")[0] == ran.told("test_minds")[0]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--wfreplay-shuffle=often",), "--wfreplay-shuffle takes a whole number, such as --wfreplay-shuffle=7, not 'often'."),
        (("--wfreplay-shuffle=7", "--record"), "--wfreplay-shuffle replays what was recorded, and mode 'rewrite' does not"),
        (
            ("--wfreplay-mutate", "--wfreplay=verify"),
            "--wfreplay-mutate replays what was recorded, and mode 'verify' does not",
        ),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(project: Project, args: tuple[str, ...], told: str) -> None:
    project.write(text="def test_a(wfreplay):\n    step.run('work', live)\n")
    ran = project.run(*args)
    assert (ran.code, f"ERROR: {told}" in ran.text) == (4, True), ran.text


MUTATED = """
import unittest

flow = create_workflow("flow")
AGENTS = {"one": flow.agent(prompt="hi", activate_on=["workflow:start"], updates="said")}

def load():
    return {"name": "Ada", "age": 7}

def test_asserts_all(wfreplay):
    assert step.run("load", load) == {"name": "Ada", "age": 7}

def test_asserts_some(wfreplay):
    assert step.run("load", load)["name"] == "Ada"

def test_asserts_nothing(wfreplay):
    step.run("load", load)
    wfreplay.run(flow.run_reactive(agents=AGENTS, state={"said": ""}, harness=ScriptedHarness(["yo"])))

def test_takes_another_path(wfreplay):
    if step.run("load", load)["age"] == 7 and step.run("name", lambda: "Ada") == "Ada":
        step.run("work", live)

def test_in_parts(wfreplay, subtests):
    with subtests.test("part"):
        assert step.run("load", lambda: 1) == 1

@pytest.mark.wfreplay
class TestUnit(unittest.TestCase):
    def test_unit(self):
        with self.subTest("part"):
            self.assertEqual(step.run("load", lambda: 1), 1)

def test_fails(wfreplay):
    step.run("load", load)
    assert wfreplay.mode == "rewrite"

@pytest.mark.xfail(strict=True)
def test_fails_as_it_should(wfreplay):
    step.run("load", load)
    assert wfreplay.mode == "rewrite"

def test_long(wfreplay):
    assert step.run("many", lambda: list(range(40)))[0] == 0

def test_leaves_something_behind(wfreplay):
    async def never():
        pass
    coroutine = never()
    assert step.run("load", lambda: 1) == 1
    coroutine.close()

def test_nothing_to_change(wfreplay):
    step.run("send", live)
"""


def test_changes_show_which_tests_assert_nothing(project: Project) -> None:
    project.write(text=MUTATED)
    project.record("--runxfail")
    before = {name: project.cassette(name).read_bytes() for name in project.cassettes}
    ran = project.replay("--wfreplay-mutate")
    assert {name for name, outcome in ran.outcomes.items() if outcome == "failed"} == {"test_fails"}, ran.text
    lines = ran.text[ran.text.index(ran.summary) :].splitlines()
    assert lines[:7] == [
        "wfreplay: 10 replayed, 0 recorded, 0 diverged, 0 unused cassettes",
        "wfreplay: 9 tests mutated, 33 changes, 9 noticed",
        "  asserts nothing: test_it.py::test_asserts_nothing (0 of 3 changes noticed; unnoticed: load.name, one#1/harness.content, load.age)",
        "  partly unnoticed: test_it.py::test_asserts_some (1 of 2 changes noticed; unnoticed: load.age)",
        f"  partly unnoticed: test_it.py::test_long (1 of 20 changes noticed; unnoticed: {', '.join(f'many[{at}]' for at in range(1, 20))})",
        "  partly unnoticed: test_it.py::test_takes_another_path (2 of 3 changes noticed; unnoticed: load.name)",
        "  1 test could be changed in more than 20 ways; the first 20 of each were tried",
    ], ran.text
    assert {name: project.cassette(name).read_bytes() for name in project.cassettes} == before
    assert not project.was_live
    assert ran.text.count("test_in_parts") <= 4  # nobody hears of the parts that fail on purpose


def test_a_session_in_which_a_test_asserts_nothing_fails(project: Project) -> None:
    project.write(text="def test_a(wfreplay):\n    step.run('work', lambda: 'x')\n")
    project.record()
    assert project.replay().code == 0
    ran = project.replay("--wfreplay-mutate", "-q")
    assert (ran.code, "1 passed" in ran.text) == (1, True)
    assert "  asserts nothing: test_it.py::test_a (0 of 1 change noticed; unnoticed: work)" in ran.text
    project.write(text="def test_a(wfreplay):\n    assert step.run('work', lambda: 'x') == 'x'\n")
    assert project.replay("--wfreplay-mutate").code == 0


def test_a_test_that_waits_for_what_was_changed_does_not_wait_for_ever(project: Project) -> None:
    project.write(
        text="""
def test_a(wfreplay):
    async def main():
        come = asyncio.Event()
        if step.run("work", lambda: "done") == "done":
            come.set()
        await come.wait()

    wfreplay.run(main)

def test_b(wfreplay):
    assert step.run("work", lambda: 1) == 1
"""
    )
    project.record()
    ran = project.replay("--wfreplay-mutate")
    assert "wfreplay: 2 tests mutated, 2 changes, 2 noticed" in ran.text, ran.text
    assert ran.code == 0


def test_what_workers_find_comes_home(project: Project) -> None:
    project.write(text=MUTATED)
    project.record("--runxfail")
    ran = project.replay("--wfreplay-mutate", "-n2", lean=lean("xdist"))
    assert "wfreplay: 9 tests mutated, 33 changes, 9 noticed" in ran.text, ran.text
    assert "  asserts nothing: test_it.py::test_asserts_nothing (0 of 3 changes noticed" in ran.text
    assert re.search(r"1 failed, 9 passed, 1 xfailed", ran.text)


def test_teardowns_of_wider_fixtures_that_break_are_told(project: Project) -> None:
    project.write(
        text="""
@pytest.fixture(scope="module")
def wide():
    yield
    if Path(__file__).with_name("BREAK").exists():
        raise ValueError("wide")

def test_a(wfreplay, wide):
    assert step.run("work", lambda: 1) == 1

def test_b(wfreplay, wide):
    assert step.run("work", lambda: 1) == 1
"""
    )
    project.record()
    (project.path / "BREAK").touch()
    ran = project.replay("--wfreplay-mutate")
    assert "ERROR at teardown of test_b" in ran.text
    assert "2 passed, 1 error" in ran.text
    assert "wfreplay: 2 tests mutated, 2 changes, 2 noticed" in ran.text


def test_a_frozen_clock_and_luck_are_the_same_in_replay(project: Project) -> None:
    project.write(
        text="""
def test_time(wfreplay):
    clock, began = wfreplay.clock, wfreplay.clock.now()
    assert clock is wfreplay.clock and clock.now() == began
    assert clock.time() == began.timestamp() and clock.monotonic() == 0
    clock.advance(60)
    asyncio.run(clock.sleep(3600))
    assert (clock.now() - began).total_seconds() == clock.monotonic() == 3660
    assert step.run("work", live, input=[clock.now(), wfreplay.random.random(), wfreplay.random.randrange(100)])
    with pytest.raises(ConfigurationError, match="not by -1"):
        clock.advance(-1)
"""
    )
    assert project.record("--wfreplay-always-replay").summary == "wfreplay: 0 replayed, 1 recorded, 0 diverged, 0 unused cassettes"
    assert project.replay().summary == "wfreplay: 1 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    text = project.cassette("test_it/test_time.yaml").read_text()
    assert re.findall(r"- step: (.*)", text) == ["wfreplay.clock", "wfreplay.random", "work"]

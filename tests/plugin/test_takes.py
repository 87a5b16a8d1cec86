"""What runs in a marked test is recorded and replayed, without the code under test knowing; what outlives a test is kept out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

#: With the plugins that run async tests.
LEAN = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:xdist")

#: The code under test knows nothing of us but its steps and workflows.
SHOP = """
from pathlib import Path
from pytest_wfreplay import ScriptedHarness, create_workflow, step

def live(given=None):
    with Path(__file__).with_name("LIVE").open("a") as file:
        file.write("x")
    return given

@step
def load(user):
    return live({"user": user})

@step
async def charge(amount):
    return live({"paid": amount})

class Harness(ScriptedHarness):
    async def run(self, input, ctx):
        live()
        async for signal in super().run(input, ctx):
            yield signal

flow = create_workflow("shop")
AGENTS = {"sell": flow.agent(prompt="sell {{ what }}", activate_on=["workflow:start"], updates="sold")}

async def sell(what="a boat"):
    result = await flow.run_reactive(agents=AGENTS, state={"what": what, "sold": ""}, harness=Harness(lambda input, ctx: "sold " + what))
    return result.state["sold"]
"""

SYNC = """
import asyncio
import unittest
import pytest
from shop import charge, live, load, sell

pytestmark = pytest.mark.wfreplay

def test_function():
    assert load(1) == {"user": 1}

class TestClass:
    def test_method(self):
        assert [load(1), load(2), load(1)] == [{"user": 1}, {"user": 2}, {"user": 1}]

def test_several_runs():
    assert asyncio.run(sell()) == "sold a boat"
    assert asyncio.run(sell("a car")) == "sold a car"
    assert load(3) == {"user": 3}
    assert asyncio.run(sell()) == "sold a boat"

def test_tasks():
    async def main():
        one = asyncio.create_task(charge(1))
        two = asyncio.create_task(sell())
        three = asyncio.to_thread(load, 3)
        async with asyncio.TaskGroup() as group:
            four = group.create_task(charge(4))
        return await one, await two, await three, await four
    assert asyncio.run(main()) == ({"paid": 1}, "sold a boat", {"user": 3}, {"paid": 4})

@pytest.fixture
def customer():
    return load(7)

@pytest.fixture
def order(customer):
    yield asyncio.run(sell("for " + str(customer["user"])))
    live()

def test_fixtures(order, customer):
    assert order == "sold for 7"
    assert load(8) == {"user": 8}

@pytest.fixture(autouse=True)
def account():
    return load("always")

@pytest.fixture(scope="module")
def warehouse():
    return load("once")

def test_module_fixture(warehouse):
    assert warehouse == {"user": "once"}

def test_module_fixture_again(warehouse):
    assert load(1) == {"user": 1}

class TestCase(unittest.TestCase):
    def setUp(self):
        self.user = load("set up")

    def test_method(self):
        self.assertEqual(load(1), {"user": 1})
        self.assertEqual(asyncio.run(sell()), "sold a boat")

class TestAsyncCase(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.paid = await charge("set up")

    async def test_method(self):
        self.assertEqual(await charge(1), {"paid": 1})
        self.assertEqual(await sell(), "sold a boat")
"""

ASYNC = """
import asyncio
import pytest
from shop import charge, live, load, sell

pytestmark = [pytest.mark.wfreplay, pytest.mark.{runner}]

@pytest.fixture
def anyio_backend():
    return "asyncio"

@{fixture}
async def paid():
    yield await charge("fixture")

async def test_awaits(paid):
    assert paid == {{"paid": "fixture"}}
    assert await charge(1) == {{"paid": 1}}
    assert await sell() == "sold a boat"

async def test_tasks():
    one, two = await asyncio.gather(charge(1), sell())
    assert (one, two, await asyncio.to_thread(load, 3)) == ({{"paid": 1}}, "sold a boat", {{"user": 3}})

class TestClass:
    async def test_method(self, paid):
        assert await asyncio.create_task(charge(2)) == {{"paid": 2}}
"""


def steps_of(project: Project, cassette: str) -> list[str]:
    """The keys of a cassette's steps."""
    return re.findall(r"^  - step: (.*)", project.cassette(cassette).read_text(), re.MULTILINE)


def test_sync_tests_fixtures_and_unittest(project: Project) -> None:
    project.write("shop.py", SHOP, prelude="")
    project.write("test_shop.py", SYNC, prelude="")
    ran = project.record()
    assert set(ran.outcomes.values()) == {"passed"}, ran.text
    assert steps_of(project, "test_shop/test_fixtures.yaml") == ["load", "load#2", "load#3", "sell#1/harness"]
    assert steps_of(project, "test_shop/test_several_runs.yaml") == ["load", "load#2", *["sell#1/harness"] * 3]
    assert steps_of(project, "test_shop/test_module_fixture.yaml") == ["load"], "a fixture of the module is kept out"
    assert steps_of(project, "test_shop/fixture.warehouse.yaml") == ["load"]
    assert steps_of(project, "test_shop/TestCase.test_method.yaml") == ["load", "load#2", "load#3", "sell#1/harness"]
    ran = project.replay()
    assert set(ran.outcomes.values()) == {"passed"}, ran.text
    assert (project.path / "LIVE").read_text() == "x", "what the end of a fixture does by itself"
    assert ran.summary == "wfreplay: 9 replayed, 0 recorded, 0 diverged, 0 unused cassettes"


def test_pytest_asyncio_and_anyio(project: Project) -> None:
    project.ini("asyncio_default_fixture_loop_scope = function\n")
    project.write("shop.py", SHOP, prelude="")
    project.write("test_anyio.py", ASYNC.format(runner="anyio", fixture="pytest.fixture"), prelude="")
    strict = "import pytest_asyncio\n" + ASYNC.format(runner="asyncio", fixture="pytest_asyncio.fixture")
    project.write("test_strict.py", strict, prelude="")
    project.write("test_module.py", strict.replace("mark.asyncio]", 'mark.asyncio(loop_scope="module")]'), prelude="")
    ran = project.record(lean=LEAN)
    assert set(ran.outcomes.values()) == {"passed"}, ran.text
    for name in ("anyio", "strict", "module"):
        assert steps_of(project, f"test_{name}/test_awaits.yaml") == ["charge", "charge#2", "sell#1/harness"]
    ran = project.replay(lean=LEAN)
    assert set(ran.outcomes.values()) == {"passed"}, ran.text
    assert not project.was_live

    project.ini("asyncio_default_fixture_loop_scope = function\nasyncio_mode = auto\n")
    for path in project.path.glob("test_*.py"):
        path.unlink()
    project.write("test_strict.py", ASYNC.format(runner="wfreplay", fixture="pytest.fixture"), prelude="")
    ran = project.replay(lean=LEAN)
    assert set(ran.outcomes.values()) == {"passed"}, ran.text
    assert not project.was_live


RIVALS = """
@pytest.mark.wfreplay
def test_a():
    step.run("work", live)

@pytest.mark.wfreplay
def test_A():
    step.run("work", live)

class TestNamed:
    @pytest.fixture
    def wfreplay_cassette_name(self):
        return "mine"

    @pytest.mark.wfreplay
    def test_one(self):
        step.run("work", live)

    @pytest.mark.wfreplay
    def test_two(self):
        step.run("work", live)
"""


def test_two_tests_that_claim_one_file_fail_and_name_both(project: Project) -> None:
    project.write(text=RIVALS)
    ran = project.record()
    assert ran.outcomes == {"test_a": "failed", "test_A": "failed", "TestNamed::test_one": "passed", "TestNamed::test_two": "failed"}
    hint = 'hint: Rename one, or share it on purpose: @pytest.mark.wfreplay(cassette="shared").'
    assert ran.told("test_a") == [
        "ConfigurationError: test_it.py::test_a and test_it.py::test_A claim one cassette, cassettes/test_it/test_a.yaml.",
        hint,
    ]
    both = "test_it.py::TestNamed::test_one and test_it.py::TestNamed::test_two"
    assert ran.told("TestNamed.test_two") == [f"ConfigurationError: {both} claim one cassette, cassettes/mine.yaml.", hint]
    assert project.record("test_it.py::test_a").code == 0


UNLIKE = """
import pytest
from pytest_wfreplay import step

@pytest.mark.wfreplay(cassette="{0}")
def test_one():
    step.run("work", lambda: 1)

@pytest.mark.wfreplay{1}
def test_two():
    step.run("work", lambda: 2)
"""


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ("mine", '(cassette="mine")', "passed"),
        ("mine", '(cassette="mine.yaml")', "passed"),
        ("mine", '(cassette="Mine")', "failed"),
        ("test_it/test_two", "", "failed"),
    ],
)
def test_a_cassette_is_shared_by_those_who_name_it_alike(project: Project, first: str, second: str, outcome: str) -> None:
    project.write(text=UNLIKE.format(first, second))
    assert project.record().outcomes == {"test_one": outcome, "test_two": outcome}


FIXTURE_WORKS = """
@pytest.fixture
def worked():
    return step.run("work", live)

@pytest.mark.wfreplay
def test_it(worked):
    pass

@pytest.fixture
def late():
    yield
    step.run("late", live)

@pytest.mark.wfreplay
def test_late(late):
    step.run("work", live)
"""


def test_fixtures_do_nothing_live_without_a_cassette_nor_after_the_test(project: Project) -> None:
    project.write(text=FIXTURE_WORKS)
    ran = project.replay()
    assert not project.was_live
    assert ran.outcomes == {"test_it": "error", "test_late": "error"}
    assert ran.told("test_it") == [
        "CassetteMissing: cassettes/test_it/test_it.yaml: there is no cassette for this test",
        'hint: Record it: pytest --record "test_it.py::test_it"',
    ]
    ran = project.record()
    assert "ConfigurationError: Step 'late' began after test_it.py::test_late had ended." in ran.text
    assert (project.path / "LIVE").read_text() == "xx"

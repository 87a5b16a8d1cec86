"""Fixtures that outlast a test and run a workflow or a step have a cassette of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

MODULE = """
pytestmark = pytest.mark.wfreplay

@pytest.fixture(scope="module")
def catalogue():
    made = step.run("build", live, input=BUILD)
    yield made
    step.run("tear", live, input=made)

def test_one(catalogue):
    assert catalogue == BUILD
    step.run("one", live)

def test_two(catalogue):
    assert step.run("two", live, input=catalogue) == BUILD
"""


def test_a_module_fixture_is_recorded_once_and_replayed_for_whoever_needs_it(project: Project) -> None:
    project.write(text="BUILD = 1\n" + MODULE)
    ran = project.record()
    assert ran.code == 0, ran.text
    assert ran.summary == "wfreplay: 0 replayed, 2 recorded, 0 diverged, 0 unused cassettes"
    assert project.cassettes == ["test_it/fixture.catalogue.yaml", "test_it/test_one.yaml", "test_it/test_two.yaml"]
    text = project.cassette("test_it/fixture.catalogue.yaml").read_text()
    assert text.startswith('# Recorded by pytest-wfreplay. Replay: pytest. Record again: pytest --record "test_it.py::test_one"\n')
    assert [line for line in text.splitlines() if "- step:" in line] == ["  - step: build", "  - step: tear"]
    assert "build" not in project.cassette("test_it/test_one.yaml").read_text()

    ran = project.replay()
    assert ran.code == 0, ran.text
    assert ran.summary == "wfreplay: 2 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    ran = project.replay("test_it.py::test_two")
    assert ran.code == 0, ran.text
    assert not project.was_live


def test_what_diverges_in_a_fixture_is_the_error_of_every_test_that_needs_it(project: Project) -> None:
    project.write(text="BUILD = 1\n" + MODULE)
    assert project.record().code == 0
    project.write(text="BUILD = 2\n" + MODULE)
    ran = project.replay()
    assert not project.was_live
    assert ran.outcomes == {"test_one": "error", "test_two": "error"}
    told = ran.told("test_one")
    assert told[0] == "StepInputMismatchError: step build was given another input than recorded"
    assert "recorded in cassettes/test_it/fixture.catalogue.yaml" in told[2]
    assert 'record again: pytest --record "test_it.py::test_one"' in told[-1]
    assert ran.summary == "wfreplay: 0 replayed, 0 recorded, 2 diverged, 0 unused cassettes"


def test_a_fixture_without_a_cassette_does_nothing_live_in_replay(project: Project) -> None:
    project.write(text="BUILD = 1\n" + MODULE)
    assert project.record().code == 0
    project.cassette("test_it/fixture.catalogue.yaml").unlink()
    ran = project.replay()
    assert not project.was_live
    assert ran.outcomes == {"test_one": "error", "test_two": "error"}
    assert ran.told("test_two") == [
        "CassetteMissing: cassettes/test_it/fixture.catalogue.yaml: there is no cassette for fixture 'catalogue'",
        'hint: Record it: pytest --record "test_it.py::test_one"',
    ]
    assert project.run("--record", "test_it.py::test_one").code == 0
    assert project.replay().code == 0


def test_what_is_left_over_fails_the_teardown(project: Project) -> None:
    project.write(text="BUILD = 1\n" + MODULE)
    assert project.record().code == 0
    project.write(text="BUILD = 1\n" + MODULE.replace('    step.run("tear", live, input=made)\n', ""))
    ran = project.replay()
    assert ran.outcomes["test_one"] == "passed"
    assert ran.code == 1
    assert "ERROR at teardown of test_two" in ran.text
    assert "DivergenceError: step tear was recorded and never began" in ran.text, ran.text


def test_code_that_swallows_the_error_does_not_save_the_fixture(project: Project) -> None:
    swallowing = """
    import contextlib

    @pytest.fixture(scope="module")
    def careless():
        with contextlib.suppress(Exception):
            step.run(KEY, live)

    @pytest.mark.wfreplay
    def test_it(careless):
        step.run("work", live)
    """
    text = "\n".join(line.removeprefix("    ") for line in swallowing.splitlines())
    project.write(text="KEY = 'a'\n" + text)
    assert project.record().code == 0
    project.write(text="KEY = 'b'\n" + text)
    ran = project.replay()
    assert ran.outcomes == {"test_it": "error"}
    assert ran.told("test_it")[0] == "UnrecordedStepError: step b is not in the recording; its work was not begun"
    project.cassette("test_it/fixture.careless.yaml").unlink()
    assert project.replay().told("test_it")[0].startswith("CassetteMissing: cassettes/test_it/fixture.careless.yaml")
    assert not project.was_live


SCOPES = """
import pytest
from pathlib import Path
from pytest_wfreplay import step

def live(given=None):
    with Path(__file__).with_name("LIVE").open("a") as file:
        file.write("x")
    return given

@pytest.fixture(scope="session")
def everywhere():
    return step.run("everywhere", live, input=1)

@pytest.fixture(scope="session", params=["eu", "US", 3])
def region(request):
    return step.run("region", live, input=request.param)

@pytest.fixture(scope="package")
def parcel():
    return step.run("parcel", live, input=2)

@pytest.fixture(scope="module")
def shared():
    return step.run("shared", live, input=3)
"""

SCOPED = """
@pytest.fixture(scope="module")
def shared(shared):
    return step.run("over", live, input=shared + 1)

@pytest.fixture(scope="session")
def here(everywhere):
    return step.run("here", live, input=everywhere)

@pytest.mark.wfreplay
def test_all(everywhere, region, parcel, shared, here):
    assert (everywhere, parcel, shared, here) == (1, 2, 4, 1)
    step.run("work", live, input=region)

class TestClass:
    @pytest.fixture(scope="class")
    def classy(self):
        return step.run("classy", live, input=5)

    @pytest.mark.wfreplay
    def test_class(self, classy):
        assert step.run("work", live, input=classy) == 5
"""


def test_each_scope_has_its_place(project: Project) -> None:
    project.write("sub/conftest.py", SCOPES, prelude="")
    project.write("sub/__init__.py", "", prelude="")
    project.write("sub/test_scopes.py", SCOPED)
    ran = project.record("-W", "ignore::pytest.PytestWarning")
    assert ran.code == 0, ran.text
    digests = [name for name in project.cassettes if "US" in name or "us-" in name]
    assert [name for name in project.cassettes if name not in digests] == [
        "sub/conftest/fixture.everywhere.yaml",
        "sub/conftest/fixture.region[3].yaml",
        "sub/conftest/fixture.region[eu].yaml",
        "sub/fixture.parcel.yaml",
        "sub/test_scopes/TestClass.fixture.classy.yaml",
        "sub/test_scopes/TestClass.test_class.yaml",
        "sub/test_scopes/fixture.here.yaml",
        "sub/test_scopes/fixture.shared.1.yaml",
        "sub/test_scopes/fixture.shared.yaml",
        "sub/test_scopes/test_all[3].yaml",
        "sub/test_scopes/test_all[eu].yaml",
    ]
    assert len(digests) == 2
    assert "unused cassettes" in ran.summary
    (project.path / "sub/LIVE").unlink()
    ran = project.replay("-W", "ignore::pytest.PytestWarning")
    assert ran.code == 0, ran.text
    assert not (project.path / "sub/LIVE").exists()
    assert ran.summary == "wfreplay: 4 replayed, 0 recorded, 0 diverged, 0 unused cassettes"


ORDINARY = """
import subprocess, sys, threading
from concurrent.futures import ThreadPoolExecutor

@pytest.fixture(scope="session")
def server(tmp_path_factory):
    yield subprocess.run([sys.executable, "-c", "print(7)"], capture_output=True, check=True).stdout
    tmp_path_factory.mktemp("gone")

@pytest.fixture(scope="session")
def threaded():
    with ThreadPoolExecutor() as pool:
        return pool.submit(step.run, "pooled", live, input=2).result()

@pytest.fixture(scope="module")
def unmarked():
    return step.run("unmarked", live)

@pytest.fixture(scope="session")
def flow():
    return create_workflow("made")

def test_before(server):
    assert server.strip() == b"7"

@pytest.mark.wfreplay
def test_it(server, threaded, flow, wfreplay):
    async def body(ctx):
        return await ctx.step("work", live, server.decode().strip())
    assert threaded == 2
    assert wfreplay.run(flow.run(body)) == "7"

def test_unmarked(unmarked, threaded):
    assert threaded == 2
"""


def test_an_ordinary_fixture_needs_no_cassette_and_an_unmarked_test_s_own_is_left_alone(project: Project) -> None:
    project.write(text=ORDINARY)
    ran = project.record()
    assert ran.code == 0, ran.text
    assert project.cassettes == ["test_it/fixture.threaded.yaml", "test_it/test_it.yaml"]
    assert "workflow: made" in project.cassette("test_it/test_it.yaml").read_text()
    ran = project.replay()
    assert ran.code == 0, ran.text
    assert ran.summary == "wfreplay: 1 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    assert (project.path / "LIVE").read_text() == "x", "the module fixture of the unmarked test alone"


def test_a_cassette_that_a_fixture_no_longer_needs_is_unused_and_one_that_was_not_made_is_not(project: Project) -> None:
    project.write(text=ORDINARY)
    assert project.record().code == 0
    skipped = ORDINARY.replace("@pytest.mark.wfreplay\n", "@pytest.mark.skip\n@pytest.mark.wfreplay\n")
    project.write(text=skipped.replace("unmarked, threaded)", "unmarked, threaded=2)"))
    assert project.replay().summary == "wfreplay: 0 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    project.write(text=ORDINARY.replace('pool.submit(step.run, "pooled", live, input=2)', "pool.submit(int, 2)"))
    ran = project.replay()
    assert ran.code == 0, ran.text
    assert "  unused: cassettes/test_it/fixture.threaded.yaml" in ran.text


FAILING = """
HOW = Path(__file__).with_name("HOW").read_text()

@pytest.fixture(scope="module")
def setting():
    step.run("up", live, input=HOW)
    assert HOW != "setup"
    yield
    step.run("down", live, input=HOW)
    assert HOW != "teardown"

@pytest.mark.wfreplay
def test_it(setting):
    step.run("work", live)
"""


@pytest.mark.parametrize("how", ["setup", "teardown"])
def test_a_failed_fixture_never_overwrites_its_cassette(project: Project, how: str) -> None:
    project.write(text=FAILING)
    (project.path / "HOW").write_text("good")
    assert project.record().code == 0
    before = project.cassette("test_it/fixture.setting.yaml").read_bytes()
    (project.path / "HOW").write_text(how)
    assert project.record().code == 1
    assert project.cassette("test_it/fixture.setting.yaml").read_bytes() == before
    assert f'input: "{how}"' in project.cassette("test_it/fixture.setting.failed.yaml").read_text()
    (project.path / "HOW").write_text("good")
    assert project.record().code == 0
    assert project.cassettes == ["test_it/fixture.setting.yaml", "test_it/test_it.yaml"]


CONFIG = """
@pytest.fixture(scope="session")
def wfreplay_config():
    return {"redact": ["customer-[0-9]+"], "ignore": ["steps[load].input.at"]}

@pytest.fixture(scope="session")
def wfreplay_cassette_dir():
    return "tapes"

@pytest.fixture(scope="session")
def customer():
    return step.run("load", live, input={"id": "customer-7", "at": AT})

@pytest.mark.wfreplay
def test_it(customer):
    assert step.run("work", live, input=customer)
"""


def test_a_fixture_heeds_the_session_s_own_fixtures_and_its_module_s_marker(project: Project) -> None:
    project.write(text="AT = 1\n" + CONFIG)
    ran = project.record()
    assert ran.code == 0, ran.text
    text = (project.path / "tapes/test_it/fixture.customer.yaml").read_text()
    assert 'input: {"id": "[redacted]", "at": 1}' in text
    project.write(text="AT = 2\n" + CONFIG.replace("assert step", "customer['at'] = 1; assert step"))
    ran = project.replay()
    assert ran.code == 0, ran.text
    assert not project.was_live

    narrowed = MODULE.replace("pytest.mark.wfreplay", 'pytest.mark.wfreplay(mode="none", ignore=["steps[build].input"])')
    project.write("test_marked.py", "BUILD = 1\n" + narrowed)
    ran = project.record("test_marked.py")
    assert "cassettes/test_marked/fixture.catalogue.yaml: there is no cassette for fixture 'catalogue'" in ran.text
    assert not project.was_live


ASYNC = """
import asyncio
import pytest
from pathlib import Path
from pytest_wfreplay import ScriptedHarness, create_workflow, step
{imports}

def live(given=None):
    with Path(__file__).with_name("LIVE").open("a") as file:
        file.write("x")
    return given

async def slow(given=None):
    await asyncio.sleep(0)
    return live(given)

flow = create_workflow("shop")
AGENTS = {{"clerk": flow.agent(prompt="Go", activate_on=["workflow:start"], updates="said")}}

class Harness(ScriptedHarness):
    async def run(self, input, ctx):
        live()
        async for signal in super().run(input, ctx):
            yield signal

{backend}

@{fixture}(scope="module"{loop})
async def opened({ask}):
    done = await flow.run_reactive(agents=AGENTS, state={{"said": ""}}, harness=Harness(["hello"]))
    yield done.state["said"]
    await step.run("close", slow, input=1)

@{fixture}(scope="module"{loop})
async def given({ask}):
    return await asyncio.create_task(step.run("give", slow, input=2))

@{fixture}
async def each({ask}):
    await step.run("each", slow, input=3)
    yield
    assert True

@pytest.mark.wfreplay
@{mark}
async def test_one(opened, given, each):
    assert (opened, given) == ("hello", 2)
    await step.run("work", slow, input=4)

@pytest.mark.wfreplay
@{mark}
async def test_two(opened, given, each):
    await asyncio.gather(step.run("work", slow, input=5), step.run("more", slow, input=6))
"""

RUNNERS = {
    "asyncio": {
        "imports": "import pytest_asyncio",
        "backend": "",
        "fixture": "pytest_asyncio.fixture",
        "loop": ', loop_scope="module"',
        "ask": "",
        "mark": 'pytest.mark.asyncio(loop_scope="module")',
    },
    "anyio": {
        "imports": "",
        "backend": '@pytest.fixture(scope="module")\ndef anyio_backend():\n    return "asyncio"\n',
        "fixture": "pytest.fixture",
        "loop": "",
        "ask": "anyio_backend",
        "mark": "pytest.mark.anyio",
    },
}


@pytest.mark.parametrize("runner", RUNNERS)
def test_async_fixtures_are_recorded_and_replayed_whoever_runs_them(project: Project, runner: str) -> None:
    lean = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:xdist")
    project.ini("asyncio_default_fixture_loop_scope = function\n")
    project.write(text=ASYNC.format(**RUNNERS[runner]), prelude="")
    ran = project.record(lean=lean)
    assert ran.code == 0, ran.text
    assert project.cassettes == [
        "test_it/fixture.given.yaml",
        "test_it/fixture.opened.yaml",
        "test_it/test_one.yaml",
        "test_it/test_two.yaml",
    ]
    steps = [line.split("step: ")[1] for line in project.cassette("test_it/fixture.opened.yaml").read_text().splitlines() if "- step:" in line]
    assert steps == ["close", "clerk#1/harness"]
    assert "- step: each" in project.cassette("test_it/test_two.yaml").read_text()
    ran = project.replay(lean=lean)
    assert ran.code == 0, ran.text
    assert not project.was_live


def test_two_workers_record_the_fixture_that_both_need_and_both_replay_it(project: Project) -> None:
    lean = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio")
    many = """
@pytest.fixture(scope="session")
def catalogue():
    yield [step.run("build", live, input=at) for at in range(50)]
    step.run("tear", live)

@pytest.mark.wfreplay
@pytest.mark.parametrize("at", range(6))
def test_it(catalogue, at):
    assert step.run("work", live, input=catalogue[at]) == at
"""
    project.write(text=many)
    ran = project.record("-n", "2", lean=lean)
    assert ran.code == 0, ran.text
    assert ran.summary == "wfreplay: 0 replayed, 6 recorded, 0 diverged, 0 unused cassettes"
    assert len(project.cassettes) == 7
    for args in (["-n", "2"], []):
        ran = project.replay(*args, lean=lean)
        assert ran.code == 0, ran.text
        assert ran.summary == "wfreplay: 6 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    assert not project.was_live


def test_modes_are_those_of_tests(project: Project) -> None:
    project.write(text="BUILD = 1\n" + MODULE)
    assert project.run("--wfreplay=once").code == 0
    assert project.replay("--wfreplay=once").code == 0
    assert not project.was_live
    assert project.replay("--wfreplay=verify").code == 0
    assert (project.path / "LIVE").read_text() == "xxxx"
    before = project.cassette("test_it/fixture.catalogue.yaml").read_text()
    project.write(text="BUILD = 1\n" + MODULE.replace("yield made", 'step.run("new", live); yield made'))
    ran = project.replay("--wfreplay=new_episodes")
    assert ran.code == 0, ran.text
    assert (project.path / "LIVE").read_text() == "x"
    assert project.cassette("test_it/fixture.catalogue.yaml").read_text().count("- step: ") == before.count("- step: ") + 1
    assert project.replay().code == 0
    assert project.run("--wfreplay=live").code == 0
    ran = project.replay("--record", "--wfreplay-only=build")
    assert ran.code == 0, ran.text
    assert (project.path / "LIVE").read_text() == "x"


LEAKED = """
import threading

go, said = threading.Event(), []

@pytest.fixture(scope="module")
def leaking():
    def work():
        go.wait(5)
        try:
            step.run("late", live)
        except Exception as error:
            said.append(str(error))
    thread = threading.Thread(target=work)
    thread.start()
    step.run("early", live)
    return thread

@pytest.mark.wfreplay
def test_it(leaking):
    step.run("work", live)
    go.set()
    leaking.join()
    print(said)
    assert "late" in said[0] and "had ended" in said[0]
"""


def test_a_thread_that_a_fixture_leaks_reaches_nobody_s_cassette(project: Project) -> None:
    project.write(text=LEAKED)
    assert project.record().code == 0
    assert "late" not in "".join(project.cassette(name).read_text() for name in project.cassettes)
    ran = project.replay()
    assert ran.code == 0, ran.text


ASKED = """
@pytest.fixture(scope="session")
def catalogue():
    return step.run("build", live)

@pytest.mark.wfreplay
def test_it(request):
    if Path(__file__).with_name("SKIP").exists():
        pytest.skip("not today")
    request.getfixturevalue("catalogue")
    step.run("work", live)
"""


def test_a_fixture_that_a_test_asks_for_while_it_runs_has_a_cassette_that_a_skip_does_not_make_unused(project: Project) -> None:
    project.write(text=ASKED)
    assert project.record().code == 0
    names = ["test_it/fixture.catalogue.yaml", "test_it/test_it.yaml"]
    assert project.cassettes == names
    assert project.replay().code == 0
    assert not project.was_live
    (project.path / "SKIP").touch()
    ran = project.replay("--wfreplay-unused=delete")
    assert ran.outcomes == {"test_it": "skipped"}
    assert project.cassettes == names, ran.text

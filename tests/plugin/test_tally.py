"""What a session did is counted once for each test, on workers too; and a partial session calls no cassette unused."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Project

XDIST = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio")
PARTIAL = "unused cassettes not looked for in a partial run"

TESTS = """
@pytest.mark.wfreplay
@pytest.mark.parametrize("number", range(4))
def test_it(number):
    step.run("work", live, input=number)

@pytest.mark.wfreplay
def test_skips():
    pytest.skip("today")

@pytest.mark.wfreplay(cassette="shared")
@pytest.mark.skip
def test_is_skipped():
    step.run("work", live)

def test_plain():
    pass
"""


def written(project: Project) -> None:
    """The project, recorded, with one cassette that nobody uses and two files that are not to be counted."""
    project.write("test_it.py", TESTS)
    project.write("test_other.py", "@pytest.mark.wfreplay\ndef test_other():\n    step.run('work', live)\n")
    assert project.record().code == 0
    text = project.cassette("test_other/test_other.yaml").read_text()
    project.cassette("test_it/test_skips.yaml").write_text(text)
    project.cassette("shared.yaml").write_text(text)
    project.cassette("test_it/test_gone.yaml").write_text(text)
    project.cassette("test_it/test_it[0].failed.yaml").write_text(text)
    project.cassette("not_ours.yaml").write_text("a: 1\n")


def test_unused_cassettes_are_listed_after_a_whole_session_only(project: Project) -> None:
    written(project)
    ran = project.replay()
    at = ran.text.splitlines().index("wfreplay: 5 replayed, 0 recorded, 0 diverged, 1 unused cassettes")
    assert ran.text.splitlines()[at + 1] == "  unused: cassettes/test_it/test_gone.yaml"
    for args in (
        ["-k", "test_it"],
        ["-m", "wfreplay"],
        ["test_it.py"],
        ["test_it.py::test_it[1]"],
        ["--deselect=test_it.py::test_it[1]"],
        ["--ignore=test_other.py"],
        ["-o", "python_files=test_it.py"],
    ):
        summary = project.replay(*args).summary
        assert summary.endswith(PARTIAL), (args, summary)
    (project.path / "LIVE").unlink(missing_ok=True)


def test_a_session_that_did_not_see_every_test_is_partial(project: Project) -> None:
    written(project)
    project.write("test_it.py", TESTS.replace("input=number", "input=number + 1"))
    assert project.replay("-x").summary == f"wfreplay: 0 replayed, 0 recorded, 1 diverged, {PARTIAL}"
    project.write("test_it.py", TESTS)
    project.write("test_other.py", "pytest.skip('not here', allow_module_level=True)\n")
    assert project.replay().summary == f"wfreplay: 4 replayed, 0 recorded, 0 diverged, {PARTIAL}"
    project.write("test_other.py", "import not_there\n")
    assert project.replay("--continue-on-collection-errors").summary.endswith(PARTIAL)
    (project.path / "test_other.py").unlink()
    project.write("conftest.py", "def pytest_collection_modifyitems(items):\n    del items[0]\n", prelude="")
    assert project.replay().summary == f"wfreplay: 3 replayed, 0 recorded, 0 diverged, {PARTIAL}"
    named = "import pytest\n@pytest.fixture\ndef wfreplay_cassette_name(request):\n    return 'named/' + request.node.name\n"
    project.write("conftest.py", named, prelude="")
    assert project.record().summary == f"wfreplay: 0 replayed, 4 recorded, 0 diverged, {PARTIAL}", "a skipped test's name is not known"


def test_workers_send_home_what_they_counted(project: Project) -> None:
    written(project)
    ran = project.replay("-n", "2", lean=XDIST)
    assert ran.summary == "wfreplay: 5 replayed, 0 recorded, 0 diverged, 1 unused cassettes", ran.text
    ran = project.record("-n", "2", lean=XDIST)
    assert ran.summary == "wfreplay: 0 replayed, 5 recorded, 0 diverged, 1 unused cassettes", ran.text
    assert project.replay("-n", "2", "-k", "test_it", lean=XDIST).summary == f"wfreplay: 4 replayed, 0 recorded, 0 diverged, {PARTIAL}"
    project.write("test_other.py", "import os\n@pytest.mark.wfreplay\ndef test_other():\n    os._exit(1)\n")
    assert project.replay("-n", "2", lean=XDIST).summary.endswith(PARTIAL)


RERUN = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    from _pytest.runner import runtestprotocol

    for _ in range(2):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if not any(report.failed for report in reports):
            break
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""

FLAKY = """
@pytest.mark.wfreplay
def test_flaky():
    step.run("work", live, input=1)
    tries = Path(__file__).with_name("TRIES")
    tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
    assert len(tries.read_text()) % 2 == 0
"""


def test_a_test_that_is_run_again_counts_once(project: Project) -> None:
    project.write("conftest.py", RERUN, prelude="")
    project.write(text=FLAKY)
    ran = project.record()
    assert (ran.code, ran.summary) == (0, "wfreplay: 0 replayed, 1 recorded, 0 diverged, 0 unused cassettes")
    ran = project.replay()
    assert (ran.code, ran.summary) == (0, "wfreplay: 1 replayed, 0 recorded, 0 diverged, 0 unused cassettes")
    assert project.cassettes == ["test_it/test_flaky.yaml"]


def test_a_session_without_a_single_argument_is_a_whole_one(project: Project) -> None:
    """As most people start it: no argument, nothing in the environment, whoever else is installed."""
    project.write(text="@pytest.mark.wfreplay\ndef test_it():\n    step.run('work', live)\n")
    (project.path / "pytest.ini").write_text("[pytest]\n")  # whoever else is installed may warn
    environ = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    for args, summary in ((["--record"], "0 replayed, 1 recorded"), ([], "1 replayed, 0 recorded")):
        command = [sys.executable, "-m", "pytest", *args]
        ran = subprocess.run(command, cwd=project.path, env=environ, capture_output=True, text=True, encoding="utf-8", check=False)
        assert ran.returncode == 0, ran.stdout
        assert f"wfreplay: {summary}, 0 diverged, 0 unused cassettes" in ran.stdout

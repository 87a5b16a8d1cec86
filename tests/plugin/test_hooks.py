"""What the plugin adds to pytest, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

PLAIN = "def test_it():\n    pass\n"

OURS = """
@pytest.mark.wfreplay
def test_it():
    assert step.run("work", live, input=1) == 1
"""

OWN_RECORD = """
import pytest

def pytest_addoption(parser):
    parser.addoption("--record", action="store", default="nothing", help="what to record")

@pytest.fixture
def recorded(request):
    return request.config.getoption("--record")
"""

OWNS = """
def test_own(recorded):
    assert recorded == "video"
"""


def test_a_session_without_a_test_of_ours_says_nothing(project: Project) -> None:
    project.write(text=PLAIN, prelude="")
    ran = project.run()
    assert ran.code == 0
    assert "wfreplay:" not in ran.text
    project.write(text=OURS)
    for args in (["--collect-only"], ["-p", "no:wfreplay", "-W", "ignore"]):
        ran = project.run(*args)
        assert ran.code == 0, ran.text
        assert "wfreplay:" not in ran.text


@pytest.mark.parametrize("owner", ["conftest.py", "recorder.py"])
def test_a_project_or_plugin_that_owns_record_keeps_it(project: Project, owner: str) -> None:
    project.write(owner, OWN_RECORD, prelude="")
    project.write(text=OURS + OWNS)
    plugin = () if owner == "conftest.py" else ("-p", "recorder")
    ran = project.run("--record=video", *plugin)
    assert ran.outcomes == {"test_it": "failed", "test_own": "passed"}, ran.text
    ran = project.run("--record=video", "--wfreplay=rewrite", *plugin)
    assert ran.code == 0, ran.text
    assert ran.summary == "wfreplay: 0 replayed, 1 recorded, 0 diverged, 0 unused cassettes"


def test_options_marker_and_fixtures_are_known_where_pytest_lists_them(project: Project) -> None:
    project.write(text=PLAIN, prelude="")
    listed = project.run("--markers").text
    assert '@pytest.mark.wfreplay(cassette=None, mode=None, match="strict", ignore=(), max_age=None, redact=()): ' in listed
    options = project.run("--help").text
    assert all(option in options for option in ("--record ", "--wfreplay=MODE", "--wfreplay-allow-ci", "wfreplay_mode", "wfreplay_cassette_dir"))
    fixtures = project.run("--fixtures").text
    assert all(name in fixtures for name in ("wfreplay ", "wfreplay_config ", "wfreplay_cassette_dir ", "wfreplay_cassette_name "))


LATE = """
def test_late(request):
    request.getfixturevalue("wfreplay")

def test_explains():
    trace = Trace([])
    assert "agent:*" in trace
"""


def test_asking_too_late_is_said_and_traces_explain_themselves(project: Project) -> None:
    project.write(text=LATE)
    ran = project.run()
    assert "test_it.py::test_late asked for the wfreplay fixture too late: mark it with @pytest.mark.wfreplay." in ran.text
    assert ran.told("test_explains")[0].removeprefix("AssertionError: ") == "assert 'agent:*' in <Trace: no signals>"
    assert len(ran.told("test_explains")) > 1


def test_the_package_and_the_plugin_load_next_to_nothing(project: Project) -> None:
    heavy = "{'pytest', 'yaml', 'deepdiff', 'jinja2', 'anthropic', 'filelock'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", f"import sys, pytest_wfreplay; assert not {heavy}"], check=False).returncode == 0
    project.write(
        text=f"import sys\ndef test_it():\n    assert {heavy} == {{'pytest'}}\n    assert 'pytest_wfreplay.deck' not in sys.modules\n", prelude=""
    )
    assert project.run(fresh=True).code == 0

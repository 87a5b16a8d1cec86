"""Processes that record side by side, into one cassette: nothing is lost, and what is there is whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.stores.cassette_file import CassetteFile

#: How often what depends on chance is tried: `tox -e faults` says 20, and runs nothing but this file.
REPEATS = int(os.environ.get("REPEATS", "4"))

SHARED = """
import os
import pytest
from pytest_wfreplay import step

@pytest.mark.wfreplay(cassette="shared")
@pytest.mark.parametrize("number", range(int(os.environ.get("FROM", "0")), int(os.environ.get("TO", "40"))))
def test_one(number):
    assert step.run(f"load-{number}", lambda: f"{number} in round {os.environ['ROUND']}")
"""
ALONE = """
import os
from pytest_wfreplay import step

def test_one(wfreplay):
    for number in range(300):
        step.run(f"load-{number}", lambda: f"{number} by {os.environ['ROUND']}")
"""


class Sessions:
    """Sessions in one project."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        (path / "pytest.ini").write_text("[pytest]\n")
        (path / "test_it.py").write_text(text)

    def start(self, *args: str, **environ: str) -> subprocess.Popen[str]:
        """A session that records."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "WFREPLAY"))}
        plugins = ("-p", "pytest_wfreplay.plugin.hooks", "-p", "xdist.plugin", "-p", "no:cacheprovider")
        command = [sys.executable, "-m", "pytest", "-q", *plugins, "--record", *args]
        environ = {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environ}
        return subprocess.Popen(command, cwd=self.path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self, *started: subprocess.Popen[str]) -> None:
        """Wait for them; all must pass."""
        for one in started:
            said, _ = one.communicate()
            assert one.returncode == 0, said

    def cassette(self, name: str) -> Cassette:
        """The one cassette that there is, with nothing beside it."""
        files = [path for path in (self.path / "cassettes").rglob("*") if path.is_file()]
        assert [path.name for path in files] == [name]
        return CassetteFile(files[0]).read()


def values(cassette: Cassette) -> dict[str | None, list[object]]:
    """What each test's steps gave."""
    return {run.metadata.name: [entry.outcome.value for entry in run.entries] for run in cassette.runs}  # type: ignore[union-attr]


@pytest.mark.parametrize("repeats", [REPEATS // 2, REPEATS - REPEATS // 2], ids=["one", "other"])
def test_forty_tests_that_record_into_one_cassette_on_two_workers_lose_nothing(repeats: int, tmp_path: Path) -> None:
    """The first time into nothing, then in place of what was there."""
    sessions = Sessions(tmp_path, SHARED)
    for number in range(repeats):
        sessions.end(sessions.start("-n", "2", ROUND=str(number)))
        expected = {f"test_it.py::test_one[{at}]": [f"{at} in round {number}"] for at in range(40)}
        assert values(sessions.cassette("shared.yaml")) == expected


def test_two_sessions_that_record_other_tests_into_one_cassette_lose_nothing(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path, SHARED)
    for number in range(max(2, REPEATS // 4)):
        bounds = ({"FROM": "0", "TO": "20"}, {"FROM": "20", "TO": "40"})
        sessions.end(*[sessions.start(ROUND=str(number), **bound) for bound in bounds])
        expected = {f"test_it.py::test_one[{at}]": [f"{at} in round {number}"] for at in range(40)}
        assert values(sessions.cassette("shared.yaml")) == expected


def test_two_sessions_that_record_one_test_leave_the_whole_cassette_of_one_of_them(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path, ALONE)
    for number in range(max(2, REPEATS // 4)):
        rounds = (f"{number}-one", f"{number}-other")
        sessions.end(*[sessions.start(ROUND=one) for one in rounds])
        [found] = values(sessions.cassette("test_one.yaml")).values()
        assert found in [[f"{at} by {one}" for at in range(300)] for one in rounds]

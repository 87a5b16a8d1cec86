"""A project with tests of its own, run by a real pytest."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

#: What the tests do not need costs half of the time that they take.
LEAN = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio", "-p", "no:xdist")
#: Who is installed for test_company.py, and has no business in the other tests.
COMPANY = ("inline_snapshot", "randomly", "recording", "rerunfailures", "syrupy", "timeout")

#: `live` leaves a file behind: where it is not, nothing was done live.
PRELUDE = """
import asyncio
import pytest
from pathlib import Path
from pytest_wfreplay import *
from pytest_wfreplay import step

def live(given=None):
    with Path(__file__).with_name("LIVE").open("a") as file:
        file.write("x")
    return given

"""


@dataclass(frozen=True)
class Ran:
    """What people see of a session."""

    code: int
    text: str

    @property
    def outcomes(self) -> dict[str, str]:
        """Test -> what became of it, for `-v`."""
        found = re.findall(r"^(?:\[gw\d\] .*?)?\S+?::(.+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS|RERUN)", self.text, re.MULTILINE)
        return {name: outcome.lower() for name, outcome in found}

    @property
    def summary(self) -> str:
        """Our line."""
        return next((line for line in self.text.splitlines() if line.startswith("wfreplay:")), "")

    def of(self, test: str) -> list[str]:
        """The lines of a test's failure."""
        match = re.search(
            rf"^_+ (?:ERROR at \w+ of )?{re.escape(test)} _+\n(.*?)(?=^(?:_{{3,}} \S|={{3,}}|wfreplay:|\S+ warnings summary))",
            self.text,
            re.MULTILINE | re.DOTALL,
        )
        assert match, f"no failure of {test} in\n{self.text}"
        return [line for line in match[1].splitlines() if line.strip()]

    def told(self, test: str) -> list[str]:
        """The lines of a test's failure that pytest marks with E, without their indentation and our package's name."""
        return [line[1:].strip().removeprefix("pytest_wfreplay.errors.") for line in self.of(test) if line.startswith("E  ")]


class Project:
    """The project's folder."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        self.path = pytester.path
        self.ini("")

    def ini(self, text: str) -> None:
        """Write pytest.ini."""
        (self.path / "pytest.ini").write_text(f"[pytest]\nfilterwarnings = error\n{text}")

    def write(self, name: str = "test_it.py", /, text: str = "", *, prelude: str = PRELUDE) -> Path:
        """Write a file of tests."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(prelude + text)
        return path

    def run(self, *args: str, lean: tuple[str, ...] = LEAN, company: tuple[str, ...] = ()) -> Ran:
        """Run pytest there, with some of the COMPANY."""
        away = [f"-pno:{name}" for name in COMPANY if name not in company]
        result = self._pytester.runpytest_subprocess("-v", *lean, *away, *args)
        return Ran(int(result.ret), "\n".join([*result.outlines, *result.errlines]))

    def record(self, *args: str, lean: tuple[str, ...] = LEAN, company: tuple[str, ...] = ()) -> Ran:
        """Run pytest there, recording."""
        return self.run("--record", *args, lean=lean, company=company)

    def replay(self, *args: str, lean: tuple[str, ...] = LEAN, company: tuple[str, ...] = ()) -> Ran:
        """Run pytest there, having forgotten what was done live before."""
        (self.path / "LIVE").unlink(missing_ok=True)
        return self.run(*args, lean=lean, company=company)

    @property
    def was_live(self) -> bool:
        """Whether something was done."""
        return (self.path / "LIVE").exists()

    @property
    def cassettes(self) -> list[str]:
        """The files in the cassette folder."""
        folder = self.path / "cassettes"
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    def cassette(self, name: str) -> Path:
        """A file in the cassette folder."""
        return self.path / "cassettes" / name


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project in an empty folder."""
    monkeypatch.setenv("COLUMNS", "200")
    for name in [name for name in os.environ if name.startswith(("WFREPLAY_", "PYTEST_ADDOPTS", "PYTEST_XDIST", "GITHUB_STEP_SUMMARY"))]:
        monkeypatch.delenv(name)
    return Project(pytester)

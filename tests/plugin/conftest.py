"""A project with tests of its own, run by a real pytest."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

#: What the tests do not need costs half of the time that they take.
LEAN = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio", "-p", "no:xdist")
#: Who is installed for test_company.py, and has no business in the other tests.
COMPANY = ("inline_snapshot", "randomly", "recording", "rerunfailures", "syrupy", "timeout")

#: What Python reads of the environment when it starts. What of it changes nothing for a process that has started is left out.
AT_START = re.compile(r"(?!PYTHONPATH$|PYTHONDONTWRITEBYTECODE$)PYTHON|TZ$|LANG$|LANGUAGE$|LC_")
#: Coverage measures the processes that are started, not those that are forked.
MEASURED = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")

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


def at_start(environ: Mapping[str, str]) -> dict[str, str]:
    """What Python reads of an environment when it starts."""
    return {name: value for name, value in environ.items() if AT_START.match(name)}


class Forkers:
    """Two processes that fork for each session, so that it takes the third part of the time: see forker.py.

    They take turns, as the hashes of strings differ from one to the other: what depends on their order shows up as it does between any two sessions.
    """

    def __init__(self, started: ExitStack) -> None:
        self._environ = at_start(os.environ)
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        command = [sys.executable, str(Path(__file__).with_name("forker.py"))]
        both = [
            started.enter_context(subprocess.Popen(command, cwd="/", env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(2)
        ]
        for one in both:
            assert one.stdout
            assert one.stdout.readline(), f"it ended before it was ready; this says why: {' '.join(command)} < /dev/null"
        self._turns = itertools.cycle(both)

    def can(self, environ: Mapping[str, str]) -> bool:
        """Whether a session with this environment would find itself as if it were started."""
        return at_start(environ) == self._environ

    def run(self, *args: str, environ: Mapping[str, str]) -> Ran:
        """Run `python -m pytest` in the current folder."""
        turn = next(self._turns)
        out, err = Path("stdout"), Path("stderr")
        request = {"args": args, "cwd": str(Path.cwd()), "environ": dict(environ), "out": str(out), "err": str(err)}
        assert turn.stdin
        assert turn.stdout
        print(json.dumps(request), file=turn.stdin, flush=True)
        code = int(turn.stdout.readline())
        text = "\n".join(line for file in (out, err) for line in file.read_text(encoding="utf-8").splitlines())
        print("python -m pytest", *args)
        print(text)
        return Ran(code, text)


@pytest.fixture(scope="session")
def forkers() -> Iterator[Forkers | None]:
    """Who starts the sessions, where processes can fork and are not measured."""
    with ExitStack() as started:
        yield Forkers(started) if hasattr(os, "fork") and not any(name in os.environ for name in MEASURED) else None


class Project:
    """The project's folder."""

    def __init__(self, pytester: pytest.Pytester, forkers: Forkers | None = None) -> None:
        self._pytester = pytester
        self._forkers = forkers
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

    def run(self, *args: str, lean: tuple[str, ...] = LEAN, company: tuple[str, ...] = (), fresh: bool = False) -> Ran:
        """Run pytest there, with some of the COMPANY; `fresh` is for a session that says what it has loaded."""
        away = [f"-pno:{name}" for name in COMPANY if name not in company]
        args = ("-v", *lean, *away, *args)
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH", "")]))}
        if self._forkers and not company and not fresh and self._forkers.can(environ):
            scratch = self._pytester.mkdir(f"runpytest-{len(list(self.path.glob('runpytest-*')))}")
            return self._forkers.run(f"--basetemp={scratch}", *args, environ=environ)
        result = self._pytester.runpytest_subprocess(*args)
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
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, forkers: Forkers | None) -> Project:
    """A project in an empty folder."""
    monkeypatch.setenv("COLUMNS", "200")
    for name in [name for name in os.environ if name.startswith(("WFREPLAY_", "PYTEST_ADDOPTS", "PYTEST_XDIST", "GITHUB_STEP_SUMMARY"))]:
        monkeypatch.delenv(name)
    return Project(pytester, forkers)

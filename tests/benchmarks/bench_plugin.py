"""What the plugin costs: a suite that does not use it, and a replayed test beside an empty one; run `python tests/benchmarks plugin`.

Sessions with and without the plugin take turns, and the quickest of each are compared: a machine is never slow to one of them alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROUNDS = 20
MOST_RATIO = 1.03
MOST_MS = 1.0
TESTS = 2000
#: Sessions are held against each other without whoever else happens to be installed.
OTHERS = ("cacheprovider", "anyio", "asyncio", "hypothesispytest", "xdist", "xdist.looponfail")
OTHERS += ("inline_snapshot", "randomly", "recording", "rerunfailures", "syrupy", "timeout")
REPLAYED = 400

LIGHT = "import sys, pytest_wfreplay; print(*sorted({'pytest', 'yaml', 'deepdiff', 'jinja2'} & set(sys.modules)))"

STEPS = """
import pytest
from pytest_wfreplay import step

def work(given):
    return {"seen": given}

@pytest.mark.wfreplay
@pytest.mark.parametrize("number", range(%d))
def test_replayed(number):
    for at in range(10):
        assert step.run(f"step-{at}", work, input={"number": number, "at": at}) == {"seen": {"number": number, "at": at}}
"""

EMPTY = """
import pytest

@pytest.mark.parametrize("number", range(%d))
def test_replayed(number):
    pass
"""


def session(folder: Path, *args: str) -> float:
    """The seconds of a pytest session in a process of its own."""
    environ = {name: value for name, value in os.environ.items() if name not in ("CI", "WFREPLAY_MODE", "PYTEST_ADDOPTS")}
    others = [f"-pno:{name}" for name in OTHERS]
    command = [sys.executable, "-m", "pytest", "-q", *others, *args]
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def ratio(folder: Path, *args: str) -> float:
    """How much longer a session takes with the plugin: the quickest of each."""
    best = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        best[0] = min(best[0], session(folder, "-pno:wfreplay", *args))
        best[1] = min(best[1], session(folder, *args))
    return best[1] / best[0]


def cost_ms(folder: Path) -> float:
    """What a replayed test of ten steps costs beyond an empty one, in milliseconds."""
    replayed, empty = folder / "replayed", folder / "empty"
    for path, text in ((replayed, STEPS), (empty, EMPTY)):
        path.mkdir()
        (path / "pytest.ini").write_text("[pytest]\n")
        (path / "test_it.py").write_text(text % REPLAYED)
    session(replayed, "--record")
    return min(each(replayed, empty) for _ in range(3))


def each(replayed: Path, empty: Path) -> float:
    """One measurement. What is paid once in a session is not paid by each test: the same sessions with one test are taken off."""
    cases = [(folder, which) for folder in (replayed, empty) for which in ("test_it.py", "test_it.py::test_replayed[0]")]
    many, one, empty_many, empty_one = (min(session(folder, which) for _ in range(3)) for folder, which in cases)
    return ((many - one) - (empty_many - empty_one)) / (REPLAYED - 1) * 1000


def figures(folder: Path) -> Iterator[tuple[str, bool]]:
    """A line for each figure, and whether it is as promised."""
    heavy = subprocess.run([sys.executable, "-c", LIGHT], check=True, capture_output=True, text=True).stdout.split()
    yield f"import pytest_wfreplay: loads {', '.join(heavy) or 'none of pytest, yaml, deepdiff, jinja2'}", not heavy
    plain = folder / "plain"
    plain.mkdir()
    (plain / "pytest.ini").write_text("[pytest]\n")
    for number in range(10):
        (plain / f"test_{number}.py").write_text("".join(f"def test_{at}(): pass\n" for at in range(TESTS // 10)))
    for what, args in (("pytest --co", ("--co",)), (f"{TESTS} trivial tests", ())):
        measured = ratio(plain, *args)
        yield f"{what}: {measured:.3f}x without the plugin (promised {MOST_RATIO}x)", measured <= MOST_RATIO
    milliseconds = cost_ms(folder)
    yield f"a replayed test of 10 steps: {milliseconds:.2f} ms over an empty one (promised {MOST_MS} ms)", milliseconds <= MOST_MS


def main() -> int:
    """Print a line a figure; 1 when a promise is broken."""
    kept = True
    with tempfile.TemporaryDirectory() as folder:
        for line, is_kept in figures(Path(folder)):
            print(f"{line}: {'meets' if is_kept else 'misses'}", flush=True)
            kept = kept and is_kept
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())

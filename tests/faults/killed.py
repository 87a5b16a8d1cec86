"""Records a long run over and over and kills the recording, each time at another moment; looks each time at what is left. Run by test_kill.

A process that has loaded pytest forks one child for each session, so that fifty of them take seconds. Each is killed by SIGKILL: at a random
moment of its test, or when it is seen writing. Prints what it found as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from pytest_wfreplay.clock import SystemClock
from pytest_wfreplay.plugin import ending, ledger, takes, unused  # noqa: F401 - loaded once, not in each child
from pytest_wfreplay.stores.cassette_file import CassetteFile
from pytest_wfreplay.stores.files_partial import read_partial

PIECES = 1000
TEST = f"""
import os
from pathlib import Path
from pytest_wfreplay import FunctionHarness, create_workflow

flow = create_workflow("talk")

def talk(_):
    return (f"round {{os.environ['ROUND']}} piece {{number}} " for number in range({PIECES}))

def test_long(wfreplay):
    Path("began").touch()
    agents = {{"talker": flow.agent(prompt="Talk.", activate_on="workflow:start", harness=FunctionHarness(talk))}}
    assert len(wfreplay.run(flow.run_reactive(agents=agents)).signals) > {PIECES}
"""
CASSETTE = Path("cassettes/test_it/test_long.yaml")
CRASHED = '  crashed recording: cassettes/test_it/test_long.partial (record again: pytest --record "test_it.py::test_long")'


def started(number: int, *args: str) -> int:
    """A session in a process of its own; its id."""
    Path("began").unlink(missing_ok=True)
    child = os.fork()
    if child:
        return child
    os.environ["ROUND"] = str(number)
    out = os.open("out.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    code = pytest.main(["-q", "-p", "no:cacheprovider", *args])
    sys.stdout.flush()
    os._exit(code)


def session(number: int, *args: str) -> str:
    """What a session that nobody kills says; it must pass."""
    _, status = os.waitpid(started(number, *args), 0)
    said = Path("out.txt").read_text()
    assert status == 0, said
    return said


def duration() -> float:
    """The seconds from the moment at which the test begins to the end of its session."""
    child = started(0, "--record")
    wait_for_test()
    began = time.perf_counter()
    os.waitpid(child, 0)
    return time.perf_counter() - began


def wait_for_test() -> None:
    """Wait until the test has begun."""
    while not Path("began").exists():
        time.sleep(0.0005)


def killed(number: int, after: float | None) -> bool:
    """Record, and kill the recording so many seconds after its test began, or (None) when it is writing; whether it was still alive."""
    child = started(number, "--record")
    wait_for_test()
    if after is None:
        while not list(CASSETTE.parent.glob(".wfreplay-*.tmp")) and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            pass
    else:
        time.sleep(after)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def round_kept() -> int:
    """Which round the cassette is of: it must be there, whole."""
    [run] = CassetteFile(CASSETTE).read().runs
    pieces = [one.payload["content"] for one in run.signals.filter("text:delta")]
    number = int(pieces[0].split()[1])
    assert pieces == [f"round {number} piece {at} " for at in range(PIECES)]
    return number


def looked_at(number: int, kept: int, found: dict[str, int]) -> int:
    """What a killed recording left; the round that is kept now."""
    now = round_kept()
    assert now in (kept, number)
    found["replaced"] += now == number
    partial = CASSETTE.with_suffix(".partial")
    heard = 0
    if partial.exists():
        heard = sum(len(draft.recording().signals) for draft in read_partial(partial, SystemClock()))
        found["partial"] += 1
        found["most_heard"] = max(heard, found["most_heard"])
    found["scratch"] += len(list(CASSETTE.parent.glob(".*.tmp")))
    said = session(number).splitlines()
    assert (CRASHED in said) is partial.exists(), said
    assert round_kept() == now
    return now


def main(seed: int, kills: int) -> None:
    """Kill so many recordings."""
    chance = random.Random(seed)  # noqa: S311 - no secret, but the same moments again
    Path("pytest.ini").write_text("[pytest]\n")
    Path("test_it.py").write_text(TEST)
    session(0, "--record")
    took = duration()
    found = dict.fromkeys(("killed", "replaced", "partial", "most_heard", "scratch"), 0)
    kept = 0
    number = 0
    while found["killed"] < kills:
        number += 1
        assert number < 4 * kills, found
        if not killed(number, None if number % 3 == 0 else chance.uniform(0, took)):
            kept = round_kept()
            continue
        found["killed"] += 1
        kept = looked_at(number, kept, found)
        if number % 10 == 0:
            session(number, "--record")
            assert [path.name for path in CASSETTE.parent.iterdir()] == [CASSETTE.name], "a good recording tidies up"
            kept = round_kept()
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

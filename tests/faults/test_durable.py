"""Durable steps whose process is killed, stopped or raced, and whose disk is full or holds another file: what was kept is never done again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_wfreplay import sqlite

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="SIGKILL, SIGSTOP and limits on files are POSIX'")

#: Each process does the same steps; what it does is a line in a file.
RACER = """
    import os, sys
    from pytest_wfreplay import LeaseLost, LeaseTaken, durable, open_store, step

    def work(number):
        with open("effects", "a") as file:
            file.write(f"{number}\\n")
        return os.getpid()

    def race(**options):
        with durable("race", open_store("sqlite:///state.db"), **options):
            return [step.run("work", work, input=number) for number in range(50)]

    print("ready", flush=True)
    sys.stdin.readline()
"""
#: A script with nothing set up, each of whose steps keeps some kilobytes.
BULKY = """
    from pytest_wfreplay import step

    def work(number):
        with open("effects", "a") as file:
            file.write(f"{number}\\n")
        return "x" * 3000

    for number in range(50):
        step.run("work", work, input=number)
"""
#: No file may grow beyond this: what a full disk is to whoever writes, where nothing can be mounted.
LIMITED = """
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
"""


def started(folder: Path, text: str, **environ: str) -> subprocess.Popen[str]:
    """A script in a process of its own, as its user starts it."""
    text = textwrap.dedent(text)
    path = folder / "script.py"
    if not path.exists() or path.read_text() != text:
        path.write_text(text)  # others that run it may be reading it
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "WFREPLAY"))}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, str(path)], cwd=folder, env={**kept, **environ}, text=True, **pipes)  # type: ignore[call-overload, no-any-return]  # three equal options


def ended(process: subprocess.Popen[str], say: str | None = None) -> tuple[int, str, str]:
    """How it ended, and what it said."""
    said, complained = process.communicate(say, timeout=60)
    return process.returncode, said, complained


def effects(folder: Path) -> list[int]:
    """The steps that were done, in order."""
    path = folder / "effects"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


@pytest.mark.parametrize(("flavour", "killed"), [("sync", 97), ("async", 97), ("script", 20)])
def test_a_script_that_is_killed_at_any_step_does_on_resume_only_what_is_missing(flavour: str, killed: int, tmp_path: Path) -> None:
    """Fifty steps, killed at each: before its effect, after it, between handler and record, and after the record; then once more further on.

    What is kept is not done again. What is not kept is the step that was worked on: it is done twice, or refused where its user wants that.
    """
    moments = ("before", "after", "between", "recorded")
    command = [sys.executable, str(Path(__file__).with_name("crashing.py")), flavour]
    children = [subprocess.Popen([*command, moment], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for moment in moments]
    for child in children:
        said, complained = child.communicate()
        assert child.returncode == 0, complained
        assert json.loads(said) == {"killed": killed}


def raced(folder: Path, text: str) -> list[str]:
    """What eight processes say that begin together."""
    racers = [started(folder, RACER + text) for _ in range(8)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    ends = [ended(racer) for racer in racers]
    assert [code for code, _, _ in ends] == [0] * 8, ends
    return [said for _, said, _ in ends]


def test_of_eight_processes_that_wait_for_their_lease_one_does_the_work(tmp_path: Path) -> None:
    said = raced(tmp_path, "    print(race(wait=50))")
    assert len(set(said)) == 1
    assert effects(tmp_path) == list(range(50))


def test_eight_processes_without_a_lease_end_with_one_record_and_one_result(tmp_path: Path) -> None:
    said = raced(tmp_path, "    print(race(lease=None))")
    assert len(set(said)) == 1, "each was given what stands, whoever kept it"
    times = Counter(effects(tmp_path))
    assert sorted(times) == list(range(50))
    assert max(times.values()) <= 8
    store = sqlite(tmp_path / "state.db")
    records = store.snapshots.records_now("race")  # type: ignore[attr-defined]  # SQLite need not wait
    assert [record.entry.outcome.value for record in records] == json.loads(said[0])
    assert len({record.entry.key for record in records}) == 50


def test_of_eight_processes_that_do_not_wait_seven_hear_who_works_on_the_run(tmp_path: Path) -> None:
    text = """
    try:
        with durable("race", open_store("sqlite:///state.db"), owner=None):
            print("mine", flush=True)
            while not os.path.exists("all have tried"):
                pass
            step.run("work", work, input=1)
    except LeaseTaken as error:
        print("taken", error)
    """
    racers = [started(tmp_path, RACER + text) for _ in range(8)]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = []
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
        said.append(racer.stdout.readline())
    (tmp_path / "all have tried").touch()
    assert [ended(racer)[0] for racer in racers] == [0] * 8
    assert sorted(line.split()[0] for line in said) == ["mine"] + ["taken"] * 7
    assert all("Another owner works on run 'race'" in line for line in said if line.startswith("taken"))
    assert effects(tmp_path) == [1]


def test_an_owner_that_stood_still_until_its_lease_ran_out_cannot_write_any_more(tmp_path: Path) -> None:
    stopped = """
    import signal

    def stop():
        os.kill(os.getpid(), signal.SIGSTOP)
        return "mine"

    try:
        with durable("race", open_store("sqlite:///state.db"), lease=0.5):
            step.run("first", work, input=1)
            step.run("second", stop)
    except LeaseLost as error:
        print(type(error).__name__, error)
    """
    first = started(tmp_path, RACER + stopped)
    assert first.stdin is not None
    first.stdin.write("go\n")
    first.stdin.flush()
    assert os.WIFSTOPPED(os.waitpid(first.pid, os.WUNTRACED)[1])
    takes_over = """
    with durable("race", open_store("sqlite:///state.db"), wait=30):
        step.run("first", work, input=1)
        print(step.run("second", lambda: "taken over"))
    """
    code, said, complained = ended(started(tmp_path, RACER + takes_over), "go\n")
    assert (code, said) == (0, "ready\ntaken over\n"), complained
    os.kill(first.pid, signal.SIGCONT)
    code, said, complained = ended(first)
    assert code == 0, complained
    assert said.startswith("ready\nLeaseLost "), said
    store = sqlite(tmp_path / "state.db")
    records = store.snapshots.records_now("race")  # type: ignore[attr-defined]  # SQLite need not wait
    assert [record.entry.outcome.value for record in records][1:] == ["taken over"]
    assert effects(tmp_path) == [1]


@pytest.mark.parametrize("is_reaped", [True, False], ids=["gone", "zombie"])
def test_a_run_whose_owner_was_killed_is_resumed_at_once_long_before_its_lease_runs_out(is_reaped: bool, tmp_path: Path) -> None:
    """Even if nobody has asked how its process ended, as in a container whose first process does not."""
    text = """
    with durable("race", open_store("sqlite:///state.db"), lease=3600):
        step.run("first", work, input=1)
        if not os.path.exists("crashed"):
            open("crashed", "w").close()
            os.kill(os.getpid(), 9)
        step.run("second", work, input=2)
    """
    first = started(tmp_path, RACER + text)
    assert first.stdin is not None
    first.stdin.write("go\n")
    first.stdin.flush()
    if is_reaped:
        assert first.wait(60) == -signal.SIGKILL
    else:
        os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)
    second = started(tmp_path, RACER + text)
    assert ended(second, "go\n")[::2] == (0, "")
    assert effects(tmp_path) == [1, 2]
    first.communicate()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], None] | None]:
    """A disk of 64 kB under `.wfreplay`, and what gives it another size; None where this user may not mount one."""
    folder = tmp_path / ".wfreplay"
    folder.mkdir()
    if (
        shutil.which("mount") is None
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True, check=False).returncode
    ):
        yield None
        return

    def resize(size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)

    yield resize
    subprocess.run(["umount", "-l", folder], check=True)


def is_once_but_for_one(done: list[int]) -> bool:
    return sorted(set(done)) == list(range(50)) and len(done) <= 51


def test_a_full_disk_ends_the_script_and_what_was_kept_is_kept(small_disk: Callable[[str], None] | None, tmp_path: Path) -> None:
    text = BULKY if small_disk else textwrap.dedent(LIMITED) + textwrap.dedent(BULKY)
    code, _, complained = ended(started(tmp_path, text))
    assert code == 1
    assert "pytest_wfreplay.errors.StoreError: .wfreplay/state.db cannot" in complained
    assert "What was kept before is still there." in complained or "what was kept before is still there." in complained
    if small_disk:
        assert "cannot grow: the disk is full" in complained
        assert "hint: Make room, then go on" in complained
        small_disk("4m")
    before = effects(tmp_path)
    assert 0 < len(before) < 50
    code, _, complained = ended(started(tmp_path, BULKY))
    assert code == 0, complained
    assert is_once_but_for_one(effects(tmp_path))


def _foreign(path: Path) -> None:
    path.write_text("dear diary,\n" * 1000)


def _damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * (path.stat().st_size - 100))


def _newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE wfreplay_schema_version SET version = 99")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "problem", "hint"),
    [
        (_foreign, ".wfreplay/state.db is not a SQLite database", "hint: Is it the right path? Use another file. Nothing was changed."),
        (_damaged, ".wfreplay/state.db is a damaged SQLite database", "hint: Bring it back from a copy, or use another file. Nothing was changed."),
        (_newer, "have version 99; 1 is the newest", "hint: They were made by a newer version of pytest-wfreplay: install that one"),
    ],
    ids=["foreign", "damaged", "newer"],
)
@pytest.mark.parametrize("frame", ["if True", "with durable('order')"])
def test_a_file_that_cannot_be_used_is_refused_before_anything_is_done_and_left_as_it_is(
    spoil: Callable[[Path], None], problem: str, hint: str, frame: str, tmp_path: Path
) -> None:
    text = f"""
        from pytest_wfreplay import durable, step
        {frame}:
            step.run("work", lambda: open("effects", "a").write("1\\n"))
    """
    assert ended(started(tmp_path, text))[0] == 0
    path = tmp_path / ".wfreplay" / "state.db"
    assert [file.name for file in path.parent.iterdir()] == ["state.db"], "a process that ends writes its log back"
    spoil(path)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    code, _, complained = ended(started(tmp_path, text.replace('"work"', '"other"')))
    assert code == 1
    assert "pytest_wfreplay.errors.StoreError" in complained
    assert problem in complained
    assert hint in complained
    assert effects(tmp_path) == [1]
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before

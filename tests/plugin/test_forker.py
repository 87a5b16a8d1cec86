"""A session that was forked is what one that was started is: most tests of the plugin rely on it."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

#: All that a test can see of the process it runs in.
SEEN = """
import atexit, json, os, signal, sys, tempfile, threading, warnings

def seen():
    main = sys.modules["__main__"]
    yield "arguments", sys.argv
    yield "path", sys.path
    yield "environment", dict(sorted(os.environ.items()))
    yield "folder", os.getcwd()
    yield "scratch", tempfile.gettempdir()
    yield "main", [main.__name__, main.__file__, main.__spec__.name]
    yield "flags", [*sys.flags[:4], *sys.flags[5:], sys.dont_write_bytecode, sys.pycache_prefix, sys.warnoptions, sys.getrecursionlimit()]
    yield "streams", [[one.name, one.encoding, one.errors, one.mode, one.line_buffering, one.isatty()] for one in (sys.__stdout__, sys.__stderr__)]
    yield "input", [sys.__stdin__.encoding, sys.__stdin__.isatty(), os.read(0, 10).decode()]
    yield "files", [number for number in range(100) if os.path.exists(f"/proc/self/fd/{number}")]
    yield "threads", [one.name for one in threading.enumerate()]
    yield "signals", [str(signal.getsignal(one)) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)]
    yield "finders", [type(one).__name__ for one in sys.meta_path]

def test_sees(tmp_path):
    for name, value in seen():
        print(name, json.dumps(value))
    print("scratch", tmp_path)

def test_fails(wfreplay):
    step.run("work", live)
    assert [1] == [2]

def test_warns():
    warnings.warn("beware")

def test_leaves_a_thread_and_more_behind():
    threading.Thread(target=lambda: (threading.main_thread().join(), print("the thread ended"))).start()
    atexit.register(print, "at exit")
    print("to the error stream", file=sys.stderr)
"""


def steady(text: str) -> str:
    """What a session says, without how long it took, and where what is in memory lies."""
    return re.sub(r"\b0x[0-9a-f]+|\b[\d.]+s\b|runpytest-\d|=(?==)", "", text)


@pytest.mark.parametrize("args", [("-s",), ("--record", "-W", "default"), ("--record=never",), ("-k", "sees", "-x"), ("--help",)])
def test_a_session_that_was_forked_sees_and_says_what_one_that_was_started_does(project: Project, args: tuple[str, ...]) -> None:
    project.write(text=SEEN)
    started, forked = project.run(*args, fresh=True), project.run(*args)
    assert steady(forked.text).splitlines() == steady(started.text).splitlines()
    assert forked.code == started.code


def test_a_session_that_is_killed_tells_by_what(project: Project) -> None:
    project.write(text=f"import os\ndef test_it():\n    os.kill(os.getpid(), {int(signal.SIGKILL)})\n")
    assert project.run().code == project.run(fresh=True).code == -signal.SIGKILL


@pytest.mark.skipif(not hasattr(os, "fork"), reason="where processes cannot fork, each session is started")
def test_strings_hash_otherwise_from_one_session_to_the_next(project: Project) -> None:
    """Else nothing would show that a cassette depends on the order of a set."""
    project.write(text="def test_it():\n    print('hash', hash('it'))\n")
    said = {re.search(r"\bhash -?\d+", project.run("-s").text)[0] for _ in range(2)}  # type: ignore[index]
    assert len(said) == 2 or os.environ.get("PYTHONHASHSEED")

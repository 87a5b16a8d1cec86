"""Starts sessions of pytest: a process that has loaded pytest and what it needs, and forks for each of them. Run by conftest.py.

1. A session is a process of its own: `python -m pytest`, in its folder, with its environment, from the moment at which pytest has been loaded.
2. Our package is loaded as pytest loads a plugin, with its assertions rewritten, and nothing of it has been called. Whoever tests what is loaded
   when asks for a session that is not forked.
3. What Python reads of the environment when it starts (PYTHONUTF8, TZ) is that of this process, and so is the seed of its hashes: conftest.py does
   not ask for a session that has another one, and asks two processes in turn.

A request is a line of JSON on the standard input: {"args", "cwd", "environ", "out", "err"}; the answer is a line with the code of its exit. The
first line is that it is ready.
"""

from __future__ import annotations

import asyncio  # noqa: F401 - loaded once, as all that follows, not in each session
import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import socket  # noqa: F401
import sys
import tempfile
import threading
import unittest  # noqa: F401
import uuid  # noqa: F401
import xml.etree.ElementTree as ET  # noqa: F401
from pathlib import Path
from typing import TypedDict

import filelock  # noqa: F401
import pygments.formatters.terminal
import pygments.lexers.python  # noqa: F401
import yaml  # noqa: F401
from _pytest.assertion import install_importhook
from _pytest.config import get_config

#: Where Python looks for modules by itself: without this file's folder, and without what PYTHONPATH says.
PATH = [entry for entry in sys.path[1:] if entry not in os.environ.get("PYTHONPATH", "").split(os.pathsep)]

WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class Request(TypedDict):
    """What is asked for: the arguments of pytest, where and with what environment it runs, and the files that it writes to."""

    args: list[str]
    cwd: str
    environ: dict[str, str]
    out: str
    err: str


def lead(number: int, name: str, mode: int) -> None:
    """Let a stream lead to a file."""
    file = os.open(name, mode)
    os.dup2(file, number)
    os.close(file)


def become(request: Request) -> None:
    """Be what `python -m pytest` is when it begins."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environ"])
    for number, name, mode in ((0, os.devnull, os.O_RDONLY), (1, request["out"], WRITE), (2, request["err"], WRITE)):
        lead(number, name, mode)
    tempfile.tempdir = None
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in os.environ
    sys.argv = ["-m", *request["args"]]
    sys.path = [str(Path.cwd()), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)), *PATH]


def session(request: Request) -> int:
    """The code that the session exits with; after its threads have ended and what it left for its exit was done."""
    become(request)
    try:
        runpy.run_module("pytest", run_name="__main__", alter_sys=True)
    except SystemExit as left:
        code = int(left.code or 0)
    threading._shutdown()  # in the order in which an interpreter that ends does it
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def load() -> None:
    """Load pytest's plugins, and ours: what `from pytest_wfreplay import *` loads, and what the plugin loads when a test is marked."""
    config = get_config()
    hook = install_importhook(config)
    hook.mark_rewrite("pytest_wfreplay")
    ours = importlib.import_module("pytest_wfreplay")
    for name in ours.__all__:
        getattr(ours, name)
    for module in pkgutil.walk_packages(importlib.import_module("pytest_wfreplay.plugin").__path__, "pytest_wfreplay.plugin."):
        importlib.import_module(module.name)
    config._ensure_unconfigure()


def main() -> None:
    """Serve until the standard input ends."""
    load()
    asked, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    lead(1, os.devnull, os.O_WRONLY)
    gc.collect()
    gc.freeze()
    print("ready", file=answers, flush=True)
    for line in iter(asked.readline, ""):
        child = os.fork()
        if not child:
            asked.close()
            answers.close()
            os._exit(session(json.loads(line)))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)


if __name__ == "__main__":
    main()

"""The nearest line of the user's: frames of the standard library and of installed packages are walked past, and the first of them is named."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

import pytest_wfreplay
from pytest_wfreplay.plugin.whence import Whence, is_users, started, whence

HERE = Path(__file__).parent


def _told() -> str:
    place = whence()
    return place.told(str(HERE)) if place is not None else ""


def _elsewhere(module: str) -> Callable[[], Whence | None]:
    """A function of another module, that asks from where it was called."""
    space: dict[str, Any] = {"whence": whence, "__name__": module}
    exec(compile("def ask(): return whence()", "<string>", "exec"), space)  # noqa: S102 - a function of nobody's file
    ask: Callable[[], Whence | None] = space["ask"]
    return ask


def _line_of(text: str) -> int:
    return next(number for number, line in enumerate(Path(__file__).read_text(encoding="utf-8").splitlines(), 1) if text in line)


def test_the_nearest_line_of_the_users_is_shown_from_the_root() -> None:
    assert _told() == f"test_whence.py:{_line_of('place = whence()')} in _told"


def test_what_of_others_was_called_there_is_named() -> None:
    place = _elsewhere("http.client")()
    assert place is not None
    assert (place.path, place.function, place.through) == (__file__, "test_what_of_others_was_called_there_is_named", "http.client.ask")


def test_only_files_of_the_user_are_his() -> None:
    assert is_users(__file__)
    assert not is_users(str(Path(sysconfig.get_path("stdlib")) / "socket.py"))
    assert not is_users("/project/.venv/lib/python3.11/site-packages/httpx/_client.py")
    assert not is_users(pytest_wfreplay.__file__)
    assert not is_users(pytest.__file__)
    assert not is_users("<frozen importlib._bootstrap>")
    assert not is_users("<string>")


def test_where_no_line_is_the_users_it_is_the_one_that_started_the_thread() -> None:
    ask = _elsewhere("_pytest.runner")
    assert ask() is None
    context = copy_context()
    begun = Whence(str(HERE / "test_it.py"), 7, "test_it", "threading.Thread.start")
    context.run(started.set, begun)
    assert context.run(ask) == begun
    assert begun.told(str(HERE)) == "test_it.py:7 in test_it, through threading.Thread.start"
    assert begun.line("/elsewhere") == f"{HERE / 'test_it.py'}:7"

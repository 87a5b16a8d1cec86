"""What people see of a failure in a test of ours: their own frames and what is to be said, not our machinery."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from _pytest._code.code import ExceptionChainRepr, ReprEntry, ReprFileLocation, ReprTraceback

from pytest_wfreplay.errors import CassetteError, ConfigurationError, DivergenceError, LiveCallBlocked, SecretLeakError, WfreplayError
from pytest_wfreplay.plugin.whence import is_users

if TYPE_CHECKING:
    import pytest

_PACKAGE = __name__.partition(".")[0]
#: Whose frames stand between a test and what it calls.
_MACHINERY = frozenset({"asyncio", "concurrent", "threading", "contextlib", "functools", "pluggy", "_pytest", "pytest_asyncio", "anyio", "unittest"})


def tidy(error: BaseException) -> bool:
    """Leave only the user's frames in a failure and in what led to it; whether there is any in the failure itself."""
    for one in _chain(error):
        everything = list(_walk(one.__traceback__))
        # Where a live call was refused, it does not matter how others would have made it.
        is_ours = _is_in_users_file if isinstance(one, LiveCallBlocked) else _is_users
        kept = [entry for entry in everything if is_ours(entry)]
        if kept or isinstance(one, WfreplayError):
            one.__traceback__ = _linked(kept or everything[-1:])
        if isinstance(one, WfreplayError) and one.__cause__ is not None and not _has_own_frames(one.__cause__):
            # What the system told us is in our message; where in our code it did is nobody's business.
            one.__cause__ = None
    return any(map(_is_users, _walk(error.__traceback__)))


def divergence_in(error: BaseException) -> DivergenceError | None:
    """The divergence that an error is, that it carries as a group, or that it was raised from."""
    for one in _chain(error):
        if isinstance(one, DivergenceError):
            return one
    return None


def is_ours(error: BaseException) -> bool:
    """Whether an error says that nothing was proven: of the cassette, of a divergence, of what was refused; not what a run may end with anywhere."""
    if type(error) is WfreplayError or isinstance(error, ConfigurationError):
        return True
    return any(isinstance(one, CassetteError | DivergenceError | LiveCallBlocked | SecretLeakError) for one in _chain(error))


def carries(error: BaseException, other: BaseException) -> bool:
    """Whether an error is another one, groups it, or was raised from it."""
    return any(one is other for one in _chain(error))


def words(error: BaseException, item: pytest.Item, shown: object) -> ExceptionChainRepr:
    """A failure told in words alone, after what pytest shows of what led to it.

    In pytest's own shape: so pytest-xdist can send it, and the short summary and JUnit have its first line.
    """
    path, line, _ = item.location
    name = type(error).__name__
    lines = [line for part in (f"{name}: {error}", *getattr(error, "__notes__", ())) for line in part.splitlines()]
    told = ReprTraceback([ReprEntry([f"E   {line}" for line in lines], None, None, None, "long")], None, "long")
    crash = ReprFileLocation(path, (line or 0) + 1, f"{name}: {error}")
    before = shown.chain[:-1] if isinstance(shown, ExceptionChainRepr) else ()
    return ExceptionChainRepr([*before, (told, crash, None)])


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, what it groups, and what it came from."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        waiting += [one.__cause__, None if one.__suppress_context__ else one.__context__]


def _walk(entry: TracebackType | None) -> Iterator[TracebackType]:
    """A traceback's entries, the outermost first."""
    while entry is not None:
        yield entry
        entry = entry.tb_next


def _linked(entries: list[TracebackType]) -> TracebackType | None:
    linked: TracebackType | None = None
    for entry in reversed(entries):
        linked = TracebackType(linked, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return linked


def _is_users(entry: TracebackType) -> bool:
    package = _package(entry)
    return package != _PACKAGE and package not in _MACHINERY and not entry.tb_frame.f_code.co_filename.startswith("<frozen")


def _is_in_users_file(entry: TracebackType) -> bool:
    return is_users(entry.tb_frame.f_code.co_filename)


def _has_own_frames(error: BaseException) -> bool:
    return any(_is_own(entry) for one in _chain(error) for entry in _walk(one.__traceback__))


def _is_own(entry: TracebackType) -> bool:
    """Whether a frame is the user's own, not the standard library's for whoever called it."""
    return _is_users(entry) and _package(entry) not in sys.stdlib_module_names


def _package(entry: TracebackType) -> str:
    return str(entry.tb_frame.f_globals.get("__name__", "")).partition(".")[0]

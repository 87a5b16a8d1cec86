"""Exceptions as JSON and back: the same class live and in replay, without pickle, without imports, without calling anybody's __init__.

1. A class is found again by module and qualified name among the modules that are loaded. What cannot be found, or cannot be made to say
   the same when rebuilt, is a `StepFailed` both live and in replay, so that code which catches it behaves alike both times.
2. Of an exception are kept: its arguments, the attributes that JSON can carry, its notes, its cause, and of a group its members.
3. Being cancelled from outside is no outcome of the work. A `CancelledError` that nobody outside asked for is one: the work raised it by itself.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Mapping
from typing import NoReturn

from pytest_wfreplay.errors import NotJsonError, StepFailed
from pytest_wfreplay.jsonable import JSON, jsonable, restore

#: A chain of causes may be a circle, and a group may hold groups.
_DEEPEST = 8


def is_from_outside(error: BaseException) -> bool:
    """Whether this ends a piece of work because somebody cancels the task that does it, or drops it."""
    if isinstance(error, asyncio.CancelledError):
        task = None if asyncio._get_running_loop() is None else asyncio.current_task()  # noqa: SLF001 - exported by asyncio
        return task is not None and task.cancelling() > 0
    return isinstance(error, GeneratorExit)


def outcome_of(error: BaseException) -> dict[str, JSON] | None:
    """What an entry keeps of an exception that ended a step; None where that is no outcome.

    An exit or an interrupt is one if its class can be found again; it is never made a `StepFailed`, for an `Exception` stops nobody.
    """
    if is_from_outside(error):
        return None
    facts = describe(error)
    return facts if isinstance(error, Exception) or _is_alike(rebuild(facts), error) else None


def describe(error: BaseException, depth: int = _DEEPEST) -> dict[str, JSON]:
    """The JSON that an entry keeps of an exception: `{"type", "message", …}`, what is empty left out; causes and members likewise, so deep."""
    cls = type(error)
    facts: dict[str, JSON] = {"type": cls.__qualname__, "message": message_of(error)}
    if cls.__module__ != "builtins":
        facts["module"] = cls.__module__
    arguments = _arguments_of(error)
    if arguments:
        facts["args"] = [_carried(argument) for argument in arguments]
    if isinstance(error, BaseExceptionGroup):
        facts["members"] = [describe(member, depth - 1) if depth else briefly(member) for member in error.exceptions]
    attributes = {name: value for name, value in vars(error).items() if not name.startswith("__") and _is_carried(value)}
    if attributes:
        facts["attributes"] = {name: jsonable(value) for name, value in attributes.items()}
    notes = getattr(error, "__notes__", None)
    if notes:
        facts["notes"] = [str(note) for note in notes]
    if error.__cause__ is not None:
        facts["cause"] = describe(error.__cause__, depth - 1) if depth else briefly(error.__cause__)
    return facts


def _arguments_of(error: BaseException) -> tuple[object, ...]:
    """What the exception was made of: an OSError hides the names of its files from its `args`; the members of a group are kept for themselves."""
    if isinstance(error, BaseExceptionGroup):
        return (error.message,)
    if not isinstance(error, OSError) or error.filename is None or len(error.args) != len(("errno", "strerror")):
        return error.args
    return (*error.args, error.filename) if error.filename2 is None else (*error.args, error.filename, None, error.filename2)


def briefly(error: BaseException) -> dict[str, JSON]:
    """What a signal says of an exception: `{"type", "message"}`."""
    return {"type": type(error).__name__, "message": message_of(error)}


def message_of(error: BaseException) -> str:
    """The exception's text, with lone surrogates replaced: a message must never be what cannot be kept."""
    try:
        text = str(error)
    except Exception as another:  # noqa: BLE001 - a stranger's __str__
        text = f"(its text raised {type(another).__name__})"
    return text.encode("utf-8", "replace").decode("utf-8")


def rebuild(facts: Mapping[str, JSON]) -> BaseException:
    """The exception that `describe` described, or `StepFailed` when its class cannot be found or would say something else."""
    kind, message = str(facts.get("type", "Exception")), str(facts.get("message", ""))
    cls = _find(str(facts.get("module", "builtins")), kind)
    if cls is not None:
        arguments = facts.get("args") or []
        values: list[object] = [restore(argument) for argument in arguments] if isinstance(arguments, list) else []
        said: list[object] = [_Text(message)]
        if issubclass(cls, BaseExceptionGroup):
            values, said = [*values, _members(facts)], values
        for made_of in (values, said):
            error = _revive(cls, made_of, facts.get("attributes"))
            if error is not None and message_of(error) == message:
                _decorate(error, facts)
                return error
    failed = StepFailed(kind.rpartition(".")[2], message)
    failed.__cause__ = _cause(facts)
    return failed


def as_replay_will(error: BaseException, facts: Mapping[str, JSON]) -> BaseException:
    """What a failed step raises live: the exception itself where replay can rebuild its class (and those of its members), else what it rebuilds."""
    rebuilt = rebuild(facts)
    if _is_alike(rebuilt, error):
        return error
    rebuilt.__cause__ = error
    return rebuilt


def raise_as_replay_will(error: BaseException, facts: Mapping[str, JSON] | None) -> NoReturn:
    """Raise what a failed step raises; one that was cancelled, of which there are no facts, as it is."""
    failure = error if facts is None else as_replay_will(error, facts)
    if failure is error:
        raise error
    raise failure from error


def _is_alike(one: BaseException, other: BaseException) -> bool:
    if type(one) is not type(other):
        return False
    if not (isinstance(one, BaseExceptionGroup) and isinstance(other, BaseExceptionGroup)):
        return True
    return len(one.exceptions) == len(other.exceptions) and all(map(_is_alike, one.exceptions, other.exceptions))


def _members(facts: Mapping[str, JSON]) -> list[BaseException]:
    members = facts.get("members")
    return [rebuild(member) for member in members if isinstance(member, Mapping)] if isinstance(members, list) else []


def _find(module: str, qualified_name: str) -> type[BaseException] | None:
    if module not in sys.modules or "<" in qualified_name:
        return None
    try:
        found = functools.reduce(getattr, qualified_name.split("."), sys.modules[module])
    except AttributeError:
        return None
    return found if isinstance(found, type) and issubclass(found, BaseException) and not issubclass(found, GeneratorExit) else None


class _Text(str):
    """What an exception says, for one whose arguments are not JSON: `KeyError((1, 2))` shows the `repr` of what it is given, others its text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _revive(cls: type[BaseException], values: list[object], attributes: object) -> BaseException | None:
    try:
        if cls.__module__ == "builtins":
            return cls(*values)
        error = cls.__new__(cls, *values)
        if not (isinstance(error, OSError) and error.args):  # which has taken its file names out
            error.args = tuple(values)
        if isinstance(attributes, Mapping):
            for name, value in attributes.items():
                setattr(error, name, restore(value))
    except Exception:  # noqa: BLE001 - a stranger's __new__ or property may raise anything; the caller falls back to StepFailed
        return None
    return error


def _decorate(error: BaseException, facts: Mapping[str, JSON]) -> None:
    notes = facts.get("notes")
    if isinstance(notes, list):
        error.__notes__ = [str(note) for note in notes]
    error.__cause__ = _cause(facts)


def _cause(facts: Mapping[str, JSON]) -> BaseException | None:
    cause = facts.get("cause")
    return rebuild({"args": [cause.get("message", "")], **cause}) if isinstance(cause, Mapping) else None


def _carried(value: object) -> JSON:
    return jsonable(value) if _is_carried(value) else _said(value)


def _said(value: object) -> str:
    try:
        return str(value).encode("utf-8", "replace").decode("utf-8")
    except Exception:  # noqa: BLE001 - a stranger's __str__
        return f"<{type(value).__name__}>"


def _is_carried(value: object) -> bool:
    try:
        jsonable(value)
    except (NotJsonError, ValueError, RecursionError):
        return False
    return True

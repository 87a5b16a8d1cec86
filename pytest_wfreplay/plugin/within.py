"""A fixture's function run within a scope, whoever runs it: a plain function, a generator, a coroutine, an async generator.

The scope is entered for each stretch of it, before and after the `yield`: between them other code runs, and an async function may be run in a
context that was copied before the scope was known.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from pytest_wfreplay.steps.scope import entered

if TYPE_CHECKING:
    from pytest_wfreplay.steps.scope import Scope

__tracebackhide__ = True


class Part(Protocol):
    """What surrounds a fixture's function."""

    def stretch(self) -> AbstractContextManager[None]:
        """Around each stretch of it."""
        ...

    def end(self) -> None:
        """It has ended well."""
        ...


class InScope:
    """A part that is nothing but a scope."""

    def __init__(self, scope: Scope | None) -> None:
        self._scope = scope

    def stretch(self) -> AbstractContextManager[None]:
        """The scope is the current one."""
        return entered(self._scope)

    def end(self) -> None:
        """Nothing is left to do."""


def within(function: Callable[..., Any], part: Part) -> Callable[..., Any]:
    """The function, of the same kind, with a part around it."""
    kind = next((wrap for is_of_kind, wrap in _KINDS if is_of_kind(function)), _plain)
    around = kind(function, part)
    if hasattr(function, "__self__"):
        # pytest looks there to warn of methods with a scope that no instance lives for.
        around.__self__ = function.__self__  # type: ignore[attr-defined]  # functions take any attribute
    return around


def _plain(function: Callable[..., Any], part: Part) -> Callable[..., Any]:
    @functools.wraps(function)
    def around(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with part.stretch():
            value = function(*args, **kwargs)
        part.end()
        return value

    return around


def _generator(function: Callable[..., Any], part: Part) -> Callable[..., Any]:
    @functools.wraps(function)
    def around(*args: Any, **kwargs: Any) -> Iterator[Any]:
        __tracebackhide__ = True
        made = function(*args, **kwargs)
        for _ in _STRETCHES:
            has_yielded = False
            with part.stretch(), contextlib.suppress(StopIteration):
                value = next(made)
                has_yielded = True
            if not has_yielded:
                break
            yield value  # a second one is the runner's to refuse
        part.end()

    return around


def _coroutine(function: Callable[..., Any], part: Part) -> Callable[..., Any]:
    @functools.wraps(function)
    async def around(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with part.stretch():
            value = await function(*args, **kwargs)
        part.end()
        return value

    return around


def _async_generator(function: Callable[..., Any], part: Part) -> Callable[..., Any]:
    @functools.wraps(function)
    async def around(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        __tracebackhide__ = True
        made = function(*args, **kwargs)
        for _ in _STRETCHES:
            has_yielded = False
            with part.stretch(), contextlib.suppress(StopAsyncIteration):
                value = await anext(made)
                has_yielded = True
            if not has_yielded:
                break
            yield value
        part.end()

    return around


#: Before the `yield` and after it.
_STRETCHES = ("setup", "teardown")

_KINDS = (
    (inspect.isasyncgenfunction, _async_generator),
    (inspect.iscoroutinefunction, _coroutine),
    (inspect.isgeneratorfunction, _generator),
)

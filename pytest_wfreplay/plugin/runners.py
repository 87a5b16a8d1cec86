"""What differs between those who run tests: functions, coroutine functions, `unittest` methods."""

from __future__ import annotations

import contextlib
import functools
import inspect
import unittest
from collections.abc import Iterator
from contextvars import Context
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.skipping import xfailed_key

from pytest_wfreplay.errors import WfreplayError
from pytest_wfreplay.plugin.traceback import is_ours
from pytest_wfreplay.steps.scope import current

if TYPE_CHECKING:
    from pytest_wfreplay.steps.scope import Scope

__tracebackhide__ = True


@contextlib.contextmanager
def in_scope(item: pytest.Item, scope: Scope | None) -> Iterator[None]:
    """Give an async test the scope inside its own coroutine: some runners start it in a context of their own."""
    function = getattr(item, "obj", None)
    # unittest's own async tests run in a context that was copied when the test case was made.
    context = getattr(getattr(item, "instance", None), "_asyncioTestContext", None)
    if isinstance(context, Context):
        context.run(current.set, scope)
    if not inspect.iscoroutinefunction(function) or not isinstance(item, pytest.Function):
        yield
        return

    @functools.wraps(function)
    async def scoped(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        token = current.set(scope)
        try:
            return await function(*args, **kwargs)
        finally:
            current.reset(token)

    item.obj = scoped
    try:
        yield
    finally:
        item.obj = function


def raised_quietly(item: pytest.Item) -> None:
    """Raise what a `unittest` method raised: pytest keeps it aside until it reports, and we want to know before."""
    kept: list[pytest.ExceptionInfo[BaseException]] | None = item.__dict__.get("_excinfo")
    if kept:
        raise kept.pop(0).value


def is_expected(item: pytest.Item, error: BaseException) -> bool:
    """Whether pytest will say of this failure that it was expected (`xfail`)."""
    if item.config.option.runxfail or is_skip(error):
        return False
    if isinstance(error, pytest.xfail.Exception):
        return True
    mark = item.stash.get(xfailed_key, None)
    return mark is not None and (mark.raises is None or _fits(mark.raises, error))


def fails_by_passing(item: pytest.Item) -> bool:
    """Whether pytest will say of a test that it failed because nothing failed (`xfail(strict=True)`)."""
    mark = item.stash.get(xfailed_key, None)
    return mark is not None and mark.strict and not item.config.option.runxfail


def insist_on(error: BaseException, report: pytest.TestReport, item: pytest.Item) -> None:
    """Let an error of ours fail a test that is expected to fail: with any error but this; unless its marker says that it is this one."""
    mark = item.stash.get(xfailed_key, None)
    named = mark.raises if mark is not None else None
    classes = named if isinstance(named, tuple) else (named,)
    if any(isinstance(one, type) and issubclass(one, WfreplayError) and isinstance(error, one) for one in classes):
        return
    if report.skipped and hasattr(report, "wasxfail") and is_ours(error):
        del report.wasxfail
        report.outcome = "failed"


def _fits(raises: object, error: BaseException) -> bool:
    """As pytest asks: one class, several, or a `pytest.RaisesExc`."""
    if isinstance(raises, type | tuple):
        return isinstance(error, raises)
    matches = getattr(raises, "matches", None)
    return callable(matches) and bool(matches(error))


def is_skip(error: BaseException) -> bool:
    """Whether this is how a test says that it is not to be run."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_skip, error.exceptions))
    return isinstance(error, pytest.skip.Exception | unittest.SkipTest)

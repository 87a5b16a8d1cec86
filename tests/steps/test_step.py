"""`@step` and `step.run` where nothing is recorded: the work is done, and gives what its replay will give."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
from typing import Any
from unittest.mock import AsyncMock

import pytest

from pytest_wfreplay.clock import CountingClock
from pytest_wfreplay.errors import ConfigurationError, NotJsonError, StepFailed
from pytest_wfreplay.steps.step import Step, step


@step
def load(user_id: int, *tags: str, deep: bool = False) -> Any:
    """Load it."""
    return {"id": user_id, "tags": tags, "deep": deep}


@step(key="fetch-user")
async def fetch(user_id: int = 7) -> Any:
    return (user_id, dt.date(2026, 1, 1))


def test_a_plain_function_stays_plain_and_an_async_one_async() -> None:
    assert load(7, "a") == {"id": 7, "tags": ["a"], "deep": False}
    assert load.__doc__ == "Load it."
    assert asyncio.run(fetch()) == [7, dt.date(2026, 1, 1)]


def test_run_is_awaitable_if_and_only_if_its_handler_is_async() -> None:
    async def given(value: Any) -> Any:
        return value

    class Caller:
        async def __call__(self, value: Any) -> Any:
            return value

        async def method(self, value: Any) -> Any:
            return value

    async def all_of_them() -> list[Any]:
        handlers: list[Any] = [given, Caller(), Caller().method, functools.partial(given), AsyncMock(return_value=[1])]
        return [await step.run("k", handler, input=(1,)) for handler in handlers]

    assert asyncio.run(all_of_them()) == [[1]] * 5
    assert step.run("k", lambda: (1,)) == [1]


def test_the_handler_gets_the_input_if_it_takes_one() -> None:
    assert step.run("k", lambda value: value, input={"a": (1,)}) == {"a": [1]}
    assert step.run("k", lambda: "none", input=1) == "none"
    assert step.run("k", lambda value=5: value) == 5
    assert step.run("k", lambda *values: values, input=1) == [1]
    assert step.run("k", lambda value: value, input=None) is None
    assert step.run("k", len, input="abc") == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: step.run("", len), "A step's key is a text that is not blank, not ''"),
        (lambda: step.run("k", lambda: 1, namespace=" "), "A step's namespace is a text that is not blank, not ' '"),
        (lambda: step.run("k", lambda a, b: 1, input=1), "The handler of step 'k' requires 2 arguments"),
        (lambda: step.run("k", lambda *, b: 1, input=1), "The handler of step 'k' requires a keyword"),  # type: ignore[misc]  # that is the point
        (lambda: step("load-user"), "@step is put on a function, not on 'load-user'"),  # type: ignore[call-overload]  # that is the point
        (lambda: step.run("k", lambda a: 1), "The handler of step 'k' takes an input and was given none"),
        (lambda: step.run("k", 3), "The handler of step 'k' is not a function but int"),  # type: ignore[call-overload]
        (lambda: step.run("k", lambda: fetch()), "is a plain function that gives a coroutine"),  # noqa: PLW0108 - that is the point
        (lambda: step(key="")(load), "A step's key is a text that is not blank"),
    ],
)
def test_a_step_that_cannot_be_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        call()


def test_what_json_cannot_carry_names_its_place() -> None:
    with pytest.raises(NotJsonError, match=r"input of step 'k'\.x"):
        step.run("k", lambda value: 1, input={"x": object()})
    with pytest.raises(NotJsonError, match=r"output of step 'k'\[0\]"):
        step.run("k", lambda: [object()])


def test_failures_are_what_they_will_be_in_replay() -> None:
    class LocalError(Exception):
        pass

    def fail() -> None:
        raise LocalError("gone")

    with pytest.raises(StepFailed, match="LocalError: gone"):
        step.run("k", fail)
    with pytest.raises(ZeroDivisionError):
        step.run("k", lambda: 1 // 0)


def test_the_clock_is_asked_through_steps() -> None:
    own = Step(CountingClock())
    assert own.now() == dt.datetime(2000, 1, 1, 0, 0, 0, 1000, tzinfo=dt.UTC)
    assert own.new_id() == "00000000-0000-0000-0000-000000000001"
    assert own.random() == 0.0
    assert asyncio.run(own.sleep(5)) is None  # type: ignore[func-returns-value]

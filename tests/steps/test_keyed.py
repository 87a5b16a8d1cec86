"""Keyed work: done once in a run, whoever asks, from whichever thread."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pytest_wfreplay.errors import ConfigurationError, NotJsonError, StepInputMismatchError
from pytest_wfreplay.steps.effort import ONCE
from pytest_wfreplay.steps.journal import LiveJournal
from pytest_wfreplay.steps.keyed import step_of_key
from pytest_wfreplay.steps.line import Line
from pytest_wfreplay.steps.scope import Scope


def _scope() -> Scope:
    return Scope(Line(LiveJournal()))


def test_threads_share_the_outcome() -> None:
    calls: list[int] = []
    scope = _scope()

    def work() -> list[int]:
        calls.append(1)
        return [len(calls)]

    def in_thread() -> Any:
        return asyncio.run(step_of_key(scope, "k", work, None, ONCE))

    async def body() -> list[Any]:
        return await asyncio.gather(*(asyncio.to_thread(in_thread) for _ in range(10)))

    assert asyncio.run(body()) == [[1]] * 10
    assert calls == [1]


def test_the_same_key_in_two_namespaces_is_two_works() -> None:
    scope = _scope()

    async def body() -> list[Any]:
        return [await step_of_key(one, "k", lambda n=n: n, None, ONCE) for n, one in enumerate((scope, scope.below("a"), scope.below("b")))]

    assert asyncio.run(body()) == [0, 1, 2]


def test_an_input_is_compared_as_json() -> None:
    scope = _scope()

    async def body() -> None:
        await step_of_key(scope, "k", lambda: 1, {"a": 1, "b": (2,)}, ONCE)
        assert await step_of_key(scope, "k", lambda: 2, {"b": [2.0], "a": 1.0}, ONCE) == 1
        for other in ({"a": True, "b": [2]}, {"a": "1", "b": [2]}, None):
            with pytest.raises(StepInputMismatchError) as caught:
                await step_of_key(scope, "k", lambda: 2, other, ONCE)
            assert caught.value.hint
        with pytest.raises(NotJsonError, match="input of step 'other'"):
            await step_of_key(scope, "other", lambda: 1, object(), ONCE)

    asyncio.run(body())


def test_after_a_cancellation_the_key_is_free_again_and_counts_once() -> None:
    scope = _scope()

    async def body() -> None:
        task = asyncio.ensure_future(step_of_key(scope, "k", asyncio.Event().wait, None, ONCE))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await step_of_key(scope, "k", lambda: 1, None, ONCE) == 1
        assert scope.key("k") == "k#2"

    asyncio.run(body())


def test_a_name_that_is_taken_stays_refused_to_everybody() -> None:
    scope = _scope()

    async def body() -> None:
        await scope.step(scope.key("k"), lambda: 1)
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="is the name of another step"):
                await step_of_key(scope, "k", lambda: 2, None, ONCE)

    asyncio.run(body())

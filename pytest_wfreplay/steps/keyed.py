"""Work that the user names with an explicit key: done once in a run, its outcome given to everybody who asks for it again."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING

from pytest_wfreplay.errors import ConfigurationError, StepInputMismatchError
from pytest_wfreplay.jsonable import jsonable, restore, spell
from pytest_wfreplay.steps.failure import is_from_outside
from pytest_wfreplay.steps.key import quote
from pytest_wfreplay.steps.line import Done

if TYPE_CHECKING:
    from pytest_wfreplay.steps.effort import Effort
    from pytest_wfreplay.steps.scope import Scope, Work


async def step_of_key(scope: Scope, key: str, work: Work, given: object, effort: Effort) -> object:
    """The step of an explicit key: the first call in a run does it, later ones get what came of it.

    Raises:
        ConfigurationError: the key is the name of another step that this run has begun.
        StepInputMismatchError: a later call gives it something else.
    """
    full = scope.prefix + quote(key)
    spelled = spell(given, path=f"input of step {full!r}")
    while True:
        with scope.line.lock:
            done = scope.line.keyed.get(full)
            if done is None:
                mine = scope.line.keyed[full] = Done(spelled, Future())
        if done is None:
            return await _do(scope, full, mine, (work, given, effort))
        _refuse_other_input(full, done, spelled)
        try:
            return restore(await asyncio.wrap_future(done.outcome))
        except _GivenUp:
            continue  # whoever did it was cancelled, we were not


class _GivenUp(Exception):  # noqa: N818 - never seen by anybody
    """Whoever did the work was cancelled before it ended."""


async def _do(scope: Scope, full: str, mine: Done, how: tuple[Work, object, Effort]) -> object:
    mine.outcome.set_running_or_notify_cancel()  # somebody who waits for it and is cancelled must not cancel it for all
    try:
        _refuse_other_name(scope, full)
        value = await scope.step(full, *how)
    except BaseException as error:
        if not is_from_outside(error):
            mine.outcome.set_exception(error)
            raise
        with scope.line.lock:
            scope.line.counts[full] -= 1
        del scope.line.keyed[full]
        mine.outcome.set_exception(_GivenUp())
        raise
    mine.outcome.set_result(jsonable(value))
    return value


def _refuse_other_input(key: str, done: Done, spelled: str) -> None:
    if done.spelled_input != spelled:
        raise StepInputMismatchError(
            f"Step {key!r} was done in this run with the input {done.spelled_input}; now it is asked for with {spelled}.",
            hint="An explicit key names one piece of work: give other work another key.",
        )


def _refuse_other_name(scope: Scope, key: str) -> None:
    if scope.line.count(key) > 1:
        raise ConfigurationError(f"{key!r} is the name of another step of this run.", hint="Choose another key=.")

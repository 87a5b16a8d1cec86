"""Work that the user names with an explicit key: done once in a run, its outcome given to everybody who asks for it again."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING

from pytest_wfreplay.errors import StepInputMismatchError
from pytest_wfreplay.jsonable import spell, unspell
from pytest_wfreplay.steps.key import quote
from pytest_wfreplay.steps.line import Done

if TYPE_CHECKING:
    from pytest_wfreplay.steps.scope import Effort, Scope, Work


async def step_of_key(scope: Scope, key: str, work: Work, given: object, effort: Effort) -> object:
    """The step of an explicit key: the first call in a run does it, later ones get what came of it.

    Raises:
        StepInputMismatchError: a later call gives it something else.
    """
    full = scope.prefix + quote(key)
    spelled = spell(given, path=f"input of step {full!r}")
    with scope.line.lock:
        done = scope.line.keyed.get(full)
        if done is None:
            mine = scope.line.keyed[full] = Done(spelled, Future())
    if done is not None:
        return await _again(full, done, spelled)
    try:
        value = await scope.step(full, work, given, effort)
    except Exception as error:
        mine.outcome.set_exception(error)
        raise
    except BaseException:
        del scope.line.keyed[full]
        mine.outcome.cancel()
        raise
    mine.outcome.set_result(spell(value))
    return value


async def _again(key: str, done: Done, spelled: str) -> object:
    if done.spelled_input != spelled:
        raise StepInputMismatchError(
            f"Step {key!r} was done in this run with the input {done.spelled_input}; now it is asked for with {spelled}.",
            hint="An explicit key names one piece of work: give other work another key.",
        )
    return unspell(await asyncio.wrap_future(done.outcome))


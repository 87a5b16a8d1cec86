"""What the user's own functions are asked, and what is made of their answers: reactions, guards, prompts and `end_when`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pytest_wfreplay.errors import DivergenceError, HandlerError, TemplateError
from pytest_wfreplay.signal import Signal, is_signal
from pytest_wfreplay.steps.failure import is_from_outside
from pytest_wfreplay.template import render

if TYPE_CHECKING:
    from pytest_wfreplay.engine.agent import AgentContext, Prompt
    from pytest_wfreplay.engine.plan import Reaction


async def asked(part: str, name: str, function: Any, *args: object) -> Any:
    """What a function of the user's answers, waited for if need be; what a generator yields, as a list.

    Raises:
        HandlerError: it raised.
    """
    try:
        answer = function(*args)
        if inspect.isawaitable(answer):
            answer = await answer
        if inspect.isgenerator(answer):
            return list(answer)
        return [one async for one in answer] if inspect.isasyncgen(answer) else answer
    except DivergenceError:
        raise
    except asyncio.CancelledError as error:
        if is_from_outside(error):
            raise
        raise HandlerError(part, name, error) from error  # something that it waited for was cancelled, the run was not
    except Exception as error:
        raise HandlerError(part, name, error) from error


def reduced(reducer: Reaction, draft: Any, given: object, before: Any) -> Any:
    """The state that a reducer leaves: the draft it was given; a typed state may be returned anew, for a frozen one has to be.

    Raises:
        HandlerError: it left the dict it was given as it was `before` and returned another, which would be lost.
    """
    if given is draft or type(given) is not type(draft):
        return draft
    if not isinstance(draft, dict):
        return given
    if draft == before and not any(given is item for item in draft.values()):
        misled = TypeError("a reducer changes the state it is given; it returned another one, which would be lost")
        raise HandlerError("reducer", reducer.name, misled) from misled
    return draft


def signals_of(said: object) -> list[Signal]:
    """The signals that a handler or a process returned, one or several.

    Raises:
        TypeError: it returned something else.
    """
    several = isinstance(said, Iterable) and not isinstance(said, (str, Mapping)) and not is_signal(said)
    signals = []
    for one in said if several else [said]:  # type: ignore[attr-defined]  # it is iterable where it is several
        if not is_signal(one):
            raise TypeError(f"it returns signals, not {type(one).__name__}")
        signals.append(one)
    return signals


async def worded(name: str, prompt: Prompt, ctx: AgentContext) -> str:
    """What an agent is told: its template with the holes filled, or what its function gives.

    Raises:
        TemplateError: a hole names nothing, or the function gives no text.
        HandlerError: the function raised.
    """
    text = prompt if isinstance(prompt, str) else await asked("prompt", name, prompt, ctx)
    if not isinstance(text, str):
        raise TemplateError(f"The prompt of agent {name!r} gave {type(text).__name__}, not text.", agent=name)
    return text if not isinstance(prompt, str) else render(text, state=ctx.state, signal=ctx.signal, input=ctx.input, agent=name)

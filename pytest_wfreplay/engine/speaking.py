"""A live harness call: its signals delivered as they come, its failures given one shape.

1. `harness:end` is held back until the stream has ended, so that a reply and its outcome arrive together.
2. A harness that raises has said `harness:error`, by itself or by us. A `harness:error` that is not recoverable fails the call when the
   stream ends; a recoverable one does not.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_wfreplay.errors import DivergenceError, HarnessError
from pytest_wfreplay.jsonable import JSON, plain_json
from pytest_wfreplay.signal import Signal
from pytest_wfreplay.steps.failure import message_of

if TYPE_CHECKING:
    from pytest_wfreplay.harness import Harness, HarnessInput, RunContext
    from pytest_wfreplay.steps.scope import Deliver


async def speak(harness: Harness, told: HarnessInput, ctx: RunContext, deliver: Deliver) -> JSON:
    """Let a harness speak; its output.

    Raises:
        HarnessError: it failed, or it ended without `harness:end`.
    """
    speech = _Speech(harness.type, deliver)
    try:
        await _listen(harness.run(told, ctx), speech)
    except DivergenceError:
        raise
    except HarnessError as error:
        speech.fail(error)
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # Nobody cancelled us: something in the harness was, and said so by its own exception. Unanswered, the run would wait for ever.
        failure = HarnessError("CancelledError", "The harness was cancelled from within.")
        speech.fail(failure)
        raise failure from error
    except Exception as error:
        failure = HarnessError(type(error).__name__, message_of(error))
        speech.fail(failure)
        raise failure from error
    return speech.conclude()


async def _listen(stream: Any, speech: _Speech) -> None:
    if inspect.isawaitable(stream):
        stream = await stream
    try:
        async for signal in stream:
            speech.hear(signal)
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()


class _Speech:
    """What was heard of one call."""

    def __init__(self, harness: str, deliver: Deliver) -> None:
        self._harness = harness
        self._deliver = deliver
        self._end: dict[str, JSON] | None = None
        self._fatal: HarnessError | None = None
        self._said: tuple[JSON, JSON] | None = None

    def hear(self, signal: Any) -> None:
        if not isinstance(signal, Signal):
            raise TypeError(f"A harness yields signals, not {type(signal).__name__}.")
        self._release()
        payload = plain_json(signal.payload, path=f"payload of {signal.name}")
        if signal.name == "harness:end":
            self._end = _checked(payload)
            return
        if signal.name == "harness:error":
            self._note(payload)
        self._deliver(signal.name, payload, self._harness)

    def fail(self, error: HarnessError) -> None:
        """Say `harness:error`, unless the harness has said so itself."""
        self._release()
        if self._fatal is None and self._said != (error.code, str(error)):
            payload: dict[str, JSON] = {"code": error.code, "message": message_of(error), "recoverable": error.recoverable}
            self._deliver("harness:error", plain_json(payload), self._harness)

    def conclude(self) -> JSON:
        if self._fatal is not None:
            self._release()
            raise self._fatal
        if self._end is None:
            failure = HarnessError("no_end", "The harness ended without harness:end.", hint="A harness yields harness:end last.")
            self.fail(failure)
            raise failure
        output = self._end["output"]
        self._release()
        return plain_json(output)

    def _release(self) -> None:
        if self._end is not None:
            self._deliver("harness:end", self._end, self._harness)
            self._end = None

    def _note(self, payload: JSON) -> None:
        facts = payload if isinstance(payload, Mapping) else {}
        self._said = (facts.get("code"), facts.get("message"))
        if facts.get("recoverable") is not True:
            self._fatal = HarnessError(str(facts.get("code", "error")), str(facts.get("message", "")))


def _checked(payload: JSON) -> dict[str, JSON]:
    output = payload.get("output") if isinstance(payload, dict) else None
    if isinstance(output, str):
        output = {"content": output}
    if not isinstance(payload, dict) or not isinstance(output, dict):
        raise TypeError("The payload of harness:end is {'output': {…}}.")
    return {**payload, "output": output}

"""A live harness call: its signals delivered as they come, its failures given one shape.

1. `harness:end` and `harness:error` are held back until the stream has gone on or ended, so that the last word of a call and its outcome
   arrive together: between the two nobody else can be heard, live or in replay.
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
from pytest_wfreplay.steps.failure import is_from_outside, message_of

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
        if is_from_outside(error):
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
        self._held: tuple[str, JSON] | None = None
        self._output: JSON = None
        self._has_ended = False
        self._fatal: HarnessError | None = None

    def hear(self, signal: Any) -> None:
        if not isinstance(signal, Signal):
            raise TypeError(f"A harness yields signals, not {type(signal).__name__}.")
        self._release()
        payload = plain_json(signal.payload, path=f"payload of {signal.name}")
        self._has_ended = signal.name == "harness:end"
        if self._has_ended:
            payload = _checked(payload)
            self._output = payload["output"]
        elif signal.name == "harness:error":
            self._note(payload)
        else:
            self._deliver(signal.name, payload, self._harness)
            return
        self._held = (signal.name, payload)

    def fail(self, error: HarnessError) -> None:
        """Say `harness:error`, unless that is what the harness has said last."""
        said = self._held
        self._release()
        if said is None or said[0] != "harness:error":
            payload: dict[str, JSON] = {"code": error.code, "message": message_of(error), "recoverable": error.recoverable}
            self._deliver("harness:error", plain_json(payload), self._harness)

    def conclude(self) -> JSON:
        failure = self._fatal
        if failure is None and not self._has_ended:
            failure = HarnessError("no_end", "The harness ended without harness:end.", hint="A harness yields harness:end last.")
        if failure is not None and not (self._has_ended and self._fatal):
            self.fail(failure)
        self._release()
        if failure is not None:
            raise failure
        return plain_json(self._output)

    def _release(self) -> None:
        if self._held is not None:
            name, payload = self._held
            self._held = None
            self._deliver(name, payload, self._harness)

    def _note(self, payload: JSON) -> None:
        facts = payload if isinstance(payload, Mapping) else {}
        if facts.get("recoverable") is not True:
            self._fatal = HarnessError(str(facts.get("code", "error")), str(facts.get("message", "")))


def _checked(payload: JSON) -> dict[str, JSON]:
    output = payload.get("output") if isinstance(payload, dict) else None
    if isinstance(output, str):
        output = {"content": output}
    if not isinstance(payload, dict) or not isinstance(output, dict):
        raise TypeError("The payload of harness:end is {'output': {…}}.")
    return {**payload, "output": output}

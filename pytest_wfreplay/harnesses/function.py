"""A harness made of one function: the shortest way to put any model, service or fake behind an agent."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.harness import OUTPUT_KEYS, HarnessCapabilities, HarnessInput, HarnessOutput, RunContext
from pytest_wfreplay.reply import Reply, failure, whole_reply
from pytest_wfreplay.signal import Signal, create_signal, is_signal


class FunctionHarness:
    """Asks `fn(input)` for each reply.

    `fn` is a function, an async function, a generator or an async generator. It gives a str, a dict, a `HarnessOutput`, or yields
    text chunks or signals, which are passed on as they come. A dict that has only keys of `HarnessOutput` is one; any other is the
    structured value itself, and so is one without a `structured_output` for an agent that has an `output_schema`.

    A plain function or generator runs in the event loop's own thread, so agents side by side wait for it; give a blocking one to
    `asyncio.to_thread` in an async function.
    """

    type = "function"
    capabilities = HarnessCapabilities()

    def __init__(self, fn: Callable[[HarnessInput], object]) -> None:
        if not callable(fn):
            raise ConfigurationError(f"FunctionHarness asks a function, not {type(fn).__name__}.")
        self._fn = fn
        self.display_name = f"Function {getattr(fn, '__qualname__', type(fn).__name__)}"

    async def run(self, input: HarnessInput, ctx: RunContext) -> AsyncIterator[Signal]:  # noqa: ARG002 - the contract's words
        """The function's reply as signals.

        Raises:
            Exception: whatever the function raises, after its `harness:error`.
        """
        reply = Reply(input)
        for signal in reply.say(create_signal("harness:start", {"input": input.to_json()})):
            yield signal
        try:
            async with aclosing(self._said(input)) as said:
                async for signal in said:
                    for heard in reply.say(signal) if signal.name != "harness:start" else ():
                        yield heard
        except Exception as error:
            yield failure(error)
            raise
        for signal in reply.end():
            yield signal

    async def _said(self, input: HarnessInput) -> AsyncGenerator[Signal, None]:
        reply = self._fn(input)
        if inspect.isawaitable(reply):
            reply = await reply
        if inspect.isgenerator(reply) or inspect.isasyncgen(reply):
            async with aclosing(_chunks(reply)) as chunks:
                async for chunk in chunks:
                    yield _signal(chunk)
            return
        for signal in whole_reply(_read(reply, input), input):
            yield signal


async def _chunks(reply: Any) -> AsyncGenerator[object, None]:
    """What a generator of either kind yields; it is closed with us."""
    if inspect.isasyncgen(reply):
        async with aclosing(reply):
            async for chunk in reply:
                yield chunk
        return
    try:
        for chunk in reply:
            yield chunk
    finally:
        reply.close()


def _signal(chunk: object) -> Signal:
    if is_signal(chunk):
        return chunk
    if isinstance(chunk, str):
        return create_signal("text:delta", {"content": chunk})
    raise ConfigurationError(f"A generator yields text chunks or signals, not {type(chunk).__name__}.")


def _read(reply: object, input: HarnessInput) -> object:
    """A dict by what it is: an output, or the structured value."""
    if not isinstance(reply, Mapping) or not reply or not set(reply) <= OUTPUT_KEYS:
        return reply
    if input.output_schema is not None and "structured_output" not in reply:
        return reply
    return HarnessOutput.of(reply)

"""A harness that answers from a script: for tests, demonstrations and offline work."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias, TypeGuard

from pytest_wfreplay.errors import ConfigurationError, ScriptExhausted
from pytest_wfreplay.harness import HarnessCapabilities, HarnessInput, HarnessOutput, RunContext
from pytest_wfreplay.reply import check_reply, failure, whole_reply
from pytest_wfreplay.signal import Signal, create_signal

#: What one call is answered with: text, a structured value, a whole output, an exception to raise, or the very signals.
ScriptedReply: TypeAlias = "str | Mapping[str, object] | HarnessOutput | BaseException | type[BaseException] | Sequence[Signal]"

#: A script that is written while it is played.
ScriptFunction: TypeAlias = Callable[[HarnessInput, RunContext], "ScriptedReply | Awaitable[ScriptedReply]"]


class ScriptedHarness:
    """Answers each call with the next reply of its script.

    `replies` is a dict from an agent's name to the list of its replies, one list for whoever asks, or a callable
    `(input, ctx) -> reply` (sync or async). A reply is a str (one delta and its `text:complete`), a dict (the structured value;
    its JSON is the text), a `HarnessOutput`, an exception (raised after its `harness:error`), or a list of signals (start and end
    are added where missing). `delay` is seconds between two signals. `.calls` holds the inputs in the order of the calls.

    Each agent of a dict has its own place in the script, so agents side by side get their own replies whichever asks first.

    Raises:
        ConfigurationError: a part of the script is no reply.
        ScriptExhausted: (from `run`) there is no reply left, or none for this agent.
    """

    type = "scripted"
    display_name = "Scripted"
    capabilities = HarnessCapabilities()

    def __init__(self, replies: Mapping[str, Sequence[ScriptedReply]] | Sequence[ScriptedReply] | ScriptFunction, delay: float = 0.0) -> None:
        self.calls: list[HarnessInput] = []
        self._delay = delay
        self._next = _script(replies)

    async def run(self, input: HarnessInput, ctx: RunContext) -> AsyncIterator[Signal]:
        """The next reply's signals.

        Raises:
            ScriptExhausted: there is none left.
            Exception: the reply is one.
        """
        self.calls.append(input)
        try:
            signals = await self._reply(input, ctx)
        except Exception as error:
            for signal in (create_signal("harness:start", {"input": input.to_json()}), failure(error)):
                yield signal
                await self._pause()
            raise
        for position, signal in enumerate(signals):
            if position:
                await self._pause()
            yield signal

    async def _reply(self, input: HarnessInput, ctx: RunContext) -> list[Signal]:
        reply = self._next(input, ctx)
        if inspect.isawaitable(reply):
            reply = await reply
        if _is_exception(reply):
            raise reply
        return whole_reply(reply, input)

    async def _pause(self) -> None:
        if self._delay:
            await asyncio.sleep(self._delay)


def _script(replies: object) -> ScriptFunction:
    if isinstance(replies, Mapping):
        return _by_agent({str(agent): _queue(script, f"the replies of agent {agent!r}") for agent, script in replies.items()})
    if isinstance(replies, (list, tuple)):
        return _in_order(_queue(replies, "the replies"))
    if callable(replies):
        return replies
    raise ConfigurationError(f"A script is a dict from agents to lists of replies, a list or a callable, not {type(replies).__name__}.")


def _queue(script: object, what: str) -> deque[ScriptedReply]:
    if not isinstance(script, (list, tuple)):
        raise ConfigurationError(f"{what} are a list, not {type(script).__name__}.", hint="Put a single reply into a list.")
    for reply in script:
        if not _is_exception(reply):
            check_reply(reply)
    return deque(script)


def _by_agent(queues: dict[str, deque[ScriptedReply]]) -> ScriptFunction:
    def reply(_: HarnessInput, ctx: RunContext) -> ScriptedReply:
        if ctx.agent not in queues:
            raise ScriptExhausted(f"The script has no replies for agent {ctx.agent!r}; it has some for {', '.join(queues) or 'nobody'}.")
        return _taken(queues[ctx.agent], ctx)

    return reply


def _in_order(queue: deque[ScriptedReply]) -> ScriptFunction:
    return lambda _, ctx: _taken(queue, ctx)


def _taken(queue: deque[ScriptedReply], ctx: RunContext) -> ScriptedReply:
    if not queue:
        raise ScriptExhausted(f"The script has no reply left for agent {ctx.agent!r}.")
    return queue.popleft()


def _is_exception(reply: object) -> TypeGuard[BaseException | type[BaseException]]:
    return isinstance(reply, BaseException) or (isinstance(reply, type) and issubclass(reply, BaseException))

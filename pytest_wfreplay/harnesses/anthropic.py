"""The harness over Anthropic's Messages API, through the official SDK (extra `anthropic`): I/O only; events and requests have their own rooms."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pytest_wfreplay.errors import ConfigurationError, HarnessError
from pytest_wfreplay.harness import HarnessCapabilities, HarnessInput, RunContext
from pytest_wfreplay.harnesses.anthropic_events import Message, decode
from pytest_wfreplay.harnesses.anthropic_request import answer_of, check_options, is_beta, request
from pytest_wfreplay.reply import failure
from pytest_wfreplay.signal import Signal, create_signal

#: The model that is asked when neither the harness nor the agent names one.
DEFAULT_MODEL = "claude-sonnet-5-5"

#: Statuses and the service's own words for what may go well when it is tried again.
_PASSING_STATUSES = frozenset({408, 409, 429})
_SERVER_FAILED = 500
_PASSING_TYPES = frozenset({"api_error", "overloaded_error", "rate_limit_error", "timeout_error"})


class AnthropicHarness:
    """Asks a Claude model by the streaming Messages API.

    `model` and `max_tokens` hold where an agent says nothing else. `client` is an `anthropic.AsyncAnthropic` (or its Bedrock or Vertex
    sibling) that stays open and yours; without one, each call opens and closes its own from `base_url` and `api_key`, and what these
    leave out the SDK reads from its environment variables. Retries are the client's own: `max_retries`, before a stream has begun.

    `options` are further keywords of the SDK's `messages.create`, for every call: `thinking`, `tools`, `tool_choice`, `metadata`,
    `mcp_servers` with `betas`, `output_config`, `extra_headers`, …; those that only the beta resource knows choose it. Tools given as
    dicts, here or on an agent, are passed on untouched, so the service's own tools (web search, code execution) need no wrapping.

    An `output_schema` becomes the service's structured output; models from before it are made to call a tool instead.

    Raises:
        ConfigurationError: the SDK is not installed, or an option has a place of its own.
        HarnessError: (from `run`) the service or the way to it failed, or the stream ended before the message did; `code` is the service's
            word for it or the class name of the SDK's error, which is its cause.
    """

    type = "anthropic"
    display_name = "Claude (Messages API)"
    capabilities = HarnessCapabilities(streaming=True, structured_output=True, tools=True, resume=False)

    def __init__(  # noqa: PLR0917 - the contract's own order
        self,
        model: str = DEFAULT_MODEL,
        client: Any = None,
        base_url: str | None = None,
        api_key: str | None = None,
        max_tokens: int = 4096,
        options: Mapping[str, object] | None = None,
    ) -> None:
        if client is None and not _is_installed():
            install = 'pip install "pytest-wfreplay[anthropic]"'
            raise ConfigurationError(f"AnthropicHarness needs the package anthropic: {install}", hint=install)
        check_options(options or {})
        self._model = model
        self._client = client
        self._base_url = base_url
        self._api_key = api_key
        self._max_tokens = max_tokens
        self._options = dict(options or {})

    async def run(self, input: HarnessInput, ctx: RunContext) -> AsyncIterator[Signal]:  # noqa: ARG002 - the contract's words
        """One message as signals. Cancelling or closing it closes the connection.

        Raises:
            HarnessError: see the class.
        """
        model = input.model or self._model
        max_tokens = self._max_tokens if input.max_tokens is None else input.max_tokens
        asked = request(input, model, max_tokens, self._options, _strict)
        message = Message(answer_of(input, model))
        yield create_signal("harness:start", {"input": input.to_json()})
        try:
            async with self._events(asked) as events:
                async for event in events:
                    for signal in decode(event, message):
                        yield signal
        except Exception as error:
            failed = _harness_error(error)
            yield failure(failed)
            raise failed from error
        if not message.stopped:
            failed = HarnessError("incomplete_stream", "The stream ended before the message did.", recoverable=True)
            yield failure(failed)
            raise failed

    @asynccontextmanager
    async def _events(self, asked: dict[str, Any]) -> AsyncIterator[Any]:
        async with self._opened() as client:
            messages = client.beta.messages if is_beta(self._options) else client.messages
            async with await messages.create(**asked, stream=True) as events:
                yield events

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Any]:
        """The caller's client, or one for this call: connections cannot be shared between event loops."""
        if self._client is not None:
            yield self._client
            return
        from anthropic import AsyncAnthropic

        async with AsyncAnthropic(base_url=self._base_url, api_key=self._api_key) as client:
            yield client


def _is_installed() -> bool:
    """Whether the SDK could be imported; it is not."""
    if "anthropic" in sys.modules:
        return sys.modules["anthropic"] is not None
    return importlib.util.find_spec("anthropic") is not None


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as the service takes it: objects closed, what it does not know moved into descriptions."""
    from anthropic import transform_schema

    return transform_schema(schema)


def _harness_error(error: Exception) -> HarnessError:
    """The SDK's error in our words; what it does not say about itself is looked for in the body that it carries."""
    status, body = getattr(error, "status_code", None), getattr(error, "body", None)
    told = body.get("error") if isinstance(body, Mapping) else None
    told = told if isinstance(told, Mapping) else {}
    code = str(told.get("type") or type(error).__name__)
    message = str(told.get("message") or error) or type(error).__name__
    if status is None:
        return HarnessError(code, message, recoverable=_is_transport(error))
    return HarnessError(code, message, recoverable=code in _PASSING_TYPES or status in _PASSING_STATUSES or status >= _SERVER_FAILED)


def _is_transport(error: Exception) -> bool:
    """Whether the way to the service broke: the SDK's connection errors and those of the HTTP library below it (httpx, whichever it is)."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"APIConnectionError", "TransportError", "ConnectionError", "TimeoutError"})

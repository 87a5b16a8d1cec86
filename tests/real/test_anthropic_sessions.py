"""The real SDK against streams as the real service sent them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pytest_wfreplay.errors import HarnessError
from pytest_wfreplay.harness import HarnessInput, RunContext
from pytest_wfreplay.harnesses.anthropic import AnthropicHarness
from pytest_wfreplay.harnesses.anthropic_events import Message, decode
from pytest_wfreplay.signal import Signal

EXCHANGES = [
    ("anthropic-code-execution", 0),
    ("anthropic-mcp", 0),
    ("anthropic-thinking", 0),
    ("anthropic-tool-search", 0),
    ("anthropic-tool-search", 1),
    ("anthropic-web-search", 0),
]

#: The SDK warns of models that were new when the sessions were recorded.
pytestmark = pytest.mark.filterwarnings("ignore:The model 'claude-sonnet-4:DeprecationWarning")


def told(request: dict[str, Any]) -> HarnessInput:
    return HarnessInput(messages=request["messages"], tools=request.get("tools", ()), model=request["model"], max_tokens=request["max_tokens"])


def harness(request: dict[str, Any], url: str) -> AnthropicHarness:
    from anthropic import AsyncAnthropic

    client = AsyncAnthropic(base_url=url, api_key="not-a-key", max_retries=0)
    options = {name: request[name] for name in ("thinking", "tool_choice", "mcp_servers") if name in request}
    return AnthropicHarness(client=client, options=options)


async def heard(asked: AnthropicHarness, request: dict[str, Any], signals: list[Signal]) -> None:
    async for signal in asked.run(told(request), RunContext("run", "asker", "asker#1")):
        signals.append(signal)  # noqa: PERF401 - what came before an error counts
    await asked._client.close()


def pieces(events: list[dict[str, Any]], kind: str, part: str) -> str:
    """What the stream itself says, concatenated."""
    return "".join(event["delta"][part] for event in events if event["type"] == "content_block_delta" and event["delta"]["type"] == kind)


def payloads(signals: list[Signal], name: str) -> list[Any]:
    return [signal.payload for signal in signals if signal.name == name]


@pytest.mark.parametrize(("name", "number"), EXCHANGES)
def test_a_session_is_heard_as_it_was_sent(name: str, number: int, session: Callable[..., Any], serve: Callable[..., Any]) -> None:
    recorded = session(name)
    server, signals = serve(recorded), []
    for exchange in range(number + 1):
        signals = []
        request = recorded.request(exchange)
        asyncio.run(heard(harness(request, server.url), request, signals))
    events = recorded.events(number)
    text, thinking = pieces(events, "text_delta", "text"), pieces(events, "thinking_delta", "thinking")
    [end] = payloads(signals, "harness:end")
    assert text
    assert end["output"]["content"] == text
    assert payloads(signals, "text:complete") == [{"content": text}]
    assert "".join(delta["content"] for delta in payloads(signals, "text:delta")) == text
    assert payloads(signals, "thinking:complete") == ([{"content": thinking}] if thinking else [])
    blocks = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert [call["id"] for call in payloads(signals, "tool:call")] == [block["id"] for block in blocks if block["type"].endswith("tool_use")]
    assert [(one["id"], one["result"]) for one in payloads(signals, "tool:result")] == [
        (block["tool_use_id"], block["content"]) for block in blocks if block["type"].endswith("tool_result")
    ]
    usage = next(event["usage"] for event in reversed(events) if event["type"] == "message_delta")
    assert (end["output"]["usage"]["input_tokens"], end["output"]["usage"]["output_tokens"]) == (usage["input_tokens"], usage["output_tokens"])
    assert len(server.log()) == number + 1


def test_the_tool_that_the_client_runs_is_asked_for(session: Callable[..., Any], serve: Callable[..., Any]) -> None:
    recorded, signals = session("anthropic-tool-search"), []
    request = recorded.request(0)
    asyncio.run(heard(harness(request, serve(recorded).url), request, signals))
    searched, asked = payloads(signals, "tool:call")
    assert (searched["name"], searched["provider"]) == ("tool_search_tool_bm25", True)
    assert searched["input"] == {"query": "USD EUR exchange rate currency conversion"}
    assert asked == {"id": "toolu_01EFn5wTNBYA8Reni8rbmnHT", "name": "get_exchange_rate", "input": {"from_currency": "USD", "to_currency": "EUR"}}
    output = payloads(signals, "harness:end")[0]["output"]
    assert (output["stop_reason"], output["tool_calls"]) == ("tool_use", [asked])


@pytest.mark.parametrize(("name", "number"), [exchange for exchange in EXCHANGES if exchange[1] == 0])
def test_a_stream_that_is_dropped_half_way_is_a_harness_error(name: str, number: int, session: Callable[..., Any], serve: Callable[..., Any]) -> None:
    recorded, signals = session(name), []
    request = recorded.request(number)
    half = len(recorded.exchanges[number]["response"]["body"].encode()) // 2
    server = serve(recorded, "--drop-after", str(half))
    with pytest.raises(HarnessError) as caught:
        asyncio.run(heard(harness(request, server.url), request, signals))
    assert (caught.value.code, caught.value.recoverable) == ("RemoteProtocolError", True)
    assert caught.value.__cause__ is not None
    assert signals[-1].name == "harness:error"
    assert signals[-1].payload == {"code": caught.value.code, "message": caught.value.message, "recoverable": True}
    assert not payloads(signals, "harness:end")


@pytest.mark.parametrize(("name", "number"), EXCHANGES)
def test_plain_events_and_the_sdks_objects_say_the_same(name: str, number: int, session: Callable[..., Any], serve: Callable[..., Any]) -> None:
    recorded, by_sdk = session(name), []
    server = serve(recorded)
    for exchange in range(number + 1):
        by_sdk = []
        asyncio.run(heard(harness(recorded.request(exchange), server.url), recorded.request(exchange), by_sdk))
    message = Message()
    plain = [signal for event in recorded.events(number) for signal in decode(event, message)]
    assert [(signal.name, signal.payload) for signal in plain] == [(signal.name, signal.payload) for signal in by_sdk[1:]]

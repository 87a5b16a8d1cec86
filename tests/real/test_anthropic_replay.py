"""A workflow over real sessions is recorded once, and replayed with nobody there to answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_wfreplay.engine.result import RunResult
from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.errors import HarnessError
from pytest_wfreplay.harnesses.anthropic import AnthropicHarness
from pytest_wfreplay.options import RecordingOptions
from pytest_wfreplay.stores.files import FileSignalStore

SESSIONS = ["anthropic-code-execution", "anthropic-mcp", "anthropic-thinking", "anthropic-tool-search", "anthropic-web-search"]

#: The SDK warns of models that were new when the sessions were recorded.
pytestmark = pytest.mark.filterwarnings("ignore:The model 'claude-sonnet-4:DeprecationWarning")


def question(request: dict[str, Any]) -> str:
    """The text of the first user message; the server answers in order whatever it is asked."""
    return "".join(part["text"] for part in request["messages"][0]["content"])


async def run(session: Any, url: str | None, recording: RecordingOptions) -> RunResult:
    """One agent per exchange, each woken by the one before; live against `url`, or with no harness at all."""
    from anthropic import AsyncAnthropic

    flow = create_workflow(session.path.stem)
    agents, heard = {}, "workflow:start"
    client = AsyncAnthropic(base_url=url, api_key="not-a-key", max_retries=0) if url else None
    for number in range(len(session.exchanges)):
        request = session.request(number)
        options = {name: request[name] for name in ("thinking", "tool_choice", "mcp_servers") if name in request}
        agents[f"asker_{number}"] = flow.agent(
            prompt=f"Exchange {number}.",
            message=question(request),
            activate_on=[heard],
            emits=[f"asker_{number}:done"],
            updates=f"answer_{number}",
            tools=request.get("tools"),
            model=request["model"],
            max_tokens=request["max_tokens"],
            harness=AnthropicHarness(client=client, options=options) if client else None,
        )
        heard = f"asker_{number}:done"
    try:
        return await flow.run_reactive(agents=agents, state={f"answer_{number}": None for number in range(len(agents))}, recording=recording)
    finally:
        if client:
            await client.close()


def text(session: Any, number: int) -> str:
    """What the stream itself says, concatenated."""
    deltas = [event["delta"] for event in session.events(number) if event["type"] == "content_block_delta"]
    return "".join(delta["text"] for delta in deltas if delta["type"] == "text_delta")


def options(mode: str, path: Path) -> RecordingOptions:
    return RecordingOptions(mode=mode, store=FileSignalStore(path), name="session")  # type: ignore[arg-type]  # one of its words


@pytest.mark.parametrize("name", SESSIONS)
def test_a_recorded_session_replays_with_nobody_there(name: str, session: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path) -> None:
    recorded = session(name)
    server = serve(recorded)
    live = asyncio.run(run(recorded, server.url, options("record", tmp_path)))
    assert len(server.log()) == len(recorded.exchanges)  # the server is stopped now
    replayed = asyncio.run(run(recorded, None, options("replay", tmp_path)))
    assert replayed.signals == live.signals
    assert replayed.state == live.state == {f"answer_{number}": text(recorded, number) for number in range(len(recorded.exchanges))}
    assert replayed.metrics == live.metrics


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_that_was_dropped_half_way_fails_again_as_it_failed(
    name: str, session: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path
) -> None:
    recorded = session(name)
    half = len(recorded.exchanges[0]["response"]["body"].encode()) // 2
    server = serve(recorded, "--drop-after", str(half))
    with pytest.raises(HarnessError) as live:
        asyncio.run(run(recorded, server.url, options("record", tmp_path)))
    assert len(server.log()) == 1  # the server is stopped now
    with pytest.raises(HarnessError) as replayed:
        asyncio.run(run(recorded, None, options("replay", tmp_path)))
    assert type(replayed.value) is type(live.value)
    assert str(replayed.value) == str(live.value)
    assert (replayed.value.code, replayed.value.recoverable) == (live.value.code, live.value.recoverable) == ("RemoteProtocolError", True)
    assert replayed.value.result.signals == live.value.result.signals  # type: ignore[attr-defined]  # every error that ends a run has it
    assert replayed.value.result.signals.count("harness:error") == 1  # type: ignore[attr-defined]  # as above

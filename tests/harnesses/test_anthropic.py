"""The real SDK against a server on loopback that fails in every way that a service can; recorded sessions are in tests/real."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pytest_wfreplay.errors import ConfigurationError, HarnessError
from pytest_wfreplay.harness import HarnessInput, RunContext
from pytest_wfreplay.harnesses.anthropic import AnthropicHarness
from pytest_wfreplay.signal import Signal

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
}
BEGIN = [
    {"type": "message_start", "message": MESSAGE | {"usage": {"input_tokens": 3, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
]
END = [
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]


class Service(ThreadingHTTPServer):
    """Answers every request by `answer`; `hangs` is set when a stream stops half-way, `gone` when its client has closed it."""

    daemon_threads = True

    def __init__(self, answer: Callable[[Handler], None]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.betas: list[str | None] = []
        self.hangs = threading.Event()
        self.gone = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        self.server.betas.append(self.headers["anthropic-beta"])
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        with suppress(ConnectionError):
            self.server.answer(self)

    def fail(self, status: int, body: dict[str, Any]) -> None:
        spelled = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(spelled)))
        self.end_headers()
        self.wfile.write(spelled)

    def stream(self, events: list[dict[str, Any]], length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        if length is not None:
            self.send_header("content-length", str(length))
        self.end_headers()
        for event in events:
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()

    def hang(self) -> None:
        """Send nothing more until the client goes away."""
        self.server.hangs.set()
        self.connection.settimeout(10)
        with suppress(OSError):
            if self.connection.recv(1) == b"":
                self.server.gone.set()

    def log_message(self, *args: object) -> None:
        """Say nothing on stderr."""


@pytest.fixture
def service() -> Iterator[Callable[[Callable[[Handler], None]], Service]]:
    started: list[Service] = []

    def start(answer: Callable[[Handler], None]) -> Service:
        server = Service(answer)
        started.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


async def heard(url: str, signals: list[Signal], told: HarnessInput | None = None, **options: Any) -> None:
    from anthropic import AsyncAnthropic

    async with AsyncAnthropic(base_url=url, api_key="not-a-key", max_retries=0) as client:
        async for signal in AnthropicHarness(client=client, **options).run(told or HarnessInput(system="Say hi."), RunContext("run")):
            signals.append(signal)  # noqa: PERF401 - what came before an error counts


def failed(url: str) -> tuple[HarnessError, list[Signal]]:
    signals: list[Signal] = []
    with pytest.raises(HarnessError) as caught:
        asyncio.run(heard(url, signals))
    error = caught.value
    assert signals[0].name == "harness:start"
    assert signals[-1].name == "harness:error"
    assert signals[-1].payload == {"code": error.code, "message": error.message, "recoverable": error.recoverable}
    assert str(error) == error.message
    return error, signals


def test_a_message_is_asked_for_and_heard(service: Callable[..., Service]) -> None:
    server, signals = service(lambda handler: handler.stream([*BEGIN, *END])), []
    asyncio.run(heard(server.url, signals, max_tokens=50))
    assert [signal.name for signal in signals] == ["harness:start", "text:delta", "text:complete", "harness:end"]
    assert signals[0].payload == {"input": {"system": "Say hi."}}
    [asked] = server.asked
    assert asked == {"max_tokens": 50, "model": "claude-sonnet-5-5", "messages": [{"role": "user", "content": "Say hi."}], "stream": True}


def test_what_an_agent_says_comes_before_what_the_harness_says(service: Callable[..., Service]) -> None:
    server = service(lambda handler: handler.stream([*BEGIN, *END]))
    asyncio.run(heard(server.url, [], HarnessInput(system="x", model="claude-opus-5-5", max_tokens=7, temperature=0.5), max_tokens=50))
    assert (server.asked[0]["model"], server.asked[0]["max_tokens"], server.asked[0]["temperature"]) == ("claude-opus-5-5", 7, 0.5)


def test_options_reach_the_service_and_choose_the_beta_resource(service: Callable[..., Service]) -> None:
    server = service(lambda handler: handler.stream([*BEGIN, *END]))
    servers = [{"type": "url", "name": "wiki", "url": "https://example.org/mcp"}]
    asyncio.run(heard(server.url, [], options={"mcp_servers": servers, "betas": ["mcp-client-2025-11-20"]}))
    assert server.asked[0]["mcp_servers"] == servers
    assert server.betas == ["mcp-client-2025-11-20"]


def test_a_schema_is_answered_with_a_structured_value(service: Callable[..., Service]) -> None:
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '{"n": 0}'}}
    server, signals = service(lambda handler: handler.stream([*BEGIN[:2], delta, *END])), []
    told = HarnessInput(system="x", output_schema={"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
    asyncio.run(heard(server.url, signals, told))
    assert signals[-1].payload["output"]["structured_output"] == {"n": 0}  # type: ignore[index,call-overload]  # the end's shape
    assert server.asked[0]["output_config"]["format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("status", "code", "recoverable"),
    [
        (400, "invalid_request_error", False),
        (401, "authentication_error", False),
        (429, "rate_limit_error", True),
        (500, "api_error", True),
        (529, "overloaded_error", True),
    ],
)
def test_an_error_status_is_said_in_the_services_words(service: Callable[..., Service], status: int, code: str, recoverable: bool) -> None:
    body = {"type": "error", "error": {"type": code, "message": "Because."}}
    error, _ = failed(service(lambda handler: handler.fail(status, body)).url)
    assert (error.code, error.message, error.recoverable) == (code, "Because.", recoverable)
    assert getattr(error.__cause__, "status_code", None) == status


def test_an_error_status_without_a_body_of_theirs_has_the_sdks_class_name(service: Callable[..., Service]) -> None:
    error, _ = failed(service(lambda handler: handler.fail(503, {"detail": "proxy"})).url)
    assert (error.code, error.recoverable) == ("ServiceUnavailableError", True)


def test_an_error_event_in_the_stream_is_said_in_the_services_words(service: Callable[..., Service]) -> None:
    event = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    error, signals = failed(service(lambda handler: handler.stream([*BEGIN, event])).url)
    assert (error.code, error.message, error.recoverable) == ("overloaded_error", "Overloaded", True)
    assert [signal.name for signal in signals] == ["harness:start", "text:delta", "harness:error"]


def test_a_dropped_stream_is_an_error(service: Callable[..., Service]) -> None:
    error, signals = failed(service(lambda handler: handler.stream(BEGIN, length=100_000)).url)
    assert (error.code, error.recoverable) == ("RemoteProtocolError", True)
    assert "text:delta" in [signal.name for signal in signals]


def test_a_stream_that_ends_politely_before_its_message_is_an_error_too(service: Callable[..., Service]) -> None:
    error, _ = failed(service(lambda handler: handler.stream(BEGIN)).url)
    assert (error.code, error.recoverable) == ("incomplete_stream", True)


def test_nobody_there_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody can answer there
        error, _ = failed(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert (error.code, error.recoverable) == ("APIConnectionError", True)


def _hanging(handler: Handler) -> None:
    handler.stream(BEGIN, length=100_000)
    handler.hang()


def test_cancelling_closes_the_connection(service: Callable[..., Service]) -> None:
    server, signals = service(_hanging), []

    async def scenario() -> None:
        task = asyncio.create_task(heard(server.url, signals))
        await asyncio.to_thread(server.hangs.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(scenario(), 20))
    assert server.gone.wait(5)
    assert "harness:end" not in [signal.name for signal in signals]


def test_closing_the_run_closes_the_connection(service: Callable[..., Service]) -> None:
    server = service(_hanging)

    async def scenario() -> None:
        signals = AnthropicHarness(base_url=server.url, api_key="not-a-key").run(HarnessInput(system="x"), RunContext("run"))
        assert [(await anext(signals)).name, (await anext(signals)).name] == ["harness:start", "text:delta"]
        await signals.aclose()  # type: ignore[attr-defined]  # an async generator is what it is

    asyncio.run(asyncio.wait_for(scenario(), 20))
    assert server.gone.wait(5)


def test_without_a_client_each_call_has_its_own_and_may_run_in_any_event_loop(service: Callable[..., Service]) -> None:
    server = service(lambda handler: handler.stream([*BEGIN, *END]))
    harness = AnthropicHarness(base_url=server.url, api_key="not-a-key")

    async def names() -> list[str]:
        return [signal.name async for signal in harness.run(HarnessInput(system="x"), RunContext("run"))]

    assert asyncio.run(names()) == asyncio.run(names()) == ["harness:start", "text:delta", "text:complete", "harness:end"]


def test_a_harness_without_a_key_fails_when_it_is_asked_and_not_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE", "ANTHROPIC_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    harness = AnthropicHarness(base_url="http://127.0.0.1:9")

    async def ask() -> list[Signal]:
        return [signal async for signal in harness.run(HarnessInput(system="x"), RunContext("run"))]

    with pytest.raises(HarnessError, match="authentication method"):
        asyncio.run(ask())


def test_a_missing_sdk_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anthropic", None)
    with pytest.raises(ConfigurationError) as caught:
        AnthropicHarness()
    assert 'pip install "pytest-wfreplay[anthropic]"' in str(caught.value)


def test_building_a_harness_does_not_import_the_sdk() -> None:
    code = "import sys; from pytest_wfreplay.harnesses.anthropic import AnthropicHarness; AnthropicHarness(); print('anthropic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"

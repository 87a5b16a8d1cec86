"""Adapters hear everything they ask for, in order, and can never break a run."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest

from pytest_wfreplay.engine.adapters import logging_adapter, terminal_adapter
from pytest_wfreplay.engine.result import RunResult
from pytest_wfreplay.engine.workflow import Workflow
from pytest_wfreplay.errors import ConfigurationError, HarnessError
from pytest_wfreplay.harnesses.scripted import ScriptedHarness
from pytest_wfreplay.signal import Signal, create_signal

Run = Callable[..., RunResult]


class Listener:
    def __init__(self, *patterns: Any, log: list[str] | None = None, name: str = "listener") -> None:
        self.name = name
        self.patterns: Any = patterns
        self.log = [] if log is None else log

    def on_start(self) -> None:
        self.log.append("start")

    def on_signal(self, signal: Signal) -> None:
        self.log.append(signal.name)

    def on_stop(self) -> None:
        self.log.append("stop")


class AsyncListener(Listener):
    async def on_signal(self, signal: Signal) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self.log.append(f"async {signal.name}")

    async def on_stop(self) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self.log.append("async stop")


class Broken(Listener):
    def on_start(self) -> None:
        raise RuntimeError("start")

    def on_signal(self, signal: Signal) -> None:
        raise RuntimeError(signal.name)

    async def on_stop(self) -> None:  # type: ignore[override]
        raise RuntimeError("stop")


def test_signals_are_told_in_order_and_flushed_before_the_stop(flow: Workflow, run: Run) -> None:
    log: list[str] = []
    agents = {"a": flow.agent(prompt="x", activate_on=["workflow:start"])}
    result = run(agents=agents, adapters=[Listener("**", log=log), AsyncListener("workflow:*", log=log)])
    expected = ["start", "start"]
    for name in result.signals.names:
        expected += [name, f"async {name}"] if name.startswith("workflow:") else [name]
    assert log == [*expected, "stop", "async stop"]


@pytest.mark.parametrize("patterns", ["workflow:end", re.compile("end$"), {"name": "workflow:end", "payload": {"activations": 0}}])
def test_one_pattern_may_stand_alone(run: Run, patterns: Any) -> None:
    listener = Listener()
    listener.patterns = patterns
    run(adapters=[listener])
    assert listener.log == ["start", "workflow:end", "stop"]


def test_what_an_adapter_raises_is_logged_and_harmless(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    listener = Listener("**")
    result = run(adapters=[Broken("workflow:start", name="broken"), listener])
    assert result.signals.names == ["workflow:start", "workflow:end"]
    assert listener.log == ["start", "workflow:start", "workflow:end", "stop"]
    assert [record.getMessage() for record in caplog.records] == [
        f"Adapter 'broken' raised in {method}; the run goes on." for method in ("on_start", "on_signal", "on_stop")
    ]
    assert all(record.levelno == logging.ERROR and record.exc_info for record in caplog.records)


def test_a_failed_run_tells_its_end_and_stops_too(flow: Workflow, run: Run) -> None:
    listener = Listener("workflow:*")
    with pytest.raises(HarnessError):
        run(
            agents={"a": flow.agent(prompt="x", activate_on=["workflow:start"])},
            harness=ScriptedHarness([RuntimeError("boom")]),
            adapters=[listener],
        )
    assert listener.log == ["start", "workflow:start", "workflow:failed", "stop"]


def test_a_pattern_that_is_none_is_refused_before_anything_starts(run: Run) -> None:
    listener = Listener(3)
    with pytest.raises(ConfigurationError, match="Not a pattern: 3"):
        run(adapters=[listener])
    assert listener.log == []


LEVELS = [
    ("harness:error", logging.ERROR),
    ("error", logging.ERROR),
    ("workflow:failed", logging.ERROR),
    ("agent:failed", logging.ERROR),
    ("workflow:timeout", logging.WARNING),
    ("workflow:cancelled", logging.WARNING),
    ("text:delta", logging.DEBUG - 5),
    ("workflow:start", logging.INFO),
    ("workflow:terminating", logging.INFO),
    ("harness:start", logging.INFO),
    ("harness:end", logging.INFO),
    ("agent:activated", logging.INFO),
    ("text:complete", logging.INFO),
    ("agent:completed", logging.INFO),
    ("agent:skipped", logging.DEBUG),
    ("tool:call", logging.DEBUG),
    ("state:x:changed", logging.DEBUG),
]


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_the_level_of_each_signal_is_the_first_that_fits(name: str, level: int, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("test.wfreplay")
    with caplog.at_level(1, logger="test.wfreplay"):
        logging_adapter(logger).on_signal(create_signal(name, {"n": 1}))
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (level, f"{name} {{'n': 1}}")


def test_deltas_are_below_debug(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="pytest_wfreplay"):
        adapter = logging_adapter()
        adapter.on_signal(create_signal("text:delta", {"content": "x"}))
        adapter.on_signal(create_signal("workflow:start"))
    assert [record.name for record in caplog.records] == ["pytest_wfreplay"]


def test_the_terminal_shows_texts_as_they_stream(flow: Workflow, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    agents = {"a": flow.agent(prompt="x", activate_on=["workflow:start"], emits=["said"])}
    renderers: dict[str, Any] = {"said": lambda signal: f"<{signal.payload['output']}>\n", "workflow:end": lambda _: None}
    run(agents=agents, harness=ScriptedHarness(["hello"]), adapters=[terminal_adapter(renderers)])
    assert capsys.readouterr().out == "[workflow:start]\n[agent:activated] a\nhello\n<hello>\n"

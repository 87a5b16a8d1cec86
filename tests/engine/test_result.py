"""What a run gives: state, signals, figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from pytest_wfreplay.engine.result import RunMetrics, RunResult, attach
from pytest_wfreplay.engine.workflow import Workflow
from pytest_wfreplay.harness import HarnessOutput, TokenUsage
from pytest_wfreplay.harnesses.scripted import ScriptedHarness
from pytest_wfreplay.trace import Trace

Run = Callable[..., RunResult]


def test_the_figures_are_sums(flow: Workflow, run: Run) -> None:
    replies = [HarnessOutput("one", usage=TokenUsage(3, 4), cost_usd=0.25), HarnessOutput("two", usage=TokenUsage(1, 1, 9), cost_usd=0.5), "three"]
    agents = {
        "a": flow.agent(prompt="x", activate_on=["workflow:start"], emits="go"),
        "b": flow.agent(prompt="x", activate_on=["go"], emits="on"),
        "c": flow.agent(prompt="x", activate_on=["on"]),
    }
    result = run(agents=agents, harness=ScriptedHarness(replies))
    metrics = result.metrics
    assert dataclasses.asdict(metrics.tokens) == {"input": 4, "output": 5, "total": 16}
    assert (metrics.cost_usd, metrics.activations, metrics.harness_calls) == (0.75, 3, 3)
    assert metrics.duration_ms > 0
    assert not result.terminated_early
    assert result.recording_id is None
    assert isinstance(result.signals, Trace)


def test_an_error_with_a_result_of_its_own_keeps_it() -> None:
    class OwnError(Exception):
        @property
        def result(self) -> str:
            return "own"

    error = OwnError()
    attach(RunResult({}, Trace(), RunMetrics()), error)
    assert error.result == "own"


def test_a_result_cannot_be_changed(run: Run) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        run().state = {}  # type: ignore[misc]

"""Loops are named: those of agents and those of handlers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_wfreplay.engine.result import RunResult
from pytest_wfreplay.engine.workflow import Workflow
from pytest_wfreplay.errors import ActivationLimitError
from pytest_wfreplay.signal import create_signal

Run = Callable[..., RunResult]


def test_a_loop_of_agents_names_the_cycle(flow: Workflow, run: Run) -> None:
    agents = {
        "start": flow.agent(prompt="x", activate_on=["workflow:start"], emits=["draft"]),
        "critic": flow.agent(prompt="x", activate_on=["draft"], emits=["critique"]),
        "writer": flow.agent(prompt="x", activate_on=["critique"], emits=["draft"]),
    }
    with pytest.raises(ActivationLimitError) as caught:
        run(agents=agents, max_activations=9)
    error = caught.value
    assert str(error) == "More than 9 activations: critic -> writer -> critic"
    assert (error.limit, error.cycle) == (9, ("critic", "writer", "critic"))
    assert error.hint
    assert error.result.metrics.activations == 9
    assert error.result.signals.count("agent:activated") == 9
    assert error.result.signals[-1].name == "workflow:failed"


def test_an_agent_that_wakes_itself_is_a_cycle_of_one(flow: Workflow, run: Run) -> None:
    with pytest.raises(ActivationLimitError) as caught:
        run(agents={"a": flow.agent(prompt="x", activate_on=["**"])}, max_activations=3)
    assert caught.value.cycle == ("a", "a")


def test_a_loop_of_handlers_names_the_cycle(run: Run) -> None:
    with pytest.raises(ActivationLimitError) as caught:
        run(
            handlers={"workflow:start": lambda _s, _g: create_signal("ping"), "ping": lambda _s, _g: create_signal("pong")},
            processes={"pong": lambda _s, _g: create_signal("ping")},
            max_activations=5,
        )
    assert sorted(set(caught.value.cycle)) == ["ping", "pong"]
    assert caught.value.cycle[0] == caught.value.cycle[-1]
    assert len(caught.value.result.signals) < 30


def test_as_many_activations_as_allowed_are_allowed(flow: Workflow, run: Run) -> None:
    agent = flow.agent(prompt="x", activate_on=["go"])
    handlers = {"workflow:start": lambda _s, _g: [create_signal("go") for _ in range(5)]}
    assert run(agents={"a": agent}, handlers=handlers, max_activations=5).metrics.activations == 5
    with pytest.raises(ActivationLimitError, match="More than 4 activations: a"):
        run(agents={"a": agent}, handlers=handlers, max_activations=4)

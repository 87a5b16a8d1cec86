"""An example, and our own dog food: what failed when it was recorded fails in the same way in a replay."""

from __future__ import annotations

import pytest

from pytest_wfreplay import HarnessError, ScriptedHarness, create_workflow, expect, step


class CardDeclinedError(Exception):
    """A failure of the shop's own, found again by its name."""

    def __init__(self, order, reason):
        super().__init__(f"order {order}: {reason}")
        self.order = order


def charge(order):
    raise CardDeclinedError(order, "no funds")


def test_a_model_that_is_down_ends_the_run_with_its_own_error(wfreplay):
    flow = create_workflow("outage")
    agents = {
        "quick": flow.agent(prompt="Say something.", activate_on=["workflow:start"], updates="said", emits=["said"]),
        "down": flow.agent(prompt="Go on: {{ said }}", activate_on=["said"]),
    }
    harness = ScriptedHarness({"quick": ["Hello."], "down": [HarnessError("overloaded_error", "The service is busy.", recoverable=True)]})
    with pytest.raises(HarnessError, match="The service is busy") as caught:
        wfreplay.run(flow.run_reactive(agents=agents, state={"said": ""}, harness=harness))
    assert (caught.value.code, caught.value.recoverable) == ("overloaded_error", True)
    assert caught.value.result.state == {"said": "Hello."}
    expect(caught.value.result).to_have_signals_in_order(["harness:error", "agent:failed", "workflow:failed"], strict=True)


@pytest.mark.wfreplay
def test_a_declined_card_is_declined_again():
    with pytest.raises(CardDeclinedError, match="order 3: no funds") as caught:
        step.run("charge", charge, input=3)
    assert caught.value.order == 3

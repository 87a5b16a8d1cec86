"""An example, and our own dog food: three agents answer a ticket, two of them side by side; the cassette lies in cassettes/examples."""

from __future__ import annotations

from pytest_wfreplay import ScriptedHarness, create_signal, create_workflow, expect

flow = create_workflow("support")
AGENTS = {
    "classify": flow.agent(
        prompt="Put this ticket into one word: {{ ticket }}", activate_on=["workflow:start"], updates="category", emits=["ticket:classified"]
    ),
    "answer": flow.agent(
        prompt="Answer this {{ category }} ticket.",
        message="{{ ticket }}",
        activate_on=["ticket:classified"],
        updates="reply",
        emits=["reply:written"],
    ),
    "judge": flow.agent(
        prompt="How urgent is this {{ category }} ticket, from 1 to 5?\n{{ ticket }}",
        activate_on=["ticket:classified"],
        output_schema={"type": "object", "required": ["urgency"], "properties": {"urgency": {"type": "integer"}}},
        updates="judgement",
    ),
    "supervisor": flow.agent(prompt="Call {{ customer.name }}.", activate_on=["ticket:escalated"], when=lambda ctx: ctx.state["customer"]["is_new"]),
}
REPLIES = {"classify": ["billing"], "answer": ["We have sent your money back."], "judge": [{"urgency": 5}]}


def escalate(state, signal):
    """What a handler does: look at what was judged, change the state, say a signal."""
    state["is_escalated"] = signal.payload["new_value"]["urgency"] > 3
    return create_signal("ticket:escalated", signal.payload["new_value"]) if state["is_escalated"] else None


def test_a_ticket_is_classified_then_answered_and_judged_side_by_side(wfreplay):
    harness = ScriptedHarness(REPLIES, delay=0.001)
    state = {"ticket": "I was charged twice.", "customer": {"name": "Ada", "is_new": False}, "category": "", "reply": "", "is_escalated": False}
    result = wfreplay.run(flow.run_reactive(agents=AGENTS, state=state, harness=harness, handlers={"state:judgement:changed": escalate}))
    assert result.state == {**state, "category": "billing", "reply": REPLIES["answer"][0], "judgement": {"urgency": 5}, "is_escalated": True}
    assert len(harness.calls) == (0 if wfreplay.mode == "none" else 3)
    (
        expect(result)
        .to_have_signals_in_order(["workflow:start", "ticket:classified", "reply:written", "workflow:end"])
        .to_contain_signal("agent:skipped", {"agent": "supervisor"})
        .to_have_signal_count("harness:end", 3)
        .not_to_contain_signal("**:error")
    )

"""Mutants: each differs from its cassette in one step's outcome, and what the trace says of it; each is a cassette like any other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_wfreplay.deck import Deck, Treatment
from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.harnesses.scripted import ScriptedHarness
from pytest_wfreplay.jsonable import canonical
from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.codec.text import decode, encode
from pytest_wfreplay.recording.matching import Matching
from pytest_wfreplay.recording.mutation import mutants
from pytest_wfreplay.signal import create_signal
from pytest_wfreplay.steps.scope import entered
from pytest_wfreplay.steps.step import step

flow = create_workflow("flow")
SCHEMA = {
    "type": "object",
    "properties": {"kind": {"enum": ["refund", "question"]}, "urgency": {"type": "integer", "maximum": 3}},
    "required": ["kind", "urgency"],
}


def recorded(main: Any) -> Cassette:
    deck = Deck("record", Treatment())
    with entered(deck.scope):
        asyncio.run(main())
    deck.close()
    return deck.cassette()


async def said(*replies: Any, schema: Any = None) -> Any:
    agents = {"one": flow.agent(prompt="hi", activate_on=["workflow:start", "again"], updates="said", output_schema=schema)}
    return await flow.run_reactive(agents=agents, state={"said": None}, harness=ScriptedHarness(list(replies)))


def outcomes(cassette: Cassette) -> list[tuple[str, Any]]:
    return [(entry.key, entry.outcome) for run in cassette.runs for entry in run.entries]


def changes(cassette: Cassette) -> dict[str, Any]:
    """What was changed, and the outcome that the step has now."""
    before = outcomes(cassette)
    found = {}
    for change, mutant in mutants(cassette):
        [(_, now)] = [after for was, after in zip(before, outcomes(mutant), strict=True) if was != after]
        found[change] = now.value
    return found


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("aé\n ", max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab$", max_size=2), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(outputs=st.lists(VALUES, max_size=3), replies=st.lists(st.text("aé {}\n", max_size=8) | st.dictionaries(st.text("ab"), VALUES), max_size=2))
def test_each_mutant_differs_in_one_outcome_and_is_a_cassette(outputs: list[Any], replies: list[Any]) -> None:
    async def main() -> None:
        for output in outputs:
            step.run("work", lambda output=output: output)
        for reply in replies:
            await said(reply)

    cassette = recorded(main)
    for _, mutant in mutants(cassette):
        assert sum(was != now for was, now in zip(outcomes(cassette), outcomes(mutant), strict=True)) == 1
        again = decode(encode(mutant), path="mutant.yaml")
        assert outcomes(again) == outcomes(mutant)
        assert [run.signals for run in again.runs] == [run.signals for run in mutant.runs]


def test_the_trace_says_what_the_step_gives_now() -> None:
    async def main() -> None:
        step.run("load", lambda: {"name": "Ada", "age": 7})

    cassette = recorded(main)
    found = dict(mutants(cassette))
    assert list(found) == ["load.name", "load.age"]
    [run] = found["load.age"].runs
    assert run.signals.last("step:end").payload == {"step": "load", "output": {"name": "Ada", "age": 8}}  # type: ignore[union-attr]  # there is one


def test_a_reply_says_the_same_in_its_pieces_its_whole_and_its_end() -> None:
    pieces = [create_signal("text:delta", {"content": piece}) for piece in ("re", "fund")]
    cassette = recorded(lambda: said(pieces))
    [(change, mutant)] = mutants(cassette)
    assert change == "one#1/harness.content"
    trace = mutant.runs[0].signals
    assert [one.payload["content"] for one in trace.filter("text:delta")] == ["another text", ""]
    assert [one.payload["content"] for one in trace.filter("text:complete")] == ["another text"]
    assert [one.payload["output"]["content"] for one in trace.filter("harness:end")] == ["another text"]
    deck = Deck("replay", Treatment(Matching("keys")), mutant)
    with entered(deck.scope):
        assert asyncio.run(said()).state["said"] == "another text"


@pytest.mark.parametrize("reply", [{"kind": "refund", "urgency": 3}, 'Here: {"kind": "refund", "urgency": 3}'])
def test_a_reply_by_a_schema_still_fits_it(reply: Any) -> None:
    cassette = recorded(lambda: said(reply, schema=SCHEMA))
    states = {}
    for change, mutant in mutants(cassette):
        deck = Deck("replay", Treatment(Matching("keys")), mutant)
        with entered(deck.scope):
            states[change.rpartition(".")[2]] = asyncio.run(said(schema=SCHEMA)).state["said"]
    assert states == {"kind": {"kind": "question", "urgency": 3}, "urgency": {"kind": "refund", "urgency": 2}}


def test_what_a_tool_is_called_with_is_changed_too() -> None:
    call = create_signal("tool:call", {"id": "t1", "name": "look", "input": {"at": "sky"}})
    found = changes(recorded(lambda: said([create_signal("text:delta", {"content": "Looking"}), call])))
    assert list(found) == ["one#1/harness.content", "one#1/harness.tool_calls[0].input.at"]
    assert found["one#1/harness.tool_calls[0].input.at"]["tool_calls"] == [{"id": "t1", "name": "look", "input": {"at": "another text"}}]


def test_a_step_that_failed_gives_null() -> None:
    async def main() -> None:
        def decline() -> None:
            raise ValueError("no funds")

        with pytest.raises(ValueError, match="no funds"):
            step.run("charge", decline)

    assert changes(recorded(main)) == {"charge.error": None}


def test_what_is_drawn_gives_nothing_or_lies_inside_a_step_is_left_alone() -> None:
    async def main() -> None:
        step.now(), step.new_id(), step.random()
        step.run("send", lambda: None)
        step.run("outer", lambda: step.run("inner", lambda: 1))

    assert changes(recorded(main)) == {"outer": 2}


def test_every_step_is_changed_once_before_any_is_changed_twice() -> None:
    async def main() -> None:
        await said("yes")
        await said("no")
        step.run("first", lambda: [1, 2])
        step.run("second", lambda: 5)

    found = [change for change, _ in mutants(recorded(main))]
    assert found == ["first[0]", "second", "run 2: one#1/harness.content", "run 3: one#1/harness.content", "first[1]", "first[-1]"]


def test_what_is_changed_is_never_in_the_cassette_itself() -> None:
    async def main() -> None:
        step.run("load", lambda: {"a": [1, {"b": 2}]})

    cassette = recorded(main)
    before = canonical([run.signals[-1].payload for run in cassette.runs]), encode(cassette)
    list(mutants(cassette))
    assert (canonical([run.signals[-1].payload for run in cassette.runs]), encode(cassette)) == before

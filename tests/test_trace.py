"""A trace is an immutable sequence of signals that answers patterns and knows who caused whom."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.pattern import as_pattern
from pytest_wfreplay.signal import Signal, SignalSource, signal_id
from pytest_wfreplay.trace import Trace


def said(position: int, name: str, payload: object = None, *, agent: str | None = None, parent: int | None = None) -> Signal:
    source = SignalSource(agent=agent, parent=None if parent is None else signal_id(parent)) if agent or parent else None
    return Signal(signal_id(position), name, payload, f"2026-11-20T10:00:00.{position:03d}Z", source)  # type: ignore[arg-type]  # JSON, by construction


@pytest.fixture
def trace() -> Trace:
    return Trace(
        [
            said(1, "workflow:start", {"agents": ["writer", "critic"]}),
            said(2, "agent:activated", {"agent": "writer"}, agent="writer", parent=1),
            said(3, "text:delta", {"content": "Once"}, agent="writer", parent=2),
            said(4, "agent:completed", {"agent": "writer", "output": "Once"}, agent="writer", parent=2),
            said(5, "draft:ready", {"agent": "writer"}, agent="writer", parent=2),
            said(6, "agent:activated", {"agent": "critic"}, agent="critic", parent=5),
            said(7, "workflow:end", {"activations": 2}),
        ]
    )


def test_it_is_a_sequence_whose_slices_are_traces(trace: Trace) -> None:
    assert len(trace) == 7
    assert trace[0].name == "workflow:start"
    assert trace[-1].name == "workflow:end"
    assert isinstance(trace[1:3], Trace)
    assert trace[1:3].names == ["agent:activated", "text:delta"]
    assert next(signal.id for signal in reversed(trace)) == "sig_000007"
    assert trace.index(trace[3]) == 3
    with pytest.raises(TypeError):
        trace[0] = trace[1]  # type: ignore[index]  # that is the test


def test_it_is_built_from_a_tuple_or_a_trace_without_a_copy(trace: Trace) -> None:
    signals = tuple(trace)
    assert Trace(signals)._signals is signals
    assert Trace(trace)._signals is trace._signals


def test_patterns_find_signals(trace: Trace) -> None:
    assert trace.filter("agent:*").names == ["agent:activated", "agent:completed", "agent:activated"]
    assert trace.first("agent:*") is trace[1]
    assert trace.last("agent:*") is trace[5]
    assert trace.last(re.compile("^text")) is trace[2]
    assert trace.count("agent:activated") == 2
    assert trace.count({"name": "agent:*", "payload": {"agent": "critic"}}) == 1
    assert trace.first("nothing") is None
    assert trace.filter("nothing") == Trace()


def test_in_asks_for_a_pattern_or_a_signal(trace: Trace) -> None:
    assert "agent:*" in trace
    assert "tool:*" not in trace
    assert {"name": "workflow:end", "payload": {"activations": 2}} in trace
    assert trace[3] in trace
    assert said(3, "agent:completed") not in trace
    with pytest.raises(ConfigurationError):
        assert 3 not in trace


def test_agents_children_and_causes(trace: Trace) -> None:
    assert trace.for_agent("critic").names == ["agent:activated"]
    assert trace.for_agent("nobody") == Trace()
    assert trace.children("sig_000002").names == ["text:delta", "agent:completed", "draft:ready"]
    assert [signal.id for signal in trace.causes("sig_000006")] == ["sig_000001", "sig_000002", "sig_000005", "sig_000006"]
    assert trace.causes("sig_000001") == trace[:1]
    assert trace.children("sig_000099") == trace.causes("sig_000099") == Trace()


def test_causes_end_where_the_trace_ends(trace: Trace) -> None:
    assert [signal.id for signal in trace[4:].causes("sig_000006")] == ["sig_000005", "sig_000006"]
    circle = Trace([said(1, "a", agent="x", parent=2), said(2, "b", agent="x", parent=1)])
    assert circle.causes("sig_000002").names == ["a", "b"]


def test_the_summary_counts_names_in_order(trace: Trace) -> None:
    assert list(trace.summary().items())[:2] == [("workflow:start", 1), ("agent:activated", 2)]
    trace.summary().clear()
    assert trace.summary()["agent:activated"] == 2


def test_the_tree_shows_who_caused_whom(trace: Trace) -> None:
    assert trace.tree().splitlines() == [
        'workflow:start {"agents": ["writer", "critic"]}',
        '└─ agent:activated {"agent": "writer"}',
        '   ├─ text:delta {"content": "Once"}',
        '   ├─ agent:completed {"agent": "writer", "output": "Once"}',
        '   └─ draft:ready {"agent": "writer"}',
        '      └─ agent:activated {"agent": "critic"}',
        'workflow:end {"activations": 2}',
    ]
    assert Trace().tree() == ""


@given(st.lists(st.tuples(st.integers(1, 8), st.none() | st.integers(1, 9)), max_size=8))
def test_the_tree_has_one_line_for_each_signal_whatever_its_parents(shape: list[tuple[int, int | None]]) -> None:
    trace = Trace(said(position, f"n{at}", parent=parent) for at, (position, parent) in enumerate(shape))
    drawn = [line.split("─ ")[-1] for line in trace.tree().splitlines()]
    assert sorted(drawn) == sorted(trace.names)


def test_a_chain_of_a_thousand_causes_is_drawn_within_reason() -> None:
    chain = Trace(said(at, "x", parent=at - 1 or None) for at in range(1, 2001))
    assert len(chain.tree()) < 2000 * 70
    assert len(chain.causes("sig_002000")) == 2000


def test_traces_are_compared_by_what_was_said(trace: Trace) -> None:
    later = Trace(replace(signal, id=f"sig_{position:06d}", timestamp="2027-01-01T00:00:00.000Z") for position, signal in enumerate(trace, 40))
    assert trace == later
    assert trace != trace[:-1]
    assert Trace([said(1, "x", {"n": 1})]) == Trace([said(1, "x", {"n": 1.0})])
    assert Trace([said(1, "x", {"n": 1})]) != Trace([said(1, "x", {"n": True})])
    assert Trace([said(1, "x", agent="a")]) != Trace([said(1, "x", agent="b")])
    assert trace != list(trace)


def test_its_repr_is_short(trace: Trace) -> None:
    assert repr(trace) == "<Trace: 7 signals, workflow:start … workflow:end>"
    assert repr(trace[:1]) == "<Trace: workflow:start>"
    assert repr(Trace()) == "<Trace: no signals>"


@given(st.lists(st.sampled_from(["a", "a:b", "a:c", "b"]), max_size=12), st.sampled_from(["a", "a:*", "*", "**", "a:**", "x"]))
def test_every_question_is_answered_as_by_walking_the_signals(names: list[str], pattern: str) -> None:
    trace = Trace(said(position, name) for position, name in enumerate(names, 1))
    asked = as_pattern(pattern)
    matching = [signal for signal in trace if asked.matches(signal)]
    assert list(trace.filter(pattern)) == matching
    assert trace.count(pattern) == len(matching)
    assert trace.first(pattern) == (matching[0] if matching else None)
    assert trace.last(pattern) == (matching[-1] if matching else None)
    assert (pattern in trace) == bool(matching)

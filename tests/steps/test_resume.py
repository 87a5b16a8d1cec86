"""Resume states and snapshots: they turn into each other, travel as JSON, and what is none is refused with every reason."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.errors import SnapshotFormatError
from pytest_wfreplay.signal import Signal
from pytest_wfreplay.steps.entry import ABSENT, Entry, Raised, Returned
from pytest_wfreplay.steps.resume import ResumeState, WorkflowSnapshot, create_resume_state_collector, is_step_complete, to_snapshot
from pytest_wfreplay.steps.snapshot_form import (
    assert_valid_snapshot,
    deserialize_resume_state,
    looks_like_workflow_snapshot,
    merge_snapshots,
    serialize_resume_state,
    to_resume_state,
    validate_snapshot,
)

KEYS = st.text(min_size=1, max_size=10)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
ERRORS = st.fixed_dictionaries({"type": st.just("ValueError"), "message": st.text(max_size=5)}, optional={"args": st.lists(VALUES, max_size=2)})
OUTCOMES = st.none() | VALUES.map(Returned) | ERRORS.map(Raised)
TIMES = st.none() | st.just("2026-11-20T10:00:00.000Z")


@st.composite
def states(draw: st.DrawFn) -> ResumeState:
    keys = draw(st.lists(KEYS, unique=True, max_size=4))
    entry = st.builds(Entry, st.just(""), st.just(ABSENT) | VALUES, OUTCOMES, st.integers(1, 5), TIMES, TIMES)
    return ResumeState({key: replace(draw(entry), key=key) for key in keys}, draw(st.none() | st.text(min_size=1, max_size=5)))


@given(states())
def test_a_resume_state_travels_as_json_and_comes_back_whole(state: ResumeState) -> None:
    text = json.dumps(serialize_resume_state(state))
    assert deserialize_resume_state(text) == state
    assert to_resume_state(json.loads(text)) == state
    assert to_resume_state(state) is state


@given(states())
def test_a_snapshot_is_valid_travels_as_json_and_keeps_every_outcome(state: ResumeState) -> None:
    snapshot = to_snapshot(state)
    result = validate_snapshot(json.dumps(snapshot.as_json()))
    assert result.errors == ()
    assert result.snapshot == snapshot
    assert looks_like_workflow_snapshot(snapshot)
    assert looks_like_workflow_snapshot(snapshot.as_json())
    back = to_resume_state(snapshot)
    assert {key: entry.outcome for key, entry in back.steps.items()} == {
        key: entry.outcome for key, entry in state.steps.items() if entry.outcome is not None
    }
    assert all(entry.input is ABSENT for entry in back.steps.values())


def test_what_a_snapshot_says_of_steps_and_of_the_run() -> None:
    failed = Raised({"type": "KeyError", "message": "'x'", "cause": {"type": "OSError", "message": "gone"}})
    state = ResumeState({"user:1": Entry("user:1", {"id": 1}, Returned({"name": "Ada"})), "pay": Entry("pay", None, failed, 3)}, "orders")
    snapshot = to_snapshot(state, status="failed", current_step_id="pay", definition_hash="sha256:1", input={"order": 1}, handle=object())
    assert snapshot.steps == {
        "user:1": {"ok": True, "value": {"name": "Ada"}},
        "pay": {
            "ok": False,
            "error": {"type": "KeyError", "message": "'x'"},
            "cause": {"type": "OSError", "message": "gone"},
            "meta": {"origin": "throw", "attempts": 3},
        },
    }
    assert (snapshot.execution.status, snapshot.execution.current_step_id) == ("failed", "pay")
    assert snapshot.execution.completed_at == snapshot.execution.last_updated
    assert snapshot.metadata == {"definition_hash": "sha256:1", "input": {"order": 1}, "workflow_id": "orders"}
    assert snapshot.warnings == ({"type": "lossy_value", "step_id": "", "path": "metadata.handle", "reason": "non-json"},)
    assert to_resume_state(snapshot).steps["pay"] == Entry("pay", ABSENT, failed, 3)


def test_merging_lets_the_delta_win() -> None:
    base = to_snapshot(ResumeState({"a": Entry("a", None, Returned(1)), "b": Entry("b", None, Returned(1))}), status="running", x=1, y=1)
    delta = to_snapshot(ResumeState({"b": Entry("b", None, Returned(2)), "c": Entry("c", None, Returned(2))}), y=2, bad=object())
    merged = merge_snapshots(base, delta.as_json())
    assert {key: result["value"] for key, result in merged.steps.items()} == {"a": 1, "b": 2, "c": 2}
    assert merged.execution == delta.execution
    assert merged.metadata == {"x": 1, "y": 2}
    assert merged.warnings == delta.warnings
    with pytest.raises(SnapshotFormatError):
        merge_snapshots(base, {})


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ((), "completed"),
        ((Returned(None),), "completed"),
        ((Raised({"type": "E"}), Returned(1)), "failed"),
        ((Raised({"type": "E"}), None), "running"),
    ],
)
def test_a_snapshot_says_how_far_its_steps_are_unless_it_is_told(outcomes: tuple[Any, ...], status: str) -> None:
    state = ResumeState({f"s{n}": Entry(f"s{n}", None, outcome) for n, outcome in enumerate(outcomes)})
    assert to_snapshot(state).execution.status == status
    assert to_snapshot(state, status="running").execution.status == "running"


GOOD = WorkflowSnapshot(steps={"a": {"ok": True, "value": None}}).as_json()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format_version": 2}, "format_version: 2 is newer than 1, the newest that is known here"),
        ({"format_version": True}, "format_version: 1 is wanted, not True"),
        ({"format_version": 0}, "format_version: 0 never was"),
        ({"steps": []}, "steps: a mapping is wanted, not list"),
        ({"steps": {"a": None}}, "steps['a']: a mapping is wanted, not NoneType"),
        ({"steps": {"a": {"ok": 1}}}, "steps['a'].ok: true or false is wanted, not 1"),
        ({"steps": {"a": {"ok": True}}}, "steps['a'].value: missing"),
        ({"steps": {"a": {"ok": False}}}, "steps['a'].error: missing"),
        ({"steps": {"": {"ok": True, "value": 1}}}, "steps['']: a key is a text that is not empty"),
        ({"execution": None}, "execution: a mapping is wanted, not NoneType"),
        ({"execution": {"status": "done", "last_updated": "t"}}, "execution.status: one of running, completed, failed is wanted, not 'done'"),
        ({"execution": {"status": "failed"}}, "execution.last_updated: a time as text is wanted, not None"),
        ({"execution": {"status": "failed", "last_updated": "t", "completed_at": 1}}, "execution.completed_at: text is wanted, not 1"),
        ({"metadata": []}, "metadata: a mapping is wanted"),
        ({"warnings": [1]}, "warnings: a list of mappings is wanted"),
    ],
)
def test_what_is_no_snapshot_is_told_so_with_its_path(change: dict[str, object], complaint: str) -> None:
    result = validate_snapshot({**GOOD, **change})
    assert (result.valid, result.snapshot, result.errors) == (False, None, (complaint,))
    with pytest.raises(SnapshotFormatError) as caught:
        assert_valid_snapshot({**GOOD, **change})
    assert caught.value.errors == (complaint,)


@pytest.mark.parametrize("nothing", [None, 3, [], "", "{", '{"kind": "ResumeState"}', {"kind": "ResumeState", "format_version": 2, "steps": []}])
def test_what_is_nothing_to_go_on_from_is_refused(nothing: object) -> None:
    with pytest.raises(SnapshotFormatError) as caught:
        to_resume_state(nothing)  # type: ignore[arg-type]  # that is the point
    assert caught.value.errors
    assert not validate_snapshot(nothing).valid


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        ({}, "steps[0]: a mapping with a key is wanted"),
        ({"key": "a", "output": 1, "error": {}}, "steps[0]: an output or an error, not both"),
        ({"key": "a", "error": "x"}, "steps[0].error: a mapping is wanted"),
        ({"key": "a", "attempts": "x"}, "steps[0].attempts: a number above 0 is wanted, not 'x'"),
        ({"key": "a", "started_at": 5}, "steps[0].started_at: a time as text is wanted, not 5"),
    ],
)
def test_a_broken_resume_state_is_told_so(step: dict[str, object], complaint: str) -> None:
    with pytest.raises(SnapshotFormatError, match="Invalid resume state") as caught:
        deserialize_resume_state(json.dumps({"kind": "ResumeState", "format_version": 1, "steps": [step]}))
    assert caught.value.errors == (complaint,)


def test_the_collector_listens_to_steps_only() -> None:
    collector = create_resume_state_collector()
    signals = [
        Signal("sig_000001", "workflow:start", {"agents": []}, "t"),
        Signal("sig_000002", "step:start", {"step": "a", "input": [1]}, "t"),
        Signal("sig_000003", "step:end", {"step": "a", "output": {"$x": 1}}, "t"),
        Signal("sig_000004", "step:start", {"step": "b", "input": None}, "t"),
        Signal("sig_000005", "step:end", {"step": "b", "error": {"type": "ValueError", "message": "no"}}, "u"),
        Signal("sig_000006", "step:start", {"step": "c", "input": None}, "t"),
    ]
    for signal in signals:
        collector.handle_event(signal)
    state = collector.get_resume_state()
    assert list(state.steps) == ["a", "b"]
    assert state.steps["a"] == Entry("a", [1], Returned({"$value": {"$x": 1}}), ended_at="t")
    assert state.steps["b"].outcome == Raised({"type": "ValueError", "message": "no"})
    assert [signal.id for signal in signals if is_step_complete(signal)] == ["sig_000003", "sig_000005"]
    collector.clear()
    assert collector.get_resume_state() == ResumeState()
    assert list(state.steps) == ["a", "b"]

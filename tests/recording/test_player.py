"""A player walks a recording in both directions, and the moment it shows depends on where it stands alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import jsonable
from pytest_wfreplay.recording.moments import ActivationSnapshot, Snapshot
from pytest_wfreplay.recording.player import Player
from pytest_wfreplay.recording.recording import Checkpoint, Recording, RecordingMetadata
from pytest_wfreplay.signal import Signal, SignalSource, signal_id
from pytest_wfreplay.trace import Trace


@dataclass(frozen=True)
class Said:
    name: str
    payload: object = None
    activation: str | None = None


def trace_of(*said: Said) -> Trace:
    return Trace(
        Signal(
            signal_id(position),
            one.name,
            one.payload,  # type: ignore[arg-type]  # JSON, by construction
            f"2026-11-20T10:00:00.{position:03d}Z",
            SignalSource(agent=one.activation.partition("#")[0], activation=one.activation) if one.activation else None,
        )
        for position, one in enumerate(said, 1)
    )


RUN = trace_of(
    Said("workflow:start", {"agents": ["writer"]}),
    Said("agent:activated", {"agent": "writer", "trigger": "workflow:start"}, "writer#1"),
    Said("harness:start", {"input": {}}, "writer#1"),
    Said("thinking:delta", {"content": "hm"}, "writer#1"),
    Said("text:delta", {"content": "On"}, "writer#1"),
    Said("text:delta", {"content": "ce"}, "writer#1"),
    Said("tool:call", {"id": "t1", "name": "search", "input": {"q": 1}}, "writer#1"),
    Said("tool:result", {"id": "t1", "name": "search", "result": 42}, "writer#1"),
    Said("text:complete", {"content": "Once."}, "writer#1"),
    Said("harness:end", {"output": {}}, "writer#1"),
    Said("state:draft:changed", {"key": "draft", "old_value": None, "new_value": "Once."}, "writer#1"),
    Said("agent:completed", {"agent": "writer", "output": "Once."}, "writer#1"),
    Said("draft:ready", {"n": 1}, "writer#1"),
    Said("workflow:end", {"activations": 1}),
)
RECORDING = Recording(
    RecordingMetadata(id="rec_1"),
    initial_state={"draft": None, "ticket": "x"},
    signals=RUN,
    checkpoints=(Checkpoint("drafted", 10, ""), Checkpoint("drafted", 12, "")),
)


def test_it_starts_before_the_first_signal() -> None:
    player = Player(RECORDING)
    assert (player.position.index, player.position.total, player.position.current) == (-1, 14, None)
    assert player.position.at_start
    assert not player.position.at_end
    assert player.snapshot == Snapshot(state={"draft": None, "ticket": "x"})
    assert Player(RUN).snapshot == Player(list(RUN)).snapshot == Snapshot()


def test_it_steps_and_goes_back() -> None:
    player = Player(RECORDING)
    assert player.back() is None
    assert player.step() is RUN[0]
    assert player.step() is RUN[1]
    assert player.back() is RUN[1]
    assert player.position.current is RUN[0]
    player.fast_forward()
    assert player.position.at_end
    assert player.step() is None
    assert player.position.index == 13
    player.rewind()
    assert player.position.at_start


def test_goto_clamps() -> None:
    player = Player(RECORDING)
    assert player.goto(99) is RUN[13]
    assert player.goto(-7) is None
    assert player.position.index == -1
    assert player.goto(4) is RUN[4]


def test_it_goes_to_what_is_asked_for() -> None:
    player = Player(RECORDING)
    assert player.goto_next("text:*") is RUN[4]
    assert player.goto_next("text:delta") is RUN[5]
    assert player.goto_next({"name": "text:*", "payload": {"content": "nothing"}}) is None
    assert player.position.index == 5
    assert player.goto_previous("text:delta") is RUN[4]
    assert player.goto_previous("text:delta") is None
    assert player.position.index == 4
    assert [index for index, _ in player.find_all("agent:**")] == [1, 11]


def test_it_goes_to_checkpoints_of_which_the_last_of_a_name_counts() -> None:
    player = Player(RECORDING, [Checkpoint("mine", 3, "")])
    assert player.goto_checkpoint("drafted")
    assert player.position.index == 12
    assert player.goto_checkpoint("mine")
    assert player.position.index == 3
    assert not player.goto_checkpoint("nowhere")
    assert player.position.index == 3


def test_it_peeks_without_moving() -> None:
    player = Player(RUN)
    assert player.peek(0) is RUN[0]
    assert player.peek(-1) is player.peek(14) is None
    assert player.peek_range(1, 3) == [RUN[1], RUN[2]]
    assert player.peek_range(-5, 1) == [RUN[0]]
    assert player.peek_range(12, 99) == [RUN[12], RUN[13]]
    assert player.position.index == -1


def test_a_snapshot_shows_the_run_as_it_was() -> None:
    player = Player(RECORDING)
    player.goto(6)
    moment = player.snapshot
    assert (moment.index, moment.timestamp, moment.running) == (6, RUN[6].timestamp, True)
    assert (moment.text, moment.thinking) == ("Once", "hm")
    assert moment.tool_calls == {"t1": {"id": "t1", "name": "search", "input": {"q": 1}, "status": "pending"}}
    assert moment.activations == {"writer#1": ActivationSnapshot("writer", "running", "Once", "hm", moment.tool_calls)}
    player.fast_forward()
    moment = player.snapshot
    assert not moment.running
    assert moment.text == "Once."
    assert moment.tool_calls["t1"] == {"id": "t1", "name": "search", "input": {"q": 1}, "result": 42, "status": "complete"}
    assert moment.activations["writer#1"].status == "completed"
    assert moment.custom == {"draft:ready": {"n": 1}}
    assert moment.counts["text:delta"] == 2
    assert moment.state == {"draft": "Once.", "ticket": "x"}
    assert moment.last_error is None


def test_parallel_agents_keep_their_own_text() -> None:
    player = Player(
        trace_of(
            Said("harness:start", {}, "a#1"),
            Said("text:delta", {"content": "A"}, "a#1"),
            Said("harness:start", {}, "b#1"),
            Said("text:delta", {"content": "B"}, "b#1"),
            Said("text:delta", {"content": "a"}, "a#1"),
            Said("harness:end", {}, "a#1"),
        )
    )
    player.goto(3)
    assert player.snapshot.text == "B"
    player.fast_forward()
    assert player.snapshot.text == "Aa"
    assert player.snapshot.running
    assert {name: voice.text for name, voice in player.snapshot.activations.items()} == {"a#1": "Aa", "b#1": "B"}


def test_an_error_stays_until_the_same_voice_starts_again() -> None:
    error = {"code": "overloaded", "message": "busy", "recoverable": True}
    player = Player(
        trace_of(Said("harness:start", {}), Said("text:delta", {"content": "x"}), Said("harness:error", error), Said("harness:start", {}))
    )
    player.goto(2)
    assert player.snapshot.last_error == error
    assert player.step() is not None
    assert player.snapshot.last_error is None
    assert player.snapshot.text == ""
    player.back()
    assert player.snapshot.last_error == error
    assert player.snapshot.text == "x"


def test_a_typed_state_shows_as_its_signals_do() -> None:
    recording = replace(RECORDING, initial_state=jsonable({"at": datetime(2026, 11, 20, tzinfo=UTC), "d": {"$x": 1}}))
    state = Player(recording).snapshot.state
    assert isinstance(state, dict)
    assert isinstance(state["at"], str)
    assert state["d"] == {"$x": 1}


def test_an_empty_recording_is_at_its_start_and_at_its_end() -> None:
    player = Player(Trace())
    player.fast_forward()
    assert player.position.at_start
    assert player.position.at_end
    assert player.step() is player.back() is None


@pytest.mark.parametrize("thing", [3, None, "text", [1], {"signals": []}])
def test_what_holds_no_signals_is_refused(thing: object) -> None:
    with pytest.raises(ConfigurationError):
        Player(thing)  # type: ignore[arg-type]  # that is the test


said = st.builds(
    Said,
    st.sampled_from(
        ["workflow:start", "workflow:end", "harness:start", "harness:end", "harness:error", "agent:activated", "agent:completed", "my:own"]
    )
    | st.sampled_from(["text:delta", "text:complete", "thinking:delta", "tool:call", "tool:result", "state:a:changed", "agent:failed"]),
    st.fixed_dictionaries(
        {},
        optional={
            "content": st.sampled_from("ab"),
            "id": st.sampled_from("12"),
            "key": st.sampled_from("xy"),
            "new_value": st.integers(),
            "error": st.just("e"),
        },
    )
    | st.none(),
    st.sampled_from([None, "a#1", "b#1", "b#2"]),
)


@settings(max_examples=200)
@given(st.lists(said, max_size=12), st.lists(st.integers(-2, 13), max_size=12))
def test_however_a_moment_is_reached_it_is_the_same(told: list[Said], path: list[int]) -> None:
    trace = trace_of(*told)
    fresh = []
    for index in range(-1, len(trace)):
        player = Player(trace)
        player.goto(index)
        fresh.append(player.snapshot)
    player = Player(trace)
    for index in path:
        player.goto(index)
        assert player.snapshot == fresh[player.position.index + 1]
        player.back()
        assert player.snapshot == fresh[player.position.index + 1]
        player.step()
        assert player.snapshot == fresh[player.position.index + 1]
        assert player.snapshot == fresh[player.position.index + 1]


@settings(max_examples=50)
@given(st.lists(said, max_size=12))
def test_a_snapshot_once_taken_never_changes(told: list[Said]) -> None:
    player = Player(trace_of(*told))
    taken = [(player.snapshot, repr(player.snapshot))]
    while player.step():
        taken.append((player.snapshot, repr(player.snapshot)))
    player.rewind()
    assert [text for _, text in taken] == [repr(snapshot) for snapshot, _ in taken]


def test_going_back_in_a_long_run_is_quick() -> None:
    player = Player(trace_of(*(Said(f"custom:{at}", {"n": at}, f"a#{at}") for at in range(20_000))))
    player.fast_forward()
    started = process_time()
    for _ in range(2000):
        player.back()
    assert process_time() - started < 1.0

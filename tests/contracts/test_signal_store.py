"""One suite for every signal store: each sentence of the contract, asked of each backend."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from pytest_wfreplay.clock import CountingClock
from pytest_wfreplay.errors import ConfigurationError, RecordingFinalized, RecordingNotFound, SignalPayloadError
from pytest_wfreplay.recording.recording import Checkpoint, Recording, RecordingMetadata
from pytest_wfreplay.recording.store import RecordingQuery, SignalStore
from pytest_wfreplay.signal import Signal, SignalSource, signal_id
from pytest_wfreplay.steps.entry import ABSENT, Entry, Raised, Returned
from pytest_wfreplay.stores.files import FileSignalStore
from pytest_wfreplay.stores.memory import MemorySignalStore
from pytest_wfreplay.trace import Trace

T = TypeVar("T")
STORES: dict[str, Callable[[Path], SignalStore]] = {
    "memory": lambda _: MemorySignalStore(clock=CountingClock()),
    "files": lambda path: FileSignalStore(path / "cassettes", clock=CountingClock()),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SignalStore:
    return STORES[request.param](tmp_path)


def done(work: Awaitable[T]) -> T:
    async def run() -> T:
        return await work

    return asyncio.run(run())


def signals(*names: str) -> list[Signal]:
    return [Signal(signal_id(at), name, {"at": at}, f"2000-01-01T00:00:00.{at:03d}Z") for at, name in enumerate(names, 1)]


def loaded(store: SignalStore, recorded: str) -> Recording:
    recording = done(store.load(recorded))
    assert recording is not None
    return recording


def test_a_new_recording_has_an_id_of_its_own_and_is_being_recorded(store: SignalStore) -> None:
    first, second = done(store.create("a", ("x",), "scripted", "flow")), done(store.create())
    assert first.startswith("rec_")
    assert len(first) == 16
    assert first != second
    metadata = loaded(store, first).metadata
    assert (metadata.name, metadata.tags, metadata.harness_type, metadata.workflow) == ("a", ("x",), "scripted", "flow")
    assert (metadata.status, metadata.signal_count, metadata.duration_ms, metadata.error) == ("recording", 0, None, None)
    assert loaded(store, second).metadata.name is None


def test_signals_come_back_in_order_with_everything_they_have(store: SignalStore) -> None:
    recorded = done(store.create())
    one, two, three = signals("a", "b", "c")
    two = Signal(two.id, two.name, [None, True, 1.5, "\u0000\u2028", {"$x": 10**30, "": {}}], two.timestamp, SignalSource("w", "w#1", "h", one.id))
    done(store.append(recorded, one))
    done(store.append_batch(recorded, [two, three]))
    for _ in ("open", "closed"):
        found = loaded(store, recorded)
        assert list(found.signals) == [one, two, three]
        assert [signal.timestamp for signal in found.signals] == [one.timestamp, two.timestamp, three.timestamp]
        assert found.metadata.signal_count == 3
        if found.metadata.status == "recording":
            done(store.finalize(recorded))


def test_a_mapping_with_the_field_names_will_do(store: SignalStore) -> None:
    recorded = done(store.create())
    done(store.append(recorded, {"name": "a", "payload": {"t": (1, 2)}, "source": {"agent": "w"}}))
    done(store.append_entry(recorded, {"key": "s", "input": 1, "outcome": {"value": None}}))
    found = loaded(store, recorded)
    assert found.signals[0].id == "sig_000001"
    assert found.signals[0].payload == {"t": [1, 2]}
    assert found.signals[0].source == SignalSource(agent="w")
    assert found.entries == (Entry("s", 1, Returned(None)),)
    with pytest.raises(ConfigurationError, match="no field 'nme'"):
        done(store.append(recorded, {"nme": "a"}))


def test_a_batch_is_kept_whole_or_not_at_all(store: SignalStore) -> None:
    recorded = done(store.create())
    with pytest.raises(SignalPayloadError):
        done(store.append_batch(recorded, [*signals("a"), {"name": "b", "payload": float("nan")}]))
    assert len(loaded(store, recorded).signals) == 0


def test_entries_keep_absent_null_failed_and_cancelled_apart(store: SignalStore) -> None:
    recorded = done(store.create())
    entries = (
        Entry("a", ABSENT, Returned(None)),
        Entry("b", None, Returned({})),
        Entry("c#2", {"$value": {"$x": 1}}, Raised({"type": "E", "message": "no\nfunds", "args": []}), attempts=3),
        Entry("w#1/harness", {"system": "a\nb\n"}, None),
    )
    for entry in entries:
        done(store.append_entry(recorded, entry))
    assert loaded(store, recorded).entries == entries
    done(store.finalize(recorded, "failed", error={"type": "E", "message": "no\nfunds"}))
    assert loaded(store, recorded).entries == entries


def test_a_checkpoint_names_the_last_signal(store: SignalStore) -> None:
    recorded = done(store.create())
    done(store.checkpoint(recorded, "start"))
    done(store.append_batch(recorded, signals("a", "b")))
    done(store.checkpoint(recorded, "here"))
    assert [(point.name, point.index) for point in done(store.checkpoints(recorded))] == [("start", -1), ("here", 1)]
    done(store.finalize(recorded))
    found = done(store.checkpoints(recorded))
    assert [(point.name, point.index) for point in found] == [("start", -1), ("here", 1)]
    assert all(isinstance(point, Checkpoint) for point in found)


def test_a_closed_recording_says_how_it_ended(store: SignalStore) -> None:
    recorded = done(store.create())
    done(store.finalize(recorded, "timeout", 12.5, {"a": None}, {"a": [0, False, "", {}]}, {"type": "WorkflowTimeoutError", "message": "late"}))
    found = loaded(store, recorded)
    assert (found.metadata.status, found.metadata.duration_ms) == ("timeout", 12.5)
    assert found.metadata.error == {"type": "WorkflowTimeoutError", "message": "late"}
    assert found.initial_state == {"a": None}
    assert found.final_state == {"a": [0, False, "", {}]}


def test_a_closed_recording_never_changes(store: SignalStore) -> None:
    recorded = done(store.create())
    done(store.finalize(recorded, final_state={"a": 1}))
    done(store.finalize(recorded, final_state={"a": 1.0}))
    attempts: list[Awaitable[object]] = [
        store.append(recorded, signals("a")[0]),
        store.append_batch(recorded, signals("a")),
        store.append_entry(recorded, Entry("s", 1, None)),
        store.checkpoint(recorded, "p"),
        store.finalize(recorded, final_state={"a": True}),
        store.finalize(recorded, "failed", final_state={"a": 1}),
    ]
    for attempt in attempts:
        with pytest.raises(RecordingFinalized):
            done(attempt)
    assert len(loaded(store, recorded).signals) == 0


def test_an_unknown_status_is_refused(store: SignalStore) -> None:
    recorded = done(store.create())
    with pytest.raises(ConfigurationError, match="cannot end as 'recording'"):
        done(store.finalize(recorded, "recording"))


def test_an_unknown_id_is_said_to_be_unknown(store: SignalStore) -> None:
    assert done(store.load("rec_none")) is None
    assert done(store.exists("rec_none")) is False
    done(store.delete("rec_none"))
    attempts: list[Awaitable[object]] = [
        store.append("rec_none", signals("a")[0]),
        store.append_entry("rec_none", Entry("s", 1, None)),
        store.checkpoint("rec_none", "p"),
        store.checkpoints("rec_none"),
        store.finalize("rec_none"),
        store.load_signals("rec_none"),
    ]
    for attempt in attempts:
        with pytest.raises(RecordingNotFound, match="Recording not found: rec_none"):
            done(attempt)


def test_signals_are_loaded_by_half_open_range_and_pattern(store: SignalStore) -> None:
    recorded = done(store.create())
    done(store.append_batch(recorded, signals("a:x", "b", "a:y", "b")))
    for _ in range(2):
        assert done(store.load_signals(recorded)).names == ["a:x", "b", "a:y", "b"]
        assert done(store.load_signals(recorded, 1, 3)).names == ["b", "a:y"]
        assert done(store.load_signals(recorded, 1, patterns=["a:*"])).names == ["a:y"]
        assert done(store.load_signals(recorded, patterns=["a:x", {"name": "b", "payload": {"at": 4}}])).names == ["a:x", "b"]
        assert done(store.load_signals(recorded, 9)).names == []
        if loaded(store, recorded).metadata.status == "recording":
            done(store.finalize(recorded))


def test_the_list_is_newest_first_and_filtered_before_it_is_paged(store: SignalStore) -> None:
    ids = [done(store.create(f"n{at % 2}", (f"t{at}", "all"), "scripted", "flow" if at else None)) for at in range(5)]
    done(store.append(ids[4], signals("a")[0]))
    done(store.finalize(ids[4]))

    def found(**asked: object) -> list[str]:
        return [metadata.id for metadata in done(store.list(asked))]

    assert [metadata.id for metadata in done(store.list())] == ids[::-1]
    assert found(name="n0") == [ids[4], ids[2], ids[0]]
    assert found(name="n0", limit=1, offset=1) == [ids[2]]
    assert found(tags=("t1", "t3")) == [ids[3], ids[1]]
    assert found(status="completed") == [ids[4]]
    assert found(workflow="flow", limit=2) == [ids[4], ids[3]]
    assert found(harness_type="other") == []
    made = {metadata.id: metadata.created_at for metadata in done(store.list(RecordingQuery()))}
    assert found(since=made[ids[1]], until=made[ids[3]]) == ids[3:0:-1]
    assert found(limit=0) == []
    assert done(store.list(RecordingQuery(status="completed")))[0].signal_count == 1
    with pytest.raises(ConfigurationError):
        found(limit=-1)


def test_what_is_deleted_is_gone(store: SignalStore) -> None:
    opened, closed = done(store.create()), done(store.create())
    done(store.finalize(closed))
    for recorded in (opened, closed):
        assert done(store.exists(recorded))
        done(store.delete(recorded))
        done(store.delete(recorded))
        assert not done(store.exists(recorded))
        assert done(store.load(recorded)) is None
    assert done(store.list()) == []


def test_what_is_given_and_what_is_returned_is_detached(store: SignalStore) -> None:
    payload: dict[str, list[int]] = {"list": [1]}
    recorded = done(store.create())
    done(store.append(recorded, {"name": "a", "payload": payload}))
    payload["list"].append(2)
    found = loaded(store, recorded).signals[0].payload
    assert found == {"list": [1]}
    found["list"].append(3)
    done(store.load_signals(recorded))[0].payload["list"].append(3)
    assert loaded(store, recorded).signals[0].payload == {"list": [1]}


@pytest.mark.parametrize("status", ["completed", "recording"])
def test_a_whole_recording_is_saved_under_its_own_id(store: SignalStore, status: str) -> None:
    metadata = RecordingMetadata(
        "rec_mine",
        "a/b: ✓",
        ("t",),
        "flow",
        "scripted",
        "2026-11-20T10:00:00.000Z",
        5,
        1,
        status,
        {"type": "E", "message": ""} if status != "recording" else None,
    )
    recording = Recording(
        metadata,
        {"a": 1},
        {"a": 2},
        (Entry("s", ABSENT, Returned(1)),),
        Trace([Signal("sig_000001", "a", None, "2026-11-20T10:00:00.007Z")]),
        {"w": "scripted"},
        Raised({"type": "E", "message": ""}),
        (Checkpoint("p", 0, "2026-11-20T10:00:00.007Z"),),
    )
    assert done(store.save(recording)) == "rec_mine"
    assert done(store.load("rec_mine")) == recording
    assert done(store.save(loaded(store, "rec_mine"))) == "rec_mine"
    assert [metadata.id for metadata in done(store.list())] == ["rec_mine"]
    renamed = {"metadata": {"id": "rec_mine", "name": "other", "status": "completed"}, "signals": []}
    done(store.save(renamed))
    assert [metadata.name for metadata in done(store.list())] == ["other"]
    assert done(store.save({"metadata": {"id": "", "status": "completed"}})).startswith("rec_")


@pytest.mark.parametrize("name", ["", "a/b", "..", "CON", "é" * 300, "\n", "🙂", "x.failed", "# end"])
def test_any_text_is_a_name(store: SignalStore, name: str) -> None:
    recorded = done(store.create(name))
    done(store.finalize(recorded))
    assert loaded(store, recorded).metadata.name == name
    assert [metadata.id for metadata in done(store.list({"name": name}))] == [recorded]


def test_closing_twice_is_harmless(store: SignalStore) -> None:
    recorded = done(store.create())
    done(store.append(recorded, signals("a")[0]))
    done(store.close())
    done(store.close())
    assert len(loaded(store, recorded).signals) == 1

"""A recorder keeps everything that was said and done, in order, and no secret of it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.clock import CountingClock
from pytest_wfreplay.recording.pieces import cleaned
from pytest_wfreplay.recording.recorder import Naming, Recorder
from pytest_wfreplay.redact import Redactor
from pytest_wfreplay.signal import Signal, SignalSource, signal_id
from pytest_wfreplay.steps.entry import ABSENT, Entry, Raised, Returned
from pytest_wfreplay.steps.journal import Ending, RunFacts

SECRET = "sk-ant-" + "k3" * 20


@pytest.fixture
def recorder() -> Recorder:
    facts = RunFacts("shop", {"token": SECRET}, {"a": "claude", "b": "claude", "c": "scripted"})
    return Recorder(facts, Naming("rec_1", "name", ("tag",)), clean=Redactor().json, clock=CountingClock())


def test_what_is_kept_holds_no_secret(recorder):
    recorder.recall("ask", None)
    recorder.append(Entry("ask", {"key": SECRET}, Returned([SECRET])))
    recorder.recall("fail", None)
    recorder.append(Entry("fail", None, Raised({"type": "E", "message": f"no {SECRET}", "args": [SECRET]})))
    recorder.hear(recorder.place(1, "said", {"text": SECRET}, None))
    recorder.conclude(Ending("failed", {"token": SECRET}, Returned({"used": SECRET}), {"type": "E", "message": SECRET}, 5.0))
    recording = recorder.recording()
    assert SECRET not in repr(recording)
    assert repr(recording).count("[redacted]") == 8
    assert recording.signals[0].payload == {"text": "[redacted]"}
    assert (recording.metadata.status, recording.metadata.signal_count, recording.metadata.harness_type) == ("failed", 1, "claude,scripted")


def test_entries_stand_in_the_order_in_which_their_steps_began(recorder):
    for key in ("one", "two", "three"):
        recorder.recall(key, None)
    for key in ("three", "one"):
        recorder.append(Entry(key, 1, Returned(1)))
    entries = recorder.recording().entries
    assert [entry.key for entry in entries] == ["one", "two", "three"]
    assert entries[1] == Entry("two", ABSENT, None)
    assert recorder.recording().metadata.status == "recording"


def piece(position: int, by: str, content: str, name: str = "text:delta") -> Signal:
    return Signal(signal_id(position), name, {"content": content}, "", SignalSource(by, f"{by}#1", "claude"))


def test_a_secret_that_came_in_pieces_is_found_though_others_speak_in_between():
    said = [piece(1, "a", "key " + SECRET[:10]), piece(2, "b", "hello"), piece(3, "a", SECRET[10:]), piece(4, "a", "done", "text:complete")]
    kept = cleaned(said, Redactor().json)
    assert [signal.id for signal in kept] == [signal.id for signal in said]
    assert "".join(signal.payload["content"] for signal in kept if signal.source.agent == "a") == "key [redacted]done"
    assert kept[1] is said[1]


@given(cuts=st.lists(st.integers(0, 60), max_size=6), before=st.text(max_size=5))
def test_wherever_a_text_is_cut_it_is_redacted_as_one(cuts, before):
    text = f"{before} {SECRET} after"
    ends = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [piece(at, "a", text[start:end]) for at, (start, end) in enumerate(pairwise(ends), 1)]
    kept = cleaned(pieces, Redactor().json)
    assert len(kept) == len(pieces)
    assert "".join(signal.payload["content"] for signal in kept) == Redactor().text(text)

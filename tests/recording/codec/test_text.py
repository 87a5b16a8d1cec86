from __future__ import annotations

import datetime as dt
import json
import math

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_wfreplay.clock import iso
from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.codec.read import read_canonical
from pytest_wfreplay.recording.codec.text import decode, differs_only_in_volatile, encode
from pytest_wfreplay.recording.codec.yaml_text import load_yaml
from pytest_wfreplay.recording.recorder import harness_type_of
from pytest_wfreplay.recording.recording import STATUSES, Checkpoint, Recording, RecordingMetadata
from pytest_wfreplay.signal import Signal, SignalSource, signal_id
from pytest_wfreplay.steps.entry import ABSENT, Entry, Raised, Returned
from pytest_wfreplay.trace import Trace

EXAMPLE = """\
# Recorded by pytest-wfreplay. Replay: pytest. Record again: pytest --record "tests/test_support.py::test_refund"
format: 1
runs:
- workflow: support
  recorded: {"id": "rec_5f2c1e9ab3d4", "at": "2026-11-20T10:00:00.000Z", "by": "pytest-wfreplay 0.1.0", "duration_ms": 1840}
  tags: ["billing"]
  harnesses: {"classify": "claude"}
  state:
    initial: {"ticket": "I want my money back", "category": null}
    final: {"ticket": "I want my money back", "category": "refund"}
  steps:
  - step: classify#1/harness
    input:
      system: |-
        Classify this ticket.
        I want my money back
      model: "claude-sonnet-4-5"
    output: {"content": "refund", "usage": {"input_tokens": 41, "output_tokens": 1, "total_tokens": 42}, "stop_reason": "end"}
  - step: load-user
    input: {"user_id": 7}
    output: {"id": 7, "name": "Ada"}
  - step: charge-card#2
    input: {"order": 3}
    error: {"type": "CardDeclined", "message": "no funds", "args": ["no funds"]}
  signals:
  - {"name": "workflow:start", "payload": {"agents": ["classify"]}}
  - {"name": "agent:activated", "payload": {"agent": "classify", "trigger": "workflow:start"}, "source": {"activation": "classify#1", "parent": 1}}
  - {"name": "text:delta", "payload": {"content": ["ref", "und"]}, "source": {"activation": "classify#1", "harness": "claude", "parent": 2}}
  - {"name": "workflow:end", "payload": {"activations": 1}}
  at_ms: [0, 2, 610, 640, 1840]
# end
"""

# What trips YAML, and what people write.
TRICKY = [
    *("no", "on", "y", "1:30", "017", "2026-01-01", "~", "null", "1_000", "0x1F", ".inf", "=", "<<", "", " ", "- a", "a: b", "a #b", "# end"),
    *("a\nb", "a\n", "a\n\n", "\n", "\n\n", "\na", "  a\nb", "\ta\nb", "a\n  b\n", "a \nb\n\n\n", "a\n\n\nb", "a\n   ", "a\n# end\n- b", "a\r\nb"),
    *("\x00", "\x7f\n", "\x85", "a\x85b\n", "\u2028", "\u2029\n", "\ufeff", "\ufffe", "🙂\nb", "é", "|-\n", "---\na", "...\n", "{\n", "\u00a0\nx"),
    *("$append", "$set", "$value", "x" * 1100, "k\n" * 600, "a\tb\nc\t", "'", '"', "\\", "\\ud800", "%TAG", "&a", "*a", "!t"),
]
words = st.sampled_from(TRICKY) | st.text(max_size=12)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([1e16, -1e-7, 1.5e300, -0.0, 10**40])
values: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
moments = st.integers(-(10**6), 10**9).map(lambda ms: iso(dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC) + dt.timedelta(milliseconds=ms)))
agents = st.none() | st.sampled_from(["w", "a b", "x/y#z"])


@st.composite
def sources(draw: st.DrawFn, position: int) -> SignalSource | None:
    if draw(st.integers(0, 3)) == 0:
        return None
    parent = draw(st.none() | st.integers(1, position + 1).map(signal_id) | words)
    return SignalSource(draw(agents), draw(st.none() | st.sampled_from(["w#1", "w#2", "x%2Fy%23z#1", "odd"])), draw(agents), parent)


state_values = words | st.lists(values, max_size=3) | st.dictionaries(words, values, max_size=3)
changes = st.fixed_dictionaries(
    {"key": st.just("f"), "new_value": state_values}, optional={"old_value": state_values, "agent": words, "$value": values}
) | st.fixed_dictionaries({"$value": values})
payloads_by_name: dict[str, st.SearchStrategy[JSON]] = {
    "text:delta": st.fixed_dictionaries({"content": words | values}) | values,
    "thinking:delta": st.fixed_dictionaries({"content": words}),
    "state:f:changed": changes | values,
}


@st.composite
def signals(draw: st.DrawFn, position: int) -> Signal:
    name = draw(st.sampled_from(["text:delta", "text:delta", "thinking:delta", "state:f:changed", "state:f:changed", "tool:call"]) | words)
    payload = draw(payloads_by_name.get(name, values))
    return Signal(signal_id(position), name, payload, draw(moments), draw(sources(position)))


errors = st.dictionaries(words, values, max_size=3)
outcomes = st.none() | values.map(Returned) | errors.map(Raised)
entries = st.builds(Entry, words, st.just(ABSENT) | values, outcomes, st.integers(1, 3))


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    trace = Trace([draw(signals(position)) for position in range(1, draw(st.integers(0, 8)) + 1)])
    created_at = draw(moments)
    harnesses = draw(st.dictionaries(words, words, max_size=2))
    points = draw(st.lists(st.tuples(words, st.integers(-1, len(trace) - 1)), max_size=2))
    metadata = RecordingMetadata(
        id=draw(words),
        name=draw(st.none() | words),
        tags=tuple(draw(st.lists(words, max_size=2))),
        workflow=draw(st.none() | words),
        harness_type=draw(st.just(harness_type_of(harnesses)) | st.none() | words),
        created_at=created_at,
        duration_ms=draw(st.none() | st.floats(0, 1e6) | st.integers(0, 10**6)),
        signal_count=len(trace),
        status=draw(st.sampled_from(STATUSES)),
        error=draw(st.none() | errors),
    )
    return Recording(
        metadata,
        draw(st.just(ABSENT) | values | st.fixed_dictionaries({"f": state_values})),
        draw(st.just(ABSENT) | values),
        tuple(draw(st.lists(entries, max_size=3))),
        trace,
        harnesses,
        draw(outcomes),
        tuple(Checkpoint(name, index, created_at if index < 0 else trace[index].timestamp) for name, index in points),
    )


cassettes = st.lists(recordings(), max_size=2).map(lambda runs: Cassette(tuple(runs)))
many = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def exactly(value: object) -> str:
    """Types, the order of keys and the sign of zero included; dataclasses by their repr."""
    return repr(value) if not isinstance(value, Cassette) else repr([(run, list(run.signals)) for run in value.runs])


@given(cassettes)
@many
def test_nothing_is_lost(cassette: Cassette) -> None:
    found = decode(encode(cassette), path="c.yaml")
    assert found == cassette
    assert [list(run.signals) for run in found.runs] == [list(run.signals) for run in cassette.runs]
    stamps = [[signal.timestamp for signal in run.signals] for run in found.runs]
    assert stamps == [[signal.timestamp for signal in run.signals] for run in cassette.runs]


@given(cassettes)
@many
def test_the_fast_path_reads_what_every_yaml_reader_reads(cassette: Cassette) -> None:
    text = encode(cassette)
    ours = load_yaml(text, "c.yaml")
    assert exactly(ours) == exactly(yaml.load(text, Loader=yaml.CSafeLoader))
    assert exactly(ours) == exactly(yaml.safe_load(text))
    fast = read_canonical(text)
    if '{? "' not in text and ', ? "' not in text:  # keys that are too long for YAML's eyes need its question mark
        assert fast is not None
        assert exactly(fast) == exactly(ours)


@given(cassettes)
@many
def test_what_was_read_is_written_alike(cassette: Cassette) -> None:
    text = encode(cassette)
    assert encode(decode(text, path="c.yaml")) == text
    assert differs_only_in_volatile(decode(text, path="c.yaml"), cassette)


@given(values)
@many
def test_a_text_under_steps_reads_as_text_wherever_a_block_can_carry_it(value: JSON) -> None:
    run = Recording(RecordingMetadata("", status="completed"), entries=(Entry("s", value, Returned([value, {"a": [[value]]}])),))
    found = yaml.safe_load(encode(Cassette((run,))))["runs"][0]["steps"][0]
    assert exactly(found["input"]) == exactly(value)
    assert exactly(found["output"]) == exactly([value, {"a": [[value]]}])


def test_the_example_of_the_contract_is_what_we_write_for_what_we_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_wfreplay.recording.codec.runs._product", lambda: "pytest-wfreplay 0.1.0")
    cassette = decode(EXAMPLE, path="c.yaml")
    assert encode(cassette, command='pytest --record "tests/test_support.py::test_refund"') == EXAMPLE
    [run] = cassette.runs
    assert run.signals.names == ["workflow:start", "agent:activated", "text:delta", "text:delta", "workflow:end"]
    assert run.signals[3] == Signal(
        "sig_000004", "text:delta", {"content": "und"}, "", SignalSource("classify", "classify#1", "claude", "sig_000002")
    )
    assert run.signals[3].timestamp == "2026-11-20T10:00:00.640Z"
    assert run.metadata.harness_type == "claude"
    assert run.entries[0].input == {"system": "Classify this ticket.\nI want my money back", "model": "claude-sonnet-4-5"}


def test_texts_nested_in_messages_read_as_text_too() -> None:
    value: JSON = {"messages": [{"role": "user", "content": "a\nb"}, "c\n", {"role": "x"}], "n": 1}
    text = encode(Cassette((Recording(RecordingMetadata("", status="completed"), entries=(Entry("s", value, None),)),)))
    assert (
        """\
    input:
      messages:
      - role: "user"
        content: |-
          a
          b
      - |
        c
      - {"role": "x"}
      "n": 1
    cancelled: true
"""
        in text
    )


def test_state_is_written_once() -> None:
    steps: list[JSON] = [["a"], ["a", "b"], {"x": 1}, {"x": 1, "y": 2}, {"y": 2}, "ab", "abc", None, {"$append": 1}]
    old: list[JSON] = [[], *steps]
    trace = Trace(
        Signal(signal_id(at + 1), "state:f:changed", {"key": "f", "old_value": old[at], "new_value": new}, "") for at, new in enumerate(steps)
    )
    text = encode(Cassette((Recording(RecordingMetadata(""), {"f": []}, signals=trace),)))
    payloads = [item["payload"] for item in yaml.safe_load(text)["runs"][0]["signals"]]
    assert all("old_value" not in payload for payload in payloads)
    assert [payload["new_value"] for payload in payloads] == [
        {"$append": ["a"]},
        {"$append": ["b"]},
        {"x": 1},
        {"$set": {"y": 2}},
        {"$drop": ["x"]},
        "ab",
        {"$append": "c"},
        None,
        {"$value": {"$append": 1}},
    ]
    assert decode(text, path="c.yaml").runs[0].signals == trace


def test_only_deltas_of_one_activation_are_folded() -> None:
    one, two = SignalSource("a", "a#1"), SignalSource("b", "b#1")
    said = [(one, "x"), (one, ""), (two, "y"), (one, "z"), (None, "p"), (None, "q")]
    trace = Trace(Signal(signal_id(at), "text:delta", {"content": text}, "", source) for at, (source, text) in enumerate(said, 1))
    items = yaml.safe_load(encode(Cassette((Recording(RecordingMetadata(""), signals=trace),))))["runs"][0]["signals"]
    assert [item["payload"]["content"] for item in items] == [["x", ""], "y", "z", "p", "q"]


def test_a_recording_that_differs_only_in_volatile_is_the_same_and_any_fact_makes_it_another() -> None:
    old = decode(EXAMPLE, path="c.yaml")
    new = decode(EXAMPLE.replace("rec_5f2c1e9ab3d4", "rec_2").replace("2026-11-20", "2027-01-01").replace("610", "611"), path="c.yaml")
    assert differs_only_in_volatile(old, new)
    for fact, other in (('"und"', '"unds"'), ('"user_id": 7', '"user_id": true'), ("billing", "shop"), ('"claude"', '"codex"'), ("no funds", "none")):
        assert not differs_only_in_volatile(old, decode(EXAMPLE.replace(fact, other), path="c.yaml"))
    assert not differs_only_in_volatile(old, Cassette())


def test_one_changed_reply_changes_only_its_own_lines() -> None:
    old = EXAMPLE.split("\n")
    new = encode(decode(EXAMPLE.replace('"content": "refund"', '"content": "return"'), path="c.yaml")).split("\n")
    assert [line for line, before in zip(new[5:], old[5:], strict=True) if line != before] == [line for line in new if '"return"' in line]


def test_without_at_ms_timestamps_count_one_millisecond_a_signal() -> None:
    text = EXAMPLE.replace("  at_ms: [0, 2, 610, 640, 1840]\n", "")
    assert [signal.timestamp[-4:] for signal in decode(text, path="c.yaml").runs[0].signals] == ["000Z", "001Z", "002Z", "003Z", "004Z"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, "\ud800"])
def test_what_json_cannot_carry_is_refused(bad: float | str) -> None:
    from pytest_wfreplay.errors import NotJsonError

    with pytest.raises(NotJsonError):
        encode(Cassette((Recording(RecordingMetadata(""), {"a": bad}),)))


def test_the_command_stays_on_the_first_line() -> None:
    text = encode(Cassette(), command="pytest\n# end\u2028\x00")
    assert text == "# Recorded by pytest-wfreplay. Replay: pytest. Record again: pytest\\n# end\\u2028\\x00\nformat: 1\nruns: []\n# end\n"
    assert decode(text, path="c.yaml") == Cassette()


def test_numbers_are_spelled_as_json_and_both_yamls_read_them() -> None:
    text = encode(Cassette((Recording(RecordingMetadata(""), {"a": [1e16, -1e-7, 1.5e-7, "1e16"]}),)))
    assert '[1.0e+16, -1.0e-07, 1.5e-07, "1e16"]' in text
    assert json.loads("[1.0e+16]") == [1e16]

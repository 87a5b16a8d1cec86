"""A reply, however shortly it is said, becomes a full and ordered list of signals."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.errors import ConfigurationError, HarnessError
from pytest_wfreplay.harness import HarnessInput, HarnessOutput, TokenUsage, ToolCall
from pytest_wfreplay.reply import failure, whole_reply
from pytest_wfreplay.signal import Signal, create_signal

TOLD = HarnessInput(system="Say hi.")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=6,
)


def said(reply: object) -> list[tuple[str, object]]:
    return [(signal.name, signal.payload) for signal in whole_reply(reply, TOLD)]


def output_of(reply: object) -> object:
    name, payload = said(reply)[-1]
    assert name == "harness:end"
    return payload["output"]  # type: ignore[index]  # the end's shape


def test_a_str_is_one_delta_between_start_and_end() -> None:
    assert said("hi") == [
        ("harness:start", {"input": {"system": "Say hi."}}),
        ("text:delta", {"content": "hi"}),
        ("text:complete", {"content": "hi"}),
        ("harness:end", {"output": {"content": "hi", "stop_reason": "end"}}),
    ]


def test_an_empty_str_is_said_too() -> None:
    assert [name for name, _ in said("")] == ["harness:start", "text:delta", "text:complete", "harness:end"]
    assert output_of("") == {"content": "", "stop_reason": "end"}


@given(st.dictionaries(st.text("abc$.", max_size=3), values, max_size=3))
def test_a_dict_is_the_structured_value_and_its_json_is_the_text(value: dict[str, object]) -> None:
    output = output_of(value)
    assert isinstance(output, dict)
    assert output["structured_output"] == value
    assert json.loads(str(output["content"])) == value


def test_an_output_is_said_with_its_text_and_its_tool_calls() -> None:
    output = HarnessOutput("hi", tool_calls=[ToolCall("t1", "look_up", {"q": 1})], usage=TokenUsage(1, 2), cost_usd=0.5, model="m")
    assert said(output)[1:] == [
        ("text:delta", {"content": "hi"}),
        ("tool:call", {"id": "t1", "name": "look_up", "input": {"q": 1}}),
        ("text:complete", {"content": "hi"}),
        (
            "harness:end",
            {
                "output": {
                    "content": "hi",
                    "tool_calls": [{"id": "t1", "name": "look_up", "input": {"q": 1}}],
                    "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
                    "cost_usd": 0.5,
                    "stop_reason": "tool_use",
                    "model": "m",
                }
            },
        ),
    ]


def test_an_output_with_a_falsy_structured_value_and_no_text_says_the_value() -> None:
    assert output_of(HarnessOutput(structured_output=0)) == {"content": "0", "structured_output": 0, "stop_reason": "end"}


def test_a_stop_reason_that_is_given_stays() -> None:
    assert output_of(HarnessOutput("hi", stop_reason="max_tokens")) == {"content": "hi", "stop_reason": "max_tokens"}


@given(st.lists(st.tuples(st.sampled_from(["text", "thinking"]), st.text(st.characters(exclude_categories=["Cs"]), max_size=5)), max_size=8))
def test_what_completes_is_the_exact_concatenation_of_the_deltas(deltas: list[tuple[str, str]]) -> None:
    signals = whole_reply([create_signal(f"{kind}:delta", {"content": text}) for kind, text in deltas], TOLD)
    assert signals[0].name == "harness:start"
    assert signals[-1].name == "harness:end"
    for kind in ("text", "thinking"):
        whole = "".join(text for spoken, text in deltas if spoken == kind)
        completions = [signal.payload for signal in signals if signal.name == f"{kind}:complete"]
        assert completions == ([{"content": whole}] if any(spoken == kind for spoken, _ in deltas) else [])
    assert signals[-1].payload["output"]["content"] == "".join(text for kind, text in deltas if kind == "text")  # type: ignore[index,call-overload]  # the end's shape


def test_signals_that_are_complete_are_not_touched() -> None:
    signals = [
        create_signal("harness:start", {"input": {}}),
        create_signal("text:delta", {"content": "a"}),
        create_signal("text:complete", {"content": "a"}),
        create_signal("harness:end", {"output": {"content": "other", "cost_usd": 1}}),
    ]
    assert whole_reply(signals, TOLD) == signals


def test_deltas_are_completed_before_an_end_that_is_given() -> None:
    end = create_signal("harness:end", {"output": {}})
    names = [signal.name for signal in whole_reply([create_signal("text:delta", {"content": "a"}), end], TOLD)]
    assert names == ["harness:start", "text:delta", "text:complete", "harness:end"]


@pytest.mark.parametrize(
    ("signals", "stop_reason"),
    [
        ([create_signal("tool:call", {"id": "t", "name": "n", "input": {}})], "tool_use"),
        (
            [create_signal("tool:call", {"id": "t", "name": "n", "input": {}}), create_signal("tool:result", {"id": "t", "name": "n", "result": 1})],
            "end",
        ),
        ([create_signal("tool:call", {"id": "t", "name": "n", "input": {}, "provider": True})], "end"),
        ([create_signal("harness:error", {"code": "c", "message": "m", "recoverable": False})], "error"),
        ([create_signal("harness:error", {"code": "c", "message": "m", "recoverable": True})], "end"),
        ([], "end"),
    ],
)
def test_the_end_says_why_it_ended(signals: list[Signal], stop_reason: str) -> None:
    output = output_of(signals)
    assert isinstance(output, dict)
    assert output["stop_reason"] == stop_reason
    assert ("tool_calls" in output) == (stop_reason == "tool_use")


@pytest.mark.parametrize("reply", [None, 3, b"text", [1, 2], ["text"], object()])
def test_what_is_no_reply_is_refused(reply: object) -> None:
    with pytest.raises(ConfigurationError, match="A reply is a str, a dict, a HarnessOutput or a list of signals"):
        whole_reply(reply, TOLD)


def test_a_failure_says_the_code_of_a_harness_error_and_the_class_of_any_other() -> None:
    assert failure(HarnessError("overloaded", "Later.", recoverable=True)).payload == {"code": "overloaded", "message": "Later.", "recoverable": True}
    assert failure(ValueError("bad")).payload == {"code": "ValueError", "message": "bad", "recoverable": False}

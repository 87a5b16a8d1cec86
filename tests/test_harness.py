"""The words of the harness port: what is absent is left out, what is falsy stays, and a dict may stand for an output."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.harness import HarnessInput, HarnessOutput, TokenUsage, ToolCall, ToolDefinition


class Category(BaseModel):
    name: str


def test_an_input_that_says_nothing_is_an_empty_object() -> None:
    assert HarnessInput().to_json() == {}
    assert HarnessInput(system="", messages=[], tools=(), session_id=None).to_json() == {}


def test_an_input_says_each_fact_that_is_there() -> None:
    told = HarnessInput(
        system="Classify.",
        messages=[{"role": "user", "content": "hi"}],
        tools=[ToolDefinition("look_up", "Looks up.", {"type": "object"}), {"type": "web_search_20250305", "name": "web_search"}],
        tool_results=[{"id": "t1", "result": 0}],
        session_id="s",
        model="m",
        max_tokens=10,
        temperature=0.0,
    )
    assert told.to_json() == {
        "system": "Classify.",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [
            {"name": "look_up", "description": "Looks up.", "input_schema": {"type": "object"}},
            {"type": "web_search_20250305", "name": "web_search"},
        ],
        "tool_results": [{"id": "t1", "result": 0}],
        "session_id": "s",
        "model": "m",
        "max_tokens": 10,
        "temperature": 0.0,
    }


def test_a_temperature_of_zero_is_a_fact() -> None:
    assert HarnessInput(temperature=0.0).to_json() == {"temperature": 0.0}


def test_a_pydantic_model_is_told_as_its_json_schema() -> None:
    assert HarnessInput(output_schema=Category).to_json() == {"output_schema": Category.model_json_schema()}


def test_a_json_schema_is_told_as_it_is_even_when_it_is_empty() -> None:
    assert HarnessInput(output_schema={"type": "integer"}).to_json() == {"output_schema": {"type": "integer"}}
    assert HarnessInput(output_schema={}).to_json() == {"output_schema": {}}


def test_what_is_no_schema_is_refused_when_it_is_told() -> None:
    with pytest.raises(ConfigurationError, match="pydantic model class or a JSON schema"):
        HarnessInput(output_schema=3).to_json()


def test_a_harness_may_change_its_lists_without_changing_the_callers() -> None:
    messages = [{"role": "user", "content": "hi"}]
    told = HarnessInput(messages=messages)
    messages.clear()
    assert told.messages == [{"role": "user", "content": "hi"}]


@given(st.sampled_from([0, False, [], {}, "", 0.0]))
def test_a_falsy_structured_output_is_said(value: object) -> None:
    assert HarnessOutput(structured_output=value).to_json() == {"content": "", "structured_output": value}  # type: ignore[arg-type]  # JSON all


def test_an_output_says_only_what_is_there() -> None:
    assert HarnessOutput("hi").to_json() == {"content": "hi"}
    assert HarnessOutput("hi", usage=TokenUsage(3, 2), cost_usd=0.0, stop_reason="end").to_json() == {
        "content": "hi",
        "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
        "cost_usd": 0.0,
        "stop_reason": "end",
    }


@pytest.mark.parametrize(
    ("usage", "total"),
    [
        (TokenUsage(3, 2), 5),
        (TokenUsage(3, 2, cache_read_tokens=10, cache_write_tokens=1), 16),
        (TokenUsage(3, 2, total_tokens=4), 4),
        (TokenUsage(3, 2, total_tokens=0), 0),
    ],
)
def test_the_total_is_the_sum_unless_the_service_says_another(usage: TokenUsage, total: int) -> None:
    assert usage.total_tokens == total


@pytest.mark.parametrize(
    "output",
    [
        HarnessOutput("hi"),
        HarnessOutput(structured_output={"a": [1]}, stop_reason="end"),
        HarnessOutput("x", None, [ToolCall("t1", "look_up", {"q": 1})], "s", TokenUsage(1, 2, 3, 0, 5), 0.25, "tool_use", "m"),
    ],
)
def test_an_output_and_its_json_are_the_same_output(output: HarnessOutput) -> None:
    assert HarnessOutput.of(output.to_json()) == output
    assert HarnessOutput.of(output) is output


def test_a_dict_may_have_some_of_the_keys() -> None:
    assert HarnessOutput.of({"content": "hi"}) == HarnessOutput("hi")
    assert HarnessOutput.of({"structured_output": 0}).structured_output == 0
    assert HarnessOutput.of({"content": None, "tool_calls": None}) == HarnessOutput()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"text": "hi", "content": ""}, "HarnessOutput has no 'text'"),
        ({"usage": {"tokens": 3}}, "usage has no 'tokens'"),
        ({"tool_calls": {"id": "t"}}, "tool_calls is a list, not dict"),
        ({"tool_calls": [{"name": "t"}]}, "A tool call has id, name and input"),
        ({"tool_calls": [{"id": "t", "name": "n", "arguments": {}}]}, "A tool call has no 'arguments'"),
        ({"content": {"a": 1}}, "content is text, not dict"),
        ({"stop_reason": "stop"}, "'stop' is not a stop reason"),
    ],
)
def test_a_dict_that_is_no_output_is_refused_by_name(given: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        HarnessOutput.of(given)

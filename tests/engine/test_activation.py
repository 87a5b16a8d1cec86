"""What a reply's value is."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.engine.activation import json_values, spoken, usage_of
from pytest_wfreplay.errors import OutputSchemaError
from pytest_wfreplay.schema import as_schema

ANY = as_schema({})


class Reply(pydantic.BaseModel):
    category: str
    score: float = 0.5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("  [1, 2]\n", [1, 2]),
        ('Sure:\n```json\n{"a": 1}\n```\nDone.', {"a": 1}),
        ("```\n0\n```", 0),
        ('```json\n"text"\n```', "text"),
        ('I would say {"a": {"b": [1]}} and not {"a": 2}.', {"a": {"b": [1]}}),
        ('First {"a": 1}, then\n```json\n{"a": 2}\n```', {"a": 1}),
        ("The answer is false.", False),
        ("It is 42 of course", 42),
        ("-1.5e3", -1500.0),
        ('He said "no" {not json}', "no"),
        ("null", None),
        ('""', ""),
        ("{}", {}),
        ("{oops} [1", 1),
        ('{"a": NaN} {"b": 1}', {"b": 1}),
        ('{"a": 1e999} {"b": 1}', {"b": 1}),
        ('{"a": "\\ud800"} [2]', [2]),
        ("```json\n" + '{"a": "```"}' + "\n```", {"a": "```"}),
    ],
)
def test_the_first_json_value_of_a_text(text: str, value: Any) -> None:
    found = spoken("a", ANY, {"content": text})
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("content", ["", "nothing here", "{", "truely v2", "NaN", None])
def test_a_text_without_one_is_a_miss(content: Any) -> None:
    with pytest.raises(OutputSchemaError, match="Agent 'a' was asked for JSON and its reply has none") as caught:
        spoken("a", ANY, {"content": content})
    assert (caught.value.agent, caught.value.value) == ("a", content)


@given(st.text())
def test_no_text_makes_the_search_fail(text: str) -> None:
    list(json_values(text))
    list(json_values("[" * 20 + text))


def test_a_row_of_brackets_is_soon_given_up() -> None:
    assert list(json_values("[" * 100_000)) == []


def test_the_structured_output_comes_first_and_falsy_counts() -> None:
    assert spoken("a", ANY, {"content": '{"a": 1}', "structured_output": {"b": 2}}) == {"b": 2}
    for falsy in (0, False, "", [], {}):
        assert spoken("a", ANY, {"content": '{"a": 1}', "structured_output": falsy}) == falsy  # type: ignore[dict-item]


def test_without_a_schema_it_is_the_text() -> None:
    assert spoken("a", None, {"content": '{"a": 1}', "structured_output": {"b": 2}}) == '{"a": 1}'
    assert spoken("a", None, {"content": ""}) == ""
    assert spoken("a", None, {"content": None}) == ""
    assert spoken("a", None, {}) == ""


def test_a_model_validates_and_fills_in() -> None:
    schema = as_schema(Reply)
    assert spoken("a", schema, {"content": 'Here: {"category": "refund"}'}) == {"category": "refund", "score": 0.5}
    with pytest.raises(OutputSchemaError) as caught:
        spoken("a", schema, {"content": '{"score": "high"}'})
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["category", "score"]
    assert caught.value.value == {"score": "high"}


def test_what_a_reply_used() -> None:
    assert usage_of({"usage": {"input_tokens": 3, "output_tokens": 4}, "cost_usd": 0.5}) == (3, 4, 7, 0.5)
    assert usage_of({"usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 9}}) == (3, 4, 9, 0.0)
    assert usage_of({"usage": {"input_tokens": True, "output_tokens": "x"}, "cost_usd": None}) == (0, 0, 0, 0.0)
    assert usage_of("text") == (0, 0, 0, 0.0)

"""Schemas: what a pydantic model or a JSON schema makes of a value."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import pydantic
import pytest

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.schema import Schema, as_schema, validated


class Kind(enum.Enum):
    REFUND = "refund"


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)

    at: dt.date
    kind: Kind
    parts: tuple[int, ...] = ()


def test_a_strict_model_reads_json_as_json() -> None:
    value = {"at": "2026-11-20", "kind": "refund", "parts": [1]}
    assert validated(as_schema(Strict), value) == (value, ())  # type: ignore[arg-type]  # a dict of JSON
    assert validated(as_schema(Strict), {"at": "2026-11-20", "kind": "refund"})[0] == {**value, "parts": []}


def test_each_problem_names_its_place() -> None:
    value, problems = validated(as_schema(Strict), {"at": "x", "kind": "refund", "parts": ["1"]})
    assert value == {"at": "x", "kind": "refund", "parts": ["1"]}
    assert [problem.partition(":")[0] for problem in problems] == ["at", "parts.0"]


@pytest.mark.parametrize("value", [0, False, "", [], {}, None])
def test_falsy_values_are_values(value: Any) -> None:
    assert validated(as_schema({}), value) == (value, ())


def test_a_value_that_is_refused_is_left_as_it_was() -> None:
    schema = as_schema({"type": "object", "properties": {"a": {"default": 1}, "b": {"type": "integer"}}})
    given = {"b": "x"}
    assert validated(schema, given) == ({"b": "x"}, ("b: 'x' is not of type 'integer'",))  # type: ignore[arg-type]
    assert given == {"b": "x"}


def test_defaults_are_filled_in_at_any_depth() -> None:
    inner = {"type": "object", "properties": {"n": {"default": 0}}}
    schema = as_schema({"type": "object", "properties": {"inner": {**inner, "default": {}}, "list": {"items": inner}}, "required": ["inner"]})
    assert validated(schema, {"list": [{}]}) == ({"list": [{"n": 0}], "inner": {"n": 0}}, ())


def test_a_schema_never_goes_to_the_network() -> None:
    with pytest.raises(ConfigurationError, match=r"refers to 'https://example.com/x.json', which is not in it"):
        validated(as_schema({"$ref": "https://example.com/x.json"}), 1)


def test_a_schema_may_refer_to_itself() -> None:
    schema = as_schema({"$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n"})
    assert validated(schema, 1) == (1, ())
    assert validated(schema, "x")[1]


def test_a_schema_is_a_schema() -> None:
    schema = as_schema({})
    assert as_schema(schema) is schema
    assert as_schema(Strict).model is Strict
    assert isinstance(as_schema(Strict), Schema)


def test_what_json_cannot_carry_is_no_schema() -> None:
    with pytest.raises(TypeError, match=r"schema\.enum: JSON has no word for set"):
        as_schema({"enum": {1}})

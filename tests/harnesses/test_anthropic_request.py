"""What a harness is told becomes the keywords of the SDK's call."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic import transform_schema
from pydantic import BaseModel

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.harness import HarnessInput, ToolDefinition
from pytest_wfreplay.harnesses.anthropic_request import answer_of, check_options, is_beta, request

NEW, OLD = "claude-sonnet-5-5", "claude-sonnet-4-0"


class Part(BaseModel):
    name: str


class Whole(BaseModel):
    parts: list[Part]


class Scores(BaseModel):
    by_name: dict[str, int]


def asked(told: HarnessInput, model: str = NEW, **options: Any) -> dict[str, Any]:
    return request(told, model, 100, options, transform_schema)


def test_a_prompt_alone_is_the_user_message() -> None:
    assert asked(HarnessInput(system="Say hi.")) == {"max_tokens": 100, "model": NEW, "messages": [{"role": "user", "content": "Say hi."}]}


def test_beside_messages_the_prompt_is_the_system() -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    assert asked(HarnessInput(system="Be brief.", messages=messages)) == {
        "max_tokens": 100,
        "model": NEW,
        "system": "Be brief.",
        "messages": messages,
    }


def test_tools_of_ours_are_spelled_and_dicts_are_passed_on() -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": None}
    told = HarnessInput(system="x", tools=[ToolDefinition("look_up", "Looks up.", {"type": "object"}), search])
    assert asked(told, tools=[{"name": "other"}])["tools"] == [
        {"name": "look_up", "description": "Looks up.", "input_schema": {"type": "object"}},
        search,
        {"name": "other"},
    ]


@pytest.mark.parametrize(
    ("result", "block"),
    [
        ({"id": "t", "name": "n", "result": "fine"}, {"type": "tool_result", "tool_use_id": "t", "content": "fine"}),
        ({"id": "t", "result": {"n": 0}}, {"type": "tool_result", "tool_use_id": "t", "content": '{"n": 0}'}),
        ({"id": "t", "result": []}, {"type": "tool_result", "tool_use_id": "t", "content": "[]"}),
        ({"id": "t", "result": None}, {"type": "tool_result", "tool_use_id": "t", "content": "null"}),
        (
            {"id": "t", "result": [{"type": "text", "text": "a"}]},
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "a"}]},
        ),
        ({"id": "t", "result": None, "error": "gone"}, {"type": "tool_result", "tool_use_id": "t", "content": "gone", "is_error": True}),
        ({"type": "tool_result", "tool_use_id": "t", "content": []}, {"type": "tool_result", "tool_use_id": "t", "content": []}),
    ],
)
def test_tool_results_follow_as_a_user_message(result: dict[str, object], block: dict[str, object]) -> None:
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]}]
    assert asked(HarnessInput(messages=messages, tool_results=[result]))["messages"] == [*messages, {"role": "user", "content": [block]}]


def test_sampling_goes_into_the_body_because_the_sdk_has_no_keyword_for_it() -> None:
    assert asked(HarnessInput(system="x", temperature=0.0), top_p=0.5, extra_body={"a": 1})["extra_body"] == {
        "a": 1,
        "temperature": 0.0,
        "top_p": 0.5,
    }


def test_a_schema_is_asked_for_as_the_services_output_format() -> None:
    told = HarnessInput(system="x", output_schema=Whole)
    assert answer_of(told, NEW) == "text"
    made = asked(told, output_config={"effort": "low"})
    assert made["output_config"]["effort"] == "low"
    assert made["output_config"]["format"] == {"type": "json_schema", "schema": transform_schema(Whole)}
    assert "tools" not in made


def test_a_schema_that_the_sdk_cannot_spell_is_left_to_the_service() -> None:
    schema = {"type": ["string", "null"]}
    assert asked(HarnessInput(system="x", output_schema=schema))["output_config"]["format"]["schema"] == schema


@pytest.mark.parametrize(
    ("told", "model"),
    [(HarnessInput(system="x", output_schema=Whole), OLD), (HarnessInput(system="x", output_schema=Scores), NEW)],
    ids=["an older model", "free keys"],
)
def test_where_the_output_format_cannot_serve_a_tool_is_forced(told: HarnessInput, model: str) -> None:
    made = asked(told, model)
    assert answer_of(told, model) == "tool"
    assert made["tool_choice"] == {"type": "tool", "name": "structured_output"}
    assert "output_config" not in made
    [answer] = made["tools"]
    schema = dict(told.schema() or {})
    assert answer["input_schema"].get("$defs") == schema.pop("$defs", None)
    assert answer["input_schema"]["properties"]["value"] == schema


@pytest.mark.parametrize(
    ("told", "options", "choice"),
    [
        (HarnessInput(system="x", output_schema=Whole, tools=[ToolDefinition("n")]), {}, {"type": "any"}),
        (HarnessInput(system="x", output_schema=Whole), {"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"type": "auto"}),
        (HarnessInput(system="x", output_schema=Whole), {"thinking": {"type": "disabled"}}, {"type": "tool", "name": "structured_output"}),
    ],
    ids=["beside other tools", "while thinking", "not thinking"],
)
def test_the_answer_tool_is_forced_as_far_as_the_service_lets_us(told: HarnessInput, options: dict[str, Any], choice: dict[str, str]) -> None:
    assert asked(told, OLD, **options)["tool_choice"] == choice


def test_without_a_schema_no_answer_is_looked_for() -> None:
    assert answer_of(HarnessInput(system="x"), NEW) is None


@pytest.mark.parametrize(("options", "beta"), [({}, False), ({"thinking": {}}, False), ({"mcp_servers": []}, True), ({"betas": ["x"]}, True)])
def test_what_only_the_beta_resource_knows_chooses_it(options: dict[str, object], beta: bool) -> None:
    assert is_beta(options) is beta


def test_options_may_not_say_what_has_a_place_of_its_own() -> None:
    with pytest.raises(ConfigurationError, match="may not say messages, model"):
        check_options({"model": "m", "messages": [], "thinking": {}})

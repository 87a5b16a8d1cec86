"""What a harness is told, as the keywords of the SDK's `messages.create`: pure, no I/O.

1. A service that wants a user message gets the prompt as one when there are no messages.
2. Dicts among the tools are passed on untouched; so are the messages.
3. Structured answers: a model that knows `output_config` is asked for JSON text by the schema. An older one is made to call a tool whose
   input is the answer, and so is every model when the schema has an object with free keys, which `output_config` cannot say. Where the
   model also thinks the call is left to its own decision, because the service does not let a thinking model be forced.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.harness import HarnessInput, ToolDefinition
from pytest_wfreplay.harnesses.anthropic_events import ANSWER_TOOL
from pytest_wfreplay.jsonable import JSON, plain_json

#: What `HarnessInput` and the constructor say, and `options` therefore may not.
_SPOKEN_FOR = frozenset({"max_tokens", "messages", "model", "stream", "system"})

#: Keywords that only `client.beta.messages` knows.
_BETA = frozenset({"betas", "billing_policy", "compaction", "context_management", "fallback_credit_token", "fallbacks", "mcp_servers", "thread"})

#: Sampling: the service still takes it for the models that know it, the SDK has no keyword for it any more.
_SAMPLING = ("temperature", "top_k", "top_p")

#: Models from before `output_config`, by the beginning of their names.
_WITHOUT_OUTPUT_CONFIG = (
    "claude-2",
    "claude-3",
    "claude-instant",
    "claude-opus-4-0",
    "claude-opus-4-2025",
    "claude-sonnet-4-0",
    "claude-sonnet-4-2025",
)


def check_options(options: Mapping[str, object]) -> None:
    """Refuse options that have a place of their own.

    Raises:
        ConfigurationError: some have.
    """
    if taken := sorted(_SPOKEN_FOR & set(options)):
        raise ConfigurationError(
            f"options of AnthropicHarness may not say {', '.join(taken)}.",
            hint="Say model and max_tokens to the harness or the agent, system as its prompt, messages as its message.",
        )


def is_beta(options: Mapping[str, object]) -> bool:
    """Whether the request is one for the SDK's beta resource."""
    return bool(_BETA & set(options))


def answer_of(input: HarnessInput, model: str) -> str | None:
    """Where the structured answer will be: in the `text`, in a `tool`'s input, or nowhere (None)."""
    if (schema := input.schema()) is None:
        return None
    return "tool" if model.startswith(_WITHOUT_OUTPUT_CONFIG) or _has_free_keys(schema) else "text"


def request(input: HarnessInput, model: str, max_tokens: int, options: Mapping[str, object], strict: Callable[[Any], Any]) -> dict[str, Any]:
    """The keywords of `messages.create`. `strict` makes a JSON schema one that the service takes (the SDK's `transform_schema`).

    Raises:
        ConfigurationError: the output schema is neither a pydantic model class nor a JSON schema.
    """
    asked: dict[str, object] = {"max_tokens": max_tokens, "model": model, "messages": _messages(input), **options}
    if input.messages and input.system:
        asked["system"] = input.system
    if tools := [*map(_tool, input.tools), *_listed(options.get("tools"))]:
        asked["tools"] = tools
    if input.temperature is not None:
        asked["temperature"] = input.temperature
    if sampling := {name: asked.pop(name) for name in _SAMPLING if name in asked}:
        asked["extra_body"] = {**_mapping(asked.get("extra_body")), **sampling}
    schema = input.schema()
    if schema is None:
        return asked
    return _with_answer_tool(asked, schema) if answer_of(input, model) == "tool" else _with_format(asked, schema, strict)


def _messages(input: HarnessInput) -> list[object]:
    messages: list[object] = list(input.messages) or [{"role": "user", "content": input.system or ""}]
    if input.tool_results:
        messages.append({"role": "user", "content": [_tool_result(one) for one in input.tool_results]})
    return messages


def _tool_result(result: Mapping[str, object]) -> Mapping[str, object]:
    """A `tool:result`'s payload as the service's block; a block as it is."""
    if result.get("type") == "tool_result":
        return result
    content = result.get("error") or result.get("result")
    block = {"type": "tool_result", "tool_use_id": result.get("id"), "content": _content(plain_json(content, path="tool_results"))}
    return block | {"is_error": True} if result.get("error") else block


def _content(result: JSON) -> JSON:
    """Text as it is, content blocks as they are, anything else as JSON text."""
    is_blocks = isinstance(result, list) and bool(result) and all(isinstance(one, dict) and "type" in one for one in result)
    return result if isinstance(result, str) or is_blocks else json.dumps(result, ensure_ascii=False)


def _tool(tool: ToolDefinition | Mapping[str, object]) -> Mapping[str, object]:
    if isinstance(tool, ToolDefinition):
        described: dict[str, str] = {"description": tool.description} if tool.description else {}
        return {"name": tool.name, **described, "input_schema": dict(tool.input_schema)}
    return tool


def _with_format(asked: dict[str, object], schema: dict[str, JSON], strict: Callable[[Any], Any]) -> dict[str, object]:
    try:
        taken = strict(schema)
    except (AssertionError, ValueError):
        taken = schema  # the SDK does not know every way to write a schema; the service has the last word
    config = {**_mapping(asked.get("output_config")), "format": {"type": "json_schema", "schema": taken}}
    return {**asked, "output_config": config}


def _with_answer_tool(asked: dict[str, object], schema: dict[str, JSON]) -> dict[str, object]:
    definitions: dict[str, JSON] = {name: schema[name] for name in ("$defs", "definitions") if name in schema}  # references start at the root
    wanted: JSON = {name: part for name, part in schema.items() if name not in definitions}
    wrapped: JSON = {"type": "object", "properties": {"value": wanted}, "required": ["value"], **definitions}
    answer = {"name": ANSWER_TOOL, "description": "Give your answer by calling this tool, once.", "input_schema": wrapped}
    others = _listed(asked.get("tools"))
    forced: dict[str, str] = {"type": "any"} if others else {"type": "tool", "name": ANSWER_TOOL}
    choice = {"type": "auto"} if _mapping(asked.get("thinking")).get("type", "disabled") != "disabled" else forced
    return {**asked, "tools": [*others, answer], "tool_choice": choice}


def _has_free_keys(schema: JSON) -> bool:
    """Whether some object in it may have keys that the schema does not name."""
    if isinstance(schema, list):
        return any(map(_has_free_keys, schema))
    if not isinstance(schema, dict):
        return False
    is_free = schema.get("type") == "object" and (bool(schema.get("additionalProperties")) or "properties" not in schema)
    return is_free or any(map(_has_free_keys, schema.values()))


def _listed(tools: object) -> list[object]:
    return list(tools) if isinstance(tools, (list, tuple)) else []


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}

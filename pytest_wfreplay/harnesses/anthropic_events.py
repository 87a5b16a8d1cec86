"""Events of a Messages API stream as signals: pure, no I/O; the events may be plain mappings or the SDK's objects.

1. `decode(event, message)` answers the signals of one event and notes in `message` what the end will need.
2. Text and thinking are completed once, when the message stops: a message may have many blocks of each.
3. Whoever runs a tool is seen in the block: `tool_use` is the client's, every other `*_tool_use` the service's (`provider: true`).
4. Unknown events, blocks and deltas are passed over: the service adds some every few months.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_wfreplay.harness import HarnessOutput, StopReason, TokenUsage, ToolCall
from pytest_wfreplay.jsonable import JSON, plain_json
from pytest_wfreplay.signal import Signal, create_signal

#: The tool that an older model is made to call for its structured answer.
ANSWER_TOOL = "structured_output"

#: The service's word for why it stopped -> ours. A refusal is an error: there is no answer. A paused turn is an end: what it said stands.
_STOP_REASONS: dict[str, StopReason] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "pause_turn": "end",
    "compaction": "end",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "tool_use": "tool_use",
    "refusal": "error",
}

#: The service's word for a count -> ours.
_COUNTS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
}


@dataclass(slots=True)
class Message:
    """What has been heard of one message. `answer` says where its structured value is looked for: `text`, `tool` or nowhere (None)."""

    answer: str | None = None
    #: Whether the service said that the message is whole.
    stopped: bool = False
    texts: dict[int, list[str]] = field(default_factory=dict)
    thoughts: list[str] = field(default_factory=list)
    #: Tool blocks that are still open, and the pieces of their inputs.
    tools: dict[int, tuple[Mapping[str, Any], list[str]]] = field(default_factory=dict)
    #: Tool use id -> tool name, for the results.
    names: dict[str, str] = field(default_factory=dict)
    calls: list[ToolCall] = field(default_factory=list)
    value: JSON = None
    counts: dict[str, int] = field(default_factory=dict)
    stop_reason: str | None = None
    model: str | None = None

    @property
    def output(self) -> HarnessOutput:
        """What the message says, as far as it was heard."""
        text = "".join(piece for pieces in self.texts.values() for piece in pieces)
        reason = _STOP_REASONS.get(self.stop_reason or "end_turn", "end")
        if reason == "tool_use" and not self.calls:  # only the answer tool was called
            reason = "end"
        usage = TokenUsage(**self.counts) if self.counts else None
        return HarnessOutput(text, self._structured(), self.calls, usage=usage, stop_reason=reason, model=self.model)

    def _structured(self) -> JSON:
        """The value of the answer tool, or of the last text block when the service was asked for JSON text."""
        if self.answer != "text" or not self.texts:
            return self.value
        try:
            value: JSON = json.loads("".join(self.texts[max(self.texts)]))
        except ValueError:
            return None  # cut off, or prose beside a tool call; whoever asked for a schema looks into the text and says what is wrong
        return value


def decode(event: object, message: Message) -> list[Signal]:
    """The signals of one event; what the end will need is noted in `message`."""
    spelled = as_mapping(event)
    hear = _EVENTS.get(str(spelled.get("type")))
    return hear(spelled, message) if hear else []


def as_mapping(event: object) -> Mapping[str, Any]:
    """An event as plain JSON: a mapping itself, or what an SDK object was built from."""
    if isinstance(event, Mapping):
        return event
    dump = getattr(event, "model_dump", None)
    # an SDK builds its objects without validation, so that it can read what it does not know yet: no warnings about that
    return dump(mode="json", by_alias=True, exclude_unset=True, warnings=False) if callable(dump) else {}


def _message_start(event: Mapping[str, Any], message: Message) -> list[Signal]:
    started = event.get("message") or {}
    message.model = started.get("model")
    _count(started, message)
    return []


def _block_start(event: Mapping[str, Any], message: Message) -> list[Signal]:
    block, index = event.get("content_block") or {}, int(event.get("index") or 0)
    kind = str(block.get("type"))
    if kind == "text":
        message.texts.setdefault(index, [])
        return _said(index, block.get("text"), message)
    if kind == "thinking":
        return _thought(block.get("thinking"), message)
    if kind.endswith("tool_use"):
        message.tools[index] = (block, [])
        message.names[str(block.get("id"))] = str(block.get("name"))
    if kind.endswith("tool_result"):
        return [_result(block, message)]
    return []


def _block_delta(event: Mapping[str, Any], message: Message) -> list[Signal]:
    delta, index = event.get("delta") or {}, int(event.get("index") or 0)
    kind = delta.get("type")
    if kind == "text_delta":
        return _said(index, delta.get("text"), message)
    if kind == "thinking_delta":
        return _thought(delta.get("thinking"), message)
    if kind == "input_json_delta" and index in message.tools:
        _, pieces = message.tools[index]
        pieces.append(str(delta.get("partial_json") or ""))
    return []


def _block_stop(event: Mapping[str, Any], message: Message) -> list[Signal]:
    if (tool := message.tools.pop(int(event.get("index") or 0), None)) is None:
        return []
    block, pieces = tool
    call = ToolCall(str(block.get("id")), str(block.get("name")), _input(block, "".join(pieces)))
    if message.answer == "tool" and block.get("type") == "tool_use" and call.name == ANSWER_TOOL:
        return _answered(call.input, message)
    payload: dict[str, JSON] = {"id": call.id, "name": call.name, "input": call.input}
    if block.get("type") == "tool_use":
        message.calls.append(call)
        return [create_signal("tool:call", payload)]
    return [create_signal("tool:call", payload | {"provider": True})]


def _message_delta(event: Mapping[str, Any], message: Message) -> list[Signal]:
    delta = event.get("delta") or {}
    message.stop_reason = delta.get("stop_reason") or message.stop_reason
    _count(event, message)
    if delta.get("stop_reason") != "refusal":
        return []
    explanation = (delta.get("stop_details") or {}).get("explanation") or "The model refused to answer."
    return [create_signal("harness:error", {"code": "refusal", "message": str(explanation), "recoverable": False})]


def _message_stop(_: Mapping[str, Any], message: Message) -> list[Signal]:
    message.stopped = True
    output = message.output
    thinking = "".join(message.thoughts)
    return [
        *([create_signal("thinking:complete", {"content": thinking})] if thinking else []),
        *([create_signal("text:complete", {"content": output.content})] if output.content else []),
        create_signal("harness:end", {"output": output.to_json()}),
    ]


_EVENTS: dict[str, Callable[[Mapping[str, Any], Message], list[Signal]]] = {
    "message_start": _message_start,
    "content_block_start": _block_start,
    "content_block_delta": _block_delta,
    "content_block_stop": _block_stop,
    "message_delta": _message_delta,
    "message_stop": _message_stop,
}


def _count(said: Mapping[str, Any], message: Message) -> None:
    """Counts are cumulative: the last one said is the one."""
    usage = said.get("usage") or {}
    message.counts |= {ours: usage[theirs] for theirs, ours in _COUNTS.items() if usage.get(theirs) is not None}


def _said(index: int, text: object, message: Message) -> list[Signal]:
    if not text:
        return []
    message.texts.setdefault(index, []).append(str(text))
    return [create_signal("text:delta", {"content": str(text)})]


def _thought(text: object, message: Message) -> list[Signal]:
    if not text:
        return []
    message.thoughts.append(str(text))
    return [create_signal("thinking:delta", {"content": str(text)})]


def _answered(given: JSON, message: Message) -> list[Signal]:
    """The answer tool's input: its `value`, or all of it where the model forgot the wrapping. The text is its JSON."""
    if not isinstance(given, dict):
        return _said(max(message.texts, default=0), given, message)  # cut off: the text is all there is
    message.value = given.get("value", given)
    return _said(max(message.texts, default=0), json.dumps(message.value, ensure_ascii=False), message)


def _input(block: Mapping[str, Any], spelled: str) -> JSON:
    """A tool's input: the pieces together, or what the block began with; as text where `max_tokens` cut it off."""
    if not spelled:
        return plain_json(block.get("input") or {}, path="input")
    try:
        value: JSON = json.loads(spelled)
    except ValueError:
        return spelled
    return value


def _result(block: Mapping[str, Any], message: Message) -> Signal:
    call_id, content = str(block.get("tool_use_id")), plain_json(block.get("content"), path="result")
    name = message.names.get(call_id) or str(block.get("type")).removesuffix("_tool_result")
    payload: dict[str, JSON] = {"id": call_id, "name": name, "result": content}
    if (error := _error(block, content)) is not None:
        payload["error"] = error
    return create_signal("tool:result", payload | {"provider": True})


def _error(block: Mapping[str, Any], content: JSON) -> str | None:
    """What went wrong with a tool, if its block says so: `is_error`, or a content that is an error with a code."""
    if isinstance(content, dict) and str(content.get("type")).endswith("_error"):
        return str(content.get("error_code") or content.get("type"))
    if not block.get("is_error"):
        return None
    parts = content if isinstance(content, list) else [content]
    return "".join(str(part.get("text", "")) if isinstance(part, dict) else str(part) for part in parts) or "error"

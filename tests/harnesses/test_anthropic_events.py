"""Events of a Messages API stream become signals; whole recorded streams are read in tests/real."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_wfreplay.harnesses.anthropic_events import ANSWER_TOOL, Message, as_mapping, decode

START = {
    "type": "message_start",
    "message": {"model": "claude-sonnet-5-5", "usage": {"input_tokens": 7, "cache_read_input_tokens": 100, "output_tokens": 1}},
}
STOP = {"type": "message_stop"}


def block(content: dict[str, Any], *deltas: dict[str, Any], index: int = 0) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(*pieces: str, index: int = 0) -> list[dict[str, Any]]:
    return block({"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces), index=index)


def tool(kind: str, name: str, *pieces: str, index: int = 0) -> list[dict[str, Any]]:
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    return block({"type": kind, "id": f"t{index}", "name": name, "input": {}}, *deltas, index=index)


def ended(stop_reason: str, **more: Any) -> list[dict[str, Any]]:
    return [{"type": "message_delta", "delta": {"stop_reason": stop_reason, **more}, "usage": {"output_tokens": 5}}, STOP]


def said(*events: dict[str, Any], message: Message | None = None) -> list[tuple[str, Any]]:
    message = message or Message()
    return [(signal.name, signal.payload) for event in events for signal in decode(event, message)]


def output(*events: dict[str, Any], message: Message | None = None) -> dict[str, Any]:
    name, payload = said(*events, message=message)[-1]
    assert name == "harness:end"
    return payload["output"]


def test_text_is_streamed_and_completed_once_for_all_its_blocks() -> None:
    assert said(START, *text("He", "llo"), *text(" you", index=1), *ended("end_turn")) == [
        ("text:delta", {"content": "He"}),
        ("text:delta", {"content": "llo"}),
        ("text:delta", {"content": " you"}),
        ("text:complete", {"content": "Hello you"}),
        (
            "harness:end",
            {
                "output": {
                    "content": "Hello you",
                    "usage": {"input_tokens": 7, "output_tokens": 5, "total_tokens": 112, "cache_read_tokens": 100},
                    "stop_reason": "end",
                    "model": "claude-sonnet-5-5",
                }
            },
        ),
    ]


def test_text_that_stands_in_a_blocks_start_is_said_too() -> None:
    assert said(*block({"type": "text", "text": "Hi"}, {"type": "text_delta", "text": "!"}))[0] == ("text:delta", {"content": "Hi"})


def test_thinking_is_completed_before_the_text_and_its_signature_is_passed_over() -> None:
    thinking = block(
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Hm"},
        {"type": "thinking_delta", "thinking": "."},
        {"type": "signature_delta", "signature": "c2ln"},
    )
    assert [one for one in said(*thinking, *text("Hi", index=1), *ended("end_turn")) if one[0] != "harness:end"] == [
        ("thinking:delta", {"content": "Hm"}),
        ("thinking:delta", {"content": "."}),
        ("text:delta", {"content": "Hi"}),
        ("thinking:complete", {"content": "Hm."}),
        ("text:complete", {"content": "Hi"}),
    ]


def test_a_clients_tool_is_called_when_its_input_is_whole() -> None:
    events = [*tool("tool_use", "look_up", '{"q":', ' "a"}'), *ended("tool_use")]
    call = {"id": "t0", "name": "look_up", "input": {"q": "a"}}
    assert said(*events)[0] == ("tool:call", call)
    assert (output(*events)["stop_reason"], output(*events)["tool_calls"]) == ("tool_use", [call])


@pytest.mark.parametrize(
    ("pieces", "given"),
    [([], {}), ([""], {}), (["", "{}"], {}), (['{"a"', ": 1}"], {"a": 1}), (['{"a": "cut o'], '{"a": "cut o')],
)
def test_a_tools_input_is_its_pieces_together_or_text_where_it_was_cut_off(pieces: list[str], given: object) -> None:
    assert said(*tool("tool_use", "n", *pieces))[0][1]["input"] == given


@pytest.mark.parametrize("kind", ["server_tool_use", "mcp_tool_use"])
def test_a_tool_of_the_service_is_marked_and_nobody_is_asked_to_run_it(kind: str) -> None:
    events = [*tool(kind, "web_search", '{"query": "x"}'), *ended("end_turn")]
    assert said(*events)[0] == ("tool:call", {"id": "t0", "name": "web_search", "input": {"query": "x"}, "provider": True})
    assert "tool_calls" not in output(*events)


@pytest.mark.parametrize(
    ("result", "error"),
    [
        ({"type": "web_search_tool_result", "content": [{"type": "web_search_result", "url": "https://example.org"}]}, None),
        (
            {"type": "web_search_tool_result", "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}},
            "max_uses_exceeded",
        ),
        ({"type": "bash_code_execution_tool_result", "content": {"type": "bash_code_execution_result", "return_code": 1, "stdout": ""}}, None),
        ({"type": "mcp_tool_result", "is_error": False, "content": [{"type": "text", "text": "fine"}]}, None),
        ({"type": "mcp_tool_result", "is_error": True, "content": [{"type": "text", "text": "no such repository"}]}, "no such repository"),
        ({"type": "mcp_tool_result", "is_error": True, "content": "broken"}, "broken"),
        ({"type": "mcp_tool_result", "is_error": True, "content": []}, "error"),
    ],
)
def test_a_result_of_the_service_belongs_to_its_call_and_says_its_error(result: dict[str, Any], error: str | None) -> None:
    _, (name, payload) = said(*tool("server_tool_use", "search"), *block(result | {"tool_use_id": "t0"}, index=1))
    expected = {"id": "t0", "name": "search", "result": result["content"], "provider": True}
    assert (name, payload) == ("tool:result", expected if error is None else expected | {"error": error})


def test_a_result_without_its_call_is_named_after_its_kind() -> None:
    [(_, payload)] = said(*block({"type": "web_fetch_tool_result", "tool_use_id": "t9", "content": {}}))
    assert (payload["id"], payload["name"]) == ("t9", "web_fetch")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("end_turn", "end"),
        ("stop_sequence", "end"),
        ("pause_turn", "end"),
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("refusal", "error"),
        ("something_new", "end"),
    ],
)
def test_why_it_stopped(theirs: str, ours: str) -> None:
    assert output(*text("Hi"), *ended(theirs))["stop_reason"] == ours


def test_a_refusal_is_an_error_that_fails_the_agent() -> None:
    assert said(*ended("refusal", stop_details={"explanation": "Not this."}))[0] == (
        "harness:error",
        {"code": "refusal", "message": "Not this.", "recoverable": False},
    )


def test_an_answer_by_schema_is_the_last_texts_json() -> None:
    events = [*text("Let me see."), *text('{"n"', ": 0}", index=3), *ended("end_turn")]
    assert output(*events, message=Message("text"))["structured_output"] == {"n": 0}
    assert "structured_output" not in output(*events)


def test_a_falsy_answer_is_an_answer() -> None:
    assert output(*text("0"), *ended("end_turn"), message=Message("text"))["structured_output"] == 0


def test_an_answer_that_was_cut_off_is_left_to_the_text() -> None:
    answered = output(*text('{"n": '), *ended("max_tokens"), message=Message("text"))
    assert (answered.get("structured_output"), answered["content"], answered["stop_reason"]) == (None, '{"n": ', "max_tokens")


@pytest.mark.parametrize(("given", "value"), [('{"value": [1]}', [1]), ('{"value": false}', False), ('{"n": 1}', {"n": 1})])
def test_the_answer_tools_input_is_the_structured_value_and_no_tool_call(given: str, value: object) -> None:
    events = [*tool("tool_use", ANSWER_TOOL, given), *ended("tool_use")]
    answered = output(*events, message=Message("tool"))
    assert (answered["structured_output"], answered["stop_reason"]) == (value, "end")
    assert "tool_calls" not in answered
    names = [name for name, _ in said(*events, message=Message("tool"))]
    assert names == ["text:delta", "text:complete", "harness:end"]


def test_a_clients_tool_may_have_the_answer_tools_name_when_no_answer_was_asked_for() -> None:
    assert output(*tool("tool_use", ANSWER_TOOL, "{}"), *ended("tool_use"))["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "ping"},
        {"type": "something_new", "index": 3},
        {},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "redacted_thinking", "data": "x"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "something_new"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ""}},
        {"type": "content_block_delta", "index": 9, "delta": {"type": "input_json_delta", "partial_json": "{"}},
        {"type": "content_block_stop", "index": 9},
    ],
)
def test_what_is_unknown_or_empty_says_nothing(event: dict[str, Any]) -> None:
    assert said(event) == []


def test_a_message_knows_whether_it_is_whole() -> None:
    message = Message()
    said(START, *text("Hi"), message=message)
    assert not message.stopped
    said(*ended("end_turn"), message=message)
    assert message.stopped


def test_an_object_of_the_sdk_is_read_like_the_event_it_was_built_from() -> None:
    from anthropic.types import RawContentBlockDeltaEvent, TextDelta

    event = RawContentBlockDeltaEvent(type="content_block_delta", index=0, delta=TextDelta(type="text_delta", text="Hi"))
    assert as_mapping(event) == {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
    assert as_mapping(object()) == {}

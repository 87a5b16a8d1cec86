"""One reply as signals: the bookkeeping that adds what a shorter way of saying it left out.

1. `harness:start {input}` comes first and `harness:end {output}` last, whoever forgot them.
2. Deltas that nobody completed are completed before the end, thinking first, each by their exact concatenation.
3. What was said is passed on as it is; an output that is made here stops for `tool_use` when a client's tool was asked for and not run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_wfreplay.errors import ConfigurationError, HarnessError
from pytest_wfreplay.harness import HarnessInput, HarnessOutput, StopReason, ToolCall
from pytest_wfreplay.jsonable import plain_json
from pytest_wfreplay.signal import Signal, create_signal, is_signal


def whole_reply(reply: object, input: HarnessInput) -> list[Signal]:
    """All signals of a reply that is known at once: a str, a dict (the structured value), a `HarnessOutput` or a list of signals.

    Raises:
        ConfigurationError: it is none of these.
        NotJsonError: JSON cannot carry it.
    """
    output, said = _spoken(reply)
    whole = Reply(input, output)
    return [*(heard for signal in said for heard in whole.say(signal)), *whole.end()]


def check_reply(reply: object) -> None:
    """Refuse what `whole_reply` would refuse for its kind.

    Raises:
        ConfigurationError: it is no reply.
    """
    if isinstance(reply, (str, Mapping, HarnessOutput)) or (isinstance(reply, (list, tuple)) and all(map(is_signal, reply))):
        return
    raise ConfigurationError(f"A reply is a str, a dict, a HarnessOutput or a list of signals, not {reply!r}.")


def failure(error: BaseException) -> Signal:
    """The `harness:error` of an exception: its own code, or its class name; recoverable only if it says so."""
    if isinstance(error, HarnessError):
        return create_signal("harness:error", {"code": error.code, "message": error.message, "recoverable": error.recoverable})
    return create_signal("harness:error", {"code": type(error).__name__, "message": str(error), "recoverable": False})


@dataclass(slots=True)
class Reply:
    """What has been said of one reply so far: `say` each signal, then `end` it; `output` holds facts for the end that no signal says."""

    input: HarnessInput
    output: HarnessOutput = field(default_factory=HarnessOutput)
    _started: bool = False
    _ended: bool = False
    _failed: bool = False
    _open: dict[str, list[str]] = field(default_factory=lambda: {"thinking": [], "text": []})
    _text: list[str] = field(default_factory=list)
    _calls: dict[str, ToolCall] = field(default_factory=dict)

    def say(self, signal: Signal) -> Iterator[Signal]:
        """The signal, after what has to come before it."""
        if not self._started and signal.name != "harness:start":
            yield create_signal("harness:start", {"input": self.input.to_json()})
        self._started = True
        if signal.name == "harness:end":
            yield from self._completions()
        self._hear(signal)
        yield signal

    def end(self) -> Iterator[Signal]:
        """What is still missing: the start, the completions, the end."""
        if self._ended:
            return
        if not self._started:
            yield from self.say(create_signal("harness:start", {"input": self.input.to_json()}))
        yield from self._completions()
        yield from self.say(create_signal("harness:end", {"output": self._summed().to_json()}))

    def _completions(self) -> Iterator[Signal]:
        for kind, deltas in self._open.items():
            if deltas:
                complete = create_signal(f"{kind}:complete", {"content": "".join(deltas)})
                self._hear(complete)
                yield complete

    def _hear(self, signal: Signal) -> None:
        payload = signal.payload if isinstance(signal.payload, dict) else {}
        kind, _, part = signal.name.partition(":")
        if kind in self._open and part == "delta":
            self._open[kind].append(str(payload.get("content", "")))
        elif kind in self._open and part == "complete":
            self._open[kind].clear()
            self._text += [str(payload.get("content", ""))] if kind == "text" else []
        elif signal.name == "tool:call" and not payload.get("provider"):
            self._calls[str(payload.get("id"))] = ToolCall(str(payload.get("id")), str(payload.get("name")), payload.get("input"))
        elif signal.name == "tool:result":
            self._calls.pop(str(payload.get("id")), None)
        elif signal.name == "harness:error":
            self._failed = self._failed or payload.get("recoverable") is False
        elif signal.name == "harness:end":
            self._ended = True

    def _summed(self) -> HarnessOutput:
        calls = self.output.tool_calls or list(self._calls.values())
        reason: StopReason = "error" if self._failed else "tool_use" if calls else "end"
        content = self.output.content or "".join(self._text)
        return replace(self.output, content=content, tool_calls=calls, stop_reason=self.output.stop_reason or reason)


def _spoken(reply: object) -> tuple[HarnessOutput, Sequence[Signal]]:
    """The facts for the end, and the signals before it."""
    check_reply(reply)
    if isinstance(reply, str):
        return HarnessOutput(), [_delta(reply)]
    if isinstance(reply, Mapping):
        value = plain_json(reply, path="reply")
        return HarnessOutput(structured_output=value), [_delta(_as_text(value))]
    if isinstance(reply, HarnessOutput):
        structured = plain_json(reply.structured_output, path="structured_output")
        text = reply.content or ("" if structured is None else _as_text(structured))
        return reply, [*([_delta(text)] if text else []), *map(_call, reply.tool_calls)]
    return HarnessOutput(), [signal for signal in _listed(reply) if is_signal(signal)]


def _delta(text: str) -> Signal:
    return create_signal("text:delta", {"content": text})


def _as_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _call(call: ToolCall) -> Signal:
    return create_signal("tool:call", {"id": call.id, "name": call.name, "input": call.input})


def _listed(reply: object) -> Sequence[object]:
    return reply if isinstance(reply, (list, tuple)) else ()

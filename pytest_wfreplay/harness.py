"""The harness port: what an adapter to a model or an agent SDK is told, what it answers, and the words both are said in.

1. Absent facts are left out of the JSON: None and empty on the way in, None on the way out. Falsy facts (0, False, an empty structured
   value) stay.
2. A harness yields `harness:start {input}` first and `harness:end {output}` last; a failure is `harness:error {code, message, recoverable}`
   and then a raised `HarnessError`, with no end.
3. `text:complete` is the exact concatenation of the `text:delta`s before it, `thinking:complete` likewise.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol, TypeAlias, get_args, runtime_checkable

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import JSON, plain_json
from pytest_wfreplay.schema import as_schema
from pytest_wfreplay.signal import Signal

#: Why a reply ended. `tool_use`: it asks for tools that the caller runs. `error`: the service refused or failed.
StopReason: TypeAlias = Literal["end", "max_tokens", "tool_use", "error", "cancelled"]


@dataclass(frozen=True, slots=True)
class HarnessCapabilities:
    """What a harness can do: stream its text, answer by a schema, call tools, go on in a session."""

    streaming: bool = True
    structured_output: bool = True
    tools: bool = True
    resume: bool = False


@dataclass(frozen=True, slots=True)
class RunContext:
    """Where a harness call stands: the run's id, the agent's name, and which speaking of it this is (`writer#2`)."""

    run_id: str
    agent: str = ""
    activation: str = ""


@runtime_checkable
class Harness(Protocol):
    """The adapter to a model or an agent SDK: input in, signals out."""

    @property
    def type(self) -> str:
        """The word for this kind of harness, such as `anthropic`; it stands in recordings as their harness type."""

    @property
    def display_name(self) -> str:
        """What people are shown, such as `Claude (Messages API)`."""

    @property
    def capabilities(self) -> HarnessCapabilities:
        """What this harness can do."""

    def run(self, input: HarnessInput, ctx: RunContext) -> AsyncIterator[Signal]:
        """One reply as signals: `harness:start` first, `harness:end` last. Closing or cancelling the iterator ends the call.

        Raises:
            HarnessError: the call failed; `harness:error` was yielded before.
        """


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A tool that the caller runs when a reply asks for it; `input_schema` is a JSON schema."""

    name: str
    description: str = ""
    input_schema: Mapping[str, object] = field(default_factory=lambda: {"type": "object", "properties": {}})


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that a reply asks the caller to run."""

    id: str
    name: str
    input: JSON = None


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one reply. `total_tokens`, when not given, is the sum of the others.

    `input_tokens` are those that were neither read from nor written to the service's prompt cache; None: the service does not say.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.total_tokens is None:
            parts = (self.input_tokens, self.output_tokens, self.cache_read_tokens or 0, self.cache_write_tokens or 0)
            object.__setattr__(self, "total_tokens", sum(parts))

    def to_json(self) -> dict[str, JSON]:
        """The counts that are known."""
        return {one.name: count for one in fields(self) if (count := getattr(self, one.name)) is not None}


@dataclass(frozen=True, slots=True)
class HarnessInput:
    """What a harness is told.

    `system` is the rendered prompt. `messages` are the conversation so far, in the service's own shape (`{"role", "content"}`).
    `tools` are `ToolDefinition`s, or dicts that the service understands, which are passed on untouched. `tool_results` answer the
    tool calls of the reply before: `{"id", "result", "name"?, "error"?}`. `output_schema` is a pydantic model class or a JSON schema.
    None and empty mean absent; `max_tokens` is a count, `temperature` the service's own scale.
    """

    system: str | None = None
    messages: Sequence[Mapping[str, object]] = field(default_factory=list)
    tools: Sequence[ToolDefinition | Mapping[str, object]] = field(default_factory=list)
    tool_results: Sequence[Mapping[str, object]] = field(default_factory=list)
    output_schema: object = None
    session_id: str | None = None
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None

    def __post_init__(self) -> None:
        for name in ("messages", "tools", "tool_results"):
            object.__setattr__(self, name, list(getattr(self, name) or ()))

    def to_json(self) -> dict[str, JSON]:
        """The facts that are there, as JSON; a pydantic model as its JSON schema.

        Raises:
            NotJsonError: JSON cannot carry a message, a tool or a result.
            ConfigurationError: the output schema is neither a pydantic model class nor a JSON schema.
        """
        return {
            one.name: fact
            for one in fields(self)
            if one.name != "output_schema" and not _absent(fact := plain_json(getattr(self, one.name), path=one.name))
        } | ({} if (schema := self.schema()) is None else {"output_schema": plain_json(schema)})

    def schema(self) -> dict[str, JSON] | None:
        """The JSON schema that the reply is asked for, or None."""
        return None if self.output_schema is None else dict(as_schema(self.output_schema).json)


@dataclass(frozen=True, slots=True)
class HarnessOutput:
    """What a harness answers.

    `content` is the whole text. `structured_output` is the value by the schema (None: there is none). `tool_calls` are those that
    the caller is to run. `cost_usd` is dollars. `stop_reason` None means that nobody said.
    """

    content: str = ""
    structured_output: JSON = None
    tool_calls: Sequence[ToolCall] = field(default_factory=list)
    session_id: str | None = None
    usage: TokenUsage | None = None
    cost_usd: float | None = None
    stop_reason: StopReason | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tool_calls", list(self.tool_calls or ()))
        if self.stop_reason is not None and self.stop_reason not in get_args(StopReason):
            raise ConfigurationError(f"{self.stop_reason!r} is not a stop reason; there are {', '.join(get_args(StopReason))}.")

    def to_json(self) -> dict[str, JSON]:
        """The facts that are there, as JSON: always `content`, and whatever is not None (nor an empty list of tool calls).

        Raises:
            NotJsonError: JSON cannot carry the structured output or a tool's input.
        """
        facts = {one.name: getattr(self, one.name) for one in fields(self)}
        facts |= {"tool_calls": self.tool_calls or None, "usage": self.usage and self.usage.to_json()}
        return {name: plain_json(fact, path=name) for name, fact in facts.items() if fact is not None}

    @classmethod
    def of(cls, output: HarnessOutput | Mapping[str, object]) -> HarnessOutput:
        """The output itself, or the one that a dict with some of its keys describes.

        Raises:
            ConfigurationError: a key is unknown, or a part has the wrong shape.
        """
        if isinstance(output, HarnessOutput):
            return output
        facts = _known("HarnessOutput", output, cls)
        if isinstance(usage := facts.get("usage"), Mapping):
            facts["usage"] = TokenUsage(**_known("usage", usage, TokenUsage))
        facts["tool_calls"] = [_tool_call(one) for one in _listed(facts.get("tool_calls"))]
        facts["content"] = _text(facts.get("content"))
        return cls(**facts)


#: The keys that a dict must keep to for being an output.
OUTPUT_KEYS = frozenset(one.name for one in fields(HarnessOutput))


def _absent(fact: JSON) -> bool:
    return fact is None or fact in ("", [])


def _known(what: str, given: Mapping[str, object], shape: type[HarnessOutput | TokenUsage | ToolCall]) -> dict[str, Any]:
    names = [one.name for one in fields(shape)]
    if unknown := [str(key) for key in given if key not in names]:
        raise ConfigurationError(f"{what} has no {', '.join(map(repr, sorted(unknown)))}; it may have {', '.join(names)}.")
    return dict(given)


def _listed(calls: object) -> Iterable[object]:
    if calls is None:
        return ()
    if isinstance(calls, (list, tuple)):
        return calls
    raise ConfigurationError(f"tool_calls is a list, not {type(calls).__name__}.")


def _tool_call(given: object) -> ToolCall:
    if isinstance(given, ToolCall):
        return given
    if isinstance(given, Mapping) and {"id", "name"} <= set(given):
        facts = _known("A tool call", given, ToolCall)
        return ToolCall(str(facts["id"]), str(facts["name"]), plain_json(facts.get("input"), path="tool_calls.input"))
    raise ConfigurationError(f"A tool call has id, name and input, not {given!r}.")


def _text(content: object) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    raise ConfigurationError(f"content is text, not {type(content).__name__}.", hint="Pass a structured value as structured_output.")

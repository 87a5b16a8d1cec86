"""The agent: a declaration of who speaks, when, and in which words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.pattern import Pattern, as_pattern
from pytest_wfreplay.schema import Schema, as_schema
from pytest_wfreplay.signal import payload_of

if TYPE_CHECKING:
    from pytest_wfreplay.harness import Harness
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.signal import Signal


@dataclass(frozen=True, slots=True)
class AgentContext:
    """What a guard and a prompt are told: the signal that woke the agent, the state (read-only), and the run's input."""

    signal: Signal
    state: Any
    input: JSON


#: A prompt: a template, or a function of the context.
Prompt: TypeAlias = "str | Callable[[AgentContext], Any]"


@dataclass(frozen=True, slots=True)
class Agent:
    """Who speaks (`prompt`), when (`activate_on`, `when`), and what becomes of it (`updates`, `emits`). `Workflow.agent` makes one."""

    prompt: Prompt
    activate_on: tuple[Pattern, ...]
    emits: tuple[str, ...] = ()
    updates: str | None = None
    when: Callable[[AgentContext], Any] | None = None
    harness: Harness | None = None
    output_schema: Schema | None = None
    message: Prompt | None = None
    tools: tuple[Any, ...] = ()
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class Wording:
    """What of an agent is passed on to its harness as it is."""

    output_schema: object = None
    message: Prompt | None = None
    tools: Iterable[Any] | None = None
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None


def declare(prompt: Prompt, activate_on: object, emits: Iterable[str], updates: str | None, wording: Wording, **options: Any) -> Agent:
    """An agent, checked.

    Raises:
        ConfigurationError: no prompt, nothing to be activated on, a pattern or a schema that is none.
    """
    if not callable(prompt) and not isinstance(prompt, str):
        raise ConfigurationError(f"A prompt is a text or a function of the context, not {type(prompt).__name__}.")
    patterns = tuple(as_pattern(one) for one in _listed(activate_on))
    _refuse_odd_options(emits, updates, wording, options)
    if not patterns:
        raise ConfigurationError("An agent without activate_on would never speak.", hint='Say which signals wake it: activate_on=["workflow:start"].')
    return Agent(
        prompt=prompt,
        activate_on=patterns,
        emits=tuple(_listed(emits)),
        updates=updates,
        output_schema=None if wording.output_schema is None else as_schema(wording.output_schema),
        message=wording.message,
        tools=tuple(wording.tools or ()),
        model=wording.model,
        max_tokens=wording.max_tokens,
        temperature=wording.temperature,
        **options,
    )


def _refuse_odd_options(emits: object, updates: object, wording: Wording, options: dict[str, Any]) -> None:
    for name in _listed(emits):
        payload_of(name, None)
    if updates is not None and not isinstance(updates, str):
        raise ConfigurationError(f"updates is the name of a field of the state, not {updates!r}.")
    guard = options.get("when")
    if guard is not None and not callable(guard):
        raise ConfigurationError(f"when is a function of the context, not {type(guard).__name__}.")
    if wording.message is not None and not callable(wording.message) and not isinstance(wording.message, str):
        raise ConfigurationError(f"A message is a text or a function of the context, not {type(wording.message).__name__}.")


def _listed(given: Any) -> list[Any]:
    """One pattern may stand without its list."""
    if given is None:
        return []
    return list(given) if isinstance(given, Iterable) and not isinstance(given, (str, Mapping)) else [given]

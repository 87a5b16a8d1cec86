"""Everything that one reactive run is asked to do, checked before anything starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_wfreplay.engine.agent import Agent
from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.pattern import Pattern, as_pattern
from pytest_wfreplay.steps.key import quote

if TYPE_CHECKING:
    from pytest_wfreplay.engine.adapters import SignalAdapter
    from pytest_wfreplay.engine.state import State
    from pytest_wfreplay.harness import Harness
    from pytest_wfreplay.jsonable import JSON


#: Reactions as they are given to a run.
Given: TypeAlias = "Mapping[Any, Callable[[Any, Any], Any]] | None"


@dataclass(frozen=True, slots=True)
class Reaction:
    """A reducer, handler or process: what it is called, which signals it is told of, and the function."""

    name: str
    pattern: Pattern
    function: Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Reactions:
    """All reactions of a run; within a kind, in the order in which they were registered."""

    reducers: Sequence[Reaction] = ()
    handlers: Sequence[Reaction] = ()
    processes: Sequence[Reaction] = ()

    @classmethod
    def of(cls, reducers: Given, handlers: Given, processes: Given) -> Reactions:
        """The reactions of three mappings pattern -> function.

        Raises:
            ConfigurationError: a key is no pattern, or a value no function.
        """
        return cls(_reactions("reducer", reducers), _reactions("handler", handlers), _reactions("process", processes))


@dataclass(frozen=True, slots=True)
class Plan:
    """A reactive run, before it starts. `timeout` is seconds."""

    workflow: str
    agents: Mapping[str, Agent]
    state: State
    input: JSON
    harness: Harness | None
    run_id: str
    end_when: Callable[[Any], Any] | None = None
    timeout: float | None = None
    max_activations: int = 1000
    reactions: Reactions = field(default_factory=Reactions)
    adapters: Sequence[SignalAdapter] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        if not isinstance(self.agents, Mapping):
            raise ConfigurationError(f"agents are a mapping from names to agents, not {type(self.agents).__name__}.")
        object.__setattr__(self, "agents", dict(self.agents))
        for name, agent in self.agents.items():
            if not isinstance(name, str) or not name.strip():
                raise ConfigurationError(f"An agent's name is a text that is not blank, not {name!r}.")
            quote(name)  # refuses what no key can hold
            if not isinstance(agent, Agent):
                raise ConfigurationError(f"{name!r} is not an agent but {type(agent).__name__}.", hint="Make agents with flow.agent(...).")
            if agent.updates is not None and not self.state.has(agent.updates):
                message = f"Agent {name!r} updates {agent.updates!r}, which the state does not have."
                raise ConfigurationError(message, hint="Name a field that the state's class declares, or declare this one there.")
        if self.timeout is not None and not (_is_number(self.timeout) and self.timeout > 0):
            raise ConfigurationError(f"timeout is a number of seconds above 0, not {self.timeout!r}.")
        if not _is_number(self.max_activations) or self.max_activations < 1:
            raise ConfigurationError(f"max_activations is at least 1, not {self.max_activations!r}.")
        if self.end_when is not None and not callable(self.end_when):
            raise ConfigurationError(f"end_when is a function of the state, not {type(self.end_when).__name__}.")

    def harness_of(self, name: str) -> Harness | None:
        """The harness by which an agent speaks: its own, else that of the run."""
        own = self.agents[name].harness
        return self.harness if own is None else own

    def without_harnesses(self) -> Plan:
        """The same where nobody is asked: in replay a harness that is passed is not even looked at."""
        return replace(self, agents={name: replace(agent, harness=None) for name, agent in self.agents.items()}, harness=None)

    def harness_types(self) -> dict[str, str]:
        """The type of each agent's harness, where there is one."""
        return {name: harness.type for name in self.agents if (harness := self.harness_of(name)) is not None}

    def require_harnesses(self) -> None:
        """See to it that every agent can speak.

        Raises:
            ConfigurationError: an agent has no harness, or one that is none.
        """
        for name in self.agents:
            harness = self.harness_of(name)
            if harness is None:
                raise ConfigurationError(f"Agent {name!r} has no harness.", hint="Pass harness= to the agent or to run_reactive.")
            _check_harness(name, harness)


def _reactions(part: str, given: Given) -> tuple[Reaction, ...]:
    if given is not None and not isinstance(given, Mapping):
        raise ConfigurationError(f"Give each {part} in a mapping from patterns to functions, not in a {type(given).__name__}.")
    listed = []
    for key, function in (given or {}).items():
        pattern = as_pattern(key)
        name = pattern.text
        if not callable(function):
            raise ConfigurationError(f"The {part} of {name!r} is not a function but {type(function).__name__}.")
        listed.append(Reaction(name, pattern, function))
    return tuple(listed)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_harness(name: str, harness: object) -> None:
    if not (callable(getattr(harness, "run", None)) and isinstance(getattr(harness, "type", None), str)):
        raise ConfigurationError(f"The harness of agent {name!r} is a {type(harness).__name__}, which has no run() and type.")

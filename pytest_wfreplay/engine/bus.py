"""Who hears a signal: adapters, reducers, handlers, processes, agents; within a kind, in the order in which they were registered.

The format is the invariant: an `Audience` is made once for each name of a signal, in that order, and is never changed. Only a pattern that
asks for a payload is asked again for each signal. (Receivers kept in a set, as event libraries do, have no order to rely on.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from pytest_wfreplay.pattern import ANY_PAYLOAD

if TYPE_CHECKING:
    from pytest_wfreplay.engine.plan import Plan, Reaction
    from pytest_wfreplay.pattern import Pattern
    from pytest_wfreplay.signal import Signal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ear(Generic[T]):
    """Somebody who listens, and the patterns of which one must match; none where the name was enough."""

    patterns: tuple[Pattern, ...]
    whose: T


@dataclass(frozen=True, slots=True)
class Audience:
    """Everybody who may hear the signals of one name."""

    reducers: tuple[Ear[Reaction], ...]
    handlers: tuple[Ear[Reaction], ...]
    processes: tuple[Ear[Reaction], ...]
    agents: tuple[Ear[str], ...]


class Bus:
    """Finds the audience of a signal."""

    def __init__(self, plan: Plan) -> None:
        self._all = Audience(
            reducers=tuple(Ear((one.pattern,), one) for one in plan.reactions.reducers),
            handlers=tuple(Ear((one.pattern,), one) for one in plan.reactions.handlers),
            processes=tuple(Ear((one.pattern,), one) for one in plan.reactions.processes),
            agents=tuple(Ear(agent.activate_on, name) for name, agent in plan.agents.items()),
        )
        self._by_name: dict[str, Audience | None] = {}

    def audience(self, signal: Signal) -> Audience | None:
        """Everybody who may hear this signal, or None when nobody does."""
        try:
            return self._by_name[signal.name]
        except KeyError:
            found = self._by_name[signal.name] = self._find(signal.name)
            return found

    def _find(self, name: str) -> Audience | None:
        heard = Audience(
            reducers=_listening(self._all.reducers, name),
            handlers=_listening(self._all.handlers, name),
            processes=_listening(self._all.processes, name),
            agents=_listening(self._all.agents, name),
        )
        return heard if heard.reducers or heard.handlers or heard.processes or heard.agents else None


def hearing(ears: Iterable[Ear[T]], signal: Signal) -> Iterable[T]:
    """Those who hear this very signal."""
    for ear in ears:
        if not ear.patterns or any(pattern.matches(signal) for pattern in ear.patterns):
            yield ear.whose


def _listening(ears: tuple[Ear[T], ...], name: str) -> tuple[Ear[T], ...]:
    listening = []
    for ear in ears:
        fitting = tuple(pattern for pattern in ear.patterns if pattern.matches_name(name))
        if fitting:
            asks = all(pattern.payload is not ANY_PAYLOAD for pattern in fitting)
            listening.append(Ear(fitting if asks else (), ear.whose))
    return tuple(listening)

"""Who goes round in a circle: read off the causes of the signal that was one too many.

Agents go round when there are more activations than allowed. Reactions do when one of them is caused by itself that often: how deep the chain
is says too little (two handlers that answer each other twice fill the memory at a depth of thirty), how many signals there are says too much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_wfreplay.errors import ActivationLimitError
from pytest_wfreplay.signal import position_of

if TYPE_CHECKING:
    from pytest_wfreplay.engine.plan import Reaction
    from pytest_wfreplay.signal import Signal


class Echoes:
    """For each signal that waits: the reactions between it and what last came from outside; and how often one has answered itself."""

    __slots__ = ("_behind", "_count", "_heard", "_limit", "_now", "_signals")

    def __init__(self, limit: int, signals: Sequence[Signal]) -> None:
        self._limit = limit
        self._signals = signals
        self._behind: dict[str, frozenset[int]] = {}
        self._now: frozenset[int] = frozenset()
        self._heard: Signal | None = None
        self._count = 0

    def hear(self, signal: Signal) -> None:
        """This signal is dispatched now."""
        self._heard = signal
        self._now = self._behind.pop(signal.id, frozenset()) if self._behind else frozenset()

    def answer(self, reaction: Reaction, said: Sequence[Signal]) -> None:
        """A reaction has said something about the signal that is dispatched now.

        Raises:
            ActivationLimitError: it has been answering itself for too long.
        """
        if not said:
            return
        if id(reaction) in self._now and self._heard is not None:
            self._count += 1
            if self._count > self._limit:
                raise ActivationLimitError(self._limit, names_in_circle(self._signals, self._heard))
        behind = self._now | {id(reaction)}
        for signal in said:
            self._behind[signal.id] = behind


def agents_in_circle(signals: Sequence[Signal], trigger: Signal, agent: str) -> tuple[str, ...]:
    """The agents between two activations of `agent`, itself at both ends where it caused itself."""
    return _circle([agent, *(str(_agent(cause)) for cause in _causes(signals, trigger) if cause.name == "agent:activated")])


def names_in_circle(signals: Sequence[Signal], heard: Signal) -> tuple[str, ...]:
    """The names of the signals between two of the same name."""
    return _circle([cause.name for cause in _causes(signals, heard)])


def _causes(signals: Sequence[Signal], last: Signal) -> Iterator[Signal]:
    """A signal and its causes, the nearest first."""
    cause: Signal | None = last
    while cause is not None:
        yield cause
        parent = cause.source.parent if cause.source else None
        position = position_of(parent) if parent else None
        cause = signals[position - 1] if position and position <= len(signals) else None


def _agent(signal: Signal) -> str | None:
    return signal.source.agent if signal.source else None


def _circle(backwards: list[str]) -> tuple[str, ...]:
    again = next((index for index, name in enumerate(backwards) if index and name == backwards[0]), 0)
    return tuple(reversed(backwards[: again + 1]))

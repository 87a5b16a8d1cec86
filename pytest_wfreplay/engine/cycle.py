"""Who goes round in a circle: read off the causes of the signal that was one too many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_wfreplay.signal import position_of

if TYPE_CHECKING:
    from pytest_wfreplay.signal import Signal


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

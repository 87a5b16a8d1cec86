"""The trace: the signals of one run, in order, and the questions people ask of them.

1. A trace never changes; whatever it gives is a trace of its own, a fresh list or a fresh dict.
2. It is one tuple. What makes a question fast (which names there are, who caused whom) is counted when first asked.
3. Where the signals still have to be made (a cassette was read), they are made when somebody first looks at one, and once.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, overload

from pytest_wfreplay.pattern import PatternLike, as_pattern
from pytest_wfreplay.signal import Signal

if TYPE_CHECKING:
    from pytest_wfreplay.pattern import Pattern


#: Two threads that look at once must see the same signals.
_MAKING = threading.Lock()


class Trace(Sequence[Signal]):
    """The signals of one run, in order: an immutable sequence.

    Two traces are equal when their signals agree in name, payload (as strict JSON: `1` is not `True`, `1` is `1.0`) and source; ids and
    timestamps are not looked at. Patterns are names, globs, regular expressions or mappings, as everywhere; one that is not raises
    `ConfigurationError`.
    """

    __slots__ = ("_children", "_counts", "_length", "_made", "_make", "_positions")

    def __init__(self, signals: Iterable[Signal] = ()) -> None:
        self._made: tuple[Signal, ...] | None = signals._signals if isinstance(signals, Trace) else tuple(signals)  # noqa: SLF001 - its own class
        self._make: Callable[[], tuple[Signal, ...]] | None = None
        self._length = len(self._made)
        self._counts: dict[str, int] | None = None
        self._positions: dict[str, int] | None = None
        self._children: dict[str, list[int]] | None = None

    @classmethod
    def of(cls, length: int, make: Callable[[], tuple[Signal, ...]]) -> Trace:
        """The trace of the `length` signals that `make` makes; it is asked once, when somebody first looks at one of them."""
        trace = cls()
        trace._made, trace._make, trace._length = None, make, length
        return trace

    @property
    def _signals(self) -> tuple[Signal, ...]:
        if self._made is None:
            with _MAKING:
                if self._made is None and self._make is not None:
                    self._made = self._make()
                    self._make = None
        return self._made or ()

    @overload
    def __getitem__(self, index: int) -> Signal: ...
    @overload
    def __getitem__(self, index: slice) -> Trace: ...
    def __getitem__(self, index: int | slice) -> Signal | Trace:
        if isinstance(index, slice):
            return Trace(self._signals[index])
        return self._signals[index]

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Signal]:
        return iter(self._signals)

    def __contains__(self, question: object) -> bool:
        """`"agent:*" in trace`, and `signal in trace`."""
        if isinstance(question, Signal):
            return question in self._signals
        return self.first(question) is not None  # type: ignore[arg-type]  # what is no pattern is refused there

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trace):
            return NotImplemented
        if self is other or self._signals is other._signals:
            return True
        pairs = zip(self._signals, other._signals, strict=False)
        return len(self) == len(other) and all(one is two or one.says_the_same(two) for one, two in pairs)

    def __hash__(self) -> int:
        return hash(tuple(signal.name for signal in self._signals))

    def __repr__(self) -> str:
        if not self._signals:
            return "<Trace: no signals>"
        if len(self) == 1:
            return f"<Trace: {self._signals[0].name}>"
        return f"<Trace: {len(self)} signals, {self._signals[0].name} … {self._signals[-1].name}>"

    @property
    def names(self) -> list[str]:
        """The signals' names, in order: a fresh list."""
        return [signal.name for signal in self._signals]

    def filter(self, pattern: PatternLike) -> Trace:
        """The signals that match, in order."""
        return Trace(self._matching(as_pattern(pattern), self._signals))

    def first(self, pattern: PatternLike) -> Signal | None:
        """The first signal that matches, or None."""
        return next(self._matching(as_pattern(pattern), self._signals), None)

    def last(self, pattern: PatternLike) -> Signal | None:
        """The last signal that matches, or None."""
        return next(self._matching(as_pattern(pattern), reversed(self._signals)), None)

    def count(self, pattern: PatternLike) -> int:
        """How many signals match."""
        return sum(1 for _ in self._matching(as_pattern(pattern), self._signals))

    def _matching(self, pattern: Pattern, signals: Iterable[Signal]) -> Iterator[Signal]:
        """A name is asked once, however often it was said: a trace has few names and many signals."""
        wanted = {name for name in self._names_counted() if pattern.matches_name(name)}
        if not wanted:
            return iter(())
        return (signal for signal in signals if signal.name in wanted and pattern.matches(signal))

    def for_agent(self, agent: str) -> Trace:
        """What the agent said, and what was said on its behalf: the signals that have it as their source."""
        return Trace(signal for signal in self._signals if signal.source is not None and signal.source.agent == agent)

    def children(self, id: str) -> Trace:
        """The signals whose parent is the signal of that id, in order; none for an unknown id."""
        return Trace(self._signals[at] for at in self._by_parent().get(id, ()))

    def causes(self, id: str) -> Trace:
        """The chain of parents that led to the signal of that id, from the root to the signal itself; none for an unknown id."""
        chain: list[Signal] = []
        seen: set[str] = set()
        at: str | None = id
        while at is not None and at not in seen and (position := self._by_id().get(at)) is not None:
            seen.add(at)
            chain.append(self._signals[position])
            at = _parent(chain[-1])
        return Trace(reversed(chain))

    def summary(self) -> dict[str, int]:
        """How often each name was said, in the order of first saying: a fresh dict."""
        return dict(self._names_counted())

    def tree(self) -> str:
        """The trace as text, one line a signal, each below the signal that caused it."""
        children, positions = self._by_parent(), self._by_id()
        lines: list[str] = []
        below = [(at, "", "") for at in reversed(self._roots())]
        while below:
            at, lead, bar = below.pop()
            signal = self._signals[at]
            lines.append(f"{lead}{_line(signal)}")
            caused = [child for child in children.get(signal.id, ()) if child > at == positions[signal.id]]
            bar = bar if len(bar) < _WIDEST_INDENT else bar[: _WIDEST_INDENT - 3] + "…  "
            below.extend(
                (child, f"{bar}{'└─ ' if child == caused[-1] else '├─ '}", f"{bar}{'   ' if child == caused[-1] else '│  '}")
                for child in reversed(caused)
            )
        return "\n".join(lines)

    def _roots(self) -> list[int]:
        """Where no parent stands before it: hand-made parents may be missing, go round in a circle or share an id, and each signal is drawn once."""
        positions = self._by_id()
        return [at for at, signal in enumerate(self._signals) if positions.get(_parent(signal) or "", at) >= at]

    def _names_counted(self) -> dict[str, int]:
        if self._counts is None:
            self._counts = dict(Counter(signal.name for signal in self._signals))
        return self._counts

    def _by_id(self) -> dict[str, int]:
        if self._positions is None:
            self._positions = {signal.id: at for at, signal in enumerate(self._signals)}
        return self._positions

    def _by_parent(self) -> dict[str, list[int]]:
        if self._children is None:
            children: dict[str, list[int]] = {}
            for at, signal in enumerate(self._signals):
                parent = _parent(signal)
                if parent is not None:
                    children.setdefault(parent, []).append(at)
            self._children = children
        return self._children


#: Deeper than this a tree is not drawn to scale: a thousand nested causes are one long line of text otherwise.
_WIDEST_INDENT = 60

_LONGEST_PAYLOAD = 72


def _parent(signal: Signal) -> str | None:
    return None if signal.source is None else signal.source.parent


def _line(signal: Signal) -> str:
    if signal.payload is None or signal.payload in ({}, []):
        return signal.name
    payload = json.dumps(signal.payload, ensure_ascii=False, separators=(", ", ": "))
    return f"{signal.name} {payload}" if len(payload) <= _LONGEST_PAYLOAD else f"{signal.name} {payload[: _LONGEST_PAYLOAD - 1]}…"

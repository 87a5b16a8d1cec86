"""What a replayer knows of a recording's steps: found by key, in the order in which they began, with what each had said.

1. An entry is consumed once. What a consumed step contains (its key is its namespace) is consumed with it.
2. Within a namespace steps begin in the recorded order: one that begins after a later one has begun is refused.
3. Where nobody decides who begins first (in threads side by side, and under `asyncio.as_completed`, which keeps what it is given in a set)
   that holds for each strand of code alone, and steps of one name are told apart by what they are given.
4. Where what comes from outside is drawn (see `shuffled`), so is which strand is first, and which activation of an agent is which.
5. A recording has many steps and many more signals: what is known of them are numbers in arrays, made into objects when a step begins.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_wfreplay.jsonable import canonical
from pytest_wfreplay.recording.shuffled import Shuffled, without_numbers
from pytest_wfreplay.recording.strand import Strand, Strands
from pytest_wfreplay.recording.turns import Turns
from pytest_wfreplay.steps.entry import Absent, Entry
from pytest_wfreplay.steps.journal import Remembered
from pytest_wfreplay.steps.key import read_key

if TYPE_CHECKING:
    from pytest_wfreplay.clock import Luck
    from pytest_wfreplay.recording.recording import Recording
    from pytest_wfreplay.signal import Signal


@dataclass(frozen=True, slots=True)
class Known:
    """One recorded step; `order` is its place among the recording's steps, from 0."""

    entry: Entry
    order: int


class Memory:
    """The steps of one recording; `luck` draws the order of what comes from outside, where it is not to be the recorded one."""

    def __init__(self, recording: Recording, signals: tuple[Signal, ...], luck: Luck | None = None) -> None:
        self._entries = recording.entries
        #: Whether steps must begin in the recorded order.
        self.in_order = True
        self._orders = {entry.key: order for order, entry in enumerate(recording.entries)}
        self._said = _Said(signals, self._orders)
        self._consumed = bytearray(len(self._entries))
        self._furthest: dict[str, int] = {}
        self._furthest_of: dict[tuple[str, Strand], int] = {}
        self.is_drawn = luck is not None
        self.turns = Turns(self._said.positions, self._said.at_once) if luck is None else Shuffled(self._said.positions, luck)
        self.strands = Strands(in_any_order=self.is_drawn)

    @property
    def total(self) -> int:
        """How many steps were recorded."""
        return len(self._entries)

    def position(self, order: int) -> int:
        """Where in the trace, from 1, the step at a place began; 0 where the trace does not say."""
        return self._said.began(order)

    def find(self, key: str) -> int | None:
        """The place of a step among the recording's steps, if it is waiting to begin."""
        order = self._orders.get(key)
        return None if order is None or self._consumed[order] else order

    def known(self, key: str) -> Known | None:
        """The step of a key, whether it has begun or not."""
        order = self._orders.get(key)
        return None if order is None else self.at(order)

    def at(self, order: int) -> Known:
        """The step at a place."""
        return Known(self._entries[order], order)

    def entry(self, order: int) -> Entry:
        """The entry at a place."""
        return self._entries[order]

    def recall(self, order: int) -> Remembered:
        """The step at a place, with what it had said."""
        entry = self._entries[order]
        said = self._said.twice(order) if entry.outcome is not None else None
        return Remembered(entry, *self._said.by(order)) if said is None else Remembered(entry, *said)

    def waiting(self, namespace: str | None = None) -> Iterator[Known]:
        """The steps that this run did not come to yet, in order; those of one namespace, or all."""
        for order, entry in enumerate(self._entries):
            if not self._consumed[order] and (namespace is None or entry.key.rpartition("/")[0] == namespace):
                yield Known(entry, order)

    def consume(self, order: int) -> Known | None:
        """A step begins again. If it may not begin any more, the later step that began before it."""
        key = self._entries[order].key
        namespace = key.rpartition("/")[0] if "/" in key else ""
        strand = self.strands.here()
        if not self.in_order:
            self._furthest[namespace] = max(order, self._furthest.get(namespace, -1))
            self._consumed[order] = 1
            return None
        furthest = self._furthest.get(namespace, -1)
        if order > furthest:
            self._furthest[namespace] = self._furthest_of[namespace, strand] = order
        else:
            before = furthest if self.strands.decide else self._overtaker(order, namespace, strand)
            if before is not None:
                return self.at(before)
        self._consumed[order] = 1
        return None

    def dismiss(self, order: int) -> None:
        """A step began and is not replayed: it was refused, and that was said, or it is done again. It is not left over."""
        self._consumed[order] = 1

    def turns_of(self, order: int) -> list[int]:
        """The turns at which what a step says from outside came when it was recorded."""
        return [turn for turn in self._said.by(order)[1] if turn >= 0]

    def twin(self, key: str, fits: Callable[[Entry], bool]) -> int | None:
        """The place of another occurrence that is waiting and fits, where nobody decides which occurrence is whose."""
        self.strands.here()
        if self.strands.decide:
            return None
        if self.is_drawn:
            alike = without_numbers(key)
            return next((one.order for one in self.waiting() if without_numbers(one.entry.key) == alike and fits(one.entry)), None)
        namespace, name, _ = read_key(key)
        return next((one.order for one in self.waiting(namespace) if read_key(one.entry.key)[1] == name and fits(one.entry)), None)

    def expected(self, key: str) -> Known | None:
        """The step that this namespace would begin next."""
        namespace = key.rpartition("/")[0]
        furthest = self._furthest.get(namespace, -1)
        return next((one for one in self.waiting(namespace) if one.order > furthest), None)

    def left_over(self) -> list[Known]:
        """The steps that this run never came to, in order."""
        return [known for known in self.waiting() if not self._is_inside_consumed(known.entry.key)]

    def _overtaker(self, order: int, namespace: str, strand: Strand) -> int | None:
        """The later step that this strand has begun before, unless the two could stand for another pair of the same names and inputs."""
        furthest = self._furthest_of.get((namespace, strand), -1)
        if order > furthest:
            self._furthest_of[namespace, strand] = order
            return None
        return None if self._has_twins(self._entries[order]) or self._has_twins(self._entries[furthest]) else furthest

    def _has_twins(self, entry: Entry) -> bool:
        named, given = read_key(entry.key)[:2], _spelled(entry)
        return any(one is not entry and read_key(one.key)[:2] == named and _spelled(one) == given for one in self._entries)

    def _is_inside_consumed(self, key: str) -> bool:
        if "/" not in key:
            return False
        parts = key.split("/")
        outer = (self._orders.get("/".join(parts[:length])) for length in range(1, len(parts)))
        return any(order is not None and self._consumed[order] for order in outer)


def _spelled(entry: Entry) -> str | None:
    return None if isinstance(entry.input, Absent) else canonical(entry.input)


class _Said:
    """What a trace tells about steps: each signal's step, as a chain of positions; and its turn, -1 for what the run says by itself."""

    def __init__(self, signals: tuple[Signal, ...], orders: dict[str, int]) -> None:
        self._signals = signals
        self._orders = orders
        self._first = array("i", bytes(4 * len(orders)))
        self._next = array("i", bytes(4 * (len(signals) + 1)))
        self._turns = array("i", bytes(4 * (len(signals) + 1)))
        #: Where what came from outside stands in the trace, from 1.
        self.positions = array("i")
        self._chain(orders)

    def at_once(self, turn: int) -> bool:
        """Whether the step that ends at a turn ended in one moment with the one that ended before it, while it was under way (see `Ends`)."""
        if turn < 1:
            return False
        before, here = self.positions[turn - 1], self.positions[turn]
        was, now = self._signals[before - 1], self._signals[here - 1]
        if was.timestamp != now.timestamp or was.name != "step:end":
            return False
        order, _ = _order_of(now, self._orders)
        return order is not None and self._first[order] < before

    def began(self, order: int) -> int:
        """The position of a step's first signal, 0 where it said nothing."""
        return self._first[order]

    def twice(self, order: int) -> tuple[list[Signal], tuple[int, int], int] | None:
        """The same for a step that said its beginning and its end in a row, as most do, and where; None for any other."""
        position = self._first[order]
        end = position + 1
        if not position or self._next[position] != end or self._next[end] or self._turns[position] >= 0 or self._turns[end] < 0:
            return None
        return [self._signals[position - 1], self._signals[position]], (-1, self._turns[end]), position

    def by(self, order: int) -> tuple[list[Signal], list[int]]:
        """The signals of a step, and their turns."""
        position = self._first[order]
        signals, turns = [], []
        while position:
            signals.append(self._signals[position - 1])
            turns.append(self._turns[position])
            position = self._next[position]
        return signals, turns

    def _chain(self, orders: dict[str, int]) -> None:
        last = array("i", bytes(4 * len(orders)))
        harness: tuple[str | None, int | None] = (None, None)
        for position, signal in enumerate(self._signals, 1):
            source = signal.source
            activation = None if source is None else source.activation
            turn = True
            if activation is None:
                order, turn = _order_of(signal, orders)
            elif source is not None and source.harness is not None:
                if harness[0] is not activation:
                    harness = (activation, orders.get(f"{activation}/harness"))
                order = harness[1]
            else:
                order = orders.get(activation)
                if order is None:
                    order, turn = _order_of(signal, orders)
            if order is None:
                continue
            if last[order]:
                self._next[last[order]] = position
            else:
                self._first[order] = position
            last[order] = position
            self._turns[position] = len(self.positions) if turn else -1
            if turn:
                self.positions.append(position)


def _order_of(signal: Signal, orders: dict[str, int]) -> tuple[int | None, bool]:
    """Which step begins or ends with this signal, and whether that came from outside: ends do."""
    if signal.name not in {"step:start", "step:end"}:
        return None, False
    step = signal.payload.get("step") if isinstance(signal.payload, dict) else None
    return orders.get(step) if isinstance(step, str) else None, signal.name == "step:end"


def described(key: str) -> str:
    """A step as people know it: the agent whose speaking it is, or the step itself."""
    namespace, name, _ = read_key(key)
    return f"agent activation {namespace}" if name == "harness" and "#" in namespace else f"step {key}"

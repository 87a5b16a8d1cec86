"""The signals that the items of a cassette stand for: pieces unfolded, ids counted, values and sources shared.

A cassette has few names, few sources and many signals. So names are interned, equal sources are one object, and the signals are made
column by column: a frozen dataclass takes most of its time to guard each field against itself. What is wrong with an item is said when the
cassette is read; the signals are made when somebody looks at them.
"""

from __future__ import annotations

import functools
import sys
from collections import deque
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, TypeAlias

from pytest_wfreplay.recording.codec.fold import DELTAS, agent_said_by, is_folded
from pytest_wfreplay.recording.codec.states import States, is_change
from pytest_wfreplay.signal import Signal, SignalSource, signal_id
from pytest_wfreplay.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.recording.codec.place import Place
    from pytest_wfreplay.steps.entry import Absent

#: Name, payload, source, how many signals it is, and whether its payload is the list of their contents.
_Item: TypeAlias = "tuple[str, JSON, SignalSource | None, int, bool]"

_SOURCE_KEYS = ("agent", "activation", "harness", "parent")
_BLOCK = 1000


class Unfolded:
    """The signals of one recording, looked through item by item; they are made when somebody looks at one."""

    def __init__(self, items: list[JSON], initial_state: JSON | Absent, place: Place) -> None:
        self._items: list[_Item] = []
        self._shared: dict[object, SignalSource] = {}
        #: The source that was read last, as it is written and as it is: most signals have that of the one before.
        self._last: tuple[JSON, SignalSource | None] = (None, None)
        #: Each name, shared; whether its signals are deltas, and whether they say that the state changed.
        self._kinds: dict[str, tuple[str, bool, bool]] = {}
        self._place = place
        self._count = 0
        states = States(initial_state)
        for index, item in enumerate(items):
            self._add(index, item, states)

    def __len__(self) -> int:
        return self._count

    def trace(self, timestamps: Callable[[], list[str]]) -> Trace:
        """The trace; `timestamps` gives one a signal."""
        return Trace.of(self._count, lambda: self._made(timestamps()))

    def _made(self, timestamps: list[str]) -> tuple[Signal, ...]:
        made: list[Signal] = list(map(object.__new__, repeat(Signal, self._count)))
        columns: dict[str, Iterable[object]] = {
            "id": _ids(self._count),
            "name": chain.from_iterable(repeat(name, count) for name, _, _, count, _ in self._items),
            "payload": chain.from_iterable(map(_payloads, self._items)),
            "timestamp": timestamps,
            "source": chain.from_iterable(repeat(source, count) for _, _, source, count, _ in self._items),
        }
        for field, column in columns.items():
            _fill(made, getattr(Signal, field).__set__, column)
        return tuple(made)

    def _add(self, index: int, item: JSON, states: States) -> None:
        if type(item) is not dict or type(item.get("name")) is not str or len(item) != 1 + ("payload" in item) + ("source" in item):
            raise self._place.at(index).wrong('a signal: {"name": text, "payload": any JSON, "source": object}', item)
        name, is_delta, changes = self._kinds.get(item["name"]) or self._kind(item["name"])  # type: ignore[arg-type]  # it is a text, see above
        payload = item.get("payload")
        written = item.get("source")
        if written != self._last[0]:
            self._last = written, self._source(index, written)
        source = self._last[1]
        count, is_chunks = 1, is_delta and is_folded(name, payload)
        if is_chunks:
            payload = payload["content"]  # type: ignore[index,call-overload]  # folded, see above
            count = len(payload)  # type: ignore[arg-type]  # the list of chunks
            if not count:
                raise self._place.at(index, "payload").wrong("at least one chunk", {"content": payload})
        elif changes:
            try:
                payload = states.complete(name, payload)
            except ValueError as error:
                raise self._place.at(index, "payload").wrong(str(error), payload) from None
        self._items.append((name, payload, source, count, is_chunks))
        self._count += count

    def _kind(self, name: str) -> tuple[str, bool, bool]:
        kind = self._kinds[name] = sys.intern(name), name in DELTAS, is_change(name)
        return kind

    def _source(self, index: int, written: JSON) -> SignalSource | None:
        if written is None:
            return None
        if not isinstance(written, dict):
            raise self._place.at(index, "source").wrong("an object with agent, activation, harness, parent", written)
        try:
            key = tuple(written.items())
            shared = self._shared.get(key)
        except TypeError:
            raise self._place.at(index, "source").wrong("texts and a position", written) from None
        if shared is None:
            shared = self._shared[key] = self._read_source(written, index)
        return shared

    def _read_source(self, written: dict[str, JSON], index: int) -> SignalSource:
        texts: dict[str, str | None] = {}
        for key, value in written.items():
            if key not in _SOURCE_KEYS:
                raise self._place.at(index, "source", key).wrong(f"one of {', '.join(_SOURCE_KEYS)}", key)
            if isinstance(value, str):
                texts[key] = sys.intern(value)
            elif key == "parent" and type(value) is int and value > 0:
                texts[key] = sys.intern(signal_id(value))
            elif value is not None:
                raise self._place.at(index, "source", key).wrong("a position, from 1" if key == "parent" else "text", value)
        activation = texts.get("activation")
        agent = texts.get("agent") if "agent" in written or activation is None else agent_said_by(activation)
        return SignalSource(agent and sys.intern(agent), activation, texts.get("harness"), texts.get("parent"))


def _payloads(item: _Item) -> Iterable[JSON]:
    _, payload, _, _, is_chunks = item
    if is_chunks and isinstance(payload, list):
        return [{"content": chunk} for chunk in payload]
    return (payload,)


def _fill(signals: list[Signal], set_field: Callable[[Signal, object], None], column: Iterable[object]) -> None:
    deque(map(set_field, signals, column), maxlen=0)


def _ids(count: int) -> Iterator[str]:
    blocks = (_block(number) for number in range(count // _BLOCK + 1))
    return islice(chain.from_iterable(blocks), count)


@functools.lru_cache(maxsize=100)
def _block(number: int) -> tuple[str, ...]:
    """A thousand ids: most recordings have the same ones, so they share them."""
    return tuple(map(signal_id, range(number * _BLOCK + 1, (number + 1) * _BLOCK + 1)))

"""Signals as they stand in a cassette: pieces of text folded, parents as positions, no ids.

1. Consecutive deltas of one activation with one source are one item; its content is the list of chunks.
2. A content that is a list by a stranger's wish is written as one chunk, so that it is not taken for several.
3. A parent is the position of a signal of this recording, from 1; the id of any other signal stays text.
4. The agent is left out where the activation names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_wfreplay.recording.codec.states import States, is_change
from pytest_wfreplay.signal import position_of
from pytest_wfreplay.steps.key import agent_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.signal import Signal, SignalSource
    from pytest_wfreplay.steps.entry import Absent

#: The signals that come in pieces.
DELTAS = frozenset({"text:delta", "thinking:delta"})


def agent_said_by(activation: str | None) -> str | None:
    """The agent that an activation names, or None where it names none."""
    return agent_of(activation) if activation is not None and "#" in activation else None


def folded(signals: Sequence[Signal], initial_state: JSON | Absent) -> list[JSON]:
    """The items that stand for the signals of a recording, in order."""
    states = States(initial_state)
    sources = _Sources(signals)
    items: list[JSON] = []
    last: Signal | None = None  # the delta before, and the chunks that it belongs to
    chunks: list[JSON] = []
    for signal in signals:
        if _is_chunk(signal):
            chunk: JSON = signal.payload["content"]  # type: ignore[index,call-overload]  # it is a chunk
            if last is not None and last.name == signal.name and (last.source is signal.source or last.source == signal.source):
                chunks.append(chunk)
                if len(chunks) == _TWO:
                    items[-1]["payload"] = {"content": chunks}  # type: ignore[index,call-overload]  # the item of the first chunk
                continue
            last, chunks = signal, [chunk]
            items.append(_item(signal, {"content": chunk}, sources))
            continue
        last = None
        payload = signal.payload
        if is_change(signal.name):
            payload = states.shorten(signal.name, payload)
        elif is_folded(signal.name, payload):
            payload = {"content": [payload["content"]]}  # type: ignore[index,call-overload]  # it has one
        items.append(_item(signal, payload, sources))
    return items


#: From so many chunks on they are written as a list.
_TWO = 2


def _item(signal: Signal, payload: JSON, sources: _Sources) -> JSON:
    if signal.source is None:
        return {"name": signal.name, "payload": payload}
    return {"name": signal.name, "payload": payload, "source": sources.of(signal.source)}


def is_folded(name: str, payload: JSON) -> bool:
    """Whether the payload of an item holds the contents of several signals, one chunk each."""
    return name in DELTAS and isinstance(payload, dict) and len(payload) == 1 and isinstance(payload.get("content"), list)


def _is_chunk(signal: Signal) -> bool:
    if signal.name not in DELTAS or (source := signal.source) is None or source.activation is None:
        return False
    payload = signal.payload
    return type(payload) is dict and len(payload) == 1 and type(payload.get("content")) is str


class _Sources:
    """The sources of one recording as they are written; each is spelled once."""

    def __init__(self, signals: Sequence[Signal]) -> None:
        self._signals = signals
        self._written: dict[SignalSource, JSON] = {}
        self._positions: dict[str, int] | None = None

    def of(self, source: SignalSource) -> JSON:
        if source not in self._written:
            self._written[source] = self._spelled(source)
        return self._written[source]

    def _spelled(self, source: SignalSource) -> JSON:
        said = agent_said_by(source.activation)
        parts = (
            ("agent", source.agent, said),
            ("activation", source.activation, None),
            ("harness", source.harness, None),
            ("parent", None if source.parent is None else self._position(source.parent), None),
        )
        return {part: value for part, value, usual in parts if value != usual}

    def _position(self, id: str) -> int | str:
        position = position_of(id)
        if position is not None and 0 < position <= len(self._signals) and self._signals[position - 1].id == id:
            return position
        if self._positions is None:
            self._positions = {signal.id: at for at, signal in reversed(list(enumerate(self._signals, 1)))}
        return self._positions.get(id, id)

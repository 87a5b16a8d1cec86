"""What a run looked like after each of its signals: a fold over the trace that can be walked back.

1. A moment is a function of the signals up to it (and the initial state): however it was reached, it is the same.
2. Each signal changes a few small things and notes how to undo them, so a step in either direction costs the same.
3. Parallel agents do not share a voice: each activation has its own text; the moment shows the one that was heard last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Final, TypeVar

from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.signal import Signal

_Key = TypeVar("_Key")
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class ActivationSnapshot:
    """One speaking of an agent: `status` is `running`, `completed` or `failed`; the rest is as in `Snapshot`."""

    agent: str | None
    status: str
    text: str = ""
    thinking: str = ""
    tool_calls: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run as it was after the signal at `index` (-1: before the first), compared by value."""

    index: int = -1
    #: That signal's timestamp, None before the first.
    timestamp: str | None = None
    #: Whether a harness is at work.
    running: bool = False
    #: What the harness call that was heard last has said, and thought, so far.
    text: str = ""
    thinking: str = ""
    #: Its tool calls by id: `{"id", "name", "input", "status", "result"?, "error"?}` with status `pending`, `complete` or `error`.
    tool_calls: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    #: Every activation so far by its name (`writer#2`), in order.
    activations: Mapping[str, ActivationSnapshot] = field(default_factory=dict)
    #: The last payload of each signal that is not built in, by name.
    custom: Mapping[str, JSON] = field(default_factory=dict)
    #: How often each name was said.
    counts: Mapping[str, int] = field(default_factory=dict)
    #: The initial state with every `state:<field>:changed` applied, as plain JSON; None where neither is known.
    state: JSON = None
    #: The payload of the last `harness:error`; a new call of the same harness and activation clears it.
    last_error: JSON = None


#: The first segments of the names that the engine and the harnesses speak.
_BUILT_IN: Final = frozenset({"workflow", "agent", "state", "harness", "text", "thinking", "tool", "step"})


@dataclass(slots=True)
class _Voice:
    """What one activation (or all who speak without one) has said in its current harness call."""

    agent: str | None = None
    status: str = "running"
    running: bool = False
    text: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    tool_calls: dict[str, dict[str, JSON]] = field(default_factory=dict)
    #: What `snapshot` gave last, None once something was heard since: a run has many voices, and one speaks at a time.
    shown: ActivationSnapshot | None = None

    def snapshot(self) -> ActivationSnapshot:
        if self.shown is None:
            self.shown = ActivationSnapshot(self.agent, self.status, "".join(self.text), "".join(self.thinking), dict(self.tool_calls))
        return self.shown


class Moments:
    """Stands after some signal of a trace and can be moved by one: `apply` the next, `undo` the last."""

    __slots__ = ("_counts", "_custom", "_error", "_error_voice", "_heard", "_running", "_state", "_undo", "_voices")

    def __init__(self, initial_state: JSON) -> None:
        #: A copy of the top level; what is below is never changed in place.
        self._state: JSON = dict(initial_state) if isinstance(initial_state, dict) else initial_state
        self._counts: dict[str, int] = {}
        self._custom: dict[str, JSON] = {}
        self._voices: dict[str | None, _Voice] = {}
        self._heard: _Voice = _Voice()
        self._running = 0
        self._error: JSON = None
        self._error_voice: _Voice | None = None
        self._undo: list[list[Callable[[], object]]] = []

    def apply(self, signal: Signal) -> None:
        """Move past the next signal."""
        self._undo.append([])
        self._put(self._counts, signal.name, self._counts.get(signal.name, 0) + 1)
        hear = _HEARD.get(signal.name)
        if hear is not None:
            hear(self, signal, signal.payload if isinstance(signal.payload, dict) else {})
        elif signal.name.startswith("state:") and signal.name.endswith(":changed"):
            self._state_changed(signal.payload)
        elif signal.name.partition(":")[0] not in _BUILT_IN:
            self._put(self._custom, signal.name, signal.payload)

    def undo(self) -> None:
        """Move back before the last signal."""
        for change in reversed(self._undo.pop()):
            change()

    def snapshot(self, index: int, timestamp: str | None) -> Snapshot:
        """How things stand: the maps are fresh, the payloads in them are the trace's own."""
        heard = self._heard.snapshot()
        return Snapshot(
            index=index,
            timestamp=timestamp,
            running=self._running > 0,
            text=heard.text,
            thinking=heard.thinking,
            tool_calls=heard.tool_calls,
            activations={name: voice.snapshot() for name, voice in self._voices.items() if name is not None},
            custom=dict(self._custom),
            counts=dict(self._counts),
            state=dict(self._state) if isinstance(self._state, dict) else self._state,
            last_error=self._error,
        )

    def _voice(self, signal: Signal) -> _Voice:
        name = None if signal.source is None else signal.source.activation
        if name not in self._voices:
            self._put(self._voices, name, _Voice(agent=None if signal.source is None else signal.source.agent))
        voice = self._voices[name]
        voice.shown = None
        self._undo[-1].append(partial(setattr, voice, "shown", None))  # undone last, after what this signal changes
        return voice

    def _speaks(self, signal: Signal) -> _Voice:
        voice = self._voice(signal)
        if voice is not self._heard:
            self._set(self, "_heard", voice)
        return voice

    def _harness_start(self, signal: Signal, payload: Mapping[str, JSON]) -> None:  # noqa: ARG002 - one row of a table
        voice = self._speaks(signal)
        self._runs(voice, running=True)
        for name, empty in (("text", []), ("thinking", []), ("tool_calls", {})):
            self._set(voice, name, empty)
        if self._error_voice is voice:
            self._set(self, "_error", None)
            self._set(self, "_error_voice", None)

    def _harness_end(self, signal: Signal, payload: Mapping[str, JSON]) -> None:  # noqa: ARG002 - one row of a table
        self._runs(self._speaks(signal), running=False)

    def _harness_error(self, signal: Signal, payload: Mapping[str, JSON]) -> None:  # noqa: ARG002 - one row of a table
        self._set(self, "_error_voice", self._speaks(signal))
        self._set(self, "_error", signal.payload)

    def _delta(self, signal: Signal, payload: Mapping[str, JSON]) -> None:
        spoken: list[str] = getattr(self._speaks(signal), signal.name.partition(":")[0])
        spoken.append(_content(payload))
        self._undo[-1].append(spoken.pop)

    def _complete(self, signal: Signal, payload: Mapping[str, JSON]) -> None:
        self._set(self._speaks(signal), signal.name.partition(":")[0], [_content(payload)])

    def _tool_call(self, signal: Signal, payload: Mapping[str, JSON]) -> None:
        self._put(self._speaks(signal).tool_calls, str(payload.get("id")), {**payload, "status": "pending"})

    def _tool_result(self, signal: Signal, payload: Mapping[str, JSON]) -> None:
        calls = self._speaks(signal).tool_calls
        identity = str(payload.get("id"))
        self._put(calls, identity, {**calls.get(identity, {}), **payload, "status": "error" if payload.get("error") else "complete"})

    def _agent_activated(self, signal: Signal, payload: Mapping[str, JSON]) -> None:
        voice = self._voice(signal)
        agent = payload.get("agent")
        if voice.agent is None and isinstance(agent, str):
            self._set(voice, "agent", agent)
        self._set(voice, "status", "running")

    def _agent_completed(self, signal: Signal, payload: Mapping[str, JSON]) -> None:  # noqa: ARG002 - one row of a table
        self._ends(signal, "completed")

    def _agent_failed(self, signal: Signal, payload: Mapping[str, JSON]) -> None:  # noqa: ARG002 - one row of a table
        self._ends(signal, "failed")

    def _ends(self, signal: Signal, status: str) -> None:
        """An activation is over, and with it a harness call that failed before its `harness:end`."""
        voice = self._voice(signal)
        self._set(voice, "status", status)
        self._runs(voice, running=False)

    def _all_end(self, signal: Signal, payload: Mapping[str, JSON]) -> None:  # noqa: ARG002 - one row of a table
        for voice in self._voices.values():
            self._runs(voice, running=False)

    def _state_changed(self, payload: JSON) -> None:
        if not isinstance(payload, dict) or not isinstance(key := payload.get("key"), str) or "new_value" not in payload:
            return
        if not isinstance(self._state, dict):
            self._set(self, "_state", {})
        assert isinstance(self._state, dict)  # noqa: S101 - said the line above
        self._put(self._state, key, payload["new_value"])

    def _runs(self, voice: _Voice, *, running: bool) -> None:
        if voice.running is not running:
            self._set(voice, "running", running)
            self._set(self, "_running", self._running + (1 if running else -1))

    def _set(self, owner: object, name: str, value: object) -> None:
        self._undo[-1].append(partial(setattr, owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    def _put(self, mapping: dict[_Key, _Item], key: _Key, value: _Item) -> None:
        change = partial(mapping.__setitem__, key, mapping[key]) if key in mapping else partial(mapping.pop, key)
        self._undo[-1].append(change)
        mapping[key] = value


def _content(payload: Mapping[str, JSON]) -> str:
    content = payload.get("content")
    return content if isinstance(content, str) else ""


_HEARD: Final[Mapping[str, Callable[[Moments, Signal, Mapping[str, JSON]], None]]] = MappingProxyType(
    {
        "harness:start": Moments._harness_start,  # noqa: SLF001 - the table of this module's own class
        "harness:end": Moments._harness_end,  # noqa: SLF001
        "harness:error": Moments._harness_error,  # noqa: SLF001
        "text:delta": Moments._delta,  # noqa: SLF001
        "text:complete": Moments._complete,  # noqa: SLF001
        "thinking:delta": Moments._delta,  # noqa: SLF001
        "thinking:complete": Moments._complete,  # noqa: SLF001
        "tool:call": Moments._tool_call,  # noqa: SLF001
        "tool:result": Moments._tool_result,  # noqa: SLF001
        "agent:activated": Moments._agent_activated,  # noqa: SLF001
        "agent:completed": Moments._agent_completed,  # noqa: SLF001
        "agent:failed": Moments._agent_failed,  # noqa: SLF001
        "workflow:end": Moments._all_end,  # noqa: SLF001
        "workflow:failed": Moments._all_end,  # noqa: SLF001
        "workflow:timeout": Moments._all_end,  # noqa: SLF001
        "workflow:cancelled": Moments._all_end,  # noqa: SLF001
    }
)

"""Everything that a recording keeps, without its secrets: values, names, keys and sources, each in its own way.

1. What holds no secret is the same object afterwards.
2. The words of the product are no secrets: where somebody's password is `completed`, an `agent:completed` stays one.
3. Two names that differ by nothing but a secret stay two: the second is numbered, in the order in which they come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote

from pytest_wfreplay.recording.hiding import Hiding
from pytest_wfreplay.signal import Signal, SignalSource
from pytest_wfreplay.steps.entry import Absent, Entry, Raised, Returned
from pytest_wfreplay.steps.key import quote

if TYPE_CHECKING:
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.steps.entry import Outcome

#: Takes secrets out of a JSON value; gives the value itself back when there are none.
Clean: TypeAlias = Callable[["JSON"], "JSON"]

#: The beginnings of signals' names that are ours, with what may follow.
_OURS = {
    "workflow": {"start", "end", "failed", "timeout", "cancelled", "terminating"},
    "agent": {"activated", "skipped", "completed", "failed"},
    "harness": {"start", "end", "error"},
    "text": {"delta", "complete"},
    "thinking": {"delta", "complete"},
    "tool": {"call", "result"},
    "step": {"start", "end", "cached"},
}
_STEP_SIGNALS = frozenset({"step:start", "step:end", "step:cached"})


@dataclass(slots=True)
class Cleaning:
    """`clean` takes secrets out of values (and names what is volatile), `names` out of names, `hiding` knows the places that are secret."""

    clean: Clean
    names: Clean | None = None
    hiding: Hiding = field(default_factory=Hiding)
    #: The names and keys that were cleaned so far, and what became of those that held a secret.
    _known: dict[str, str] = field(default_factory=dict, repr=False)
    _keys: dict[str, str] = field(default_factory=dict, repr=False)
    _taken: set[str] = field(default_factory=set, repr=False)
    _sources: dict[tuple[str | None, str | None, str | None], SignalSource | None] = field(default_factory=dict, repr=False)

    def name(self, name: str) -> str:
        """A name of anything."""
        found = self._known.get(name)
        if found is None:
            if len(self._known) > _MOST:
                self._known.clear()
            found = self._known[name] = str((self.names or self.clean)(name))
        return found

    def optional_name(self, name: str | None) -> str | None:
        """A name that may be missing."""
        return None if name is None else self.name(name)

    def mapping(self, names: Mapping[str, str]) -> dict[str, str]:
        """Names by names."""
        cleaned = (self.names or self.clean)(dict(names))
        return {key: str(value) for key, value in cleaned.items()} if isinstance(cleaned, dict) else {}

    def key(self, key: str) -> str:
        """The key of a step, or the id of an activation; always the same for the same one."""
        found = self._keys.get(key)
        if found is not None:
            return found
        plain = unquote(key) if "%" in key else key
        if self.name(plain) == plain:
            return key
        outer, slash, last = key.rpartition("/")
        name, mark, number = last.partition("#")
        start = f"{self.key(outer) if outer else ''}{slash}{quote(self.name(unquote(name)))}"
        occurrence = int(number) if number.isdigit() else 1
        cleaned = f"{start}{mark}{number}"
        while cleaned in self._taken:
            occurrence += 1
            cleaned = f"{start}#{occurrence}"
        self._taken.add(cleaned)
        self._keys[key] = cleaned
        return cleaned

    def value(self, value: JSON | Absent) -> JSON | Absent:
        """Any value that stands nowhere in particular."""
        return value if isinstance(value, Absent) else self.clean(value)

    def state(self, value: JSON | Absent) -> JSON | Absent:
        """A state."""
        return value if isinstance(value, Absent) else self.clean(self.hiding.state(value))

    def entry(self, entry: Entry) -> Entry:
        """What is kept of a step."""
        given, outcome = entry.input, entry.outcome
        if self.hiding:
            given = given if isinstance(given, Absent) else self.hiding.input(entry.key, given)
            if isinstance(outcome, Returned):
                outcome = Returned(self.hiding.output(entry.key, outcome.value))  # type: ignore[arg-type]  # an entry's values are JSON
        return replace(entry, key=self.key(entry.key), input=self.value(given), outcome=self.outcome(outcome))

    def outcome(self, outcome: Outcome | None) -> Outcome | None:
        """What came of a step or of a run."""
        match outcome:
            case Returned(value):
                return Returned(self.clean(value))  # type: ignore[arg-type]  # an entry's values are JSON
            case Raised(error):
                return Raised(self.clean(error))  # type: ignore[arg-type]  # an entry's errors are JSON
        return None

    def error(self, error: Mapping[str, JSON]) -> dict[str, JSON]:
        """How a run failed."""
        cleaned = self.clean(dict(error))
        return cleaned if isinstance(cleaned, dict) else {}

    def signal(self, signal: Signal) -> Signal:
        """A signal."""
        return self._with_payload(signal, self.payload(signal))

    def signal_of_piece(self, signal: Signal) -> Signal:
        """A piece of a text that was cleaned as a whole."""
        return self._with_payload(signal, self.payload(signal) if self.hiding else signal.payload)

    def _with_payload(self, signal: Signal, payload: JSON) -> Signal:
        name = self.signal_name(signal.name)
        source = self._source(signal.source) if signal.source is not None else None
        if name == signal.name and source is signal.source and payload is signal.payload:
            return signal
        return replace(signal, name=name, payload=payload, source=source)

    def payload(self, signal: Signal) -> JSON:
        """What a signal says."""
        name, payload, source = signal.name, signal.payload, signal.source
        if self.hiding:
            payload = self.hiding.payload(name, payload, step=f"{source.activation}/harness" if source and source.harness else None)
        if isinstance(payload, dict):
            if name in _STEP_SIGNALS and isinstance(step := payload.get("step"), str) and (key := self.key(step)) != step:
                payload = {**payload, "step": key}
            elif name.startswith("state:") and name.endswith(":changed"):
                payload = self._change(name.removeprefix("state:").removesuffix(":changed"), payload)
        return self.clean(payload)

    def _change(self, field: str, payload: dict[str, JSON]) -> dict[str, JSON]:
        """The values of a field whose name is that of a secret are hidden in what is said of it, too."""
        changed: dict[str, JSON] = {}
        for side in ("old_value", "new_value"):
            if side in payload:
                cleaned = self.clean({field: payload[side]})
                value = next(iter(cleaned.values())) if isinstance(cleaned, dict) else cleaned
                if value is not payload[side]:
                    changed[side] = value
        return {**payload, **changed} if changed else payload

    def signal_name(self, name: str) -> str:
        """The name of a signal, of which only what is not ours can be a secret."""
        found = self.name(name)
        if found == name:
            return name
        first, _, rest = name.partition(":")
        if first == "state" and rest.endswith(":changed"):
            return f"state:{self.name(rest.removesuffix(':changed'))}:changed"
        return name if rest in _OURS.get(first, ()) else found

    def _source(self, source: SignalSource) -> SignalSource:
        who = (source.agent, source.activation, source.harness)
        if who not in self._sources:
            if len(self._sources) > _MOST:
                self._sources.clear()
            activation = None if source.activation is None else self.key(source.activation)
            cleaned = SignalSource(self.optional_name(source.agent), activation, self.optional_name(source.harness))
            self._sources[who] = None if (cleaned.agent, cleaned.activation, cleaned.harness) == who else cleaned
        found = self._sources[who]
        return source if found is None else replace(found, parent=source.parent)


#: How many names are remembered.
_MOST = 10_000


def as_cleaning(clean: Clean | Cleaning) -> Cleaning:
    """A way to clean, made of one for values where it is no more than that."""
    return clean if isinstance(clean, Cleaning) else Cleaning(clean)

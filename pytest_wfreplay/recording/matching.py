"""How strictly a run must equal its recording, and what of it is not looked at."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import JSON, canonical
from pytest_wfreplay.normalise import Normaliser
from pytest_wfreplay.plainly import is_plainly
from pytest_wfreplay.recording.cleaning import Cleaning
from pytest_wfreplay.recording.hiding import Hiding
from pytest_wfreplay.recording.ignoring import Ignoring
from pytest_wfreplay.recording.omission import Omission, Subject
from pytest_wfreplay.steps.entry import Absent, Raised, Returned

if TYPE_CHECKING:
    from pytest_wfreplay.recording.recording import Recording
    from pytest_wfreplay.steps.journal import Remembered

Strictness: TypeAlias = Literal["strict", "inputs", "keys"]


@dataclass(frozen=True, slots=True)
class Strict:
    """What one strictness looks at, besides keys and leftovers."""

    inputs: bool = True
    outcome: bool = True
    trace: bool = True
    state: bool = True


STRICTNESSES: dict[str, Strict] = {
    "strict": Strict(),
    "inputs": Strict(trace=False, state=False),
    "keys": Strict(inputs=False, outcome=False, trace=False, state=False),
}


def _unchanged(value: JSON) -> JSON:
    return value


@dataclass(frozen=True, slots=True)
class Compared:
    """One side of a comparison, as `pytest_wfreplay_match` is asked about it.

    `kind` is `input`, `output`, `signal`, `state` or `outcome`; `key` the step's key or the signal's name, None where there is none; `value` JSON
    (typed values tagged), without secrets and without what is ignored, volatile values under their names.
    """

    kind: Subject
    key: str | None
    value: JSON


#: Says of two values that differ whether they match all the same; None is no opinion.
Judge: TypeAlias = Callable[[Compared, Compared], "bool | None"]

#: So many of a list are named in one line of a report.
_MOST = 6


@dataclass(slots=True)
class Matching:
    """`match` says how strictly, `ignoring` what is left out, `clean` takes secrets out of this run's side before anything is compared.

    `names` gives volatile values their names, after the secrets; `judge` is asked about what differs all the same. Not frozen: a test may leave
    more out while it runs.
    """

    match: Strictness = "strict"
    ignoring: Ignoring = field(default_factory=Ignoring)
    clean: Callable[[JSON], JSON] = _unchanged
    names: Normaliser = field(default_factory=Normaliser)
    judge: Judge | None = None
    #: The places that are secret whatever stands there.
    hiding: Hiding = field(default_factory=Hiding)
    #: What the judge let pass.
    granted: dict[str, None] = field(default_factory=dict)
    _redacted: Callable[[JSON], JSON] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.match not in get_args(Strictness):
            raise ConfigurationError(f"match is one of {', '.join(get_args(Strictness))}, not {self.match!r}.")
        redacted = self._redacted = self.clean
        # What is kept and shown has neither secrets nor volatile values.
        self.clean = lambda value: self.names.json(redacted(value))

    @property
    def looks_at(self) -> Strict:
        """What is compared."""
        return STRICTNESSES[self.match]

    @property
    def cleaning(self) -> Cleaning:
        """Takes secrets out of what is kept, and names what is volatile in it."""
        return Cleaning(self.clean, self._redacted, self.hiding)

    @property
    def redacting(self) -> Cleaning:
        """Takes secrets out, and leaves what is volatile as it is."""
        return Cleaning(self._redacted, hiding=self.hiding)

    def agree(self, recorded: JSON | Absent, current: JSON | Absent, without: Callable[[JSON], JSON]) -> bool:
        """Whether two values are equal: as they are, else without secrets and what `without` leaves out, and by name; else if the judge says so."""
        if isinstance(recorded, Absent) or isinstance(current, Absent):
            return recorded is current
        if is_plainly(current, recorded):
            return True
        if canonical(recorded) == canonical(current):
            return True
        # What was recorded before a rule was made, or before the environment knew a value, is cleaned as this run is.
        recorded, redacted = (self._redacted(self.hiding.compared(without, side)) for side in (recorded, current))
        was = without(recorded)
        now = self.names.agreed(was, without(redacted))
        if isinstance(without, Omission):
            without.note(recorded, redacted)
        return canonical(was) == canonical(now) or (isinstance(without, Omission) and self.grants(without, was, now))

    def beside(self, recorded: JSON | Absent, current: JSON, without: Callable[[JSON], JSON] = _unchanged) -> JSON:
        """This run's value as it is shown beside the recorded one."""
        current = without(self._redacted(self.hiding.compared(without, current)))
        return self.names.json(current) if isinstance(recorded, Absent) else self.names.agreed(without(recorded), current)

    def grants(self, what: Omission, recorded: JSON, current: JSON) -> bool:
        """Whether the judge says that two values match which differ."""
        if self.judge is None or not self.judge(Compared(what.subject, what.key, recorded), Compared(what.subject, what.key, current)):
            return False
        self.granted[what.place] = None
        return True

    def meet(self, recorded: JSON | Absent, current: JSON | Absent) -> None:
        """Two values that are not compared may say what this run's own values are called."""
        if self.names.kinds and not isinstance(recorded, Absent) and not isinstance(current, Absent):
            self.names.agreed(recorded, self._redacted(current))

    def take(self, recordings: Iterable[Recording]) -> None:
        """The names in recordings are taken."""
        for recording in recordings if self.names.kinds else ():
            for value in _values(recording):
                self.names.take(value)

    def given_back(self, remembered: Remembered) -> Remembered:
        """What a step had said and given, with this run's own values where they were named (see `normalise`)."""
        if not self.names.kinds:
            return remembered
        entry, recalled = remembered.entry, self.names.recalled
        signals = [
            signal if (payload := recalled(signal.payload)) is signal.payload else replace(signal, payload=payload) for signal in remembered.signals
        ]
        outcome = entry.outcome
        if isinstance(outcome, Returned):
            outcome = Returned(recalled(outcome.value))  # type: ignore[arg-type]  # an entry's values are JSON
        elif isinstance(outcome, Raised):
            outcome = Raised(recalled(outcome.error))  # type: ignore[arg-type]  # an entry's errors are JSON
        is_as_recorded = all(map(operator.is_, signals, remembered.signals))
        return replace(remembered, entry=replace(entry, outcome=outcome), signals=signals, position=remembered.position if is_as_recorded else 0)

    def redacted(self, value: JSON) -> JSON:
        """A value without secrets, its volatile values as they are."""
        return self._redacted(value)

    def told(self, recordings: Iterable[Recording]) -> list[str]:
        """What was not compared, in a few lines, so that no rule can hide."""
        lines: list[str] = []
        idle = self._idle(recordings)
        left_out = [_LEFT_OUT[self.match]] if self.match in _LEFT_OUT else []
        left_out += [f"{path} ({self._hidden(path)})" for path in dict.fromkeys(self.ignoring.paths) if path not in idle]
        if left_out:
            lines.append(f"not compared: {_some(left_out)}")
        if idle:
            lines.append(f"ignored in vain: {_some(idle)}: nothing in the recording or in this run is there. Misspelled?")
        if self.granted:
            lines.append(f"matched by pytest_wfreplay_match, though different: {_some(list(self.granted))}")
        named = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in sorted(self.names.named.items()))
        if named:
            lines.append(f"not compared as they are, but by steady names: {named}")
        return lines

    def _hidden(self, path: str) -> str:
        places = len(self.ignoring.hid.get(path, ()))
        return f"hid a difference in {places} place{'' if places == 1 else 's'}" if places else "hid nothing"

    def _idle(self, recordings: Iterable[Recording]) -> list[str]:
        """The paths that lead nowhere."""
        idle = dict.fromkeys(path for path in self.ignoring.paths if path not in self.ignoring.hid)
        for rule in (rule for recording in recordings for rule in _applied(self.ignoring, recording) if idle):
            idle.pop(rule, None)
        return list(idle)


def _values(recording: Recording) -> Iterator[JSON]:
    """Everything in a recording that may hold a name."""
    yield from (state for state in (recording.initial_state, recording.final_state) if not isinstance(state, Absent))
    for entry in recording.entries:
        yield None if isinstance(entry.input, Absent) else entry.input
        if isinstance(entry.outcome, Returned):
            yield entry.outcome.value  # type: ignore[misc]  # an entry's values are JSON
    yield from (signal.payload for signal in recording.signals)


_LEFT_OUT = {"inputs": 'the trace and the final state (match="inputs")', "keys": 'inputs, outcome, trace and final state (match="keys")'}


def _some(items: list[str]) -> str:
    return ", ".join(items[:_MOST]) + (f" and {len(items) - _MOST} more" if len(items) > _MOST else "")


def _applied(ignoring: Ignoring, recording: Recording) -> Iterator[str]:
    """The rules that lead somewhere in a recording."""
    for state in (recording.initial_state, recording.final_state):
        if not isinstance(state, Absent):
            yield from ignoring.of_state().applied(state)
    for entry in recording.entries:
        if not isinstance(entry.input, Absent):
            yield from ignoring.of_input(entry.key).applied(entry.input)
        if isinstance(entry.outcome, Returned):
            yield from ignoring.of_output(entry.key).applied(entry.outcome.value)  # type: ignore[arg-type]  # an entry's values are JSON
    for signal in recording.signals:
        yield from ignoring.droppers(signal.name)
        yield from ignoring.of_signal(signal.name, signal.payload).applied(signal.payload)

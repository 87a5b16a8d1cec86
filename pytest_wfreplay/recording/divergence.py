"""Where a recording and this run part, and how people are told: one screen, the first place in full, the others counted.

1. The sides are always called `recorded` and `this run`.
2. A difference is looked for only when it is shown, and cut around the place where the two part.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeAlias

from pytest_wfreplay.errors import DivergenceError, StepInputMismatchError, UnrecordedStepError
from pytest_wfreplay.jsonable import JSON, digest
from pytest_wfreplay.recording.differing import block, differences
from pytest_wfreplay.steps.entry import ABSENT, Absent
from pytest_wfreplay.steps.key import read_key

if TYPE_CHECKING:
    from pytest_wfreplay.signal import Signal

Kind: TypeAlias = Literal["input_mismatch", "unrecorded_step", "unused_step", "trace", "state", "outcome"]

#: How many differing fields are shown of one divergence, in how many lines at most, and how many are counted.
FIELDS_SHOWN = 6
LINES_OF_FIELDS = 18
FIELDS_COUNTED = 1000

#: How long a line of a report is at most; commands are never cut.
WIDTH = 160

_IN_WORDS: dict[Kind, str] = {
    "input_mismatch": "another input",
    "unrecorded_step": "a step that was not recorded",
    "unused_step": "a recorded step that never began",
    "trace": "another trace",
    "state": "another final state",
    "outcome": "another outcome",
}

#: What a run may be accepted with, for its steps were given what was recorded; another outcome of a step is not of the code's making.
_ACCEPTABLE: frozenset[Kind] = frozenset({"trace", "state", "outcome"})

#: What recording just the step again settles.
_REPEATABLE: frozenset[Kind] = frozenset({"input_mismatch", "outcome"})

_ERRORS: dict[str, type[DivergenceError]] = {"input_mismatch": StepInputMismatchError, "unrecorded_step": UnrecordedStepError}


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look: the run (`run 1 "support"`), the cassette or store it was recorded in, and the line that started it."""

    run: str
    recorded_in: str = ""
    caller: str = ""
    #: The commands that accept or record again, each with what it does.
    commands: tuple[str, ...] = ()
    #: Paths of callers below it are shown from there.
    root: str = ""
    #: The command that keeps the recorded replies and accepts everything else, with what it does.
    accept: str = ""
    #: The same for the one that records the step of a key again.
    again: Callable[[str], str] | None = None
    #: Says what was not compared, and why.
    rules: Callable[[], Sequence[str]] = tuple
    #: The command that does the steps that are new and keeps the others, with what it does.
    extend: str = ""


@dataclass(frozen=True, slots=True)
class Divergence:
    """One place where the recording and this run part. `recorded` and `current` are JSON, or absent where a side has nothing there."""

    kind: Kind
    place: Place
    headline: str
    recorded: JSON | Absent = ABSENT
    current: JSON | Absent = ABSENT
    #: The step's key, where there is one.
    step: str | None = None
    #: Where in the order it is, from 1, and of how many: of the steps, or of the signals for `trace`.
    position: int | None = None
    total: int | None = None
    #: "renamed?", "inserted?" or "reordered?", and why.
    guess: str = ""
    #: The line of the caller, `path:line in function`.
    caller: str = ""
    #: What was said around it when it was recorded.
    context: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """What it is that differs."""
        return {"input_mismatch": "input", "unrecorded_step": "input", "unused_step": "input", "trace": "signal"}.get(self.kind, self.kind)

    @property
    def where(self) -> str:
        """Which run, and where in it: `run 1 'support', step 2 of 3, recorded in cassettes/x.yaml`."""
        unit = "signal" if self.kind == "trace" and self.step is None else "step"
        parts = [self.place.run]
        if self.position is not None and self.total is not None:
            parts.append(f"{unit} {self.position} of {self.total}" if self.position <= self.total else f"after the last of {self.total} {unit}s")
        if self.place.recorded_in:
            parts.append(f"recorded in {self.place.recorded_in}")
        return ", ".join(parts)

    def as_json(self) -> dict[str, JSON]:
        """The same as JSON, for tools; `recorded` and `current` are left out where a side has nothing there.

        `fields` are the places that differ (1000 at most), each with its `path` below the whole; `not_compared` and `commands` are lines of the
        report.
        """
        sides = {name: side for name, side in (("recorded", self.recorded), ("current", self.current)) if not isinstance(side, Absent)}
        return {
            "kind": self.kind,
            "headline": self.headline,
            "run": self.place.run,
            "recorded_in": self.place.recorded_in,
            "step": self.step,
            "position": self.position,
            "total": self.total,
            "guess": self.guess,
            "caller": self.caller or self.place.caller,
            "context": list(self.context),
            "fields": [
                {"path": path, **{name: side for name, side in (("recorded", one), ("current", other)) if not isinstance(side, Absent)}}
                for path, one, other in islice(differences(self.recorded, self.current), FIELDS_COUNTED)
            ],
            "not_compared": list(self.place.rules()),
            "commands": list(commands([self])),
            **sides,
        }

    def error(self) -> DivergenceError:
        """The error that says so."""
        return error_of([self])


def error_of(divergences: Sequence[Divergence]) -> DivergenceError:
    """One error for all that was found; the first of them decides its class."""
    cls = _ERRORS.get(divergences[0].kind, DivergenceError)
    error = cls("\n".join(report(divergences)), divergences)
    # The report ends with the commands: said once more below it, as other hints are, they would be noise.
    error.hint = "; ".join(commands(divergences)) or "Undo the change, or record the run again."
    return error


def report(divergences: Sequence[Divergence]) -> Iterator[str]:
    """The lines that people read: one screen, whatever differs."""
    yield from (_in_width(line) for line in _told(divergences))
    yield from (f"  {command}" for command in commands(divergences))


def commands(divergences: Sequence[Divergence]) -> Iterator[str]:
    """What can be typed, from the least that is done again to the most."""
    first = divergences[0]
    if first.place.accept and all(one.kind in _ACCEPTABLE and (one.step is None or one.kind != "outcome") for one in divergences):
        yield first.place.accept
    if first.place.again is not None and first.step is not None and first.kind in _REPEATABLE:
        yield first.place.again(first.step)
    # A step that was replayed already is new under no mode; and one that was given something else is not done by that.
    is_new = first.kind == "unrecorded_step" and not first.guess.startswith("repeated?")
    if first.place.extend and is_new and all(one.kind != "input_mismatch" for one in divergences):
        yield first.place.extend
    yield from first.place.commands


def _told(divergences: Sequence[Divergence]) -> Iterator[str]:
    first, *others = divergences
    yield first.headline
    if first.kind == "input_mismatch" and first.step is not None and not first.step.endswith("/harness"):
        yield f"  {_contract_sentence(first)}"
    yield f"  {first.where}"
    if first.caller or first.place.caller:
        yield f"  called at {first.caller or first.place.caller}"
    yield from (f"  {line}" for line in _sides(first))
    if first.guess:
        yield f"  {first.guess}"
    if first.context:
        yield "  around it, as recorded:"
        yield from (f"    {line}" for line in first.context)
    if others:
        kinds = Counter(_IN_WORDS[one.kind] for one in others)
        yield "  and besides: " + ", ".join(kind if count == 1 else f"{kind} ({count} times)" for kind, count in kinds.items())
    yield from (f"  {rule}" for rule in first.place.rules())


def _in_width(line: str) -> str:
    """The line, cut in its middle where it is too long, and as one line."""
    if not line.isprintable():
        line = "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in line)
    return line if len(line) <= WIDTH else f"{line[: WIDTH * 2 // 3]} … {line[3 - WIDTH // 3 :]}"


def around(trace: Sequence[Signal], position: int) -> tuple[str, ...]:
    """The three signals around a position (from 1) of a trace, as lines that name the step or the agent each belongs to."""
    start = max(0, min(position - 2, len(trace) - 3))
    return tuple(f"{'>' if at == position else ' '} {at}. {_titled(signal)}" for at, signal in enumerate(trace[start : start + 3], start + 1))


def _titled(signal: Signal) -> str:
    step = signal.payload.get("step") if isinstance(signal.payload, dict) else None
    by = signal.source.activation or signal.source.agent if signal.source else None
    name = signal.name
    if name in {"step:start", "step:end"} and isinstance(step, str):
        return f"{name} {step}"
    return f"{name} by {by}" if by else name


def _contract_sentence(first: Divergence) -> str:
    namespace, name, occurrence = read_key(first.step or "")
    hashes = [digest(None if isinstance(side, Absent) else side)[7:19] for side in (first.recorded, first.current)]
    return (
        f"step.run: deterministic input mismatch for key `{name}` occurrence {occurrence} in namespace `{namespace}` "
        f"(recorded {hashes[0]}, current {hashes[1]})"
    )


def _sides(divergence: Divergence) -> Iterator[str]:
    if (divergence.recorded is None and divergence.current is ABSENT) or (divergence.recorded is ABSENT and divergence.current is None):
        return  # a step without an input: there is nothing to see
    fields = list(islice(differences(divergence.recorded, divergence.current), FIELDS_COUNTED))
    told, lines = 0, 0
    for path, recorded, current in fields[:FIELDS_SHOWN]:
        field = block(f"{divergence.subject}{path}", recorded, current)
        if told and lines + len(field) > LINES_OF_FIELDS:
            break
        yield from field
        told, lines = told + 1, lines + len(field)
    if len(fields) > told:
        more = len(fields) - told
        yield f"… and {more}{' or more' if len(fields) == FIELDS_COUNTED else ''} other field{'' if more == 1 else 's'}"

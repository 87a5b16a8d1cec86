"""Where a recording and this run part, and how people are told: one screen, the first place in full, the others counted.

1. The sides are always called `recorded` and `this run`.
2. A difference is looked for only when it is shown, and cut around the place where the two part.
3. deepdiff is asked for aligned lists and never given `max_diffs`: when that is hit it answers "equal".
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pytest_wfreplay.errors import DivergenceError, StepInputMismatchError, UnrecordedStepError
from pytest_wfreplay.jsonable import JSON, digest
from pytest_wfreplay.steps.entry import ABSENT, Absent
from pytest_wfreplay.steps.key import read_key

Kind: TypeAlias = Literal["input_mismatch", "unrecorded_step", "unused_step", "trace", "state", "outcome"]

#: How many differing fields are shown of one divergence, and how many characters around a difference.
FIELDS_SHOWN = 6
AROUND = 48

_ERRORS: dict[str, type[DivergenceError]] = {"input_mismatch": StepInputMismatchError, "unrecorded_step": UnrecordedStepError}


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look: the run (`run 1 "support"`), the cassette or store it was recorded in, and the line that started it."""

    run: str
    recorded_in: str = ""
    caller: str = ""
    #: The commands that accept or record again, each with what it does.
    commands: tuple[str, ...] = ()


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
    #: Where in the order it is, from 1: of the steps, or of the signals for `trace`.
    position: int | None = None
    #: "renamed?", "inserted?" or "reordered?", and why.
    guess: str = ""
    #: The line of the caller, `path:line in function`.
    caller: str = ""
    #: What was said around it.
    context: tuple[str, ...] = ()

    def error(self) -> DivergenceError:
        """The error that says so."""
        return error_of([self])


def error_of(divergences: Sequence[Divergence]) -> DivergenceError:
    """One error for all that was found; the first of them decides its class."""
    cls = _ERRORS.get(divergences[0].kind, DivergenceError)
    return cls("\n".join(report(divergences)), divergences)


def report(divergences: Sequence[Divergence]) -> Iterator[str]:
    """The lines that people read."""
    first, *others = divergences
    yield first.headline
    if first.kind == "input_mismatch" and first.step is not None:
        yield f"  {_contract_sentence(first)}"
    where = f"  {first.place.run}"
    if first.place.recorded_in:
        where += f", recorded in {first.place.recorded_in}"
    yield where
    if first.caller or first.place.caller:
        yield f"  called at {first.caller or first.place.caller}"
    yield from _sides(first)
    if first.guess:
        yield f"  {first.guess}"
    if first.context:
        yield "  around it:"
        yield from (f"    {line}" for line in first.context)
    if others:
        kinds = Counter(one.kind for one in others)
        yield "  and " + ", ".join(f"{count} more {kind}" for kind, count in kinds.items())
    yield from (f"  {command}" for command in first.place.commands)


def spread(recorded: JSON | Absent, current: JSON | Absent) -> Iterator[tuple[str, JSON | Absent, JSON | Absent]]:
    """The fields in which two values differ: path, the recorded side, this run's side; in the order in which they stand."""
    if isinstance(recorded, Absent) or isinstance(current, Absent) or not isinstance(recorded, (dict, list)) or type(recorded) is not type(current):
        yield "", recorded, current
        return
    from deepdiff import DeepDiff

    found = DeepDiff(recorded, current, view="tree", ignore_order=False, threshold_to_diff_deeper=0, verbose_level=2, ignore_numeric_type_changes=True)
    changes = [change for changes in found.values() for change in changes]
    for change in sorted(changes, key=lambda one: [str(part) for part in one.path(output_format="list")]):
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in change.path(output_format="list"))
        kind = change.report_type
        before = ABSENT if kind.endswith("_added") else change.t1
        after = ABSENT if kind.endswith("_removed") else change.t2
        yield path, before, after


def spell_side(value: JSON | Absent) -> str:
    """A value as a side of a difference shows it."""
    return "(nothing)" if isinstance(value, Absent) else json.dumps(value, ensure_ascii=False)


def _contract_sentence(first: Divergence) -> str:
    namespace, name, occurrence = read_key(first.step or "")
    hashes = [digest(None if isinstance(side, Absent) else side)[7:19] for side in (first.recorded, first.current)]
    return (
        f"step.run: deterministic input mismatch for key `{name}` occurrence {occurrence} in namespace `{namespace}` "
        f"(recorded {hashes[0]}, current {hashes[1]})"
    )


def _sides(divergence: Divergence) -> Iterator[str]:
    if isinstance(divergence.recorded, Absent) and isinstance(divergence.current, Absent):
        return
    root = {"input_mismatch": "input", "state": "state", "outcome": "outcome", "trace": "signal"}.get(divergence.kind, "step")
    fields = list(spread(divergence.recorded, divergence.current)) or [("", divergence.recorded, divergence.current)]
    for path, recorded, current in fields[:FIELDS_SHOWN]:
        before, after = _cut(spell_side(recorded), spell_side(current))
        yield f"  {root}{path}"
        yield f"    recorded: {before}"
        yield f"    this run: {after}"
    if len(fields) > FIELDS_SHOWN:
        yield f"  … and {len(fields) - FIELDS_SHOWN} more fields"


def _cut(before: str, after: str) -> tuple[str, str]:
    """Both sides, long ones cut to what stands around the first place where they part."""
    if max(len(before), len(after)) <= 2 * AROUND + 20:
        return before, after
    parts = next((index for index, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), min(len(before), len(after)))
    start = max(0, parts - AROUND)
    return _window(before, start, parts + AROUND), _window(after, start, parts + AROUND)


def _window(text: str, start: int, end: int) -> str:
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"

"""Why a step may not be replayed, said with the nearest step that may: whoever matches, explains."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from pytest_wfreplay.jsonable import JSON, same
from pytest_wfreplay.recording.caller import caller
from pytest_wfreplay.recording.divergence import Divergence, Place
from pytest_wfreplay.recording.memory import described
from pytest_wfreplay.steps.entry import Absent
from pytest_wfreplay.steps.key import read_key

if TYPE_CHECKING:
    from pytest_wfreplay.recording.memory import Known, Memory

#: The lines around a step of the recording, or around the end where there is none.
Context: TypeAlias = "Callable[[int | None], tuple[str, ...]]"


def unrecorded(memory: Memory, key: str, given: JSON, place: Place, context: Context) -> Divergence:
    """This run begins a step that the recording does not know, or has begun already."""
    expected = memory.expected(key) or _next_speaker(memory, key, given)
    nothing_left = next(memory.waiting(), None) is None
    return Divergence(
        kind="unrecorded_step",
        place=place,
        headline=f"{described(key)} is not in the recording; its work was not begun",
        current=given,
        step=key,
        position=expected.order + 1 if expected else memory.total + 1 if nothing_left else None,
        total=memory.total,
        guess=_guess(memory, key, given, expected),
        caller=caller(below=place.root),
        context=context(expected.order if expected else None),
    )


def wrong_input(memory: Memory, known: Known, given: JSON, place: Place, context: Context) -> Divergence:
    """This run gives a recorded step something else."""
    return Divergence(
        kind="input_mismatch",
        place=place,
        headline=f"{described(known.entry.key)} was given another input than recorded",
        recorded=known.entry.input,
        current=given,
        step=known.entry.key,
        position=known.order + 1,
        total=memory.total,
        guess=_other_occurrence(memory, known, given),
        caller=caller(below=place.root),
        context=context(known.order),
    )


def reordered(memory: Memory, known: Known, before: Known, place: Place, context: Context) -> Divergence:
    """This run begins a recorded step at another place in the order."""
    first, second = sorted((known, before), key=lambda one: one.order)
    return Divergence(
        kind="trace",
        place=place,
        headline=f"{described(known.entry.key)} began in another order than recorded",
        step=known.entry.key,
        position=known.order + 1,
        total=memory.total,
        guess=f"reordered? recorded: {described(first.entry.key)}, then {described(second.entry.key)}; this run: {described(second.entry.key)} first",
        caller=caller(below=place.root),
        context=context(known.order),
    )


def _guess(memory: Memory, key: str, given: JSON, expected: Known | None) -> str:
    if memory.known(key) is not None:
        return f"repeated? {described(key)} was replayed already, and nothing is replayed twice"
    if expected is None:
        return "inserted? the recording has no more steps here"
    if _is_given(expected, given):
        return f"renamed? the recording has {described(expected.entry.key)} here, with the same input"
    return f"inserted? the recording has {described(expected.entry.key)} here"


def _next_speaker(memory: Memory, key: str, given: JSON) -> Known | None:
    """An activation is a namespace of its own: its neighbours are those of other agents that did not begin yet, first one that is told the same."""
    if not key.endswith("/harness"):
        return None
    waiting = [one for one in memory.waiting() if one.entry.key.endswith("/harness")]
    return next((one for one in waiting if _is_given(one, given)), waiting[0] if waiting else None)


def _is_given(known: Known, given: JSON) -> bool:
    return not isinstance(known.entry.input, Absent) and same(known.entry.input, given)


def _other_occurrence(memory: Memory, known: Known, given: JSON) -> str:
    """Whether the same work was recorded with this input at another place."""
    named = read_key(known.entry.key)[:2]
    twins = (one for one in memory.waiting() if read_key(one.entry.key)[:2] == named)
    twin = next((one for one in twins if _is_given(one, given)), None)
    return f"reordered? this input was recorded for {twin.entry.key}" if twin else ""

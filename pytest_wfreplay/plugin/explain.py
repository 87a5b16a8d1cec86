"""Why `"agent:*" in trace` or `trace == other` is not so, for pytest's own assertion hook.

1. It answers for signals and traces only, and costs nothing where none are compared: what it needs is imported when one is.
2. pytest cuts an explanation after a few lines unless asked for more, so the reason comes first and the tree last.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.signal import Signal
    from pytest_wfreplay.steps.entry import Absent
    from pytest_wfreplay.trace import Trace

#: How many differing fields of a signal are shown, and how many signals before the first that differs.
_FIELDS_SHOWN = 3
_SIGNALS_BEFORE = 2


def explain(op: str, left: object, right: object) -> list[str] | None:
    """The lines that explain a failed comparison of signals or traces: first what was asked, then why not; None for anything else."""
    if op not in _OPERATORS or "pytest_wfreplay.signal" not in sys.modules:
        return None
    lines = list(_OPERATORS[op](left, right))
    return [f"{_spelled(left)} {op} {_spelled(right)}", *lines] if lines else None


def _why_not_in(question: object, trace: object) -> Iterator[str]:
    from pytest_wfreplay.pattern import as_pattern
    from pytest_wfreplay.plugin.drawing import asked, drawn, nearest_lines
    from pytest_wfreplay.signal import Signal
    from pytest_wfreplay.trace import Trace

    if not isinstance(trace, Trace):
        return
    if isinstance(question, Signal):
        yield from _nearest_signal(question, trace)
    else:
        pattern = as_pattern(question)  # type: ignore[arg-type]  # the trace was asked the same, and has refused what is no pattern
        yield f"no signal matches {asked(pattern)}"
        yield from nearest_lines(pattern, trace)
    yield from drawn(trace)


def _nearest_signal(wanted: Signal, trace: Trace) -> Iterator[str]:
    from pytest_wfreplay.plugin.drawing import shown

    yield f"no signal equals {shown(wanted)}"
    found = next((signal for signal in trace if signal.id == wanted.id), None) or trace.first(wanted.name)
    if found is not None:
        yield f"nearest: {shown(found)}"
        yield from (f"  {line}" for line in _differing_fields(wanted, found, with_id=True))


def _why_in(question: object, trace: object) -> Iterator[str]:
    from pytest_wfreplay.plugin.drawing import counted, drawn, listed
    from pytest_wfreplay.signal import Signal
    from pytest_wfreplay.trace import Trace

    if not isinstance(trace, Trace):
        return
    found = Trace(signal for signal in trace if signal == question) if isinstance(question, Signal) else trace.filter(question)  # type: ignore[arg-type]  # as above
    yield counted(len(found))
    yield from listed(found)
    yield from drawn(trace)


def _why_unequal(left: object, right: object) -> Iterator[str]:
    from pytest_wfreplay.signal import Signal
    from pytest_wfreplay.trace import Trace

    if isinstance(left, Signal) and isinstance(right, Signal):
        yield from _differing_fields(left, right, with_id=True)
    elif isinstance(left, Trace) and isinstance(right, Trace):
        yield from _where_traces_part(left, right)
    elif (isinstance(left, Trace) and isinstance(right, list | tuple)) or (isinstance(left, list | tuple) and isinstance(right, Trace)):
        yield f"a {type(left).__name__} is never equal to a {type(right).__name__}; compare two traces, or the .names of one"


def _where_traces_part(left: Trace, right: Trace) -> Iterator[str]:
    at = next((at for at, (one, other) in enumerate(zip(left, right, strict=False)) if not one.says_the_same(other)), min(len(left), len(right)))
    yield f"they part at index {at}; the left trace has {_counted(left)}, the right one {_counted(right)}"
    if at < len(left) and at < len(right):
        yield from (f"  {line}" for line in _differing_fields(left[at], right[at], with_id=False))
    for before in range(max(0, at - _SIGNALS_BEFORE), at):
        yield f"  both:  {_line(left, before)}"
    yield f"  left:  {_line(left, at)}"
    yield f"  right: {_line(right, at)}"


def _counted(trace: Trace) -> str:
    return f"{len(trace)} signal{'' if len(trace) == 1 else 's'}"


def _line(trace: Trace, at: int) -> str:
    return f"[{at}] {trace[at : at + 1].tree()}" if at < len(trace) else "(ends here)"


def _differing_fields(left: Signal, right: Signal, *, with_id: bool) -> Iterator[str]:
    from pytest_wfreplay.recording.differing import differences

    one, other = _said(left, with_id=with_id), _said(right, with_id=with_id)
    fields = list(differences(one, other))
    for path, before, after in fields[:_FIELDS_SHOWN]:
        one_side, other_side = _sides(_side(before), _side(after))
        yield f"{path.removeprefix('.')}: {one_side} on the left, {other_side} on the right"
    if len(fields) > _FIELDS_SHOWN:
        yield f"… and {len(fields) - _FIELDS_SHOWN} more fields"


def _side(value: JSON | Absent) -> str:
    from pytest_wfreplay.steps.entry import Absent

    return "(nothing)" if isinstance(value, Absent) else json.dumps(value, ensure_ascii=False)


def _said(signal: Signal, *, with_id: bool) -> dict[str, JSON]:
    """What two equal signals agree in."""
    source = signal.source
    said: dict[str, JSON] = {"id": signal.id} if with_id else {}
    said |= {"name": signal.name, "payload": signal.payload}
    if source is not None:
        parts = {"agent": source.agent, "activation": source.activation, "harness": source.harness, "parent": source.parent}
        said["source"] = {part: name for part, name in parts.items() if name is not None}
    return said


_LONGEST_SIDE = 60


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SIDE else f"{text[: _LONGEST_SIDE - 1]}…"


def _sides(left: str, right: str) -> tuple[str, str]:
    """Both, long ones from a little before the place where they part."""
    if len(left) <= _LONGEST_SIDE and len(right) <= _LONGEST_SIDE:
        return left, right
    parts = next((at for at, (one, other) in enumerate(zip(left, right, strict=False)) if one != other), min(len(left), len(right)))
    start = max(0, parts - _LONGEST_SIDE // 3)
    lead = "…" if start else ""
    return lead + _cut(left[start:]), lead + _cut(right[start:])


def _why_equal(left: object, right: object) -> Iterator[str]:
    from pytest_wfreplay.signal import Signal
    from pytest_wfreplay.trace import Trace

    if isinstance(left, Signal) and isinstance(right, Signal):
        yield "both have the same id, name, payload and source"
    elif isinstance(left, Trace) and isinstance(right, Trace):
        yield f"both have {_counted(left)} that agree in name, payload and source"


def _spelled(side: object) -> str:
    from pytest_wfreplay.plugin.drawing import shown
    from pytest_wfreplay.signal import Signal

    return f"<Signal: {_cut(shown(side))}>" if isinstance(side, Signal) else _cut(repr(side))


_OPERATORS: Final[dict[str, Callable[[object, object], Iterator[str]]]] = {
    "in": _why_not_in,
    "not in": _why_in,
    "==": _why_unequal,
    "!=": _why_equal,
}

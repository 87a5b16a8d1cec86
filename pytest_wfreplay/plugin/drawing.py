"""How a failed assertion shows signals, patterns and whole traces: a few short lines each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_wfreplay.pattern import ANY_PAYLOAD, Pattern, nearest
from pytest_wfreplay.signal import Signal
from pytest_wfreplay.trace import Trace

#: How much of a long trace is drawn: its beginning and its end.
FIRST_LINES, LAST_LINES = 30, 10

#: How many signals are listed by name where several answer.
MOST_LISTED = 5

_LONGEST_VALUE = 200


def asked(pattern: Pattern) -> str:
    """A pattern as a sentence names it: `'tool:*' with payload {'name': 'search'}`."""
    name = repr(pattern.name) if isinstance(pattern.name, str) else pattern.text
    return name if pattern.payload is ANY_PAYLOAD else f"{name} with payload {brief(pattern.payload)}"


def brief(value: object) -> str:
    """A value as Python spells it, a long one cut."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def shown(signal: Signal) -> str:
    """A signal on one line: its id, its name and the beginning of its payload."""
    return f"{signal.id} {Trace([signal]).tree()}"


def nearest_lines(pattern: Pattern, signals: Iterable[Signal]) -> Iterator[str]:
    """The signal that comes nearest without matching, and where the two part; nothing where there is no signal."""
    found = nearest(pattern, signals)
    if found is not None:
        yield f"nearest: {shown(found[0])}"
        yield f"  {found[1]}"


def listed(signals: Sequence[Signal]) -> Iterator[str]:
    """The first of the signals, one line each."""
    yield from (shown(signal) for signal in signals[:MOST_LISTED])
    if len(signals) > MOST_LISTED:
        yield f"… and {len(signals) - MOST_LISTED} more"


def drawn(trace: Trace) -> Iterator[str]:
    """The trace as a tree, the middle of a long one left out."""
    if not trace:
        yield "the trace has no signals"
        return
    yield "the trace:"
    lines = trace.tree().splitlines()
    left_out = len(lines) - FIRST_LINES - LAST_LINES
    if left_out > 1:
        lines[FIRST_LINES:-LAST_LINES] = [f"… {left_out} more signals …"]
    yield from (f"  {line}" for line in lines)


def counted(count: int) -> str:
    """`there is none`, `there is 1`, `there are 2`."""
    return f"there are {count}" if count > 1 else f"there is {count or 'none'}"

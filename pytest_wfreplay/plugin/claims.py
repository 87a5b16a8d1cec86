"""What can be claimed of a run: whether it holds, and, asked only when it matters, why it does or does not.

1. A claim is judged by the same patterns and subsets as everything else; nothing is compared in a way of its own.
2. What a claim cannot ask (a count below zero, a limit that is no number) is a `ConfigurationError`, never a claim that fails.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.pattern import ANY_PAYLOAD, Pattern, PatternLike, as_pattern, holds, partings
from pytest_wfreplay.plugin.drawing import asked, brief, counted, listed, nearest_lines, shown
from pytest_wfreplay.signal import Signal
from pytest_wfreplay.trace import Trace

#: pytest leaves this file's frames out of a traceback.
__tracebackhide__ = True


@dataclass(frozen=True, slots=True)
class Claim:
    """`asked` is what it says, in words that go on from "expected"; `but` gives what was found: one line, then the lines below it."""

    asked: str
    holds: bool
    but: Callable[[], Iterable[str]]


def contains(trace: Trace, pattern: PatternLike, payload: object = ANY_PAYLOAD) -> Claim:
    """Some signal matches; a payload may be asked for beside a name."""
    wanted = _with_payload(as_pattern(pattern), payload)

    def but() -> Iterator[str]:
        found = trace.filter(wanted)
        yield counted(len(found))
        yield from listed(found) if found else nearest_lines(wanted, trace)

    return Claim(f"a signal {asked(wanted)}", wanted in trace, but)


def counts(trace: Trace, pattern: PatternLike, n: int | None, at_least: int | None, at_most: int | None) -> Claim:
    """So many signals match."""
    wanted = as_pattern(pattern)
    least, most, words = _bounds(n, at_least, at_most)
    count = trace.count(wanted)

    def but() -> Iterator[str]:
        yield counted(count)
        yield from listed(trace.filter(wanted))
        if count < least:
            yield from nearest_lines(wanted, trace)

    return Claim(f"{words} {asked(wanted)}", least <= count and (most is None or count <= most), but)


def _bounds(n: int | None, at_least: int | None, at_most: int | None) -> tuple[int, int | None, str]:
    given = {"n": n, "at_least": at_least, "at_most": at_most}
    for name, bound in given.items():
        if bound is not None and (not isinstance(bound, int) or isinstance(bound, bool) or bound < 0):
            raise ConfigurationError(f"{name} is a count of signals, not {bound!r}.", hint="Pass an integer from 0.")
    if n is not None and at_least is None and at_most is None:
        return n, n, f"exactly {_signals(n)}"
    if n is not None or (at_least is None and at_most is None):
        raise ConfigurationError("A count is asked for by n, or by at_least and at_most.", hint='For instance to_have_signal_count("tool:*", 2).')
    if at_least is not None and at_most is not None:
        if at_least > at_most:
            raise ConfigurationError(f"No count is at least {at_least} and at most {at_most}.", hint="Exchange the two.")
        return at_least, at_most, f"{at_least} to {_signals(at_most)}"
    return (at_least, None, f"at least {_signals(at_least)}") if at_least is not None else (0, at_most, f"at most {_signals(at_most or 0)}")


def _signals(count: int) -> str:
    return f"{count} signal{'' if count == 1 else 's'}"


def comes_in_order(trace: Trace, patterns: Sequence[PatternLike], *, strict: bool) -> Claim:
    """The patterns are answered one after the other; `strict` allows nothing between."""
    if isinstance(patterns, str | Mapping) or not isinstance(patterns, Iterable) or not (wanted := [as_pattern(pattern) for pattern in patterns]):
        raise ConfigurationError(f"An order is a list of patterns, not {patterns!r}.", hint='For instance ["agent:activated", "agent:completed"].')
    found = _run(trace, wanted) if strict else _subsequence(trace, wanted)

    def but() -> Iterator[str]:
        if len(found) == len(wanted):
            yield "they do"
            yield from (shown(trace[at]) for at in found)
        else:
            yield from _where_order_ends(trace, wanted, found, strict=strict)

    names = ", ".join(asked(pattern) for pattern in wanted)
    return Claim(f"signals to come {'directly one after the other' if strict else 'in this order'}: {names}", len(found) == len(wanted), but)


def _subsequence(trace: Trace, wanted: Sequence[Pattern]) -> list[int]:
    """Where the patterns are answered, as far as they are: the first answer to each is never a bad one."""
    found: list[int] = []
    for at, signal in enumerate(trace):
        if len(found) < len(wanted) and wanted[len(found)].matches(signal):
            found.append(at)
    return found


def _run(trace: Trace, wanted: Sequence[Pattern]) -> list[int]:
    """Where the patterns are answered without a gap, or else the longest beginning of that."""
    best: list[int] = []
    for start in range(len(trace)):
        length = 0
        while length < len(wanted) and start + length < len(trace) and wanted[length].matches(trace[start + length]):
            length += 1
        if length > len(best):
            best = list(range(start, start + length))
        if length == len(wanted):
            break
    return best


def _where_order_ends(trace: Trace, wanted: Sequence[Pattern], found: Sequence[int], *, strict: bool) -> Iterator[str]:
    missing = wanted[len(found)]
    if not found:
        yield f"there is no {asked(missing)}"
        yield from nearest_lines(missing, trace)
        return
    last = trace[found[-1]]
    following = trace[found[-1] + 1 :]
    if strict:
        yield f"after {_named(last)} comes {_named(following[0]) if following else 'nothing'}, not {asked(missing)}"
        return
    yield f"after {_named(last)} comes no {asked(missing)}"
    earlier = trace[: found[-1] + 1].last(missing)
    if earlier is None:
        yield from nearest_lines(missing, following)
    else:
        yield f"before it: {shown(earlier)}"


def _named(signal: Signal) -> str:
    return f"{signal.id} {signal.name}"


def _with_payload(pattern: Pattern, payload: object) -> Pattern:
    if payload is ANY_PAYLOAD:
        return pattern
    if pattern.payload is not ANY_PAYLOAD:
        raise ConfigurationError(f"The payload is asked for twice: {asked(pattern)}, and {brief(payload)}.", hint="Leave one of them out.")
    return Pattern(pattern.name, payload)


def has_state(trace: Trace, state: object, subset: object) -> Claim:
    """The state has what the subset names. Dataclasses and models are compared as dicts, enums by their values."""
    wanted, there = _opened(subset), _opened(state)

    def but() -> Iterator[str]:
        parts = list(partings(wanted, there, "state"))
        yield parts[0] if parts else "it does"
        yield from parts[1:]
        yield from (f"last change: {shown(signal)}" for signal in _last_changes(trace, wanted, there))

    return Claim(f"the state to have {brief(subset)}", holds(wanted, there), but)


def _opened(value: object) -> object:
    if isinstance(value, enum.Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _opened(getattr(value, field.name)) for field in fields(value)}
    if callable(dump := getattr(type(value), "model_dump", None)):
        return _opened(dump(value))
    if isinstance(value, Mapping):
        return {key: _opened(item) for key, item in value.items()}
    return [_opened(item) for item in value] if isinstance(value, list | tuple) else value


def _last_changes(trace: Trace, wanted: object, there: object) -> Iterator[Signal]:
    """Who said last what the fields that part are now."""
    if isinstance(wanted, Mapping) and isinstance(there, Mapping):
        names = {f"state:{key}:changed" for key, value in wanted.items() if not (key in there and holds(value, there[key]))}
        last = {signal.name: signal for signal in trace if signal.name in names}
        yield from last.values()


def is_under(what: str, found: float, limit: float, unit: str, detail: str = "") -> Claim:
    """A measured value is strictly under a limit."""
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not limit >= 0:
        raise ConfigurationError(f"The limit of {what} is a number of {unit}, not {limit!r}.", hint="Pass a number from 0.")
    return Claim(f"{what} under {_number(limit)} {unit}", found < limit, lambda: [f"it is {_number(found)} {unit}{detail}"])


def _number(value: float) -> str:
    return repr(value).removesuffix(".0")

"""What a test's runs took: time, tokens and dollars, as recorded; read off their recordings, so that a replay takes what its recording took.

1. What nobody told is None, never 0: a gate must not pass on numbers that nobody has given.
2. A run takes its recorded duration. The test's own steps take the time in which one of them was going on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pytest_wfreplay.clock import read_iso
from pytest_wfreplay.engine.activation import usage_of
from pytest_wfreplay.engine.result import RunMetrics, Tokens
from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.recording.recording import Recording
from pytest_wfreplay.signal import Signal
from pytest_wfreplay.trace import Trace

_TOKENS = ("input_tokens", "output_tokens", "total_tokens")


@dataclass(frozen=True, slots=True)
class Measures:
    """`latency_ms` milliseconds, `tokens` input and output together, `cost_usd` dollars; each None when no run told it.

    `harness_calls` are those that ended; `told_tokens` and `told_cost` say how many of them told theirs.
    """

    runs: int = 0
    steps: int = 0
    latency_ms: float | None = None
    harness_calls: int = 0
    told_tokens: int = 0
    tokens: int | None = None
    told_cost: int = 0
    cost_usd: float | None = None

    def as_json(self) -> dict[str, JSON]:
        """The measures by their names."""
        return {name: getattr(self, name) for name in self.__slots__}


def measured(recordings: Sequence[Recording]) -> Measures:
    """What the recordings of one test took together."""
    replies = [reply for recording in recordings for reply in replies_in(recording.signals)]
    counted = [usage_of(reply)[2] for reply in replies if tells_tokens(reply)]
    costs = [usage_of(reply)[3] for reply in replies if tells_cost(reply)]
    latencies = [latency for recording in recordings if (latency := _latency_ms(recording)) is not None]
    return Measures(
        runs=len(recordings),
        steps=sum(len(recording.entries) for recording in recordings),
        latency_ms=total(latencies),
        harness_calls=len(replies),
        told_tokens=len(counted),
        tokens=sum(counted) if counted else None,
        told_cost=len(costs),
        cost_usd=total(costs),
    )


def metrics_of(trace: Trace, duration_ms: float) -> RunMetrics:
    """What a run took, as far as its trace and its duration tell."""
    usages = [usage_of(reply) for reply in replies_in(trace)]
    tokens = Tokens(*(int(sum(usage[part] for usage in usages)) for part in range(3)))
    return RunMetrics(duration_ms, trace.count("agent:activated"), tokens, sum(usage[3] for usage in usages), len(usages))


def replies_in(signals: Iterable[Signal]) -> Iterator[JSON]:
    """What the harnesses answered."""
    for signal in signals:
        if signal.name == "harness:end":
            yield signal.payload.get("output") if isinstance(signal.payload, dict) else None


def tells_tokens(reply: JSON) -> bool:
    """Whether a reply says how many tokens it took."""
    usage = reply.get("usage") if isinstance(reply, dict) else None
    return isinstance(usage, dict) and any(_is_number(usage.get(name)) for name in _TOKENS)


def tells_cost(reply: JSON) -> bool:
    """Whether a reply says what it cost."""
    return isinstance(reply, dict) and _is_number(reply.get("cost_usd"))


def total(numbers: Sequence[float]) -> float | None:
    """The sum as people would write it down (three times 0.1 is 0.3); None of nothing."""
    return float(sum((Decimal(repr(number)) for number in numbers), Decimal(0))) if numbers else None


def _is_number(value: JSON) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _latency_ms(recording: Recording) -> float | None:
    """The duration of a run; of the test's own steps the time in which at least one was going on, for the rest of the test is not theirs."""
    if recording.metadata.workflow is not None:
        return recording.metadata.duration_ms
    starts = {signal.id: signal.timestamp for signal in recording.signals if signal.name == "step:start"}
    ends = [signal for signal in recording.signals if signal.name == "step:end" and signal.source and signal.source.parent in starts]
    # Timestamps are of one length and one time zone, so they are in order as they are written; they are read where a gap begins or ends.
    spans = sorted((starts[signal.source.parent], signal.timestamp) for signal in ends if signal.source and signal.source.parent)
    if not spans:
        return None
    going_on, since, until = 0.0, *spans[0]
    for start, end in spans[1:]:
        if start > until:
            going_on += _ms(until) - _ms(since)
            since = start
        until = max(until, end)
    return round(going_on + _ms(until) - _ms(since), 3)


def _ms(timestamp: str) -> float:
    return read_iso(timestamp).timestamp() * 1000

"""`expect(result_or_trace)`: assertions that read as sentences, can be chained, and say what was there instead.

1. A failure is a plain `AssertionError`: what was asked, the nearest signal and where they part, the trace as a tree.
2. Each assertion has its opposite, `not_…`; both judge the same claim, so one of the two always holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from pytest_wfreplay.clock import read_iso
from pytest_wfreplay.engine.result import RunMetrics, RunResult
from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import restore
from pytest_wfreplay.pattern import ANY_PAYLOAD, PatternLike
from pytest_wfreplay.plugin.claims import Claim, comes_in_order, contains, counts, has_state, is_under
from pytest_wfreplay.plugin.drawing import drawn
from pytest_wfreplay.plugin.measures import metrics_of
from pytest_wfreplay.recording.recording import Recording
from pytest_wfreplay.signal import Signal
from pytest_wfreplay.steps.entry import Absent
from pytest_wfreplay.trace import Trace

#: pytest leaves this file's frames out of a traceback.
__tracebackhide__ = True

Expected: TypeAlias = RunResult | Recording | Trace | Iterable[Signal]

_HINT: Final = "Pass the run's result, its recording, its trace, or an iterable of signals."


def expect(result_or_trace: Expected) -> Expectation:
    """What is expected of a run: of its result, its recording, or only of its signals.

    Raises:
        ConfigurationError: what was passed is none of these.
    """
    return Expectation(_subject(result_or_trace))


@dataclass(frozen=True, slots=True)
class Expectation:
    """The assertions. Each gives itself back, so that the next can follow.

    Patterns are names, globs, regular expressions or mappings, as everywhere; payloads and states are asked for by subset.

    Raises:
        AssertionError: it is not so.
        ConfigurationError: bad arguments, or a state or a metric asked of something that has none.
    """

    _subject: _Subject

    def to_contain_signal(self, pattern: PatternLike, payload: object = None) -> Expectation:
        """At least one signal matches; a `payload` other than None is asked for too."""
        return self._expect(contains(self._subject.trace, pattern, ANY_PAYLOAD if payload is None else payload))

    def not_to_contain_signal(self, pattern: PatternLike, payload: object = None) -> Expectation:
        """No signal matches."""
        return self._expect_not(contains(self._subject.trace, pattern, ANY_PAYLOAD if payload is None else payload))

    def to_have_signal_count(
        self, pattern: PatternLike, n: int | None = None, *, at_least: int | None = None, at_most: int | None = None
    ) -> Expectation:
        """Exactly `n` signals match, or `at_least` and `at_most` so many."""
        return self._expect(counts(self._subject.trace, pattern, n, at_least, at_most))

    def not_to_have_signal_count(
        self, pattern: PatternLike, n: int | None = None, *, at_least: int | None = None, at_most: int | None = None
    ) -> Expectation:
        """Another number of signals matches."""
        return self._expect_not(counts(self._subject.trace, pattern, n, at_least, at_most))

    def to_have_signals_in_order(self, patterns: Sequence[PatternLike], *, strict: bool = False) -> Expectation:
        """Signals match the patterns one after the other; with `strict` nothing stands between them."""
        return self._expect(comes_in_order(self._subject.trace, patterns, strict=strict))

    def not_to_have_signals_in_order(self, patterns: Sequence[PatternLike], *, strict: bool = False) -> Expectation:
        """Nowhere do signals match the patterns in this order."""
        return self._expect_not(comes_in_order(self._subject.trace, patterns, strict=strict))

    def to_have_signal_with_payload(self, name: PatternLike, payload: object) -> Expectation:
        """At least one signal matches and has the payload; None asks for null."""
        return self._expect(contains(self._subject.trace, name, payload))

    def not_to_have_signal_with_payload(self, name: PatternLike, payload: object) -> Expectation:
        """No signal that matches has the payload."""
        return self._expect_not(contains(self._subject.trace, name, payload))

    def to_have_state(self, subset: object) -> Expectation:
        """The final state has what the subset names, as payloads are asked for; dataclasses and models count as dicts."""
        return self._expect(has_state(self._subject.trace, self._subject.state(), subset))

    def not_to_have_state(self, subset: object) -> Expectation:
        """The final state lacks something of the subset."""
        return self._expect_not(has_state(self._subject.trace, self._subject.state(), subset))

    def to_have_latency_under(self, ms: float) -> Expectation:
        """The run took less than so many milliseconds; a replay took as long as its recording."""
        return self._expect(self._latency(ms))

    def not_to_have_latency_under(self, ms: float) -> Expectation:
        """The run took so many milliseconds or more."""
        return self._expect_not(self._latency(ms))

    def to_cost_under(self, usd: float) -> Expectation:
        """All harness calls together cost less than so many dollars, as far as they said."""
        return self._expect(is_under("a cost", self._subject.metrics().cost_usd, usd, "USD"))

    def not_to_cost_under(self, usd: float) -> Expectation:
        """All harness calls together cost so many dollars or more."""
        return self._expect_not(is_under("a cost", self._subject.metrics().cost_usd, usd, "USD"))

    def to_have_tokens_under(self, n: float) -> Expectation:
        """All harness calls together took and gave fewer than so many tokens."""
        return self._expect(self._tokens(n))

    def not_to_have_tokens_under(self, n: float) -> Expectation:
        """All harness calls together took and gave so many tokens or more."""
        return self._expect_not(self._tokens(n))

    def _latency(self, ms: float) -> Claim:
        return is_under("a latency", self._subject.metrics().duration_ms, ms, "ms")

    def _tokens(self, n: float) -> Claim:
        tokens = self._subject.metrics().tokens
        return is_under("a total", tokens.total, n, "tokens", f" ({tokens.input} in, {tokens.output} out)")

    def _expect(self, claim: Claim) -> Expectation:
        if not claim.holds:
            raise AssertionError(_failure("expected", claim, self._subject.trace))
        return self

    def _expect_not(self, claim: Claim) -> Expectation:
        if claim.holds:
            raise AssertionError(_failure("did not expect", claim, self._subject.trace))
        return self


def _failure(verb: str, claim: Claim, trace: Trace) -> str:
    but, *details = claim.but()
    return "\n".join([f"{verb} {claim.asked}, but {but}", *(f"  {line}" for line in (*details, *drawn(trace)))])


@dataclass(frozen=True, slots=True)
class _Subject:
    """Of whom something is expected: a trace, and the result or the recording that it comes from, if any."""

    trace: Trace
    origin: RunResult | Recording | None = None

    def state(self) -> object:
        """The final state, with its typed values."""
        if isinstance(self.origin, RunResult):
            return self.origin.state
        if isinstance(self.origin, Recording) and not isinstance(self.origin.final_state, Absent):
            return restore(self.origin.final_state)
        raise self._lacks("state")

    def metrics(self) -> RunMetrics:
        """What the run took."""
        if isinstance(self.origin, RunResult):
            return self.origin.metrics
        if isinstance(self.origin, Recording) and self.origin.metadata.duration_ms is not None:
            return metrics_of(self.trace, self.origin.metadata.duration_ms)
        if self.origin is None and len(self.trace):
            return metrics_of(self.trace, _span_ms(self.trace))
        raise self._lacks("metrics")

    def _lacks(self, what: str) -> ConfigurationError:
        if isinstance(self.origin, Recording):
            return ConfigurationError(f"This recording has no {what}.", hint="A recording has them when its run has ended, a state when it had one.")
        if not len(self.trace):
            return ConfigurationError(f"An empty trace has no {what}.", hint="Pass the run's result.")
        return ConfigurationError(f"A trace has no {what}, only signals.", hint="Pass the run's result: expect(result), not expect(result.signals).")


def _span_ms(trace: Trace) -> float:
    """Milliseconds from the first signal to the last."""
    return (read_iso(trace[-1].timestamp) - read_iso(trace[0].timestamp)).total_seconds() * 1000


def _subject(given: object) -> _Subject:
    if isinstance(given, RunResult | Recording):
        return _Subject(given.signals, given)
    if isinstance(given, Trace):
        return _Subject(given)
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise ConfigurationError(f"expect() was given a {type(given).__name__}; it expects something of a run.", hint=_HINT)
    return _Subject(Trace(_signals(given)))


def _signals(given: Iterable[object]) -> Iterator[Signal]:
    for item in given:
        if not isinstance(item, Signal):
            raise ConfigurationError(f"expect() was given a {type(item).__name__} among the signals.", hint=_HINT)
        yield item

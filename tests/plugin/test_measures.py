"""What a test's runs took is read off their recordings; what nobody told is not zero."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.plugin.measures import Measures, measured, metrics_of, total
from pytest_wfreplay.recording.recording import Recording, RecordingMetadata
from pytest_wfreplay.signal import Signal, SignalSource
from pytest_wfreplay.steps.entry import Entry, Returned
from pytest_wfreplay.trace import Trace


def ended(output: object) -> Signal:
    return Signal("sig_000001", "harness:end", {"output": output}, "2026-01-01T00:00:00.000Z", None)


def run(*outputs: object, duration_ms: float | None = 10.5) -> Recording:
    metadata = RecordingMetadata("rec_1", workflow="desk", duration_ms=duration_ms)
    return Recording(metadata, entries=(Entry("a#1/harness", None, Returned(None)),), signals=Trace(map(ended, outputs)))


def test_runs_add_up() -> None:
    told = run({"usage": {"input_tokens": 3, "output_tokens": 4}, "cost_usd": 0.1}, {"usage": {"total_tokens": 10}, "cost_usd": 0.1})
    expected = Measures(runs=2, steps=2, latency_ms=21.0, harness_calls=3, told_tokens=2, tokens=17, told_cost=3, cost_usd=0.3)
    assert measured([told, run({"cost_usd": 0.1})]) == expected, "three times 0.1 is 0.3"


def test_what_nobody_told_is_none_and_what_is_told_as_zero_is_zero() -> None:
    assert measured([]) == Measures()
    assert measured([run(duration_ms=None)]) == Measures(runs=1, steps=1)
    silent = measured([run({}, {"usage": None, "cost_usd": None}, "text", {"usage": {"input_tokens": True}, "cost_usd": True})])
    assert (silent.harness_calls, silent.tokens, silent.cost_usd) == (4, None, None)
    free = measured([run({"usage": {"input_tokens": 0}, "cost_usd": 0})])
    assert (free.told_tokens, free.tokens, free.told_cost, free.cost_usd) == (1, 0, 1, 0.0)


def test_the_tests_own_steps_take_the_time_in_which_one_of_them_was_going_on() -> None:
    def said(number: int, name: str, ms: int, parent: str | None = None) -> Signal:
        return Signal(f"sig_{number:06d}", name, {"step": "s"}, f"2026-01-01T00:00:00.{ms:03d}Z", SignalSource(parent=parent))

    signals = [
        said(1, "step:start", 100),
        said(2, "step:start", 150),
        said(3, "step:end", 200, "sig_000001"),
        said(4, "step:end", 250, "sig_000002"),
        said(5, "step:start", 900),
        said(6, "step:end", 950, "sig_000005"),
    ]
    bare = Recording(RecordingMetadata("rec_1", duration_ms=5000.0), signals=Trace(signals))
    assert measured([bare]).latency_ms == 200.0
    assert measured([Recording(RecordingMetadata("rec_1", duration_ms=5000.0))]).latency_ms is None


def test_a_traces_metrics_are_those_that_expect_asks_for() -> None:
    metrics = metrics_of(Trace([ended({"usage": {"input_tokens": 3, "output_tokens": 4}, "cost_usd": 0.5}), ended({})]), 7.0)
    assert (metrics.duration_ms, metrics.tokens.total, metrics.cost_usd, metrics.harness_calls) == (7.0, 7, 0.5, 2)


@given(st.lists(st.integers(0, 10**6), min_size=1))
def test_cents_add_up_exactly(cents: list[int]) -> None:
    assert total([cent / 100 for cent in cents]) == sum(cents) / 100

"""An expectation holds in silence, or says what was asked, what was there instead and where the two part."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import re
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from pytest_wfreplay.engine.result import RunMetrics, RunResult, Tokens
from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import jsonable
from pytest_wfreplay.pattern import Pattern
from pytest_wfreplay.plugin.expect import expect
from pytest_wfreplay.recording.recording import Recording, RecordingMetadata
from pytest_wfreplay.signal import Signal, SignalSource, signal_id
from pytest_wfreplay.trace import Trace


def trace_of(*said: tuple[str, Any, int]) -> Trace:
    """Name, payload and the position of the parent (0 for none)."""
    return Trace(
        Signal(signal_id(at), name, payload, "2026-11-20T10:00:00.000Z", SignalSource(parent=signal_id(parent) if parent else None))
        for at, (name, payload, parent) in enumerate(said, 1)
    )


TRACE = trace_of(
    ("workflow:start", {"agents": ["classify"]}, 0),
    ("agent:activated", {"agent": "classify"}, 1),
    ("harness:end", {"output": {"content": "x", "usage": {"input_tokens": 10, "output_tokens": 5}, "cost_usd": 0.25}}, 2),
    ("state:category:changed", {"key": "category", "old_value": "", "new_value": "x"}, 2),
    ("workflow:end", {}, 0),
)
TREE = """\
  the trace:
    workflow:start {"agents": ["classify"]}
    └─ agent:activated {"agent": "classify"}
       ├─ harness:end {"output": {"content": "x", "usage": {"input_tokens": 10, "output_token…
       └─ state:category:changed {"key": "category", "old_value": "", "new_value": "x"}
    workflow:end"""
STATE = {"category": "x", "ticket": {"id": 7, "price": Decimal("1.50"), "at": dt.date(2026, 1, 2)}, "notes": ["a", "b"]}
METRICS = RunMetrics(duration_ms=120.5, activations=1, tokens=Tokens(10, 5, 15), cost_usd=0.25, harness_calls=1)
RESULT = RunResult(STATE, TRACE, METRICS)
RECORDING = Recording(RecordingMetadata("rec_1", duration_ms=120.5, status="completed"), final_state=jsonable(STATE), signals=TRACE)

#: A call that holds; its opposite fails with the second text. A call that fails, with the third text; its opposite holds.
TRUE_AND_FALSE = [
    (
        ("to_contain_signal", ("agent:*",), {}),
        'a signal \'agent:*\', but there is 1\n  sig_000002 agent:activated {"agent": "classify"}',
        ("to_contain_signal", ("agent:failed",), {}),
        (
            "a signal 'agent:failed', but there is none\n"
            '  nearest: sig_000002 agent:activated {"agent": "classify"}\n'
            "    its name is 'agent:activated', not 'agent:failed'"
        ),
    ),
    (
        ("to_contain_signal", (re.compile("^workflow"), {}), {}),
        'a signal /^workflow/ with payload {}, but there are 2\n  sig_000001 workflow:start {"agents": ["classify"]}\n  sig_000005 workflow:end',
        ("to_contain_signal", ("agent:activated", {"agent": "answer"}), {}),
        (
            "a signal 'agent:activated' with payload {'agent': 'answer'}, but there is none\n"
            '  nearest: sig_000002 agent:activated {"agent": "classify"}\n'
            "    its payload.agent is 'classify', not 'answer'"
        ),
    ),
    (
        ("to_have_signal_count", ("workflow:*", 2), {}),
        'exactly 2 signals \'workflow:*\', but there are 2\n  sig_000001 workflow:start {"agents": ["classify"]}\n  sig_000005 workflow:end',
        ("to_have_signal_count", ("agent:*", 2), {}),
        (
            "exactly 2 signals 'agent:*', but there is 1\n"
            '  sig_000002 agent:activated {"agent": "classify"}\n'
            '  nearest: sig_000003 harness:end {"output": {"content": "x", "usage": {"input_tokens": 10, "output_token…\n'
            "    its name is 'harness:end', not 'agent:*'"
        ),
    ),
    (
        ("to_have_signal_count", ("agent:*",), {"at_least": 1, "at_most": 1}),
        '1 to 1 signal \'agent:*\', but there is 1\n  sig_000002 agent:activated {"agent": "classify"}',
        ("to_have_signal_count", ("workflow:*",), {"at_most": 1}),
        'at most 1 signal \'workflow:*\', but there are 2\n  sig_000001 workflow:start {"agents": ["classify"]}\n  sig_000005 workflow:end',
    ),
    (
        ("to_have_signal_count", ("nobody", 0), {}),
        "exactly 0 signals 'nobody', but there is none",
        ("to_have_signal_count", ("workflow:end",), {"at_least": 2}),
        (
            "at least 2 signals 'workflow:end', but there is 1\n"
            "  sig_000005 workflow:end\n"
            '  nearest: sig_000001 workflow:start {"agents": ["classify"]}\n'
            "    its name is 'workflow:start', not 'workflow:end'"
        ),
    ),
    (
        ("to_have_signals_in_order", (["workflow:start", "workflow:end"],), {}),
        (
            "signals to come in this order: 'workflow:start', 'workflow:end', but they do\n"
            '  sig_000001 workflow:start {"agents": ["classify"]}\n'
            "  sig_000005 workflow:end"
        ),
        ("to_have_signals_in_order", (["harness:end", "agent:activated"],), {}),
        (
            "signals to come in this order: 'harness:end', 'agent:activated', but after sig_000003 harness:end comes no 'agent:activated'\n"
            '  before it: sig_000002 agent:activated {"agent": "classify"}'
        ),
    ),
    (
        ("to_have_signals_in_order", (["workflow:start", "agent:activated"],), {"strict": True}),
        (
            "signals to come directly one after the other: 'workflow:start', 'agent:activated', but they do\n"
            '  sig_000001 workflow:start {"agents": ["classify"]}\n'
            '  sig_000002 agent:activated {"agent": "classify"}'
        ),
        ("to_have_signals_in_order", (["workflow:start", "workflow:end"],), {"strict": True}),
        (
            "signals to come directly one after the other: 'workflow:start', 'workflow:end', but after sig_000001 workflow:start comes "
            "sig_000002 agent:activated, not 'workflow:end'"
        ),
    ),
    (
        ("to_have_signals_in_order", ([{"name": "agent:*", "payload": {"agent": "classify"}}],), {}),
        (
            "signals to come in this order: 'agent:*' with payload {'agent': 'classify'}, but they do\n"
            '  sig_000002 agent:activated {"agent": "classify"}'
        ),
        ("to_have_signals_in_order", (["agent:activated", "workflow:ended"],), {}),
        (
            "signals to come in this order: 'agent:activated', 'workflow:ended', but after sig_000002 agent:activated comes no 'workflow:ended'\n"
            "  nearest: sig_000005 workflow:end\n"
            "    its name is 'workflow:end', not 'workflow:ended'"
        ),
    ),
    (
        ("to_have_signals_in_order", (["workflow:end"],), {"strict": True}),
        "signals to come directly one after the other: 'workflow:end', but they do\n  sig_000005 workflow:end",
        ("to_have_signals_in_order", (["workflow:end", "workflow:end"],), {"strict": True}),
        (
            "signals to come directly one after the other: 'workflow:end', 'workflow:end', "
            "but after sig_000005 workflow:end comes nothing, not 'workflow:end'"
        ),
    ),
    (
        ("to_have_signal_with_payload", ("agent:activated", {"agent": "classify"}), {}),
        "a signal 'agent:activated' with payload {'agent': 'classify'}, but there is 1\n  sig_000002 agent:activated {\"agent\": \"classify\"}",
        ("to_have_signal_with_payload", ("workflow:end", None), {}),
        "a signal 'workflow:end' with payload None, but there is none\n  nearest: sig_000005 workflow:end\n    its payload is {}, not None",
    ),
    (
        ("to_have_state", ({"category": "x", "ticket": {"price": Decimal("1.5")}, "notes": ["a", "b"]},), {}),
        "the state to have {'category': 'x', 'ticket': {'price': Decimal('1.5')}, 'notes': ['a', 'b']}, but it does",
        ("to_have_state", ({"category": "y", "notes": ["a"], "reply": ""},), {}),
        (
            "the state to have {'category': 'y', 'notes': ['a'], 'reply': ''}, but state.category is 'x', not 'y'\n"
            "  state.notes has 2 items, not 1\n"
            "  state has no 'reply' (it has: 'category', 'ticket', 'notes')\n"
            '  last change: sig_000004 state:category:changed {"key": "category", "old_value": "", "new_value": "x"}'
        ),
    ),
    (
        ("to_have_latency_under", (120.6,), {}),
        "a latency under 120.6 ms, but it is 120.5 ms",
        ("to_have_latency_under", (120.5,), {}),
        "a latency under 120.5 ms, but it is 120.5 ms",
    ),
    (
        ("to_cost_under", (1,), {}),
        "a cost under 1 USD, but it is 0.25 USD",
        ("to_cost_under", (0.25,), {}),
        "a cost under 0.25 USD, but it is 0.25 USD",
    ),
    (
        ("to_have_tokens_under", (16,), {}),
        "a total under 16 tokens, but it is 15 tokens (10 in, 5 out)",
        ("to_have_tokens_under", (15,), {}),
        "a total under 15 tokens, but it is 15 tokens (10 in, 5 out)",
    ),
]


@pytest.mark.parametrize("subject", [RESULT, RECORDING], ids=["result", "recording"])
@pytest.mark.parametrize(("true", "opposite", "false", "failure"), TRUE_AND_FALSE)
def test_an_expectation_holds_or_says_why_not_and_its_opposite_is_its_opposite(
    subject: Any, true: Any, opposite: str, false: Any, failure: str
) -> None:
    expected = expect(subject)
    (yes, args, options), (no, wrong_args, wrong_options) = true, false
    assert getattr(expected, yes)(*args, **options) == expected, "it can be chained"
    assert getattr(expected, f"not_{no}")(*wrong_args, **wrong_options) == expected
    with pytest.raises(AssertionError) as caught:
        getattr(expected, no)(*wrong_args, **wrong_options)
    assert str(caught.value) == f"expected {failure}\n{TREE}"
    with pytest.raises(AssertionError) as caught:
        getattr(expected, f"not_{yes}")(*args, **options)
    assert str(caught.value) == f"did not expect {opposite}\n{TREE}"


@pytest.mark.parametrize("subject", [TRACE, list(TRACE), (signal for signal in list(TRACE))], ids=["trace", "list", "generator"])
def test_signals_alone_can_be_asked_about_signals_and_what_they_tell_of_costs(subject: Any) -> None:
    expected = expect(subject).to_contain_signal("agent:*").to_have_signals_in_order(["workflow:start", "workflow:end"])
    with pytest.raises(ConfigurationError, match=r"^A trace has no state, only signals\."):
        expected.to_have_state({})
    expected.to_have_latency_under(1).to_cost_under(0.26).not_to_cost_under(0.25).to_have_tokens_under(16).not_to_have_tokens_under(15)


def test_an_empty_trace_has_no_metrics() -> None:
    with pytest.raises(ConfigurationError, match=r"^An empty trace has no metrics\."):
        expect([]).to_have_latency_under(1)


def test_a_recording_that_has_not_ended_has_no_state_and_no_metrics() -> None:
    expected = expect(Recording(RecordingMetadata("rec_1"), signals=TRACE)).to_contain_signal("agent:*")
    with pytest.raises(ConfigurationError, match=r"^This recording has no state\."):
        expected.to_have_state({})
    with pytest.raises(ConfigurationError, match=r"^This recording has no metrics\."):
        expected.to_have_latency_under(1)


@pytest.mark.parametrize(
    ("given_", "problem"),
    [
        ("trace", "expect() was given a str; it expects something of a run."),
        (None, "expect() was given a NoneType; it expects something of a run."),
        ([1], "expect() was given a int among the signals."),
    ],
)
def test_what_is_no_run_is_refused(given_: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        expect(given_)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("ask", "problem"),
    [
        (lambda e: e.to_have_signal_count("a"), "A count is asked for by n, or by at_least and at_most."),
        (lambda e: e.to_have_signal_count("a", 1, at_least=1), "A count is asked for by n, or by at_least and at_most."),
        (lambda e: e.to_have_signal_count("a", -1), "n is a count of signals, not -1."),
        (lambda e: e.not_to_have_signal_count("a", at_most=-2), "at_most is a count of signals, not -2."),
        (lambda e: e.to_have_signal_count("a", True), "n is a count of signals, not True."),
        (lambda e: e.to_have_signal_count("a", at_least="1"), "at_least is a count of signals, not '1'."),
        (lambda e: e.to_have_signal_count("a", at_least=3, at_most=2), "No count is at least 3 and at most 2."),
        (lambda e: e.to_have_signals_in_order([]), "An order is a list of patterns, not []."),
        (lambda e: e.not_to_have_signals_in_order("a"), "An order is a list of patterns, not 'a'."),
        (lambda e: e.to_have_signals_in_order(7), "An order is a list of patterns, not 7."),
        (lambda e: e.to_contain_signal(7), "Not a pattern: 7 (int)."),
        (lambda e: e.to_contain_signal(Pattern("a", payload=1), 2), "The payload is asked for twice: 'a' with payload 1, and 2."),
        (lambda e: e.to_have_latency_under(-1), "The limit of a latency is a number of ms, not -1."),
        (lambda e: e.to_cost_under("1"), "The limit of a cost is a number of USD, not '1'."),
        (lambda e: e.not_to_have_tokens_under(float("nan")), "The limit of a total is a number of tokens, not nan."),
        (lambda e: e.to_have_tokens_under(True), "The limit of a total is a number of tokens, not True."),
    ],
)
def test_a_question_that_cannot_be_asked_is_a_configuration_error_and_no_failure(ask: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ask(expect(RESULT))
    assert str(caught.value) == problem


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Ticket:
    colour: Colour
    tags: tuple[str, ...] = ()


class Model(BaseModel):
    ticket: dict[str, int]
    colour: Colour


def test_a_typed_state_is_asked_as_a_dict_or_as_itself() -> None:
    expected = expect(RunResult(Ticket(Colour.RED, ("a",)), Trace(), METRICS))
    expected.to_have_state({"colour": "red"}).to_have_state({"colour": Colour.RED, "tags": ["a"]}).to_have_state(Ticket(Colour.RED, ("a",)))
    expected.not_to_have_state({"colour": "blue"}).not_to_have_state(Ticket(Colour.RED))
    expect(RunResult(Model(ticket={"id": 7}, colour=Colour.RED), Trace(), METRICS)).to_have_state({"ticket": {"id": 7}, "colour": "red"})


def test_objects_that_compare_themselves_have_the_last_word() -> None:
    expect(RESULT).to_have_state({"ticket": {"id": pytest.approx(7.0)}}).to_contain_signal(
        "harness:end", {"output": {"cost_usd": pytest.approx(0.25)}}
    )
    expect(RESULT).not_to_have_state({"ticket": {"id": True}})


def test_an_empty_trace_says_so() -> None:
    with pytest.raises(AssertionError) as caught:
        expect(Trace()).to_contain_signal("agent:*")
    assert str(caught.value) == "expected a signal 'agent:*', but there is none\n  the trace has no signals"


def test_of_a_long_trace_the_ends_are_shown_and_of_many_answers_the_first() -> None:
    trace = trace_of(*(("text:delta", {"content": str(at)}, 0) for at in range(1000)))
    with pytest.raises(AssertionError) as caught:
        expect(trace).not_to_contain_signal("text:*")
    lines = str(caught.value).splitlines()
    assert lines[0] == "did not expect a signal 'text:*', but there are 1000"
    assert lines[5:8] == ['  sig_000005 text:delta {"content": "4"}', "  … and 995 more", "  the trace:"]
    assert lines[37:40] == ['    text:delta {"content": "29"}', "    … 960 more signals …", '    text:delta {"content": "990"}']
    assert len(lines) == 49


@given(said=st.lists(st.sampled_from("abc"), max_size=8), wanted=st.lists(st.sampled_from("abc"), min_size=1, max_size=4))
def test_an_order_is_a_subsequence_and_a_strict_one_a_run(said: list[str], wanted: list[str]) -> None:
    expected = expect(trace_of(*((name, None, 0) for name in said)))
    rest = iter(said)
    (expected.to_have_signals_in_order if all(name in rest for name in wanted) else expected.not_to_have_signals_in_order)(wanted)
    is_run = any(said[at : at + len(wanted)] == wanted for at in range(len(said)))
    (expected.to_have_signals_in_order if is_run else expected.not_to_have_signals_in_order)(wanted, strict=True)


def test_pytest_is_not_imported_and_shows_the_line_of_the_test_only(pytester: pytest.Pytester) -> None:
    code = "import sys, pytest_wfreplay.plugin.expect; sys.exit(bool({'pytest', '_pytest', 'yaml', 'deepdiff', 'jinja2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    pytester.makepyfile(
        """
        from pytest_wfreplay import Trace, expect

        def test_it():
            expect(Trace()).to_contain_signal("agent:*")
        """
    )
    result = pytester.runpytest_inprocess("--import-mode=importlib", "-p", "no:asyncio")
    result.stdout.fnmatch_lines(
        [
            "    def test_it():",
            '>       expect(Trace()).to_contain_signal("agent:[*]")',
            "E       AssertionError: expected a signal 'agent:[*]', but there is none",
            "E         the trace has no signals",
            "",
            "test_pytest_is_not_imported_and_shows_the_line_of_the_test_only.py:4: AssertionError",
        ],
        consecutive=True,
    )

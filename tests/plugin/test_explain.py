"""A failed `in` or `==` of a trace says why, through pytest's own assertion hook."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from pytest_wfreplay.pattern import Pattern
from pytest_wfreplay.plugin.explain import explain
from pytest_wfreplay.signal import Signal, SignalSource, signal_id
from pytest_wfreplay.trace import Trace

CONFTEST = """
from pytest_wfreplay.plugin.explain import explain

def pytest_assertrepr_compare(op, left, right):
    return explain(op, left, right)
"""

TRACES = """
import re
from pytest_wfreplay import Pattern, Signal, SignalSource, Trace

def trace_of(*said):
    return Trace(Signal(f"sig_{at:06d}", name, payload, "", SignalSource(parent=parent)) for at, (name, payload, parent) in enumerate(said, 1))

START = ("workflow:start", {"agents": ["classify"]}, None)
TOOL = ("tool:call", {"id": 1, "name": "search"}, "sig_000001")
END = ("workflow:end", {}, None)
TRACE = trace_of(START, TOOL, END)

def test_it():
"""


def explained(pytester: pytest.Pytester, assertion: str, *options: str) -> list[str]:
    """What people see of a failed assertion: pytest's lines that begin with E. Before `assert` it may say `AssertionError`, or not."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(f"{TRACES}    assert {assertion}")
    result = pytester.runpytest_inprocess("-p", "no:asyncio", "-p", "no:cacheprovider", *options)
    result.assert_outcomes(failed=1)
    return [line.removeprefix("E       ").removeprefix("AssertionError: ") for line in result.outlines if line.startswith("E  ")]


TREE = [
    "  the trace:",
    '    workflow:start {"agents": ["classify"]}',
    '    └─ tool:call {"id": 1, "name": "search"}',
    "    workflow:end",
]


@pytest.mark.parametrize(
    ("assertion", "lines"),
    [
        (
            '"tool:calls" in TRACE',
            [
                "assert 'tool:calls' in <Trace: 3 signals, workflow:start … workflow:end>",
                "  no signal matches 'tool:calls'",
                '  nearest: sig_000002 tool:call {"id": 1, "name": "search"}',
                "    its name is 'tool:call', not 'tool:calls'",
                *TREE,
            ],
        ),
        (
            'Pattern("tool:*", {"name": "look"}) in TRACE',
            [
                "assert Pattern(name='tool:*', payload={'name': 'look'}) in <Trace: 3 signals, workflow:start … workflow:end>",
                "  no signal matches 'tool:*' with payload {'name': 'look'}",
                '  nearest: sig_000002 tool:call {"id": 1, "name": "search"}',
                "    its payload.name is 'search', not 'look'",
                *TREE,
            ],
        ),
        (
            'Signal("sig_000002", "tool:call", {"id": True, "name": "look"}, "") in TRACE',
            [
                ('assert <Signal: sig_000002 tool:call {"id": true, "name": "look"}> in <Trace: 3 signals, workflow:start … workflow:end>'),
                '  no signal equals sig_000002 tool:call {"id": true, "name": "look"}',
                '  nearest: sig_000002 tool:call {"id": 1, "name": "search"}',
                "    payload.id: true on the left, 1 on the right",
                '    payload.name: "look" on the left, "search" on the right',
                '    source: (nothing) on the left, {"parent": "sig_000001"} on the right',
                *TREE,
            ],
        ),
        (
            're.compile("^workflow") not in TRACE',
            [
                "assert re.compile('^workflow') not in <Trace: 3 signals, workflow:start … workflow:end>",
                "  there are 2",
                '  sig_000001 workflow:start {"agents": ["classify"]}',
                "  sig_000003 workflow:end",
                *TREE,
            ],
        ),
        (
            "TRACE[2] not in TRACE",
            [
                "assert <Signal: sig_000003 workflow:end> not in <Trace: 3 signals, workflow:start … workflow:end>",
                "  there is 1",
                "  sig_000003 workflow:end",
                *TREE,
            ],
        ),
        (
            'TRACE == trace_of(START, ("tool:call", {"id": 2, "name": "search"}, "sig_000001"), END)',
            [
                "assert <Trace: 3 signals, workflow:start … workflow:end> == <Trace: 3 signals, workflow:start … workflow:end>",
                "  they part at index 1; the left trace has 3 signals, the right one 3 signals",
                "    payload.id: 1 on the left, 2 on the right",
                '    both:  [0] workflow:start {"agents": ["classify"]}',
                '    left:  [1] tool:call {"id": 1, "name": "search"}',
                '    right: [1] tool:call {"id": 2, "name": "search"}',
            ],
        ),
        (
            "trace_of(START) == trace_of(START, TOOL)",
            [
                "assert <Trace: workflow:start> == <Trace: 2 signals, workflow:start … tool:call>",
                "  they part at index 1; the left trace has 1 signal, the right one 2 signals",
                '    both:  [0] workflow:start {"agents": ["classify"]}',
                "    left:  (ends here)",
                '    right: [1] tool:call {"id": 1, "name": "search"}',
            ],
        ),
        (
            "TRACE != trace_of(START, TOOL, END)",
            [
                "assert <Trace: 3 signals, workflow:start … workflow:end> != <Trace: 3 signals, workflow:start … workflow:end>",
                "  both have 3 signals that agree in name, payload and source",
            ],
        ),
        (
            "trace_of(START) == [*trace_of(START)]",
            [
                "assert <Trace: workflow:start> == [Signal(id='sig_000001', name='workflow:start', payload={'a…",
                "  a Trace is never equal to a list; compare two traces, or the .names of one",
            ],
        ),
        (
            "TRACE[0] == TRACE[2]",
            [
                'assert <Signal: sig_000001 workflow:start {"agents": ["classify"]}> == <Signal: sig_000003 workflow:end>',
                '  id: "sig_000001" on the left, "sig_000003" on the right',
                '  name: "workflow:start" on the left, "workflow:end" on the right',
                '  payload.agents: ["classify"] on the left, (nothing) on the right',
            ],
        ),
        (
            "TRACE[2] != TRACE[2]",
            [
                "assert <Signal: sig_000003 workflow:end> != <Signal: sig_000003 workflow:end>",
                "  both have the same id, name, payload and source",
            ],
        ),
    ],
)
def test_pytest_shows_why(pytester: pytest.Pytester, assertion: str, lines: list[str]) -> None:
    assert explained(pytester, assertion, "-vv") == lines


def test_without_v_the_reason_is_not_what_pytest_cuts(pytester: pytest.Pytester) -> None:
    lines = explained(pytester, 'Pattern("tool:*", {"name": "look"}) in Trace([*TRACE] * 50)')
    assert lines[1:4] == [
        "  no signal matches 'tool:*' with payload {'name': 'look'}",
        '  nearest: sig_000002 tool:call {"id": 1, "name": "search"}',
        "    its payload.name is 'search', not 'look'",
    ]
    assert "Full output truncated" in lines[-1]


def said(payload: Any, at: int = 1, name: str = "text:complete") -> Signal:
    return Signal(signal_id(at), name, payload, "2026-11-20T10:00:00.000Z", SignalSource())


def test_two_long_texts_are_shown_where_they_part() -> None:
    lines = explain("==", Trace([said({"content": "a" * 500 + "b" + "c" * 500})]), Trace([said({"content": "a" * 500 + "d" + "c" * 500})]))
    assert lines is not None
    assert lines[2] == f"  payload.content: …{'a' * 20}b{'c' * 38}… on the left, …{'a' * 20}d{'c' * 38}… on the right"


def test_a_number_and_a_bool_are_told_apart() -> None:
    lines = explain("==", said({"n": 1}), said({"n": True}))
    assert lines is not None
    assert lines[1:] == ["payload.n: 1 on the left, true on the right"]


def test_of_many_fields_the_first_are_shown() -> None:
    lines = explain("==", said(dict.fromkeys("abcde", 1)), said(dict.fromkeys("abcde", 2)))
    assert lines is not None
    assert lines[-1] == "… and 2 more fields"


def test_a_signal_of_another_trace_is_explained_by_its_namesake_if_there_is_one() -> None:
    trace = Trace([said("a", 1), said("b", 2)])
    assert explain("in", said("c", 7), trace) == [
        '<Signal: sig_000007 text:complete "c"> in <Trace: 2 signals, text:complete … text:complete>',
        'no signal equals sig_000007 text:complete "c"',
        'nearest: sig_000001 text:complete "a"',
        '  id: "sig_000007" on the left, "sig_000001" on the right',
        '  payload: "c" on the left, "a" on the right',
        "the trace:",
        '  text:complete "a"',
        '  text:complete "b"',
    ]
    assert explain("in", said("c", 7, "other"), Trace()) == [
        '<Signal: sig_000007 other "c"> in <Trace: no signals>',
        'no signal equals sig_000007 other "c"',
        "the trace has no signals",
    ]


@pytest.mark.parametrize(
    ("op", "left", "right"),
    [("in", "a", ["b"]), ("not in", 1, {1}), ("==", 1, 2), ("==", Trace(), None), ("!=", Trace(), 1), ("<", 1, 2), ("is", Trace(), Trace())],
)
def test_of_anything_else_it_says_nothing(op: str, left: object, right: object) -> None:
    assert explain(op, left, right) is None


@pytest.mark.parametrize("question", ["a*", re.compile("a"), {"name": "a"}, Pattern("a"), said("a")])
def test_every_kind_of_question_is_explained(question: object) -> None:
    lines = explain("in", question, Trace([said("b")]))
    assert lines is not None
    assert lines[1].startswith("no signal ")


def test_it_is_cheap_to_import_and_to_ask() -> None:
    code = (
        "import sys\nfrom pytest_wfreplay.plugin.explain import explain\nassert explain('==', 1, 2) is None\n"
        "print(sorted(name for name in sys.modules if name.startswith('pytest')))"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert shown == "['pytest_wfreplay', 'pytest_wfreplay.plugin', 'pytest_wfreplay.plugin.explain']\n"

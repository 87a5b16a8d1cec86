"""Gates are inclusive, count each test once, and say what they could not measure."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.plugin.gates import JUDGES, Gate, judged
from pytest_wfreplay.plugin.ledger import RESULTS, Told

if TYPE_CHECKING:
    from conftest import Project

XDIST = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio")

TESTS = """
flow = create_workflow("desk")
AGENTS = {"a": flow.agent(prompt="x", activate_on=["workflow:start"])}

def reply(tokens=None, cost=None):
    output = {"content": "hi"} if tokens is None else {"content": "hi", "usage": {"input_tokens": tokens - 4, "output_tokens": 4}}
    return [create_signal("harness:end", {"output": output if cost is None else {**output, "cost_usd": cost}})]

def speak(wfreplay, **told):
    wfreplay.run(flow.run_reactive(agents=AGENTS, state={}, harness=ScriptedHarness([reply(**told)])))

@pytest.mark.parametrize("number", [1, 2, 3])
def test_told(wfreplay, number):
    speak(wfreplay, tokens=number * 100, cost=0.1)
"""

SILENT = """
def test_silent(wfreplay):
    speak(wfreplay)
"""

STEP = "@pytest.mark.wfreplay\ndef test_step():\n    step.run('work', live, input=1)\n"


def gates(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("wfreplay: gate")]


def slow(project: Project, name: str, ms: str) -> None:
    """Let a recorded run have taken so long."""
    path = project.cassette(name)
    path.write_text(re.sub(r'"duration_ms": [\d.]+', f'"duration_ms": {ms}', path.read_text()))


def test_a_value_that_equals_its_bound_passes_and_one_beyond_fails_the_session(project: Project) -> None:
    project.write(text=TESTS)
    assert project.record().code == 0
    for number in (1, 2, 3):
        slow(project, f"test_it/test_told[{number}].yaml", f"{number * 1000}")
    ran = project.replay("--wfreplay-max-tokens=600", "--wfreplay-max-cost-usd=0.3", "--wfreplay-max-latency-ms=3000", "--wfreplay-min-pass-rate=1")
    assert (ran.code, ran.summary) == (0, "wfreplay: 3 replayed, 0 recorded, 0 diverged, 0 unused cassettes")
    assert gates(ran.text) == [
        "wfreplay: gate --wfreplay-min-pass-rate=1 passed: 3 of 3 tests passed",
        "wfreplay: gate --wfreplay-max-latency-ms=3000 passed: at most 3000 ms",
        "wfreplay: gate --wfreplay-max-cost-usd=0.3 passed: 0.3 USD",
        "wfreplay: gate --wfreplay-max-tokens=600 passed: 600 tokens",
    ]
    ran = project.replay("--wfreplay-max-tokens=599", "--wfreplay-max-cost-usd=.29", "--wfreplay-max-latency-ms=1999.5")
    assert ran.code == 1
    assert gates(ran.text) == [
        (
            "wfreplay: gate --wfreplay-max-latency-ms=1999.5 failed: 2 of 3 tests took longer, in ms "
            "(test_it.py::test_told[3] 3000, test_it.py::test_told[2] 2000)"
        ),
        (
            "wfreplay: gate --wfreplay-max-cost-usd=.29 failed: 0.3 USD "
            "(test_it.py::test_told[1] 0.1, test_it.py::test_told[2] 0.1, test_it.py::test_told[3] 0.1)"
        ),
        (
            "wfreplay: gate --wfreplay-max-tokens=599 failed: 600 tokens "
            "(test_it.py::test_told[3] 300, test_it.py::test_told[2] 200, test_it.py::test_told[1] 100)"
        ),
    ]
    assert "3 passed" in ran.text
    assert not project.was_live


def test_gates_hold_for_workers_and_for_a_recording_too(project: Project) -> None:
    project.write(text=TESTS)
    ran = project.record("--wfreplay-max-tokens=599")
    assert ran.code == 1, "a recording's own numbers count"
    assert len(project.cassettes) == 3, "and it is kept"
    ran = project.replay("-n", "2", "--wfreplay-max-tokens=599", "--wfreplay-max-cost-usd=0.3", lean=XDIST)
    assert ran.code == 1, ran.text
    assert gates(ran.text)[0] == "wfreplay: gate --wfreplay-max-cost-usd=0.3 passed: 0.3 USD"
    assert gates(ran.text)[1].startswith("wfreplay: gate --wfreplay-max-tokens=599 failed: 600 tokens (test_it.py::test_told[3] 300, ")
    assert project.replay("-n", "2", "--wfreplay-max-tokens=600", lean=XDIST).code == 0


def test_a_gate_that_had_nothing_to_measure_says_so(project: Project) -> None:
    project.write(text=TESTS.partition("@pytest")[0] + SILENT)
    assert project.record().code == 0
    ran = project.replay("--wfreplay-max-tokens=1", "--wfreplay-max-cost-usd=0", "-q", "-q")
    assert (ran.code, gates(ran.text)) == (
        0,
        [
            "wfreplay: gate --wfreplay-max-cost-usd=0 passed, and proves nothing: no run told its cost",
            "wfreplay: gate --wfreplay-max-tokens=1 passed, and proves nothing: no run told its tokens",
        ],
    )
    project.write(text=TESTS + SILENT)
    assert project.record().code == 0
    ran = project.replay("--wfreplay-max-tokens=600", "--wfreplay-min-pass-rate=1", "-q", "-q")
    assert gates(ran.text) == ["wfreplay: gate --wfreplay-max-tokens=600 passed: 600 tokens; 1 of 4 harness calls did not tell their tokens"], (
        "with -q only what is remarkable is said"
    )
    project.write(text=STEP)
    assert project.record().code == 0
    ran = project.replay("--wfreplay-max-tokens=600")
    assert gates(ran.text) == ["wfreplay: gate --wfreplay-max-tokens=600 passed, and proves nothing: no run called a harness"]


def test_what_runs_live_is_not_measured_and_the_gates_say_so(project: Project) -> None:
    project.write(text=TESTS)
    ran = project.run("--wfreplay=live", "--wfreplay-max-tokens=1", "--wfreplay-max-latency-ms=1", "--wfreplay-min-pass-rate=1")
    assert (ran.code, gates(ran.text)) == (
        0,
        [
            "wfreplay: gate --wfreplay-min-pass-rate=1 passed: 3 of 3 tests passed",
            "wfreplay: gate --wfreplay-max-latency-ms=1 passed, and proves nothing: what runs live is not measured",
            "wfreplay: gate --wfreplay-max-tokens=1 passed, and proves nothing: what runs live is not measured",
        ],
    )


def test_a_gate_fails_a_session_that_prints_nothing(pytester: pytest.Pytester) -> None:
    text = "import pytest\nfrom pytest_wfreplay import step\n@pytest.mark.wfreplay\n@pytest.mark.xfail\n"
    text += "def test_it():\n    step.run('one', lambda: 1)\n    assert False\n"
    pytester.makepyfile(text)
    others = "inline_snapshot randomly recording rerunfailures syrupy timeout xdist asyncio anyio cacheprovider terminal"
    alone = [*(f"-pno:{name}" for name in others.split()), "--wfreplay=live"]
    assert pytester.runpytest_subprocess(*alone).ret == 0
    result = pytester.runpytest_subprocess(*alone, "--wfreplay-min-pass-rate=1")
    assert (result.ret, result.stdout.str(), "INTERNALERROR" in result.stderr.str()) == (1, "", False)


def test_a_session_without_a_test_of_ours_says_that_its_gates_prove_nothing(project: Project) -> None:
    project.write(text="def test_plain():\n    pass\n")
    ran = project.replay("--wfreplay-min-pass-rate=1", "--wfreplay-max-latency-ms=5")
    assert (ran.code, ran.text.count("wfreplay:")) == (0, 2)
    assert gates(ran.text) == [
        "wfreplay: gate --wfreplay-min-pass-rate=1 passed, and proves nothing: no test of ours ran",
        "wfreplay: gate --wfreplay-max-latency-ms=5 passed, and proves nothing: no run told how long it took",
    ]
    assert project.replay("-k", "nothing", "--wfreplay-min-pass-rate=1").code == 5, "pytest's own word stands"


PASSING = """
@pytest.mark.wfreplay
class TestAll:
    @pytest.mark.parametrize("number", [1, 2])
    def test_passes(self, number):
        step.run("work", live, input=number)

    def test_fails(self):
        step.run("work", live)
        assert not Path(__file__).with_name("FAIL").exists()

    def test_skips(self):
        pytest.skip("today")

    @pytest.mark.xfail(strict=False)
    def test_xfails(self):
        step.run("work", live)
        raise ValueError

def test_plain_fails():
    assert not Path(__file__).with_name("FAIL").exists()
"""

HALF = "wfreplay: gate --wfreplay-min-pass-rate=.5 passed: 2 of 4 tests passed (test_it.py::TestAll::test_fails, test_it.py::TestAll::test_xfails)"


def test_the_pass_rate_is_that_of_the_tests_of_ours_that_ran(project: Project) -> None:
    project.write(text=PASSING)
    ran = project.record("--wfreplay-min-pass-rate=0.76")
    assert ran.code == 1
    assert gates(ran.text) == ["wfreplay: gate --wfreplay-min-pass-rate=0.76 failed: 3 of 4 tests passed (test_it.py::TestAll::test_xfails)"]
    assert project.record("--wfreplay-min-pass-rate=0.75").code == 0, "a skipped test did not run; xfail ran and did not pass"
    (project.path / "FAIL").touch()
    ran = project.record("--wfreplay-min-pass-rate=.5")
    assert (ran.code, gates(ran.text)) == (1, [HALF]), "a test that failed fails the session"
    ran = project.record("-x", "--wfreplay-min-pass-rate=0.7")
    assert gates(ran.text) == ["wfreplay: gate --wfreplay-min-pass-rate=0.7 failed: 2 of 3 tests passed (test_it.py::TestAll::test_fails)"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--wfreplay-min-pass-rate=95", "--wfreplay-min-pass-rate is a number from 0 to 1, not '95': 95 of 100 tests are 0.95."),
        ("--wfreplay-min-pass-rate=-0.1", "--wfreplay-min-pass-rate is a number from 0, not '-0.1'."),
        ("--wfreplay-max-latency-ms=fast", "--wfreplay-max-latency-ms is a number from 0, not 'fast'."),
        ("--wfreplay-max-cost-usd=nan", "--wfreplay-max-cost-usd is a number from 0, not 'nan'."),
        ("--wfreplay-max-cost-usd=", "--wfreplay-max-cost-usd is a number from 0, not ''."),
        ("--wfreplay-max-cost-usd=$5", "--wfreplay-max-cost-usd is a number from 0, not '$5'."),
        ("--wfreplay-max-tokens=10.5", "--wfreplay-max-tokens is a whole number of tokens, not '10.5'."),
        ("--wfreplay-max-tokens=inf", "--wfreplay-max-tokens is a number from 0, not 'inf'."),
    ],
)
def test_a_bound_that_cannot_be_meant_is_a_usage_error(project: Project, given: str, said: str) -> None:
    ran = project.run(given)
    assert (ran.code, f"ERROR: {said}" in ran.text) == (4, True), ran.text


def told(result: str, **facts: Any) -> Told:
    return Told(f"test_{len(facts)}", result, facts)


@given(st.lists(st.sampled_from(RESULTS)), st.integers(0, 100))
def test_a_pass_rate_is_compared_exactly(results: list[str], percent: int) -> None:
    ran = [result for result in results if result not in ("skipped", "interrupted")]
    passed = sum(result in ("passed", "xpassed") for result in ran)
    [verdict] = judged([Gate("--wfreplay-min-pass-rate", Decimal(percent) / 100, "")], [told(result) for result in results])
    expected = "unmeasured" if not ran else "passed" if passed * 100 >= percent * len(ran) else "failed"
    assert verdict.verdict == expected


@given(st.lists(st.integers(0, 1000)), st.integers(0, 3000))
def test_a_cost_is_compared_as_it_is_written(cents: list[int], bound: int) -> None:
    tests = [told("passed", cost_usd=cent / 100, harness_calls=1, told_cost=1) for cent in cents]
    [verdict] = judged([Gate("--wfreplay-max-cost-usd", Decimal(bound) / 100, "")], tests)
    assert verdict.verdict == ("unmeasured" if not cents else "passed" if sum(cents) <= bound else "failed")


def test_a_long_list_of_tests_is_cut() -> None:
    tests = [Told(f"test_{number}", "passed", {"latency_ms": 10.0 + number}) for number in range(5)]
    [verdict] = judged([Gate("--wfreplay-max-latency-ms", Decimal(5), "5")], tests)
    start = "wfreplay: gate --wfreplay-max-latency-ms=5 failed: 5 of 5 tests took longer, in ms (test_4 14, test_3 13, test_2 12"
    assert verdict.line() == f"{start}, …)"
    assert verdict.line(named=5) == f"{start}, test_1 11, test_0 10)"
    assert set(JUDGES) == {"--wfreplay-min-pass-rate", "--wfreplay-max-latency-ms", "--wfreplay-max-cost-usd", "--wfreplay-max-tokens"}

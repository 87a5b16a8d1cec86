"""A failure shows the user's frames and our report, and nothing of the machinery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_wfreplay.errors import DivergenceError
from pytest_wfreplay.plugin.traceback import divergence_in

if TYPE_CHECKING:
    from conftest import Project

TESTS = """
CHANGED = Path(__file__).with_name("CHANGED").exists()
GIVEN = 2 if CHANGED else 1

def pay(order):
    return step.run("charge", live, input=order)

@pytest.mark.wfreplay
def test_pays():
    assert pay(GIVEN) == 1

@pytest.mark.wfreplay
def test_swallows():
    try:
        pay(GIVEN)
    except Exception:
        pass

@pytest.mark.wfreplay
def test_expects():
    if CHANGED:
        with pytest.raises(DivergenceError):
            pay(GIVEN)
    else:
        pay(GIVEN)

@pytest.mark.wfreplay
def test_swallows_and_fails():
    answer = None
    try:
        answer = pay(GIVEN)
    except Exception:
        pass
    assert answer == 1

@pytest.mark.wfreplay
def test_swallows_and_skips():
    try:
        pay(GIVEN)
    except Exception:
        pytest.skip("not there")

@pytest.mark.wfreplay
def test_fails_by_itself():
    assert pay(1) == (2 if CHANGED else 1)

@pytest.mark.wfreplay
def test_group():
    async def one():
        return await step.run("charge", alive, input=GIVEN)

    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(one())

    asyncio.run(main())

async def alive(given):
    return live(given)
"""

HEADLINE = "StepInputMismatchError: step charge was given another input than recorded"


@pytest.fixture
def failing(project: Project) -> Project:
    project.write(text=TESTS)
    assert set(project.record().outcomes.values()) == {"passed"}
    (project.path / "CHANGED").touch()
    return project


def test_a_divergence_shows_the_users_frames_and_the_report_whoever_swallowed_it(failing: Project) -> None:
    def tells(lines: list[str], test: str) -> bool:
        """The whole report of `recording.divergence`, here known by its ends and its middle."""
        middle = ["called at test_it.py:18 in pay", "input", "recorded: 1", "this run: 2"]
        at = lines.index(middle[0])
        return lines[0] == HEADLINE and lines[at : at + 4] == middle and lines[-1] == f'record again: pytest --record "test_it.py::{test}"'

    ran = failing.replay()
    assert set(ran.outcomes.values()) == {"failed"}
    assert not failing.was_live
    assert ran.summary == "wfreplay: 0 replayed, 0 recorded, 6 diverged, 0 unused cassettes"
    assert "pytest_wfreplay/" not in ran.text
    assert "asyncio/" not in ran.text
    assert tells(ran.told("test_pays"), "test_pays")
    frames = [line for line in ran.of("test_pays") if line.startswith(("test_it.py:", ">"))]
    assert frames == [">       assert pay(GIVEN) == 1", "test_it.py:22: ", '>       return step.run("charge", live, input=order)', frames[-1]]
    assert frames[-1] == "test_it.py:18: StepInputMismatchError"
    # Nobody's frames are left of what was swallowed: the report says where the step was called.
    for test in ("test_swallows", "test_expects"):
        assert tells(ran.told(test), test)
        assert len(ran.of(test)) == len(ran.told(test))
    told = [line.removeprefix("AssertionError: ") for line in ran.told("test_swallows_and_fails")]
    assert told[0] == "assert None == 1"
    assert tells(told[1:], "test_swallows_and_fails")
    assert "The above exception was the direct cause of the following exception:" in ran.of("test_swallows_and_fails")
    assert HEADLINE in ran.told("test_swallows_and_skips")
    assert ran.told("test_fails_by_itself") == ["assert 1 == 2", "+  where 1 = pay(1)"]
    assert ran.told("test_group")[0] == HEADLINE
    assert [line for line in ran.of("test_group") if line.startswith(">")] == ['>       return await step.run("charge", alive, input=GIVEN)']
    headlines = [line for line in ran.text.splitlines() if line.startswith("FAILED test_it.py::test_swallows -")]
    assert headlines == [f"FAILED test_it.py::test_swallows - {HEADLINE}"]


def test_other_styles_and_the_full_trace_work_too(failing: Project) -> None:
    full = failing.replay("--full-trace", "-k", "pays or swallows")
    assert "pytest_wfreplay/" in full.text
    short = failing.replay("--tb=short", "-k", "pays or test_expects")
    assert short.told("test_pays")[0] == HEADLINE
    assert "test_it.py:18: in pay" in short.of("test_pays")
    assert short.told("test_expects")[0] == HEADLINE
    line = failing.replay("--tb=line", "-k", "pays or test_expects")
    assert f"{failing.path / 'test_it.py'}:18: pytest_wfreplay.errors.{HEADLINE}" in line.text
    assert f"test_it.py:31: {HEADLINE}" in line.text
    none = failing.replay("--tb=no", "-k", "pays")
    assert none.code == 1
    assert "recorded: 1" not in none.text
    native = failing.replay("--tb=native", "-k", "pays")
    assert "pytest_wfreplay/" not in native.text


def test_junit_and_workers_of_xdist_get_the_headline_too(failing: Project) -> None:
    lean = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio")
    ran = failing.run("-n", "2", "--junitxml=report.xml", lean=lean)
    assert f"FAILED test_it.py::test_swallows - {HEADLINE}" in ran.text
    assert ran.summary == "wfreplay: 0 replayed, 0 recorded, 6 diverged, 0 unused cassettes"
    assert f'message="{HEADLINE}' in (failing.path / "report.xml").read_text()


def test_a_divergence_is_found_in_groups_and_causes() -> None:
    divergence = DivergenceError("parted")
    outer = ValueError("outer")
    outer.__cause__ = ExceptionGroup("several", [KeyError("k"), divergence])
    assert divergence_in(outer) is divergence
    assert divergence_in(ValueError("other")) is None
    circle = ValueError("circle")
    circle.__cause__ = other = KeyError("k")
    other.__context__ = circle
    assert divergence_in(circle) is None

"""Every test is counted once, the last time it was run, wherever it was run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import Project

QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio")

FLAKY = """
@pytest.mark.wfreplay
def test_flaky():
    step.run("work", live, input=1)
    tries = Path(__file__).with_name("TRIES")
    tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
    assert len(tries.read_text()) % 3 == 0

@pytest.mark.wfreplay
def test_steady():
    step.run("work", live, input=1)
"""


def told(project: Project, file: str = "out.json") -> dict[str, dict[str, Any]]:
    return {test["nodeid"].partition("::")[2]: test for test in json.loads((project.path / file).read_text())["tests"]}


def results(project: Project) -> dict[str, tuple[str, str]]:
    return {name: (test["result"], test["outcome"]) for name, test in told(project).items()}


def test_of_reruns_the_last_one_counts_with_and_without_workers(project: Project) -> None:
    project.write(text=FLAKY)
    for workers in ([], ["-n", "2"]):
        ran = project.record("--reruns=2", "--wfreplay-json=out.json", "--wfreplay-min-pass-rate=1", *workers, lean=QUIET, company=("rerunfailures",))
        assert (ran.code, ran.summary) == (0, "wfreplay: 0 replayed, 2 recorded, 0 diverged, 0 unused cassettes"), ran.text
        assert "wfreplay: gate --wfreplay-min-pass-rate=1 passed: 2 of 2 tests passed" in ran.text
        assert results(project) == {"test_flaky": ("passed", "recorded"), "test_steady": ("passed", "recorded")}
    ran = project.replay(
        "--reruns=1", "--wfreplay-json=out.json", "--wfreplay-min-pass-rate=1", "--junitxml=junit.xml", lean=QUIET, company=("rerunfailures",)
    )
    assert (ran.code, ran.summary) == (1, "wfreplay: 1 replayed, 0 recorded, 0 diverged, 0 unused cassettes")
    assert "wfreplay: gate --wfreplay-min-pass-rate=1 failed: 1 of 2 tests passed (test_it.py::test_flaky)" in ran.text
    assert results(project) == {"test_flaky": ("failed", "failed"), "test_steady": ("passed", "replayed")}
    junit = (project.path / "junit.xml").read_text()
    assert junit.count("<testcase ") == junit.count('"wfreplay.mode"') == 3, "pytest-rerunfailures gives each try a testcase"


MANY = """
import os

@pytest.mark.wfreplay
@pytest.mark.parametrize("number", range(6))
def test_it(number):
    step.run("work", live, input=number)
    if number == 3 and Path(__file__).with_name("CRASH").exists():
        os._exit(1)
"""


def test_a_worker_that_crashes_takes_along_only_the_test_that_it_was_running(project: Project) -> None:
    project.write(text=MANY)
    assert project.record().code == 0
    (project.path / "CRASH").touch()
    ran = project.replay("-n", "2", "--wfreplay-json=out.json", "--wfreplay-min-pass-rate=0.9", lean=QUIET)
    assert ran.code == 1
    assert ran.summary.startswith("wfreplay: 5 replayed, 0 recorded, 0 diverged"), ran.text
    assert "wfreplay: gate --wfreplay-min-pass-rate=0.9 failed: 5 of 6 tests passed (test_it.py::test_it[3])" in ran.text
    expected = {f"test_it[{number}]": ("passed", "replayed") for number in range(6)} | {"test_it[3]": ("failed", "failed")}
    assert results(project) == expected
    assert told(project)["test_it[3]"]["cassette"] == "cassettes/test_it/test_it[3].yaml", "that much was known before"


PHASES = """
@pytest.fixture
def broken(wfreplay):
    raise ValueError("set-up")

@pytest.fixture
def leaving(wfreplay):
    yield
    raise ValueError("teardown")

def test_of_a_broken_fixture(broken):
    pass

def test_that_leaves_badly(leaving):
    step.run("work", live)

@pytest.mark.wfreplay
@pytest.mark.skip
def test_not_today():
    pass

@pytest.mark.wfreplay
def test_not_after_all():
    step.run("work", live)
    pytest.skip("no")

@pytest.mark.wfreplay
@pytest.mark.xfail(strict=False)
def test_better_than_thought():
    step.run("work", live)

@pytest.mark.wfreplay(mode="none")
def test_without_a_cassette():
    step.run("work", live)

@pytest.mark.wfreplay
def test_with_parts(subtests):
    step.run("work", live)
    with subtests.test("good"):
        pass
    with subtests.test("bad"):
        assert False

def test_of_no_interest():
    assert False
"""


def test_the_gravest_phase_of_a_test_is_its_result(project: Project) -> None:
    project.write(text=PHASES)
    project.record("--wfreplay-json=out.json")
    assert results(project) == {
        "test_of_a_broken_fixture": ("error", "failed"),
        "test_that_leaves_badly": ("error", "failed"),
        "test_not_today": ("skipped", "skipped"),
        "test_not_after_all": ("skipped", "skipped"),
        "test_better_than_thought": ("xpassed", "recorded"),
        "test_without_a_cassette": ("failed", "failed"),
        "test_with_parts": ("failed", "failed"),
    }


def test_a_session_that_is_stopped_tells_how_far_it_came(project: Project) -> None:
    project.write(text=MANY.replace("os._exit(1)", "raise KeyboardInterrupt"))
    assert project.record().code == 0
    (project.path / "CRASH").touch()
    ran = project.replay("--wfreplay-json=out.json", "--wfreplay-max-latency-ms=0.000001")
    assert ran.code == 2
    assert results(project)["test_it[2]"] == ("passed", "replayed")
    assert results(project)["test_it[3]"] == ("interrupted", "interrupted")
    assert "test_it[4]" not in results(project)
    content = json.loads((project.path / "out.json").read_text())
    assert (content["exit_status"], content["unused"], content["counts"]["interrupted"]) == (2, None, 1)

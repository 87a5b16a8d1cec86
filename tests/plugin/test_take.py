"""What becomes of a test's cassette, by what becomes of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

ENDINGS = """
HOW = Path(__file__).with_name("HOW").read_text()

@pytest.mark.wfreplay
def test_fails():
    assert step.run("work", live, input=HOW) == HOW
    assert HOW == "good"

@pytest.mark.wfreplay
def test_raises():
    step.run("work", live, input=HOW)
    if HOW != "good":
        raise SystemExit(3)

@pytest.mark.wfreplay
def test_calls_fail():
    step.run("work", live, input=HOW)
    if HOW != "good":
        pytest.fail("told so")

@pytest.mark.wfreplay
def test_skips():
    step.run("work", live, input=HOW)
    if HOW != "good":
        pytest.skip("not today")

@pytest.mark.wfreplay
def test_xfails():
    step.run("work", live, input=HOW)
    if HOW != "good":
        pytest.xfail("known")

@pytest.mark.wfreplay
@pytest.mark.skip
def test_is_skipped():
    step.run("work", live, input=HOW)

@pytest.mark.wfreplay
def test_never_runs():
    if HOW == "good":
        step.run("work", live, input=HOW)

import unittest

class TestCase(unittest.TestCase):
    @pytest.mark.wfreplay
    def test_fails(self):
        self.assertEqual(step.run("work", live, input=HOW), HOW)
        self.assertEqual(HOW, "good")

    @pytest.mark.wfreplay
    def test_skips(self):
        step.run("work", live, input=HOW)
        if HOW != "good":
            self.skipTest("not today")
"""


def test_a_failed_test_never_overwrites_its_cassette(project: Project) -> None:
    project.write(text=ENDINGS)
    (project.path / "HOW").write_text("good")
    assert set(project.record().outcomes.values()) == {"passed", "skipped"}
    recorded = {name: project.cassette(name).read_bytes() for name in project.cassettes}
    assert len(recorded) == 8

    (project.path / "HOW").write_text("bad")
    ran = project.record()
    assert ran.outcomes == {
        "test_fails": "failed",
        "test_raises": "failed",
        "test_calls_fail": "failed",
        "test_skips": "skipped",
        "test_xfails": "xfail",
        "test_is_skipped": "skipped",
        "test_never_runs": "failed",
        "TestCase::test_fails": "failed",
        "TestCase::test_skips": "skipped",
    }
    assert {name: project.cassette(name).read_bytes() for name in recorded} == recorded
    beside = {name.removeprefix("test_it/").removesuffix(".failed.yaml") for name in project.cassettes if name not in recorded}
    assert beside == {
        "test_fails",
        "test_raises",
        "test_calls_fail",
        "test_xfails",
        "TestCase.test_fails",
    }
    assert ran.told("test_never_runs") == [
        "WfreplayError: test_it.py::test_never_runs is marked with wfreplay and never ran a workflow or a step: it proves nothing.",
        "hint: Run a workflow in it, or take the marker away.",
    ]
    assert ran.summary == "wfreplay: 0 replayed, 0 recorded, 0 diverged, 0 unused cassettes"

    (project.path / "HOW").write_text("good")
    assert project.record().code == 0
    assert {name: project.cassette(name).read_bytes() for name in project.cassettes} == recorded


SUBTESTS = """
HOW = Path(__file__).with_name("HOW").read_text()

@pytest.mark.wfreplay
def test_subtests(subtests):
    step.run("work", live, input=HOW)
    with subtests.test("one"):
        assert HOW == "good"

import unittest

class TestCase(unittest.TestCase):
    @pytest.mark.wfreplay
    def test_subtest_fails(self):
        step.run("work", live, input=HOW)
        with self.subTest("one"):
            self.assertEqual(HOW, "good")
"""


@pytest.mark.skipif(pytest.version_tuple < (9, 0), reason="subtests came with pytest 9")
def test_a_failed_part_of_a_test_never_overwrites_its_cassette(project: Project) -> None:
    project.write(text=SUBTESTS)
    (project.path / "HOW").write_text("good")
    assert set(project.record().outcomes.values()) == {"passed"}
    recorded = {name: project.cassette(name).read_bytes() for name in project.cassettes}

    (project.path / "HOW").write_text("bad")
    assert project.record().outcomes == {
        "test_subtests": "failed",
        "TestCase::test_subtest_fails": "passed",  # so says pytest; its part has failed
    }
    assert {name: project.cassette(name).read_bytes() for name in recorded} == recorded
    beside = {name.removeprefix("test_it/").removesuffix(".failed.yaml") for name in project.cassettes if name not in recorded}
    assert beside == {"test_subtests", "TestCase.test_subtest_fails"}

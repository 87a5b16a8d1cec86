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
    changed = {name for name in recorded if project.cassette(name).read_bytes() != recorded[name]}
    assert changed == {"test_it/test_xfails.yaml"}, "it failed as expected"
    beside = {name.removeprefix("test_it/").removesuffix(".failed.yaml") for name in project.cassettes if name not in recorded}
    assert beside == {
        "test_fails",
        "test_raises",
        "test_calls_fail",
        "TestCase.test_fails",
    }
    assert ran.told("test_never_runs") == [
        "WfreplayError: test_it.py::test_never_runs is marked with wfreplay and never ran a workflow or a step: it proves nothing.",
        "hint: Run a workflow in it, or take the marker away.",
    ]
    assert ran.summary == "wfreplay: 0 replayed, 1 recorded, 0 diverged, 0 unused cassettes"

    (project.path / "HOW").write_text("good")
    assert project.record().code == 0
    assert set(project.cassettes) == set(recorded)
    assert all(project.cassette(name).read_bytes() == text for name, text in recorded.items() if name not in changed)


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


TEARDOWNS = """
HOW = Path(__file__).with_name("HOW").read_text()

def end():
    yield
    assert HOW == "good", "at the end"

ended = pytest.fixture(end)
ended_module = pytest.fixture(end, scope="module")

@pytest.mark.wfreplay
def test_fixture(ended):
    step.run("work", live, input=HOW)

@pytest.mark.wfreplay(cassette="shared")
def test_shared(ended):
    step.run("work", live, input=HOW)

@pytest.mark.wfreplay
def test_setup_and_teardown_of_others():
    step.run("work", live, input=HOW)

import unittest

class TestCase(unittest.TestCase):
    def tearDown(self):
        assert HOW == "good", "at the end"

    @pytest.mark.wfreplay
    def test_method(self):
        step.run("work", live, input=HOW)

@pytest.mark.wfreplay
def test_last(ended_module):
    step.run("work", live, input=HOW)
"""


def test_a_test_that_fails_in_its_teardown_never_overwrites_its_cassette(project: Project) -> None:
    project.write(text=TEARDOWNS)
    (project.path / "HOW").write_text("good")
    assert set(project.record().outcomes.values()) == {"passed"}
    recorded = {name: project.cassette(name).read_bytes() for name in project.cassettes}
    own, shared = "test_it/test_setup_and_teardown_of_others.yaml", "shared.yaml"
    assert len(recorded) == 5

    (project.path / "HOW").write_text("bad")
    ran = project.record()
    assert ran.outcomes == {
        "test_fixture": "error",
        "test_shared": "error",
        "test_setup_and_teardown_of_others": "passed",
        "TestCase::test_method": "failed",
        "test_last": "error",
    }
    assert ran.summary == "wfreplay: 0 replayed, 1 recorded, 0 diverged, 0 unused cassettes"
    changed = {name for name, text in recorded.items() if project.cassette(name).read_bytes() != text}
    assert changed == {own}
    beside = {name for name in project.cassettes if name not in recorded}
    assert len(beside) == 4
    assert all(name.endswith(".failed.yaml") and '"bad"' in project.cassette(name).read_text() for name in beside)

    (project.path / "HOW").write_text("good")
    assert project.record().code == 0
    assert set(project.cassettes) == set(recorded)
    assert project.cassette(shared).read_bytes() == recorded[shared]
    assert project.replay().code == 0


def test_a_first_recording_whose_teardown_fails_leaves_no_cassette(project: Project) -> None:
    project.write(text=TEARDOWNS)
    (project.path / "HOW").write_text("bad")
    project.record("-k", "test_fixture")
    assert project.cassettes == ["test_it/test_fixture.failed.yaml"]
    assert project.replay("-k", "test_fixture").outcomes == {"test_fixture": "error"}


WITHOUT = """
import unittest

@pytest.mark.wfreplay
def test_skips():
    pytest.skip("not today")
    step.run("work", live)

@pytest.mark.wfreplay
def test_xfails():
    pytest.xfail("known")

@pytest.mark.wfreplay
def test_runs():
    step.run("work", live)

@pytest.mark.wfreplay
def test_swallows():
    try:
        step.run("work", live)
    except Exception:
        pass

@pytest.mark.wfreplay
def test_fails_otherwise():
    assert 1 == 2

@pytest.mark.wfreplay
def test_runs_nothing():
    pass

class TestCase(unittest.TestCase):
    @pytest.mark.wfreplay
    def test_skips(self):
        self.skipTest("not today")
"""


def test_a_test_without_a_cassette_may_say_that_it_is_not_to_be_run(project: Project) -> None:
    project.write(text=WITHOUT)
    ran = project.replay()
    missing = ("test_runs", "test_swallows", "test_fails_otherwise", "test_runs_nothing")
    assert ran.outcomes == {"test_skips": "skipped", "test_xfails": "xfail", "TestCase::test_skips": "skipped", **dict.fromkeys(missing, "failed")}
    for test in missing:
        assert ran.told(test) == [
            f"CassetteMissing: cassettes/test_it/{test}.yaml: there is no cassette for this test",
            f'hint: Record it: pytest --record "test_it.py::{test}"',
        ]
        assert not any(line.startswith("> ") for line in ran.of(test))
    assert not project.was_live

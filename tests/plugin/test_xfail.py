"""Tests that are expected to fail: they are recorded and replayed as others are, and hide none of our errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

XFAILS = """
import contextlib
import socket
import unittest

CHANGED = Path(__file__).with_name("CHANGED").exists()
pytestmark = pytest.mark.wfreplay

@pytest.mark.xfail
def test_plain():
    assert step.run("work", live, input=2 if CHANGED else 1) == 2

@pytest.mark.xfail(raises=AssertionError, strict=True)
def test_by_class():
    step.run("work", live, input=1)
    assert not step.run("more", live, input=2 if CHANGED else 1)

def test_by_hand():
    step.run("work", live, input=1)
    if CHANGED:
        step.run("more", live, input=1)
    pytest.xfail("known")

@pytest.mark.xfail
def test_swallows():
    with contextlib.suppress(Exception):
        step.run("work", live, input=2 if CHANGED else 1)
    assert False

@pytest.mark.xfail
def test_leaves_over():
    if not CHANGED:
        step.run("work", live, input=1)
    raise ValueError

@pytest.mark.xfail
def test_reaches_out():
    step.run("work", live, input=1)
    if CHANGED:
        socket.create_connection(("192.0.2.1", 9), timeout=0.01)
    raise ValueError

class TestCase(unittest.TestCase):
    @unittest.expectedFailure
    def test_unit(self):
        self.assertEqual(step.run("work", live, input=2 if CHANGED else 1), 5)
"""

TESTS = ["test_plain", "test_by_class", "test_by_hand", "test_swallows", "test_leaves_over", "test_reaches_out", "TestCase::test_unit"]


@pytest.fixture
def xfails(project: Project) -> Project:
    project.write(text=XFAILS)
    return project


def test_what_failed_as_expected_is_recorded_and_replayed(xfails: Project) -> None:
    ran = xfails.record()
    assert ran.outcomes == dict.fromkeys(TESTS, "xfail")
    assert ran.summary == "wfreplay: 0 replayed, 7 recorded, 0 diverged, 0 unused cassettes"
    assert len(xfails.cassettes) == len(TESTS)
    assert not [name for name in xfails.cassettes if "failed" in name]
    ran = xfails.replay()
    assert (ran.code, ran.outcomes) == (0, dict.fromkeys(TESTS, "xfail"))
    assert ran.summary == "wfreplay: 7 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    assert not xfails.was_live


def test_a_missing_cassette_is_not_an_expected_failure(xfails: Project) -> None:
    ran = xfails.replay()
    assert ran.outcomes == dict.fromkeys(TESTS, "failed")
    for test in TESTS:
        name = test.replace("::", ".")
        assert ran.told(name)[0].startswith("CassetteMissing: cassettes/test_it/"), test


def test_a_divergence_and_a_live_call_are_not_expected_failures(xfails: Project) -> None:
    xfails.record()
    (xfails.path / "CHANGED").touch()
    ran = xfails.replay()
    assert ran.outcomes == dict.fromkeys(TESTS, "failed")
    assert not xfails.was_live
    assert ran.summary == "wfreplay: 0 replayed, 0 recorded, 6 diverged, 0 unused cassettes"
    headlines = {test: next(line for line in ran.told(test.replace("::", ".")) if "Error: " in line or "Blocked: " in line) for test in TESTS}
    mismatch = "StepInputMismatchError: step work was given another input than recorded"
    assert headlines["test_plain"] == headlines["TestCase::test_unit"] == mismatch
    assert headlines["test_leaves_over"] == "DivergenceError: step work was recorded and never began in this run"
    assert headlines["test_reaches_out"].startswith("LiveCallBlocked: connecting to 192.0.2.1:9 was refused")


def test_an_xfail_that_names_our_error_expects_it(project: Project) -> None:
    project.write(text="@pytest.mark.wfreplay\n@pytest.mark.xfail(raises=CassetteMissing)\ndef test_it():\n    step.run('work', live)\n")
    assert project.replay().outcomes == {"test_it": "xfail"}


def test_an_expected_failure_that_ran_nothing_proves_nothing(project: Project) -> None:
    project.write(text="@pytest.mark.wfreplay\n@pytest.mark.xfail\ndef test_it():\n    assert False\n")
    ran = project.record()
    assert ran.outcomes == {"test_it": "failed"}
    assert "WfreplayError: test_it.py::test_it is marked with wfreplay and never ran a workflow or a step: it proves nothing." in ran.told("test_it")
    assert project.cassettes == []


def test_a_test_that_should_have_failed_keeps_its_recording_beside(project: Project) -> None:
    project.write(text="@pytest.mark.wfreplay\n@pytest.mark.xfail(strict=True)\ndef test_it():\n    step.run('work', live)\n")
    assert project.record().outcomes == {"test_it": "failed"}
    assert project.cassettes == ["test_it/test_it.failed.yaml"]
    assert project.record("--runxfail").outcomes == {"test_it": "passed"}
    assert project.cassettes == ["test_it/test_it.yaml"]


def test_what_failed_as_expected_can_be_replayed_at_once(xfails: Project) -> None:
    ran = xfails.record("--wfreplay-always-replay")
    assert ran.outcomes == dict.fromkeys(TESTS, "xfail")
    assert len(xfails.cassettes) == len(TESTS)

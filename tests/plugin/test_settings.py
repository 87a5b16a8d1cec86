"""What the session was asked for: precedence, what may narrow it, and the lock of CI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_wfreplay.plugin.settings import is_ci

if TYPE_CHECKING:
    from conftest import Project

CHOICES = "Choose one of none, verify, accept, once, new_episodes, rewrite, live."

MODES = """
import os

@pytest.mark.wfreplay
def test_says_its_mode(wfreplay):
    step.run("work", live)
    Path(__file__).with_name("MODE").write_text(wfreplay.mode)

@pytest.mark.wfreplay(mode="none")
class TestNarrowed:
    @pytest.mark.wfreplay(mode="rewrite")
    def test_the_narrowest_counts(self, wfreplay):
        assert wfreplay.mode == "none"
        step.run("work", live)

    def test_from_the_class(self, wfreplay):
        assert wfreplay.mode == "none"
        step.run("work", live)
"""


def usage_error(project: Project, *args: str) -> str:
    """What a session says that does not begin."""
    ran = project.run(*args)
    assert ran.code == pytest.ExitCode.USAGE_ERROR, ran.text
    return next(line for line in ran.text.splitlines() if line.startswith("ERROR: ")).removeprefix("ERROR: ")


def test_the_command_line_goes_before_the_environment_and_that_before_the_ini(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(text=MODES)

    def mode(*args: str) -> str:
        project.run("-k", "says_its_mode", *args)
        return (project.path / "MODE").read_text()

    assert mode("--record") == "rewrite"
    assert mode() == "none"
    project.ini("wfreplay_mode = once")
    assert mode() == "once"
    monkeypatch.setenv("WFREPLAY_MODE", " live ")
    assert mode() == "live"
    assert mode("--wfreplay=rewrite") == "rewrite"
    assert mode("--record", "--wfreplay=rewrite") == "rewrite"
    monkeypatch.setenv("WFREPLAY_MODE", "")
    assert mode() == "once"


def test_each_mode_does_what_it_says_and_a_marker_only_narrows(project: Project) -> None:
    project.write(text=MODES)
    ran = project.replay("--wfreplay=once")
    assert ran.outcomes == {
        "test_says_its_mode": "passed",
        "TestNarrowed::test_the_narrowest_counts": "failed",
        "TestNarrowed::test_from_the_class": "failed",
    }
    assert ran.told("TestNarrowed.test_from_the_class") == [
        "CassetteMissing: cassettes/test_it/TestNarrowed.test_from_the_class.yaml: there is no cassette for this test",
        'hint: Record it: pytest --record "test_it.py::TestNarrowed::test_from_the_class"',
        "nothing is recorded while its marker or wfreplay_config says mode='none': take that away first",
    ]
    assert project.was_live
    assert ran.summary == "wfreplay: 0 replayed, 1 recorded, 0 diverged, 0 unused cassettes"

    ran = project.replay("--wfreplay=once", "-k", "says")
    assert ran.summary == "wfreplay: 1 replayed, 0 recorded, 0 diverged, unused cassettes not looked for in a partial run"
    assert not project.was_live

    before = project.cassette("test_it/test_says_its_mode.yaml").read_bytes()
    ran = project.replay("--wfreplay=live", "-k", "says")
    assert ran.summary == "wfreplay: 0 replayed, 0 recorded, 0 diverged, unused cassettes not looked for in a partial run"
    assert project.was_live
    assert project.cassette("test_it/test_says_its_mode.yaml").read_bytes() == before
    assert project.replay("--wfreplay=rewrite", "-k", "says").summary.startswith("wfreplay: 0 replayed, 1 recorded")
    assert project.was_live
    assert project.cassette("test_it/test_says_its_mode.yaml").read_bytes() == before


def test_what_cannot_be_meant_is_a_usage_error(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(text=MODES)
    assert usage_error(project, "--wfreplay=rewite") == f"--wfreplay: 'rewite' is not a mode. {CHOICES}"
    assert (
        usage_error(project, "--record", "--wfreplay=none")
        == "--record means --wfreplay=rewrite, and --wfreplay=none contradicts it: give one of them."
    )
    assert (
        usage_error(project, "--wfreplay-only=x", "--wfreplay=accept")
        == "--wfreplay-only records steps again, and --wfreplay=accept does not: leave it out, or give new_episodes or rewrite."
    )
    assert usage_error(project, "--wfreplay-only= ") == "A pattern of steps is blank. Give one such as 'classify*', 'writer#2/*' or 'charge-card#2'."
    monkeypatch.setenv("WFREPLAY_MODE", "Record")
    assert usage_error(project) == f"WFREPLAY_MODE: 'Record' is not a mode. {CHOICES}"
    monkeypatch.delenv("WFREPLAY_MODE")
    project.ini("wfreplay_mode = off")
    assert usage_error(project, "--record") == f"ini wfreplay_mode: 'off' is not a mode. {CHOICES}"
    project.ini("wfreplay_max_bytes = 1 MB")
    assert usage_error(project) == "ini wfreplay_max_bytes is a number of bytes, not '1 MB'."
    project.ini("wfreplay_redact = [a-")
    assert usage_error(project).startswith("ini wfreplay_redact: Not a regular expression to redact by: '[a-'")


def test_ci_replays(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(text=MODES)
    locked = "and CI is set: CI replays. Pass --wfreplay-allow-ci if you mean it."
    monkeypatch.setenv("CI", "true")
    assert usage_error(project, "--record") == f"--record asks for mode 'rewrite', {locked}"
    assert usage_error(project, "--wfreplay=live") == f"--wfreplay asks for mode 'live', {locked}"
    assert usage_error(project, "--wfreplay-only=work") == f"--wfreplay-only asks for mode 'rewrite', {locked}"
    monkeypatch.setenv("WFREPLAY_MODE", "once")
    assert usage_error(project) == f"WFREPLAY_MODE asks for mode 'once', {locked}"
    assert project.run("--wfreplay-allow-ci", "-k", "says").code == 0
    monkeypatch.delenv("WFREPLAY_MODE")
    project.ini("wfreplay_mode = rewrite")
    assert project.replay("-k", "says").summary.startswith("wfreplay: 1 replayed")
    assert not project.was_live


@pytest.mark.parametrize("mode", ["verify", "accept", "once", "new_episodes", "rewrite", "live"])
def test_ci_locks_every_mode_but_none(project: Project, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """Those that go live and those that write, and `verify` and `accept`, which do one of the two."""
    project.write(text="\n@pytest.mark.wfreplay\ndef test_it(wfreplay):\n    assert wfreplay.mode == 'none'\n    step.run('work', live)\n")
    monkeypatch.setenv("CI", "1")
    assert usage_error(project, f"--wfreplay={mode}") == (
        f"--wfreplay asks for mode {mode!r}, and CI is set: CI replays. Pass --wfreplay-allow-ci if you mean it."
    )
    project.ini(f"wfreplay_mode = {mode}")
    assert project.run().told("test_it")[0].startswith("CassetteMissing")
    assert not project.was_live


@pytest.mark.parametrize(
    ("said", "locks"), [("", False), ("0", False), ("false", False), ("False", False), ("no", False), ("1", True), ("yes", True)]
)
def test_ci_is_set_unless_it_says_no(said: str, locks: bool) -> None:
    assert is_ci({"CI": said}) is locks
    assert not is_ci({})

"""What a project's own hooks may change: the settings, the name of a cassette, what is kept, and whether a cassette is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Project

CONFTEST = """
import dataclasses
from pytest_wfreplay import ConfigurationError

def pytest_wfreplay_configure(settings):
    settings.redact.append("hush-[a-z]+")
    settings.cassette_dir = settings.root / "tapes"

def pytest_wfreplay_cassette_name(item, name):
    return f"renamed/{item.name}" if "renamed" in item.name else None

def pytest_wfreplay_before_record(recording):
    if "tagged" in str(recording.metadata.name or recording.entries[0].key):
        return dataclasses.replace(recording, metadata=dataclasses.replace(recording.metadata, tags=("nightly",)))

def pytest_wfreplay_check_cassette(cassette):
    if any("forbidden" in entry.key for run in cassette.runs for entry in run.entries):
        raise ConfigurationError("this cassette is forbidden")
"""

TESTS = """
@pytest.mark.wfreplay
def test_renamed():
    step.run("work", lambda: live("hush-hush"))

@pytest.mark.wfreplay
def test_plain():
    step.run("tagged", live)
"""


def test_hooks_change_settings_names_and_what_is_kept(project: Project) -> None:
    project.write("conftest.py", CONFTEST, prelude="")
    project.write(text=TESTS)
    project.run("--record")
    renamed = (project.path / "tapes" / "renamed" / "test_renamed.yaml").read_text()
    assert "hush-hush" not in renamed
    assert "[redacted]" in renamed
    assert 'tags: ["nightly"]' in (project.path / "tapes" / "test_it" / "test_plain.yaml").read_text()
    (project.path / "LIVE").unlink()
    ran = project.run()
    assert ran.code == 0, ran.text
    assert ran.summary == "wfreplay: 2 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    assert not (project.path / "LIVE").exists()


def test_a_cassette_that_the_project_refuses_fails_its_test_and_nothing_runs(project: Project) -> None:
    project.write("conftest.py", CONFTEST, prelude="")
    project.write(text="@pytest.mark.wfreplay\ndef test_it():\n    step.run('forbidden', live)\n")
    assert project.run("--record").code == 0
    (project.path / "LIVE").unlink()
    ran = project.run()
    assert ran.code == 1
    assert ran.told("test_it")[0] == "ConfigurationError: this cassette is forbidden"
    assert not (project.path / "LIVE").exists()


def test_a_hook_that_gives_something_else_is_told_so(project: Project) -> None:
    project.write("conftest.py", "def pytest_wfreplay_before_record(recording):\n    return {}\n", prelude="")
    project.write(text="@pytest.mark.wfreplay\ndef test_it():\n    step.run('work', live)\n")
    ran = project.run("--record")
    assert ran.told("test_it") == [
        "ConfigurationError: pytest_wfreplay_before_record gives a dict for test_it.py::test_it.",
        "hint: Give a Recording, such as dataclasses.replace(recording, ...), or None.",
    ]
    assert not (project.path / "cassettes" / "test_it" / "test_it.yaml").exists()


def test_a_hook_may_narrow_the_mode_and_not_widen_it(project: Project) -> None:
    for asked, wish, becomes in (("rewrite", "none", "none"), ("none", "rewrite", "none")):
        project.write(
            "conftest.py",
            "from pytest_wfreplay.recording.modes import mode_named\n"
            f"def pytest_wfreplay_configure(settings):\n    settings.mode = mode_named({wish!r})\n",
            prelude="",
        )
        project.write(text=f"def test_it(wfreplay):\n    assert wfreplay.mode == {becomes!r}\n    step.run('work', live)\n")
        assert "CassetteMissing" in project.run(f"--wfreplay={asked}").text

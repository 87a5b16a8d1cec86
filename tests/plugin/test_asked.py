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


def test_a_check_that_raises_anything_fails_the_test_and_is_no_broken_fixture(project: Project) -> None:
    project.write(text="@pytest.mark.wfreplay\ndef test_it():\n    step.run('work', live)\n")
    assert project.record().code == 0
    for raised, told in (
        ("raise ValueError('too old')", "ValueError: too old"),
        ("assert not cassette.runs, 'no'", "AssertionError: no"),
        ("pytest.fail('bad')", "Failed: bad"),
    ):
        project.write("conftest.py", f"import pytest\n\ndef pytest_wfreplay_check_cassette(cassette):\n    {raised}\n", prelude="")
        ran = project.replay()
        assert ran.outcomes == {"test_it": "failed"}, raised
        assert any(
            line.startswith(f"CassetteError: cassettes/test_it/test_it.yaml: pytest_wfreplay_check_cassette raised {told}")
            for line in ran.told("test_it")
        )
        assert not project.was_live
    project.write("conftest.py", "import pytest\n\ndef pytest_wfreplay_check_cassette(cassette):\n    pytest.skip('old')\n", prelude="")
    assert project.replay().outcomes == {"test_it": "skipped"}


def test_what_a_hook_refuses_to_keep_stays_beside_and_is_no_crash(project: Project) -> None:
    project.write("conftest.py", "def pytest_wfreplay_before_record(recording):\n    raise ValueError('not this')\n", prelude="")
    project.write(text="@pytest.mark.wfreplay\ndef test_it():\n    step.run('work', live)\n")
    ran = project.record()
    assert ran.outcomes == {"test_it": "failed"}
    assert "ValueError: not this" in ran.told("test_it")
    assert project.cassettes == ["test_it/test_it.failed.yaml"]
    assert not list(project.path.rglob("*.partial"))
    assert "crashed" not in project.replay().text


def test_a_name_that_leads_out_of_the_cassette_folder_is_refused_whoever_gives_it(project: Project) -> None:
    project.write(
        "conftest.py",
        """
import pytest

def pytest_wfreplay_cassette_name(item, name):
    return "../by-hook" if item.name == "test_hook" else None

@pytest.fixture
def wfreplay_cassette_name(request, wfreplay_cassette_name):
    return "../../by-fixture" if request.node.name == "test_fixture" else wfreplay_cassette_name

@pytest.fixture
def wfreplay_cassette_dir(request, wfreplay_cassette_dir):
    return "../elsewhere" if request.node.name == "test_elsewhere" else wfreplay_cassette_dir
""",
        prelude="",
    )
    project.write(
        text="""
@pytest.mark.wfreplay(cassette="../by-marker")
def test_marker():
    step.run("work", live)

@pytest.mark.wfreplay
def test_hook():
    step.run("work", live)

@pytest.mark.wfreplay
def test_fixture():
    step.run("work", live)

@pytest.mark.wfreplay(cassette="deep/../inside")
def test_inside():
    step.run("work", live)

@pytest.mark.wfreplay
def test_elsewhere():
    step.run("work", live)
"""
    )
    ran = project.record()
    out = {"test_marker": "../by-marker.yaml", "test_hook": "../by-hook.yaml", "test_fixture": "../../by-fixture.yaml"}
    assert ran.outcomes == {**dict.fromkeys(out, "failed"), "test_inside": "passed", "test_elsewhere": "passed"}
    for test, name in out.items():
        assert ran.told(test)[0] == f"ConfigurationError: The cassette {name!r} of test_it.py::{test} would lie outside of the cassette folder."
    assert not list(project.path.parent.rglob("by-*.yaml"))

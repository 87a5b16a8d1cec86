"""Cassettes that are missing, broken or edited, and folders that cannot be written: one clear error each, and nothing lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

TESTS = """
NAMES = Path(__file__).with_name("NAMES").read_text().split()

@pytest.mark.wfreplay
@pytest.mark.parametrize("name", NAMES)
def test_it(name):
    assert step.run("work", live, input={"n": 1, "text": "a\\nb"})["n"] in (1, 2)
"""


def broken(text: str) -> dict[str, tuple[str | bytes, str, str]]:
    """What is wrong -> the file, the class of the error, a colon where it names a line."""
    return {
        "empty": ("", "CassetteEmpty", ""),
        "blank": ("\n\n", "CassetteEmpty", ""),
        "truncated": (text[: len(text) // 2], "CassetteTruncated", ":"),
        "truncated-end": (text.removesuffix("# end\n"), "CassetteTruncated", ":"),
        "newer": (text.replace("format: 1", "format: 2"), "CassetteVersionError", ":"),
        "alias": ("format: 1\nruns: &a\n- workflow: null\n  steps: *a\n", "CassetteUnreadable", ":"),
        "duplicate": (text.replace("  - step: work\n", "  - step: work\n    step: work\n"), "CassetteUnreadable", ":"),
        "deep": ("format: 1\nruns: " + "[" * 30_000 + "]" * 30_000, "CassetteUnreadable", ":"),
        "deep-lines": ("format: 1\nruns:\n" + "".join(" " * at + "-\n" for at in range(400)), "CassetteUnreadable", ":"),
        "list": ("- 1\n- 2\n", "CassetteUnreadable", ":"),
        "number": ("7\n", "CassetteUnreadable", ":"),
        "runs-no-list": ("format: 1\nruns: 7\n", "CassetteUnreadable", ":"),
        "step-no-key": (text.replace("- step: work", "- stop: work"), "CassetteUnreadable", ":"),
        "tag": ("format: 1\nruns: !!python/object/apply:os.system ['touch LIVE']\n", "CassetteUnreadable", ":"),
        "binary": (b"\x00\xff\xfe\x80", "CassetteUnreadable", ":"),
        "utf-16": (text.encode("utf-16"), "CassetteUnreadable", ":"),
        "tab": (text.replace("    output:", "\toutput:"), "CassetteUnreadable", ":"),
    }


def test_a_cassette_that_cannot_be_used_is_told_apart_and_never_replayed_or_lost(project: Project) -> None:
    names = project.path / "NAMES"
    names.write_text("good")
    project.write(text=TESTS)
    assert project.record().code == 0
    text = project.cassette("test_it/test_it[good].yaml").read_text()
    files = broken(text)
    names.write_text(" ".join([*files, "missing", "folder", "edited"]))
    for name, (content, _, _) in files.items():
        path = project.cassette(f"test_it/test_it[{name}].yaml")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    project.cassette("test_it/test_it[folder].yaml").mkdir()
    project.cassette("test_it/test_it[edited].yaml").write_text(text.replace('"n": 1', '"n": 1   ').replace("# end\n", "# by hand\n# end\n"))

    ran = project.replay()
    assert ran.code == pytest.ExitCode.TESTS_FAILED
    assert not project.was_live
    problems = {name: ran.told(f"test_it[{name}]") for name in [*files, "missing", "folder"]}
    assert {name: told[0].partition(":")[0] for name, told in problems.items()} == {
        **{name: error for name, (_, error, _) in files.items()},
        "missing": "CassetteMissing",
        "folder": "CassetteUnreadable",
    }
    for name, (_, error, line) in files.items():
        place = f"{error}: cassettes/test_it/test_it[{name}].yaml:"
        assert problems[name][0].startswith(place)
        assert problems[name][0].removeprefix(place).partition(":")[0].isdigit() is (line != ""), problems[name][0]
        assert problems[name][1].endswith(f'ecord it again with pytest --record "test_it.py::test_it[{name}]".')
    assert {name for name, outcome in ran.outcomes.items() if outcome == "passed"} == {"test_it[edited]"}
    assert ran.summary == "wfreplay: 1 replayed, 0 recorded, 0 diverged, 1 unused cassettes"
    assert "  unused: cassettes/test_it/test_it[good].yaml" in ran.text.splitlines()
    for name, (content, _, _) in files.items():
        assert project.cassette(f"test_it/test_it[{name}].yaml").read_bytes() == (content if isinstance(content, bytes) else content.encode())

    ran = project.record()
    assert {name for name, outcome in ran.outcomes.items() if outcome != "passed"} == {"test_it[folder]"}
    told = ran.told("test_it[folder]")
    assert told[0].startswith("CassetteUnreadable: ")
    assert "it cannot be written: Is a directory" in told[0]
    assert project.replay("--deselect", "test_it.py::test_it[folder]").code == 0


FULL_DISK = """
import pytest
import resource

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item):
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
    try:
        return (yield)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""

TOO_LARGE = """
SIZE = int(Path(__file__).with_name("SIZE").read_text())

@pytest.mark.wfreplay
def test_records():
    step.run("work", live, input="x" * SIZE)

@pytest.mark.wfreplay
def test_fails():
    step.run("work", live, input="x" * SIZE)
    assert SIZE == 1

@pytest.mark.wfreplay
def test_elsewhere():
    step.run("work", live, input=SIZE)
"""


def test_a_full_disk_is_said_and_the_old_cassette_stays(project: Project) -> None:
    (project.path / "SIZE").write_text("1")
    project.write("conftest.py", FULL_DISK, prelude="")
    project.write(text=TOO_LARGE)
    assert project.record().code == 0
    before = {name: project.cassette(name).read_bytes() for name in project.cassettes}
    (project.path / "SIZE").write_text("50000")
    ran = project.record()
    assert ran.code == pytest.ExitCode.TESTS_FAILED
    told = ran.told("test_records")
    assert any("it cannot be written: File too large" in line for line in told), ran.text
    assert any(line.startswith("hint: Make room or mend the rights of its folder") for line in told)
    del before["test_it/test_elsewhere.yaml"]
    assert {name: project.cassette(name).read_bytes() for name in before} == before
    assert [name for name in project.cassettes if name.endswith(".tmp")] == []


def test_a_folder_that_cannot_be_is_said_for_each_test(project: Project) -> None:
    (project.path / "SIZE").write_text("1")
    project.write(text=TOO_LARGE)
    (project.path / "cassettes").write_text("a file")
    ran = project.record()
    assert ran.outcomes == {"test_records": "failed", "test_fails": "failed", "test_elsewhere": "failed"}
    told = ran.told("test_elsewhere")
    assert told[0].startswith("CassetteUnreadable: ")
    assert told[0].endswith("it cannot be written: Not a directory")
    ran = project.replay()
    assert ran.told("test_elsewhere")[0].startswith("CassetteMissing: ")
    project.ini("wfreplay_cassette_dir = /proc/nowhere")
    assert (
        project.record()
        .told("test_elsewhere")[0]
        .startswith("CassetteUnreadable: /proc/nowhere/test_it/test_elsewhere.partial: it cannot be written")
    )


IDS = """
LONG = "x" * 300

@pytest.mark.wfreplay
@pytest.mark.parametrize("given", range(9), ids=[LONG, LONG + "y", "a/b", "a:b", "../../up", "A", "a", "\\N{SNOWMAN}\\N{PILE OF POO}", "con"])
def test_id(given):
    assert step.run("work", live, input=given) == given

@pytest.mark.wfreplay
@pytest.mark.parametrize("given", ["a\\0b", "a\\nb", "..", ".", "/etc/passwd", ""])
def test_text(given):
    assert step.run("work", live, input=given) == given
"""


def test_every_id_has_a_cassette_of_its_own_below_the_folder(project: Project) -> None:
    project.write(text=IDS)
    ran = project.record()
    assert ran.code == 0, ran.text
    files = [name for name in project.cassettes if name.endswith(".yaml")]
    assert len({name.casefold() for name in files}) == 15
    assert not [path for path in project.path.rglob("*.yaml") if not path.is_relative_to(project.path / "cassettes")]
    ran = project.replay()
    assert ran.summary == "wfreplay: 15 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    assert not project.was_live

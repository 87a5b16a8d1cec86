"""Which cassettes are unused, whatever was left out of a session: never a false report, and never a false deletion."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pytest_wfreplay.plugin.settings import Settings
from pytest_wfreplay.plugin.tally import Tally
from pytest_wfreplay.plugin.unused import look, unclaimed
from pytest_wfreplay.recording.cassette import HEADER
from pytest_wfreplay.recording.modes import MODES

if TYPE_CHECKING:
    from conftest import Project

XDIST = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio")
LEAN = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio", "-p", "no:xdist")
WITH_CACHE = ("-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio", "-p", "no:xdist")

ONE = """
import os
import pytest
from pytest_wfreplay import step

TODAY = bool(os.environ.get("TODAY"))

@pytest.mark.wfreplay
def test_plain():
    step.run("work", print)

@pytest.mark.wfreplay
@pytest.mark.parametrize("number", range(int(os.environ.get("NUMBERS", "3"))))
def test_param(number):
    step.run("work", print, input=number)

@pytest.mark.wfreplay(cassette="shared")
class TestShared:
    def test_one(self):
        step.run("work", print)

    @pytest.mark.skipif(TODAY, reason="today")
    def test_two(self):
        step.run("work", print)

@pytest.mark.wfreplay
@pytest.mark.skipif(TODAY, reason="today")
def test_is_skipped():
    step.run("work", print)

@pytest.mark.wfreplay
def test_skips():
    if TODAY:
        pytest.skip("today")
    step.run("work", print)

@pytest.mark.wfreplay
@pytest.mark.xfail(TODAY, reason="today", run=False)
def test_is_not_run():
    step.run("work", print)

@pytest.mark.wfreplay
def test_fails():
    step.run("work", print)
    assert not TODAY

def test_ends(request):
    end = os.environ.get("END", "")
    if end == "crash":
        os._exit(1)
    if end == "exit":
        pytest.exit("enough")
    if end == "interrupt":
        raise KeyboardInterrupt
"""
TWO = """
import pytest
from pytest_wfreplay import step

@pytest.fixture(scope="module")
def made():
    return step.run("work", print)

@pytest.mark.wfreplay
def test_two(made):
    step.run("work", print)

def test_wants_it(wfreplay):
    step.run("work", print)
"""
NAMED = "import pytest\n@pytest.fixture\ndef wfreplay_cassette_name(request):\n    return 'by-name/' + request.node.name\n"
NAMED_TEST = "import os, pytest\nfrom pytest_wfreplay import step\n@pytest.mark.wfreplay\ndef test_named():\n    step.run('work', print)\n"
SKIPS_NAMED = NAMED_TEST.replace("@pytest.mark.wfreplay", "@pytest.mark.wfreplay\n@pytest.mark.skip")

GONE, DELETED = "test_one/test_gone.yaml", "test_deleted/test_it.yaml"
BOTH = {GONE, DELETED}
SHARD = "import pytest\n@pytest.hookimpl({how})\ndef pytest_collection_modifyitems(items):\n    {before}items[:] = items[::2]\n"


class Case(NamedTuple):
    """What is asked, and what must be deleted: these cassettes, or nothing, for that reason."""

    args: tuple[str, ...] = ()
    deleted: set[str] | str = BOTH
    files: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    environ: dict[str, str] = {}  # noqa: RUF012 - nor this
    lean: tuple[str, ...] = LEAN
    company: tuple[str, ...] = ()
    folder: str = "."


CASES = {
    "the whole suite": Case(),
    "a path that covers it": Case(("tests",)),
    "skips, xfails and failures": Case(environ={"TODAY": "1"}),
    "-k": Case(("-k", "plain"), "-k was given"),
    "-k from the environment": Case((), "-k was given", environ={"PYTEST_ADDOPTS": "-k plain"}),
    "-m": Case(("-m", "wfreplay"), "-m was given"),
    "a file": Case(("tests/test_one.py",), "not the whole suite was asked for"),
    "a node id": Case(("tests/test_one.py::test_plain",), "not the whole suite was asked for"),
    "all folders but one": Case(("tests/sub", "tests/named"), "not the whole suite was asked for"),
    "a subfolder to start in": Case((), "not the whole suite was asked for", folder="tests/sub"),
    "a folder to start in that has all tests": Case(folder="tests"),
    "--pyargs": Case(("--pyargs", "tests"), "--pyargs was given"),
    "--deselect": Case(("--deselect=tests/test_one.py::test_plain",), "--deselect was given"),
    "--ignore": Case(("--ignore=tests/sub",), "--ignore was given"),
    "--ignore-glob": Case(("--ignore-glob=*two*",), "--ignore-glob was given"),
    "--lf": Case(("--lf",), "--lf was given", lean=WITH_CACHE),
    "--ff": Case(("--ff",), BOTH, lean=WITH_CACHE),
    "--sw": Case(("--sw",), "--stepwise was given", lean=WITH_CACHE),
    "-x": Case(("-x",), "the session was stopped", environ={"TODAY": "1"}),
    "--maxfail": Case(("--maxfail=1",), "the session was stopped", environ={"TODAY": "1"}),
    "other test paths": Case(("-o", "testpaths=tests/sub"), "-o testpaths was given"),
    "--noconftest": Case(("--noconftest",), "--noconftest was given"),
    "a blocked plugin that may bring tests": Case(("-p", "no:python_yaml"), "-p no:python_yaml was given"),
    "a blocked plugin that brings none": Case(("-p", "no:randomly")),
    "another ini file": Case(("-c", "less.ini"), "-c was given", {"less.ini": "[pytest]\ntestpaths = tests/sub\n"}),
    "collect_ignore": Case((), {DELETED}, {"tests/conftest.py": "collect_ignore = ['test_one.py']\n"}),
    "a module that is skipped": Case(
        (), "tests/sub/test_two.py was skipped", {"tests/sub/test_two.py": "import pytest\npytest.importorskip('no_such')\n"}
    ),
    "a module that is broken": Case(
        ("--continue-on-collection-errors",), "tests/sub/test_two.py was not collected", {"tests/sub/test_two.py": "1 / 0\n"}
    ),
    "shards": Case((), "tests were deselected", {"conftest.py": SHARD.format(how="", before="")}),
    "early shards": Case((), "tests were deselected", {"conftest.py": SHARD.format(how="tryfirst=True", before="")}),
    "shards that come after everybody": Case((), "tests were deselected", {"conftest.py": SHARD.format(how="wrapper=True", before="yield; ")}),
    "a parameter less": Case((), {*BOTH, "test_one/test_param[2].yaml"}, environ={"NUMBERS": "2"}),
    "no parameters": Case((), "has no parameters today", environ={"NUMBERS": "0"}),
    "a skipped test whose cassette fixtures name": Case((), "nobody can say which cassette", {"tests/named/test_named.py": SKIPS_NAMED}),
    "reruns": Case(("--reruns=1",), BOTH, environ={"TODAY": "1"}, company=("rerunfailures",)),
    "pytest.exit": Case((), "the session was stopped", environ={"END": "exit"}),
    "KeyboardInterrupt": Case((), "the session was stopped", environ={"END": "interrupt"}),
    "xdist": Case(("-n", "2"), BOTH, environ={"TODAY": "1"}, lean=XDIST),
    **{
        f"xdist {dist}": Case(("-n", "2", f"--dist={dist}"), BOTH, lean=XDIST) for dist in ("loadscope", "loadfile", "loadgroup", "worksteal", "each")
    },
    "xdist -k": Case(("-n", "2", "-k", "plain"), "-k was given", lean=XDIST),
    "xdist -x": Case(("-n", "2", "-x"), "the session was stopped", environ={"TODAY": "1"}, lean=XDIST),
    "xdist and shards": Case(("-n", "2"), "tests were deselected", {"conftest.py": SHARD.format(how="", before="")}, lean=XDIST),
    "xdist and a crash": Case(("-n", "2"), "a worker crashed", environ={"END": "crash"}, lean=XDIST),
    "xdist and reruns": Case(("-n", "2", "--reruns=1"), BOTH, environ={"TODAY": "1"}, lean=XDIST, company=("rerunfailures",)),
    "xdist and a skipped module": Case(
        ("-n", "2"),
        "tests/sub/test_two.py was skipped",
        {"tests/sub/test_two.py": "import pytest\npytest.importorskip('no_such')\n"},
        lean=XDIST,
    ),
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is recorded, and has two cassettes more: of a test that is gone, and of a file that is."""
    root = tmp_path_factory.mktemp("recorded")
    files = {
        "pytest.ini": "[pytest]\ntestpaths = tests\n",
        "tests/test_one.py": ONE,
        "tests/sub/test_two.py": TWO,
        "tests/named/conftest.py": NAMED,
        "tests/named/test_named.py": NAMED_TEST,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "WFREPLAY"))}
    subprocess.run([sys.executable, "-m", "pytest", "-q", *WITH_CACHE, "--record"], cwd=root, env=environ, check=True, capture_output=True)
    _copy(root, "test_one/test_plain.yaml", GONE, ("test_plain", "test_gone"))
    _copy(root, "test_one/test_plain.yaml", DELETED, ("test_one.py::test_plain", "test_deleted.py::test_it"))
    # Neither is a cassette that is unused.
    _copy(root, "test_one/test_plain.yaml", "test_one/test_gone.failed.yaml", ("", ""))
    (root / "cassettes" / "by-hand.yaml").write_text("format: 1\nruns: []\n")
    return root


def _copy(root: Path, source: str, target: str, change: tuple[str, str]) -> None:
    path = root / "cassettes" / target
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((root / "cassettes" / source).read_text().replace(*change) if change[0] else (root / "cassettes" / source).read_text())


@pytest.mark.parametrize("name", CASES)
def test_only_what_no_test_of_a_complete_run_used_is_deleted(name: str, recorded: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    shutil.copytree(recorded, project.path, dirs_exist_ok=True)
    for file, text in case.files.items():
        (project.path / file).write_text(text)
    for variable, value in case.environ.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(project.path / case.folder)
    before = project.cassettes
    ran = project.run("--wfreplay-unused=delete", *case.args, lean=case.lean, company=case.company)
    gone = set(before) - set(project.cassettes)
    said = [line.strip() for line in ran.text.splitlines()]
    if isinstance(case.deleted, str):
        assert not gone, ran.text
        assert ran.summary.endswith("unused cassettes not looked for in a partial run"), ran.text
        [why] = [line for line in said if line.startswith("nothing deleted: ")]
        assert case.deleted in why
    else:
        assert gone == case.deleted, ran.text
        assert ran.summary.endswith(f"{len(gone)} unused cassettes")
        assert [line for line in said if line.startswith("deleted:")] == [f"deleted: cassettes/{path}" for path in sorted(gone)]
        assert (project.path / "cassettes" / "test_deleted").exists() is (DELETED not in gone), "an emptied folder goes, too"


def test_what_is_to_become_of_unused_cassettes_is_a_choice(recorded: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(recorded, project.path, dirs_exist_ok=True)
    before = project.cassettes
    ran = project.run("--wfreplay-unused=fail")
    listed = [f"  unused: cassettes/{path}" for path in sorted(BOTH)]
    lines = ran.text.splitlines()
    at = lines.index(ran.summary)
    assert (ran.code, ran.summary.split(", ")[-1], lines[at + 1 : at + 3]) == (1, "2 unused cassettes", listed)
    assert lines[at + 3] == "  unused cassettes fail this session (--wfreplay-unused=fail; delete them with --wfreplay-unused=delete)"
    assert project.run("--wfreplay-unused=fail", "-n", "2", lean=XDIST).code == 1
    assert project.run("--wfreplay-unused=fail", "-k", "plain").code == 0, "a partial run cannot say"
    ran = project.run("--wfreplay-unused=ignore")
    assert (ran.code, ran.summary.split(", ")[-1]) == (0, "unused cassettes not looked for")
    assert "unused: " not in ran.text
    assert project.run("--wfreplay-unused=delete", "--collect-only").code == 0
    ran = project.run("--wfreplay-unused=remove")
    assert ran.code == 4
    assert "--wfreplay-unused: 'remove' is no choice. Choose one of warn, fail, ignore, delete." in ran.text
    monkeypatch.setenv("CI", "true")
    ran = project.run("--wfreplay-unused=delete")
    assert (ran.code, project.cassettes) == (4, before)
    assert "--wfreplay-unused=delete, and CI is set: CI deletes nothing. Pass --wfreplay-allow-ci if you mean it." in ran.text
    assert project.run("--wfreplay-unused=delete", "--wfreplay-allow-ci").code == 0
    assert set(before) - set(project.cassettes) == BOTH


@pytest.mark.parametrize("nested", ["b", "a/b"])
def test_projects_that_share_a_folder_leave_each_other_alone(project: Project, monkeypatch: pytest.MonkeyPatch, nested: str) -> None:
    """Beside each other, or one within the other; a cassette of the one that lies outside of it says the way home."""
    one, other = project.path / "a", project.path / nested
    shared = one / "cassettes"
    for root, name in ((one, "one"), (other, "other")):
        (root / "tests").mkdir(parents=True)
        (root / "pytest.ini").write_text(f"[pytest]\ntestpaths = tests\nwfreplay_cassette_dir = {os.path.relpath(shared, root)}\n")
        text = f"from pytest_wfreplay import step\ndef test_{name}(wfreplay):\n    step.run('work', print)\n"
        (root / "tests" / f"test_{name}.py").write_text(text)
    for root in (one, other):
        monkeypatch.chdir(root)
        assert project.record().code == 0
    text = (shared / "test_other" / "test_other.yaml").read_text()
    home = os.path.relpath(other, shared / "test_other")
    assert text.startswith(f'{HEADER}cd {home} && pytest --record "tests/test_other.py::test_other"\n')
    (shared / "test_other" / "test_gone.yaml").write_text(text.replace("::test_other", "::test_gone"))
    for root, gone in ((one, set()), (other, {"test_other/test_gone.yaml"})):
        monkeypatch.chdir(root)
        before = {path.relative_to(shared).as_posix() for path in shared.rglob("*.yaml")}
        assert project.run("--wfreplay-unused=delete").code == 0
        assert before - {path.relative_to(shared).as_posix() for path in shared.rglob("*.yaml")} == gone


def _cassette(path: Path, command: str = 'pytest --record "tests/test_gone.py::test_it"') -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{command}\nformat: 1\nruns: []\n# end\n")
    return path


def _settings(root: Path, unused: str = "warn") -> Settings:
    return Settings(MODES[0], root, root / "cassettes", unused=unused)


def _tally(root: Path, *used: str) -> Tally:
    tally = Tally(root / "cassettes", began=2e9 * 10)
    for name in used:
        tally.claim(root / "cassettes" / name)
    return tally


def test_links_are_neither_followed_nor_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "cassettes"
    _cassette(folder / "unused.yaml")
    _cassette(folder / "real" / "a.yaml")
    _cassette(tmp_path / "elsewhere" / "b.yaml")
    (folder / "linked").symlink_to(folder / "real")
    (folder / "away").symlink_to(tmp_path / "elsewhere")
    (folder / "link.yaml").symlink_to(tmp_path / "elsewhere" / "b.yaml")
    found = look(_tally(tmp_path, "linked/a.yaml"), _settings(tmp_path, "delete"))
    assert found.deleted == (folder / "unused.yaml",)
    assert (folder / "link.yaml").exists()
    assert (folder / "real" / "a.yaml").exists()


def test_a_cassette_counts_as_claimed_whatever_its_name_is_spelled_like(tmp_path: Path) -> None:
    for name in ("Big.yaml", "u\u0308.yaml", "deep/x.yaml"):
        _cassette(tmp_path / "cassettes" / name)
    tally = _tally(tmp_path, "big.yaml", "\u00fc.yaml", "deep/../deep/x.yaml")
    assert look(tally, _settings(tmp_path)).unused == ()


def test_what_somebody_else_is_recording_is_not_unused(tmp_path: Path) -> None:
    path = _cassette(tmp_path / "cassettes" / "a.yaml")
    tally = _tally(tmp_path)
    tally.began = path.stat().st_mtime
    assert look(tally, _settings(tmp_path)).unused == ()
    tally.began += 1
    assert look(tally, _settings(tmp_path)).unused == (path,)


@pytest.mark.parametrize(
    ("command", "is_unused"),
    [
        ('pytest --record "tests/test_there.py::test_it"', False),
        ('pytest --record "tests/test_gone.py::test_it[asyncio]"', True),
        ("pytest --record", True),
        ('cd ../other && pytest --record "tests/test_gone.py::test_it"', False),
    ],
)
def test_a_cassette_may_speak_for_itself(tmp_path: Path, command: str, is_unused: bool) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_there.py").write_text("")
    path = _cassette(tmp_path / "cassettes" / "a.yaml", command)
    assert look(_tally(tmp_path), _settings(tmp_path)).unused == ((path,) if is_unused else ())
    if "asyncio" in command:
        assert look(_tally(tmp_path), _settings(tmp_path), blocked=frozenset({"anyio"})).unused == ()


def test_what_a_store_keeps_in_the_folder_is_no_tests(tmp_path: Path) -> None:
    _cassette(tmp_path / "cassettes" / "support-rec_0123456789ab.yaml", "pytest --record")
    assert look(_tally(tmp_path), _settings(tmp_path)).unused == ()


def test_a_folder_that_is_not_there_has_nothing_unused(tmp_path: Path) -> None:
    assert list(unclaimed(str(tmp_path / "nowhere"), set())) == []
    assert look(_tally(tmp_path), _settings(tmp_path)).unused == ()


def test_a_recording_that_crashed_is_named_in_a_partial_run_too_and_wherever_cassettes_lie(tmp_path: Path) -> None:
    line = '{"run": "rec_1", "began": {}, "command": "pytest --record \\"t.py::test_a\\""}\n'
    paths = [tmp_path / "cassettes" / "deep" / "a.partial", tmp_path / "others" / "b.partial"]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_text(line)
    tally = _tally(tmp_path)
    tally.leave_out("-k was given")
    tally.claim(tmp_path / "others" / "b.yaml")
    assert look(tally, _settings(tmp_path)).crashed == tuple((path, 'pytest --record "t.py::test_a"') for path in paths)

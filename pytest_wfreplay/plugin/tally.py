"""What a session did with its cassettes, counted once for each test; workers of pytest-xdist send home which they used."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_wfreplay.clock import SystemClock
from pytest_wfreplay.plugin.fixtures import settings_of

if TYPE_CHECKING:
    from pytest_wfreplay.plugin.unused import Found

#: Options that leave tests out, or the fixtures that name their cassettes, and how people spell them.
_NARROWING = {
    "keyword": "-k",
    "markexpr": "-m",
    "deselect": "--deselect",
    "ignore": "--ignore",
    "ignore_glob": "--ignore-glob",
    "lf": "--lf",
    "stepwise": "--stepwise",
    "noconftest": "--noconftest",
    "confcutdir": "--confcutdir",
    "pyargs": "--pyargs",
    "inifilename": "-c",
}
#: Settings that decide which tests there are and where cassettes lie: given on the command line, others are found than usually.
_FINDING = (
    *("testpaths", "python_files", "python_classes", "python_functions", "norecursedirs", "collect_imported_tests", "confcutdir"),
    "wfreplay_cassette_dir",
)
#: Plugins that bring no tests and change no test's name, so that nothing is missing where they are blocked. Any other may.
_HARMLESS = (
    "anyio asyncio benchmark cacheprovider capture cov debugging durations env faulthandler flaky forked html hypothesispytest inline_snapshot "
    "instafail junitxml logging metadata mock pastebin profiling pytest-cov pytest_cov pytest_mock pytest-randomly pytest_timeout randomly recording "
    "rerunfailures setuponly setupplan socket stepwise subtests sugar syrupy terminal terminalreporter threadexception timeout tmpdir "
    "unraisableexception warnings wfreplay xdist xdist.looponfail"
)


@dataclass(slots=True)
class Tally:
    """`folder` is where the session's cassettes lie. Names in `used` are paths below it, with slashes."""

    folder: Path
    #: What became of each test that was run, the last time if it was run again: the ledger writes it, where reports are heard.
    did: dict[str, str] = field(default_factory=dict)
    #: The cassettes that a test claimed, run or not.
    used: set[str] = field(default_factory=set)
    #: The folders of cassettes that lie elsewhere.
    elsewhere: set[str] = field(default_factory=set)
    #: The tests whose cassette fixtures decide when they run, and those of them that came to it.
    later: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    #: The files that were collected, as in node ids.
    files: set[str] = field(default_factory=set)
    #: When the first process of the session began to count, in seconds since the epoch.
    began: float = field(default_factory=lambda: SystemClock().now().timestamp())
    #: Why this run is a partial one: what was left out, so that a cassette nobody claimed may have its user all the same.
    left_out: list[str] = field(default_factory=list)
    #: What lay in the folder when the session had ended.
    found: Found | None = None

    @property
    def counts(self) -> Counter[str]:
        """How many tests did what."""
        return Counter(self.did.values())

    @property
    def gaps(self) -> list[str]:
        """Why this run is a partial one; nothing if it is complete."""
        unknown = sorted(self.later - self.known)
        return self.left_out + ([f"nobody can say which cassette {unknown[0]} would have used, for it did not run"] if unknown else [])

    @property
    def is_complete(self) -> bool:
        """Whether every test that there is was collected, so that a cassette nobody claimed is one that nobody uses."""
        return not self.gaps

    def claim(self, path: Path) -> None:
        """A test of ours uses (or, had it not been skipped, would have used) this cassette."""
        text, folder = str(path), f"{self.folder}{os.sep}"
        if not text.startswith(folder):
            self.elsewhere.add(str(path.parent))
            return
        name = text[len(folder) :].replace(os.sep, "/")
        self.used.add(os.path.normpath(name).replace(os.sep, "/") if ".." in name else name)

    def leave_out(self, why: str) -> None:
        """Something was not collected or did not run."""
        if why not in self.left_out:
            self.left_out.append(why)

    def add(self, sent: Mapping[str, Any]) -> None:
        """Add what a worker sent."""
        for name in _SETS:
            getattr(self, name).update(sent[name])
        self.began = min(self.began, sent["began"])
        for why in sent["left_out"]:
            self.leave_out(why)

    def send(self) -> dict[str, Any]:
        """What a worker sends: numbers and texts."""
        sets: dict[str, Any] = {name: sorted(getattr(self, name)) for name in _SETS}
        return {**sets, "began": self.began, "left_out": self.left_out}


_SETS = ("used", "elsewhere", "later", "known", "files")

TALLY = pytest.StashKey[Tally]()


def tally_of(config: pytest.Config) -> Tally:
    """The tally of a session; a new one knows what the command line leaves out."""
    if TALLY not in config.stash:
        settings = settings_of(config)
        # A worker of pytest-xdist was told what to run; its controller judges.
        gaps = [] if hasattr(config, "workerinput") else list(_left_out(config))
        config.stash[TALLY] = Tally(settings.cassette_dir, left_out=gaps)
    return config.stash[TALLY]


def blocked_plugins(config: pytest.Config) -> set[str]:
    """The plugins that somebody blocked for this one session, on the command line or in `PYTEST_ADDOPTS`."""
    args = [*map(str, config.invocation_params.args), *shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))]
    named = [arg[2:] or following for arg, following in pairwise([*args, ""]) if arg.startswith("-p")]
    return {name.strip().removeprefix("no:") for name in named if name.strip().startswith("no:")}


def _left_out(config: pytest.Config) -> Iterable[str]:
    """What the command line leaves out."""
    option = config.option
    yield from (f"{shown} was given" for name, shown in _NARROWING.items() if getattr(option, name, None))
    settings = [setting.partition("=")[0].strip() for setting in option.override_ini or ()]
    yield from (f"-o {setting} was given" for setting in settings if setting in _FINDING)
    yield from (f"-p no:{plugin} was given" for plugin in sorted(blocked_plugins(config).difference(_HARMLESS.split())))
    if not _covers_everything(config):
        yield "not the whole suite was asked for"


def _covers_everything(config: pytest.Config) -> bool:
    """Whether the arguments, given or not, cover all the folders in which the project says that tests lie."""
    root = config.rootpath
    asked = [Path(os.path.normpath(config.invocation_params.dir / arg)) for arg in config.args if "::" not in arg]
    said = [path for entry in config.getini("testpaths") for path in root.glob(os.path.normpath(entry))] if config.getini("testpaths") else []
    return all(any(folder == path or folder in path.parents for folder in asked) for path in said or [root])

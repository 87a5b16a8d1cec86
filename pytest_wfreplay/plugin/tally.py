"""What a session did with its cassettes, counted once for each test; workers of pytest-xdist send home which they used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Options that leave tests out.
_NARROWING = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise")
#: Settings that decide which tests there are: given on the command line, other tests are found than usually.
_FINDING = ("testpaths", "python_files", "python_classes", "python_functions", "norecursedirs", "collect_imported_tests")


@dataclass(slots=True)
class Tally:
    """`used` are the cassettes that a test claimed, as text; `folders` is where cassettes lie."""

    #: What became of each test that was run, the last time if it was run again: the ledger writes it, where reports are heard.
    did: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    #: Whether every test that there is was collected and run, so that a cassette nobody claimed is one that nobody uses.
    is_complete: bool = True

    @property
    def counts(self) -> Counter[str]:
        """How many tests did what."""
        return Counter(self.did.values())

    def claim(self, path: Path) -> None:
        """A test of ours uses (or, had it not been skipped, would have used) this cassette."""
        self.used.add(str(path))

    def add(self, sent: Mapping[str, Any]) -> None:
        """Add what a worker sent."""
        self.used.update(sent["used"])
        self.folders.update(sent["folders"])
        self.is_complete = self.is_complete and sent["is_complete"]

    def send(self) -> dict[str, Any]:
        """What a worker sends: numbers and texts."""
        return {"used": sorted(self.used), "folders": sorted(self.folders), "is_complete": self.is_complete}


TALLY = pytest.StashKey[Tally]()


def tally_of(config: pytest.Config) -> Tally:
    """The tally of a session; a new one knows what the command line leaves out."""
    if TALLY not in config.stash:
        config.stash[TALLY] = Tally(is_complete=is_whole_session(config))
    return config.stash[TALLY]


def is_whole_session(config: pytest.Config) -> bool:
    """Whether nothing on the command line leaves tests out. A worker of pytest-xdist was told what to run; its controller judges."""
    if hasattr(config, "workerinput"):
        return True
    option = config.option
    if any(getattr(option, name, None) for name in _NARROWING):
        return False
    if any(setting.partition("=")[0].strip() in _FINDING for setting in option.override_ini or ()):
        return False
    return config.args_source is not pytest.Config.ArgsSource.ARGS and config.invocation_params.dir == config.rootpath

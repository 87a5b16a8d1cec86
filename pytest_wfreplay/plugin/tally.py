"""What a session did with its cassettes, counted once for each test; workers of pytest-xdist send theirs home."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class Tally:
    """`did` counts what became of tests; `used` are the cassettes that a test claimed, as text; `folders` is where cassettes lie."""

    did: Counter[str] = field(default_factory=Counter)
    used: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    #: Whether every test that there is was run, so that a cassette nobody used is one that nobody uses.
    is_complete: bool = True

    def claim(self, path: Path) -> None:
        """A test of ours uses (or, had it not been skipped, would have used) this cassette."""
        self.used.add(str(path))

    def add(self, sent: Mapping[str, Any]) -> None:
        """Add what a worker sent."""
        self.did.update(sent["did"])
        self.used.update(sent["used"])
        self.folders.update(sent["folders"])
        # A crashed worker sends nothing, and nobody knows what it would have used.
        self.is_complete = False

    def send(self) -> dict[str, Any]:
        """What a worker sends: numbers and texts."""
        return {"did": dict(self.did), "used": sorted(self.used), "folders": sorted(self.folders)}


TALLY = pytest.StashKey[Tally]()


def tally_of(config: pytest.Config) -> Tally:
    """The tally of a session."""
    return config.stash.setdefault(TALLY, Tally())


def is_whole_session(config: pytest.Config) -> bool:
    """Whether nothing on the command line leaves tests out."""
    option = config.option
    narrowed = any(getattr(option, name, None) for name in ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "failedfirst", "stepwise"))
    return not narrowed and config.args_source is not pytest.Config.ArgsSource.ARGS and config.invocation_params.dir == config.rootpath

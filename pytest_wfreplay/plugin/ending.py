"""The end of a session, for whoever reports: gates are judged, what was asked for is written, and what is to be said of it is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_wfreplay.errors import WfreplayError
from pytest_wfreplay.plugin.fixtures import settings_of
from pytest_wfreplay.plugin.gates import NAMED, Verdict, judged
from pytest_wfreplay.plugin.ledger import Told, ledger_of
from pytest_wfreplay.plugin.tally import blocked_plugins
from pytest_wfreplay.plugin.unused import look
from pytest_wfreplay.plugin.written import write

if TYPE_CHECKING:
    from pytest_wfreplay.plugin.settings import Settings
    from pytest_wfreplay.plugin.tally import Tally

#: Where GitHub's runner wants to be told of a step.
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True, slots=True)
class Account:
    """What a session came to. `unused` is None where unused cassettes were not looked for; `exit_status` is pytest's."""

    mode: str
    tests: tuple[Told, ...]
    verdicts: tuple[Verdict, ...]
    unused: tuple[str, ...] | None
    exit_status: int

    @property
    def counts(self) -> dict[str, int]:
        """How many tests of ours there were, and how many did what."""
        did = [test.outcome for test in self.tests]
        return {"tests": len(did), **{outcome: did.count(outcome) for outcome in OUTCOMES}}


#: What can become of a take.
OUTCOMES = ("replayed", "recorded", "diverged", "verified", "accepted", "live", "failed", "skipped", "interrupted")

LINES = pytest.StashKey[list[str]]()


def conclude(session: pytest.Session, tally: Tally | None) -> None:
    """Judge, write, and let a gate that failed fail the session. What the summary says of it is kept under LINES."""
    config = session.config
    settings = settings_of(config)
    ledger = ledger_of(config)
    tests = tuple(sorted(ledger.tests.values(), key=lambda test: test.nodeid)) if ledger is not None else ()
    verdicts = tuple(judged(settings.gates, tests))
    if tally is not None:
        tally.found = look(tally, settings, blocked=frozenset(blocked_plugins(config)))
    has_unused = settings.unused == "fail" and tally is not None and tally.found is not None and bool(tally.found.unused)
    if has_unused or any(verdict.verdict == "failed" for verdict in verdicts):
        _fail(session)
    lines = [verdict.line(named=_named(config)) for verdict in verdicts if verdict.is_remarkable or _verbosity(config) >= 0]
    if settings.aids.mutates:
        lines += _mutated(session, tests)
    account = Account(settings.mode.name, tests, verdicts, _unused(tally, settings.root), int(session.exitstatus))
    lines += _written(session, settings, account)
    config.stash[LINES] = lines


def _written(session: pytest.Session, settings: Settings, account: Account) -> Iterator[str]:
    """Write what was asked for; what could not be written is said. Whoever asked for a file and gets none must not find the session green."""
    if settings.json_file is not None:
        from pytest_wfreplay.plugin.json_file import json_text

        try:
            write(settings.json_file, json_text(account, settings.redactor()), settings.redactor())
        except (OSError, WfreplayError) as error:
            _fail(session)
            yield f"wfreplay: --wfreplay-json={settings.json_file} was not written: {error}"
    target = os.environ.get(STEP_SUMMARY)
    if target and account.tests:
        from pytest_wfreplay.plugin.github import section

        try:
            with Path(target).open("a", encoding="utf-8") as file:
                file.write(section(account, settings.redactor()))
        except OSError as error:
            yield f"wfreplay: {STEP_SUMMARY} was not written: {error}"


def _mutated(session: pytest.Session, tests: tuple[Told, ...]) -> Iterator[str]:
    """What tests noticed of changes; one that noticed none fails the session."""
    from pytest_wfreplay.plugin.noticing import noticed_by, told

    noticed = noticed_by(tests)
    if any(one.asserts_nothing for one in noticed.values()):
        _fail(session)
    yield from told(noticed, is_verbose=_verbosity(session.config) > 0)


def _fail(session: pytest.Session) -> None:
    if session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _named(config: pytest.Config) -> int:
    """How many tests a line names: all of them for `-v`."""
    return NAMED if _verbosity(config) <= 0 else 1000


def _verbosity(config: pytest.Config) -> int:
    """How much people want to hear; with `-p no:terminal` nobody was asked."""
    return int(config.getoption("verbose", default=0))


def _unused(tally: Tally | None, root: Path) -> tuple[str, ...] | None:
    if tally is None or tally.found is None or tally.found.unused is None:
        return None
    return tuple(str(path.relative_to(root) if path.is_relative_to(root) else path) for path in tally.found.unused)

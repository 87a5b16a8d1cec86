"""What each test of ours came to, kept by whoever reports: the session itself, or the controller of pytest-xdist.

1. A test is counted once, however often it is run: the last time decides.
2. It is read off the reports, as they come: a worker that crashes takes along nothing but the test that it was running.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from pytest_wfreplay.plugin.tally import Tally

#: The results, as pytest has them, from the mildest to the gravest: of a test's reports the gravest counts.
RESULTS = ("interrupted", "skipped", "passed", "xpassed", "xfailed", "failed", "error")


@dataclass(slots=True)
class Told:
    """One test, the last time it was run. `facts` is what it told (see `telling`), nothing if its worker crashed before."""

    nodeid: str
    result: str = RESULTS[0]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """What became of its take: `replayed`, `recorded`, `diverged`, `verified`, `accepted`, `live`, `failed`, `skipped` or `interrupted`."""
        return str(self.facts.get("outcome") or ("failed" if self.result in ("failed", "error") else "interrupted"))


class Ledger:
    """Listens to the reports of a session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.tests: dict[str, Told] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A phase of some test has ended."""
        carried = getattr(report, "wfreplay", None)
        known = self.tests.get(report.nodeid)
        if carried is None and known is None:
            return
        if known is None or report.when == "setup":
            known = self.tests[report.nodeid] = Told(report.nodeid)
        if carried is not None:
            known.facts = json.loads(carried) if isinstance(carried, str) else carried
        known.result = max(known.result, _result(report), key=RESULTS.index)
        if known.result != RESULTS[0]:
            self._tally().did[report.nodeid] = known.outcome

    def _tally(self) -> Tally:
        from pytest_wfreplay.plugin.tally import tally_of

        return tally_of(self._config)


def ledger_of(config: pytest.Config) -> Ledger | None:
    """The ledger of a session, if it has one."""
    return config.pluginmanager.get_plugin("wfreplay-ledger")


def open_ledger(config: pytest.Config) -> None:
    """Let the session have a ledger; a worker of pytest-xdist has none, for its controller hears all of its reports."""
    if ledger_of(config) is None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Ledger(config), "wfreplay-ledger")


def _result(report: pytest.TestReport) -> str:
    """What a phase came to. A broken fixture is an error, a worker that crashed a failure; that fixtures were made decides nothing."""
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed:
        return "error" if report.when in ("setup", "teardown") else "failed"
    if report.skipped:
        return "skipped"
    if report.passed:
        return "passed" if report.when == "call" else RESULTS[0]
    # pytest-rerunfailures says `rerun` of a failure that is not the last word.
    return "failed"

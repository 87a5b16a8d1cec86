"""A session that does just some steps again (`--wfreplay-only`): a pattern that picks no step of any test is a mistake, and is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_wfreplay.plugin.takes import take_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_wfreplay.plugin.lasting import Lasting
    from pytest_wfreplay.recording.picked import Picked

#: What a test's report calls the keys of its recorded steps; reports travel home from workers of pytest-xdist.
_KEYS = "wfreplay_keys"


class Picking:
    """The hooks of such a session."""

    def __init__(self, picked: Picked) -> None:
        self._picked = picked
        self._keys: set[str] = set()
        self._told: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let a report say which steps its test had recorded; the last one, those of the fixtures that ended with it."""
        take = take_of(item)
        report = yield
        if call.when == "call" and take is not None and take.deck is not None:
            setattr(report, _KEYS, sorted(take.deck.recorded_keys))
        if call.when == "teardown":
            lasting: Lasting | None = item.config.pluginmanager.get_plugin("wfreplay-lasting")
            setattr(report, _KEYS, sorted(lasting.recorded_keys if lasting is not None else ()))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather the keys."""
        self._keys.update(getattr(report, _KEYS, ()))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a session in which a pattern picked nothing, as it would if an option were mistyped."""
        if hasattr(session.config, "workerinput") or not self._keys:
            return
        for pattern, nearest in self._picked.unmatched(self._keys):
            self._told.append(f"wfreplay: --wfreplay-only={pattern} picks no recorded step; nearest: {', '.join(nearest)}")
        if self._told and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which pattern, and the keys that are most like it."""
        for line in self._told:
            terminalreporter.write_line(line)

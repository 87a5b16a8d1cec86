"""The hooks that run for each test of a session that has tests of ours; `hooks` registers them when the collection has found one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from _pytest.compat import NOTSET

from pytest_wfreplay.errors import ConfigurationError, WfreplayError
from pytest_wfreplay.plugin.rivals import Plans, Rivals
from pytest_wfreplay.plugin.runners import insist_on
from pytest_wfreplay.plugin.take import Take
from pytest_wfreplay.plugin.telling import carry, place, tell
from pytest_wfreplay.plugin.traceback import tidy, words
from pytest_wfreplay.plugin.wishes import marker_wishes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.plugin.rivals import Plan
    from pytest_wfreplay.plugin.settings import Settings
    from pytest_wfreplay.plugin.tally import Tally
    from pytest_wfreplay.redact import Redactor

__tracebackhide__ = True

_take = pytest.StashKey[Take]()

#: Who makes the take of a test that is run more than once.
MAKER: pytest.StashKey[Callable[[pytest.Item, Plan, Settings, Redactor], Take]] = pytest.StashKey()


def take_of(item: pytest.Item) -> Take | None:
    """The take of a test that is being run."""
    return item.stash.get(_take, None)


class Takes:
    """The tests of ours, what each wished for, and which cassette it will use where that is known."""

    def __init__(self, settings: Settings, tally: Tally, items: list[pytest.Item]) -> None:
        self._settings = settings
        self._tally = tally
        # Whoever hears that it cannot be used hears it before the first test runs.
        settings.hosts()
        try:
            self._redactor = settings.redactor()
            settings.hiding()
        except ConfigurationError as error:
            raise pytest.UsageError(f"ini wfreplay_redact: {error} {error.hint}".rstrip()) from None
        plans = Plans(settings, self._redactor)
        self._plans = {item: plans.of(item, marker_wishes(item)) for item in items}
        self._rivals = Rivals()
        self._running: Take | None = None
        for item, plan in self._plans.items():
            if _has_no_parameters(item):
                self._tally.leave_out(f"{item.nodeid} has no parameters today")
            if plan.path is None:
                self._tally.later.add(item.nodeid)
            else:
                self._tally.claim(plan.path)
                self._rivals.claim(item.nodeid, plan.path, is_alone=plan.is_alone)
            names = getattr(item, "fixturenames", [])
            if "wfreplay" in names:
                names.remove("wfreplay")
            # First of all, so that the test's other fixtures find the cassette open.
            names.insert(0, "wfreplay")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """Give a test of ours its take; the fixture opens it."""
        plan = self._plans.get(item)
        if plan is not None:
            item.stash[_take] = item.stash.get(MAKER, Take)(item, plan, self._settings, self._redactor)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Run a test of ours inside its take."""
        take = take_of(item)
        if take is None:
            return (yield)
        rivals = self._rivals.claim(item.nodeid, take.path, is_alone=take.wishes.cassette is None)
        if rivals:
            message = f"{' and '.join(rivals)} claim one cassette, {take.shown}."
            raise ConfigurationError(message, hint='Rename one, or share it on purpose: @pytest.mark.wfreplay(cassette="shared").')
        self._running = take
        try:
            done = None
            with take.running():
                done = yield
            take.insist()
            return done
        finally:
            self._running = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        """Write what a test recorded when all of it has passed."""
        take = take_of(item)
        if take is None:
            return (yield)
        try:
            done = yield
            take.guard.tell_late()
        except BaseException:
            take.conclude(has_passed=False)
            raise
        take.conclude(has_passed=True)
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """While a test runs, what is reported of it are its subtests; one that failed raises nothing."""
        if self._running is not None and report.failed and report.nodeid == self._running.item.nodeid:
            self._running.has_failed_part = True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Show failures without our machinery, and count what became of the take."""
        take = take_of(item)
        if take is None:
            return (yield)
        error = call.excinfo.value if call.excinfo is not None else None
        has_words_only = False
        if error is not None and not getattr(item.config.option, "fulltrace", False):
            has_words_only = not tidy(error) and isinstance(error, WfreplayError)
            # pytest's own traceback was taken before.
            call.excinfo = pytest.ExceptionInfo.from_exception(error)
        told = self._told(take, call.when, error)
        report = yield
        if error is not None:
            insist_on(error, report, item)
        if told:
            carry(report, told, is_far=is_worker(item.config))
        if error is not None and has_words_only and report.failed:
            report.longrepr = words(error, item, report.longrepr)
        self._count(take)
        if call.when == "teardown":
            # What it read is not kept for the whole session.
            del item.stash[_take]
        return report

    def _told(self, take: Take, when: str, error: BaseException | None) -> dict[str, JSON]:
        """What the report of a phase is to tell. While the test still runs, it is that of a subtest, and tells nothing."""
        if self._running is take or (when == "teardown" and (error is None or take.did is not None)):
            return {}  # a broken teardown takes back that it was recorded, nothing else
        return tell(take, error) if when == "call" or error is not None else place(take)

    def _count(self, take: Take) -> None:
        # One that was skipped before its fixtures were made never says which cassette it would have used.
        if take.plan.path is None and take.is_open:
            self._tally.known.add(take.item.nodeid)
            self._tally.claim(take.path)


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def _has_no_parameters(item: pytest.Item) -> bool:
    """Whether the list of its parameters is empty here: on another machine it may not be."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and any(value is NOTSET for value in callspec.params.values())

"""Running a test again without anybody hearing of it: not whoever listens to reports, nor whoever gathers warnings."""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pytest_wfreplay.plugin.takes import Takes

if TYPE_CHECKING:
    from _pytest.nodes import Node


@contextlib.contextmanager
def held_back(item: pytest.Item) -> Iterator[list[pytest.TestReport]]:
    """While this lasts, the reports that a test makes of its subtests are heard by nobody but us; here they are.

    Subtests report themselves, whoever runs the test. pluggy has no public way to make a hook silent for a while.
    """
    heard: list[pytest.TestReport] = []
    implementations = item.config.hook.pytest_runtest_logreport._hookimpls  # noqa: SLF001 - see above
    before = list(implementations)
    implementations[:] = [one for one in before if isinstance(one.plugin, Takes)]
    listening = _Listening(heard)
    item.config.pluginmanager.register(listening)
    try:
        yield heard
    finally:
        item.config.pluginmanager.unregister(listening)
        implementations[:] = before


class _Listening:
    def __init__(self, heard: list[pytest.TestReport]) -> None:
        self._heard = heard

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._heard.append(report)


@contextlib.contextmanager
def without_a_trace(item: pytest.Item) -> Iterator[list[pytest.TestReport]]:
    """The same; and nobody hears of warnings, and of what goes wrong where nobody waits for it: it went wrong on purpose."""
    unraisable, in_thread = sys.unraisablehook, threading.excepthook
    sys.unraisablehook = lambda _: None
    threading.excepthook = lambda _: None
    try:
        with held_back(item) as subtests, warnings.catch_warnings(record=True):
            yield subtests
            gc.collect()  # what was left behind is to go wrong now, not in the next test
    finally:
        sys.unraisablehook, threading.excepthook = unraisable, in_thread


def quietly(item: pytest.Function, *, seconds: float) -> list[pytest.TestReport]:
    """Run a test, and report to nobody; wider fixtures stay alive. A phase that takes longer fails, where that can be seen to."""
    renew(item)
    item._initrequest()  # noqa: SLF001 - as pytest's own protocol does for a test that is run again
    try:
        reports = [_phase(item, "setup", seconds)]
        if reports[0].passed:
            reports.append(_phase(item, "call", seconds))
        reports.append(_phase(item, "teardown", seconds, nextitem=item.parent))
    finally:
        item._request = False  # type: ignore[assignment]  # noqa: SLF001 - as pytest does
        item.funcargs = None  # type: ignore[assignment]  # as pytest does
    return reports


def renew(item: pytest.Item) -> None:
    """Forget what a test left on its item, so that it begins afresh: pytest makes one instance of its class for each item."""
    if getattr(item, "_instance", None) is not None:
        del item._instance  # type: ignore[attr-defined]  # noqa: SLF001 - of functions; pytest makes another one
        item._obj = None  # type: ignore[attr-defined]  # noqa: SLF001 - it is bound to the old one
    failed = getattr(sys.modules.get("_pytest.subtests"), "failed_subtests_key", None)
    counts = item.config.stash.get(failed, None) if failed is not None else None
    for key in (item.nodeid, getattr(item, "id", None)):
        if counts:
            counts.pop(key, None)
    item._report_sections.clear()  # noqa: SLF001 - what was captured before belongs to that run


def _phase(item: pytest.Item, when: str, seconds: float, **given: Node | None) -> pytest.TestReport:
    hook = getattr(item.ihook, f"pytest_runtest_{when}")

    def run() -> None:
        with _at_most(seconds):
            hook(item=item, **given)

    call = pytest.CallInfo.from_call(
        run,
        when=when,  # type: ignore[arg-type]  # one of pytest's three
        reraise=(pytest.exit.Exception, KeyboardInterrupt),
    )
    report: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
    return report


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Interrupt what waits for ever: in the main thread, where the system has alarms, and if nobody else (pytest-timeout) has set one."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not hasattr(signal, "setitimer") or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return
    before = signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _interrupt(*_: object) -> None:
    pytest.fail("It waits for something that does not come any more.")

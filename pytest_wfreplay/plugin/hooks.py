"""What pytest calls, in the order in which it calls it. Imported by every pytest that finds us installed, so it imports next to nothing.

A session in which no test is marked costs the few lines of this file: the hooks that run for each test live in `takes`, which is registered
when the collection has found a test of ours.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_wfreplay.plugin import hookspec
from pytest_wfreplay.plugin.fixtures import settings_of, wfreplay, wfreplay_cassette_dir, wfreplay_cassette_name, wfreplay_config
from pytest_wfreplay.plugin.switches import add_switches, asked_for

if TYPE_CHECKING:
    from collections.abc import Generator

    from _pytest.nodes import Node

    from pytest_wfreplay.plugin.tally import Tally

__all__ = ["wfreplay", "wfreplay_cassette_dir", "wfreplay_cassette_name", "wfreplay_config"]

MARKER = (
    'wfreplay(cassette=None, mode=None, match="strict", ignore=(), max_age=None, redact=()): '
    "record the workflow runs and steps of this test into a cassette, or replay them from it."
)

_collected: pytest.StashKey[Collected] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what no other plugin would want."""
    add_switches(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make the hooks known that projects may implement."""
    pluginmanager.add_hookspecs(hookspec)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(parser: pytest.Parser) -> Generator[None, object, object]:
    """Add `--record` when the conftests have added theirs, and only if nobody has: a project that owns it must keep working.

    Entry-point plugins add their options before any conftest is loaded; whoever adds `--record` that early makes such a project crash.
    """
    loaded = yield
    # pytest has no public way to ask which options there are.
    groups = [*parser._groups, parser._anonymous]  # noqa: SLF001
    if not any("--record" in option.names() for group in groups for option in group.options):
        parser.getgroup("wfreplay").addoption(
            "--record", action="store_true", dest="wfreplay_record", default=False, help="Record cassettes anew; the same as --wfreplay=rewrite."
        )
    return loaded


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and refuse settings that cannot be meant."""
    config.addinivalue_line("markers", MARKER)
    if os.environ.get("WFREPLAY_MODE") or asked_for(config):
        settings_of(config)
    picked = settings_of(config).picked if config.getoption("wfreplay_only") else None
    if picked is not None:
        from pytest_wfreplay.plugin.picking import Picking

        config.pluginmanager.register(Picking(picked), "wfreplay-picking")
    config.stash[_collected] = Collected()
    config.pluginmanager.register(config.stash[_collected], "wfreplay-collected")


class Collected:
    """Whether everything was collected: a module that was skipped or broken takes its tests, and their cassettes, along."""

    def __init__(self) -> None:
        self.files: list[str] = []
        #: Why something is missing; nothing while nothing is.
        self.gap = ""

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Some file, class or folder was collected, or was not."""
        if report.outcome != "passed":
            self.gap = f"{report.nodeid or 'a file'} was {'skipped' if report.outcome == 'skipped' else 'not collected'}"
        elif "::" not in report.nodeid:
            self.files.append(report.nodeid)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, None, None]:
    """When everybody has had a hand in the collection, hand the tests that are ours to the hooks that run them."""
    found = list(items)
    yield
    if config.option.collectonly:
        return
    try:
        _hand_over(config, found, items)
    except pytest.UsageError as error:
        output = getattr(config, "workeroutput", None)
        if output is None:
            raise
        # Of what a worker of pytest-xdist raises, its controller shows nothing: it is sent home, to be raised there.
        output["wfreplay-usage"] = str(error)
        items.clear()


def _hand_over(config: pytest.Config, found: list[pytest.Item], items: list[pytest.Item]) -> None:
    """Register the hooks that run the tests that are ours, if there are any. Raises `pytest.UsageError` for settings and markers that cannot be."""
    parents: dict[Node, bool] = {}
    ours = [item for item in items if "wfreplay" in getattr(item, "fixturenames", ()) or _is_marked(item, parents)]
    if not ours and not config.option.wfreplay_unused:
        return
    from pytest_wfreplay.plugin.lasting import Lasting
    from pytest_wfreplay.plugin.ledger import open_ledger
    from pytest_wfreplay.plugin.takes import Takes
    from pytest_wfreplay.plugin.tally import tally_of

    open_ledger(config)

    tally = tally_of(config)
    tally.files.update(config.stash[_collected].files)
    if not set(map(id, found)) <= set(map(id, items)):
        tally.leave_out("tests were deselected")
    config.pluginmanager.register(Takes(settings_of(config), tally, ours), "wfreplay-takes")
    config.pluginmanager.register(Lasting(settings_of(config), tally, ours), "wfreplay-lasting")
    aids = settings_of(config).aids
    if aids.any:
        from pytest_wfreplay.plugin.again import Again

        config.pluginmanager.register(Again(aids, ours), "wfreplay-again")


def _is_marked(node: Node, parents: dict[Node, bool]) -> bool:
    """Whether a node or one above it has our marker; each of those above is asked once."""
    if any(marker.name == "wfreplay" for marker in node.own_markers):
        return True
    parent = node.parent
    if parent is None:
        return False
    if parent not in parents:
        parents[parent] = _is_marked(parent, parents)
    return parents[parent]


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Explain what was asked of a trace."""
    if not any(type(side).__module__.startswith("pytest_wfreplay.") for side in (left, right)):
        return None
    from pytest_wfreplay.plugin.explain import explain

    return explain(op, left, right)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A session that was stopped has not run every test. In a worker of pytest-xdist: send home what was counted; else conclude."""
    config = session.config
    tally = _tally(config)
    output = getattr(config, "workeroutput", None)
    if tally is not None:
        has_ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not session.shouldstop and not session.shouldfail
        for why in ("" if has_ended else "the session was stopped", config.stash[_collected].gap):
            if why:
                tally.leave_out(why)
        if output is not None:
            output["wfreplay"] = tally.send()
    if output is None and not config.option.collectonly and (tally is not None or asked_for(config)):
        from pytest_wfreplay.plugin.ending import conclude

        conclude(session, tally)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodeready(node: object) -> None:
    """Workers of pytest-xdist collect; their controller, which reports, does not."""
    from pytest_wfreplay.plugin.ledger import open_ledger

    open_ledger(node.config)  # type: ignore[attr-defined]  # xdist's WorkerController


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object, error: object) -> None:
    """Add what a worker of pytest-xdist sent home; of one that crashed nobody knows what it has done."""
    config: pytest.Config = node.config  # type: ignore[attr-defined]  # xdist's WorkerController
    output = getattr(node, "workeroutput", {})
    if "wfreplay-usage" in output:
        raise pytest.UsageError(output["wfreplay-usage"])
    sent = output.get("wfreplay")
    if sent is not None:
        from pytest_wfreplay.plugin.tally import tally_of

        tally_of(config).add(sent)
    if error:
        config.stash[_collected].gap = "a worker crashed"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line for the whole session, if it had a test of ours; and what else is to be said."""
    tally = _tally(config)
    if tally is not None:
        from pytest_wfreplay.plugin.summary import summary

        for line in summary(tally, config.rootpath, choice=settings_of(config).unused):
            terminalreporter.write_line(line)
    ending = sys.modules.get("pytest_wfreplay.plugin.ending")
    for line in config.stash.get(ending.LINES, ()) if ending is not None else ():
        terminalreporter.write_line(line)


def _tally(config: pytest.Config) -> Tally | None:
    """What was counted, if there was a test of ours; what counts is not even imported before."""
    module = sys.modules.get("pytest_wfreplay.plugin.tally")
    return None if module is None else config.stash.get(module.TALLY, None)

"""Tests of ours are run again, in the same process and at once: from what they have just recorded, in another order, or from what was changed.

1. A test is reported once: its first run, or the run after it that failed.
2. What outlasts the test stays alive between its runs, and is torn down after the last one.
3. Whoever else would run tests again (pytest-rerunfailures) is not asked for these: they say what the test is, not what it was this time.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from _pytest.runner import runtestprotocol

from pytest_wfreplay.errors import CassetteError
from pytest_wfreplay.plugin.aids import ALWAYS, MUTATE, SHUFFLE
from pytest_wfreplay.plugin.commands import quoted
from pytest_wfreplay.plugin.encore import Encore, EncoreTake, Held
from pytest_wfreplay.plugin.noticing import MOST, Noticed
from pytest_wfreplay.plugin.runners import is_skip
from pytest_wfreplay.plugin.take import REPLAYED, Take
from pytest_wfreplay.plugin.takes import MAKER, take_of
from pytest_wfreplay.plugin.telling import ATTRIBUTE, carry
from pytest_wfreplay.plugin.traceback import divergence_in
from pytest_wfreplay.plugin.unheard import held_back, quietly, renew, without_a_trace
from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.mutation import mutants

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_wfreplay.plugin.aids import Aids

#: Seconds after which a test that was changed is taken to wait for what does not come any more; besides twice the time that it took unchanged.
_LONGEST = 10.0


class Again:
    """The hooks of a session that runs tests again."""

    def __init__(self, aids: Aids, items: list[pytest.Item]) -> None:
        self._aids = aids
        self._items = frozenset(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a test of ours, run it again, and report it."""
        if item not in self._items or not isinstance(item, pytest.Function):
            return None
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = self._reports(item)
        for report in reports[:-1]:
            hook.pytest_runtest_logreport(report=report)
        for report in _with_wider(item, nextitem, reports[-1]):
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Say of a failure which run it was."""
        take = take_of(item)
        if isinstance(take, EncoreTake) and call.excinfo is not None and take.encore.note:
            error = call.excinfo.value
            if not is_skip(error) and not isinstance(error, CassetteError):
                error.add_note(take.encore.note)
                if divergence_in(error) is None:  # else its report says so
                    error.add_note(take.encore.command)
        return (yield)

    def _reports(self, item: pytest.Function) -> list[pytest.TestReport]:
        """Run a test as often as was asked for: the reports of its setup, call and teardown."""
        before = list(item.user_properties)
        first = _Maker(Held if self._aids.always_replays else Take)
        with _made_by(item, first):
            reports = _run(item)
        take = first.take
        if take is None or take.deck is None or not all(map(_is_well, reports)):
            return reports
        after = list(item.user_properties)
        for encore in self._encores(take):
            item.user_properties[:] = before
            again, subtests = _run_again(item, encore)
            if not all(map(_is_well, again)) or any(report.failed for report in subtests):
                for report in subtests:
                    item.ihook.pytest_runtest_logreport(report=report)
                return again
            reports[-1] = again[-1]
        if self._aids.mutates and take.did == REPLAYED and take.deck.act == "replay" and all(report.passed for report in reports):
            item.user_properties[:] = before
            _tell(reports[1], _noticed(item, take.deck.recorded, seconds=_LONGEST + 2 * reports[1].duration))
        item.user_properties[:] = after
        reports[-1].user_properties = list(after)
        return reports

    def _encores(self, take: Take) -> Iterator[Encore]:
        """What a test that has passed is to be run again from."""
        deck = take.deck
        if isinstance(take, Held) and take.is_waiting:
            yield Encore(
                take.written,
                "recorded, then replayed at once: this differs, so the test, or what it calls, is not deterministic; its cassette is as it was",
                f"see it again: pytest --record {ALWAYS} {quoted(take.selection)}",
                held=take,
            )
        elif self._aids.seed is not None and deck is not None and take.did == REPLAYED and deck.act == "replay":
            option = f"{SHUFFLE}={self._aids.seed}"
            yield Encore(
                lambda: deck.recorded,
                f"order-dependent? it passes in the recorded order, and was replayed with {option}",
                f"see it again: pytest {option} {quoted(take.selection)}",
                seed=self._aids.seed,
            )


def _is_well(report: pytest.TestReport) -> bool:
    """Whether a phase went as it should; it may have failed as expected."""
    return report.passed or hasattr(report, "wasxfail")


class _Maker:
    """Makes the take of a test, and knows it afterwards."""

    def __init__(self, make: Callable[..., Take]) -> None:
        self._make = make
        self.take: Take | None = None

    def __call__(self, *given: object) -> Take:
        self.take = self._make(*given)
        return self.take


@contextlib.contextmanager
def _made_by(item: pytest.Item, maker: Callable[..., Take]) -> Iterator[None]:
    item.stash[MAKER] = maker
    try:
        yield
    finally:
        del item.stash[MAKER]


def _run(item: pytest.Function) -> list[pytest.TestReport]:
    renew(item)
    # What its parent needs is what stays alive.
    return runtestprotocol(item, log=False, nextitem=item.parent)  # type: ignore[arg-type]  # it only asks who stands above


def _run_again(item: pytest.Function, encore: Encore) -> tuple[list[pytest.TestReport], list[pytest.TestReport]]:
    """Its reports, and those that its subtests made."""
    with _made_by(item, partial(EncoreTake, encore)), held_back(item) as subtests:
        return _run(item), subtests


def _noticed(item: pytest.Function, cassette: Cassette, *, seconds: float) -> Noticed:
    """Run a test from each mutant of its cassette, and see which it notices."""
    changes, unnoticed, has_more = 0, [], False
    with without_a_trace(item) as subtests:
        for number, (change, mutant) in enumerate(islice(mutants(cassette), MOST + 1)):
            if number == MOST:
                has_more = True
                break
            subtests.clear()
            with _made_by(item, partial(EncoreTake, Encore(partial(Cassette, mutant.runs), match="keys"))):
                reports = quietly(item, seconds=seconds)
            changes += 1
            if not any(report.failed or (report.skipped and hasattr(report, "wasxfail")) for report in (*reports, *subtests)):
                unnoticed.append(change)
        renew(item)
    return Noticed(changes, tuple(unnoticed), has_more=has_more)


def _tell(report: pytest.TestReport, noticed: Noticed) -> None:
    """Let the report of a test's call carry what its mutants came to."""
    carried = getattr(report, ATTRIBUTE, {})
    facts = json.loads(carried) if isinstance(carried, str) else carried
    carry(report, {**facts, MUTATE: noticed.as_json()}, is_far=isinstance(carried, str))


def _with_wider(item: pytest.Item, nextitem: pytest.Item | None, report: pytest.TestReport) -> Iterator[pytest.TestReport]:
    """Tear down what outlasted the test and has no further use. If that fails, it is said in place of a teardown that went well."""
    session = item.session
    keeps = None if session.shouldfail or session.shouldstop else nextitem
    capture = item.config.pluginmanager.getplugin("capturemanager")
    with capture.item_capture("teardown", item) if capture is not None else contextlib.nullcontext():
        call = pytest.CallInfo.from_call(
            lambda: session._setupstate.teardown_exact(keeps),  # noqa: SLF001 - what pytest's own teardown does
            when="teardown",
            reraise=(pytest.exit.Exception, KeyboardInterrupt),
        )
    if call.excinfo is None:
        yield report
        return
    if report.failed:
        yield report
    wider: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
    yield wider

"""The hooks that run for each test of a session that has tests of ours; `hooks` registers them when the collection has found one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_wfreplay.errors import ConfigurationError, WfreplayError
from pytest_wfreplay.plugin.take import Take
from pytest_wfreplay.plugin.traceback import Words, tidy
from pytest_wfreplay.plugin.wishes import Wishes, marker_wishes
from pytest_wfreplay.recording.names import cassette_path
from pytest_wfreplay.steps.scope import entered

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_wfreplay.plugin.settings import Settings
    from pytest_wfreplay.plugin.tally import Tally

__tracebackhide__ = True

_take = pytest.StashKey[Take]()


def take_of(item: pytest.Item) -> Take | None:
    """The take of a test that is being run."""
    return item.stash.get(_take, None)


class Takes:
    """The tests of ours, and what each wished for."""

    def __init__(self, settings: Settings, tally: Tally, items: list[pytest.Item]) -> None:
        self._settings = settings
        self._tally = tally
        self._wishes = {item: marker_wishes(item) for item in items}
        self._claims = _claims(settings, self._wishes)
        self._tally.folders.add(str(settings.cassette_dir))
        for item in items:
            self._tally.claim(settings.cassette_dir / cassette_path(item.nodeid, testpaths=settings.testpaths))
        for item in items:
            names = getattr(item, "fixturenames", [])
            if "wfreplay" in names:
                names.remove("wfreplay")
            # First of all, so that the test's other fixtures find the cassette open.
            names.insert(0, "wfreplay")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        """Give a test of ours its take; the fixture opens it."""
        if item in self._wishes:
            item.stash[_take] = Take(item, self._settings, self._wishes[item])
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
        """Keep what outlives a test out of its cassette: the next test would not run it again."""
        if fixturedef.scope == "function":
            return (yield)
        with entered(None):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Run a test of ours inside its take."""
        take = take_of(item)
        if take is None:
            return (yield)
        rivals = self._claims.get(item, ())
        if rivals:
            raise ConfigurationError(f"{' and '.join(rivals)} claim one cassette.", hint='Say so with @pytest.mark.wfreplay(cassette="shared").')
        with take.running():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Show what we raise without our machinery, and count what became of the take."""
        take = take_of(item)
        if take is None:
            return (yield)
        has_words_only = not item.config.option.fulltrace and tidy(call)
        report = yield
        if has_words_only and report.failed and call.excinfo is not None and isinstance(call.excinfo.value, WfreplayError):
            report.longrepr = Words(call.excinfo.value)  # type: ignore[assignment]  # it has the shape that pytest asks for
        if call.when == "call":
            self._tally.did[take.did or "failed"] += 1
        self._tally.claim(take.path)
        return report

    def pytest_deselected(self) -> None:
        """Some tests are left out, so nothing is known to be unused."""
        self._tally.is_complete = False


def _claims(settings: Settings, wishes: dict[pytest.Item, Wishes]) -> dict[pytest.Item, tuple[str, ...]]:
    """For each test whose cassette another one claims, all that do. A cassette that is named in the marker is shared on purpose."""
    paths: dict[str, list[pytest.Item]] = {}
    for item, wish in wishes.items():
        if wish.cassette is None:
            paths.setdefault(str(cassette_path(item.nodeid, testpaths=settings.testpaths)).casefold(), []).append(item)
    return {item: tuple(one.nodeid for one in items) for items in paths.values() if len(items) > 1 for item in items}

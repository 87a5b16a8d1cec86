"""Fixtures that outlast a test: one that runs a workflow or a step has a cassette of its own, for the next test would not run it again.

1. It is ours when a test of ours names it, itself or through other fixtures, or is the first to ask for it; whoever else uses it too.
2. Its cassette lies where the fixture belongs: with the session's, where it is defined; with the others', in the folder of their module or package.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.plugin.lasting_take import LastingTake
from pytest_wfreplay.plugin.rivals import Plan
from pytest_wfreplay.plugin.wishes import marker_wishes
from pytest_wfreplay.plugin.within import InScope, within
from pytest_wfreplay.recording.names import cassette_path
from pytest_wfreplay.steps.scope import current, entered

if TYPE_CHECKING:
    from collections.abc import Generator

    from _pytest.nodes import Node

    from pytest_wfreplay.plugin.settings import Settings
    from pytest_wfreplay.plugin.tally import Tally

__tracebackhide__ = True

_Use: TypeAlias = "tuple[pytest.FixtureDef[Any], Node, str]"

#: Whose fixtures run no workflows.
_STRANGERS = ("_pytest.", "pytest_wfreplay.", "pytest_asyncio.", "anyio.", "xdist.")


class Lasting:
    """The fixtures of wider scope than a function that tests of ours need, and the cassettes that they may have."""

    def __init__(self, settings: Settings, tally: Tally, items: list[pytest.Item]) -> None:
        self.settings = settings
        self.redactor = settings.redactor()
        self._tally = tally
        self._items = frozenset(items)
        #: The tests that have not come to their end: nobody knows what they would have asked for by `request.getfixturevalue`.
        self._unfinished = set(items)
        self._disclaimed: set[Path] = set()
        #: The keys of the steps that stood in the cassettes of fixtures.
        self.recorded_keys: set[str] = set()
        #: The first test of ours that needs a fixture, by the fixture, the node that it lives as long as, and its parameter.
        self._users: dict[_Use, pytest.Item] = {}
        self._found: set[pytest.FixtureDef[Any]] = set()
        for item in items:
            for fixturedef in _lasting(item):
                self._found.add(fixturedef)
                self._users.setdefault(_use(item, fixturedef), item)
        #: The cassettes that fixtures may have.
        self._possible = {self._path(item, use[0]) for use, item in self._users.items()}
        self._claims: dict[str, tuple[object, ...]] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Generator[None, object, object]:
        """Run a fixture that outlasts a test within its own take, and keep all such out of the cassettes of tests."""
        if fixturedef.scope == "function":
            if "anyio_backend" not in request.fixturenames or current.get() is None:
                return (yield)
            # anyio runs it in a task that may have begun before this test.
            return (yield from _running(fixturedef, within(_bound(fixturedef, request), InScope(current.get()))))
        with entered(None):
            if not self._is_ours(fixturedef, request._pyfuncitem):  # noqa: SLF001 - the test that it is made for
                return (yield)
            return (yield from _running(fixturedef, within(fixturedef.func, self._take(fixturedef, request))))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """A test that comes to its end has asked for whatever it asks for."""
        done = yield
        self._unfinished.discard(item)
        return done

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """A fixture that was never made, because its tests were skipped, may still have a cassette."""
        possible = {*self._possible, *(self.settings.cassette_dir.rglob("*fixture.*.yaml") if self._unfinished else ())}
        for path in possible - self._disclaimed:
            self._tally.claim(path)

    def _is_ours(self, fixturedef: pytest.FixtureDef[Any], item: pytest.Item) -> bool:
        return fixturedef in self._found or (item in self._items and _is_of_the_project(fixturedef))

    def claim(self, take: LastingTake) -> None:
        """A fixture has a cassette.

        Raises:
            ConfigurationError: another one has it.
        """
        self._tally.claim(take.path)
        self.recorded_keys |= take.deck.recorded_keys if take.deck is not None else set()
        if self._claims.setdefault(str(take.path).casefold(), take.identity) != take.identity:
            raise ConfigurationError(f"{take.what} is not the only one whose cassette is {take.shown}.", hint="Rename it.")

    def disclaim(self, take: LastingTake) -> None:
        """A fixture has shown that it has none."""
        if take.plan.path is not None:
            self._disclaimed.add(take.plan.path)

    def _take(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> LastingTake:
        first = request._pyfuncitem  # noqa: SLF001 - see above
        # Whichever test comes first, what people are told to type is the same, and records.
        item = self._users.get(_use(first, fixturedef), first)
        wishes = dataclasses.replace(marker_wishes(_node(item, fixturedef)), cassette=None)
        return LastingTake(item, request, Plan(wishes, self._path(item, fixturedef)), self)

    def _path(self, item: pytest.Item, fixturedef: pytest.FixtureDef[Any]) -> Path:
        parameter = self._clean_parameter(item, fixturedef)
        name = f"fixture.{fixturedef.argname}{parameter}"
        if fixturedef.scope == "session":
            where = _defined_in(fixturedef)
        else:
            where = _node(item, fixturedef).nodeid
            known = item.session._fixturemanager.getfixturedefs(fixturedef.argname, item) or ()  # noqa: SLF001 - pytest has no public way to ask
            over = len(known) - 1 - known.index(fixturedef) if fixturedef in known else 0
            # A fixture that another one of its name builds upon is made for the same node.
            name = f"fixture.{fixturedef.argname}{f'.{over}' if over else ''}{parameter}"
        return self.settings.cassette_dir / cassette_path(f"{where}::{name}", testpaths=self.settings.testpaths)

    def _clean_parameter(self, item: pytest.Item, fixturedef: pytest.FixtureDef[Any]) -> str:
        """The parameter without secrets; one that holds any is told apart by its place among the others, as those of tests are."""
        parameter = _parameter(item, fixturedef)
        clean = self.redactor.text(parameter)
        return clean if clean == parameter else f"{clean.removesuffix(']')}={item.callspec.indices[fixturedef.argname] + 1}]"  # type: ignore[attr-defined]  # it has one


def _use(item: pytest.Item, fixturedef: pytest.FixtureDef[Any]) -> _Use:
    return fixturedef, _node(item, fixturedef), _parameter(item, fixturedef)


def _lasting(item: pytest.Item) -> list[pytest.FixtureDef[Any]]:
    """The fixtures of the project that a test needs and that outlast it."""
    known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    return [one for found in known.values() for one in found if one.scope != "function" and _is_of_the_project(one)]


def _is_of_the_project(fixturedef: pytest.FixtureDef[Any]) -> bool:
    return not f"{getattr(fixturedef.func, '__module__', '')}.".startswith(_STRANGERS)


def _node(item: pytest.Item, fixturedef: pytest.FixtureDef[Any]) -> Node:
    """The node that a fixture lives as long as, found as pytest finds it."""
    if fixturedef.scope == "session":
        return item.session
    if fixturedef.scope == "package":
        return next((node for node in item.iter_parents() if node.nodeid == fixturedef.baseid), item.session)
    return item.getparent(pytest.Module if fixturedef.scope == "module" else pytest.Class) or item


def _defined_in(fixturedef: pytest.FixtureDef[Any]) -> str:
    """The file in which a fixture of the session is defined, as in node ids; a plugin's module stands for its file."""
    base = fixturedef.baseid.removeprefix(".")
    if "::" in base or base.endswith(".py"):
        return base
    module = str(getattr(fixturedef.func, "__module__", None) or "conftest")
    return f"{base}/{'conftest' if module.endswith('conftest') else module}.py"


def _parameter(item: pytest.Item, fixturedef: pytest.FixtureDef[Any]) -> str:
    """The parameter of a fixture as it stands in the name of its cassette: `[eu]`, nothing for one that has none."""
    callspec = getattr(item, "callspec", None)
    if callspec is None or fixturedef.argname not in callspec.params:
        return ""
    index = callspec.indices[fixturedef.argname]
    texts = [_text(fixturedef, at, value) for at, value in enumerate(fixturedef.params or ())]
    if index >= len(texts):  # the test gives it, indirectly
        return f"[{_text(fixturedef, index, callspec.params[fixturedef.argname])}]"
    return f"[{texts[index]}{f'.{index}' if texts.count(texts[index]) > 1 else ''}]"


def _text(fixturedef: pytest.FixtureDef[Any], index: int, value: object) -> str:
    """One parameter as text, as pytest's own ids have it."""
    ids = fixturedef.ids
    named = ids(value) if callable(ids) else ids[index] if ids is not None and index < len(ids) else None
    if named is not None:
        return str(named)
    return str(value) if value is None or isinstance(value, str | int | float | bool) else f"{fixturedef.argname}{index}"


def _bound(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Any:
    """The fixture's function, a method bound to the test's own instance."""
    function: Any = fixturedef.func
    instance = request.instance
    owner = getattr(function, "__self__", None)
    return function.__func__.__get__(instance) if instance is not None and type(owner) is type(instance) else function


def _running(fixturedef: pytest.FixtureDef[Any], function: Any) -> Generator[None, object, object]:
    """Let whoever runs fixtures run this function for one."""
    own = fixturedef.func
    fixturedef.func = function  # type: ignore[misc]  # pytest-asyncio and anyio do just this
    try:
        return (yield)
    finally:
        fixturedef.func = own  # type: ignore[misc]  # see above

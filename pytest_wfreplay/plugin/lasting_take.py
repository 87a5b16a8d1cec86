"""The take of one fixture that outlasts a test: its cassette is opened by the first run or step, and written when its teardown has passed.

1. A fixture that runs nothing has no cassette, and nothing is asked of it.
2. What is wrong with the cassette, and what diverges, is the fixture's own error: every test that needs it is told.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_wfreplay.errors import CassetteMissing, ConfigurationError
from pytest_wfreplay.plugin.refused import refusing
from pytest_wfreplay.plugin.take import Take
from pytest_wfreplay.plugin.threads import carrying_context
from pytest_wfreplay.plugin.traceback import carries
from pytest_wfreplay.steps.scope import Scope, entered

if TYPE_CHECKING:
    from pytest_wfreplay.deck import Deck, Treatment
    from pytest_wfreplay.plugin.lasting import Lasting
    from pytest_wfreplay.plugin.rivals import Plan
    from pytest_wfreplay.steps.line import Line

__tracebackhide__ = True

#: From the widest to the narrowest.
SCOPES = ("session", "package", "module", "class", "function")


class LastingTake(Take):
    """What becomes of one fixture's cassette, from its setup to its teardown.

    `item` is the first test of ours that needs it, `plan` its path and what the markers of its node wish for.
    """

    def __init__(self, item: pytest.Item, request: pytest.FixtureRequest, plan: Plan, lasting: Lasting) -> None:
        super().__init__(item, plan, lasting.settings, lasting.redactor)
        self._request = request
        self._lasting = lasting
        self._lock = threading.RLock()
        self._has_ended = False
        self._is_ending = False
        self._unopened = _Unopened(self._line)

    @property
    def what(self) -> str:
        """What people call it."""
        return f"fixture {self._request.fixturename!r}"

    @property
    def identity(self) -> tuple[object, ...]:
        """What tells it from any other fixture that may have a cassette; made again, it is the same."""
        return (self._request._fixturedef, repr(getattr(self._request, "param", None)))  # type: ignore[attr-defined]  # noqa: SLF001 - of a fixture's request

    @contextlib.contextmanager
    def stretch(self) -> Iterator[None]:
        """Around what comes before the fixture's `yield`, and around what comes after it: a failure is settled."""
        try:
            with entered(self._unopened), carrying_context():
                yield
        except BaseException as error:
            self._fail(error)
            raise
        self._is_ending = True

    def end(self) -> None:
        """It has ended well: what it recorded is written, and what it replayed must have been all there was.

        Raises:
            DivergenceError: something diverged, or is left over.
            CassetteError: its cassette cannot be used, whatever the fixture made of that.
        """
        self._has_ended = True
        if not self.is_open:
            self._lasting.disclaim(self)
            return
        self._lasting.claim(self)
        self.insist()
        self._settle()
        self.conclude(has_passed=True)

    def _fail(self, error: BaseException) -> None:
        self._has_ended = True
        if not self.is_open:
            return
        self._lasting.claim(self)
        if isinstance(error, KeyboardInterrupt | pytest.exit.Exception):
            self._close()
        elif self._problem is not None:
            self._close()
            if not carries(error, self._problem):
                raise self._problem from error
        else:
            self._settle_failure(error)

    def _expects(self, error: BaseException) -> bool:  # noqa: ARG002 - whatever it is
        """No fixture is one that fails: that is said of tests."""
        return False

    def _line(self) -> Line:
        """Where the first run or step speaks: now it is known that there must be a cassette."""
        with self._lock:
            if self.deck is None:
                if self._has_ended:
                    raise ConfigurationError(f"A step began after {self.what} had ended.", hint="Wait in the fixture for what it starts.")
                self._ask(self._request)
                self._open()
        if self._problem is not None:
            return refusing(self._problem).line
        return self._deck().scope.line

    def _ask(self, request: pytest.FixtureRequest) -> None:
        """Ask those of the project's own fixtures that live as long as this one."""
        config = self._asked(request, "wfreplay_config")
        if config is not None:
            self.wishes = dataclasses.replace(self.wishes.over(config), cassette=None)
        folder = self._asked(request, "wfreplay_cassette_dir")
        if folder is not None:
            self.folder = self.settings.root / folder
            self.path = self.folder / self.path.relative_to(self.settings.cassette_dir)

    def _asked(self, request: pytest.FixtureRequest, name: str) -> Any:
        """What a fixture gives; None for one that does not live long enough, or was not made before the end."""
        found = self.item.session._fixturemanager.getfixturedefs(name, self.item)  # noqa: SLF001 - pytest has no public way to ask
        if not found or SCOPES.index(found[-1].scope) > SCOPES.index(request.scope):
            return None
        if self._is_ending:
            return found[-1].cached_result[0] if found[-1].cached_result is not None else None
        return request.getfixturevalue(name)

    def _opened(self) -> Deck:
        deck = super()._opened()
        if isinstance(self._problem, CassetteMissing):
            self._problem = CassetteMissing(self.shown, f"there is no cassette for {self.what}", hint=self._problem.hint)
        return deck

    def _treatment(self) -> Treatment:
        return dataclasses.replace(super()._treatment(), test=self.what)


class _Unopened(Scope):
    """A scope that has no line until somebody asks for it."""

    __slots__ = ("_open",)

    def __init__(self, open_line: Callable[[], Line]) -> None:
        # `line` is left out, so that asking for it comes to `__getattr__`.
        self.prefix = ""
        self.origin = None
        self.is_inside = False
        self._say = None
        self._open = open_line

    def __getattr__(self, name: str) -> Line:
        if name != "line":
            raise AttributeError(name)
        self.line = self._open()
        return self.line

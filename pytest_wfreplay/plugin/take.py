"""One test's take: its cassette, its deck, and what becomes of them when the test has ended.

1. A recording is written when the test is known to have passed; a failed test keeps it beside, and its cassette as it was.
2. What is wrong with the cassette is raised where the test is called, so that the test fails and is not a broken fixture.
3. Whatever diverged fails the test, whoever swallowed it.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_wfreplay.clock import SystemClock, read_iso
from pytest_wfreplay.deck import Deck, Treatment
from pytest_wfreplay.errors import CassetteError, CassetteMissing, DivergenceError, WfreplayError
from pytest_wfreplay.plugin.facade import Wfreplay
from pytest_wfreplay.plugin.threads import carrying_context
from pytest_wfreplay.recording.cassette import MAX_BYTES
from pytest_wfreplay.recording.divergence import error_of
from pytest_wfreplay.recording.ignoring import Ignoring
from pytest_wfreplay.recording.matching import Matching
from pytest_wfreplay.redact import Redactor, Rule
from pytest_wfreplay.steps.scope import Scope, current, entered
from pytest_wfreplay.stores.cassette_file import CassetteFile

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.plugin.settings import Settings
    from pytest_wfreplay.plugin.wishes import Wishes
    from pytest_wfreplay.recording.cassette import Cassette
    from pytest_wfreplay.recording.modes import Mode
    from pytest_wfreplay.stores.files_partial import PartialFile

__tracebackhide__ = True

#: What a take did, for the tally.
REPLAYED, RECORDED, DIVERGED, LIVE = "replayed", "recorded", "diverged", "live"


class Take:
    """What the fixture, the hooks and the facade share while one test runs."""

    def __init__(self, item: pytest.Item, settings: Settings, wishes: Wishes) -> None:
        self.item = item
        self.settings = settings
        self.wishes = wishes
        self.facade = Wfreplay(self)
        self.mode: Mode = settings.mode
        self.path: Path = settings.cassette_dir
        self.deck: Deck | None = None
        self.did: str | None = None
        self.redactor: Redactor = Redactor()
        self._problem: WfreplayError | None = None
        self._matching = Matching()
        self._partial: PartialFile | None = None

    @property
    def command(self) -> str:
        """What records this test again."""
        return f'pytest --record "{self.item.nodeid}"'

    @contextlib.contextmanager
    def prepared(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """The life of the take: from its fixture on, the test's fixtures and the test find themselves in its scope."""
        wishes = self.wishes.over(request.getfixturevalue("wfreplay_config"))
        self.wishes = wishes
        folder = self.settings.root / request.getfixturevalue("wfreplay_cassette_dir")
        name = wishes.cassette if wishes.cassette is not None else request.getfixturevalue("wfreplay_cassette_name")
        self.path = folder / (name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
        self.mode = self.settings.narrowed(wishes.mode)
        self.redactor = self.settings.redactor()
        for rule in wishes.redact:
            self.redactor = self.redactor.with_rule(rule)
        self._matching = Matching(wishes.match, Ignoring(wishes.ignore), self.clean)
        self._open()
        with entered(self._scope()), carrying_context():
            yield

    def ignore(self, *paths: str) -> None:
        """Leave more out of what is compared."""
        self._matching.ignoring = Ignoring((*self._matching.ignoring.paths, *paths))

    def clean(self, value: JSON) -> JSON:
        """A JSON value without secrets."""
        return self.redactor.json(value)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Around the call of the test: settle what became of the take."""
        if self._problem is not None:
            raise self._problem
        with self._wrapped():
            try:
                yield
            except (Exception, pytest.fail.Exception) as error:
                self._settle_failure(error)
                raise
            self._settle()

    @property
    def file(self) -> CassetteFile:
        """The file of the cassette."""
        limit = self.settings.max_bytes or MAX_BYTES
        return CassetteFile(self.path, command=self.command, max_bytes=limit)

    def _open(self) -> None:
        """Read the cassette as the mode wants it; what is wrong with it is raised when the test is called."""
        act = self.mode.act(is_there=self.file.exists())
        cassette: Cassette | None = None
        try:
            if act == "refuse":
                raise self._missing()
            if act == "replay":
                cassette = self.file.read()
                self._check_age(cassette)
            if act == "record":
                self._partial = self.file.partial()
        except WfreplayError as problem:
            self._problem = problem
            act, cassette = "replay", None
        self.deck = Deck("replay" if act == "refuse" else act, self._treatment(), cassette)

    def _treatment(self) -> Treatment:
        return Treatment(
            matching=self._matching,
            shown=self._shown(),
            test=self.item.nodeid,
            commands=(f"record again: {self.command}",),
            root=str(self.settings.root),
            feed=self._partial.begin if self._partial is not None else None,
        )

    def _scope(self) -> Scope | None:
        return self.deck.scope if self.deck is not None else None

    def _shown(self) -> str:
        return str(self.path.relative_to(self.settings.root)) if self.path.is_relative_to(self.settings.root) else str(self.path)

    def _missing(self) -> CassetteMissing:
        return CassetteMissing(self._shown(), "there is no cassette for this test", hint=f"Record it: {self.command}")

    def _check_age(self, cassette: Cassette) -> None:
        limit = self.wishes.max_age
        for recording in cassette.runs if limit is not None else ():
            if recording.metadata.created_at:
                age = (SystemClock().now() - read_iso(recording.metadata.created_at)).total_seconds()
                if limit is not None and age > limit:
                    raise CassetteError(self._shown(), f"recorded {age:.0f} s ago; max_age is {limit:g} s", hint=f"Record it again: {self.command}")

    @contextlib.contextmanager
    def _wrapped(self) -> Iterator[None]:
        """Give an async test the scope inside its own coroutine: some runners start it in a context of their own."""
        function = getattr(self.item, "obj", None)
        if not inspect.iscoroutinefunction(function) or not isinstance(self.item, pytest.Function):
            yield
            return

        @functools.wraps(function)
        async def in_scope(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            token = current.set(self._scope())
            try:
                return await function(*args, **kwargs)
            finally:
                current.reset(token)

        self.item.obj = in_scope
        try:
            yield
        finally:
            self.item.obj = function

    def _settle_failure(self, error: BaseException) -> None:
        """The test failed: keep what was recorded beside the cassette, and let a divergence that was swallowed speak."""
        swallowed = list(self._deck().divergences)
        deck = self._close()
        if deck.act == "record" and deck.has_run:
            self.file.write_failed(deck.cassette())
        if swallowed:
            self.did = DIVERGED
        if swallowed and not isinstance(error, DivergenceError):
            raise error_of(swallowed) from error

    def _settle(self) -> None:
        """The test passed: it must have run something, and what it ran must be what was recorded; else it is written."""
        deck = self._close()
        if deck.divergences:
            self.did = DIVERGED
            raise error_of(deck.divergences)
        if not deck.has_run:
            raise WfreplayError(
                f"{self.item.nodeid} is marked with wfreplay and never ran a workflow or a step: it proves nothing.",
                hint="Run a workflow in it, or take the marker away.",
            )
        if deck.act == "record":
            self.file.write(deck.cassette())
        self.did = {"record": RECORDED, "replay": REPLAYED, "live": LIVE}[deck.act]

    def _close(self) -> Deck:
        deck = self._deck()
        deck.close()
        return deck

    def _deck(self) -> Deck:
        assert self.deck is not None, "the fixture opens the deck before the test is called"  # noqa: S101 - a law of pytest's order
        return self.deck


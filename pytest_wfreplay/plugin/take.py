"""One test's take: its cassette, its deck, and what becomes of them when the test has ended.

1. A recording is written when the test is known to have passed, its teardown too; a failed test keeps it beside, and its cassette as it was.
2. What is wrong with the cassette is raised where the test is called, so that the test fails and is not a broken fixture.
3. Whatever diverged fails the test, whoever swallowed it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_wfreplay.clock import SystemClock, read_iso
from pytest_wfreplay.deck import Deck, Treatment
from pytest_wfreplay.errors import CassetteError, CassetteMissing, ConfigurationError, WfreplayError
from pytest_wfreplay.plugin.asked import checked, offered
from pytest_wfreplay.plugin.guard import Guard
from pytest_wfreplay.plugin.refused import refusing
from pytest_wfreplay.plugin.rivals import Plan, file_name
from pytest_wfreplay.plugin.runners import in_scope, is_skip, raised_quietly
from pytest_wfreplay.plugin.threads import carrying_context
from pytest_wfreplay.plugin.traceback import divergence_in
from pytest_wfreplay.plugin.unused import home
from pytest_wfreplay.recording.cassette import MAX_BYTES
from pytest_wfreplay.recording.divergence import error_of
from pytest_wfreplay.recording.ignoring import Ignoring
from pytest_wfreplay.recording.matching import Matching
from pytest_wfreplay.steps.scope import Scope, entered
from pytest_wfreplay.stores.cassette_file import CassetteFile

if TYPE_CHECKING:
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.plugin.settings import Settings
    from pytest_wfreplay.recording.cassette import Cassette
    from pytest_wfreplay.recording.modes import Mode
    from pytest_wfreplay.redact import Redactor
    from pytest_wfreplay.stores.files_partial import PartialFile

__tracebackhide__ = True

#: What a take did, for the tally.
REPLAYED, RECORDED, DIVERGED, LIVE = "replayed", "recorded", "diverged", "live"


class Take:
    """What the fixture, the hooks and the facade share while one test runs."""

    def __init__(self, item: pytest.Item, plan: Plan, settings: Settings, redactor: Redactor) -> None:
        self.item = item
        self.settings = settings
        self.plan = plan
        self.wishes = plan.wishes
        self.redactor = redactor
        self.mode: Mode = settings.mode
        self.path: Path = settings.cassette_dir
        self.deck: Deck | None = None
        self.did: str | None = None
        #: Whether a subtest failed: it does not raise.
        self.has_failed_part = False
        self._problem: WfreplayError | None = None
        self.guard = Guard(item.nodeid, self.command, settings.hosts(), redactor, str(settings.root))
        self._matching = Matching()
        self._partial: PartialFile | None = None
        #: What was recorded, until the test has ended.
        self._staged: Cassette | None = None

    @property
    def is_open(self) -> bool:
        """Whether the fixture has found out which cassette this is."""
        return self.deck is not None

    @property
    def command(self) -> str:
        """What records this test again."""
        return f'pytest --record "{self.item.nodeid}"'

    @property
    def shown(self) -> str:
        """The cassette as people are shown it."""
        return self._shown(self.path)

    @contextlib.contextmanager
    def prepared(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """The life of the take: from its fixture on, the test's fixtures and the test find themselves in its scope."""
        if self.plan.path is None:
            self._ask(request)
        else:
            self.path = self.plan.path
        self._open()
        with entered(self._scope()), carrying_context():
            yield

    def _open(self) -> None:
        """Know what is wished for, and read the cassette."""
        wishes = self.wishes
        self.mode = self.settings.narrowed(wishes.mode)
        for rule in wishes.redact:
            self.redactor = self.guard.redactor = self.redactor.with_rule(rule)
        self._matching = Matching(wishes.match or "strict", Ignoring(wishes.ignore), self.clean)
        self.deck = self._opened()

    def _ask(self, request: pytest.FixtureRequest) -> None:
        """Ask the project's own fixtures."""
        self.wishes = self.wishes.over(request.getfixturevalue("wfreplay_config"))
        folder = self.settings.root / request.getfixturevalue("wfreplay_cassette_dir")
        name = self.wishes.cassette if self.wishes.cassette is not None else str(request.getfixturevalue("wfreplay_cassette_name"))
        self.path = folder / file_name(name)

    def ignore(self, *paths: str) -> None:
        """Leave more out of what is compared."""
        self._matching.ignoring = Ignoring((*self._matching.ignoring.paths, *paths))

    def clean(self, value: JSON) -> JSON:
        """A JSON value without secrets."""
        return self.redactor.json(value)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Around the call of the test: settle what became of the take."""
        if not self.is_open:
            raise ConfigurationError(f"{self.item.nodeid} is marked with wfreplay and takes no fixtures.", hint="Mark test functions and methods.")
        try:
            with in_scope(self.item, self._scope()):
                yield
                raised_quietly(self.item)
        except (KeyboardInterrupt, pytest.exit.Exception):
            self._close()
            raise
        except BaseException as error:
            if self._problem is not None and not _is_let_off(error):
                return  # `insist` says what is wrong
            self._settle_failure(error)
            raise
        if self._problem is not None:
            return
        if self.has_failed_part:
            self._settle_failure(None)
        else:
            self._settle()

    def insist(self) -> None:
        """A test whose cassette cannot be used fails with that, whatever it made of it; it may only say that it is not to be run."""
        if self._problem is not None:
            self._close()
            raise self._problem.with_traceback(None)

    @property
    def file(self) -> CassetteFile:
        """The file of the cassette."""
        limit = self.settings.max_bytes or MAX_BYTES
        return CassetteFile(self.path, command=self.command, max_bytes=limit, test=self.owner)

    @property
    def owner(self) -> str | None:
        """The name by which this test's runs are known in a cassette that it shares; None in one of its own."""
        return None if self.wishes.cassette is None else self.item.nodeid

    def _opened(self) -> Deck:
        """Read the cassette as the mode wants it; what is wrong with it is raised when the test is called."""
        file = self.file
        act = self.mode.act(is_there=file.exists())
        cassette: Cassette | None = None
        try:
            if act == "refuse":
                raise CassetteMissing(self.shown, "there is no cassette for this test", hint=f"Record it: {self.command}")
            with self._told():
                if act == "replay":
                    cassette = file.read()
                    if self.owner is not None and not cassette.has(self.owner):
                        act = self.mode.act_in_shared()
                if act == "record":
                    self._partial = file.partial()
            if act != "replay":
                cassette = None
            if cassette is not None:
                cassette = checked(self.item, cassette.of(self.owner) if self.owner is not None else cassette)
                self._check_age(cassette)
        except WfreplayError as problem:
            self._problem = problem
            return Deck("replay", self._treatment())
        return Deck(act, self._treatment(), cassette)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Say what is wrong with a cassette's file as this test's people know the file, and with the command that helps."""
        try:
            yield
        except CassetteError as error:
            hint = error.hint.replace("pytest --record.", f"{self.command}.")
            raise type(error)(self._shown(Path(error.path)), error.problem, line=error.line, hint=hint) from None

    def _shown(self, path: Path) -> str:
        return str(path).removeprefix(f"{self.settings.root}{os.sep}")

    def _treatment(self) -> Treatment:
        return Treatment(
            matching=self._matching,
            shown=self.shown,
            test=self.item.nodeid,
            name=self.owner,
            commands=(f"record again: {self.command}",),
            root=str(self.settings.root),
            feed=self._partial.begin if self._partial is not None else None,
        )

    def _scope(self) -> Scope | None:
        if self.deck is None:
            return None
        scope = refusing(self._problem) if self._problem is not None else self.deck.scope
        return scope if self.deck.works else self.guard.over(scope, self.deck.divergences, self._problem)

    def _check_age(self, cassette: Cassette) -> None:
        limit = self.wishes.max_age
        for recording in cassette.runs if limit is not None else ():
            if recording.metadata.created_at:
                age = (SystemClock().now() - read_iso(recording.metadata.created_at)).total_seconds()
                if limit is not None and age > limit:
                    raise CassetteError(self.shown, f"recorded {_span(age)} ago; max_age is {_span(limit)}", hint=f"Record it again: {self.command}")

    def _settle_failure(self, error: BaseException | None) -> None:
        """The test failed: keep what was recorded beside the cassette, and let a divergence that was swallowed speak."""
        swallowed = list(self._deck().divergences)
        deck = self._close()
        self.guard.tell(error)
        if deck.act == "record" and deck.has_run:
            self._keep_beside(deck, error)
        if not swallowed:
            return
        self.did = DIVERGED
        found = divergence_in(error) if error is not None else None
        if found is None:
            raise error_of(swallowed) from error
        if found is not error:
            raise found from None

    def _keep_beside(self, deck: Deck, error: BaseException | None) -> None:
        """Keep the recording of a failed test where replay ignores it; of a skipped one there is nothing to keep."""
        try:
            with self._told():
                if error is None or not is_skip(error):
                    self.file.write_failed(deck.cassette())
                self.file.partial()  # drops what is there: it was kept, or there is nothing to keep
        except WfreplayError as problem:
            if error is None:
                raise
            error.add_note(f"Its recording could not be kept: {problem}")

    def _settle(self) -> None:
        """The test passed: it must have run something, and what it ran must be what was recorded; else it is written."""
        deck = self._close()
        self.guard.tell()
        if deck.divergences:
            self.did = DIVERGED
            raise error_of(deck.divergences)
        if not deck.has_run:
            raise WfreplayError(
                f"{self.item.nodeid} is marked with wfreplay and never ran a workflow or a step: it proves nothing.",
                hint="Run a workflow in it, or take the marker away.",
            )
        if deck.act == "record":
            with self._told():
                self._staged = offered(self.item, deck.cassette())
                self.file.stage(self._staged)
        self.did = {"record": RECORDED, "replay": REPLAYED, "live": LIVE}[deck.act]

    def conclude(self, *, has_passed: bool) -> None:
        """The test has ended, its teardown too: what it recorded is written now, or stays beside."""
        staged, self._staged = self._staged, None
        if staged is None:
            return
        with self._told():
            if has_passed:
                self.file.write(staged, home=home(self.path, self.settings))
            else:
                self.did = None
                self.file.partial()  # drops what is there

    def _close(self) -> Deck:
        deck = self._deck()
        deck.close()
        return deck

    def _deck(self) -> Deck:
        assert self.deck is not None, "the fixture opens the deck before the test is called"  # noqa: S101 - a law of pytest's order
        return self.deck


def _is_let_off(error: BaseException) -> bool:
    return is_skip(error) or isinstance(error, pytest.xfail.Exception)


def _span(seconds: float) -> str:
    """Seconds, or days where there are many."""
    days = seconds / 86400
    return f"{seconds:.0f} s" if days < 2 and seconds >= 10 else f"{seconds:g} s" if days < 2 else f"{days:.0f} days"  # noqa: PLR2004 - see above

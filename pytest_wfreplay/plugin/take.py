"""One test's take: its cassette, its deck, and what becomes of them when the test has ended.

1. A recording is written when the test is known to have passed, its teardown too; a failed test keeps it beside, and its cassette as it was.
2. What is wrong with the cassette is raised where the test is called, so that the test fails and is not a broken fixture.
3. Whatever diverged fails the test, whoever swallowed it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_wfreplay.deck import Deck, Treatment
from pytest_wfreplay.errors import ConfigurationError, WfreplayError
from pytest_wfreplay.normalise import Normaliser
from pytest_wfreplay.plugin import commands
from pytest_wfreplay.plugin.asked import judge, offered
from pytest_wfreplay.plugin.claim import Claim
from pytest_wfreplay.plugin.guard import Guard
from pytest_wfreplay.plugin.opening import opened
from pytest_wfreplay.plugin.refused import refusing
from pytest_wfreplay.plugin.rivals import Plan, file_name
from pytest_wfreplay.plugin.runners import fails_by_passing, in_scope, is_expected, is_skip, raised_quietly
from pytest_wfreplay.plugin.threads import carrying_context
from pytest_wfreplay.plugin.traceback import divergence_in, is_ours
from pytest_wfreplay.plugin.unused import home
from pytest_wfreplay.recording.codec.text import differs_only_in_volatile
from pytest_wfreplay.recording.divergence import error_of
from pytest_wfreplay.recording.ignoring import Ignoring
from pytest_wfreplay.recording.late import cleaned_cassette, refuse_late
from pytest_wfreplay.recording.matching import Matching
from pytest_wfreplay.recording.modes import WORKS, WRITES
from pytest_wfreplay.recording.pieces import cleaned_recording
from pytest_wfreplay.redact import PLACEHOLDER
from pytest_wfreplay.steps.scope import Scope, entered

if TYPE_CHECKING:
    from pytest_wfreplay.plugin.settings import Settings
    from pytest_wfreplay.recording.cassette import Cassette
    from pytest_wfreplay.recording.modes import Mode
    from pytest_wfreplay.redact import Redactor
    from pytest_wfreplay.stores.files_partial import PartialFile

__tracebackhide__ = True

#: What a take did, for the tally.
REPLAYED, RECORDED, DIVERGED, LIVE = "replayed", "recorded", "diverged", "live"
VERIFIED, ACCEPTED = "verified", "accepted"


class Take(Claim):
    """What the fixture, the hooks and the facade share while one test runs."""

    def __init__(self, item: pytest.Item, plan: Plan, settings: Settings, redactor: Redactor) -> None:
        super().__init__(item, plan, settings, redactor)
        self.mode: Mode = settings.mode
        self.deck: Deck | None = None
        self.did: str | None = None
        #: Whether a subtest failed: it does not raise.
        self.has_failed_part = False
        self._problem: WfreplayError | None = None
        self._partial: PartialFile | None = None
        self.guard = Guard(item.nodeid, self.command, settings.hosts(), self.cleaned_text, str(settings.root))
        self.matching = Matching(hiding=self._hiding)
        #: Whether a rule came after something had been recorded.
        self._is_late = False
        #: What was recorded, until the test has ended.
        self._staged: Cassette | None = None

    @property
    def is_open(self) -> bool:
        """Whether the fixture has found out which cassette this is."""
        return self.deck is not None

    @contextlib.contextmanager
    def prepared(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """The life of the take: from its fixture on, the test's fixtures and the test find themselves in its scope."""
        if self.plan.path is None:
            self._ask(request)
        self._open()
        with entered(self._scope()), carrying_context():
            yield

    def _open(self) -> None:
        """Know what is wished for, and read the cassette."""
        wishes = self.wishes
        self.mode = self.settings.narrowed(wishes.mode)
        self.redact(*wishes.redact)
        names = Normaliser(self.settings.normalise)
        self.matching = Matching(wishes.match or "strict", Ignoring(wishes.ignore), self.clean, names, judge(self.item), self._hiding)
        self.deck = self._opened()

    def _ask(self, request: pytest.FixtureRequest) -> None:
        """Ask the project's own fixtures."""
        self.wishes = self.wishes.over(request.getfixturevalue("wfreplay_config"))
        self.folder = self.settings.root / request.getfixturevalue("wfreplay_cassette_dir")
        name = self.wishes.cassette if self.wishes.cassette is not None else str(request.getfixturevalue("wfreplay_cassette_name"))
        self.path = self.folder / file_name(name)

    def redact(self, *rules: str | re.Pattern[str] | Callable[[str], str], replacement: str = PLACEHOLDER) -> None:
        """Take more out of what is kept, compared and shown. What was kept before the rule came may hold what it takes out (see `late`)."""
        super().redact(*rules, replacement=replacement)
        if self.deck is not None and self.deck.has_worked:
            self._is_late = True
            self.has_learnt()

    def has_learnt(self) -> None:
        """There is more to be taken out than before: what was told so far is told once more, without it."""
        if self._partial is not None:
            self._partial.renew(lambda recording: cleaned_recording(recording, self.matching.redacting))

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
            if self._problem is not None and not _is_let_off(error, self._problem):
                return  # `insist` says what is wrong
            self._settle_failure(error)
            raise
        if self._problem is not None:
            return
        if self.has_failed_part or fails_by_passing(self.item):
            self._settle_failure(None)
        else:
            self._settle()

    def insist(self) -> None:
        """A test whose cassette cannot be used fails with that, whatever it made of it; it may only say that it is not to be run."""
        if self._problem is not None:
            self._close()
            raise self._problem.with_traceback(None)

    def _opened(self) -> Deck:
        """Read the cassette as the mode wants it; what is wrong with it is raised when the test is called."""
        try:
            with self._told():
                act, cassette = opened(self)
                if act in WORKS & WRITES:
                    self._partial = self.file.partial()
        except WfreplayError as problem:
            # Its traceback says from now on whether anything was refused because of it.
            self._problem = problem.with_traceback(None)
            return Deck("replay", self._treatment())
        return Deck(act, self._treatment(), cassette)

    def _treatment(self) -> Treatment:
        return Treatment(
            matching=self.matching,
            shown=self.shown,
            test=self.item.nodeid,
            name=self.owner,
            commands=tuple(filter(None, (f"record again: {self.command}", commands.obstacle(self.wishes.mode)))),
            accept=commands.accept(self.selection) if self.mode.name != "accept" and commands.may_accept(self.wishes.mode) else "",
            extend=commands.extend(self.selection) if commands.may_extend(self.wishes.mode) else "",
            again=partial(commands.again, self.selection, picked=self.settings.picked.patterns if self.settings.picked else ()),
            root=str(self.settings.root),
            feed=self._partial.begin if self._partial is not None else None,
            picked=self.settings.picked,
        )

    def _scope(self) -> Scope | None:
        if self.deck is None:
            return None
        scope = refusing(self._problem) if self._problem is not None else self.deck.scope
        return scope if self.deck.works else self.guard.over(scope, self.deck.divergences, self._problem)

    def _settle_failure(self, error: BaseException | None) -> None:
        """The test failed: keep what was recorded beside the cassette, and let a divergence that was swallowed speak."""
        swallowed = list(self._deck().divergences)
        deck = self._close()
        self.guard.tell(error)
        if deck.act == "verify":
            # There it is noted, where a replay raises it; what a test that ended early left over is no difference.
            swallowed = [one for one in deck.divergences if one.kind in {"input_mismatch", "unrecorded_step"}]
        if error is not None and self._expects(error):
            # It ends here whenever it is run: so what is left over was not to be, and what was recorded is what is replayed.
            swallowed = list(deck.divergences)
            if not swallowed:
                self._take_in(deck, error)
                return
        if deck.writes and deck.has_worked:
            self._keep_beside(deck, error)
        if not swallowed:
            return
        self.did = DIVERGED
        found = divergence_in(error) if error is not None else None
        if found is None:
            raise error_of(swallowed) from error
        if found is not error:
            raise found from None

    def _expects(self, error: BaseException) -> bool:
        """Whether the test is one that fails, and by this."""
        return is_expected(self.item, error) and not is_ours(error)

    def _keep_beside(self, deck: Deck, error: BaseException | None) -> None:
        """Keep the recording of a failed test where replay ignores it; of a skipped one there is nothing to keep."""
        try:
            with self._told():
                if error is None or not is_skip(error):
                    self.file.write_failed(cleaned_cassette(deck.cassette(), lambda: self.matching.redacting))
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
            error = error_of(deck.divergences)
            if deck.writes and deck.has_worked:
                self._keep_beside(deck, error)
            raise error
        self._take_in(deck)

    def _take_in(self, deck: Deck, error: BaseException | None = None) -> None:
        """The test did what it should: what it recorded will be its cassette."""
        if not deck.has_run:
            if isinstance(error, pytest.xfail.Exception):
                return  # it says that there is nothing to run
            raise WfreplayError(
                f"{self.item.nodeid} is marked with wfreplay and never ran a workflow or a step: it proves nothing.",
                hint="Run a workflow in it, or take the marker away.",
            ) from error
        if deck.writes:
            with self._told():
                staged = self._offered(deck)
                if self._is_late:
                    refuse_late(staged, lambda: self.matching.redacting, self.shown)
                if deck.has_worked:
                    self.file.stage(staged)
                self._staged = staged
        self.did = self._done(deck)

    def _done(self, deck: Deck) -> str:
        if deck.works and not deck.writes:
            return VERIFIED if deck.act == "verify" else LIVE
        if deck.has_worked:
            return RECORDED
        is_same = self._staged is None or differs_only_in_volatile(deck.recorded, self._staged)
        return REPLAYED if deck.act != "accept" or is_same else ACCEPTED

    def _offered(self, deck: Deck) -> Cassette:
        """What is kept when the project's hook has seen it. Raises what that raises: then it stays beside, as it was recorded."""
        try:
            return offered(self.item, deck.cassette(), self.matching.cleaning)
        except BaseException as error:
            if deck.has_worked:
                self._keep_beside(deck, error)
            raise

    def conclude(self, *, has_passed: bool) -> None:
        """The test has ended, its teardown too: what it recorded is written now, or stays beside."""
        staged, self._staged = self._staged, None
        if staged is None:
            return
        did, self.did = self.did, None
        with self._told():
            if has_passed:
                self.file.write(staged, home=home(self.path, self.settings))
                self.did = did
            else:
                self.file.partial()  # drops what is there

    def _close(self) -> Deck:
        deck = self._deck()
        deck.close()
        return deck

    def _deck(self) -> Deck:
        assert self.deck is not None, "the fixture opens the deck before the test is called"  # noqa: S101 - a law of pytest's order
        return self.deck


def _is_let_off(error: BaseException, problem: WfreplayError) -> bool:
    return is_skip(error) or (isinstance(error, pytest.xfail.Exception) and problem.__traceback__ is None)

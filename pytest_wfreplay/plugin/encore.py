"""Takes of tests that are run more than once: one whose recording waits until it was replayed, and one that replays a cassette in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_wfreplay.deck import Deck
from pytest_wfreplay.errors import WfreplayError
from pytest_wfreplay.plugin.take import REPLAYED, Take
from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.codec.text import decode, encode
from pytest_wfreplay.recording.modes import MODES

if TYPE_CHECKING:
    import pytest

    from pytest_wfreplay.deck import Treatment
    from pytest_wfreplay.plugin.rivals import Plan
    from pytest_wfreplay.plugin.settings import Settings
    from pytest_wfreplay.recording.matching import Strictness
    from pytest_wfreplay.redact import Redactor


class Held(Take):
    """A take that has recorded: its cassette is not written before it was replayed."""

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to replay: it has recorded, and the test has passed, its teardown too."""
        return self._staged is not None

    def conclude(self, *, has_passed: bool) -> None:
        """The test has ended: what it recorded stays beside for the time being."""
        if not has_passed:
            super().conclude(has_passed=False)

    def keep(self, *, is_same: bool) -> None:
        """It was replayed: what it recorded takes its place, or stays beside. Raises as a write does."""
        if not is_same and self._staged is not None:
            with self._told():
                self.file.write_failed(self._staged)
        super().conclude(has_passed=is_same)

    def written(self) -> Cassette:
        """What was recorded, as it will be read."""
        text = encode(self._staged or Cassette(), command=self.command)
        return decode(text, path=self.shown, max_bytes=self.file.max_bytes)


@dataclass(frozen=True, slots=True)
class Encore:
    """What is replayed, and how; what people are told of it, and what they can type to see it again."""

    cassette: Callable[[], Cassette]
    note: str = ""
    command: str = ""
    match: Strictness | None = None
    seed: int | None = None
    #: The take whose recording this is, where that waits.
    held: Held | None = None


class EncoreTake(Take):
    """A take that replays what it is given, whatever the mode; it writes nothing."""

    def __init__(self, encore: Encore, item: pytest.Item, plan: Plan, settings: Settings, redactor: Redactor) -> None:
        super().__init__(item, plan, settings, redactor)
        self.encore = encore

    def _opened(self) -> Deck:
        self.mode = MODES[0]
        if self.encore.match is not None:
            self.matching.match = self.encore.match
        try:
            return Deck("replay", self._treatment(), self.encore.cassette())
        except WfreplayError as problem:
            self._problem = problem
            return Deck("replay", self._treatment())

    def _treatment(self) -> Treatment:
        command = self.encore.command
        return replace(super()._treatment(), commands=(command,) if command else (), accept="", extend="", again=None, seed=self.encore.seed)

    def conclude(self, *, has_passed: bool) -> None:
        """The test has ended: what it had recorded is kept if this was the same again."""
        is_same = has_passed and self.did == REPLAYED
        if not has_passed:
            self.did = None
        if self.encore.held is not None:
            self.encore.held.keep(is_same=is_same)

"""What a test's fixtures find when its cassette cannot be used: whatever they run is refused, with the cassette's own error."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from pytest_wfreplay.steps.journal import LiveJournal
from pytest_wfreplay.steps.line import Line
from pytest_wfreplay.steps.scope import Scope

if TYPE_CHECKING:
    from pytest_wfreplay.errors import WfreplayError
    from pytest_wfreplay.steps.journal import JournalSource, RunFacts


def refusing(problem: WfreplayError) -> Scope:
    """A scope in which no step and no run begins."""
    refused = _Refused(problem)
    return Scope(Line(refused, source=refused))


class _Refused(LiveJournal):
    """A journal, and who hands journals out, that know only what is wrong."""

    works = False
    rules = True

    def __init__(self, problem: WfreplayError) -> None:
        super().__init__()
        self._problem = problem

    @property
    def inner(self) -> JournalSource:
        """It refuses there, too."""
        return self

    def recall(self, key: str, input: object) -> NoReturn:  # noqa: ARG002 - it is refused whatever it is given
        """Refuse. Raises what is wrong with the cassette."""
        raise self._problem

    async def open(self, run: RunFacts) -> NoReturn:  # noqa: ARG002 - the same
        """Refuse. Raises what is wrong with the cassette."""
        raise self._problem

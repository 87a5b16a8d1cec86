"""A workflow inside another one that goes on where it ended: its steps are kept as steps of the outer run, below the step that it is run in.

1. The outer run's journal is asked, so what ended well inside a step that did not is not done again.
2. Below a step the first workflow has a blank name, the second `#2`, and so on: no step's name is blank, so nothing is mistaken for another.
3. Waits keep their place among the outer run's waits, for whoever delivers knows the name alone.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_wfreplay.steps.entry import Absent, Entry
from pytest_wfreplay.steps.journal import ANEW, Lasting, LiveJournal, LiveSource, Remembered
from pytest_wfreplay.steps.key import spell_key
from pytest_wfreplay.steps.resume import WAIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.steps.journal import Begun, Journal, JournalSource, RunFacts
    from pytest_wfreplay.steps.scope import Scope


def source_within(scope: Scope) -> JournalSource:
    """Who hands journals to workflows that are run here: the run around it if it goes on somewhere, else nobody keeps anything."""
    journal = scope.line.journal
    return Nested(scope) if isinstance(journal, Lasting) and journal.identity is not None else LiveSource()


class Nested:
    """Hands out the journals of the workflows that are run in a scope."""

    works = True
    rules = False

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    @property
    def inner(self) -> JournalSource:
        """Those inside these are asked for again."""
        return LiveSource()

    async def open(self, run: RunFacts) -> Journal:
        """The journal of a function workflow; the agents of another keep nothing."""
        if run.workflow is None or not isinstance(run.initial_state, Absent):
            return LiveJournal()
        scope = self._scope
        return NestedJournal(scope.line.journal, spell_key(scope.prefix, "", scope.line.count(scope.prefix)) + "/")


class NestedJournal(LiveJournal):
    """The journal of a workflow whose keys stand below `prefix` in that of another one. It has a trace of its own."""

    def __init__(self, outer: Journal, prefix: str) -> None:
        super().__init__()
        self._outer = outer
        self._prefix = prefix

    @property
    def identity(self) -> str | None:
        """That of the run around it; each workflow in it has its own."""
        outer = self._outer.identity if isinstance(self._outer, Lasting) else None
        return None if outer is None else f"{outer}/{self._prefix}"

    def recall(self, key: str, input: object) -> Remembered | None:
        """What the run around it knows."""
        return self._remembered(self._outer.recall(self._full(key), input), key)

    def begin(self, key: str, given: JSON) -> Begun:
        """The run around it takes note."""
        begun = self._outer.begin(self._full(key), given)
        return self._remembered(begun, key) if begun is None or isinstance(begun, Remembered) else self._meeting(begun, key)

    def append(self, entry: Entry) -> Entry | Awaitable[Entry] | None:
        """The run around it keeps it."""
        kept = self._outer.append(replace(entry, key=self._full(entry.key)))
        if kept is None:
            return None
        return replace(kept, key=entry.key) if isinstance(kept, Entry) else self._keeping(kept, entry.key)

    def inside(self, key: str) -> Sequence[Entry]:
        """The steps inside a known step."""
        full = self._full(key)
        return [replace(entry, key=key + entry.key[len(full) :]) for entry in self._outer.inside(full)]

    async def _meeting(self, begun: Awaitable[Remembered | None], key: str) -> Remembered | None:
        return self._remembered(await begun, key)

    async def _keeping(self, kept: Awaitable[Entry], key: str) -> Entry:
        return replace(await kept, key=key)

    def _remembered(self, remembered: Remembered | None, key: str) -> Remembered | None:
        return None if remembered is None else Remembered(replace(remembered.entry, key=key), position=ANEW)

    def _full(self, key: str) -> str:
        return below(self._prefix, key)


def below(prefix: str, key: str) -> str:
    """A key as it stands below a prefix; that of a wait stays among the waits."""
    return f"{WAIT}{prefix}{key[len(WAIT) :]}" if key.startswith(WAIT) else prefix + key

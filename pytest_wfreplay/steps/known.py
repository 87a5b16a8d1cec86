"""The steps that a run did before: found by key, their inputs guarded, done again where they have not ended well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, TypeAlias

from pytest_wfreplay.errors import UnfinishedStepError
from pytest_wfreplay.jsonable import jsonable, same
from pytest_wfreplay.plainly import is_plainly
from pytest_wfreplay.steps.entry import Absent, Entry, Returned
from pytest_wfreplay.steps.mismatch import input_mismatch
from pytest_wfreplay.steps.resume import WAIT

#: What becomes of a step that began in an earlier run and never ended: it is done again, or refused.
OnUnfinished: TypeAlias = Literal["redo", "raise"]


class Known:
    """What earlier runs left, by key."""

    __slots__ = ("_on_unfinished", "entries")

    def __init__(self, entries: Iterable[Entry], on_unfinished: OnUnfinished = "redo") -> None:
        self.entries = {entry.key: entry for entry in entries}
        self._on_unfinished = on_unfinished

    def recall(self, key: str, given: object) -> Entry | None:
        """The entry of a step that ended well and need not be done again, with an input; None where it is to be done.

        Raises:
            StepInputMismatchError: it is known with another input.
            UnfinishedStepError: it began and never ended, and is not to be done again.
        """
        entry = self.entries.get(key)
        if entry is None:
            return None
        entry = guarded(entry, given)
        if isinstance(entry.outcome, Returned):
            return entry
        if entry.outcome is None and self._on_unfinished == "raise" and not key.startswith(WAIT):
            raise UnfinishedStepError(key)
        return None


def guarded(entry: Entry, given: object) -> Entry:
    """The entry, once its input is known to be what is given now; one without an input takes this one.

    Raises:
        StepInputMismatchError: it is another.
    """
    recorded = entry.input
    if isinstance(recorded, Absent):
        return replace(entry, input=jsonable(given, path=f"input of step {entry.key!r}"))
    if not is_plainly(given, recorded):
        current = jsonable(given, path=f"input of step {entry.key!r}")
        if not same(recorded, current):
            raise input_mismatch(entry, current)
    return entry

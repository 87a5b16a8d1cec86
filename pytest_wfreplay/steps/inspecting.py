"""What people are shown of the steps of a namespace, and of the step that they are in."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pytest_wfreplay.clock import read_iso
from pytest_wfreplay.jsonable import canonical, digest, restore
from pytest_wfreplay.steps.entry import Absent, Entry, Returned, error_of
from pytest_wfreplay.steps.key import read_key
from pytest_wfreplay.steps.resume import ResumeStateCollector
from pytest_wfreplay.steps.stored import StoredJournal

if TYPE_CHECKING:
    from pytest_wfreplay.steps.effort import Attempt
    from pytest_wfreplay.steps.scope import Scope

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class StepRecord(dict[str, Any]):
    """One step as it was kept, a mapping whose items are attributes, too.

    `event_id` counts from 1 in the order in which steps were kept; `sequence` is the occurrence of `key` in `namespace`;
    `deterministic_inputs_hash` is `sha256:…` of `input`; of `result` and `error` (`{"type", "message", …}`) one is None. A step that began and
    never ended has the error `UnfinishedStepError`. `occurred_at_ms` counts from 1970.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class CurrentStep:
    """The step that is being done: its `key`, which try this is, and a key by which others know its work again."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    @property
    def key(self) -> str:
        """The step's key: `namespace/name#occurrence`, the first occurrence without its number."""
        return self._attempt.key

    @property
    def attempt(self) -> int:
        """Which try this is, from 1."""
        return self._attempt.number

    @property
    def idempotency_key(self) -> str:
        """64 hex digits, the same whenever this step of this durable run is tried or done again; a plain run is another one each time."""
        return hashlib.sha256(canonical([self._attempt.line.id, self.key]).encode("ascii")).hexdigest()


def records_of(scope: Scope, namespace: str | None) -> list[StepRecord]:
    """The steps of a namespace, that of the scope unless another is given."""
    prefix = scope.prefix if namespace is None else scope.below(namespace).prefix
    journal = scope.line.journal
    if isinstance(journal, StoredJournal):
        found = [(one.position, one.entry, one.updated_at) for one in journal.run.records(prefix)]
    else:
        collector = ResumeStateCollector()
        for signal in scope.line.signals:
            collector.handle_event(signal)
        found = [(at, entry, _milliseconds(entry)) for at, entry in enumerate(collector.get_resume_state().steps.values(), 1)]
    return [_record(*one) for one in _directly_in(prefix, found)]


def _directly_in(prefix: str, found: Iterable[tuple[int, Entry, int]]) -> Iterable[tuple[int, Entry, int]]:
    return (one for one in found if one[1].key.startswith(prefix) and "/" not in one[1].key[len(prefix) :])


def _record(position: int, entry: Entry, at: int) -> StepRecord:
    namespace, name, occurrence = read_key(entry.key)
    given = None if isinstance(entry.input, Absent) else entry.input
    outcome = entry.outcome
    unfinished = {"type": "UnfinishedStepError", "message": "It began and has not ended."}
    return StepRecord(
        event_id=position,
        namespace="/".join(unquote(part) for part in namespace.split("/")),
        key=name,
        sequence=occurrence,
        deterministic_inputs_hash=digest(given),
        input=restore(given),
        result=restore(outcome.value) if isinstance(outcome, Returned) else None,  # type: ignore[arg-type]  # an entry's values are JSON
        error=unfinished if outcome is None else None if isinstance(outcome, Returned) else dict(error_of(outcome) or {}),
        occurred_at_ms=at,
    )


def _milliseconds(entry: Entry) -> int:
    return 0 if entry.ended_at is None else (read_iso(entry.ended_at) - _EPOCH) // dt.timedelta(milliseconds=1)

"""The journal of a durable run: what ended well in an earlier run is not done again, and every step is kept before anybody sees what came of it.

1. A step's marker is kept before its work begins, its outcome before its caller gets it. What stands in the store wins: of two who race,
   the second is given what the first one kept.
2. A store that need not wait is asked at once; any other is waited for.
3. A wait that nobody has answered keeps its marker, and so does a step that was cancelled.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_wfreplay.clock import iso
from pytest_wfreplay.jsonable import restore
from pytest_wfreplay.steps.entry import Absent, Entry, Returned
from pytest_wfreplay.steps.journal import ANEW, LiveJournal, LiveSource, Remembered
from pytest_wfreplay.steps.key import quote, read_key
from pytest_wfreplay.steps.known import Known, guarded
from pytest_wfreplay.steps.nested import below
from pytest_wfreplay.steps.resume import WAIT, wait_key
from pytest_wfreplay.steps.resumer import is_suspended
from pytest_wfreplay.steps.snapshots import DirectSnapshotStore
from pytest_wfreplay.steps.waiting import waited_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.steps.journal import Begun, Journal, JournalSource, RunFacts
    from pytest_wfreplay.steps.snapshots import Records, SnapshotStore


@dataclass(slots=True)
class DurableRun:
    """One run in a store: what is known of it, and the right to write to it. Hands out the journals of the workflows that run in it."""

    id: str
    store: SnapshotStore
    known: Known
    owner: str | None = None
    token: int | None = None
    #: How many workflows have run in it, and how often they waited for each name.
    workflows: int = 0
    waits: dict[str, int] = field(default_factory=dict)
    #: The store, if it need not wait.
    direct: DirectSnapshotStore | None = field(init=False)

    def __post_init__(self) -> None:
        self.direct = self.store if isinstance(self.store, DirectSnapshotStore) else None

    @property
    def works(self) -> bool:
        """What is not known is done."""
        return True

    @property
    def rules(self) -> bool:
        """Workflows that bring a recording along use that."""
        return False

    @property
    def inner(self) -> JournalSource:
        """Workflows inside its workflows are kept with the one around them (see `nested`)."""
        return LiveSource()

    async def open(self, run: RunFacts) -> Journal:
        """The journal of a function workflow; the agents of another keep nothing here.

        The first one's keys stand as they are, those of a later one below a namespace of its own.
        """
        if run.workflow is None or not isinstance(run.initial_state, Absent):
            return LiveJournal()
        self.workflows += 1
        prefix = "" if self.workflows == 1 else f"{quote(run.workflow)}#{self.workflows}/"
        return StoredJournal(self, prefix, position=ANEW)

    def keep(self, entry: Entry) -> Entry | Awaitable[Entry]:
        """Keep an entry: what stands then."""
        append = self.store.append if self.direct is None else self.direct.append_now
        return append(self.id, entry, self.token, self.owner)

    def records(self, prefix: str) -> Records:
        """What is kept below a prefix, at once."""
        return waited_for(self.store.records(self.id, prefix)) if self.direct is None else self.direct.records_now(self.id, prefix)


class StoredJournal(LiveJournal):
    """The journal of one line of a durable run; `prefix` is empty or ends with `/`.

    `position` says whether what is known is said anew (`ANEW`) or, where nobody listens, not at all (0). A `lazy` one looks up what is known
    of a namespace when it is first asked for it.
    """

    def __init__(self, run: DurableRun, prefix: str = "", *, position: int = 0, lazy: bool = False) -> None:
        super().__init__()
        self.run = run
        self._prefix = prefix
        self._position = position
        self._looked_up: set[str] | None = set() if lazy else None
        self._waits: dict[str, str] = {}

    @property
    def identity(self) -> str:
        """That of the run; each workflow in it has its own."""
        return f"{self.run.id}/{self._prefix}"

    def recall(self, key: str, input: object) -> Remembered | None:
        """What ended well before.

        Raises:
            StepInputMismatchError, UnfinishedStepError: it may not be used, or not be done again.
        """
        full = self._full(key)
        if self._looked_up is not None:
            self._look_up(full)
        entry = self.run.known.recall(full, input)
        return None if entry is None else self._remembered(entry, key)

    def begin(self, key: str, given: JSON) -> Begun:
        """Keep the marker; if somebody has ended it meanwhile, what came of it."""
        standing = self.run.keep(Entry(self._full(key), given, None, started_at=iso(self.clock.now())))
        if isinstance(standing, Entry):
            return self._met(standing, key, given)
        return self._meeting(standing, key, given)

    def append(self, entry: Entry) -> Entry | Awaitable[Entry] | None:
        """Keep an outcome; what stands."""
        if entry.outcome is None or is_suspended(entry):
            return None
        ended_at = iso(self.clock.now())
        kept = self.run.keep(Entry(self._full(entry.key), entry.input, entry.outcome, entry.attempts, entry.started_at, ended_at))
        return self._kept(kept, entry) if isinstance(kept, Entry) else self._keeping(kept, entry)

    def inside(self, key: str) -> Sequence[Entry]:
        """The steps inside a known step."""
        start = f"{self._full(key)}/"
        cut = len(start) - len(key) - 1
        return [replace(entry, key=full[cut:]) for full, entry in self.run.known.entries.items() if full.startswith(start)]

    def _met(self, standing: Entry, key: str, given: JSON) -> Remembered | None:
        if not isinstance(standing.outcome, Returned):
            return None
        self.run.known.entries[standing.key] = guarded(standing, restore(given))
        return self._remembered(standing, key)

    async def _meeting(self, standing: Awaitable[Entry], key: str, given: JSON) -> Remembered | None:
        return self._met(await standing, key, given)

    def _kept(self, standing: Entry, entry: Entry) -> Entry:
        self.run.known.entries[standing.key] = standing
        if standing.outcome is not entry.outcome:
            guarded(standing, restore(entry.input))  # type: ignore[arg-type]  # a step's own entry has an input
        return standing if standing.key == entry.key else replace(standing, key=entry.key)

    async def _keeping(self, standing: Awaitable[Entry], entry: Entry) -> Entry:
        return self._kept(await standing, entry)

    def _remembered(self, entry: Entry, key: str) -> Remembered:
        return Remembered(entry if entry.key == key else replace(entry, key=key), position=self._position)

    def _full(self, key: str) -> str:
        """The key in the store. Waits have no namespace there, for whoever delivers knows the name alone: they are counted in the whole run."""
        if key.startswith(WAIT) and "/" in key[len(WAIT) :]:
            return below(self._prefix, key)  # the wait of a workflow inside this one, which has its own place
        if not self._prefix:
            if key.startswith(WAIT):
                name = read_key(key)[1]
                self.run.waits[name] = max(self.run.waits.get(name, 0), read_key(key)[2])
            return key
        if not key.startswith(WAIT):
            return self._prefix + key
        full = self._waits.get(key)
        if full is None:
            name = read_key(key)[1]
            self.run.waits[name] = count = self.run.waits.get(name, 0) + 1
            full = self._waits[key] = wait_key(name, count)
        return full

    def _look_up(self, full: str) -> None:
        namespace = full[: full.find("/") + 1]
        if self._looked_up is not None and namespace not in self._looked_up:
            self._looked_up.add(namespace)
            self.run.known.entries.update({record.entry.key: record.entry for record in self.run.records(namespace)})

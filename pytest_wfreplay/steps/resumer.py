"""A run that goes on from a resume state, and whose own state is kept: what ended well is not done again, whatever journal lies below.

1. The journal below is asked first: in a test it records what is known from before as it records everything else, and replays it.
2. What failed or never ended is done again. What ended well is said again (`step:start`, `step:cached`, `step:end`), and kept for the next time.
3. A step that is known and is not asked for by a run that completed shows that this is not the run that was saved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_wfreplay.clock import iso
from pytest_wfreplay.errors import SnapshotMismatchError
from pytest_wfreplay.steps.entry import Entry, Raised, Returned, error_of
from pytest_wfreplay.steps.journal import ANEW, Lasting, LiveSource, Remembered
from pytest_wfreplay.steps.known import Known
from pytest_wfreplay.steps.resume import WAIT, ResumeState
from pytest_wfreplay.steps.waiting import waited_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from contextlib import AbstractAsyncContextManager

    from pytest_wfreplay.clock import Clock
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.signal import Signal, SignalSource
    from pytest_wfreplay.steps.journal import Begun, Ending, Interruption, Journal, JournalSource, RunFacts


class Resuming:
    """Hands out the journal of one run that goes on from a state; its own is in `state`, None while it has not started."""

    def __init__(self, source: JournalSource, known: ResumeState, workflow: str) -> None:
        self._source = source
        self._known = known
        self._workflow = workflow
        self._resumer: Resumer | None = None

    @property
    def state(self) -> ResumeState | None:
        """What the run has done, in this run or before."""
        return None if self._resumer is None else ResumeState(self._resumer.steps(), self._workflow, self._resumer.identity)

    @property
    def works(self) -> bool:
        """As the source below."""
        return self._source.works

    @property
    def rules(self) -> bool:
        """As the source below."""
        return self._source.rules

    @property
    def inner(self) -> JournalSource:
        """As the source below."""
        return self._source.inner

    async def open(self, run: RunFacts) -> Journal:
        """The journal of the run, over that of the source."""
        below = await self._source.open(run)
        identity = below.identity if isinstance(below, Lasting) else None
        if isinstance(self._source, LiveSource):
            identity = self._known.run_id or below.clock.new_id()
        self._resumer = Resumer(below, self._known, identity)
        return self._resumer


class Resumer:
    """A journal over another one, which remembers what a resume state does."""

    def __init__(self, below: Journal, known: ResumeState, identity: str | None = None) -> None:
        self._below = below
        #: What the run is called wherever it goes on; None in a recording, which holds nothing that is new each time.
        self.identity = identity
        self._known = Known(known.steps.values())
        self._ended: dict[str, Entry] = {}
        self._open: dict[str, Entry] = {}
        self._asked: set[str] = set()
        self._has_redone = self._has_completed = False

    def steps(self) -> dict[str, Entry]:
        """What was done, in the order in which it ended; then, unless the run completed, what it did not come to; then what has not ended."""
        rest = {} if self._has_completed else self._known.entries
        found = dict(self._ended)
        for key, entry in (*rest.items(), *self._open.items()):
            found.setdefault(key, entry)
        return found

    def recall(self, key: str, input: object) -> Remembered | None:
        """What is known of a step, here or below."""
        self._asked.add(key)
        remembered = self._below.recall(key, input)
        if remembered is not None:
            self._note([*self._below.inside(key), remembered.entry])
            return remembered
        entry = self._known.recall(key, input)
        if entry is None:
            self._has_redone = self._has_redone or key in self._known.entries
            return None
        for one in (*self.inside(key), entry):
            kept = self._below.append(one) if one.outcome is not None else None
            if kept is not None and not isinstance(kept, Entry):
                waited_for(kept)
        self._note([*self.inside(key), entry])
        return Remembered(entry, position=ANEW)

    def _note(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.outcome is None or is_suspended(entry):
                self._open[entry.key] = replace(entry, outcome=None)
            else:
                self._open.pop(entry.key, None)
                self._ended[entry.key] = entry

    def inside(self, key: str) -> Sequence[Entry]:
        """The steps inside a known step."""
        return [entry for one, entry in self._known.entries.items() if one.startswith(f"{key}/")]

    def begin(self, key: str, given: JSON) -> Begun:
        """Take note of when it began."""
        self._open[key] = Entry(key, given, None, started_at=iso(self.clock.now()))
        return self._below.begin(key, given)

    def append(self, entry: Entry) -> Entry | Awaitable[Entry] | None:
        """Keep a step that was done."""
        standing = self._below.append(entry)
        if standing is None or isinstance(standing, Entry):
            self._end(standing or entry)
            return standing
        return self._appended(standing)

    async def _appended(self, standing: Awaitable[Entry]) -> Entry:
        entry = await standing
        self._end(entry)
        return entry

    def _end(self, entry: Entry) -> None:
        began = self._open.get(entry.key)
        started = entry.started_at or (began.started_at if began else None)
        has_ended = entry.outcome is not None and not is_suspended(entry)
        self._note([replace(entry, started_at=started, ended_at=(entry.ended_at or iso(self.clock.now())) if has_ended else None)])

    async def end(self, ending: Ending) -> None:
        """Close the journal below, and ask after the steps that a run which completed never came to.

        Raises:
            DivergenceError: as the journal below.
            SnapshotMismatchError: there are some.
        """
        self._has_completed = ending.status == "completed"
        await self._below.end(ending)
        if not self._has_completed or self._has_redone:
            return  # after a failure that is mended the run may take another way
        unknown = [key for key, entry in self._known.entries.items() if isinstance(entry.outcome, Returned | Raised) and not self._was_asked(key)]
        if unknown:
            raise SnapshotMismatchError(
                f"The run completed without asking for {len(unknown)} of the steps it was resumed from: {', '.join(unknown)}.",
                hint="Resume with the version of the workflow that saved them, or take them out of the state.",
            )

    def _was_asked(self, key: str) -> bool:
        parts = key.split("/")
        if key.startswith(WAIT) and len(parts) > len(("wait_for", "name")):
            del parts[0]  # the wait of a workflow inside a step
        return any("/".join(parts[:length]) in self._asked for length in range(1, len(parts) + 1))

    @property
    def recording_id(self) -> str | None:
        """That of the journal below; so are all that follow."""
        return self._below.recording_id

    @property
    def clock(self) -> Clock:
        """As below."""
        return self._below.clock

    def named(self, key: str) -> str:
        """As below."""
        return self._below.named(key)

    def place(self, position: int, name: str, payload: JSON, source: SignalSource | None) -> Signal:
        """As below."""
        return self._below.place(position, name, payload, source)

    def hear(self, signal: Signal) -> None:
        """As below."""
        self._below.hear(signal)

    def turn(self, ordinal: int, *, at_rest: bool) -> Awaitable[None] | None:
        """As below."""
        return self._below.turn(ordinal, at_rest=at_rest)

    def arrive(self, ordinal: int) -> None:
        """As below."""
        self._below.arrive(ordinal)

    def repeat(self, remembered: Remembered, position: int) -> bool:
        """As below; what is known from before is said anew."""
        return remembered.position != ANEW and self._below.repeat(remembered, position)

    async def lapse(self, remembered: Remembered) -> None:
        """As below."""
        await self._below.lapse(remembered)

    async def interruption(self, timeout: float | None) -> Interruption:
        """As below."""
        return await self._below.interruption(timeout)

    def watch(self) -> AbstractAsyncContextManager[None]:
        """As below."""
        return self._below.watch()

    def duration_ms(self) -> float:
        """As below."""
        return self._below.duration_ms()


def is_suspended(entry: Entry) -> bool:
    """Whether this is a wait that nobody has answered."""
    error = error_of(entry.outcome)
    return entry.key.startswith(WAIT) and error is not None and error.get("type") == "WorkflowSuspended"

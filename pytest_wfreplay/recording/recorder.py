"""The journal that remembers nothing and keeps everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from pytest_wfreplay.clock import Clock, SystemClock, iso
from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.recording.cleaning import Clean, Cleaning, as_cleaning
from pytest_wfreplay.recording.ends import Ends
from pytest_wfreplay.recording.pieces import Pieces
from pytest_wfreplay.recording.recording import Recording, RecordingMetadata
from pytest_wfreplay.signal import Signal, SignalSource, signal_id
from pytest_wfreplay.steps.entry import ABSENT, Entry
from pytest_wfreplay.steps.journal import Ending, LiveJournal, Remembered, RunFacts
from pytest_wfreplay.trace import Trace


class Feed(Protocol):
    """Takes what is recorded while the run goes on, so that a crashed recording can be looked at."""

    def signal(self, signal: Signal) -> None:
        """One more signal was heard."""

    def entry(self, entry: Entry) -> None:
        """One more step has ended."""


#: Begins to feed somebody, with what was recorded so far.
Feeding: TypeAlias = "Callable[[Recording], Feed]"


@dataclass(frozen=True, slots=True)
class Naming:
    """What a recording is called and found by."""

    id: str
    name: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(slots=True)
class _Kept:
    """What was recorded so far. A step that began has its place in `entries` from then on."""

    signals: list[Signal] = field(default_factory=list)
    entries: dict[str, Entry | None] = field(default_factory=dict)


class Recorder(LiveJournal):
    """Keeps a run. Secrets are taken out of what is kept (`clean`), never out of what the run sees."""

    def __init__(self, run: RunFacts, naming: Naming, *, clean: Clean | Cleaning, feed: Feeding | None = None, clock: Clock | None = None) -> None:
        super().__init__(clock or SystemClock())
        self.run = run
        self.naming = naming
        self.recording_id = naming.id
        self._cleaning = as_cleaning(clean)
        self._feeding = feed
        self._feed: Feed | None = None
        self._kept = _Kept()
        self._pieces = Pieces(self._cleaning, self._keep)
        self._created_at = iso(self.clock.now())
        self._ends = Ends(self.clock)
        self._ending: Ending | None = None
        #: How many signals were heard.
        self.heard = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded."""
        return not self.heard and not self._kept.entries

    def feed(self, feeding: Feeding) -> None:
        """Begin to feed somebody with the next thing that is kept."""
        self._feeding = feeding

    def recall(self, key: str, input: object) -> Remembered | None:  # noqa: ARG002 - the entry brings its input when it has ended
        """Nothing; but the step has its place from now on."""
        self._kept.entries.setdefault(self._cleaning.key(key), None)
        return None

    def named(self, key: str) -> str:
        """The key without secrets."""
        return self._cleaning.key(key)

    def append(self, entry: Entry) -> None:
        """Keep a step."""
        entry = self._cleaning.entry(entry)
        feed = self._fed()
        self._kept.entries[entry.key] = entry
        if feed is not None:
            feed.entry(entry)

    def place(self, position: int, name: str, payload: JSON, source: SignalSource | None) -> Signal:
        """A signal of this moment."""
        return Signal(signal_id(position), name, payload, self._ends.time(position, name, payload), source)

    def hear(self, signal: Signal) -> None:
        """Keep a signal."""
        self.heard += 1
        self._pieces.add(signal)

    def _keep(self, signal: Signal) -> None:
        feed = self._fed()
        self._kept.signals.append(signal)
        if feed is not None:
            feed.signal(signal)

    async def end(self, ending: Ending) -> None:
        """The run has ended like this."""
        self.conclude(ending)

    def conclude(self, ending: Ending) -> None:
        """The run has ended like this."""
        self._ending = ending
        self._pieces.close()

    def recording(self) -> Recording:
        """What was kept; its status is `recording` while the run goes on. A step that has not ended is kept as cancelled."""
        ending, kept, cleaning = self._ending, self._kept, self._cleaning
        harnesses = cleaning.mapping(self.run.harnesses)
        metadata = RecordingMetadata(
            id=self.naming.id,
            name=cleaning.optional_name(self.naming.name),
            tags=tuple(map(cleaning.name, self.naming.tags)),
            workflow=cleaning.optional_name(self.run.workflow),
            harness_type=harness_type_of(harnesses),
            created_at=self._created_at,
            duration_ms=ending.duration_ms if ending else None,
            signal_count=len(kept.signals),
            status=ending.status if ending else "recording",
            error=cleaning.error(ending.error) if ending and ending.error else None,
        )
        return Recording(
            metadata=metadata,
            initial_state=cleaning.state(self.run.initial_state),
            final_state=cleaning.state(ending.final_state) if ending else ABSENT,
            entries=tuple(entry or Entry(key, ABSENT, None) for key, entry in kept.entries.items()),
            signals=Trace(kept.signals),
            harnesses=harnesses,
            outcome=cleaning.outcome(ending.outcome) if ending else None,
        )

    def _fed(self) -> Feed | None:
        """Who is fed: begun when there is something to tell, so that a run that says nothing leaves nothing behind."""
        if self._feed is None and self._feeding is not None:
            self._feed = self._feeding(self.recording())
        return self._feed


def harness_type_of(harnesses: Mapping[str, str]) -> str | None:
    """The one type of all harnesses of a run, or their types joined by commas."""
    return ",".join(dict.fromkeys(harnesses.values())) or None

"""The journal that remembers nothing and keeps everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from pytest_wfreplay.clock import Clock, SystemClock, iso
from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.recording.pieces import Clean, Pieces
from pytest_wfreplay.recording.recording import Recording, RecordingMetadata
from pytest_wfreplay.signal import Signal
from pytest_wfreplay.steps.entry import ABSENT, Absent, Entry, Outcome, Raised, Returned
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

    def __init__(self, run: RunFacts, naming: Naming, *, clean: Clean, feed: Feeding | None = None, clock: Clock | None = None) -> None:
        super().__init__(clock or SystemClock())
        self.run = run
        self.naming = naming
        self.recording_id = naming.id
        self._clean = clean
        self._feeding = feed
        self._feed: Feed | None = None
        self._kept = _Kept()
        self._pieces = Pieces(clean, self._keep)
        self._created_at = iso(self.clock.now())
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
        self._kept.entries.setdefault(key, None)
        return None

    def append(self, entry: Entry) -> None:
        """Keep a step."""
        entry = Entry(entry.key, self._cleaned(entry.input), _cleaned_outcome(entry.outcome, self._clean), entry.attempts)
        feed = self._fed()
        self._kept.entries[entry.key] = entry
        if feed is not None:
            feed.entry(entry)

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
        ending, kept = self._ending, self._kept
        metadata = RecordingMetadata(
            id=self.naming.id,
            name=self.naming.name,
            tags=self.naming.tags,
            workflow=self.run.workflow,
            harness_type=harness_type_of(self.run.harnesses),
            created_at=self._created_at,
            duration_ms=ending.duration_ms if ending else None,
            signal_count=len(kept.signals),
            status=ending.status if ending else "recording",
            error=_cleaned_error(ending.error, self._clean) if ending and ending.error else None,
        )
        return Recording(
            metadata=metadata,
            initial_state=self._cleaned(self.run.initial_state),
            final_state=self._cleaned(ending.final_state) if ending else ABSENT,
            entries=tuple(entry or Entry(key, ABSENT, None) for key, entry in kept.entries.items()),
            signals=Trace(kept.signals),
            harnesses=dict(self.run.harnesses),
            outcome=_cleaned_outcome(ending.outcome, self._clean) if ending else None,
        )

    def _fed(self) -> Feed | None:
        """Who is fed: begun when there is something to tell, so that a run that says nothing leaves nothing behind."""
        if self._feed is None and self._feeding is not None:
            self._feed = self._feeding(self.recording())
        return self._feed

    def _cleaned(self, value: JSON | Absent) -> JSON | Absent:
        return value if isinstance(value, Absent) else self._clean(value)


def harness_type_of(harnesses: Mapping[str, str]) -> str | None:
    """The one type of all harnesses of a run, or their types joined by commas."""
    return ",".join(dict.fromkeys(harnesses.values())) or None


def _cleaned_outcome(outcome: Outcome | None, clean: Clean) -> Outcome | None:
    match outcome:
        case Returned(value):
            return Returned(clean(value))  # type: ignore[arg-type]  # an entry's values are JSON
        case Raised(error):
            return Raised(clean(error))  # type: ignore[arg-type]  # an entry's errors are JSON
    return None


def _cleaned_error(error: Mapping[str, JSON], clean: Clean) -> dict[str, JSON]:
    cleaned = clean(dict(error))
    return cleaned if isinstance(cleaned, dict) else {}

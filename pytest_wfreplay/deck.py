"""Where engine and recording meet: one cassette, one way to treat it, and the runs of one test.

1. A deck hands each run its journal, by what is done with the cassette (see `modes`). The n-th run of a workflow meets the n-th recording of
   that workflow.
2. Steps outside of any run (bare steps of the test) have a recording of their own, whose workflow is null.
3. Whatever diverges anywhere is kept in `divergences`: code that swallows the error does not save the test.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from pytest_wfreplay.clock import SystemClock, iso, seeded
from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.recording.caller import caller
from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.compare import Finding
from pytest_wfreplay.recording.divergence import Divergence, Place, error_of
from pytest_wfreplay.recording.draft import new_recording_id
from pytest_wfreplay.recording.extender import Extender, Policy
from pytest_wfreplay.recording.matching import Matching
from pytest_wfreplay.recording.modes import WORKS, WRITES
from pytest_wfreplay.recording.recorder import Naming, Recorder
from pytest_wfreplay.recording.recording import Recording, RecordingMetadata
from pytest_wfreplay.recording.replayer import Replayer
from pytest_wfreplay.recording.verifier import Verifier
from pytest_wfreplay.steps.journal import Ending, Journal, LiveJournal, RunFacts
from pytest_wfreplay.steps.line import Line
from pytest_wfreplay.steps.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pytest_wfreplay.recording.cleaning import Cleaning
    from pytest_wfreplay.recording.modes import Act
    from pytest_wfreplay.recording.picked import Picked
    from pytest_wfreplay.recording.recorder import Feeding
    from pytest_wfreplay.steps.journal import JournalSource

_CLOCK = SystemClock()

_TOO_LATE = "Wait in the test for what it starts. After the `yield` of a fixture of function scope it is too late to run anything."

#: The journal of one run, of those that know what the run is or was.
_Kept: TypeAlias = Recorder | Replayer


@dataclass(frozen=True, slots=True)
class Treatment:
    """How a test's cassette is treated: what is compared, what is taken out, and what people are told to type."""

    matching: Matching = field(default_factory=Matching)
    #: The cassette as people are shown it.
    shown: str = ""
    #: What the test is called in errors.
    test: str = ""
    #: What the test's recordings are called: its name, where it shares the cassette with others.
    name: str | None = None
    #: The commands that accept or record again.
    commands: tuple[str, ...] = ()
    #: Where tests lie: paths of callers are shown from there.
    root: str = ""
    #: Takes what is recorded while a run goes on.
    feed: Feeding | None = None
    #: The steps that are to be done again, where not all are.
    picked: Picked | None = None
    #: What keeps the recorded replies and accepts the rest.
    accept: str = ""
    #: What does the steps that are new, and keeps the others.
    extend: str = ""
    #: What records the step of a key again.
    again: Callable[[str], str] | None = None
    #: Seconds to wait for the test to cancel a run that was cancelled when it was recorded, beyond the recorded duration.
    patience: float = 1.0
    #: What draws the order in which concurrent work ends; None for the recorded order.
    seed: int | None = None

    @property
    def clean(self) -> Cleaning:
        """Takes secrets out."""
        return self.matching.cleaning


class Deck:
    """The runs of one test: recorded into a cassette, replayed from one, or left alone."""

    def __init__(self, act: Act, treatment: Treatment, cassette: Cassette | None = None) -> None:
        self.act = act
        self.divergences: list[Divergence] = []
        self._treatment = treatment
        #: The journals of the runs, each with its place in the cassette.
        self._journals: list[tuple[int, _Kept]] = []
        self._waiting: dict[str | None, deque[tuple[int, Recording]]] = {}
        recorded = cassette.runs if cassette else ()
        for number, recording in enumerate(recorded, 1):
            self._waiting.setdefault(recording.metadata.workflow, deque()).append((number, recording))
        self._recorded = recorded
        treatment.matching.take(recorded)
        self._runs = 0
        self._is_closed = False
        self._bare = self._open_bare()
        self._line = Line(self._bare, source=self)

    @property
    def works(self) -> bool:
        """Whether harnesses are needed."""
        return self.act in WORKS

    @property
    def writes(self) -> bool:
        """Whether the cassette is written when the test has passed."""
        return self.act in WRITES

    @property
    def has_worked(self) -> bool:
        """Whether anything was recorded that did not come from the cassette."""
        journals = [journal for _, journal in self._journals] + [self._bare] * isinstance(self._bare, (Recorder, Replayer))
        return any(
            not journal.is_empty if isinstance(journal, Recorder) else isinstance(journal, Extender) and journal.has_worked for journal in journals
        )

    @property
    def recorded(self) -> Cassette:
        """The cassette that was read."""
        return Cassette(tuple(self._recorded))

    @property
    def recorded_keys(self) -> set[str]:
        """The keys of all recorded steps."""
        return {entry.key for recording in self._recorded for entry in recording.entries}

    @property
    def rules(self) -> bool:
        """Whether runs that bring recording options of their own are recorded and replayed here all the same."""
        return self.act != "live"

    @property
    def inner(self) -> JournalSource:
        """Who hands journals to runs inside its runs: it does."""
        return self

    @property
    def scope(self) -> Scope:
        """The scope in which the test's code finds itself."""
        return Scope(self._line)

    @property
    def has_run(self) -> bool:
        """Whether any run or step has begun."""
        return self._runs > 0 or self._line.position > 0 or bool(self._line.counts)

    async def open(self, run: RunFacts) -> Journal:
        """The journal of a run that is about to start.

        Raises:
            DivergenceError: the cassette has no run of this workflow left.
        """
        if self._is_closed:
            raise ConfigurationError(f"{self._treatment.test} has ended; its cassette is closed.", hint=_TOO_LATE)
        self._runs += 1
        if self.act == "live":
            return LiveJournal()
        # Its cassette knows the workflow without secrets.
        run = replace(run, workflow=self._treatment.clean.optional_name(run.workflow))
        waiting = self._waiting.get(run.workflow)
        number, recording = waiting.popleft() if waiting else (len(self._recorded) + self._runs, None)
        if recording is None and self.act not in {"record", "extend"}:
            self._refuse(run)
        place = self._place(f"run {number} {run.workflow!r}")
        if recording is not None:
            self._treatment.matching.meet(recording.initial_state, run.initial_state)
        journal = self._recorder(run) if recording is None else self._journal(run, recording, place)
        if isinstance(journal, Replayer):
            journal.wait_for_others(journal.duration_ms() / 1000 + self._treatment.patience)
        self._journals.append((number, journal))
        return journal

    def normalise(self, kinds: Collection[str]) -> None:
        """Give more kinds of volatile values steady names. Raises `ConfigurationError` for an unknown one."""
        self._treatment.matching.names.add(kinds)
        self._treatment.matching.take(self._recorded)

    def close(self) -> None:
        """The test has ended: compare its own steps, and find the runs that never started."""
        self._is_closed = True
        self._line.journal = _Closed(self._treatment.test)
        if isinstance(self._bare, (Recorder, Replayer)):
            self._bare.conclude(Ending("completed", duration_ms=self._bare.duration_ms()))
        for workflow, waiting in self._waiting.items() if self.act != "extend" else ():
            self.divergences.extend(self._never_started(workflow, number, recording) for number, recording in waiting)

    def recordings(self) -> list[Recording]:
        """What was recorded or replayed, in the order in which the runs began; the test's own steps first. What is written stands as it stood."""
        bare = [_recording(self._bare)] if isinstance(self._bare, (Recorder, Replayer)) else []
        bare = [recording for recording in bare if recording.entries or recording.signals]
        journals = sorted(self._journals, key=lambda one: one[0]) if self.writes else self._journals
        return [*bare, *(_recording(journal) for _, journal in journals)]

    def cassette(self) -> Cassette:
        """What was recorded."""
        return Cassette(tuple(self.recordings()))

    def _recorder(self, run: RunFacts) -> Recorder:
        return Recorder(run, Naming(new_recording_id(_CLOCK), self._treatment.name), clean=self._treatment.clean, feed=self._treatment.feed)

    def _journal(self, run: RunFacts, recording: Recording, place: Place) -> _Kept:
        """The journal of a run that has a recording."""
        treatment, found = self._treatment, self.divergences.append
        if self.act == "replay":
            luck = None if treatment.seed is None else seeded(f"{treatment.seed} {place.run}")
            return Replayer(recording, treatment.matching, place, found=found, luck=luck)
        if self.act == "verify":
            metadata = recording.metadata
            return Verifier(run, Naming(metadata.id, metadata.name, metadata.tags), Finding(recording, treatment.matching, place), found)
        extends = self.act == "extend"
        picked = treatment.picked if self.works else None
        policy = Policy(does_unknown=extends, drops_unused=extends, picked=picked)
        return Extender(run, recording, treatment.matching, place, policy, found=found, feed=treatment.feed)

    def _open_bare(self) -> _Kept | LiveJournal:
        if self.act == "live":
            return LiveJournal()
        run = RunFacts(None)
        waiting = self._waiting.pop(None, None)
        if not waiting and self.act in {"record", "extend"}:
            return self._recorder(run)
        nothing = RecordingMetadata(new_recording_id(_CLOCK), self._treatment.name, created_at=iso(_CLOCK.now()), status="completed")
        return self._journal(run, waiting.popleft()[1] if waiting else Recording(nothing), self._place("the test's own steps"))

    def _refuse(self, run: RunFacts) -> NoReturn:
        divergence = Divergence(
            kind="unrecorded_step",
            place=self._place(f"run {self._runs} {run.workflow!r}"),
            headline=f"the cassette has no run of workflow {run.workflow!r} left; it was not started",
            guess=self._other_runs(),
        )
        self.divergences.append(divergence)
        raise error_of([divergence])

    def _other_runs(self) -> str:
        left = [f"{workflow!r}" for workflow, waiting in self._waiting.items() if waiting]
        return f"renamed? the cassette still has {', '.join(left)}" if left else "inserted? every recorded run was replayed"

    def _never_started(self, workflow: str | None, number: int, recording: Recording) -> Divergence:
        return Divergence(
            kind="unused_step",
            place=self._place(f"run {number} {workflow!r}"),
            headline=f"run {number} of workflow {workflow!r} was recorded and never started in this test",
            step=recording.entries[0].key if recording.entries else None,
            guess="removed? or the test took another path before it",
        )

    def _place(self, run: str) -> Place:
        treatment = self._treatment
        return Place(
            run,
            treatment.shown,
            caller(below=treatment.root),
            treatment.commands,
            treatment.root,
            treatment.accept,
            treatment.again,
            lambda: treatment.matching.told(self._recorded),
            treatment.extend,
        )


def _recording(journal: _Kept) -> Recording:
    """What a journal knows or has kept of its run."""
    if isinstance(journal, Extender):
        return journal.kept()
    return journal.recording if isinstance(journal, Replayer) else journal.recording()


class _Closed(LiveJournal):
    """The journal of a test that has ended: a leaked thread or task cannot read or write anybody's cassette."""

    def __init__(self, test: str) -> None:
        super().__init__()
        self._test = test

    def recall(self, key: str, input: object) -> None:  # noqa: ARG002 - it is refused whatever it is given
        """Refuse.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError(f"Step {key!r} began after {self._test} had ended.", hint=_TOO_LATE)

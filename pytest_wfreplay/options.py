"""`RecordingOptions`: how one run is recorded or replayed without a test, into and from a store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_wfreplay.errors import ConfigurationError, RecordingNotFound
from pytest_wfreplay.learnt import Learning
from pytest_wfreplay.recording.caller import caller, working_folder
from pytest_wfreplay.recording.cleaning import Cleaning
from pytest_wfreplay.recording.divergence import Place
from pytest_wfreplay.recording.matching import Matching
from pytest_wfreplay.recording.pieces import cleaned_recording
from pytest_wfreplay.recording.recorder import Naming, harness_type_of
from pytest_wfreplay.recording.recording import Recording
from pytest_wfreplay.recording.replayer import Replayer
from pytest_wfreplay.recording.store import Looking, RecordingQuery
from pytest_wfreplay.recording.streaming import StoreRecorder
from pytest_wfreplay.redact import Redactor
from pytest_wfreplay.steps.journal import Journal, LiveJournal, LiveSource, RunFacts

if TYPE_CHECKING:
    from pytest_wfreplay.recording.store import SignalStore
    from pytest_wfreplay.steps.journal import JournalSource


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """How one run is recorded or replayed without a test: `flow.run_reactive(..., recording=RecordingOptions("record", store))`.

    `store` is a `SignalStore`, or a `Store` that has one as `.recordings`. `record` needs a store; `replay` a store and an id or a name (the
    latest completed recording of that name). Secrets are taken out of what is kept, as in a test: what looks like one, and the values of environment
    variables whose name says so, those too that are set while it runs. Raises `ConfigurationError` when something is missing.
    """

    mode: Literal["live", "record", "replay"] = "live"
    store: object = None
    name: str | None = None
    tags: Iterable[str] = ()
    recording_id: str | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("live", "record", "replay"):
            raise ConfigurationError(f"Recording mode {self.mode!r} is not one of 'live', 'record', 'replay'.")
        if self.mode != "live" and self.store is None:
            raise ConfigurationError(f"Recording mode {self.mode!r} requires a store.", hint="Pass store=MemorySignalStore() or another.")
        if self.mode == "replay" and self.recording_id is None and self.name is None:
            raise ConfigurationError("Recording mode 'replay' requires a recording_id or a name.", hint="Pass recording_id=result.recording_id.")

    @property
    def works(self) -> bool:
        """Whether harnesses are needed."""
        return self.mode != "replay"

    @property
    def rules(self) -> bool:
        """It is asked for by the run itself."""
        return True

    @property
    def inner(self) -> JournalSource:
        """Who hands journals to runs inside its run."""
        return LiveSource() if self.mode == "live" else _NoRunsInside()

    async def open(self, run: RunFacts) -> Journal:
        """The journal of a run that is about to start.

        Raises:
            RecordingNotFound: there is none of that id or name.
        """
        if self.mode == "live":
            return LiveJournal()
        store: SignalStore = getattr(self.store, "recordings", self.store)  # type: ignore[arg-type]  # a store was asked for
        learning = Learning(Redactor(), os.environ)
        cleaning = Cleaning(learning.json)
        name = cleaning.optional_name(self.name)
        if self.mode == "replay":
            recording = await self._load(store, name)
            here = working_folder()
            place = Place(f"run of workflow {run.workflow!r}", f"recording {recording.metadata.id}", caller(below=here), root=here)
            return Replayer(recording, Matching(clean=cleaning.clean), place)
        tags = tuple(map(cleaning.name, self.tags))
        harness_type = harness_type_of(cleaning.mapping(run.harnesses))
        id = await store.create(name, tags, harness_type, cleaning.optional_name(run.workflow))  # noqa: A001 - the word of the contract
        if isinstance(store, Looking):
            store.look(id, learning.leaked_at)
        return StoreRecorder(run, Naming(id, name, tags), store, cleaning, _anew(learning))

    async def _load(self, store: SignalStore, name: str | None) -> Recording:
        if self.recording_id is not None:
            recording = await store.load(self.recording_id)
            if recording is None:
                raise RecordingNotFound(self.recording_id)
            return recording
        latest = [one for one in await store.list(RecordingQuery(name=name)) if one.status != "recording"]
        recording = await store.load(latest[0].id) if latest else None
        if recording is None:
            raise RecordingNotFound(str(self.name))
        return recording


def _anew(learning: Learning) -> Callable[[Recording], Recording]:
    """Takes out of a recording what was learnt since now: what was kept before that may hold it."""
    known = learning.redactor

    def anew(recording: Recording) -> Recording:
        redactor = learning.redactor
        return recording if redactor is known else cleaned_recording(recording, Cleaning(redactor.json))

    return anew


class _NoRunsInside:
    """Refuses runs inside a recorded run: their recording would have no place."""

    works = True
    rules = False

    @property
    def inner(self) -> JournalSource:
        """It refuses there, too."""
        return self

    async def open(self, run: RunFacts) -> Journal:
        """Refuse.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError(
            f"Workflow {run.workflow!r} was run inside a recorded run.", hint="Make it a step: await ctx.child(workflow, …), or run it in a step."
        )

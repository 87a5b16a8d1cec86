"""Recordings as cassettes in a folder, one file each, for people to read and review.

1. A recording lies in `<slug of its name>-<id>.yaml`; while it is made, in a `.partial` beside it, which loads with status `recording`.
2. What lies anywhere below the folder is listed and loaded, tests' cassettes too; a file that cannot be read is an error, never "none".
3. Reading and writing block the event loop for as long as the disk takes: a line when a signal is appended, a file when a recording is closed.
   Threads would cost more than that, and the order of the lines.
4. One store object writes to a recording that is still made; any number read.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_wfreplay.clock import SystemClock, iso
from pytest_wfreplay.errors import CassetteMissing, RecordingFinalized, RecordingNotFound
from pytest_wfreplay.recording.cassette import MAX_BYTES, Cassette
from pytest_wfreplay.recording.codec.peek import peek
from pytest_wfreplay.recording.draft import Draft, ending, new_recording_id
from pytest_wfreplay.recording.given import given_patterns, given_query, given_recording
from pytest_wfreplay.recording.names import safe_name, slug
from pytest_wfreplay.recording.recording import STATUSES, Recording, RecordingMetadata
from pytest_wfreplay.recording.store import Listed, signals_between
from pytest_wfreplay.stores.cassette_file import CassetteFile
from pytest_wfreplay.stores.files_partial import PartialFile, read_partial

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_wfreplay.clock import Clock
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.recording.codec.leak import FindLeak
    from pytest_wfreplay.recording.store import Checkpoints, GivenEntry, GivenPatterns, GivenQuery, GivenRecording, GivenSignal
    from pytest_wfreplay.trace import Trace


class FileSignalStore:
    """A `SignalStore` of cassette files below a folder, which is made when the first is written."""

    def __init__(self, path: str | os.PathLike[str], *, clock: Clock | None = None, max_bytes: int = MAX_BYTES) -> None:
        self.path = Path(path)
        self._clock = clock or SystemClock()
        self._max_bytes = max_bytes
        self._open: dict[str, tuple[Draft, PartialFile]] = {}
        self._looks: dict[str, FindLeak] = {}

    async def create(self, name: str | None = None, tags: Iterable[str] = (), harness_type: str | None = None, workflow: str | None = None) -> str:
        """Open a recording; its id is `rec_` and 12 hex digits."""
        opened = RecordingMetadata(new_recording_id(self._clock), name, tuple(tags), workflow, harness_type, created_at=iso(self._clock.now()))
        self._begin(Recording(opened))
        return opened.id

    def look(self, id: str, find: FindLeak) -> None:
        """Refuse to write what `find` finds in the text of this recording's files (`SecretLeakError`), until it is closed."""
        self._looks[id] = find
        if id in self._open:
            draft, partial = self._open[id]
            self._open[id] = (draft, PartialFile(partial.path, leak=find))

    async def append(self, id: str, signal: GivenSignal) -> None:
        """Keep one more signal."""
        await self.append_batch(id, [signal])

    async def append_batch(self, id: str, signals: Iterable[GivenSignal]) -> None:
        """Keep more signals, all of them or none."""
        draft, partial = self._draft(id)
        partial.run(id).signals(draft.add_signals(signals))

    async def append_entry(self, id: str, entry: GivenEntry) -> None:
        """Keep one more step."""
        draft, partial = self._draft(id)
        partial.run(id).entry(draft.add_entry(entry))

    async def checkpoint(self, id: str, name: str) -> None:
        """Give the place after the last signal a name."""
        draft, partial = self._draft(id)
        partial.run(id).checkpoint(draft.add_checkpoint(name))

    async def checkpoints(self, id: str) -> Checkpoints:
        """The named places, in the order in which they were named."""
        return list(self._recording(id).checkpoints)

    async def finalize(  # noqa: PLR0917 - the contract's own order
        self,
        id: str,
        status: str = "completed",
        duration_ms: float | None = None,
        initial_state: JSON = None,
        final_state: JSON = None,
        error: Mapping[str, JSON] | None = None,
    ) -> None:
        """Close it and write its cassette; closing it again is `RecordingFinalized`, unless it says the same."""
        recording = self._recording(id)
        closed = ending(status, duration_ms, initial_state, final_state, error).close(recording)
        if closed is not recording:
            self._keep(closed)

    async def load(self, id: str) -> Recording | None:
        """The whole recording, or None for an unknown id; while it is recorded, what there is so far."""
        try:
            return given_recording(self._recording(id), clock=self._clock)
        except RecordingNotFound:
            return None

    async def load_signals(
        self,
        id: str,
        from_index: int = 0,
        to_index: int | None = None,
        patterns: GivenPatterns | None = None,
    ) -> Trace:
        """The signals from one index up to and without the other (from 0) that match any of the patterns."""
        recording = given_recording(self._recording(id), clock=self._clock)
        return signals_between(recording.signals, from_index, to_index, given_patterns(patterns))

    async def list(self, query: GivenQuery | None = None) -> Listed:
        """What is kept, newest first: filtered, then paged."""
        asked = given_query(query)
        found: Listed = []
        for path in self._files():
            kept = {metadata.id for metadata in found} if path.suffix == ".partial" else ()  # closed, and its partial file not yet removed
            found += [metadata for metadata in self._metadata(path) if metadata.id not in kept]
        return asked.page(sorted(found, key=lambda metadata: metadata.created_at, reverse=True))

    async def delete(self, id: str) -> None:
        """Forget it; an unknown id is silent. From a file with other recordings only this one is taken."""
        self._open.pop(id, None)
        path = self._find(id)
        if path is None:
            return
        if path.suffix == ".partial":
            path.unlink(missing_ok=True)
            return
        file = self._file(path)
        others = tuple(run for run in file.read().runs if run.metadata.id != id)
        if others:
            file.replace(Cassette(others))
        else:
            file.delete()

    async def exists(self, id: str) -> bool:
        """Whether there is one."""
        return self._find(id) is not None

    async def save(self, recording: GivenRecording) -> str:
        """Keep a whole recording under its own id (or a new one where it has none), in place of the one that was there; its id."""
        fresh = given_recording(recording, clock=self._clock)
        if not fresh.metadata.id:
            fresh = replace(fresh, metadata=replace(fresh.metadata, id=new_recording_id(self._clock)))
        await self.delete(fresh.metadata.id)
        if fresh.metadata.status == STATUSES[0]:
            self._begin(fresh)
        else:
            self._keep(fresh)
        return fresh.metadata.id

    async def close(self) -> None:
        """Nothing is held open; a recording that was not finalized stays a `.partial`."""

    def _begin(self, recording: Recording) -> None:
        partial = PartialFile(self._own_file(recording.metadata).partial_path)
        partial.begin(recording)
        self._open[recording.metadata.id] = (Draft(recording, self._clock), partial)

    def _keep(self, recording: Recording) -> None:
        _, partial = self._open.pop(recording.metadata.id, (None, None))
        find = self._looks.pop(recording.metadata.id, None)
        file = self._own_file(recording.metadata, find) if partial is None else self._file(partial.path, find)
        file.replace(Cassette((recording,)))

    def _own_file(self, metadata: RecordingMetadata, find: FindLeak | None = None) -> CassetteFile:
        name = safe_name(metadata.id)
        return self._file(self.path / f"{name if metadata.name is None else f'{slug(metadata.name)}-{name}'}.yaml", find)

    def _file(self, path: Path, find: FindLeak | None = None) -> CassetteFile:
        return CassetteFile(path.with_suffix(".yaml"), max_bytes=self._max_bytes, leak=find)

    def _draft(self, id: str) -> tuple[Draft, PartialFile]:
        if id not in self._open:
            path = self._find(id)
            if path is None:
                raise RecordingNotFound(id)
            if path.suffix != ".partial":
                raise RecordingFinalized(id)
            self._open[id] = (self._draft_in(path, id), PartialFile(path).mend())
        return self._open[id]

    def _recording(self, id: str) -> Recording:
        if id in self._open:
            return self._open[id][0].recording()
        path = self._find(id)
        if path is None:
            raise RecordingNotFound(id)
        if path.suffix == ".partial":
            return self._draft_in(path, id).recording()
        return next(run for run in self._file(path).read().runs if run.metadata.id == id)

    def _draft_in(self, path: Path, id: str) -> Draft:
        return next(draft for draft in read_partial(path, self._clock) if draft.recording().metadata.id == id)

    def _find(self, id: str) -> Path | None:
        """The file that holds a recording: those are asked first whose names say so."""
        name = safe_name(id)
        files = sorted(self._files(), key=lambda path: not path.stem.endswith(name))
        return next((path for path in files if any(metadata.id == id for metadata in self._metadata(path))), None)

    def _files(self) -> Iterator[Path]:
        """The cassettes, then the partial files."""
        yield from sorted(path for path in self.path.rglob("*.yaml") if not path.name.endswith(".failed.yaml"))
        yield from sorted(self.path.rglob("*.partial"))

    def _metadata(self, path: Path) -> Listed:
        if path.suffix == ".partial":
            return [draft.recording().metadata for draft in read_partial(path, self._clock)]
        try:
            return peek(self._file(path).read_bytes(), path=str(path), max_bytes=self._max_bytes)
        except CassetteMissing:
            return []  # deleted by another process since it was listed

"""What was heard so far, as JSON lines in a sidecar: a recording that crashes can be inspected, and never looks like a cassette.

Each line says to which run it belongs: `{"run": "rec_…", "signal": {…}}`; where a run begins, the command stands that records it again. A last
line that a crash cut off is left out; any other line that cannot be read is an error.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from pytest_wfreplay.clock import SystemClock
from pytest_wfreplay.errors import CassetteUnreadable, ConfigurationError
from pytest_wfreplay.recording.codec.leak import FindLeak, refuse_leak
from pytest_wfreplay.recording.draft import Draft
from pytest_wfreplay.recording.given import given_recording
from pytest_wfreplay.steps.entry import ABSENT, Raised, Returned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pytest_wfreplay.clock import Clock
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.recording.recording import Checkpoint, Recording
    from pytest_wfreplay.signal import Signal
    from pytest_wfreplay.steps.entry import Entry, Outcome


class PartialFile:
    """An append-only sidecar, made when the first line is written.

    It is opened for each line and closed again: what was heard is on its way to the disk before the run goes on, and nobody has to remember to
    close it. Raises `CassetteUnreadable` when the system does not let us write, and `SecretLeakError` where `leak` finds a secret in what is told.
    """

    def __init__(self, path: Path, *, command: str | None = None, presence: object = None, leak: FindLeak | None = None) -> None:
        self.path = path
        self._command = command
        self._leak = leak
        #: What shows others that the writer lives; let go with it.
        self._presence = presence

    def begin(self, recording: Recording) -> PartialRun:
        """A run begins: what is known of it so far, with all it has. What is heard later goes to the answer."""
        known = {"initial_state": recording.initial_state, "final_state": recording.final_state, "outcome": _outcome(recording.outcome)}
        began = {
            "metadata": dataclasses.asdict(recording.metadata),
            "harnesses": dict(recording.harnesses),
            **{key: value for key, value in known.items() if value is not ABSENT},
        }
        self._add([{"run": recording.metadata.id, "began": began, **({} if self._command is None else {"command": self._command})}])
        run = self.run(recording.metadata.id)
        run.signals(recording.signals)
        for entry in recording.entries:
            run.entry(entry)
        for checkpoint in recording.checkpoints:
            run.checkpoint(checkpoint)
        return run

    def run(self, id: str) -> PartialRun:
        """The run of that id, which began before."""
        return PartialRun(self, id)

    def renew(self, clean: Callable[[Recording], Recording]) -> None:
        """Tell all of it once more, as `clean` has it: a rule came that takes something out of what was told. The runs go on as before."""
        if self.path.exists():
            drafts = read_partial(self.path, SystemClock())
            self.path.unlink()
            for draft in drafts:
                self.begin(clean(draft.recording()))

    def mend(self) -> PartialFile:
        """Itself, without a last line that a crash cut off: what is written next would stand on it."""
        if self.path.exists():
            with self.path.open("r+b") as file:
                file.truncate(file.read().rfind(b"\n") + 1)
        return self

    def write(self, run: str, said: Iterable[tuple[str, Mapping[str, object]]]) -> None:
        """A line for each thing said, all of them or none."""
        self._add({"run": run, kind: what} for kind, what in said)

    def _add(self, said: Iterable[Mapping[str, object]]) -> None:
        text = "".join([json.dumps(one, allow_nan=False) + "\n" for one in said])
        refuse_leak(text, str(self.path), self._leak)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except OSError as error:
            problem = f"it cannot be written: {error.strerror}"
            raise CassetteUnreadable(str(self.path), problem, hint="Make room or mend the rights of its folder.") from error


class PartialRun:
    """One run in a sidecar: what a recorder tells while it records."""

    def __init__(self, file: PartialFile, id: str) -> None:
        self._file = file
        self._id = id

    def signal(self, signal: Signal) -> None:
        """A signal was heard."""
        self.signals([signal])

    def signals(self, signals: Iterable[Signal]) -> None:
        """Signals were heard."""
        self._file.write(self._id, [("signal", _signal(signal)) for signal in signals])

    def entry(self, entry: Entry) -> None:
        """A step ended."""
        spelled: dict[str, object] = {"key": entry.key, "outcome": _outcome(entry.outcome), "attempts": entry.attempts}
        spelled |= {"started_at": entry.started_at, "ended_at": entry.ended_at}
        self._file.write(self._id, [("entry", spelled if entry.input is ABSENT else {**spelled, "input": entry.input})])

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """A place was named."""
        self._file.write(self._id, [("checkpoint", dataclasses.asdict(checkpoint))])


def read_partial(path: Path, clock: Clock) -> list[Draft]:
    """The drafts that lie in a sidecar, in the order in which their runs began.

    Raises:
        CassetteUnreadable: a line before the last is not what a `PartialFile` writes, or the system does not let us read.
    """
    drafts: dict[str, Draft] = {}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise CassetteUnreadable(str(path), f"it cannot be read: {error.strerror}") from error
    for number, line in enumerate(lines[:-1], 1):  # a last line that was written whole is followed by nothing
        try:
            said = json.loads(line)
            _take(said, drafts, clock)
        except (ConfigurationError, ValueError, KeyError, TypeError) as error:
            raise CassetteUnreadable(str(path), f"not a line of a partial recording ({error})", line=number, hint="Delete it.") from None
    return list(drafts.values())


def _take(said: dict[str, JSON], drafts: dict[str, Draft], clock: Clock) -> None:
    run = said["run"]
    if "began" in said:
        drafts[run] = Draft(given_recording(said["began"], clock=clock), clock)  # type: ignore[index,arg-type]  # wrong types are a TypeError, see above
    elif "signal" in said:
        drafts[run].add_signals([said["signal"]])  # type: ignore[index,list-item]  # the same
    elif "entry" in said:
        drafts[run].add_entry(said["entry"])  # type: ignore[index,arg-type]  # the same
    else:
        drafts[run].keep_checkpoint(said["checkpoint"])  # type: ignore[index,arg-type]  # the same


def _signal(signal: Signal) -> dict[str, object]:
    source = None if signal.source is None else dataclasses.asdict(signal.source)
    return {"id": signal.id, "name": signal.name, "payload": signal.payload, "timestamp": signal.timestamp, "source": source}


def _outcome(outcome: Outcome | None) -> JSON:
    match outcome:
        case Returned(value):
            return {"value": value}  # type: ignore[dict-item]  # in a recording it is JSON
        case Raised(error):
            return {"error": error}  # type: ignore[dict-item]  # the same
    return None

"""The journal of a live run that is held against its recording, and keeps nothing.

1. Nothing is refused on the way: the run goes as it goes, and what differs is told when it has ended.
2. What is told of a step: that it is missing or new, that it was given something else (the code has changed), or that it gave something else
   (the service has): that is another `outcome`, with the step's key.
3. Work that ran side by side ends in any order, and starts what follows in any: there only what was said counts, and who said it in which order.
4. In how many pieces a text came is the network's affair.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_wfreplay.jsonable import JSON, canonical
from pytest_wfreplay.recording.caller import caller
from pytest_wfreplay.recording.compare import Finding, of_outcome, of_state
from pytest_wfreplay.recording.divergence import Divergence, around
from pytest_wfreplay.recording.memory import described
from pytest_wfreplay.recording.pairing import pairs_of
from pytest_wfreplay.recording.recorder import Naming, Recorder
from pytest_wfreplay.steps.entry import ABSENT, Absent, Entry, Raised, Returned, error_of

if TYPE_CHECKING:
    from pytest_wfreplay.signal import Signal
    from pytest_wfreplay.steps.journal import Ending, Remembered, RunFacts

_PIECES = frozenset({"text:delta", "thinking:delta"})
_BEGINS = frozenset({"step:start", "agent:activated"})
_ENDS = frozenset({"step:end", "agent:completed", "agent:failed"})


class Verifier(Recorder):
    """Holds one live run against one recording; `found` is told what differs."""

    def __init__(self, run: RunFacts, naming: Naming, finding: Finding, found: Callable[[Divergence], None]) -> None:
        # Volatile values stay as they are until they stand beside the recorded ones: only there it shows what they are called.
        super().__init__(run, naming, clean=finding.matching.redacting)
        self._finding = finding
        self._found = found
        #: key -> the line that began the step
        self._callers: dict[str, str] = {}

    def recall(self, key: str, input: object) -> Remembered | None:
        """Nothing; but who began the step is told if it differs."""
        self._callers[self.named(key)] = caller(below=self._finding.place.root)
        return super().recall(key, input)

    def conclude(self, ending: Ending) -> None:
        """The run has ended: compare it."""
        super().conclude(ending)
        looks_at, run = self._finding.matching.looks_at, self.recording()
        recorded = self._finding.recording
        is_concurrent = _overlaps(recorded.signals) or _overlaps(run.signals)
        pairs = pairs_of(recorded.entries, run.entries, by_input=is_concurrent)
        for divergence in _of_steps(self._finding, pairs, run.entries):
            now = pairs.get(divergence.step or "")
            self._found(replace(divergence, caller=self._callers.get(now.key if now else divergence.step or "", "")))
        if looks_at.outcome:
            for divergence in of_outcome(self._finding, ending):
                self._found(divergence)
        if looks_at.trace and len(recorded.signals):
            for divergence in _of_trace(self._finding, run.signals, pairs, is_concurrent=is_concurrent):
                self._found(divergence)
        if looks_at.state and not isinstance(ending.final_state, Absent) and not isinstance(recorded.final_state, Absent):
            for divergence in of_state(self._finding, ending.final_state):
                self._found(divergence)


def _overlaps(signals: Sequence[Signal]) -> bool:
    """Whether anything began while something else, that does not contain it, was going on."""
    going_on: set[str] = set()
    for signal in signals:
        if signal.name not in _BEGINS and signal.name not in _ENDS:
            continue
        step = signal.payload.get("step") if isinstance(signal.payload, dict) else None
        key = step if isinstance(step, str) else signal.source.activation if signal.source else None
        if key is None:
            continue
        if signal.name in _ENDS:
            going_on.discard(key)
        elif any(not key.startswith(f"{one}/") for one in going_on):
            return True
        else:
            going_on.add(key)
    return False


def _of_steps(finding: Finding, pairs: dict[str, Entry], current: Sequence[Entry]) -> Iterator[Divergence]:
    entries, matching = finding.recording.entries, finding.matching
    told: set[str] = set()
    for order, entry in enumerate(entries, 1):
        step = _Step(finding, entry.key, order, len(entries))
        now = pairs.get(entry.key)
        if now is None:
            if not _is_inside(entry.key, told):
                yield step.divergence("unused_step", "was recorded and never began in this live run", entry.input, ABSENT)
            told.add(entry.key)
            continue
        if matching.looks_at.inputs and not matching.agree(entry.input, now.input, partial(matching.ignoring.input, entry.key)):
            yield step.divergence("input_mismatch", "was given another input than recorded", entry.input, _beside(finding, entry.input, now.input))
        was_given, is_given = _outcome(entry), _outcome(now)
        if matching.looks_at.trace and not matching.agree(was_given, is_given, partial(_without, finding, entry.key)):
            yield step.divergence("outcome", "gave another answer than recorded", was_given, _beside(finding, was_given, is_given))
    known = {entry.key for entry in pairs.values()}
    new = [entry for entry in current if entry.key not in known]
    for entry in new:
        if not _is_inside(entry.key, {one.key for one in new}):
            yield _Step(finding, entry.key, None, len(entries)).divergence("unrecorded_step", "is not in the recording", ABSENT, entry.input)


@dataclass(frozen=True, slots=True)
class _Step:
    """A step of which something is told."""

    finding: Finding
    key: str
    order: int | None
    total: int

    def divergence(self, kind: str, what: str, recorded: JSON | Absent, current: JSON | Absent) -> Divergence:
        signals = self.finding.recording.signals
        at = next((at for at, signal in enumerate(signals, 1) if _speaker(signal) == self.key), 0)
        return Divergence(
            kind=kind,  # type: ignore[arg-type]  # the callers name kinds
            place=self.finding.place,
            headline=f"{described(self.key)} {what}",
            recorded=recorded,
            current=current,
            step=self.key,
            position=self.order,
            total=self.total,
            guess="the service answers otherwise now" if kind == "outcome" else "",
            context=around(signals, at) if at else (),
        )


def _beside(finding: Finding, recorded: JSON | Absent, current: JSON | Absent) -> JSON | Absent:
    """This run's value as it is shown beside the recorded one."""
    return current if isinstance(current, Absent) else finding.matching.beside(recorded, current)


def _speaker(signal: Signal) -> str | None:
    step = signal.payload.get("step") if signal.name == "step:start" and isinstance(signal.payload, dict) else None
    if isinstance(step, str):
        return step
    return f"{signal.source.activation}/harness" if signal.source and signal.source.harness else None


def _is_inside(key: str, keys: set[str]) -> bool:
    parts = key.split("/")
    return any("/".join(parts[:length]) in keys for length in range(1, len(parts)))


def _outcome(entry: Entry) -> JSON:
    """What came of a step, as far as it is compared: the value, or the error's class and message."""
    match entry.outcome:
        case Returned(value):
            return {"output": value}  # type: ignore[dict-item]  # an entry's values are JSON
        case Raised():
            error = error_of(entry.outcome) or {}
            return {"error": {"type": error.get("type"), "message": error.get("message")}}
    return {"cancelled": True}


def _without(finding: Finding, key: str, outcome: JSON) -> JSON:
    if isinstance(outcome, dict) and "output" in outcome:
        return {"output": finding.matching.ignoring.output(key, outcome["output"])}
    return outcome


@dataclass(frozen=True, slots=True)
class _Saying:
    """A signal as far as it is compared: no id, no time, its parent by what that says."""

    name: str
    payload: str
    activation: str | None
    source: tuple[str | None, ...]


def _of_trace(finding: Finding, heard: Sequence[Signal], pairs: dict[str, Entry], *, is_concurrent: bool) -> Iterator[Divergence]:
    names = {now.key: key for key, now in pairs.items() if now.key != key}
    recorded = _said(finding, finding.recording.signals, {})
    current = _said(finding, heard, names, recorded)
    before, after = [one for _, one in recorded], [one for _, one in current]
    if before == after or (is_concurrent and _are_alike(before, after)):
        return
    if is_concurrent:
        missing, new = Counter(before) - Counter(after), Counter(after) - Counter(before)
        was = next((one for one in recorded if one[1] in missing), None)
        now = next((one for one in current if one[1] in new), None)
    else:
        at = next((at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), min(len(before), len(after)))
        was, now = (side[at] if at < len(side) else None for side in (recorded, current))
    position = was[0] if was else len(finding.recording.signals) + 1
    yield Divergence(
        kind="trace",
        place=finding.place,
        headline=f"signal {position} is another one than recorded" if was and now else "this run said more or less than recorded",
        recorded=_shown(was[1]) if was else ABSENT,
        current=_shown(now[1]) if now else ABSENT,
        position=position,
        total=len(finding.recording.signals),
        context=around(finding.recording.signals, position),
    )


def _are_alike(before: Sequence[_Saying], after: Sequence[_Saying]) -> bool:
    """Whether both say the same, and each speaker in the same order."""
    if Counter(before) != Counter(after):
        return False
    sides = []
    for side in (before, after):
        speakers: dict[str, list[_Saying]] = {}
        for one in side:
            if one.activation is not None:
                speakers.setdefault(one.activation, []).append(one)
        sides.append(speakers)
    return sides[0] == sides[1]


def _shown(saying: _Saying) -> JSON:
    return {"name": saying.name, "payload": json.loads(saying.payload)}


def _said(
    finding: Finding, signals: Sequence[Signal], names: dict[str, str], beside: Sequence[tuple[int, _Saying]] = ()
) -> list[tuple[int, _Saying]]:
    """The sayings of a trace with their positions, texts in one piece; steps are called as `names` says, where it says anything.

    Volatile values of a live one are named as in the one `beside` it, saying for saying.
    """
    volatile = finding.matching.names
    ignoring = finding.matching.ignoring
    labels: dict[str, str] = {}
    said: list[tuple[int, _Saying]] = []
    for position, signal in _in_one_piece(signals):
        payload, source = signal.payload, signal.source
        if ignoring:
            payload = ignoring.payload(signal.name, payload, step=f"{source.activation}/harness" if source and source.harness else None)
        if names and isinstance(payload, dict) and payload.get("step") in names:
            payload = {**payload, "step": names[str(payload["step"])]}
        activation = source.activation if source else None
        activation = names.get(f"{activation}/harness", f"{activation}/harness").removesuffix("/harness") if activation is not None else None
        if volatile.kinds:
            twin = beside[len(said)][1] if len(said) < len(beside) else None
            payload = volatile.json(payload if twin is None else volatile.agreed(json.loads(twin.payload), payload))
        spelled = canonical(payload)
        labels[signal.id] = f"{signal.name} {activation} {spelled}"
        parent = labels.get(source.parent or "") if source else None
        if not (ignoring and ignoring.drops_signal(signal.name)):
            said.append((position, _Saying(signal.name, spelled, activation, (source.agent, source.harness, parent) if source else ())))
    return said


def _in_one_piece(signals: Sequence[Signal]) -> Iterator[tuple[int, Signal]]:
    """The signals with their positions, from 1; the pieces of one text are one signal where the first of them stands."""
    texts: dict[tuple[str | None, str], list[str]] = {}
    placed: list[tuple[int, Signal, list[str] | None]] = []
    for position, signal in enumerate(signals, 1):
        activation = signal.source.activation if signal.source else None
        content = signal.payload.get("content") if signal.name in _PIECES and isinstance(signal.payload, dict) else None
        if not isinstance(content, str):
            for name in _PIECES:
                texts.pop((activation, name), None)
            placed.append((position, signal, None))
            continue
        pieces = texts.get((activation, signal.name))
        if pieces is None:
            pieces = texts[activation, signal.name] = []
            placed.append((position, signal, pieces))
        pieces.append(content)
    for position, signal, pieces in placed:
        yield position, signal if pieces is None else replace(signal, payload={"content": "".join(pieces)})

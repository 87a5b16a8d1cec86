"""What can only be compared when a run has ended: leftover steps, the trace, the final state, the outcome.

A trace equals the recorded one signal for signal. Where concurrent steps of a function ended in another order (they may), the traces are equal
when they say the same, and everything but the beginnings and ends of steps in the same order.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_wfreplay.jsonable import JSON, canonical
from pytest_wfreplay.recording.divergence import Divergence, Place, around
from pytest_wfreplay.recording.memory import described
from pytest_wfreplay.recording.omission import Omission
from pytest_wfreplay.recording.pieces import cleaned
from pytest_wfreplay.recording.shuffled import Saying, parted
from pytest_wfreplay.steps.entry import ABSENT, Absent, Outcome, Raised, Returned

if TYPE_CHECKING:
    from pytest_wfreplay.recording.matching import Matching
    from pytest_wfreplay.recording.memory import Known, Memory
    from pytest_wfreplay.recording.recording import Recording
    from pytest_wfreplay.signal import Signal, SignalSource
    from pytest_wfreplay.steps.journal import Ending

#: How many signals away the other side is looked for.
_FURTHEST = 20

_STEP_SIGNALS = ("step:start", "step:end")

#: Nothing is left out of an outcome.
_OUTCOME = Omission("outcome")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is compared with what, and how strictly."""

    recording: Recording
    matching: Matching
    place: Place
    #: Whether what is under way side by side may come in any order.
    in_any_order: bool = False


def compared(finding: Finding, memory: Memory, heard: Sequence[Signal] | None, ending: Ending) -> Iterator[Divergence]:
    """Every divergence of an ended run; `heard` is its trace, None when it is the recorded one."""
    looks_at = finding.matching.looks_at
    if looks_at.outcome:
        yield from of_outcome(finding, ending)
    yield from (unused(finding, memory, known) for known in memory.left_over())
    if looks_at.trace and heard is not None and len(finding.recording.signals):
        yield from (_trace_in_any_order if finding.in_any_order else _trace)(finding, heard)
    if looks_at.state and not isinstance(ending.final_state, Absent) and not isinstance(finding.recording.final_state, Absent):
        yield from of_state(finding, ending.final_state)


def unused(finding: Finding, memory: Memory, known: Known) -> Divergence:
    """A recorded step to which a run never came."""
    return Divergence(
        kind="unused_step",
        place=finding.place,
        headline=f"{described(known.entry.key)} was recorded and never began in this run",
        recorded=known.entry.input,
        step=known.entry.key,
        position=known.order + 1,
        total=memory.total,
        guess="removed? or the run took another path before it",
        context=around(finding.recording.signals, memory.position(known.order)) if memory.position(known.order) else (),
    )


def of_outcome(finding: Finding, ending: Ending) -> Iterator[Divergence]:
    """Whether a run ended otherwise than recorded."""
    metadata = finding.recording.metadata
    recorded = _told(metadata.status, metadata.error, finding.recording.outcome)
    current = _told(ending.status, ending.error, ending.outcome)
    if not finding.matching.agree(recorded, current, _OUTCOME):
        yield Divergence(
            kind="outcome",
            place=finding.place,
            headline=f"the run {_ended(ending.status)}; recorded, it {_ended(metadata.status)}"
            if metadata.status != ending.status
            else "the run ended with another outcome than recorded",
            recorded=recorded,
            current=finding.matching.beside(recorded, current),
        )


def _ended(status: str) -> str:
    return {"completed": "completed", "failed": "failed", "timeout": "ran out of time", "cancelled": "was cancelled"}.get(status, status)


def _told(status: str, error: Mapping[str, JSON] | None, outcome: Outcome | None) -> JSON:
    """What of an outcome is compared: how it ended, the value, the error's class and message."""
    match outcome:
        case Returned(value):
            return {"returned": value}  # type: ignore[dict-item]  # an outcome's values are JSON
        case Raised(raised) if isinstance(raised, Mapping):
            return {"raised": {"type": raised.get("type"), "message": raised.get("message")}}
    if status == "cancelled":
        return {"status": status}
    return {"status": status, "error": {"type": error.get("type"), "message": error.get("message")} if error else None}


def of_state(finding: Finding, current: JSON) -> Iterator[Divergence]:
    """Whether its final state is another one."""
    recorded = finding.recording.final_state
    without = finding.matching.ignoring.of_state()
    if not finding.matching.agree(recorded, current, without):
        yield Divergence(
            kind="state",
            place=finding.place,
            headline="the final state is another one than recorded",
            recorded=recorded if isinstance(recorded, Absent) else without(recorded),
            current=finding.matching.beside(recorded, current, without),
        )


def _trace(finding: Finding, heard: Sequence[Signal]) -> Iterator[Divergence]:
    recorded = _said(finding, finding.recording.signals)
    current = _said(finding, heard, recorded)
    index = next((index for index, (one, other) in enumerate(zip(recorded, current, strict=False)) if one != other and not one.may_be(other)), None)
    if index is None:
        if len(recorded) == len(current):
            return
        index = min(len(recorded), len(current))
    elif _equal_but_for_concurrency(finding, heard):
        return
    before = recorded[index] if index < len(recorded) else None
    after = current[index] if index < len(current) else None
    yield Divergence(
        kind="trace",
        place=finding.place,
        headline=f"signal {index + 1} is another one than recorded" if before and after else _length_headline(len(recorded), len(current)),
        recorded=ABSENT if before is None else before.shown(),
        current=ABSENT if after is None else after.shown(),
        position=index + 1,
        total=len(recorded),
        guess=_guess(recorded, current, index),
        context=around(finding.recording.signals, index + 1),
    )


def _trace_in_any_order(finding: Finding, heard: Sequence[Signal]) -> Iterator[Divergence]:
    """Whether anybody says something else than recorded, whenever it is said."""
    found = parted(_said(finding, finding.recording.signals), _said(finding, heard))
    if found is not None:
        voice, recorded, current = found
        yield Divergence(
            kind="trace",
            place=finding.place,
            headline=f"{f'{voice} says' if voice else 'this run says'} something else than recorded, whatever the order",
            recorded=ABSENT if recorded is None else _listed(recorded),
            current=ABSENT if current is None else _listed(current),
        )


def _listed(saying: Saying) -> JSON:
    return [{"name": name, "payload": json.loads(payload) if payload else None} for name, payload in saying]


def _length_headline(recorded: int, current: int) -> str:
    return f"this run said {current} signals; recorded were {recorded}"


@dataclass(frozen=True, slots=True)
class _Saying:
    """A signal as far as it is compared: spelled, without secrets and without what is ignored."""

    name: str
    payload: str
    source: SignalSource | None
    #: What it is made of: the signal's payload without secrets, and what was left out of that.
    whole: JSON = field(compare=False)
    without: Omission = field(compare=False)
    matching: Matching = field(compare=False)

    @property
    def activation(self) -> str | None:
        return self.source.activation if self.source is not None else None

    def shown(self) -> JSON:
        return {"name": self.name, "payload": json.loads(self.payload)}

    def may_be(self, other: _Saying) -> bool:
        """Whether the project's own judge says so."""
        if (self.name, self.source) != (other.name, other.source) or self.matching.judge is None:
            return False
        return self.matching.grants(self.without, json.loads(self.payload), json.loads(other.payload))


def _said(finding: Finding, signals: Sequence[Signal], beside: Sequence[_Saying] = ()) -> list[_Saying]:
    """What is compared of a trace. The volatile values of a live one are named as in the one `beside` it, signal for signal."""
    matching = finding.matching
    said: list[_Saying] = []
    for signal in cleaned(signals, matching.redacting):
        if matching.ignoring and matching.ignoring.drops_signal(signal.name):
            matching.ignoring.note_dropped(signal.name)
            continue
        step = f"{signal.source.activation}/harness" if signal.source and signal.source.harness else None
        without = matching.ignoring.of_signal(signal.name, signal.payload, step=step)
        payload = without(signal.payload)
        if len(said) < len(beside):
            twin = beside[len(said)]
            if without.paths and twin.name == signal.name:
                without.note(twin.whole, signal.payload)
            payload = matching.names.agreed(json.loads(twin.payload), payload) if matching.names.kinds else payload
        payload = matching.names.json(payload)
        said.append(_Saying(signal.name, canonical(payload), signal.source, signal.payload, without, matching))
    return said


def _equal_but_for_concurrency(finding: Finding, heard: Sequence[Signal]) -> bool:
    """Whether only the ends of concurrent steps stand elsewhere. Agents are replayed in one order, so there it never is."""
    if finding.recording.harnesses or any(signal.source and signal.source.harness for signal in heard):
        return False
    sides = [_said(finding, signals) for signals in (finding.recording.signals, heard)]
    steps = [Counter((one.name, one.payload) for one in side if one.name in _STEP_SIGNALS) for side in sides]
    others = [[(one.name, one.payload) for one in side if one.name not in _STEP_SIGNALS] for side in sides]
    return steps[0] == steps[1] and others[0] == others[1]


def _guess(recorded: Sequence[_Saying], current: Sequence[_Saying], index: int) -> str:
    def at(said: Sequence[_Saying], place: int) -> tuple[str, str] | None:
        return (said[place].name, said[place].payload) if place < len(said) else None

    was, now = at(recorded, index), at(current, index)
    if was is not None and now is not None:
        if was == at(current, index + 1) and now == at(recorded, index + 1):
            return f"reordered? this run says {now[0]} before {was[0]}"
        if was[0] == now[0] == "agent:activated":
            return _other_agent(recorded, current, index)
        if was[1] == now[1]:
            return f"renamed? {was[0]} is now {now[0]}" if was[0] != now[0] else "the source is another one"
    if now is not None and was in (None, *(at(current, index + more) for more in range(1, _FURTHEST))):
        return f"inserted? this run says {now[0]}" + (f" before {was[0]}" if was else " at the end")
    if was is not None and now in (None, *(at(recorded, index + more) for more in range(1, _FURTHEST))):
        return f"removed? this run does not say {was[0]}"
    return ""


def _other_agent(recorded: Sequence[_Saying], current: Sequence[_Saying], index: int) -> str:
    was, now = (json.loads(said[index].payload).get("agent") for said in (recorded, current))
    later = any(one.name == "agent:activated" and json.loads(one.payload).get("agent") == now for one in recorded[index + 1 :])
    return f"reordered? agent {now} speaks where {was} did, and spoke later when it was recorded" if later else f"renamed? {was} is now {now}"

"""What is kept of a run that extended its recording: what it did not change stays as it was recorded, to the letter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_wfreplay.jsonable import same
from pytest_wfreplay.recording.recorder import harness_type_of
from pytest_wfreplay.steps.entry import Absent
from pytest_wfreplay.steps.key import agent_of
from pytest_wfreplay.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.recording.matching import Matching
    from pytest_wfreplay.recording.recording import Recording
    from pytest_wfreplay.signal import Signal
    from pytest_wfreplay.steps.entry import Entry


@dataclass(frozen=True, slots=True)
class Kept:
    """A run that extended a recording: `run` as a recorder kept it, and the recorded twin of each of its signals."""

    run: Recording
    twins: Sequence[Signal | None]
    #: The keys of the steps that it did.
    done: frozenset[str]
    #: Those of the replayed steps that had more to say when the run ended: for this run they have no outcome.
    cut_off: frozenset[str]


def as_recorded(kept: Kept, recorded: Recording, matching: Matching) -> Recording:
    """The recording of the run. What agrees with the recorded one (some places may be ignored) is taken from there."""
    run = kept.run
    harnesses = _harnesses(kept, recorded)
    metadata = replace(
        run.metadata,
        created_at=recorded.metadata.created_at,
        harness_type=recorded.metadata.harness_type if harnesses == dict(recorded.harnesses) else harness_type_of(harnesses),
    )
    state = matching.ignoring.state
    return replace(
        run,
        metadata=metadata,
        initial_state=_either(recorded.initial_state, run.initial_state, matching, state),
        final_state=_either(recorded.final_state, run.final_state, matching, state),
        entries=_in_recorded_order([_cut(entry, kept) for entry in run.entries], recorded),
        signals=Trace(_signals(run.signals, kept.twins, matching)),
        harnesses=harnesses,
        checkpoints=tuple(one for one in recorded.checkpoints if one.index < len(run.signals)),
    )


def _either(was: JSON | Absent, now: JSON | Absent, matching: Matching, without: Callable[[JSON], JSON]) -> JSON | Absent:
    return was if matching.agree(was, now, without) else now


def _cut(entry: Entry, kept: Kept) -> Entry:
    return replace(entry, outcome=None) if entry.key in kept.cut_off else entry


def _harnesses(kept: Kept, recorded: Recording) -> Mapping[str, str]:
    """Who spoke by which harness: as recorded, but for those who spoke here."""
    spoke = {agent_of(key.removesuffix("/harness")) for key in kept.done if key.endswith("/harness")}
    now = {agent: harness for agent, harness in kept.run.harnesses.items() if agent in spoke or agent not in recorded.harnesses}
    return {**recorded.harnesses, **now}


def _in_recorded_order(entries: Sequence[Entry], recorded: Recording) -> tuple[Entry, ...]:
    """The steps in the order in which they began; those inside others, of which a replay does not say when, where they were recorded."""
    places = {entry.key: place for place, entry in enumerate(recorded.entries)}
    outers = {inner.key: outer for outer, inners in insides(entries).items() for inner in inners if inner.key in places}
    ordered = [entry for entry in entries if entry.key not in outers]
    roots = {entry.key: place for place, entry in enumerate(ordered)}
    behind: dict[str, list[Entry]] = {}
    for entry in sorted((one for one in entries if one.key in outers), key=lambda one: places[one.key]):
        outer, before = outers[entry.key], recorded.entries[places[entry.key] - 1].key
        anchor = before if roots.get(before, -1) >= roots[outer] else outer
        roots[entry.key] = roots[anchor]
        behind.setdefault(anchor, []).append(entry)
    found, waiting = [], ordered[::-1]
    while waiting:
        found.append(waiting.pop())
        waiting += behind.get(found[-1].key, [])[::-1]
    return tuple(found)


def insides(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """The steps that each step contains, however deep, in order; the nearest that contains a step comes last."""
    keys = {entry.key for entry in entries}
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        parts = entry.key.split("/")
        for length in range(1, len(parts)):
            outer = "/".join(parts[:length])
            if outer in keys:
                found.setdefault(outer, []).append(entry)
    return found


def _signals(signals: Sequence[Signal], twins: Sequence[Signal | None], matching: Matching) -> list[Signal]:
    ignoring = matching.ignoring
    if not ignoring:
        return list(signals)
    kept = []
    for signal, twin in zip(signals, twins, strict=False):
        if twin is not None and not same(signal.payload, twin.payload):
            step = f"{signal.source.activation}/harness" if signal.source and signal.source.harness else None
            sides = [ignoring.payload(one.name, one.payload, step=step) for one in (signal, twin)]
            if ignoring.drops_signal(signal.name) or same(*sides):
                kept.append(replace(signal, payload=twin.payload))
                continue
        kept.append(signal)
    return kept

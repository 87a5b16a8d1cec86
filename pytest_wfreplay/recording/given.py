"""What stores are given, as detached dataclasses: the dataclass itself or a mapping with its field names goes in, a fresh copy comes out.

It is also the way to copy what a store gives: a copy of the dataclass shares nothing that can be changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_wfreplay.clock import iso
from pytest_wfreplay.errors import ConfigurationError, NotJsonError, SignalPayloadError
from pytest_wfreplay.jsonable import JSON, plain_json
from pytest_wfreplay.pattern import Pattern, PatternLike, as_pattern
from pytest_wfreplay.recording.recording import STATUSES, Checkpoint, Recording, RecordingMetadata
from pytest_wfreplay.recording.store import RecordingQuery
from pytest_wfreplay.signal import Signal, SignalSource, signal_id
from pytest_wfreplay.steps.entry import ABSENT, Absent, Entry, Outcome, Raised, Returned
from pytest_wfreplay.trace import Trace

if TYPE_CHECKING:
    from pytest_wfreplay.clock import Clock
    from pytest_wfreplay.recording.store import GivenEntry, GivenPatterns, GivenQuery, GivenRecording, GivenSignal

T = TypeVar("T")


def given_signal(signal: GivenSignal, *, position: int, clock: Clock) -> Signal:
    """The signal, detached. A mapping may leave out its id (then it is its position, from 1) and its timestamp (then it is now).

    Raises:
        SignalPayloadError: JSON cannot carry its payload.
        ConfigurationError: a mapping that is no signal.
    """
    fields = _fields(Signal, signal, needs=("name",))
    try:
        payload = plain_json(fields.get("payload"))
    except NotJsonError as error:
        raise SignalPayloadError(error.path, error.problem) from None
    source = fields.get("source")
    return Signal(
        fields.get("id") or signal_id(position),
        fields["name"],
        payload,
        fields.get("timestamp") or iso(clock.now()),
        source if source is None else _built(SignalSource, source),
    )


def given_entry(entry: GivenEntry) -> Entry:
    """The entry, detached. In a mapping the outcome may be `{"value": ...}`, `{"error": ...}` or None.

    Raises:
        NotJsonError: JSON cannot carry its input or its outcome.
        ConfigurationError: a mapping that is no entry.
    """
    fields = _fields(Entry, entry, needs=("key",))
    fields["input"] = _fresh(fields.get("input", ABSENT), "input")
    fields["outcome"] = _outcome(fields.get("outcome"))
    return Entry(**fields)


def given_recording(recording: GivenRecording, *, clock: Clock) -> Recording:
    """The recording, detached; `signal_count` is what it has.

    Raises:
        NotJsonError: JSON cannot carry a part of it.
        ConfigurationError: a mapping that is no recording.
    """
    fields = _fields(Recording, recording, needs=("metadata",))
    signals = [given_signal(signal, position=position, clock=clock) for position, signal in enumerate(fields.get("signals", ()), 1)]
    return Recording(
        metadata=given_metadata(fields["metadata"], len(signals)),
        initial_state=_fresh(fields.get("initial_state", ABSENT), "initial_state"),
        final_state=_fresh(fields.get("final_state", ABSENT), "final_state"),
        entries=tuple(given_entry(entry) for entry in fields.get("entries", ())),
        signals=Trace(signals),
        harnesses=dict(fields.get("harnesses", {})),
        outcome=_outcome(fields.get("outcome")),
        checkpoints=tuple(given_checkpoint(checkpoint) for checkpoint in fields.get("checkpoints", ())),
    )


def given_metadata(metadata: RecordingMetadata | Mapping[str, object], signal_count: int) -> RecordingMetadata:
    """The metadata, detached, with the true count of signals.

    Raises:
        ConfigurationError: a mapping that is no metadata, or a status that is none.
    """
    fields = _fields(RecordingMetadata, metadata)
    if fields.get("status", "recording") not in STATUSES:
        raise ConfigurationError(f"Not a status: {fields['status']!r}.", hint=f"One of {', '.join(STATUSES)}.")
    error = fields.get("error")
    fields |= {"id": fields.get("id") or "", "tags": tuple(fields.get("tags", ())), "signal_count": signal_count}
    fields["error"] = None if error is None else plain_json(error, path="error")
    return RecordingMetadata(**fields)


def given_checkpoint(checkpoint: Checkpoint | Mapping[str, object]) -> Checkpoint:
    """The checkpoint.

    Raises:
        ConfigurationError: a mapping that is no checkpoint.
    """
    return _built(Checkpoint, checkpoint)


def given_query(query: GivenQuery | None) -> RecordingQuery:
    """The query; None asks for everything.

    Raises:
        ConfigurationError: a mapping that is no query, or one that cannot be answered.
    """
    return RecordingQuery() if query is None else _built(RecordingQuery, query)


def given_patterns(patterns: GivenPatterns | None) -> tuple[Pattern, ...]:
    """The patterns, of which any is to match; none when everything does. A single one needs no list.

    Raises:
        ConfigurationError: something that is no pattern.
    """
    if patterns is None:
        return ()
    if isinstance(patterns, Iterable) and not isinstance(patterns, str | Mapping):
        return tuple(as_pattern(pattern) for pattern in patterns)
    single: PatternLike = patterns
    return (as_pattern(single),)


def _fields(cls: type, given: object, *, needs: tuple[str, ...] = ()) -> dict[str, Any]:
    if isinstance(given, cls):
        return {field.name: getattr(given, field.name) for field in dataclasses.fields(given)}  # type: ignore[arg-type]  # cls is a dataclass
    names = [field.name for field in dataclasses.fields(cls)]
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"Not a {cls.__name__}: {given!r} ({type(given).__name__}).", hint=f"Pass one, or a mapping with {', '.join(names)}."
        )
    unknown = [key for key in given if key not in names]
    missing = [name for name in needs if name not in given]
    if unknown or missing:
        problem = f"has no field {unknown[0]!r}" if unknown else f"needs the field {missing[0]!r}"
        raise ConfigurationError(f"A {cls.__name__} {problem}.", hint=f"Its fields: {', '.join(names)}.")
    return dict(given)


def _built(cls: type[T], given: object) -> T:
    if isinstance(given, cls):
        return given
    fields = _fields(cls, given)
    try:
        return cls(**fields)
    except TypeError as error:
        raise ConfigurationError(f"Not a {cls.__name__}: {error}.", hint="Give all of its required fields.") from None


def _outcome(given: object) -> Outcome | None:
    if given is None:
        return None
    if isinstance(given, Mapping) and len(given) == 1 and "value" in given:
        given = Returned(given["value"])
    elif isinstance(given, Mapping) and len(given) == 1 and "error" in given:
        given = Raised(given["error"])
    if isinstance(given, Returned):
        return Returned(plain_json(given.value, path="outcome.value"))
    if isinstance(given, Raised):
        return Raised(plain_json(given.error, path="outcome.error"))
    raise ConfigurationError(f"Not an outcome: {given!r}.", hint="Pass Returned(value), Raised(error) or None.")


def _fresh(value: object, path: str) -> JSON | Absent:
    """A copy of what is JSON already: tags stay as they are, so `plain_json` copies them like any other keys."""
    return ABSENT if value is ABSENT else plain_json(value, path=path)

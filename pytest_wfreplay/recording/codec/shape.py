"""The recordings that a cassette's plain data stands for; every wrong shape is named with its place and what was expected there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.codec.runs import RUN_KEYS
from pytest_wfreplay.recording.codec.times import check_calendar, timestamps
from pytest_wfreplay.recording.codec.unfold import Unfolded
from pytest_wfreplay.recording.recorder import harness_type_of
from pytest_wfreplay.recording.recording import STATUSES, Checkpoint, Recording, RecordingMetadata
from pytest_wfreplay.steps.entry import ABSENT, Entry, Raised, Returned

if TYPE_CHECKING:
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.recording.codec.place import Place
    from pytest_wfreplay.steps.entry import Outcome
    from pytest_wfreplay.trace import Trace

_TOP = dict.fromkeys(("format", "runs"))
_RUN = dict.fromkeys(RUN_KEYS)
_STATE = dict.fromkeys(("initial", "final"))
_RECORDED = dict.fromkeys(("id", "at", "by", "harness_type", "duration_ms"))
_CHECKPOINT = dict.fromkeys(("name", "index"))
_STEP = dict.fromkeys(("step", "input", "output", "error", "cancelled", "attempts"))
_OUTCOME = dict.fromkeys(("value", "error"))
_ENDINGS = ("output", "error", "cancelled")


def cassette_of(data: JSON, place: Place) -> Cassette:
    """The cassette; `data` is of the present format.

    Raises:
        CassetteUnreadable: something is not what a cassette has there.
    """
    top = _object(data, _TOP, place)
    runs = _list(top.get("runs", []), place, "runs")
    return Cassette(tuple([_recording(run, place.at("runs", index)) for index, run in enumerate(runs)]))


def _recording(data: JSON, place: Place) -> Recording:
    run = _object(data, _RUN, place)
    state = _object(run.get("state", {}), _STATE, place, "state")
    initial = state.get("initial", ABSENT)
    harnesses = {key: _text(value, place, "harnesses", key) for key, value in _object(run.get("harnesses", {}), None, place, "harnesses").items()}
    recorded = _object(run.get("recorded", {}), _RECORDED, place, "recorded")
    unfolded = Unfolded(_list(run.get("signals", []), place, "signals"), initial, place.at("signals"))
    metadata = _metadata(run, recorded, place, harness_type=harness_type_of(harnesses), signal_count=len(unfolded))
    signals = _trace(unfolded, run.get("at_ms", []), metadata.created_at, place.at("at_ms"))
    steps = _list(run.get("steps", []), place, "steps")
    return Recording(
        metadata=metadata,
        initial_state=initial,
        final_state=state.get("final", ABSENT),
        entries=tuple([_entry(step, place, index) for index, step in enumerate(steps)]),
        signals=signals,
        harnesses=harnesses,
        outcome=_outcome(run["outcome"], place.at("outcome")) if "outcome" in run else None,
        checkpoints=_checkpoints(run.get("checkpoints", []), signals, metadata.created_at, place.at("checkpoints")),
    )


def _metadata(run: dict[str, JSON], recorded: dict[str, JSON], place: Place, *, harness_type: str | None, signal_count: int) -> RecordingMetadata:
    status = _text(run.get("status", "completed"), place, "status")
    if status not in STATUSES:
        raise place.at("status").wrong(f"one of {', '.join(STATUSES)}", status)
    return RecordingMetadata(
        id=_text(recorded.get("id", ""), place, "recorded", "id"),
        name=_text_or_none(run.get("name"), place, "name"),
        tags=tuple([_text(tag, place, "tags", index) for index, tag in enumerate(_list(run.get("tags", []), place, "tags"))]),
        workflow=_text_or_none(run.get("workflow"), place, "workflow"),
        harness_type=_text_or_none(recorded.get("harness_type", harness_type), place, "recorded", "harness_type"),
        created_at=_text(recorded.get("at", ""), place, "recorded", "at"),
        duration_ms=None if recorded.get("duration_ms") is None else _number(recorded["duration_ms"], place, "recorded", "duration_ms"),
        signal_count=signal_count,
        status=status,
        error=_object(run["error"], None, place, "error") if "error" in run else None,
    )


def _trace(unfolded: Unfolded, at_ms: JSON, start: str, place: Place) -> Trace:
    numbers = _list(at_ms, place)
    if not {int, float}.issuperset(map(type, numbers)):
        index = next(index for index, number in enumerate(numbers) if type(number) not in (int, float))
        raise place.at(index).wrong("milliseconds", numbers[index])
    try:
        check_calendar(numbers, len(unfolded), start)  # type: ignore[arg-type]  # numbers, all of them
    except (ValueError, OverflowError) as error:
        raise place.wrong(f"milliseconds since it was recorded ({error})", numbers) from None
    return unfolded.trace(lambda: timestamps(numbers, len(unfolded), start))  # type: ignore[arg-type]  # numbers, all of them


def _checkpoints(data: JSON, signals: Trace, start: str, place: Place) -> tuple[Checkpoint, ...]:
    found = []
    for index, item in enumerate(_list(data, place)):
        checkpoint = _object(item, _CHECKPOINT, place, index)
        if not checkpoint.keys() >= _CHECKPOINT.keys():
            raise place.at(index).wrong("an object that has name and index", item)
        position = checkpoint["index"]
        if type(position) is not int or not -1 <= position < len(signals):
            raise place.at(index, "index").wrong(f"the index of a signal, below {len(signals)}", position)
        timestamp = start if position < 0 else signals[position].timestamp
        found.append(Checkpoint(_text(checkpoint["name"], place, index, "name"), position, timestamp))
    return tuple(found)


def _entry(data: JSON, place: Place, index: int) -> Entry:
    step = _object(data, _STEP, place, "steps", index)
    if "step" not in step:
        raise place.at("steps", index).wrong("an object that has step", data)
    attempts = step.get("attempts", 1)
    if type(attempts) is not int or attempts < 1:
        raise place.at("steps", index, "attempts").wrong("a number from 1", attempts)
    return Entry(_text(step["step"], place, "steps", index, "step"), step.get("input", ABSENT), _ended(step, place, index), attempts)


def _ended(step: dict[str, JSON], place: Place, index: int) -> Outcome | None:
    ended = [key for key in _ENDINGS if key in step]
    if ended == ["output"]:
        return Returned(step["output"])
    if ended == ["error"]:
        return Raised(_object(step["error"], None, place, "steps", index, "error"))
    if "cancelled" not in ended:
        raise place.at("steps", index).wrong("one of output, error, cancelled", sorted(ended))
    if len(ended) != 1 or step["cancelled"] is not True:
        found = {key: step[key] for key in ended}
        raise place.at("steps", index, "cancelled").wrong("cancelled: true, without output or error", found)
    return None


def _outcome(data: JSON, place: Place) -> Outcome:
    outcome = _object(data, _OUTCOME, place)
    if len(outcome) != 1:
        raise place.wrong("one of value, error", sorted(outcome))
    return Returned(outcome["value"]) if "value" in outcome else Raised(_object(outcome["error"], None, place, "error"))


# What is looked at stands at `place`, or below it where `below` leads: that place is only made where something is wrong there.


def _object(data: JSON, keys: dict[str, None] | None, place: Place, *below: str | int) -> dict[str, JSON]:
    if isinstance(data, dict) and (keys is None or data.keys() <= keys.keys()):
        return data
    expected = f"an object with {', '.join(keys)}" if keys else "an object"
    if isinstance(data, dict) and keys is not None:
        unknown = next(key for key in data if key not in keys)
        raise place.at(*below, unknown).wrong(expected, unknown)
    raise place.at(*below).wrong(expected, data)


def _list(data: JSON, place: Place, *below: str | int) -> list[JSON]:
    if not isinstance(data, list):
        raise place.at(*below).wrong("a list", data)
    return data


def _text(data: JSON, place: Place, *below: str | int) -> str:
    if not isinstance(data, str):
        raise place.at(*below).wrong("text", data)
    return data


def _text_or_none(data: JSON, place: Place, *below: str | int) -> str | None:
    return None if data is None else _text(data, place, *below)


def _number(data: JSON, place: Place, *below: str | int) -> float:
    if type(data) not in (int, float):
        raise place.at(*below).wrong("a number", data)
    return data  # type: ignore[return-value]  # one of the two

"""The recordings that a cassette's plain data stands for; every wrong shape is named with its place and what was expected there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.codec.runs import RUN_KEYS
from pytest_wfreplay.recording.codec.times import timestamps
from pytest_wfreplay.recording.codec.unfold import Unfolded
from pytest_wfreplay.recording.recorder import harness_type_of
from pytest_wfreplay.recording.recording import STATUSES, Checkpoint, Recording, RecordingMetadata
from pytest_wfreplay.steps.entry import ABSENT, Entry, Raised, Returned

if TYPE_CHECKING:
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.recording.codec.place import Place
    from pytest_wfreplay.steps.entry import Outcome
    from pytest_wfreplay.trace import Trace

_RECORDED = ("id", "at", "by", "harness_type", "duration_ms")
_STEP = ("step", "input", "output", "error", "cancelled", "attempts")


def cassette_of(data: JSON, place: Place) -> Cassette:
    """The cassette; `data` is of the present format.

    Raises:
        CassetteUnreadable: something is not what a cassette has there.
    """
    top = _object(data, place, ("format", "runs"))
    runs = _list(top.get("runs", []), place.at("runs"))
    return Cassette(tuple(_recording(run, place.at("runs").at(index)) for index, run in enumerate(runs)))


def _recording(data: JSON, place: Place) -> Recording:
    run = _object(data, place, RUN_KEYS)
    state = _object(run.get("state", {}), place.at("state"), ("initial", "final"))
    initial = state.get("initial", ABSENT)
    harnesses = {key: _text(value, place.at("harnesses").at(key)) for key, value in _object(run.get("harnesses", {}), place.at("harnesses")).items()}
    recorded = _object(run.get("recorded", {}), place.at("recorded"), _RECORDED)
    unfolded = Unfolded(_list(run.get("signals", []), place.at("signals")), initial, place.at("signals"))
    metadata = _metadata(run, recorded, place, harness_type=harness_type_of(harnesses), signal_count=len(unfolded))
    signals = _trace(unfolded, run.get("at_ms", []), metadata.created_at, place.at("at_ms"))
    return Recording(
        metadata=metadata,
        initial_state=initial,
        final_state=state.get("final", ABSENT),
        entries=_entries(run.get("steps", []), place.at("steps")),
        signals=signals,
        harnesses=harnesses,
        outcome=_outcome(_object(run["outcome"], place.at("outcome"), ("value", "error")), place.at("outcome")) if "outcome" in run else None,
        checkpoints=_checkpoints(run.get("checkpoints", []), signals, metadata.created_at, place.at("checkpoints")),
    )


def _metadata(run: dict[str, JSON], recorded: dict[str, JSON], place: Place, *, harness_type: str | None, signal_count: int) -> RecordingMetadata:
    there = place.at("recorded")
    tags = place.at("tags")
    status = _text(run.get("status", "completed"), place.at("status"))
    if status not in STATUSES:
        raise place.at("status").wrong(f"one of {', '.join(STATUSES)}", status)
    return RecordingMetadata(
        id=_text(recorded.get("id", ""), there.at("id")),
        name=_text_or_none(run.get("name"), place.at("name")),
        tags=tuple(_text(tag, tags.at(index)) for index, tag in enumerate(_list(run.get("tags", []), tags))),
        workflow=_text_or_none(run.get("workflow"), place.at("workflow")),
        harness_type=_text_or_none(recorded.get("harness_type", harness_type), there.at("harness_type")),
        created_at=_text(recorded.get("at", ""), there.at("at")),
        duration_ms=None if recorded.get("duration_ms") is None else _number(recorded["duration_ms"], there.at("duration_ms")),
        signal_count=signal_count,
        status=status,
        error=_object(run["error"], place.at("error")) if "error" in run else None,
    )


def _trace(unfolded: Unfolded, at_ms: JSON, start: str, place: Place) -> Trace:
    numbers = _list(at_ms, place)
    if not {int, float}.issuperset(map(type, numbers)):
        index = next(index for index, number in enumerate(numbers) if type(number) not in (int, float))
        raise place.at(index).wrong("milliseconds", numbers[index])
    try:
        _check_calendar(numbers, len(unfolded), start)  # type: ignore[arg-type]  # numbers, all of them
    except (ValueError, OverflowError) as error:
        raise place.wrong(f"milliseconds since it was recorded ({error})", numbers) from None
    return unfolded.trace(lambda: timestamps(numbers, len(unfolded), start))  # type: ignore[arg-type]  # numbers, all of them


def _check_calendar(numbers: list[float], count: int, start: str) -> None:
    """See to it that each timestamp can be made when it is asked for."""
    last = numbers[-1] if numbers else 0
    timestamps([min(numbers, default=0), max(numbers, default=0), last + count], 3, start)


def _checkpoints(data: JSON, signals: Trace, start: str, place: Place) -> tuple[Checkpoint, ...]:
    found = []
    for index, item in enumerate(_list(data, place)):
        checkpoint = _object(item, place.at(index), ("name", "index"), needs=("name", "index"))
        position = checkpoint["index"]
        if type(position) is not int or not -1 <= position < len(signals):
            raise place.at(index).at("index").wrong(f"the index of a signal, below {len(signals)}", position)
        timestamp = start if position < 0 else signals[position].timestamp
        found.append(Checkpoint(_text(checkpoint["name"], place.at(index).at("name")), position, timestamp))
    return tuple(found)


def _entries(data: JSON, place: Place) -> tuple[Entry, ...]:
    return tuple(_entry(step, place.at(index)) for index, step in enumerate(_list(data, place)))


def _entry(data: JSON, place: Place) -> Entry:
    step = _object(data, place, _STEP, needs=("step",))
    attempts = step.get("attempts", 1)
    if type(attempts) is not int or attempts < 1:
        raise place.at("attempts").wrong("a number from 1", attempts)
    ended = {key: step[key] for key in ("output", "error", "cancelled") if key in step}
    if "cancelled" in ended:
        if len(ended) != 1 or ended["cancelled"] is not True:
            raise place.at("cancelled").wrong("cancelled: true, without output or error", ended)
        outcome = None
    else:
        outcome = _outcome({"value" if key == "output" else key: value for key, value in ended.items()}, place, value_key="output")
    return Entry(_text(step["step"], place.at("step")), step.get("input", ABSENT), outcome, attempts)


def _outcome(data: dict[str, JSON], place: Place, *, value_key: str = "value") -> Outcome:
    if len(data) != 1:
        raise place.wrong(f"one of {value_key}, error" + (", cancelled" if value_key == "output" else ""), sorted(data))
    return Returned(data["value"]) if "value" in data else Raised(_object(data["error"], place.at("error")))


def _object(data: JSON, place: Place, keys: tuple[str, ...] | None = None, needs: tuple[str, ...] = ()) -> dict[str, JSON]:
    expected = f"an object with {', '.join(keys)}" if keys else "an object"
    if not isinstance(data, dict):
        raise place.wrong(expected, data)
    for key in data:
        if keys is not None and key not in keys:
            raise place.at(key).wrong(expected, key)
    if any(key not in data for key in needs):
        raise place.wrong(f"an object that has {' and '.join(needs)}", data)
    return data


def _list(data: JSON, place: Place) -> list[JSON]:
    if not isinstance(data, list):
        raise place.wrong("a list", data)
    return data


def _text(data: JSON, place: Place) -> str:
    if not isinstance(data, str):
        raise place.wrong("text", data)
    return data


def _text_or_none(data: JSON, place: Place) -> str | None:
    return None if data is None else _text(data, place)


def _number(data: JSON, place: Place) -> float:
    if type(data) not in (int, float):
        raise place.wrong("a number", data)
    return data  # type: ignore[return-value]  # one of the two

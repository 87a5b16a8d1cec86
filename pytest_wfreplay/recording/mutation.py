"""Mutants of a cassette: what one step gave, or one reply said, changed in one place. A test that asserts something notices.

1. A mutant differs from its cassette in the outcome of one step, and in what the trace says of that outcome; it is a cassette like any other.
2. A change keeps its shape: a text becomes another text, a number the next one, a list loses its last item; a reply that was described by a
   schema still fits it, where that can be done. A step that failed gives null instead.
3. First every step is changed in one place, then each in its next: whoever looks at some mutants only has looked at every step.
4. What nobody asserts on is left alone: ids, times and numbers that are drawn, tokens, costs; and steps inside a step, for a replay skips them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_wfreplay.errors import ConfigurationError, WfreplayError
from pytest_wfreplay.jsonable import JSON, plain_json, restore
from pytest_wfreplay.recording.altering import ANOTHER, altered
from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.schema import Schema, as_schema, validated
from pytest_wfreplay.steps.entry import Absent, Returned
from pytest_wfreplay.steps.key import read_key
from pytest_wfreplay.trace import Trace

if TYPE_CHECKING:
    from pytest_wfreplay.recording.recording import Recording
    from pytest_wfreplay.signal import Signal
    from pytest_wfreplay.steps.entry import Entry

#: Steps that only draw what nobody can foresee.
_DRAWN = frozenset({"now", "new_id", "random", "wfreplay.clock", "wfreplay.random"})


@dataclass(frozen=True, slots=True)
class _Change:
    """What a step gives instead. `text` is what a reply says instead, None where that stays."""

    path: str
    value: JSON
    text: str | None = None


def mutants(cassette: Cassette) -> Iterator[tuple[str, Cassette]]:
    """Each mutant, and what was changed in it: `classify#1/harness.content`, `load-user.name`, `list-orders.items[-1]`."""
    several = sum(run.metadata.workflow is not None for run in cassette.runs) > 1
    ways = [
        _mutants_of(cassette, number, order, f"run {number + 1}: " if several and run.metadata.workflow is not None else "")
        for number, run in enumerate(cassette.runs)
        for order in range(len(run.entries))
    ]
    while ways:
        for way in list(ways):
            mutant = next(way, None)
            if mutant is None:
                ways.remove(way)
            else:
                yield mutant


def _mutants_of(cassette: Cassette, number: int, order: int, where: str) -> Iterator[tuple[str, Cassette]]:
    run = cassette.runs[number]
    entry = run.entries[order]
    keys = {one.key for one in run.entries}
    is_reply = _is_reply(entry)
    if entry.outcome is None or _is_drawn(entry) or _is_inside(entry.key, keys):
        return
    for change in _changes_of_reply(entry) if is_reply else _changes_of_step(entry):
        if isinstance(entry.outcome, Returned) and change.value == entry.outcome.value:
            continue
        entries = (*run.entries[:order], replace(entry, outcome=Returned(change.value)), *run.entries[order + 1 :])
        signals = _said(run, entry.key, change) if is_reply else _ended(run, entry.key, change.value)
        mutant = replace(run, entries=entries, signals=Trace(signals))
        yield f"{where}{entry.key}{change.path}", Cassette((*cassette.runs[:number], mutant, *cassette.runs[number + 1 :]))


def _is_drawn(entry: Entry) -> bool:
    return read_key(entry.key)[1] in _DRAWN and entry.input is None


def _is_inside(key: str, keys: set[str]) -> bool:
    parts = key.split("/")
    return any("/".join(parts[:length]) in keys for length in range(1, len(parts)))


def _is_reply(entry: Entry) -> bool:
    namespace, name, _ = read_key(entry.key)
    return name == "harness" and "#" in namespace and isinstance(entry.outcome, Returned) and isinstance(entry.outcome.value, dict)


def _changes_of_step(entry: Entry) -> Iterator[_Change]:
    if not isinstance(entry.outcome, Returned):
        if read_key(entry.key)[1] != "harness":
            yield _Change(".error", None)
        return
    value: JSON = entry.outcome.value  # type: ignore[assignment]  # an entry's values are JSON
    yield from (_Change(one.path, one.candidates[0]) for one in altered(value) if one.candidates)


def _changes_of_reply(entry: Entry) -> Iterator[_Change]:
    """The value that the schema asked for, else the text; and what tools are called with."""
    output = dict(_facts(entry))
    content = output.get("content")
    structured = output.get("structured_output")
    schema = _schema_of(entry)
    value = structured if structured is not None else _json_in(content) if schema is not None else None
    name = "content" if structured is None else "structured_output"
    if value is not None:
        for one in altered(value, _words(dict(schema.json) if schema is not None else None)):
            fitting = next((candidate for candidate in one.candidates if _fits(schema, candidate)), value)
            if fitting != value:
                text = json.dumps(fitting, ensure_ascii=False) if _json_in(content) == value else None
                changed = {"structured_output": fitting} if structured is not None else {}
                yield _Change(f".{name}{one.path}", _output({**output, **changed}, text), text)
    elif isinstance(content, str) and content and schema is None:
        yield _Change(".content", _output(output, ANOTHER), ANOTHER)
    calls = output.get("tool_calls")
    for one in altered(calls) if calls else ():
        if ".input" in one.path:
            yield _Change(f".tool_calls{one.path}", {**output, "tool_calls": one.candidates[0]})


def _words(described: JSON) -> list[str]:
    """The texts that a schema lists: one of them is wanted in place of another."""
    below = list(described.values()) if isinstance(described, dict) else described if isinstance(described, list) else []
    listed = described.get("enum") if isinstance(described, dict) else None
    own = [word for word in listed if isinstance(word, str)] if isinstance(listed, list) else []
    return own + [word for part in below for word in _words(part)]


def _output(output: Mapping[str, JSON], text: str | None) -> dict[str, JSON]:
    return dict(output) if text is None else {**output, "content": text}


def _facts(entry: Entry) -> Mapping[str, JSON]:
    value = entry.outcome.value if isinstance(entry.outcome, Returned) else None
    return value if isinstance(value, dict) else {}


def _schema_of(entry: Entry) -> Schema | None:
    """What the reply had to fit; None where nobody asked."""
    given = None if isinstance(entry.input, Absent) else entry.input
    described = given.get("output_schema") if isinstance(given, dict) else None
    if described is None:
        return None
    try:
        return as_schema(restore(described))
    except ConfigurationError:
        return None


def _fits(schema: Schema | None, value: JSON) -> bool:
    try:
        return schema is None or not validated(schema, value)[1]
    except WfreplayError:
        return True  # what cannot be judged is for the run to judge


def _json_in(content: JSON) -> JSON:
    """The object or list that a reply's text is, or that stands in it."""
    if not isinstance(content, str):
        return None
    for start in (at for at, character in enumerate(content[:1000]) if character in "{["):
        try:
            value: JSON = json.JSONDecoder().raw_decode(content, start)[0]
            return plain_json(value)
        except (ValueError, RecursionError, WfreplayError):
            continue
    return None


def _ended(run: Recording, key: str, value: JSON) -> Iterator[Signal]:
    """The trace, with another end of a step."""
    for signal in run.signals:
        is_end = signal.name == "step:end" and isinstance(signal.payload, dict) and signal.payload.get("step") == key
        yield replace(signal, payload={"step": key, "output": plain_json(restore(value))}) if is_end else signal


def _said(run: Recording, key: str, change: _Change) -> Sequence[Signal]:
    """The trace, with another reply: the first piece says all of the text, the others nothing."""
    activation = key.removesuffix("/harness")
    unsaid = {"text:delta": change.text, "text:complete": change.text}
    signals: list[Signal] = []
    for signal in run.signals:
        source, payload = signal.source, signal.payload
        if source is not None and source.activation == activation and source.harness is not None and isinstance(payload, dict):
            if signal.name == "harness:end":
                payload = {**payload, "output": plain_json(restore(change.value))}
            elif signal.name in unsaid and change.text is not None:
                payload = {**payload, "content": unsaid[signal.name]}
                unsaid[signal.name] = ""
        signals.append(signal if payload is signal.payload else replace(signal, payload=payload))
    return signals

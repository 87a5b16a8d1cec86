"""Entries, states and waits as stores keep them: texts and numbers, in which nothing is shared with whoever gave them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from json.scanner import make_scanner
from typing import Any, NamedTuple

from pytest_wfreplay.errors import ConfigurationError, NotJsonError
from pytest_wfreplay.jsonable import JSON, jsonable
from pytest_wfreplay.steps.entry import ABSENT, Absent, Entry, Outcome, Raised, Returned, error_of
from pytest_wfreplay.steps.resume import FORMAT_VERSION, ResumeState, WorkflowSnapshot, entry_of, step_result
from pytest_wfreplay.steps.snapshot_form import KIND, assert_valid_snapshot, deserialize_resume_state, looks_like_workflow_snapshot
from pytest_wfreplay.steps.snapshots import GivenEntry, GivenState, Names, StoredEntry

_ENTRY_FIELDS = tuple(field.name for field in dataclasses.fields(Entry))


def _speller() -> Callable[[object], str]:
    """What `json.JSONEncoder.encode` does, keys in their own order, without building the C encoder anew for each value."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
    encode = make(None, _refuse, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, False)  # noqa: FBT003 - C takes no names
    return lambda value: "".join(encode(value, 0))


def _refuse(value: object) -> object:
    raise TypeError(type(value).__name__)


_spell = _speller()
_scan = make_scanner(json.JSONDecoder())  # type: ignore[arg-type]  # the stubs ask for a scanner; it takes a decoder


def _parsed(text: str) -> Any:
    """What `json.loads` gives, without its search for blanks around what we have spelled: twice as fast for small values."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        end = -1
    return value if end == len(text) else json.loads(text)


class Spelled(NamedTuple):
    """An entry as texts: `input` and `outcome` (`{"value"}` or `{"error"}`) are JSON, None for what is absent."""

    key: str
    input: str | None
    outcome: str | None
    attempts: int
    started_at: str | None
    ended_at: str | None

    @property
    def is_final(self) -> bool:
        """Whether it completed, so that nothing may take its place."""
        return self.outcome is not None and self.outcome.startswith('{"value"')


def text_id(id: str, what: str = "id") -> str:
    """The text, once it is known to be one that every store can hold.

    Raises:
        ConfigurationError: it is blank, or no text.
        NotJsonError: it has a lone surrogate.
    """
    if not isinstance(id, str) or not id.strip():
        raise ConfigurationError(f"A blank {what}: {id!r}.", hint=f"Give the {what} as a text with something in it.")
    return whole_text(id, what)


def whole_text(text: str, what: str) -> str:
    """The text, once it is known to be without lone surrogates. Raises `NotJsonError`."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise NotJsonError(what, "a lone surrogate is not text") from None
    return text


def given_entry(entry: GivenEntry) -> Entry:
    """The entry itself, or the one that a mapping with its field names stands for; there the outcome may be `{"value"}` or `{"error"}`.

    Raises:
        ConfigurationError: it is no entry.
    """
    if isinstance(entry, Entry):
        return entry
    if not isinstance(entry, Mapping) or "key" not in entry or not set(entry) <= set(_ENTRY_FIELDS):
        raise ConfigurationError(f"Not an Entry: {entry!r}.", hint=f"Pass one, or a mapping with {', '.join(_ENTRY_FIELDS)}; key is needed.")
    fields: dict[str, Any] = {"input": ABSENT, "outcome": None, **entry}
    outcome = fields["outcome"]
    if isinstance(outcome, Mapping) and outcome.keys() in ({"value"}, {"error"}):
        [(kind, said)] = outcome.items()
        fields["outcome"] = Returned(said) if kind == "value" else Raised(said)
    return Entry(**fields)


def spelled(entry: Entry) -> Spelled:
    """The entry as texts.

    Raises:
        ConfigurationError: a blank key, or an outcome that is none.
        NotJsonError: JSON cannot carry its input or its outcome.
    """
    outcome = entry.outcome
    told: str | None = None
    if isinstance(outcome, Returned):
        told = f'{{"value":{_text(outcome.value, "outcome.value")}}}'
    elif isinstance(outcome, Raised):
        error = error_of(outcome)
        if error is None:
            raise ConfigurationError(f"Not the JSON of an error: {outcome.error!r}.", hint='It looks like {"type": ..., "message": ...}.')
        told = f'{{"error":{_text(error, "outcome.error")}}}'
    elif outcome is not None:
        raise ConfigurationError(f"Not an outcome: {outcome!r}.", hint="Pass Returned(value), Raised(error) or None.")
    given = None if isinstance(entry.input, Absent) else _text(entry.input, "input")
    return Spelled(text_id(entry.key, "key"), given, told, entry.attempts, entry.started_at, entry.ended_at)


def read(row: Spelled) -> Entry:
    """The entry that the texts spell, fresh."""
    outcome: Outcome | None = None
    if row.outcome is not None:
        told = _parsed(row.outcome)
        outcome = Returned(told["value"]) if "value" in told else Raised(told["error"])
    return Entry(row.key, ABSENT if row.input is None else _parsed(row.input), outcome, row.attempts, row.started_at, row.ended_at)


def _text(value: object, path: str) -> str:
    try:
        return _spell(value)
    except (TypeError, ValueError, RecursionError):
        jsonable(value, path=path)  # says where the trouble is; what has a codec and came without its tag is told apart below
        raise NotJsonError(path, f"{type(value).__name__} holds a value that is not spelled as JSON", hint="Pass it through jsonable().") from None


def spelled_state(state: GivenState) -> tuple[str, list[Spelled]]:
    """What a store keeps of a state: its form, which says as what it comes back, and its steps.

    Raises:
        SnapshotFormatError: it is no state; `.errors` say why.
    """
    if isinstance(state, WorkflowSnapshot) or looks_like_workflow_snapshot(state):
        snapshot = assert_valid_snapshot(state)
        return _text(snapshot.as_json(), "snapshot"), [spelled(entry_of(key, result)) for key, result in snapshot.steps.items()]
    if isinstance(state, Mapping) and isinstance(state.get("steps"), Mapping) and state.keys() <= {"steps", "workflow", "run_id"}:
        steps = {str(key): given_entry(entry) for key, entry in state["steps"].items()}  # type: ignore[attr-defined]  # asked above
        state = ResumeState(steps, state.get("workflow"), state.get("run_id"))  # type: ignore[arg-type]  # a text, or encoding refuses it
    elif not isinstance(state, ResumeState):
        state = deserialize_resume_state(state)  # type: ignore[arg-type]  # it complains about what it cannot read
    return form_of(state.workflow, state.run_id), [spelled(dataclasses.replace(entry, key=key)) for key, entry in state.steps.items()]


def form_of(workflow: str | None = None, run_id: str | None = None) -> str:
    """The form of a resume state."""
    return _text({"kind": KIND, "format_version": FORMAT_VERSION, "workflow": workflow, "run_id": run_id}, "workflow")


def read_state(form: str, rows: Iterable[Spelled]) -> ResumeState | WorkflowSnapshot:
    """The state that a form and the steps as they stand now make up, as what it was saved as.

    A snapshot's step that is still the same keeps what others have written into it; a step that has not ended has no result.
    """
    given: dict[str, Any] = json.loads(form)
    entries = {row.key: read(row) for row in rows}
    if given.get("kind") == KIND:
        return ResumeState(entries, given["workflow"], given.get("run_id"))
    saved: dict[str, dict[str, JSON]] = given["steps"]
    given["steps"] = {
        key: saved[key] if key in saved and entry_of(key, saved[key]) == entry else step_result(entry)
        for key, entry in entries.items()
        if entry.outcome is not None
    }
    return assert_valid_snapshot(given)


def read_resume_state(form: str, rows: Iterable[Spelled]) -> ResumeState:
    """The same as a resume state, whatever it was saved as."""
    given: dict[str, Any] = json.loads(form)
    known = given if given.get("kind") == KIND else {**given["metadata"], "workflow": given["metadata"].get("workflow_id")}
    workflow, run_id = (text if isinstance(text, str) else None for text in (known["workflow"], known.get("run_id")))
    return ResumeState({row.key: read(row) for row in rows}, workflow, run_id)


def answered(name: str, value: object, at: str, records: Iterable[StoredEntry]) -> Entry:
    """The entry that answers the first occurrence of a wait that has no answer, or the next one; `records` has what the run waits and waited for.

    Raises:
        ConfigurationError: a blank name.
        NotJsonError: JSON cannot carry the value.
    """
    before = {record.entry.key: record.entry for record in records}
    state = ResumeState(dict(before))
    state.deliver(name, value)
    answer = next(entry for key, entry in state.steps.items() if before.get(key) is not entry)
    return dataclasses.replace(answer, ended_at=at)


def names_waited_for(records: Iterable[StoredEntry]) -> Names:
    """The names that a run waits for, each once."""
    return ResumeState({record.entry.key: record.entry for record in records}).waiting_for

"""State is written once: the payloads of `state:<field>:changed` without what the changes before them say already.

1. `old_value` is left out where it is exactly the previous value: that of the last change, or of the initial state.
2. A `new_value` that extends the previous list, text or object is what was added: `{"$append": ...}` or `{"$set": {...}, "$drop": [...]}`.
3. Nothing is mistaken: a stranger's object with a key that begins with `$`, and a payload from which an old value is missing, are written
   as `{"$value": ...}`. What is read is what was written, to the order of keys.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytest_wfreplay.typed import VALUE_TAG

if TYPE_CHECKING:
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.steps.entry import Absent

_APPEND, _SET, _DROP = "$append", "$set", "$drop"
_UNKNOWN = object()

_spell = json.JSONEncoder(ensure_ascii=False).encode


def is_change(name: str) -> bool:
    """Whether signals of that name say that a field of the state changed."""
    return name.startswith("state:") and name.endswith(":changed")


class States:
    """The last known value of each field, while the changes are walked in order."""

    def __init__(self, initial_state: JSON | Absent) -> None:
        self._last: dict[str, JSON] = {}
        if isinstance(initial_state, dict):
            # Typed values are tagged in a state and text in a signal, so those are no previous value.
            self._last = {f"state:{field}:changed": value for field, value in initial_state.items() if '"$' not in _spell(value)}

    def shorten(self, name: str, payload: JSON) -> JSON:
        """The payload of the next change as it is written."""
        if not isinstance(payload, dict):
            return payload
        if payload.keys() == {VALUE_TAG}:
            return {VALUE_TAG: payload}
        if "new_value" not in payload:
            return payload
        previous = self._last.get(name, _UNKNOWN)
        value = self._last[name] = payload["new_value"]
        if previous is _UNKNOWN:
            return {**payload, "new_value": _guarded(value)}
        if "old_value" not in payload:
            return {VALUE_TAG: payload}
        written = {**payload, "new_value": _difference(previous, value)}
        if _exactly(payload["old_value"], previous):
            del written["old_value"]
        return written

    def complete(self, name: str, written: JSON) -> JSON:
        """The payload that `shorten` was given.

        Raises:
            ValueError: it extends a value that is not there; the message says what was expected.
        """
        if not isinstance(written, dict):
            return written
        payload = _unwrapped(written)
        if payload is not None:
            if "new_value" in payload:
                self._last[name] = payload["new_value"]
            return payload
        if "new_value" not in written:
            return written
        previous = self._last.get(name, _UNKNOWN)
        value = self._last[name] = _applied(previous, written["new_value"])
        return _completed(written, previous, value)


def _completed(written: dict[str, JSON], previous: object, value: JSON) -> JSON:
    if previous is _UNKNOWN or "old_value" in written:
        return {**written, "new_value": value}
    completed: dict[str, JSON] = {}
    for key, item in written.items():
        if key == "new_value":
            completed["old_value"] = previous  # type: ignore[assignment]  # not _UNKNOWN, hence JSON
            completed[key] = value
        else:
            completed[key] = item
    return completed


def _difference(previous: object, value: JSON) -> JSON:
    # A text that was empty is not extended: it gets its first value, which reads better as itself.
    if previous and isinstance(previous, str) and isinstance(value, str) and value.startswith(previous):
        return {_APPEND: value[len(previous) :]}
    if isinstance(previous, list) and isinstance(value, list) and _exactly(value[: len(previous)], previous):
        return {_APPEND: value[len(previous) :]}
    if isinstance(previous, dict) and isinstance(value, dict):
        written = _changes(previous, value)
        if written is not None:
            return written
    return _guarded(value)


def _changes(previous: dict[str, JSON], value: dict[str, JSON]) -> JSON:
    """What to set and drop, or None where that would not be shorter or would lose the order of keys."""
    changed = {key: item for key, item in value.items() if key not in previous or not _exactly(item, previous[key])}
    if previous and len(changed) == len(value):
        return None
    if [*(key for key in previous if key in value), *(key for key in value if key not in previous)] != list(value):
        return None
    dropped: list[JSON] = [key for key in previous if key not in value]
    written: dict[str, JSON] = {_SET: changed} if changed or not dropped else {}
    if dropped:
        written[_DROP] = dropped
    return written


def _applied(previous: object, written: JSON) -> JSON:
    if not isinstance(written, dict) or not written:
        return written
    if written.keys() == {_APPEND}:
        added = written[_APPEND]
        if isinstance(previous, str) and isinstance(added, str):
            return previous + added
        if isinstance(previous, list) and isinstance(added, list):
            return [*previous, *added]
        raise ValueError("a $append of a text or list to a previous value of its kind")
    if written.keys() <= {_SET, _DROP}:
        added, dropped = written.get(_SET, {}), written.get(_DROP, [])
        if not isinstance(previous, dict) or not isinstance(added, dict) or not isinstance(dropped, list):
            raise ValueError("a $set of an object and a $drop of a list for a previous object")
        return {key: item for key, item in previous.items() if key not in dropped} | added
    inner = _unwrapped(written)
    return written if inner is None else inner


def _guarded(value: JSON) -> JSON:
    return {VALUE_TAG: value} if isinstance(value, dict) and any(key.startswith("$") for key in value) else value


def _unwrapped(written: dict[str, JSON]) -> dict[str, JSON] | None:
    inner = written.get(VALUE_TAG)
    return inner if len(written) == 1 and isinstance(inner, dict) else None


def _exactly(one: object, other: object) -> bool:
    """Equal to the type and the order of keys; `==` is asked first because it is fast, and says that 1 is True."""
    return one is other or (one == other and _spell(one) == _spell(other))

"""The state of a run: the caller's own type, changed by commits that know which fields they changed.

1. The caller's object is never touched; what is handed out is detached.
2. A commit that changes nothing says nothing. A draft that is not committed never was.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any, NoReturn

from pytest_wfreplay.errors import ConfigurationError, NotJsonError
from pytest_wfreplay.jsonable import JSON, jsonable, plain_json, restore, spell


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One top-level field that a commit changed; the values are plain JSON."""

    field: str
    old: JSON
    new: JSON


class State:
    """A dict, a dataclass instance or a pydantic model, and how its fields are spelled now."""

    def __init__(self, initial: object, state_type: type | None = None) -> None:
        if state_type is not None and isinstance(initial, Mapping) and not _is_typed_dict(state_type):
            initial = _built(state_type, initial)
        if isinstance(initial, Mapping):
            self._value: Any = restore(jsonable(initial, path="state"))
        elif _has_fields(initial):
            self._value = copy.deepcopy(initial)
        else:
            raise ConfigurationError(f"A state is a dict, a dataclass instance or a pydantic model, not {type(initial).__name__}.")
        self._declared = frozenset(state_type.__annotations__) if state_type is not None and _is_typed_dict(state_type) else None
        self._spelled = {name: spell(item, path=f"state.{name}") for name, item in _fields(self._value).items()}
        self._plain = {name: plain_json(item, path=f"state.{name}") for name, item in _fields(self._value).items()}
        self._view: Any = None

    def has(self, field: str) -> bool:
        """Whether agents may update this field: any field of a dict, the declared ones of a type."""
        if self._declared is not None:
            return field in self._declared
        return isinstance(self._value, dict) or field in _fields(self._value)

    def json(self) -> JSON:
        """The state as a recording keeps it."""
        return jsonable(_fields(self._value), path="state")

    def view(self) -> Any:
        """The state for those who may only look: a frozen copy of a dict, a detached copy of anything else."""
        if self._view is None:
            self._view = _frozen(self._value) if isinstance(self._value, dict) else copy.deepcopy(self._value)
        return self._view

    def draft(self) -> Any:
        """A copy that a reducer or a handler may change; `commit` makes it the state."""
        return copy.deepcopy(self._value)

    def commit(self, draft: Any) -> list[Change]:
        """Make a draft the state, and say which fields that changed, in order.

        Raises:
            NotJsonError: JSON cannot carry a field; the state stays as it was.
        """
        spelled = {name: spell(item, path=f"state.{name}") for name, item in _fields(draft).items()}
        names = [*spelled, *(name for name in self._spelled if name not in spelled)]
        changed = [name for name in names if spelled.get(name) != self._spelled.get(name)]
        if not changed:
            return []
        plain = {name: plain_json(_fields(draft)[name]) for name in changed if name in spelled}
        changes = [Change(name, self._plain.get(name), plain.get(name)) for name in changed]
        self._value = restore(jsonable(draft, path="state")) if isinstance(draft, dict) else draft
        self._spelled = spelled
        self._plain = {name: plain.get(name, self._plain.get(name)) for name in spelled}
        self._view = None
        return changes

    def set(self, field: str, value: JSON) -> list[Change]:
        """Commit one field."""
        spelled = spell(value, path=f"state.{field}")
        if self._spelled.get(field) == spelled:
            return []
        if isinstance(self._value, dict):
            self._value[field] = restore(jsonable(value))
        else:
            self._value = _with(self._value, field, copy.deepcopy(value))
        change = Change(field, self._plain.get(field), plain_json(value))
        self._spelled[field], self._plain[field], self._view = spelled, change.new, None
        return [change]

    def result(self) -> Any:
        """A detached copy of the state, of the caller's type."""
        return copy.deepcopy(self._value)


class FrozenDict(dict[str, Any]):
    """A dict for readers: every attempt to change it is a TypeError."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("This state is read-only: change it in a reducer or a handler, or with an agent's updates=.")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse  # type: ignore[assignment]  # all of them refuse


class FrozenList(list[Any]):
    """A list for readers: every attempt to change it is a TypeError."""

    _refuse = FrozenDict._refuse

    __setitem__ = __delitem__ = __iadd__ = __imul__ = append = clear = extend = insert = pop = remove = reverse = sort = _refuse  # type: ignore[assignment]  # all of them refuse


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return FrozenDict({name: _frozen(item) for name, item in value.items()})
    return FrozenList(_frozen(item) for item in value) if isinstance(value, list) else value


def _built(state_type: type, initial: Mapping[str, Any]) -> object:
    try:
        return state_type(**initial)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"The state is not a {state_type.__name__}: {error}") from error


def _is_typed_dict(state_type: type) -> bool:
    return isinstance(state_type, type) and issubclass(state_type, dict)


def _has_fields(value: object) -> bool:
    return not isinstance(value, type) and (dataclasses.is_dataclass(value) or hasattr(type(value), "model_fields"))


def _fields(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if _has_fields(value):
        return {name: getattr(value, name) for name in type(value).model_fields}
    raise NotJsonError("state", f"a draft became {type(value).__name__}")


def _with(value: Any, field: str, item: Any) -> Any:
    changed = copy.deepcopy(value)
    try:
        setattr(changed, field, item)
    except (dataclasses.FrozenInstanceError, ValueError):
        if dataclasses.is_dataclass(changed) and not isinstance(changed, type):
            return dataclasses.replace(changed, **{field: item})
        return type(changed).model_validate({**_fields(changed), field: item})
    return changed

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
        typed = state_type is not None and not _is_dict(state_type)
        if typed and isinstance(initial, Mapping):
            initial = _built(state_type, initial)
        if typed and not isinstance(initial, state_type):  # type: ignore[arg-type]  # it is a type where it is typed
            raise ConfigurationError(f"The state is a {type(initial).__name__}, not a {state_type.__name__}.")  # type: ignore[union-attr]  # as above
        if isinstance(initial, Mapping):
            self._value: Any = restore(jsonable(initial, path="state"))
        elif _has_fields(initial):
            self._value = copy.deepcopy(initial)
        else:
            raise ConfigurationError(f"A state is a dict, a dataclass instance or a pydantic model, not {type(initial).__name__}.")
        #: The fields that a TypedDict declares; None where any may be added, or the value's own class says.
        self._declared = frozenset(getattr(state_type, "__annotations__", ())) or None if state_type is not None and not typed else None
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
        """The state for those who may only look: a frozen copy of a dict, for each who asks a copy of anything else."""
        if not isinstance(self._value, dict):
            return copy.deepcopy(self._value)
        if self._view is None:
            self._view = _frozen(self._value)
        return self._view

    def draft(self) -> Any:
        """A copy that a reducer or a handler may change; `commit` makes it the state."""
        return copy.deepcopy(self._value)

    def commit(self, draft: Any) -> list[Change]:
        """Make a draft the state, and say which fields that changed, in order.

        Raises:
            NotJsonError: JSON cannot carry a field; the state stays as it was.
        """
        if isinstance(draft, dict) and not all(type(name) is str for name in draft):
            draft = restore(jsonable(draft, path="state"))
        fields = _fields(draft)
        spelled = {name: spell(item, path=f"state.{name}") for name, item in fields.items()}
        names = [*spelled, *(name for name in self._spelled if name not in spelled)]
        changed = [name for name in names if spelled.get(name) != self._spelled.get(name)]
        if not changed:
            return []
        plain = {name: plain_json(fields[name]) for name in changed if name in spelled}
        changes = [Change(name, self._plain.get(name), plain.get(name)) for name in changed]
        self._value = restore(jsonable(draft, path="state")) if isinstance(draft, dict) else draft
        self._spelled = spelled
        self._plain = {name: plain.get(name, self._plain.get(name)) for name in spelled}
        self._view = None
        return changes

    def set(self, field: str, value: JSON) -> list[Change]:
        """Commit one field. A pydantic model takes it as its field is declared.

        Raises:
            ValueError: the model refuses it.
        """
        if isinstance(self._value, dict):
            item = restore(jsonable(value))
            changed = self._value
        else:
            changed = _with(self._value, field, copy.deepcopy(value))
            item = getattr(changed, field)
        spelled = spell(item, path=f"state.{field}")
        if self._spelled.get(field) == spelled:
            return []
        if changed is self._value:
            changed[field] = item
        change = Change(field, self._plain.get(field), plain_json(item))
        self._value, self._view = changed, None
        self._spelled[field], self._plain[field] = spelled, change.new
        return [change]

    def result(self) -> Any:
        """A detached copy of the state, of the caller's type."""
        return copy.deepcopy(self._value)


def _refuse(*_: object, **__: object) -> NoReturn:
    raise TypeError("This state is read-only: change it in a reducer or a handler, or with an agent's updates=.")


class FrozenDict(dict[str, Any]):
    """A dict for readers: every attempt to change it is a TypeError; copies and pickles of it are plain dicts."""

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __reduce_ex__(self, protocol: object) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (dict(self),)


class FrozenList(list[Any]):
    """A list for readers: every attempt to change it is a TypeError; copies and pickles of it are plain lists."""

    __setitem__ = __delitem__ = __iadd__ = __imul__ = append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __reduce_ex__(self, protocol: object) -> tuple[type[list[Any]], tuple[list[Any]]]:
        return list, (list(self),)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return FrozenDict({name: _frozen(item) for name, item in value.items()})
    return FrozenList(_frozen(item) for item in value) if isinstance(value, list) else value


def _built(state_type: Any, initial: Mapping[str, Any]) -> object:
    try:
        return copy.deepcopy(state_type(**initial))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"The state is not a {state_type.__name__}: {error}") from error


def _is_dict(state_type: object) -> bool:
    """Whether it is dict or a TypedDict, which is one at run time; `dict[str, int]` is one too."""
    origin = getattr(state_type, "__origin__", state_type)
    return isinstance(origin, type) and issubclass(origin, dict)


def _has_fields(value: object) -> bool:
    return not isinstance(value, type) and (dataclasses.is_dataclass(value) or hasattr(type(value), "model_fields"))


def _fields(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if _has_fields(value):
        names = [*type(value).model_fields, *(getattr(value, "model_extra", None) or {})]
        return {name: getattr(value, name) for name in names}
    raise NotJsonError("state", f"a draft became {type(value).__name__}")


def _with(value: Any, field: str, item: Any) -> Any:
    if not dataclasses.is_dataclass(value):
        return _modelled(value, field, item)
    changed = copy.deepcopy(value)
    try:
        setattr(changed, field, item)
    except dataclasses.FrozenInstanceError:
        return dataclasses.replace(changed, **{field: item})  # type: ignore[type-var]  # a dataclass instance: asked above
    return changed


def _modelled(value: Any, field: str, item: Any) -> Any:
    """A pydantic model with one field assigned as its declaration asks; that of a frozen one is checked on a copy of all its fields."""
    model = type(value)
    if model.model_config.get("frozen"):
        whole = model.model_construct(**{**_fields(value), field: item}).model_dump(mode="json", by_alias=True, warnings=False)
        return value.model_copy(update={field: getattr(model.model_validate(whole), field)}, deep=True)
    changed = value.model_copy(deep=True)
    model.__pydantic_validator__.validate_assignment(changed, field, item)
    return changed

"""Prompt text with `{{ holes }}`: Jinja2, sandboxed and strict, in which everything prints as JSON would spell it.

1. A hole that names nothing is an error that names it; nothing is ever silently empty.
2. An item of a mapping wins over the mapping's methods: where the state has `items`, `{{ state.items }}` is the state's.
3. Text prints as it is, every other value as compact JSON. What JSON cannot carry does not print.
4. No time, no randomness: a prompt depends on state, signal and input alone.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache, lru_cache, partial
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from pytest_wfreplay.errors import NotJsonError, TemplateError
from pytest_wfreplay.jsonable import plain_json

if TYPE_CHECKING:
    from jinja2 import Environment, Template


def render(template: str, *, state: object, signal: object, input: object, agent: str) -> str:
    """The template's text with its holes filled.

    Templates know `state` (a mapping, a dataclass or a pydantic model), `signal` (`.name`, `.payload`, `.id`), `input`, and the state's own
    fields by their bare names (the three roots win).

    Raises:
        TemplateError: a hole names nothing (`.name`), the text is not a template, or an expression in it failed.
    """
    if "{{" not in template and "{%" not in template and "{#" not in template:
        return template
    roots = {"state": state, "signal": signal, "input": input}
    names = {**_fields(state), **roots}
    try:
        return _compiled(template).render(names)
    except Exception as error:  # a template is a stranger's code: whatever it raises is the template's error
        raise _explained(error, agent, names) from error


@lru_cache(maxsize=512)
def _compiled(template: str) -> Template:
    return _environment().from_string(template)


@cache
def _environment() -> Environment:
    """The one environment; jinja2 is loaded by the first template that has a hole."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.utils import missing

    class Missing(StrictUndefined):
        """A hole that names nothing; what it raises knows the name, and the object that was asked for it."""

        __slots__ = ()

        def __init__(self, hint: str | None = None, obj: Any = missing, name: str | None = None, exc: Any = None) -> None:  # noqa: ARG002 - jinja2 passes it
            owner = None if obj is missing else obj
            super().__init__(hint, obj, name, partial(_MissingName, name=str(name or ""), owner=owner))  # type: ignore[arg-type]  # it is called, and raised

    class Sandbox(ImmutableSandboxedEnvironment):
        def getattr(self, obj: Any, attribute: str) -> Any:
            if isinstance(obj, Mapping) and attribute in obj:
                return obj[attribute]
            return super().getattr(obj, attribute)

    def printed(value: object) -> str:
        return str(value) if isinstance(value, Missing) else _printed(value)

    environment = Sandbox(undefined=Missing, finalize=printed, autoescape=False, keep_trailing_newline=True)
    del environment.globals["lipsum"], environment.filters["random"]
    return environment


class _MissingName(Exception):  # noqa: N818 - never seen by anybody: it becomes a TemplateError
    """What a template asked for and did not find, on its way out of jinja2."""

    def __init__(self, message: str, *, name: str, owner: object = None) -> None:
        super().__init__(message)
        self.name = name
        self.owner = owner


def _printed(value: object) -> str:
    if isinstance(value, str):
        return str(value)
    if callable(value):
        name = getattr(value, "__name__", type(value).__name__)
        raise _MissingName(f"{name!r} is a function, not a value", name=name)
    spelled = plain_json(value, path="value")
    return spelled if isinstance(spelled, str) else json.dumps(spelled, ensure_ascii=False, separators=(",", ":"))


def _fields(owner: object) -> dict[str, object]:
    """The named values of a mapping, a dataclass or a pydantic model."""
    if isinstance(owner, Mapping):
        return {key: value for key, value in owner.items() if isinstance(key, str)}
    if dataclasses.is_dataclass(owner):
        return {field.name: getattr(owner, field.name) for field in dataclasses.fields(owner)}
    model_fields = getattr(type(owner), "model_fields", None)
    if not isinstance(model_fields, Mapping):
        return {}
    names = [*model_fields, *(getattr(owner, "model_extra", None) or {})]
    return {name: getattr(owner, name) for name in names}


def _explained(error: Exception, agent: str, names: Mapping[str, object]) -> TemplateError:
    where = f"Template of agent {agent!r}" if agent else "Template"
    line = _line(error)
    message = f"{where}{f', line {line}' if line else ''}: {_problem(error)}"
    if not isinstance(error, _MissingName):
        return TemplateError(message, agent=agent)
    known = names if error.owner is None else _fields(error.owner)
    alike = get_close_matches(error.name, known, n=1)
    return TemplateError(message, name=error.name, agent=agent, hint=f"Did you mean {alike[0]!r}?" if alike else "")


def _problem(error: Exception) -> str:
    if isinstance(error, _MissingName):
        return str(error) if "object' has no " not in str(error) else f"{error.name!r} is undefined: {_kind(error.owner)} has none"
    if isinstance(error, NotJsonError):
        return f"a hole's {error}"
    return f"{type(error).__name__}: {error}"


def _kind(owner: object) -> str:
    return "the dict" if isinstance(owner, Mapping) else f"the {type(owner).__name__}"


def _line(error: Exception) -> int | None:
    """The line of the template, which jinja2 keeps in a syntax error and writes into the traceback of any other."""
    lineno = getattr(error, "lineno", None)
    if isinstance(lineno, int):
        return lineno
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == "<template>"]
    return lines[-1] if lines else None

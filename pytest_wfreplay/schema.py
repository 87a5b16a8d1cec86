"""Validation of JSON values by what users describe them with: a pydantic model or a JSON schema (draft 2020-12)."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import JSON, canonical, plain_json


@dataclass(frozen=True, slots=True)
class Schema:
    """A described shape: `json` is the JSON schema that a service is told, `model` the pydantic model if there is one."""

    json: Mapping[str, JSON]
    model: Any = None


def as_schema(described: object) -> Schema:
    """The schema of a pydantic model class or of a JSON schema.

    Raises:
        ConfigurationError: it is neither, or not a valid JSON schema.
    """
    if isinstance(described, Schema):
        return described
    if isinstance(described, type) and hasattr(described, "model_json_schema"):
        return Schema(_object(plain_json(described.model_json_schema(), path="schema")), described)
    if isinstance(described, Mapping):
        schema = _object(plain_json(described, path="schema"))
        _check(canonical(dict(schema)))
        return Schema(schema)
    raise ConfigurationError(
        f"A schema is a pydantic model class or a JSON schema, not {type(described).__name__}.",
        hint='Pass a BaseModel subclass, or a dict such as {"type": "object", "properties": {…}}.',
    )


def validated(schema: Schema, value: JSON) -> tuple[JSON, tuple[str, ...]]:
    """The value as the schema understands it (defaults applied), and the problems that speak against it, if any."""
    if schema.model is not None:
        return _by_model(schema.model, value)
    filled = copy.deepcopy(value)
    problems = _problems(schema, filled)
    return (value if problems else filled), problems


def _problems(schema: Schema, filled: JSON) -> tuple[str, ...]:
    import referencing.exceptions

    try:
        return tuple(_problem(error) for error in _validator(canonical(dict(schema.json))).iter_errors(filled))
    except referencing.exceptions.Unresolvable as error:
        raise ConfigurationError(f"The schema refers to {error.ref!r}, which is not in it.", hint="Put what it refers to under $defs.") from None


def _by_model(model: Any, value: JSON) -> tuple[JSON, tuple[str, ...]]:
    """As JSON, so that a strict model takes a date from its text; by alias, so that what comes out is what the schema describes."""
    try:
        return plain_json(model.model_validate_json(json.dumps(value)).model_dump(mode="json", by_alias=True)), ()
    except ValueError as error:
        told = getattr(error, "errors", None)
        if not callable(told):
            return value, (str(error),)
        return value, tuple(f"{'.'.join(map(str, one['loc'])) or 'value'}: {one['msg']}" for one in told())


def _object(value: JSON) -> dict[str, JSON]:
    if not isinstance(value, dict):
        raise ConfigurationError("A JSON schema is an object.")
    return value


def _problem(error: Any) -> str:
    return f"{'.'.join(map(str, error.absolute_path)) or 'value'}: {error.message}"


@functools.lru_cache(maxsize=256)
def _check(spelled: str) -> None:
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(json.loads(spelled))
    except jsonschema.SchemaError as error:
        raise ConfigurationError(f"Not a JSON schema: {_problem(error)}", hint="See https://json-schema.org.") from None


@functools.lru_cache(maxsize=256)
def _validator(spelled: str) -> Any:
    """A validator that fills in defaults, as the jsonschema FAQ shows it: defaults are set before properties are looked at.

    Its registry is empty: a schema that refers to an address is not a reason to go to the network.
    """
    import jsonschema
    import referencing.jsonschema

    plain = jsonschema.Draft202012Validator
    by_properties: Callable[..., Iterator[Any]] = plain.VALIDATORS["properties"]
    extend: Callable[..., Any] = jsonschema.validators.extend
    filling = extend(plain, {"properties": _filling_in_defaults(by_properties)})
    return filling(json.loads(spelled), registry=referencing.jsonschema.EMPTY_REGISTRY)


def _filling_in_defaults(by_properties: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def properties(validator: Any, described: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if isinstance(instance, dict):
            for name, shape in described.items():
                if isinstance(shape, dict) and "default" in shape:
                    instance.setdefault(name, copy.deepcopy(shape["default"]))
        yield from by_properties(validator, described, instance, schema)

    return properties

"""The signal: an immutable fact that a run's agents hear and speak, and the ways to make one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeGuard

from pytest_wfreplay.clock import SystemClock, iso
from pytest_wfreplay.errors import ConfigurationError, NotJsonError, SignalPayloadError
from pytest_wfreplay.jsonable import JSON, plain_json, same
from pytest_wfreplay.schema import Schema, as_schema, validated

if TYPE_CHECKING:
    from pytest_wfreplay.clock import Clock


@dataclass(frozen=True, slots=True)
class SignalSource:
    """Who said it: each part is None where nobody of that kind had a hand in it."""

    #: The agent that spoke.
    agent: str | None = None
    #: Which speaking of the agent: `writer#2`.
    activation: str | None = None
    #: The type of the harness that yielded it.
    harness: str | None = None
    #: The id of the signal that caused it.
    parent: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """One immutable fact of a run.

    `id` is the position in its run (`sig_000001`), `name` what happened, `payload` any JSON value, `timestamp` ISO-8601 UTC with
    milliseconds, `source` who said it. Two signals are equal when everything but their timestamps is; payloads are compared as strict
    JSON (`True` is not `1`, `1` is `1.0`).
    """

    id: str
    name: str
    payload: JSON
    timestamp: str
    source: SignalSource | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Signal):
            return NotImplemented
        return self.id == other.id and self.says_the_same(other)

    def __hash__(self) -> int:
        return hash((self.id, self.name))

    def says_the_same(self, other: Signal) -> bool:
        """Whether name, payload and source are equal; ids and timestamps are not looked at."""
        return self.name == other.name and self.source == other.source and same(self.payload, other.payload)


def signal_id(position: int) -> str:
    """The id of the signal at a position of its run, from 1."""
    return f"sig_{position:06d}"


def position_of(id: str) -> int | None:
    """The position that an id spells, or None for an id that is not one."""
    digits = id.removeprefix("sig_")
    return int(digits) if digits.isascii() and digits.isdigit() and signal_id(int(digits)) == id else None


def create_signal(name: str, payload: object = None, source: SignalSource | None = None, *, clock: Clock | None = None) -> Signal:
    """A signal made outside of a run: its id is `sig_` and random hex digits. A run gives it its own id when it is emitted.

    Raises:
        ConfigurationError: the name is not a text, or blank.
        SignalPayloadError: JSON cannot carry the payload; `.path` says where.
    """
    clock = clock or _CLOCK
    spelled = payload_of(name, payload)
    return Signal(f"sig_{clock.new_id().replace('-', '')}", name, spelled, iso(clock.now()), source)


def payload_of(name: str, payload: object) -> JSON:
    """A fresh copy of the payload with which a signal of this name may be said.

    Raises:
        ConfigurationError: the name is not a text, or blank.
        SignalPayloadError: JSON cannot carry the payload; `.path` says where.
    """
    if not isinstance(name, str) or not name or name.isspace():
        raise ConfigurationError(f"A signal's name is a text that is not blank, not {name!r}.")
    try:
        if not name.isascii():
            plain_json(name, path="name")
        return plain_json(payload)
    except NotJsonError as error:
        raise SignalPayloadError(error.path, error.problem, hint=error.hint) from None


def is_signal(obj: object) -> TypeGuard[Signal]:
    """Whether it is a signal."""
    return isinstance(obj, Signal)


_CLOCK = SystemClock()

#: A payload that is not given: an object without fields, to which the schema's defaults are added.
_NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SignalDefinition:
    """A signal's name and the schema of its payload; `define_signal` makes one."""

    name: str
    schema: Schema

    def create(self, payload: object = _NOTHING, source: SignalSource | None = None) -> Signal:
        """A signal whose payload was validated, with the schema's defaults in it.

        Raises:
            SignalPayloadError: the schema refuses the payload, or JSON cannot carry it.
        """
        made = create_signal(self.name, payload, source)
        value, problems = validated(self.schema, made.payload)
        if problems:
            raise SignalPayloadError("payload", f"not what {self.name!r} is defined as: {'; '.join(problems)}", hint="Pass what its schema asks for.")
        return Signal(made.id, made.name, value, made.timestamp, made.source)

    def is_(self, obj: object, validate_payload: bool = False) -> bool:  # noqa: FBT001, FBT002 - the contract's own shape
        """Whether it is a signal of this name and, if asked, one whose payload the schema accepts."""
        if not is_signal(obj) or obj.name != self.name:
            return False
        return not validate_payload or not validated(self.schema, obj.payload)[1]


def define_signal(name: str, schema: type | Mapping[str, object]) -> SignalDefinition:
    """A definition of signals of one name, whose payloads a pydantic model or a JSON schema describes.

    Raises:
        ConfigurationError: the schema is neither.
    """
    return SignalDefinition(name, as_schema(schema))

"""The values that keep their type though JSON has no word for it: datetime, Decimal, bytes and whatever users register.

A typed value is spelled as an object with one key, its tag, that begins with `$`: `{"$date": "2026-11-20"}`. A user's own
object that has such a key is spelled as `{"$value": {...}}`, so that nothing is mistaken.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import pathlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_wfreplay.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: The tag of a user's own object that has a key which looks like a tag.
VALUE_TAG = "$value"


@dataclass(frozen=True, slots=True)
class Codec:
    """How one class is spelled: `encode` gives JSON, `decode` takes it back."""

    tag: str
    encode: Callable[[Any], object]
    decode: Callable[[Any], object]


def register_codec(type: type[T], tag: str, encode: Callable[[T], object], decode: Callable[[Any], T]) -> None:
    """Let values of `type` keep their type in states and in the inputs and outcomes of steps.

    `encode` gives a JSON value, `decode` takes it back; the cassette shows it as `{"$tag": ...}` (the `$` may be left out
    of `tag`). In signals the value appears as what `encode` gives. Registering the same class again replaces its codec.

    Raises:
        ConfigurationError: the tag is blank or belongs to another class, or `type` is one of JSON's own.
    """
    if type in _NATIVE:
        raise ConfigurationError(f"JSON has a word for {type.__name__} already.", hint="Register a class of your own.")
    tag = "$" + tag.removeprefix("$")
    taken = _types.get(tag)
    if tag in ("$", VALUE_TAG, "$append", "$set", "$drop") or (taken is not None and taken is not type):
        owner = f"belongs to {taken.__name__}" if taken else "is reserved"
        raise ConfigurationError(f"The tag {tag!r} {owner}.", hint="Choose another tag.")
    _codecs[type] = Codec(tag, encode, decode)
    _types[tag] = type
    if issubclass(type, _NATIVE):
        _disguised.add(type)


def codec_of(cls: type) -> Codec | None:
    """The codec of a class or of the nearest class that it inherits from, or None."""
    for ancestor in cls.__mro__:
        if ancestor in _codecs:
            return _codecs[ancestor]
    return None


def has_disguised() -> bool:
    """Whether a class with a codec is one that a JSON encoder would take for a text, a number or a container."""
    return bool(_disguised)


def codec_for(tag: str) -> Codec:
    """The codec that a tag names.

    Raises:
        ConfigurationError: no class was registered with that tag.
    """
    if tag not in _types:
        raise ConfigurationError(f"No codec is registered for the tag {tag!r}.", hint="Call register_codec before the recording is read.")
    return _codecs[_types[tag]]


#: What a JSON encoder knows by itself.
_NATIVE = (str, int, float, bool, list, tuple, dict, type(None))

_codecs: dict[type, Codec] = {}
_disguised: set[type] = set()
_types: dict[str, type] = {}

register_codec(dt.datetime, "datetime", dt.datetime.isoformat, dt.datetime.fromisoformat)
register_codec(dt.date, "date", dt.date.isoformat, dt.date.fromisoformat)
register_codec(dt.time, "time", dt.time.isoformat, dt.time.fromisoformat)
register_codec(dt.timedelta, "timedelta", lambda delta: [delta.days, delta.seconds, delta.microseconds], lambda parts: dt.timedelta(*parts))
register_codec(decimal.Decimal, "decimal", str, decimal.Decimal)
register_codec(uuid.UUID, "uuid", str, uuid.UUID)
register_codec(bytes, "bytes", lambda raw: base64.b64encode(raw).decode("ascii"), lambda text: base64.b64decode(text, validate=True))
register_codec(pathlib.PurePath, "path", str, pathlib.Path)

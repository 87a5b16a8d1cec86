"""From Python values to JSON and back, and the one canonical spelling and digest that everything is compared by.

1. What JSON cannot carry is refused with the path at which it stands, never bent into something near it.
2. What comes out is always a fresh copy: nothing in a recording shares memory with the run that made it.
3. The canonical spelling and the digest are frozen. A change of either is a new `CANONICAL_VERSION` and a new cassette format.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeAlias

from pytest_wfreplay.errors import NotJsonError
from pytest_wfreplay.plainly import MISSING, plainly_copied
from pytest_wfreplay.typed import VALUE_TAG, Codec, codec_for, codec_of, has_disguised

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

#: The version of the spelling that `canonical` gives: keys sorted by code point, no blanks, ASCII, 1.0 spelled 1.
CANONICAL_VERSION = 1

#: How deep a value may nest. A cassette may nest 200 levels; the rest are its own.
MAX_DEPTH = 180

#: CPython refuses to spell a longer integer in decimal (sys.set_int_max_str_digits).
MAX_INTEGER = 10**4300

#: How the complaint about a value of an unknown class begins.
_NO_WORD = "JSON has no word for"


def _speller() -> Callable[[object], str]:
    """What `json.JSONEncoder.encode` does, without building the C encoder anew for each value: three times as fast for small ones."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
    encode = make(None, _refuse, json.encoder.encode_basestring_ascii, None, ":", ",", True, False, False)  # noqa: FBT003 - C takes no names
    return lambda value: "".join(encode(value, 0))


def _refuse(value: object) -> object:
    raise TypeError(f"{_NO_WORD} {type(value).__name__}")


_spell = _speller()

#: A key that may have been a number: the encoder sorts numbers by value, we sort their spellings.
_KEY_LIKE_A_NUMBER = re.compile(r'"-?\d[\d.e+-]*":')


def jsonable(value: object, *, path: str = "value") -> JSON:
    """A fresh JSON copy of `value`; datetimes, Decimals, bytes and the like become tagged objects that `restore` reads.

    Raises:
        NotJsonError: at `path` or below it stands something that JSON cannot carry.
    """
    copied: JSON = plainly_copied(value)
    return copied if copied is not MISSING else _Walk(_tagged, guards_tags=True).copy(value, path)


def plain_json(value: object, *, path: str = "payload") -> JSON:
    """A fresh JSON copy of `value` as signals show it: typed values appear as text, without tags.

    Raises:
        NotJsonError: at `path` or below it stands something that JSON cannot carry.
    """
    copied: JSON = plainly_copied(value)
    return copied if copied is not MISSING else _Walk(_as_text, guards_tags=False).copy(value, path)


def restore(value: JSON) -> object:
    """The Python value that `jsonable` spelled: a fresh copy, with its typed values back."""
    if isinstance(value, list):
        return [restore(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(tag, spelled)] = value.items()
        if tag == VALUE_TAG and isinstance(spelled, dict):
            return {key: restore(item) for key, item in spelled.items()}
        if tag.startswith("$"):
            return _decoded(tag, spelled)
    return {key: restore(item) if isinstance(item, (dict, list)) else item for key, item in value.items()}


def _decoded(tag: str, spelled: JSON) -> object:
    try:
        return codec_for(tag).decode(spelled)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise NotJsonError(tag, f"{spelled!r} is not what this tag is spelled with: {error}", hint="Was it edited by hand?") from error


def canonical(value: JSON) -> str:
    """The one spelling of a JSON value: equal values have equal spellings, however their keys were ordered."""
    text = _spell(value)
    if ".0" in text or "e+" in text:
        return _spell(_whole_floats_as_integers(value))
    return text


def spell(value: object, *, path: str = "value") -> str:
    """`canonical(jsonable(value))` in one pass of the C encoder, where the value is plain JSON already."""
    try:
        text = _spell(value)
    except (TypeError, ValueError, RecursionError):
        return canonical(jsonable(value, path=path))
    return text if _is_canonical(text) else canonical(jsonable(value, path=path))


def _is_canonical(text: str) -> bool:
    """Whether what the encoder made of a Python value is the canonical spelling for sure."""
    if '"$' in text or ".0" in text or "e+" in text or "\\ud" in text or has_disguised():
        return False
    return text.count("{") + text.count("[") <= MAX_DEPTH and not ('":' in text and _KEY_LIKE_A_NUMBER.search(text))


def unspell(text: str) -> object:
    """The fresh Python value of a spelling."""
    value: JSON = json.loads(text)
    return restore(value) if '"$' in text else value


def digest(value: JSON) -> str:
    """`sha256:` and the hex digest of the canonical spelling."""
    return "sha256:" + hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def same(one: JSON, other: JSON) -> bool:
    """Strict JSON equality: True is not 1, "1" is not 1, 1 is 1.0, the order of keys does not matter."""
    if one is other:
        return True
    if isinstance(one, dict):
        return isinstance(other, dict) and len(one) == len(other) and all(key in other and same(item, other[key]) for key, item in one.items())
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


class _Walk:
    """One walk down a value, making the copy; `typed` says what becomes of values that have a codec."""

    def __init__(self, typed: Callable[[Codec, object, str], JSON], *, guards_tags: bool) -> None:
        self._typed = typed
        self._guards_tags = guards_tags
        self._above: list[int] = []

    def copy(self, value: object, path: str) -> JSON:
        kind = type(value)
        if kind is str:
            return _text(value, path)  # type: ignore[arg-type]  # its type was asked for
        if kind is int or kind is float:
            return _number(value, path)  # type: ignore[arg-type]  # its type was asked for
        if value is None or value is True or value is False:
            return value
        if kind is dict or kind is list:
            return self._container(value, path)
        if (codec := codec_of(kind)) is not None:
            return self._typed(codec, value, path)
        return self._heir(value, path)

    def _heir(self, value: object, path: str) -> JSON:
        """What is an enum, or inherits from something that JSON has."""
        if isinstance(value, enum.Enum):
            return self.copy(value.value, path)
        if isinstance(value, (list, tuple, Mapping)):
            return self._container(value, path)
        if isinstance(value, str):
            return _text(str.__str__(value), path)
        if isinstance(value, (int, float)):
            return _number(int(value) if isinstance(value, int) else float(value), path)
        return self._object(value, path)

    def _container(self, value: object, path: str) -> JSON:
        if id(value) in self._above:
            raise NotJsonError(path, "it contains itself")
        if len(self._above) >= MAX_DEPTH:
            raise NotJsonError(path, f"nested more than {MAX_DEPTH} levels deep")
        self._above.append(id(value))
        try:
            if isinstance(value, (list, tuple)):
                return [self.copy(item, f"{path}[{index}]") for index, item in enumerate(value)]
            return self._mapping(_by_name(value), path)
        finally:
            self._above.pop()

    def _mapping(self, value: Mapping[Any, object], path: str) -> JSON:
        copied: dict[str, JSON] = {}
        for key, item in value.items():
            name = _key(key, path)
            if name in copied:
                raise NotJsonError(f"{path}.{name}", "two keys have this spelling")
            copied[name] = self.copy(item, f"{path}.{name}")
        if self._guards_tags and any(name.startswith("$") for name in copied):
            return {VALUE_TAG: copied}
        return copied

    def _object(self, value: object, path: str) -> JSON:
        if isinstance(value, type):
            raise NotJsonError(path, f"it is the class {value.__name__} itself, which is not a value")
        if dataclasses.is_dataclass(value):
            return self._container(value, path)
        if callable(getattr(value, "model_dump", None)):
            return self._model(value, path)
        raise NotJsonError(path, f"{_NO_WORD} {type(value).__name__}")

    def _model(self, value: Any, path: str) -> JSON:
        """A pydantic model: its values as they are, so that datetimes keep their type; else, as for a URL or a set, as pydantic spells them."""
        try:
            try:
                return self.copy(value.model_dump(warnings=False), path)
            except NotJsonError as refused:
                if not refused.problem.startswith(_NO_WORD):
                    raise
            return self.copy(value.model_dump(mode="json", warnings=False), path)
        except ValueError as error:
            raise NotJsonError(path, str(error)) from None


def _by_name(value: object) -> Mapping[Any, object]:
    """The items of a mapping or of a dataclass."""
    if isinstance(value, Mapping):
        return value
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}  # type: ignore[arg-type]  # the caller asked


def _tagged(codec: Codec, value: object, path: str) -> JSON:
    return {codec.tag: jsonable(codec.encode(value), path=path)}


def _as_text(codec: Codec, value: object, path: str) -> JSON:
    return str(value) if isinstance(value, timedelta) else plain_json(codec.encode(value), path=path)


def _text(value: str, path: str) -> str:
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise NotJsonError(path, "a lone surrogate is not text") from None
    return value


def _number(value: float, path: str) -> int | float:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotJsonError(path, f"JSON has no {value}")
    elif not -MAX_INTEGER < value < MAX_INTEGER:
        raise NotJsonError(path, "an integer of more than 4300 digits", hint="Pass it as text.")
    return value


def _key(key: object, path: str) -> str:
    key = key.value if isinstance(key, enum.Enum) else key
    if isinstance(key, str):
        return _text(str.__str__(key), f"{path} (a key)")
    if key is None or isinstance(key, (bool, int, float)):
        return json.dumps(key if key is None else _number(key, f"{path} (a key)"))
    raise NotJsonError(path, f"a key of class {type(key).__name__}; JSON has text keys only")


def _whole_floats_as_integers(value: JSON) -> JSON:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole_floats_as_integers(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole_floats_as_integers(item) for key, item in value.items()}
    return value

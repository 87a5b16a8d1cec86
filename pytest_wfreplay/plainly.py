"""Values that are JSON as they stand, as most are: told and copied in a moment, without the look at each that the others need.

What is not surely so is left to `jsonable`. These functions say nothing about paths, and refuse nothing.
"""

from __future__ import annotations

import math
from typing import Any

#: What stands for "not surely": None is a value like any other.
MISSING: Any = object()

_SCALARS = frozenset({str, int, float, bool, type(None)})
#: What is copied here: so many levels, and integers below this one.
_SHALLOW, _SMALL = 8, 10**18


def is_plainly(value: Any, json: Any) -> bool:
    """Whether a Python value is surely spelled as this JSON value: True is certain, False means that somebody has to look closer."""
    kind = value.__class__
    if kind is dict:
        if (
            json.__class__ is not dict
            or len(value) != len(json)
            or (len(value) == 1 and next(iter(value)).__class__ is str and "$" in next(iter(value)))
        ):
            return False
        for key, item in value.items():
            other = json.get(key, MISSING)
            if item.__class__ in _SCALARS:
                if other.__class__ is not item.__class__ or other != item:
                    return False
            elif not is_plainly(item, other):
                return False
        return True
    if kind is tuple or kind is list:
        return json.__class__ is list and len(value) == len(json) and all(map(is_plainly, value, json))
    return kind in _SCALARS and kind is json.__class__ and value == json


def plainly_copied(value: Any, depth: int = _SHALLOW) -> Any:
    """A fresh copy of what is surely plain JSON, without a tag, and shallow: most values are. `MISSING` means that somebody has to look closer."""
    kind = type(value)
    if kind is str:
        return value if value.isascii() else MISSING
    if kind is int:
        return value if -_SMALL < value < _SMALL else MISSING
    if kind is dict and depth:
        pairs = {}
        for key, item in value.items():
            if type(key) is not str or key.startswith("$") or not key.isascii() or (copied := plainly_copied(item, depth - 1)) is MISSING:
                return MISSING
            pairs[key] = copied
        return pairs
    if kind is list and depth:
        items = [plainly_copied(item, depth - 1) for item in value]
        return MISSING if any(item is MISSING for item in items) else items
    if kind is float:
        return value if math.isfinite(value) else MISSING
    return value if value is None or kind is bool else MISSING

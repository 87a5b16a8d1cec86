"""One value, altered in one place: another text, the next number, a list without its last item; dates and the like stay what they are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from pytest_wfreplay.errors import WfreplayError
from pytest_wfreplay.jsonable import JSON, jsonable, restore
from pytest_wfreplay.typed import VALUE_TAG

#: The text that stands for every other text.
ANOTHER = "another text"


@dataclass(frozen=True, slots=True)
class Alteration:
    """Where a value is altered, and what it may become, the whole of it: `path` is `.name`, `[0].price`, or nothing for the value itself."""

    path: str
    candidates: tuple[JSON, ...]


def altered(value: JSON, words: Collection[str] = ()) -> Iterator[Alteration]:
    """Every place in which a value can be altered. null and empty lists cannot be: nobody knows what else they might have been.

    `words` are texts that may be wanted in place of any other text.
    """
    if isinstance(value, dict):
        yield from _in_object(value, words)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            for one in altered(item, words):
                yield Alteration(f"[{at}]{one.path}", tuple([*value[:at], changed, *value[at + 1 :]] for changed in one.candidates))
        if value:
            yield Alteration("[-1]", (value[:-1], [*value, value[-1]]))
    elif value is not None:
        yield Alteration("", tuple(_others(value, words)))


def _in_object(value: dict[str, JSON], words: Collection[str]) -> Iterator[Alteration]:
    tag = next(iter(value), "") if len(value) == 1 else ""
    if tag.startswith("$") and not (tag == VALUE_TAG and isinstance(value[tag], dict)):
        other = _another_typed(value, tag)
        if other is not None:
            yield Alteration("", (other,))
        return
    for key, item in value.items():
        for one in altered(item, words):
            # The tag of a user's own object that looks like one is no part of the way.
            path = one.path if tag == VALUE_TAG else f".{key}{one.path}"
            yield Alteration(path, tuple({**value, key: changed} for changed in one.candidates))


def _others(value: JSON, words: Collection[str]) -> Iterator[JSON]:
    """What else a text, a number or a truth may be."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (other for other in (value + 1, value - 1, value / 2) if other != value)
    elif isinstance(value, str):
        yield from (text for text in (ANOTHER, *words, f"yet {ANOTHER}") if text != value)


def _day_later(moment: Any) -> Any:
    return moment - dt.timedelta(days=1) if moment.year == dt.MAXYEAR else moment + dt.timedelta(days=1)


#: tag -> what else a value of that type may be
_TYPED: dict[str, Callable[[Any], object]] = {
    "$datetime": _day_later,
    "$date": _day_later,
    "$time": lambda time: time.replace(second=(time.second + 1) % 60),
    "$timedelta": lambda span: span - dt.timedelta(seconds=1) if span > dt.timedelta() else span + dt.timedelta(seconds=1),
    "$decimal": lambda number: number + 1 if number.is_finite() and number + 1 != number else type(number)(1),
    "$uuid": lambda known: type(known)(int=known.int ^ 1),
    "$bytes": lambda raw: raw + b"!",
    "$path": lambda path: path / ANOTHER,
}


def _another_typed(value: dict[str, JSON], tag: str) -> JSON:
    """Another value of the same type; None where nobody knows one."""
    try:
        return jsonable(_TYPED[tag](restore(value))) if tag in _TYPED else None
    except (WfreplayError, ArithmeticError, ValueError):
        return None  # it is not what its tag is spelled with

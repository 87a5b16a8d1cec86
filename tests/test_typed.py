"""Values that keep their type: the classes that are known, and those that users make known."""

from __future__ import annotations

import dataclasses
import datetime as dt
import fractions
from typing import NamedTuple

import pytest

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import canonical, jsonable, plain_json, restore, spell, unspell
from pytest_wfreplay.typed import codec_for, codec_of, register_codec


@dataclasses.dataclass(frozen=True)
class Money:
    cents: int


class Spot(NamedTuple):
    x: int
    y: int


class Slug(str):
    __slots__ = ()


class Moment(dt.datetime):
    pass


register_codec(Money, "test-money", lambda money: money.cents, Money)
register_codec(Spot, "$test-spot", list, lambda parts: Spot(*parts))
register_codec(Slug, "test-slug", str.__str__, Slug)
register_codec(
    fractions.Fraction, "test-fraction", lambda one: {"n": one.numerator, "$d": one.denominator}, lambda parts: fractions.Fraction(parts["n"], 3)
)


@pytest.mark.parametrize(
    ("value", "typed", "plain"),
    [
        (Money(5), {"$test-money": 5}, 5),
        (Spot(1, 2), {"$test-spot": [1, 2]}, [1, 2]),
        (Slug("a-b"), {"$test-slug": "a-b"}, "a-b"),
    ],
)
def test_a_registered_class_keeps_its_type_even_one_that_json_would_take_for_its_own(value: object, typed: object, plain: object) -> None:
    assert jsonable([value]) == [typed]
    assert plain_json([value]) == [plain]
    again = restore(jsonable({"deep": [value]}))
    assert again == {"deep": [value]}
    assert type(again["deep"][0]) is type(value)  # type: ignore[index]
    assert spell([value]) == canonical(jsonable([value]))
    assert type(unspell(spell([value]))[0]) is type(value)  # type: ignore[index]


def test_what_a_codec_gives_is_walked_like_any_value() -> None:
    assert jsonable(fractions.Fraction(1, 3)) == {"$test-fraction": {"$value": {"n": 1, "$d": 3}}}


def test_an_heir_is_spelled_as_the_nearest_class_that_is_known() -> None:
    assert codec_of(Moment) is codec_of(dt.datetime)
    assert jsonable(Moment(2026, 1, 2)) == {"$datetime": "2026-01-02T00:00:00"}


@pytest.mark.parametrize("tag", ["", "$", "value", "$value", "$append", "set", "drop", "date", "$test-money"])
def test_a_tag_that_is_blank_reserved_or_taken_is_refused(tag: str) -> None:
    with pytest.raises(ConfigurationError, match=r"The tag .* (belongs to|is reserved)"):
        register_codec(set, tag, list, set)


def test_json_s_own_classes_need_no_codec() -> None:
    with pytest.raises(ConfigurationError, match="JSON has a word for str already"):
        register_codec(str, "text", str, str)


def test_registering_again_replaces_the_codec() -> None:
    class Odd:
        pass

    register_codec(Odd, "test-odd", lambda _: 1, lambda _: Odd())
    register_codec(Odd, "test-odd", lambda _: 2, lambda _: Odd())
    assert jsonable(Odd()) == {"$test-odd": 2}


def test_a_tag_that_nobody_registered_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match=r"No codec is registered for the tag '\$nobody'") as caught:
        codec_for("$nobody")
    assert "register_codec" in caught.value.hint
    with pytest.raises(ConfigurationError):
        restore({"$nobody": 1})

"""JSON in and out: what can be carried, what is refused and where, and the one spelling that is frozen."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import pathlib
import types
import uuid
from collections import Counter
from typing import Any, NamedTuple

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.errors import NotJsonError
from pytest_wfreplay.jsonable import MAX_DEPTH, canonical, digest, jsonable, plain_json, restore, same, spell, unspell

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
KEYS = TEXTS | st.sampled_from(["$", "$value", "$date", "a.b", "\0", "1", "-1.5"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
JSONS: Any = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20)
ZONES = st.none() | st.just(dt.UTC) | st.just(dt.timezone(dt.timedelta(hours=5, minutes=30)))
TYPED = (
    st.datetimes(timezones=ZONES)
    | st.dates()
    | st.times(timezones=ZONES)
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.binary(max_size=8)
    | TEXTS.map(lambda text: pathlib.Path("a" + text.replace("\0", "")))
)
VALUES: Any = st.recursive(LEAVES | TYPED, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20)

#: Frozen. If one of these changes, every cassette and every stored hash in the world is wrong: make a new CANONICAL_VERSION.
GOLDEN = [
    (None, "null", "sha256:74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b"),
    (True, "true", "sha256:b5bea41b6c623f7c09f1bf24dcae58ebab3c0cdd90ad966bc43a45b44867e12b"),
    (1, "1", "sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"),
    (1.0, "1", "sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"),
    ("1", '"1"', "sha256:391552c099c101b131feaf24c5795a6a15bc8ec82015424e0d2b4274a369a0bf"),
    (-0.0, "0", "sha256:5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"),
    (1e22, "10000000000000000000000", ""),
    (0.1, "0.1", ""),
    (1e-7, "1e-07", ""),
    (2**64, "18446744073709551616", ""),
    ("é\u2028\0", '"\\u00e9\\u2028\\u0000"', ""),
    ("😀", '"\\ud83d\\ude00"', ""),
    ([1, [2.0, "1.0"], {}], '[1,[2,"1.0"],{}]', ""),
    ({"b": 1, "a": {"d": None, "c": False}}, '{"a":{"c":false,"d":null},"b":1}', ""),
    ({"10": 1, "9": 2}, '{"10":1,"9":2}', ""),
    ({"Z": 1, "a": 2, "_": 3}, '{"Z":1,"_":3,"a":2}', ""),
]


@pytest.mark.parametrize(("value", "spelled", "hashed"), GOLDEN)
def test_the_canonical_spelling_is_frozen(value: Any, spelled: str, hashed: str) -> None:
    assert canonical(value) == spelled
    assert not hashed or digest(value) == hashed


@pytest.mark.parametrize(
    ("one", "other"), [("1", 1), (True, 1), (False, 0), (None, False), ([], {}), ("", None), ([1], [True]), ({"a": 1}, {"a": "1"})]
)
def test_what_json_tells_apart_stays_apart(one: Any, other: Any) -> None:
    assert not same(one, other)
    assert canonical(one) != canonical(other)
    assert digest(one) != digest(other)


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (0, -0.0), ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}), (10**22, 1e22)])
def test_what_json_takes_for_equal_is_equal(one: Any, other: Any) -> None:
    assert same(one, other)
    assert canonical(one) == canonical(other)
    assert digest(one) == digest(other)


@given(JSONS, JSONS)
def test_equal_values_and_equal_spellings_are_the_same_thing(one: Any, other: Any) -> None:
    assert same(one, other) == (canonical(one) == canonical(other))
    assert same(one, copy.deepcopy(one))


@given(VALUES)
def test_what_is_spelled_is_restored_with_its_types(value: Any) -> None:
    again = restore(jsonable(value))
    assert again == value
    assert canonical(jsonable(again)) == canonical(jsonable(value))


@given(VALUES)
def test_the_fast_spelling_is_the_canonical_one(value: Any) -> None:
    text = spell(value)
    assert text == canonical(jsonable(value))
    assert text.isascii()
    assert spell(unspell(text)) == text


@given(st.dictionaries(st.integers() | st.floats(allow_nan=False, allow_infinity=False), st.none(), max_size=5))
def test_numeric_keys_are_sorted_by_their_spelling(value: Any) -> None:
    assert spell(value) == canonical(jsonable(value))


@given(JSONS)
def test_a_copy_shares_nothing_with_its_original(value: Any) -> None:
    before = json.dumps(value)
    for made in (plain_json(value), jsonable(value), restore(jsonable(value))):
        if isinstance(made, list):
            made.append("more")
        elif isinstance(made, dict):
            made["more"] = "more"
    assert json.dumps(value) == before


@dataclasses.dataclass
class Point:
    x: int
    at: dt.date


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Pair(NamedTuple):
    a: int
    b: int


class Word(str):
    __slots__ = ()


class Order(pydantic.BaseModel):
    id: int
    at: dt.date
    site: pydantic.HttpUrl | None = None
    tags: set[str] = set()


DAY = dt.date(2026, 11, 20)


@pytest.mark.parametrize(
    ("value", "typed", "plain"),
    [
        ((1, (2,)), [1, [2]], [1, [2]]),
        (Pair(1, 2), [1, 2], [1, 2]),
        (
            {2: "a", None: "b", True: "c", 1.5: "d"},
            {"2": "a", "true": "c", "null": "b", "1.5": "d"},
            {"2": "a", "true": "c", "null": "b", "1.5": "d"},
        ),
        (Point(1, DAY), {"x": 1, "at": {"$date": "2026-11-20"}}, {"x": 1, "at": "2026-11-20"}),
        (Colour.RED, "red", "red"),
        ({Colour.RED: Level.LOW}, {"red": 1}, {"red": 1}),
        (Word("w"), "w", "w"),
        (Counter("aa"), {"a": 2}, {"a": 2}),
        (types.MappingProxyType({"a": 1}), {"a": 1}, {"a": 1}),
        ({"$ref": 1}, {"$value": {"$ref": 1}}, {"$ref": 1}),
        ({"a": {"$x": 1, "b": 2}}, {"a": {"$value": {"$x": 1, "b": 2}}}, {"a": {"$x": 1, "b": 2}}),
        (b"\x00\xff", {"$bytes": "AP8="}, "AP8="),
        (decimal.Decimal("1.10"), {"$decimal": "1.10"}, "1.10"),
        (uuid.UUID(int=1), {"$uuid": "00000000-0000-0000-0000-000000000001"}, "00000000-0000-0000-0000-000000000001"),
        (dt.timedelta(days=1, seconds=2), {"$timedelta": [1, 2, 0]}, "1 day, 0:00:02"),
        (pathlib.Path("a/b"), {"$path": "a/b"}, "a/b"),
        (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), {"$datetime": "2026-01-02T00:00:00+00:00"}, "2026-01-02T00:00:00+00:00"),
        (2**70, 2**70, 2**70),
        ("\0", "\0", "\0"),
    ],
)
def test_what_values_become(value: Any, typed: Any, plain: Any) -> None:
    assert jsonable(value) == typed
    assert plain_json(value) == plain


def test_a_pydantic_model_keeps_its_types_where_it_can_and_is_its_json_where_it_cannot() -> None:
    assert jsonable(Order(id=1, at=DAY).model_copy(update={"tags": []})) == {"id": 1, "at": {"$date": "2026-11-20"}, "site": None, "tags": []}
    assert jsonable(Order(id=1, at=DAY, site="https://example.com/", tags={"a"})) == {  # type: ignore[arg-type]  # pydantic takes text
        "id": 1,
        "at": "2026-11-20",
        "site": "https://example.com/",
        "tags": ["a"],
    }


def _circle() -> list[Any]:
    circle: list[Any] = [1]
    circle.append({"back": circle})
    return circle


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@dataclasses.dataclass
class Node:
    next: Any = None


def _node() -> Node:
    node = Node()
    node.next = [node]
    return node


@pytest.mark.parametrize(
    ("value", "path", "problem"),
    [
        (math.nan, "payload", "JSON has no nan"),
        ({"a": [1, math.inf]}, "payload.a[1]", "JSON has no inf"),
        ({"a": {"b": "\ud800"}}, "payload.a.b", "a lone surrogate is not text"),
        ({"\udfff": 1}, "payload (a key)", "a lone surrogate is not text"),
        ({(1, 2): 1}, "payload", "a key of class tuple; JSON has text keys only"),
        ({math.nan: 1}, "payload (a key)", "JSON has no nan"),
        ({"f": print}, "payload.f", "JSON has no word for builtin_function_or_method"),
        ({"s": {1}}, "payload.s", "JSON has no word for set"),
        ({"o": object()}, "payload.o", "JSON has no word for object"),
        ({"o": Order}, "payload.o", "it is the class Order itself, which is not a value"),
        ({1: "a", "1": "b"}, "payload.1", "two keys have this spelling"),
        ([10**5000], "payload[0]", "an integer of more than 4300 digits"),
        ({10**5000: 1}, "payload (a key)", "an integer of more than 4300 digits"),
        (_circle(), "payload[1].back", "it contains itself"),
        (_node(), "payload.next[0]", "it contains itself"),
        (_deep(MAX_DEPTH + 1), "payload" + "[0]" * MAX_DEPTH, f"nested more than {MAX_DEPTH} levels deep"),
        (_deep(100_000), "payload" + "[0]" * MAX_DEPTH, f"nested more than {MAX_DEPTH} levels deep"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else "value",
)
def test_what_json_cannot_carry_is_refused_with_its_place(value: Any, path: str, problem: str) -> None:
    for carry in (jsonable, plain_json, spell):
        with pytest.raises(NotJsonError) as caught:
            carry(value, path="payload")
        assert (caught.value.path, caught.value.problem) == (path, problem)
        assert str(caught.value) == f"{path}: {problem}"
        assert caught.value.hint
        assert isinstance(caught.value, TypeError)


def test_the_deepest_value_that_is_allowed_is_carried() -> None:
    assert restore(jsonable(_deep(MAX_DEPTH))) == _deep(MAX_DEPTH)


def test_one_value_in_two_places_is_not_a_circle() -> None:
    shared = [1]
    assert jsonable([shared, shared]) == [[1], [1]]


def test_nan_in_a_model_stays_refused() -> None:
    class Price(pydantic.BaseModel):
        amount: float

    with pytest.raises(NotJsonError, match=r"value.amount: JSON has no nan"):
        jsonable(Price(amount=math.nan))


def test_a_tag_that_was_spoilt_by_hand_says_so() -> None:
    with pytest.raises(NotJsonError, match=r"\$date: 'yesterday' is not what this tag is spelled with") as caught:
        restore({"$date": "yesterday"})
    assert caught.value.hint == "Was it edited by hand?"

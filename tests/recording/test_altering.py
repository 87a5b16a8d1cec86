"""Alterations: each in one place, each of the same shape, each another value."""

from __future__ import annotations

import datetime as dt
import decimal
import pathlib
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.jsonable import canonical, jsonable, restore
from pytest_wfreplay.recording.altering import ANOTHER, altered

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.datetimes(timezones=st.just(dt.UTC))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.binary()
    | st.just(pathlib.PurePosixPath("a/b")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab$", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_every_candidate_is_another_value_of_the_same_shape_that_json_carries(value: Any) -> None:
    spelled = jsonable(value)
    for one in altered(spelled):
        assert one.candidates
        for candidate in one.candidates:
            assert canonical(candidate) != canonical(spelled)
            assert type(restore(candidate)) is type(restore(spelled)) or isinstance(value, int | float)


@pytest.mark.parametrize(
    ("value", "others"),
    [
        (None, {}),
        (True, {"": False}),
        (7, {"": 8}),
        ("refund", {"": ANOTHER}),
        (ANOTHER, {"": f"yet {ANOTHER}"}),
        ([], {}),
        ([1, "a"], {"[0]": [2, "a"], "[1]": [1, ANOTHER], "[-1]": [1]}),
        ({"a": {"b": [True]}, "c": None}, {".a.b[0]": {"a": {"b": [False]}, "c": None}, ".a.b[-1]": {"a": {"b": []}, "c": None}}),
        ({"day": dt.date(2026, 11, 20)}, {".day": {"day": dt.date(2026, 11, 21)}}),
        (dt.date.max, {"": dt.date(9999, 12, 30)}),
        (decimal.Decimal("1e99"), {"": decimal.Decimal(1)}),
        (uuid.UUID(int=4), {"": uuid.UUID(int=5)}),
        (b"raw", {"": b"raw!"}),
        ({"$odd": 1, "b": 2}, {".$odd": {"$odd": 2, "b": 2}, ".b": {"$odd": 1, "b": 3}}),
    ],
)
def test_a_value_is_altered_in_one_place_at_a_time(value: Any, others: dict[str, Any]) -> None:
    assert {one.path: restore(one.candidates[0]) for one in altered(jsonable(value))} == others


def test_words_that_are_wanted_come_after_the_usual_text() -> None:
    [one] = altered("refund", ["refund", "question"])
    assert one.candidates == (ANOTHER, "question", f"yet {ANOTHER}")


@pytest.mark.parametrize("spelled", [{"$date": "yesterday"}, {"$unknown": 1}])
def test_what_is_not_what_its_tag_says_is_left_alone(spelled: Any) -> None:
    assert list(altered(spelled)) == []

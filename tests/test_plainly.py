"""Values that are JSON as they stand: what is told and copied in a moment is what the careful walk would give."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.jsonable import jsonable, restore, same
from pytest_wfreplay.plainly import MISSING, is_plainly, plainly_copied

TEXTS = st.text(max_size=6) | st.sampled_from(["$", "$date", "\ud800", "a"])
LEAVES: Any = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=2)
VALUES: Any = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=12)


@given(VALUES)
def test_a_plain_copy_is_what_was_copied_and_needs_no_spelling(value: Any) -> None:
    copied = plainly_copied(value)
    if copied is not MISSING:
        assert same(copied, value)
        assert same(jsonable(restore(copied)), value)
        assert is_plainly(value, copied) or (isinstance(value, dict) and len(value) == 1)


def test_a_plain_copy_shares_nothing_with_its_original() -> None:
    value: dict[str, Any] = {"a": [{"b": 1}], "c": {"d": [2.5, True, None, "x"]}}
    copied = plainly_copied(value)
    assert copied == value
    value["a"][0]["b"] = value["c"]["d"][0] = "changed"
    assert copied == {"a": [{"b": 1}], "c": {"d": [2.5, True, None, "x"]}}


class Word(str):
    """A text that is more than a text."""

    __slots__ = ()


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "value", [{"$date": "x"}, {1: 2}, {"ä": 1}, "ä", "\ud800", math.nan, math.inf, 10**20, (1,), Word("a"), {Word("a"): 1}, b"", LOOP]
)
def test_what_is_not_surely_plain_is_left_to_others(value: Any) -> None:
    assert plainly_copied(value) is MISSING
    assert plainly_copied([{"a": value}]) is MISSING

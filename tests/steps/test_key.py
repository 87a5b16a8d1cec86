"""Keys: namespace / name # occurrence, and no name can be mistaken for another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.errors import NotJsonError
from pytest_wfreplay.steps.key import activation_id, agent_of, quote, read_key, spell_key

NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)


@pytest.mark.parametrize(
    ("key", "spelled"),
    [
        (("", "load", 1), "load"),
        (("", "load", 2), "load#2"),
        (("classify#1/", "harness", 1), "classify#1/harness"),
        (("", quote("a/b#2"), 1), "a%2Fb%232"),
        (("", quote("100%\n\x85é"), 3), "100%25%0A%C2%85é#3"),
    ],
)
def test_how_keys_are_spelled(key: tuple[str, str, int], spelled: str) -> None:
    assert spell_key(*key) == spelled


@given(NAMES, NAMES, st.integers(min_value=1, max_value=10**6))
def test_a_key_is_read_again(namespace: str, name: str, occurrence: int) -> None:
    assert read_key(spell_key("", quote(name), occurrence)) == ("", name, occurrence)
    assert read_key(spell_key(f"{quote(namespace)}/", quote(name), occurrence)) == (quote(namespace), name, occurrence)


@given(NAMES, NAMES)
def test_two_names_are_two_keys(one: str, other: str) -> None:
    assert (quote(one) == quote(other)) == (one == other)
    assert not set(quote(one)) & set("/#\n\0")


@given(NAMES, st.integers(min_value=1))
def test_an_activation_names_its_agent(agent: str, number: int) -> None:
    assert agent_of(activation_id(agent, number)) == agent


def test_an_activation_always_shows_its_number() -> None:
    assert activation_id("writer", 1) == "writer#1"


def test_a_name_that_no_file_can_hold_is_refused() -> None:
    with pytest.raises(NotJsonError, match="a lone surrogate is not text"):
        quote("x\ud800")

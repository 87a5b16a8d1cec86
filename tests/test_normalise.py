"""Volatile values get steady names, and keep them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.normalise import Normaliser

KINDS = ("uuid", "timestamp", "temp_path", "port")
TEMP_PATHS = (
    "/tmp/pytest-of-ada/pytest-3/out.txt.",  # noqa: S108 - nothing is written there
    "/tmp/2026-01-01T00:00:00Z",  # noqa: S108 - as above
    "/var/folders/x1/T/a",
    r"C:\Users\ada\AppData\Local\Temp\a.txt",
)
volatile = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda uuid: str(uuid).upper()),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.datetimes().map(lambda moment: f"{moment.isoformat(' ', 'milliseconds')}Z"),
    st.integers(1, 65535).map("http://localhost:{}/x".format),
    st.sampled_from(TEMP_PATHS),
)
texts = st.lists(volatile | st.text("ab1:-/T<> ", max_size=6) | st.just("<uuid-1>"), max_size=5).map("".join)
values = st.recursive(
    st.none() | st.integers() | texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)


@pytest.mark.parametrize(
    ("kind", "text", "normal"),
    [
        ("uuid", "a 6F9619FF-8B86-D011-B42D-00CF4FC964FF b 6f9619ff-8b86-d011-b42d-00cf4fc964ff", "a <uuid-1> b <uuid-1>"),
        ("timestamp", "at 2026-11-20T10:00:00.000Z, until 2026-11-20 10:00+02:00.", "at <timestamp-1>, until <timestamp-2>."),
        ("timestamp", "on 2026-11-20", "on 2026-11-20"),
        ("temp_path", "wrote '/tmp/pytest-of-ada/x/out.txt'. See /tmp/a.", "wrote '<temp_path-1>'. See <temp_path-2>."),
        ("temp_path", "/usr/tmpfile and /tmp", "/usr/tmpfile and /tmp"),
        ("temp_path", r"C:\Users\ada\AppData\Local\Temp\x.txt", "<temp_path-1>"),
        (
            "port",
            "http://localhost:53412/x, 127.0.0.1:53412, [::1]:1, example.com:8080",
            "http://localhost:<port-1>/x, 127.0.0.1:<port-1>, [::1]:<port-2>, example.com:8080",
        ),
    ],
)
def test_volatile_values_get_names(kind: str, text: str, normal: str) -> None:
    assert Normaliser([kind]).text(text) == normal
    assert Normaliser([other for other in KINDS if other != kind]).text(text) == text


def test_a_value_keeps_its_name_through_the_normalisers_life() -> None:
    normaliser = Normaliser(["uuid", "port"])
    first, second = "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "00000000-8b86-d011-b42d-00cf4fc964ff"
    assert normaliser.json({"id": first, second: [first, 3, None]}) == {"id": "<uuid-1>", "<uuid-2>": ["<uuid-1>", 3, None]}
    assert normaliser.text(f"{second} {first}") == "<uuid-2> <uuid-1>"


@pytest.mark.parametrize("kinds", [["uuids"], "uuid", ["uuid", "date"]])
def test_an_unknown_kind_is_refused(kinds: list[str]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Normaliser(kinds)
    assert "temp_path" in raised.value.hint


@given(values)
def test_normalising_is_idempotent(value: JSON) -> None:
    normaliser = Normaliser(KINDS)
    once = normaliser.json(value)
    assert normaliser.json(once) is once
    assert Normaliser(KINDS).json(once) is once


@given(values)
def test_two_normalisers_name_alike(value: JSON) -> None:
    assert Normaliser(KINDS).json(value) == Normaliser(KINDS).json(value)
    assert Normaliser().json(value) is value

"""Signals: immutable facts, how they are made, compared and defined."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import re
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.clock import CountingClock
from pytest_wfreplay.errors import ConfigurationError, NotJsonError, SignalPayloadError
from pytest_wfreplay.signal import Signal, SignalSource, create_signal, define_signal, is_signal, position_of, signal_id

AT = "2026-11-20T10:00:00.000Z"


class Ticket(pydantic.BaseModel):
    id: int
    kind: str = pydantic.Field("question", alias="kindOf")


SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "options": {"type": "object", "default": {"$deep": []}}},
    "required": ["id"],
    "additionalProperties": False,
}


def test_a_signal_made_outside_of_a_run_has_a_random_id_and_a_utc_time() -> None:
    made = create_signal("ticket:opened", {"id": 7}, SignalSource(agent="desk"))
    assert re.fullmatch(r"sig_[0-9a-f]{32}", made.id)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made.timestamp)
    assert (made.name, made.payload, made.source) == ("ticket:opened", {"id": 7}, SignalSource(agent="desk"))
    assert made.id != create_signal("ticket:opened").id


def test_its_time_and_id_come_from_the_clock() -> None:
    made = create_signal("x", clock=CountingClock())
    assert (made.id, made.timestamp) == ("sig_" + "0" * 31 + "1", "2000-01-01T00:00:00.001Z")


def test_a_signal_cannot_be_changed_and_shares_nothing_with_what_it_was_made_of() -> None:
    payload = {"items": [1]}
    made = create_signal("x", payload)
    payload["items"].append(2)
    assert made.payload == {"items": [1]}
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.name = "y"  # type: ignore[misc]


def test_equality_ignores_the_timestamp_and_compares_payloads_as_strict_json() -> None:
    one = Signal("sig_000001", "x", {"n": 1}, AT)
    assert one == Signal("sig_000001", "x", {"n": 1.0}, "2000-01-01T00:00:00.000Z")
    assert hash(one) == hash(Signal("sig_000001", "x", {"n": 1.0}, ""))
    for other in (
        Signal("sig_000002", "x", {"n": 1}, AT),
        Signal("sig_000001", "y", {"n": 1}, AT),
        Signal("sig_000001", "x", {"n": True}, AT),
        Signal("sig_000001", "x", {"n": 1}, AT, SignalSource()),
    ):
        assert one != other
    assert one != "x"


@pytest.mark.parametrize("payload", [None, 0, False, "", [], {}])
def test_empty_payloads_are_facts_and_stay_apart(payload: Any) -> None:
    made = create_signal("x", payload).payload
    assert made == payload
    assert type(made) is type(payload)


def test_typed_values_appear_as_text_and_dollar_keys_as_they_are() -> None:
    assert create_signal("x", {"at": dt.date(2026, 11, 20), "$ref": (1,)}).payload == {"at": "2026-11-20", "$ref": [1]}


@pytest.mark.parametrize(
    ("payload", "path"), [({"a": [math.nan]}, "payload.a[0]"), ({"f": print}, "payload.f"), ("\ud800", "payload"), ({"o": object()}, "payload.o")]
)
def test_a_payload_that_json_cannot_carry_is_refused_with_its_place(payload: Any, path: str) -> None:
    with pytest.raises(SignalPayloadError) as caught:
        create_signal("x", payload)
    assert caught.value.path == path
    assert caught.value.hint
    assert isinstance(caught.value, NotJsonError)


@pytest.mark.parametrize("name", ["", "  ", None, 3])
def test_a_signal_has_a_name(name: Any) -> None:
    with pytest.raises(ConfigurationError, match="A signal's name is a text that is not blank"):
        create_signal(name)


def test_a_name_that_no_file_can_hold_is_refused() -> None:
    with pytest.raises(SignalPayloadError, match="name: a lone surrogate is not text"):
        create_signal("x\ud800")


def test_is_signal_knows_one() -> None:
    assert is_signal(create_signal("x"))
    assert not is_signal({"name": "x", "payload": None})


@given(st.integers(min_value=1, max_value=10**9))
def test_an_id_spells_its_position(position: int) -> None:
    assert position_of(signal_id(position)) == position


def test_ids_have_at_least_six_digits() -> None:
    assert signal_id(1) == "sig_000001"
    assert signal_id(1234567) == "sig_1234567"
    assert [position_of(text) for text in ("sig_1", "sig_0000001", "000001", "sig_00000²", "", "sig_")] == [None] * 6


def test_a_definition_by_schema_applies_defaults_and_refuses_the_rest() -> None:
    opened = define_signal("ticket:opened", SCHEMA)
    assert opened.create({"id": 1}).payload == {"id": 1, "options": {"$deep": []}}
    assert opened.create({"id": 1}, SignalSource(agent="desk")).source == SignalSource(agent="desk")
    with pytest.raises(SignalPayloadError, match=r"payload: not what 'ticket:opened' is defined as: .*'id' is a required property"):
        opened.create()
    with pytest.raises(SignalPayloadError, match=r"id: True is not of type 'integer'"):
        opened.create({"id": True})
    with pytest.raises(SignalPayloadError, match=r"payload\.id: JSON has no nan"):
        opened.create({"id": math.nan})


def test_defaults_are_fresh_each_time() -> None:
    opened = define_signal("ticket:opened", SCHEMA)
    opened.create({"id": 1}).payload["options"]["$deep"].append(1)  # type: ignore[index, call-overload, union-attr]
    assert opened.create({"id": 2}).payload == {"id": 2, "options": {"$deep": []}}


def test_a_definition_by_model_gives_what_it_accepts_again() -> None:
    opened = define_signal("ticket:opened", Ticket)
    made = opened.create({"id": 1})
    assert made.payload == {"id": 1, "kindOf": "question"}
    assert opened.is_(made, validate_payload=True)
    with pytest.raises(SignalPayloadError, match="id: Input should be a valid integer"):
        opened.create({"id": "seven"})


def test_null_is_a_payload_of_its_own() -> None:
    nothing = define_signal("nothing", {"type": "null"})
    assert nothing.create(None).payload is None
    with pytest.raises(SignalPayloadError):
        nothing.create()


def test_a_definition_knows_its_signals() -> None:
    opened = define_signal("ticket:opened", SCHEMA)
    assert opened.is_(create_signal("ticket:opened", {"id": "x"}))
    assert not opened.is_(create_signal("ticket:opened", {"id": "x"}), validate_payload=True)
    assert not opened.is_(create_signal("ticket:closed", {"id": 1}))
    assert not opened.is_("ticket:opened")


def test_what_is_no_schema_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="A schema is a pydantic model class or a JSON schema, not int"):
        define_signal("x", 3)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="Not a JSON schema"):
        define_signal("x", {"type": "intger"})

"""The bus: who hears a name is found once, and payloads are asked each time."""

from __future__ import annotations

import pytest

from pytest_wfreplay.engine.bus import Bus, hearing
from pytest_wfreplay.engine.plan import Plan, Reactions
from pytest_wfreplay.engine.state import State
from pytest_wfreplay.pattern import Pattern
from pytest_wfreplay.signal import create_signal


def _bus(**kinds: object) -> Bus:
    reactions = Reactions.of(kinds.get("reducers"), kinds.get("handlers"), kinds.get("processes"))  # type: ignore[arg-type]
    return Bus(Plan("w", {}, State({}), None, None, "run_1", reactions=reactions))


def _nothing(*_: object) -> None: ...


def test_nobody_hears_what_nobody_asked_for() -> None:
    bus = _bus(handlers={"x": _nothing})
    assert bus.audience(create_signal("y")) is None
    assert bus.audience(create_signal("x")) is not None


def test_an_audience_is_found_once_for_a_name_and_in_the_order_of_registration() -> None:
    bus = _bus(reducers={"b*": _nothing, "*": _nothing, "bus": _nothing, "a": _nothing})
    audience = bus.audience(create_signal("bus"))
    assert audience is bus.audience(create_signal("bus", 1))
    assert audience is not None
    assert [one.name for one in hearing(audience.reducers, create_signal("bus"))] == ["b*", "*", "bus"]


@pytest.mark.parametrize(("payload", "heard"), [({"n": 1}, ["x"]), ({"n": True}, []), ({"n": 2}, [])])
def test_a_payload_is_asked_each_time(payload: object, heard: list[str]) -> None:
    bus = _bus(processes={Pattern("x", payload=_Frozen()): _nothing})
    audience = bus.audience(create_signal("x", payload))
    assert audience is not None
    assert [one.name for one in hearing(audience.processes, create_signal("x", payload))] == heard


class _Frozen:
    """A payload that can be part of a key: it has an `__eq__` and a hash of its own."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and other["n"] == 1 and other["n"] is not True

    def __hash__(self) -> int:
        return 1

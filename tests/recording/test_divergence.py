"""The report of a divergence: the exact text that people read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.errors import DivergenceError, StepInputMismatchError, UnrecordedStepError
from pytest_wfreplay.jsonable import same
from pytest_wfreplay.recording.differing import differences, shown
from pytest_wfreplay.recording.divergence import Divergence, Place, around, error_of, report
from pytest_wfreplay.signal import Signal, SignalSource
from pytest_wfreplay.steps.entry import ABSENT
from pytest_wfreplay.trace import Trace

PLACE = Place("run 1 'support'", "cassettes/test_support.yaml", "tests/test_support.py:7 in test_refund", ("record again: pytest --record",))

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)


def test_the_whole_report_of_an_input_mismatch():
    trace = Trace(
        [
            Signal("sig_000001", "workflow:start", {}, ""),
            Signal("sig_000002", "step:start", {"step": "load"}, ""),
            Signal("sig_000003", "text:delta", {"content": "x"}, "", SignalSource("writer", "writer#1")),
        ]
    )
    first = Divergence(
        kind="input_mismatch",
        place=PLACE,
        headline="step load was given another input than recorded",
        recorded={"user_id": 7, "note": "Dear Ada,\nthe refund is 7 EUR.\nBye"},
        current={"user_id": 8, "note": "Dear Ada,\nthe refund is 8 EUR.\nBye"},
        step="load",
        position=2,
        total=3,
        guess="reordered? this input was recorded for load#2",
        context=around(trace, 2),
    )
    others = [Divergence("unused_step", PLACE, "x"), Divergence("unused_step", PLACE, "x"), Divergence("state", PLACE, "x")]
    assert "\n".join(report([first, *others])) == (
        "step load was given another input than recorded\n"
        "  step.run: deterministic input mismatch for key `load` occurrence 1 in namespace `` (recorded eeea2747ae25, current 5b866ab1a58e)\n"
        "  run 1 'support', step 2 of 3, recorded in cassettes/test_support.yaml\n"
        "  called at tests/test_support.py:7 in test_refund\n"
        "  input.user_id\n"
        "    recorded: 7\n"
        "    this run: 8\n"
        "  input.note, line 2 of 3\n"
        '              "Dear Ada,"\n'
        '    recorded: "the refund is 7 EUR."\n'
        '    this run: "the refund is 8 EUR."\n'
        '              "Bye"\n'
        "  reordered? this input was recorded for load#2\n"
        "  around it, as recorded:\n"
        "      1. workflow:start\n"
        "    > 2. step:start load\n"
        "      3. text:delta by writer#1\n"
        "  and besides: a recorded step that never began (2 times), another final state\n"
        "  record again: pytest --record"
    )


def test_the_first_divergence_decides_the_class_and_all_are_carried():
    kinds = {"input_mismatch": StepInputMismatchError, "unrecorded_step": UnrecordedStepError, "trace": DivergenceError}
    for kind, cls in kinds.items():
        found = [Divergence(kind, PLACE, "x", 1, 2, step="load"), Divergence("state", PLACE, "y")]
        error = error_of(found)
        assert type(error) is cls
        assert error.divergences == tuple(found)


@given(recorded=JSONS, current=JSONS)
def test_something_is_shown_exactly_where_two_values_are_not_the_same(recorded, current):
    fields = list(differences(recorded, current))
    assert bool(fields) == (not same(recorded, current))
    for field in fields:
        before, after = shown(*field[1:])
        assert before != after or field[1] != field[2]


@pytest.mark.parametrize(("recorded", "current"), [(True, 1), ("1", 1), (0.1 + 0.2, 0.3), (10**30, 10**30 + 1), (None, 0), ({}, [])])
def test_values_that_look_alike_are_told_apart(recorded, current):
    assert list(differences({"a": [recorded]}, {"a": [current]})) == [(".a[0]", recorded, current)]


def test_one_item_more_in_a_list_is_one_difference():
    messages = [{"role": "user", "content": str(number)} for number in range(3000)]
    extra = {"role": "system", "content": "!"}
    assert list(differences(messages, [*messages[:1500], extra, *messages[1500:]])) == [("[1500]", ABSENT, extra)]
    assert list(differences(messages, messages[:10] + messages[11:])) == [("[10]", messages[10], ABSENT)]


def test_long_values_are_cut_around_the_place_where_they_part():
    one, other = "a" * 50_000 + "X" + "b" * 50_000, "a" * 50_000 + "Y" + "b" * 50_000
    before, after = shown(one, other)
    assert (before, after) == (f"…{'a' * 48}X{'b' * 47}…", f"…{'a' * 48}Y{'b' * 47}…")


def test_a_report_fits_on_one_screen():
    wide = {f"field {number}": "long " * 1000 for number in range(5000)}
    lines = list(report([Divergence("state", PLACE, "the final state is another one than recorded", wide, dict.fromkeys(wide, "short"))]))
    assert len(lines) < 40
    assert max(map(len, lines)) < 200
    assert "  … and 994 or more other fields" in lines
    assert '  state["field 0"]' in lines


def test_deep_values_have_a_path():
    deep, deeper = json.loads('{"k":' * 150 + "1" + "}" * 150), json.loads('{"k":' * 150 + "2" + "}" * 150)
    assert list(differences(deep, deeper)) == [(".k" * 150, 1, 2)]


def test_three_signals_stand_around_every_position_that_has_so_many() -> None:
    trace = Trace([Signal(f"sig_00000{at}", f"s{at}", {}, "") for at in range(1, 6)])
    assert around(trace, 1) == ("> 1. s1", "  2. s2", "  3. s3")
    assert around(trace, 3) == ("  2. s2", "> 3. s3", "  4. s4")
    assert around(trace, 5) == ("  3. s3", "  4. s4", "> 5. s5")
    assert around(trace, 6) == ("  3. s3", "  4. s4", "  5. s5")
    assert around(Trace([trace[0]]), 1) == ("> 1. s1",)
    assert around(Trace([]), 1) == ()

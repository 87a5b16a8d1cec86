"""Prompt text: strict, sandboxed, and JSON wherever a value is not text."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from pytest_wfreplay.errors import TemplateError
from pytest_wfreplay.signal import Signal
from pytest_wfreplay.template import render

SIGNAL = Signal("sig_000001", "workflow:start", {"items": [1], "who": "Ada"}, "2026-11-20T10:00:00.000Z")


def rendered(template: str, state: object = None, input: object = None) -> str:
    return render(template, state=state, signal=SIGNAL, input=input, agent="writer")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain { text } }}", "plain { text } }}"),
        ("{{ state.ticket }}", "I want <b>"),
        ("{{ ticket }}", "I want <b>"),
        ("{{ state.items }}", "[1,2]"),
        ("{{ state.items[1] }}{{ items.0 }}", "21"),
        ("{{ state['items'] | length }}", "2"),
        ("{{ nothing }}", "null"),
        ("{{ flag }} {{ none_yet }}", "true null"),
        ("{{ deep }}", '{"a":{"ä":[null,1.5]}}'),
        ("{{ deep.a }}", '{"ä":[null,1.5]}'),
        ("{{ signal.name }} {{ signal.id }} {{ signal.payload.items }}", "workflow:start sig_000001 [1]"),
        ("{{ signal.payload.who }}", "Ada"),
        ("{{ input.question }}", "why?"),
        ("{{ input }}", '{"question":"why?"}'),
        ("{% for item in items %}{{ item }},{% endfor %}", "1,2,"),
        ("{% for key, value in deep.items() %}{{ key }}={{ value }}{% endfor %}", 'a={"ä":[null,1.5]}'),
        ("{{ 'yes' if flag else 'no' }}{# said #}\n", "yes\n"),
        ("{{ missing | default('-') }}", "-"),
        ("{{ when }}", "2026-11-20T10:00:00Z"),
    ],
)
def test_holes_are_filled(template: str, text: str) -> None:
    state = {
        "ticket": "I want <b>",
        "items": [1, 2],
        "nothing": None,
        "none_yet": None,
        "flag": True,
        "deep": {"a": {"ä": [None, 1.5]}},
        "when": datetime(2026, 11, 20, 10, tzinfo=UTC),
        "signal": "a root wins",
        "input": "a root wins",
    }
    text = text if "when" not in template else rendered("{{ state.when }}", state)
    assert rendered(template, state, {"question": "why?"}) == text


@dataclass
class Order:
    total: int = 3
    items: list[str] = field(default_factory=lambda: ["pen"])


class Ticket(BaseModel):
    subject: str = "refund"
    order: Order = Order()


@pytest.mark.parametrize("state", [Ticket(), {"subject": "refund", "order": {"total": 3, "items": ["pen"]}}, {"subject": "refund", "order": Order()}])
def test_the_state_may_be_a_mapping_a_dataclass_or_a_model(state: object) -> None:
    assert rendered("{{ subject }} {{ state.subject }} {{ order.total }} {{ state.order.items }}", state) == 'refund refund 3 ["pen"]'
    assert rendered("{{ order }}", state) == '{"total":3,"items":["pen"]}'
    assert rendered("{{ total }}", Order()) == "3"


@pytest.mark.parametrize(
    ("template", "name", "hint"),
    [
        ("{{ tikcet }}", "tikcet", "Did you mean 'ticket'?"),
        ("{{ state.tikcet }}", "tikcet", "Did you mean 'ticket'?"),
        ("{{ state['nope'] }}", "nope", "Templates know"),
        ("{{ state.ticket.nope.more }}", "nope", "Templates know"),
        ("{% if nope %}{% endif %}", "nope", "Templates know"),
        ("{% for x in nope %}{% endfor %}", "nope", "Templates know"),
        ("{{ nope ~ 'x' }}", "nope", "Templates know"),
        ("{{ state.items }}", "items", "Templates know"),
        ("{{ lipsum() }}", "lipsum", "Templates know"),
        ("{{ state.__class__ }}", "__class__", "Templates know"),
        ("{{ signal.nope }}", "nope", "Templates know"),
    ],
)
def test_a_hole_that_names_nothing_is_an_error_that_names_it_and_the_agent(template: str, name: str, hint: str) -> None:
    with pytest.raises(TemplateError) as raised:
        rendered(template, {"ticket": "x"})
    assert raised.value.name == name
    assert raised.value.agent == "writer"
    assert raised.value.hint.startswith(hint)
    assert f"'{name}'" in str(raised.value)
    assert "'writer'" in str(raised.value)


def test_who_does_not_have_what_is_asked_for_is_told_in_the_users_words() -> None:
    with pytest.raises(TemplateError, match=r"'nope' is undefined: the dict has none"):
        rendered("{{ state.order.nope }}", {"order": {"total": 3}})


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("one\n{{ two", "line 2: TemplateSyntaxError"),
        ("one\n\n{% if %}", "line 3: TemplateSyntaxError"),
        ("{{ 1 | nope }}", "line 1: TemplateAssertionError: No filter named 'nope'."),
        ("one\n{{ 1 / 0 }}", "line 2: ZeroDivisionError"),
        ("{{ state.n + 'x' }}", "TypeError"),
        ("{{ state.nan }}", "line 1: a hole's value: JSON has no nan"),
        ("{{ state.log.append(1) }}", "line 1: access to attribute 'append'"),
        ("{{ range(10 ** 9) }}", "OverflowError"),
        ("{{ [1, 2] | random }}", "No filter named 'random'."),
    ],
)
def test_whatever_a_template_raises_is_a_template_error_with_its_line(template: str, says: str) -> None:
    with pytest.raises(TemplateError) as raised:
        rendered(template, {"n": 1, "nan": float("nan"), "log": []})
    assert says in str(raised.value)
    assert raised.value.__cause__ is not None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3),
    max_leaves=6,
)


@given(json_values)
def test_text_prints_as_it_is_and_everything_else_as_json(value: object) -> None:
    text = rendered("{{ state.value }}", {"value": value})
    assert text == value if isinstance(value, str) else json.loads(text) == value


@given(st.text(st.characters(exclude_characters="{")))
def test_what_has_no_hole_is_left_alone(text: str) -> None:
    assert rendered(text) == text


def test_what_a_hole_prints_is_never_a_template() -> None:
    assert rendered("{{ state.a }}", {"a": "{{ state.b }}"}) == "{{ state.b }}"


def test_text_without_holes_does_not_load_jinja() -> None:
    program = (
        "import sys; from pytest_wfreplay.template import render; render('no hole', state={}, signal=None, input=None, agent='a'); "
        "print('jinja2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"

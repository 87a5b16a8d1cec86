"""An ignored place is not compared, wherever a recording shows it, and nothing else is lost."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import jsonable
from pytest_wfreplay.recording.ignoring import Ignoring

STATE = {"ticket": "t", "user": {"name": "Ada", "updated_at": "now", "a.b": 1}, "items": [{"id": 1, "n": 1}, {"id": 2, "n": 2}, "x"]}


def test_an_empty_one_ignores_nothing_and_is_false() -> None:
    nothing = Ignoring()
    assert not nothing
    assert nothing == Ignoring([])
    assert nothing.state(STATE) is STATE
    assert nothing.input("classify", STATE) is STATE
    assert nothing.output("classify", STATE) is STATE
    assert nothing.payload("step:start", STATE) is STATE
    assert not nothing.drops_signal("tool:call")


def test_it_is_known_by_its_paths_and_one_path_needs_no_list() -> None:
    assert Ignoring(["state.ticket"])
    assert Ignoring(["state.ticket"]) == Ignoring("state.ticket") == Ignoring(("state.ticket",))
    assert Ignoring(["state.ticket"]) != Ignoring(["state.user"])
    assert Ignoring(["state.ticket"]).paths == ("state.ticket",)


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("state.ticket", {"user": STATE["user"], "items": STATE["items"]}),
        ("state.user.updated_at", {**STATE, "user": {"name": "Ada", "a.b": 1}}),
        ("state.user.*", {**STATE, "user": {}}),
        ("state.user.up*_at", {**STATE, "user": {"name": "Ada", "a.b": 1}}),
        ('state.user["a.b"]', {**STATE, "user": {"name": "Ada", "updated_at": "now"}}),
        ("state['ticket']", {"user": STATE["user"], "items": STATE["items"]}),
        ("state.items[*].id", {**STATE, "items": [{"n": 1}, {"n": 2}, "x"]}),
        ("state.items.*.id", {**STATE, "items": [{"n": 1}, {"n": 2}, "x"]}),
        ("state.items[1].id", {**STATE, "items": [{"id": 1, "n": 1}, {"n": 2}, "x"]}),
        ("state.items[-1]", {**STATE, "items": STATE["items"][:2]}),
        ("state.items[*]", {**STATE, "items": []}),
        ("state.*.name", {**STATE, "user": {"updated_at": "now", "a.b": 1}}),
        ("state.*", {}),
    ],
)
def test_a_state_loses_what_its_path_leads_to(path: str, left: object) -> None:
    before = copy.deepcopy(STATE)
    assert Ignoring([path]).state(STATE) == left
    assert before == STATE


@pytest.mark.parametrize("path", ["state.nobody", "state.user.name.first", "state.items[7]", "state.items[-4]", "state.ticket[*]", 'state["*"]'])
def test_a_path_that_leads_nowhere_gives_the_same_object(path: str) -> None:
    assert Ignoring([path]).state(STATE) is STATE


def test_all_paths_are_applied_at_once() -> None:
    assert Ignoring(["state.items[0]", "state.items[1].n", "state.ticket"]).state(STATE) == {"user": STATE["user"], "items": [{"id": 2}, "x"]}


def test_a_dict_with_dollar_keys_is_looked_into_and_a_typed_value_is_not() -> None:
    value = jsonable({"a": {"$ref": "r", "at": 1}, "blob": b"bytes"})
    assert Ignoring(["state.a.at"]).state(value) == {**value, "a": {"$value": {"$ref": "r"}}}
    assert Ignoring(["state.a.$ref"]).state(value) == {**value, "a": {"at": 1}}, "as jsonable spells what is left"
    assert Ignoring(["state.blob.*"]).state(value) is value
    assert Ignoring(["state.a.nobody"]).state(value) is value
    payload = {"schema": {"$ref": "r"}}
    assert Ignoring(["signals[*].payload.schema.*"]).payload("a", payload) == {"schema": {}}, "signals have no tags"


@pytest.mark.parametrize(
    ("glob", "key", "is_ignored"),
    [
        ("classify", "classify", True),
        ("classify", "classify#1/harness", True),
        ("classify", "classify#12/harness", True),
        ("classify", "child#1/classify#2/harness", True),
        ("classify", "classify#2", False),
        ("classify", "classify#1/fetch", False),
        ("classify", "declassify#1/harness", False),
        ("class*", "classify#1/harness", True),
        ("classify#*/harness", "classify#3/harness", True),
        ("classify#1/harness", "classify#1/harness", True),
        ("classify#1/harness", "classify#2/harness", False),
        ("*", "classify#1/fetch#2", True),
        ("*/fetch", "signup/fetch", True),
        ("page[3]", "page[3]", True),
        ("page?", "page1", False),
        ("user:1", "user:1", True),
    ],
)
def test_a_key_glob_names_steps_and_an_agents_name_its_harness_calls(glob: str, key: str, is_ignored: bool) -> None:
    value = {"model": "m", "system": "s"}
    assert Ignoring([f"steps[{glob}].input.model"]).input(key, value) == ({"system": "s"} if is_ignored else value)
    assert Ignoring([f"steps[{glob}].input.model"]).output(key, value) is value
    assert Ignoring([f"steps[{glob}].output.model"]).output(key, value) == ({"system": "s"} if is_ignored else value)
    assert Ignoring([f"steps[{glob}].output.model"]).input(key, value) is value


def test_without_a_path_the_whole_of_it_is_ignored() -> None:
    ignoring = Ignoring(["steps[now].input", "steps[now].output", "signals[tool:*].payload", "signals[**:delta]"])
    assert ignoring.input("now", {"a": 1}) is None
    assert ignoring.output("now", [1]) is None
    assert ignoring.payload("tool:call", {"id": 1}) is None
    assert ignoring.payload("text:delta", {"id": 1}) == {"id": 1}
    assert ignoring.drops_signal("text:delta")
    assert not ignoring.drops_signal("tool:call")


def test_signals_are_asked_for_in_the_one_pattern_dialect() -> None:
    ignoring = Ignoring(["signals[tool:*].payload.id", "signals[**:complete].payload.content"])
    assert ignoring.payload("tool:call", {"id": 1, "name": "n"}) == {"name": "n"}
    assert ignoring.payload("complete", {"id": 1, "content": "n"}) == {"id": 1}
    payload = {"id": 1}
    assert ignoring.payload("tool:call:x", payload) is payload


def test_a_changed_field_is_covered_by_the_path_of_the_state() -> None:
    payload = {"key": "user", "old_value": None, "new_value": {"name": "Ada", "updated_at": 2}, "agent": "a"}
    name = "state:user:changed"
    assert Ignoring(["state.user"]).payload(name, payload) == {"key": "user", "agent": "a"}
    assert Ignoring(["state.*"]).payload(name, payload) == {"key": "user", "agent": "a"}
    assert Ignoring(["state.user.updated_at"]).payload(name, payload) == {**payload, "new_value": {"name": "Ada"}}
    assert Ignoring(["state.other"]).payload(name, payload) is payload
    assert Ignoring(["state.user"]).payload("state:user", payload) is payload


@pytest.mark.parametrize(("name", "side"), [("harness:start", "input"), ("harness:end", "output")])
def test_a_harness_signal_is_covered_by_the_path_of_its_step(name: str, side: str) -> None:
    ignoring = Ignoring([f"steps[classify].{side}.model"])
    payload = {side: {"model": "m", "content": "c"}}
    assert ignoring.payload(name, payload, step="classify#1/harness") == {side: {"content": "c"}}
    assert ignoring.payload(name, payload, step="answer#1/harness") is payload
    assert ignoring.payload(name, payload) is payload
    assert Ignoring([f"steps[classify].{side}"]).payload(name, payload, step="classify#1/harness") == {}


@pytest.mark.parametrize(("name", "side"), [("step:start", "input"), ("step:end", "output")])
def test_a_step_signal_is_covered_by_the_path_of_the_step_that_it_names(name: str, side: str) -> None:
    ignoring = Ignoring([f"steps[fetch].{side}.at", f"signals[{name}].payload.{side}.by"])
    payload = {"step": "fetch", side: {"at": 1, "by": 2, "of": 3}}
    assert ignoring.payload(name, payload) == {"step": "fetch", side: {"of": 3}}
    assert ignoring.payload(name, payload, step="other") == {"step": "fetch", side: {"of": 3}}
    assert ignoring.payload(name, {**payload, "step": "other"}) == {"step": "other", side: {"at": 1, "of": 3}}
    failed = {"step": "fetch", "error": {"type": "E", "message": "m"}}
    assert ignoring.payload(name, failed) is failed


@pytest.mark.parametrize(
    "path",
    [
        *("", "state", "state.", "state..a", "state[", "state[a]", "state.a.", "states.a", " state.a", "a"),
        *("steps", "steps[]", "steps[a]", "steps[a].inputs", "steps[a].input.", "steps.a.input", "steps[a].error", "steps[a].x[0].input"),
        *("signals", "signals[]", "signals[a].name", "signals[a].payload.", "signals[a].payloads", "signals[a].x[0]"),
        *(7, None),
    ],
)
def test_an_illegal_path_is_named_beside_the_legal_forms(path: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Ignoring([path])
    assert str(caught.value) == (
        f"Not a path to ignore: {path!r}. The forms are state.<field>, steps[<key glob>].input.<path>, steps[<key glob>].output.<path>, "
        "signals[<pattern>].payload.<path>; `*` stands for any key or index."
    )


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=12,
)
_PATHS = st.lists(st.lists(st.sampled_from([".a", ".b", ".*", "[0]", "[*]", "[-1]"]), min_size=1, max_size=3).map("".join), max_size=3)


@given(value=_VALUES, paths=_PATHS)
def test_ignoring_never_changes_what_it_is_given_and_says_by_identity_that_nothing_applied(value: object, paths: list[str]) -> None:
    before = copy.deepcopy(value)
    ignoring = Ignoring([f"state{path}" for path in paths])
    left = ignoring.state(value)
    assert value == before
    assert (left is value) == (left == value)


@given(key=st.sampled_from(["a", "b"]), value=_VALUES, one=_VALUES, other=_VALUES)
def test_values_that_differ_in_an_ignored_place_only_are_equal_without_it(key: str, value: object, one: object, other: object) -> None:
    ignoring = Ignoring([f"steps[x].input.{key}"])
    assert ignoring.input("x", {"z": value, key: one}) == ignoring.input("x", {key: other, "z": value}) == ignoring.input("x", {"z": value})

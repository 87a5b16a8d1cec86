"""One dialect: exact names, globs, regular expressions and payload subsets, and a sentence for the nearest miss."""

from __future__ import annotations

import re
from functools import cache

import pytest
from dirty_equals import IsInt, IsStr
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.pattern import Pattern, PatternLike, as_pattern, holds, nearest
from pytest_wfreplay.signal import Signal

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0]) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def said(name: str, payload: object = None, position: int = 1) -> Signal:
    return Signal(f"sig_{position:06d}", name, payload, "2026-11-20T10:00:00.000Z")  # type: ignore[arg-type]  # JSON, by construction


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("workflow:start", ["workflow:start"], ["workflow:started", "Workflow:start", "a:workflow:start", "workflow:start\n"]),
        ("state.value[0]", ["state.value[0]"], ["state.value0", "stateXvalue[0]"]),
        ("*", ["", "a"], ["a:b"]),
        ("a.*", ["a.", "a.foo"], ["a", "a..b:c", "aXfoo"]),
        ("state:*:changed", ["state:x:changed", "state::changed"], ["state:x:y:changed", "state:changed"]),
        ("tool:*", ["tool:call", "tool:"], ["tool", "tool:a:b"]),
        ("**", ["", "a", "a:b", "x\ny"], []),
        ("***", ["", "a:b"], []),
        ("**:complete", ["complete", "text:complete", "a:b:complete", ":complete"], ["incomplete", "complete:x"]),
        ("a:**", ["a", "a:", "a:b", "a:b:c"], ["ab", "b:a", "ab:c"]),
        ("a:**:z", ["a:z", "a::z", "a:b:c:z"], ["a", "z", "az", "a:bz", "a:z:b"]),
        ("a:**:**", ["a", "a:b:c"], ["ab"]),
        ("**:**", ["", "a", "a:b"], []),
        ("**:m:**", ["m", "a:m", "m:b", "a:m:b"], ["xm", "mx"]),
        ("a**z", ["az", "a:b:z"], ["a", "z"]),
        ("x?", ["x?"], ["xy"]),
        (re.compile("tool"), ["tool:call", "my:tool"], ["text:delta"]),
        (re.compile("^tool$"), ["tool"], ["tool:call"]),
    ],
)
def test_a_name_is_asked_for(pattern: PatternLike, yes: list[str], no: list[str]) -> None:
    asked = as_pattern(pattern)
    assert [name for name in yes if not asked.matches(said(name))] == []
    assert [name for name in no if asked.matches(said(name))] == []


def _variants(glob: str) -> set[str]:
    """The globs that a glob means once each `**` segment is either kept or left out, without its colon."""
    segments = glob.split(":")
    meant = {glob}
    for at, segment in enumerate(segments):
        if len(segments) > 1 and len(segment) > 1 and set(segment) == {"*"}:
            meant |= _variants(":".join(segments[:at] + segments[at + 1 :]))
    return meant


def _naive(glob: str, name: str) -> bool:
    """A matcher that is slow and plain: one character at a time."""
    tokens = re.findall(r"\*\*+|.", glob, re.DOTALL)

    @cache
    def run(at: int, to: int) -> bool:
        if at == len(tokens):
            return to == len(name)
        token = tokens[at]
        if token.startswith("*"):
            takes = to < len(name) and (len(token) > 1 or name[to] != ":")
            return run(at + 1, to) or (takes and run(at, to + 1))
        return to < len(name) and name[to] == token and run(at + 1, to + 1)

    return run(0, 0)


@settings(max_examples=600)
@given(st.text("ab:*", max_size=9), st.text("ab:", max_size=8))
def test_globs_answer_as_the_naive_matcher_does(glob: str, name: str) -> None:
    assert as_pattern(glob).matches_name(name) == any(_naive(variant, name) for variant in _variants(glob))


@given(st.text(st.characters(exclude_characters="*"), max_size=12), st.text(max_size=12))
def test_a_name_without_a_star_matches_itself_alone(exact: str, name: str) -> None:
    assert as_pattern(exact).matches_name(exact)
    assert as_pattern(exact).matches_name(name) == (exact == name)


@pytest.mark.parametrize(
    ("asked", "found", "answer"),
    [
        ({}, {"a": 1}, True),
        ({}, [], False),
        ({}, None, False),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": None}, {}, False),
        ({"a": {"b": [1]}}, {"a": {"b": [1], "c": 0}}, True),
        ([{"a": 1}], [{"a": 1, "b": 2}], True),
        ([1], [1, 2], False),
        ((1, 2), [1, 2], True),
        ([], {}, False),
        (1, True, False),
        (True, 1, False),
        (0, False, False),
        (1, 1.0, True),
        (None, None, True),
        ("", None, False),
        (float("nan"), float("nan"), True),
        (float("nan"), 1.0, False),
        (IsInt, 3, True),
        ({"a": IsStr(regex="x+")}, {"a": "xx"}, True),
        ({"a": IsStr(regex="x+")}, {"a": "y"}, False),
        (pytest.approx(0.3), 0.1 + 0.2, True),
        ({"a": pytest.approx(0.3)}, {"a": 0.4}, False),
    ],
)
def test_a_payload_is_asked_for_by_subset(asked: object, found: object, answer: bool) -> None:
    assert holds(asked, found) is answer
    assert Pattern("x", asked).matches(said("x", found)) is answer
    assert as_pattern({"name": "x", "payload": asked}).matches(said("x", found)) is answer


@given(json_values)
def test_every_value_holds_itself(value: object) -> None:
    assert holds(value, value)


@given(json_values, json_values)
def test_a_miss_is_explained_exactly_when_there_is_one(asked: object, found: object) -> None:
    miss = nearest(Pattern("x", asked), [said("x", found)])
    assert (miss is None) == holds(asked, found)


def test_a_pattern_without_payload_asks_for_none_and_null_is_a_question() -> None:
    assert Pattern("x").matches(said("x", {"a": 1}))
    assert not Pattern("x", None).matches(said("x", {"a": 1}))
    assert Pattern("x", None).matches(said("x", None))
    assert as_pattern({"name": "x"}).matches(said("x", 3))
    assert repr(Pattern("x")) == "Pattern(name='x', payload=ANY_PAYLOAD)"


def test_a_pattern_is_its_own_pattern() -> None:
    pattern = Pattern("x")
    assert as_pattern(pattern) is pattern
    assert as_pattern("a:*") is as_pattern("a:*")


@pytest.mark.parametrize("thing", [3, None, b"x", ["x"], re.compile(b"x"), {}, {"payload": {}}, {"name": "x", "paylod": 1}, {"name": 3}, print])
def test_what_is_no_pattern_is_a_configuration_error(thing: object) -> None:
    with pytest.raises(ConfigurationError) as raised:
        as_pattern(thing)  # type: ignore[arg-type]  # that is the test
    assert raised.value.hint


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("agent:complete", "its name is 'agent:completed', not 'agent:complete'"),
        ("tool:*:x", "its name is 'tool:call', not 'tool:*:x'"),
        (re.compile("^tool:calls"), "its name is 'tool:call', not '/^tool:calls/'"),
        (Pattern("tool:call", {"input": {"q": "dogs"}}), "its payload.input.q is 'cats', not 'dogs'"),
        (Pattern("tool:call", {"id": 1}), "its payload has no 'id' (it has: 'name', 'input', 'tags')"),
        (Pattern("tool:call", {"tags": [1]}), "its payload.tags has 2 items, not 1"),
        (Pattern("tool:call", {"tags": [1, 3]}), "its payload.tags[1] is 2, not 3"),
        (Pattern("tool:call", {"tags": {}}), "its payload.tags is [1, 2], not a dict"),
        (Pattern("tool:call", {"name": []}), "its payload.name is 'search', not a list"),
        (Pattern("agent:completed", {}), "its payload is None, not a dict"),
    ],
)
def test_the_nearest_miss_says_where_it_parts(pattern: PatternLike, sentence: str) -> None:
    trace = [said("agent:completed"), said("tool:call", {"name": "search", "input": {"q": "cats"}, "tags": [1, 2]})]
    miss = nearest(pattern, trace)
    assert miss is not None
    assert miss[1] == sentence


def test_the_payload_with_the_fewest_misses_is_nearest() -> None:
    far, near = said("x", {"a": 0, "b": 0}, 1), said("x", {"a": 1, "b": 0}, 2)
    miss = nearest(Pattern("x", {"a": 1, "b": 2}), [far, near])
    assert miss == (near, "its payload.b is 0, not 2")


def test_where_nothing_misses_nothing_is_near() -> None:
    assert nearest("x", []) is None
    assert nearest("x", [said("x")]) is None

"""The state: the caller's own type, commits that know what they changed, and views that cannot be changed."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import json
import pickle
from collections.abc import Callable
from typing import Any, Literal, TypedDict

import pydantic
import pytest

from pytest_wfreplay.engine.result import RunResult
from pytest_wfreplay.engine.state import FrozenDict, State
from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.errors import ConfigurationError, NotJsonError, OutputSchemaError
from pytest_wfreplay.harnesses.scripted import ScriptedHarness
from pytest_wfreplay.signal import Signal

Run = Callable[..., RunResult]
DAY = dt.date(2026, 11, 20)


@dataclasses.dataclass
class Case:
    text: str
    category: str | None = None
    log: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class FrozenCase:
    text: str
    category: str | None = None


class Address(pydantic.BaseModel):
    city: str


class Model(pydantic.BaseModel):
    text: str = "t"
    category: Literal["refund", "other"] | None = None
    home: Address | None = None
    due: dt.date | None = pydantic.Field(None, alias="dueOn")


class FrozenModel(Model):
    model_config = pydantic.ConfigDict(frozen=True)


class Declared(TypedDict):
    text: str


class MoreDeclared(Declared, total=False):
    category: str


@pytest.mark.parametrize(
    "initial", [{"text": "t", "category": None}, Case("t"), FrozenCase("t"), Model(), FrozenModel()], ids=lambda one: type(one).__name__
)
def test_the_result_is_of_the_callers_type_and_the_callers_object_untouched(initial: Any) -> None:
    before = copy.deepcopy(initial)
    flow = create_workflow("support")
    agent = flow.agent(prompt="{{ state.text }} {{ text }}", activate_on="workflow:start", updates="category")
    harness = ScriptedHarness(["refund"])
    import asyncio

    result = asyncio.run(flow.run_reactive(agents={"a": agent}, state=initial, harness=harness))
    assert initial == before
    assert type(result.state) is type(initial)
    assert (result.state["category"] if isinstance(initial, dict) else result.state.category) == "refund"
    changed = result.signals.first("state:**")
    assert changed is not None
    assert changed.payload == {"key": "category", "old_value": None, "new_value": "refund", "agent": "a"}
    assert harness.calls[0].system == "t t"


def test_a_dict_may_stand_for_a_declared_type() -> None:
    assert State({"text": "t"}, Case).result() == Case("t")
    assert State({"dueOn": "2026-11-20"}, Model).result() == Model(dueOn=DAY)
    with pytest.raises(ConfigurationError, match=r"The state is not a Case: .*missing 1 required"):
        State({}, Case)
    with pytest.raises(ConfigurationError, match="The state is not a Model"):
        State({"category": "x"}, Model)
    with pytest.raises(ConfigurationError, match="The state is a FrozenCase, not a Case"):
        State(FrozenCase("t"), Case)


@pytest.mark.parametrize("state_type", [dict, dict[str, int], Declared, MoreDeclared])
def test_dicts_and_typed_dicts_are_dicts(state_type: Any) -> None:
    assert State({"text": "t"}, state_type).result() == {"text": "t"}


def test_the_fields_that_agents_may_update() -> None:
    assert State({}).has("anything")
    assert [State(Case("t")).has(name) for name in ("category", "kind")] == [True, False]
    assert [State(Model()).has(name) for name in ("category", "kind")] == [True, False]
    assert [State({"text": "t"}, MoreDeclared).has(name) for name in ("text", "category", "kind")] == [True, True, False]


def test_a_pydantic_state_takes_an_update_as_its_field_is_declared() -> None:
    for model in (Model, FrozenModel):
        state = State(model())
        [change] = state.set("home", {"city": "Bern"})
        assert state.result().home == Address(city="Bern")
        assert (change.old, change.new) == (None, {"city": "Bern"})
        assert [one.new for one in state.set("due", "2026-11-20")] == ["2026-11-20"]
        assert state.result().due == DAY
        assert state.set("due", "2026-11-20") == []
        with pytest.raises(ValueError, match="category"):
            state.set("category", "neither")
        assert state.result().category is None


def test_an_update_that_a_pydantic_state_refuses_fails_the_agent() -> None:
    import asyncio

    flow = create_workflow("support", state_type=Model)
    agent = flow.agent(prompt="x", activate_on="workflow:start", updates="category")
    with pytest.raises(OutputSchemaError, match="What agent 'a' replied is not what the state's field 'category' is declared as") as caught:
        asyncio.run(flow.run_reactive(agents={"a": agent}, state={}, harness=ScriptedHarness(["neither"])))
    assert caught.value.result.signals.names[-2:] == ["agent:failed", "workflow:failed"]


def test_a_state_keeps_types_and_signals_show_text(run: Run) -> None:
    result = run(state={"due": None, "pair": (1, 2)}, reducers={"workflow:start": lambda state, _: state.update(due=DAY, blob=b"x")})
    assert result.state == {"due": DAY, "pair": [1, 2], "blob": b"x"}
    assert [one.payload["new_value"] for one in result.signals.filter("state:**")] == ["2026-11-20", "eA=="]  # type: ignore[index, call-overload]


def test_types_that_differ_are_a_change() -> None:
    state = State({"n": 1, "at": DAY})
    draft = state.draft()
    draft.update(n=True, at="2026-11-20")
    assert [(one.field, one.old, one.new) for one in state.commit(draft)] == [("n", 1, True), ("at", "2026-11-20", "2026-11-20")]
    draft["n"] = 1.0
    assert [one.field for one in state.commit({**draft})] == ["n"]
    assert state.commit({**draft, "n": 1}) == []


def test_keys_become_text_once() -> None:
    state = State({1: "a"})
    draft = state.draft()
    draft[2] = "b"
    assert [one.field for one in state.commit(draft)] == ["2"]
    assert state.commit(state.draft()) == []
    assert state.result() == {"1": "a", "2": "b"}


def test_a_draft_that_is_not_committed_never_was() -> None:
    state = State({"list": [1]})
    state.draft()["list"].append(2)
    with pytest.raises(NotJsonError, match=r"state\.bad"):
        state.commit({"list": [3], "bad": object()})
    assert state.result() == {"list": [1]}
    assert state.commit(state.draft()) == []


def test_a_typed_state_may_be_returned_anew_by_a_reducer(run: Run) -> None:
    result = run(state=FrozenCase("t"), reducers={"workflow:start": lambda state, _: dataclasses.replace(state, category="refund")})
    assert result.state == FrozenCase("t", "refund")
    assert result.signals.names == ["workflow:start", "state:category:changed", "workflow:end"]


def test_what_guards_do_to_a_typed_state_is_seen_by_nobody(run: Run) -> None:
    def look(state: Case, _signal: Signal) -> None:
        state.log.append("x")

    result = run(state=Case("t"), processes={"workflow:*": look}, end_when=lambda state: bool(state.log.append("y")))
    assert result.state == Case("t")


def test_a_view_cannot_be_changed_but_copied_pickled_and_spelled() -> None:
    view = State({"a": [{"b": 1}]}).view()
    changes: list[Callable[[], Any]] = [
        lambda: view.update(a=1),
        lambda: view.__setitem__("a", 1),
        lambda: view.pop("a"),
        lambda: view["a"].append(1),
        view["a"][0].clear,
        view["a"].sort,
    ]
    for change in changes:
        with pytest.raises(TypeError, match="This state is read-only"):
            change()
    assert json.loads(json.dumps(view)) == {"a": [{"b": 1}]}
    for again in (copy.deepcopy(view), pickle.loads(pickle.dumps(view)), copy.copy(view)):  # noqa: S301 - our own bytes
        assert again == view
        assert type(again) is dict
        again["c"] = 1
    copied = copy.deepcopy(view)
    copied["a"][0]["b"] = 2
    assert view == {"a": [{"b": 1}]}
    assert isinstance(view, FrozenDict)
    assert {**view, "c": 1} == {"a": [{"b": 1}], "c": 1}


def test_the_recorded_state_is_typed_json() -> None:
    assert State({"$x": 1, "at": DAY}).json() == {"$value": {"$x": 1, "at": {"$date": "2026-11-20"}}}
    assert State(Case("t")).json() == {"text": "t", "category": None, "log": []}

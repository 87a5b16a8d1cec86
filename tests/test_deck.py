"""A deck: the runs of one test, each met with its own recording."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.errors import ConfigurationError, RecordingNotFound, UnrecordedStepError
from pytest_wfreplay.options import RecordingOptions
from pytest_wfreplay.steps.scope import entered
from pytest_wfreplay.steps.step import step
from pytest_wfreplay.stores.memory import MemorySignalStore


async def visit(name: str, given: object) -> Any:
    return await create_workflow(name).run(lambda ctx: ctx.step("visit", lambda one: [one], given))


def test_runs_of_one_workflow_meet_their_recordings_in_order_and_others_by_name(play):
    async def test() -> list[Any]:
        return [await visit("a", 1), await visit("b", 2), await visit("a", 3)]

    async def otherwise() -> list[Any]:
        return [await visit("b", 2), await visit("a", 1), await visit("a", 3)]

    cassette = play(test).cassette
    assert play(otherwise, cassette).kinds == []
    assert play(otherwise, cassette).value == [[2], [1], [3]]


def test_runs_side_by_side_replay(play):
    async def test() -> list[Any]:
        return await asyncio.gather(*(visit(name, name) for name in "abc"))

    recorded = play(test)
    assert play(test, recorded.cassette).value == recorded.value == [["a"], ["b"], ["c"]]


def test_a_run_that_never_starts_and_one_too_many_are_told(play):
    async def one() -> Any:
        return await visit("a", 1)

    async def two() -> Any:
        return [await visit("a", 1), await visit("a", 1)]

    fewer = play(one, play(two).cassette)
    assert fewer.kinds == ["unused_step"]
    assert "run 2 of workflow 'a' was recorded and never started" in fewer.report
    more = play(two, play(one).cassette)
    assert isinstance(more.error, UnrecordedStepError)
    assert "inserted? every recorded run was replayed" in str(more.error)


def test_a_workflow_of_another_name_is_guessed(play):
    async def before() -> Any:
        return await visit("a", 1)

    async def after() -> Any:
        return await visit("z", 1)

    assert "renamed? the cassette still has 'a'" in str(play(after, play(before).cassette).error)


def test_a_run_inside_a_step_is_part_of_the_step(play):
    async def test() -> Any:
        return await create_workflow("outer").run(lambda ctx: ctx.step("inner run", visit, "inner", 1))

    recorded = play(test)
    assert [run.metadata.workflow for run in recorded.cassette.runs] == ["outer"]
    assert play(test, recorded.cassette).value == [1]


def test_a_closed_deck_refuses_steps_and_runs(play):
    deck = play(lambda: step.run("x", lambda: 1)).deck
    with entered(deck.scope):
        with pytest.raises(ConfigurationError, match="had ended"):
            step.run("late", lambda: 1)
        with pytest.raises(ConfigurationError, match="has ended"):
            asyncio.run(visit("late", 1))


def test_a_test_that_does_nothing_has_not_run(play):
    assert not play(lambda: None).deck.has_run
    assert play(lambda: step.run("x", lambda: 1)).deck.has_run
    assert play(lambda: None).deck.recordings() == []


def test_a_run_inside_a_recorded_run_is_refused_with_a_hint():
    async def test() -> None:
        await create_workflow("outer").run(lambda ctx: visit("inner", 1), recording=RecordingOptions("record", MemorySignalStore()))

    with pytest.raises(ConfigurationError, match="inside a recorded run") as raised:
        asyncio.run(test())
    assert "ctx.child" in raised.value.hint


def test_a_recording_that_is_not_there_is_named():
    for options in ({"recording_id": "rec_x"}, {"name": "rec_x"}):
        with pytest.raises(RecordingNotFound, match="Recording not found: rec_x"):
            asyncio.run(create_workflow("w").run(lambda ctx: visit("x", 1), recording=RecordingOptions("replay", MemorySignalStore(), **options)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "record"}, "Recording mode 'record' requires a store."),
        ({"mode": "replay"}, "Recording mode 'replay' requires a store."),
        ({"mode": "replay", "store": MemorySignalStore()}, "Recording mode 'replay' requires a recording_id or a name."),
    ],
)
def test_options_that_lack_something_say_so(options, message):
    with pytest.raises(ConfigurationError) as raised:
        RecordingOptions(**options)
    assert str(raised.value) == message

"""What a replayer knows of a recording's steps, hand-made recordings included."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.codec.text import decode
from pytest_wfreplay.recording.memory import Memory, described
from pytest_wfreplay.recording.modes import MODES, mode_named, narrower
from pytest_wfreplay.recording.recording import Recording, RecordingMetadata
from pytest_wfreplay.steps.entry import ABSENT, Entry, Returned

HAND_MADE = """
format: 1
runs:
- workflow: hand
  steps:
  - step: one
    output: 1
  - step: two
    input: [2]
    output: 2
"""


def hand_made(text: str = HAND_MADE) -> Cassette:
    return decode(text, path="hand.yaml")


def run(*steps: tuple[str, object]) -> Any:
    async def test() -> Any:
        async def body(ctx: Any) -> Any:
            return [await ctx.step(name, lambda one: pytest.fail("live"), given) for name, given in steps]

        return await create_workflow("hand").run(body)

    return test


def test_a_recording_of_steps_alone_is_replayed_and_an_entry_without_input_takes_any(play):
    played = play(run(("one", "whatever"), ("two", 2)), hand_made("\n".join([*HAND_MADE.splitlines(), "  outcome: {value: [1, 2]}", ""])))
    assert (played.value, played.kinds) == ([1, 2], [])


@pytest.mark.parametrize(
    ("steps", "kind", "words"),
    [
        ([("two", 2), ("one", 1)], "trace", "reordered? recorded: step one, then step two"),
        ([("one", 1), ("two", 3)], "input_mismatch", "step 2 of 2"),
        ([("one", 1)], "outcome", "never began"),
    ],
)
def test_a_recording_of_steps_alone_is_guarded(play, steps, kind, words):
    played = play(run(*steps), hand_made())
    assert played.kinds[0] == kind
    assert words in played.report or any(words in one.headline for one in played.deck.divergences)


def test_an_empty_recording_knows_nothing(play):
    played = play(run(("one", 1)), hand_made("format: 1\nruns:\n- workflow: hand\n"))
    assert played.kinds[0] == "unrecorded_step"


def test_an_entry_is_consumed_with_what_it_contains():
    entries = tuple(Entry(key, ABSENT, Returned(1)) for key in ("outer", "outer/inner", "outer/inner/core", "other"))
    memory = Memory(Recording(RecordingMetadata("rec_1"), entries=entries), ())
    assert memory.consume(0) is None
    assert [known.entry.key for known in memory.left_over()] == ["other"]
    assert memory.find("outer") is None
    assert memory.expected("next").entry.key == "other"


def test_steps_are_called_what_people_know_them_as():
    assert described("writer#2/harness") == "agent activation writer#2"
    assert described("load#2") == "step load#2"


def test_many_tasks_in_any_order_take_no_time(play):
    async def test() -> Any:
        async def body(ctx: Any) -> int:
            return len([await one for one in asyncio.as_completed([ctx.step("get", lambda n: n, number) for number in range(300)])])

        return await create_workflow("many").run(body)

    played = play(test, play(test).cassette)
    assert played.kinds == []
    assert played.seconds < 5


def test_modes_are_named_and_narrowed():
    assert narrower(mode_named("rewrite"), mode_named("none")) is MODES[0]
    assert mode_named("once").act(is_there=False) == "record"

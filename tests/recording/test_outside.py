"""Runs that were ended from outside: their replay ends so again, though nobody outside does anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from pytest_wfreplay import DivergenceError, FileSignalStore, FunctionHarness, RecordingOptions, StepFailed, create_workflow
from pytest_wfreplay.errors import UnrecordedStepError
from pytest_wfreplay.steps.step import step

FLOW = create_workflow("outside")


async def forever() -> None:
    await asyncio.Event().wait()


async def soon() -> str:
    await asyncio.sleep(0.01)
    return "soon"


class Both:
    """A body recorded while somebody cancels it, and replayed while nobody does."""

    def __init__(self, folder: Any) -> None:
        self.store = FileSignalStore(folder)
        self.seconds = 0.0

    async def end(self, body: Any, mode: Any) -> tuple[BaseException | None, Any]:
        try:
            return None, await FLOW.run(body, recording=RecordingOptions(mode, self.store, name="it"))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test looks at it
            return error, None

    def replay(self, body: Any) -> tuple[BaseException | None, Any]:
        """Replay it in a task of its own, which is left as it was found."""

        async def run() -> tuple[BaseException | None, Any]:
            began = time.perf_counter()
            async with asyncio.timeout(20):
                ended = await self.end(body, "replay")
            self.seconds = time.perf_counter() - began
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            await asyncio.sleep(0.01)
            assert asyncio.all_tasks() == {task}
            return ended

        return asyncio.run(run())

    def is_quick(self, body: Any, seconds: float) -> bool:
        """Whether a replay can end that soon: on a busy machine the best of some tries tells."""
        for _ in range(10):
            if self.seconds < seconds:
                return True
            self.replay(body)
        return False

    def __call__(self, body: Any, cancel: Callable[[asyncio.Task[Any]], Any], after: float = 0.15) -> list[Any]:
        async def record() -> tuple[BaseException | None, Any]:
            task = asyncio.create_task(self.end(body, "record"))
            asyncio.get_running_loop().call_later(after, cancel, task)
            return await task

        first, second = asyncio.run(record()), self.replay(body)
        (error, value), (again, value_again) = first, second
        assert (type(error), getattr(error, "args", None), value) == (type(again), getattr(again, "args", None), value_again)
        if error is not None and again is not None:
            result, result_again = error.result, again.result  # type: ignore[attr-defined]
            assert list(result.signals) == list(result_again.signals)
            assert [one.timestamp for one in result.signals] == [one.timestamp for one in result_again.signals]
            assert result.state == result_again.state
            return [type(again), *result_again.signals.names]
        return [value_again]


@pytest.fixture
def both(tmp_path: Any) -> Both:
    """Records a body while it is cancelled, and replays it."""
    return Both(tmp_path)


ENDED = [asyncio.CancelledError, "workflow:start"]
STEP = ["step:start", "step:end"]


def test_a_function_workflow_that_was_cancelled_outside_of_any_step_is_cancelled_again(both: Both) -> None:
    async def body(ctx: Any) -> None:
        await ctx.step("soon", soon)
        await forever()

    assert both(body, lambda task: task.cancel()) == [*ENDED, *STEP, "workflow:cancelled"]
    assert both.is_quick(body, 0.3)


def test_one_that_had_done_nothing_yet_is_cancelled_again(both: Both) -> None:
    async def body(ctx: Any) -> None:
        await forever()

    assert both(body, lambda task: task.cancel()) == [*ENDED, "workflow:cancelled"]


def test_the_words_with_which_it_was_cancelled_are_said_again(both: Both) -> None:
    heard = []

    async def body(ctx: Any) -> None:
        try:
            await forever()
        except asyncio.CancelledError as error:
            heard.append(error.args)
            raise

    both(body, lambda task: task.cancel("the user went away"))
    assert heard == [("the user went away",)] * 2


def test_what_is_done_while_it_is_cancelled_is_replayed(both: Both) -> None:
    async def body(ctx: Any) -> None:
        try:
            await ctx.step("soon", soon)
            await forever()
        except asyncio.CancelledError:
            await ctx.step("apologise", soon)
            raise
        finally:
            await ctx.step("tidy up", soon)
            ctx.emit("tidied")

    assert both(body, lambda task: task.cancel()) == [*ENDED, *STEP, *STEP, *STEP, "tidied", "workflow:cancelled"]
    assert both.is_quick(body, 1.5)


def test_what_is_done_after_a_cancelled_step_is_replayed(both: Both) -> None:
    async def body(ctx: Any) -> None:
        try:
            await ctx.step("forever", forever)
        finally:
            await ctx.step("tidy up", soon)

    assert both(body, lambda task: task.cancel()) == [*ENDED, "step:start", *STEP, "workflow:cancelled"]


def test_one_that_was_cancelled_twice_is_cancelled_twice(both: Both) -> None:
    async def body(ctx: Any) -> None:
        try:
            await forever()
        finally:
            await ctx.step("tidy up for ever", forever)

    def cancel(task: asyncio.Task[Any]) -> None:
        task.cancel()
        asyncio.get_running_loop().call_later(0.05, task.cancel)

    assert both(body, cancel) == [*ENDED, "step:start", "workflow:cancelled"]


def test_one_that_waits_long_outside_of_steps_is_not_cancelled_before_it_comes_to_the_rest(both: Both) -> None:
    async def body(ctx: Any) -> None:
        await ctx.step("soon", soon)
        await asyncio.sleep(0.8)
        await ctx.step("later", soon)
        await forever()

    assert both(body, lambda task: task.cancel(), after=1.2) == [*ENDED, *STEP, *STEP, "workflow:cancelled"]


def test_a_group_of_tasks_is_cancelled_as_a_whole(both: Both) -> None:
    async def body(ctx: Any) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(forever())
            group.create_task(ctx.step("one", forever))
            group.create_task(ctx.step("two", soon))

    assert both(body, lambda task: task.cancel()) == [*ENDED, "step:start", "step:start", "step:end", "workflow:cancelled"]


def test_a_body_that_survives_being_cancelled_survives_it_again(both: Both) -> None:
    async def body(ctx: Any) -> Any:
        try:
            await ctx.step("slow", forever)
        except asyncio.CancelledError:
            return await ctx.step("second best", soon)

    assert both(body, lambda task: task.cancel()) == ["soon"]


def test_a_body_that_fails_when_it_is_cancelled_fails_again(both: Both) -> None:
    async def body(ctx: Any) -> Any:
        try:
            await ctx.step("slow", forever)
        except asyncio.CancelledError:
            raise ConnectionError("closed") from None

    assert both(body, lambda task: task.cancel())[0] is ConnectionError


def test_a_body_that_cancels_a_step_by_itself_replays_as_it_was(both: Both) -> None:
    async def body(ctx: Any) -> Any:
        task = asyncio.create_task(ctx.step("slow", forever))
        await asyncio.sleep(0.05)
        task.cancel("enough")
        try:
            await task
        except asyncio.CancelledError as error:
            return [*error.args, await ctx.step("second best", soon)]

    assert both(body, lambda task: None) == [["enough", "soon"]]


@pytest.mark.parametrize("kind", ["timeout", "wait_for", "group", "wait"])
def test_whatever_cancels_steps_within_a_body_does_so_again(both: Both, kind: str) -> None:
    async def fail() -> None:
        await asyncio.sleep(0.02)
        raise ConnectionError("closed")

    async def timeout(ctx: Any) -> None:
        async with asyncio.timeout(0.05):
            await ctx.step("slow", forever)

    async def wait_for(ctx: Any) -> None:
        await asyncio.wait_for(ctx.step("slow", forever), 0.05)

    async def group(ctx: Any) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ctx.step("slow", forever))
            tasks.create_task(ctx.step("fail", fail))
            await ctx.step("slower", forever)

    async def wait(ctx: Any) -> None:
        _, pending = await asyncio.wait([asyncio.ensure_future(ctx.step("slow", forever))], timeout=0.05)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending)

    async def body(ctx: Any) -> Any:
        try:
            await {"timeout": timeout, "wait_for": wait_for, "group": group, "wait": wait}[kind](ctx)
        except* BaseException as errors:  # noqa: BLE001 - the test looks at it
            told = [type(error).__name__ for error in errors.exceptions]
        return [*told, await ctx.step("second best", soon)]

    ended = {"timeout": "TimeoutError", "wait_for": "TimeoutError", "group": "ConnectionError", "wait": "CancelledError"}[kind]
    assert both(body, lambda task: None) == [[ended, "soon"]]


@pytest.mark.parametrize("error", [asyncio.CancelledError("mine"), asyncio.CancelledError(), SystemExit(3), KeyboardInterrupt("stop")], ids=repr)
def test_a_step_that_raises_what_ends_others_is_recorded_and_raised_again(tmp_path: Any, error: BaseException) -> None:
    calls = []

    def leave() -> None:
        calls.append(1)
        raise error

    async def body(ctx: Any) -> Any:
        try:
            await ctx.step("leave", leave)
        except BaseException as raised:  # noqa: BLE001 - the test looks at it
            return [type(raised).__name__, str(raised), await ctx.step("then", soon)]

    async def run(mode: Any) -> Any:
        result = await FLOW.run(body, recording=RecordingOptions(mode, store, name="it"))
        recording = await store.load((await store.list())[0].id)
        assert recording is not None
        return result, recording.entries[0].outcome, recording.signals.names

    store = FileSignalStore(tmp_path)
    first, second = asyncio.run(run("record")), asyncio.run(run("replay"))
    assert first == second
    assert first[0] == [type(error).__name__, str(error), "soon"]
    assert first[2] == ["workflow:start", *STEP, *STEP, "workflow:end"]
    assert calls == [1]


@pytest.mark.parametrize("error", [asyncio.CancelledError("mine"), SystemExit(3)], ids=repr)
def test_a_body_that_lets_it_through_ends_so_again(tmp_path: Any, error: BaseException) -> None:
    def leave() -> None:
        raise error

    async def body(ctx: Any) -> Any:
        await ctx.step("leave", leave)

    store = FileSignalStore(tmp_path)

    def run(mode: Any) -> Any:
        with pytest.raises(type(error)) as raised:
            asyncio.run(FLOW.run(body, recording=RecordingOptions(mode, store, name="it")))
        return raised.value.args, raised.value.result.signals  # type: ignore[attr-defined]

    first = run("record")
    assert first == run("replay")
    assert first[1].names == ["workflow:start", *STEP, "workflow:cancelled"]


def test_a_keyed_step_that_raises_by_itself_gives_that_to_all_who_ask(both: Both) -> None:
    async def leave() -> None:
        await asyncio.sleep(0.01)
        raise asyncio.CancelledError("mine")

    async def body(ctx: Any) -> Any:
        ended = await asyncio.gather(*(ctx.step("leave", leave, key="k") for _ in range(3)), return_exceptions=True)
        return [type(one).__name__ for one in ended]

    assert both(body, lambda task: None) == [["CancelledError"] * 3]


def test_bare_steps_that_raise_what_ends_others_do_so_again(play: Any) -> None:
    def leave() -> None:
        raise SystemExit(2)

    def test() -> Any:
        with pytest.raises(SystemExit) as raised:
            step.run("leave", leave)
        return raised.value.code

    first = play(test)
    again = play(test, first.cassette)
    assert (first.value, again.value, again.kinds) == (2, 2, [])


class LostError(Exception):
    pass


def test_a_group_of_errors_is_one_both_times(both: Both) -> None:
    class HiddenError(Exception):
        pass

    async def fail() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(lose())
            group.create_task(hide())

    async def lose() -> None:
        raise LostError("key")

    async def hide() -> None:
        raise HiddenError("key")

    async def body(ctx: Any) -> Any:
        told = []
        try:
            await ctx.step("fail", fail)
        except* LostError as errors:
            told += [repr(error) for error in errors.exceptions]
        except* StepFailed as errors:
            told += [str(error) for error in errors.exceptions]
        return told

    assert both(body, lambda task: None) == [["LostError('key')", "HiddenError: key"]]


def test_a_replay_that_parts_from_a_cancelled_run_is_a_divergence_and_not_just_cancelled(both: Both) -> None:
    async def body(ctx: Any) -> None:
        await ctx.step("soon", soon)
        await forever()

    async def another(ctx: Any) -> None:
        await forever()

    both(body, lambda task: task.cancel())
    error, _ = both.replay(another)
    assert isinstance(error, DivergenceError)
    assert "step soon was recorded and never began in this run" in str(error)
    assert isinstance(error.__cause__, asyncio.CancelledError)


def test_a_replay_that_ends_by_itself_is_a_divergence(both: Both) -> None:
    async def body(ctx: Any) -> None:
        await forever()

    async def another(ctx: Any) -> str:
        return "done"

    both(body, lambda task: task.cancel())
    error, _ = both.replay(another)
    assert "the run completed; recorded, it was cancelled" in str(error)


def test_a_step_that_is_new_while_it_is_cancelled_is_a_divergence(both: Both) -> None:
    async def body(ctx: Any) -> None:
        await forever()

    async def another(ctx: Any) -> None:
        try:
            await forever()
        finally:
            await ctx.step("tidy up", soon)

    both(body, lambda task: task.cancel())
    assert isinstance(both.replay(another)[0], UnrecordedStepError)


def test_somebody_who_cancels_the_replay_himself_comes_first(both: Both) -> None:
    async def body(ctx: Any) -> None:
        await ctx.step("soon", soon)
        await forever()

    both(body, lambda task: task.cancel("then"))

    async def run() -> Any:
        task = asyncio.create_task(both.end(body, "replay"))
        asyncio.get_running_loop().call_later(0.005, task.cancel, "now")
        return await task

    error, _ = asyncio.run(run())
    assert isinstance(error, asyncio.CancelledError)
    assert error.args == ("now",)


def test_a_test_that_cancels_by_itself_is_given_the_time(play: Any) -> None:
    cancelled = []

    async def test() -> Any:
        async def body(ctx: Any) -> None:
            await ctx.step("soon", soon)
            await forever()

        task = asyncio.create_task(FLOW.run(body))
        await asyncio.sleep(0.3)
        cancelled.append(task.cancel("by the test"))
        with pytest.raises(asyncio.CancelledError) as raised:
            await task
        return raised.value.args

    first = play(test)
    again = play(test, first.cassette)
    assert (first.value, again.value, again.kinds, cancelled) == (("by the test",), ("by the test",), [], [True, True])


def test_agents_hear_the_words_with_which_they_were_cancelled(tmp_path: Any) -> None:
    async def hang(_: object) -> str:
        await forever()
        return ""

    async def run(mode: Any) -> Any:
        agents = {"a": FLOW.agent(prompt="p", activate_on="workflow:start", harness=FunctionHarness(hang))}
        with pytest.raises(asyncio.CancelledError) as raised:
            await FLOW.run_reactive(agents=agents, recording=RecordingOptions(mode, store, name="it"))
        return raised.value.args

    async def record() -> Any:
        task = asyncio.create_task(run("record"))
        asyncio.get_running_loop().call_later(0.05, task.cancel, "the user went away")
        return await task

    store = FileSignalStore(tmp_path)
    assert asyncio.run(record()) == ("the user went away",)
    assert asyncio.run(run("replay")) == ("the user went away",)

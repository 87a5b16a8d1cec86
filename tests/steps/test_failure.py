"""Failures: exceptions as JSON and back, the same class live and in replay."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from pytest_wfreplay.errors import HarnessError, NotJsonError, ScriptExhausted, StepFailed, StepTimeoutError
from pytest_wfreplay.jsonable import same
from pytest_wfreplay.steps import failure
from pytest_wfreplay.steps.failure import as_replay_will, briefly, describe, outcome_of, rebuild


class DeclinedError(Exception):
    """With a signature of its own, which nobody must call again."""

    calls = 0

    def __init__(self, *, card: str, reason: str) -> None:
        type(self).calls += 1
        super().__init__(f"{card}: {reason}")
        self.card = card
        self.socket = object()


class Outer:
    class InnerError(ValueError):
        """It is found by its qualified name."""


class TellingError(Exception):
    def __str__(self) -> str:
        return f"telling {self.args[0]}"


class LostError(FileNotFoundError):
    pass


class UntellableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class PlainExit(BaseException):
    pass


class TroubleGroup(ExceptionGroup[Exception]):
    pass


class GuardedError(Exception):
    @property
    def code(self) -> int:
        return 1


def _local() -> Exception:
    class LocalError(Exception):
        pass

    return LocalError("gone")


def _local_group() -> Exception:
    class LocalGroup(ExceptionGroup[Exception]):
        pass

    return LocalGroup("several", [ValueError("a")])


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad"),
        KeyError("name"),
        OSError(2, "No such file"),
        FileNotFoundError(2, "No such file", "x.txt"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        PermissionError(13, "Denied", "a", None, "b"),
        LostError(2, "No such file", "x.txt"),
        ZeroDivisionError(),
        TimeoutError(),
        json.JSONDecodeError("Expecting value", "x", 0),
        DeclinedError(card="visa", reason="no funds"),
        Outer.InnerError("inner", 3, None, [1]),
        TellingError("it"),
        GuardedError("x"),
        HarnessError("overloaded", "Busy.", recoverable=True),
        ScriptExhausted("No reply left."),
        NotJsonError("a.b", "NaN"),
        StepTimeoutError("fetch", 1.5),
        asyncio.CancelledError("why"),
        SystemExit(2),
        KeyboardInterrupt(),
        PlainExit("gone"),
        ExceptionGroup("several", [ValueError("a"), ExceptionGroup("deeper", [DeclinedError(card="visa", reason="no funds")])]),
        BaseExceptionGroup("several", [asyncio.CancelledError(), ValueError("a")]),
        TroubleGroup("troubles", [KeyError("k"), OSError(2, "No such file", "x")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_whose_class_can_be_found_is_raised_as_itself_both_times(error: BaseException) -> None:
    facts = describe(error)
    json.dumps(facts)
    again = rebuild(facts)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert as_replay_will(error, facts) is error
    assert same(describe(again), facts)


def test_it_is_rebuilt_without_calling_its_init_and_with_its_attributes() -> None:
    error = DeclinedError(card="visa", reason="no funds")
    before = DeclinedError.calls
    again: Any = rebuild(describe(error))
    assert DeclinedError.calls == before
    assert again.card == "visa"
    assert again.args == ("visa: no funds",)
    assert not hasattr(again, "socket")


def test_our_own_errors_keep_their_facts() -> None:
    again: Any = rebuild(describe(HarnessError("overloaded", "Busy.", recoverable=True, hint="Wait.")))
    assert (again.code, again.message, again.recoverable, again.hint, again.__notes__) == ("overloaded", "Busy.", True, "Wait.", ["hint: Wait."])


@pytest.mark.parametrize(
    "error",
    [_local(), _local_group()],
    ids=lambda error: type(error).__name__,
)
def test_any_other_is_step_failed_both_times_chained_to_the_original_live(error: Exception) -> None:
    facts = describe(error)
    live, replayed = as_replay_will(error, facts), rebuild(facts)
    assert type(live) is type(replayed) is StepFailed
    assert str(live) == str(replayed)
    assert live.__cause__ is error
    assert isinstance(live, StepFailed)
    assert live.type == type(error).__name__


def test_a_class_that_is_gone_is_never_imported() -> None:
    again = rebuild({"type": "Error", "module": "module_that_nobody_loaded", "message": "m", "args": ["m"]})
    assert isinstance(again, StepFailed)
    assert str(again) == "Error: m"


def test_a_group_is_rebuilt_of_members_that_are_rebuilt_on_the_first_run_too() -> None:
    error = ExceptionGroup("several", [ValueError("a"), _local()])
    facts = describe(error)
    live, replayed = as_replay_will(error, facts), rebuild(facts)
    for one in (live, replayed):
        assert isinstance(one, ExceptionGroup)
        assert [(type(member), str(member)) for member in one.exceptions] == [(ValueError, "a"), (StepFailed, "LocalError: gone")]
    assert live.__cause__ is error


def test_members_keep_their_causes_and_notes() -> None:
    member = ValueError("a")
    member.add_note("seen on Tuesday")
    member.__cause__ = KeyError("k")
    again = rebuild(describe(ExceptionGroup("several", [member])))
    assert isinstance(again, ExceptionGroup)
    assert (again.exceptions[0].__notes__, repr(again.exceptions[0].__cause__)) == (["seen on Tuesday"], "KeyError('k')")


def test_groups_in_groups_are_kept_to_some_depth() -> None:
    error: Exception = ValueError("deep down")
    for _ in range(100):
        error = ExceptionGroup("more", [error])
    facts = describe(error)
    assert len(json.dumps(facts)) < 2000
    for again in (rebuild(facts), as_replay_will(error, facts)):
        innermost, depth = again, 0
        while isinstance(innermost, ExceptionGroup):
            innermost, depth = innermost.exceptions[0], depth + 1
        assert (depth, str(innermost)) == (9, "ExceptionGroup: more (1 sub-exception)")


def test_being_cancelled_from_outside_is_no_outcome() -> None:
    async def cancelled() -> tuple[object, object]:
        task = asyncio.current_task()
        assert task is not None
        error = asyncio.CancelledError("why")
        by_itself = outcome_of(error)
        task.cancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            return by_itself, outcome_of(error)
        raise AssertionError

    assert asyncio.run(cancelled()) == ({"type": "CancelledError", "message": "why", "module": "asyncio.exceptions", "args": ["why"]}, None)


def test_an_exit_that_cannot_be_raised_again_is_no_outcome() -> None:
    class LocalExit(BaseException):
        pass

    assert outcome_of(LocalExit()) is None
    assert outcome_of(GeneratorExit()) is None
    assert outcome_of(_local()) is not None


@pytest.mark.parametrize("kind", ["print", "GeneratorExit", "int", "no such"])
def test_only_exceptions_are_rebuilt(kind: str) -> None:
    assert type(rebuild({"type": kind, "message": "m", "args": ["m"]})) is StepFailed


def test_notes_and_cause_are_kept() -> None:
    error = ValueError("bad")
    error.add_note("seen on Tuesday")
    error.__cause__ = KeyError("k")
    facts = describe(error)
    assert facts == {
        "type": "ValueError",
        "message": "bad",
        "args": ["bad"],
        "notes": ["seen on Tuesday"],
        "cause": {"type": "KeyError", "message": "'k'", "args": ["k"]},
    }
    again = rebuild(facts)
    assert again.__notes__ == ["seen on Tuesday"]
    assert repr(again.__cause__) == "KeyError('k')"


def test_a_cause_keeps_its_class_and_its_facts() -> None:
    error = ValueError("bad")
    error.__cause__ = DeclinedError(card="visa", reason="no funds")
    cause: Any = rebuild(describe(error)).__cause__
    assert type(cause) is DeclinedError
    assert cause.args == ("visa: no funds",)


def test_causes_that_go_round_in_a_circle_end_somewhere() -> None:
    error, other = ValueError("a"), KeyError("b")
    error.__cause__, other.__cause__ = other, error
    assert str(rebuild(describe(error))) == "a"


@pytest.mark.parametrize("error", [KeyError((1, 2)), RuntimeError(("t", 1)), KeyError(Ellipsis), ValueError({1: (2,)})], ids=repr)
def test_a_class_is_found_again_though_json_cannot_carry_what_it_was_made_of(error: Exception) -> None:
    facts = describe(error)
    again = rebuild(facts)
    assert type(again) is type(error)
    assert (str(again), repr(again)) == (str(error), repr(error))
    assert as_replay_will(error, facts) is error


def test_what_is_empty_is_left_out() -> None:
    assert describe(ZeroDivisionError()) == {"type": "ZeroDivisionError", "message": ""}


def test_arguments_that_json_cannot_carry_are_kept_as_text() -> None:
    thing = object()
    assert describe(ValueError(thing))["args"] == [str(thing)]
    assert describe(ValueError("\ud800"))["message"] == "?"
    assert describe(ValueError(UntellableError()))["args"] == ["<UntellableError>"]


def test_what_a_signal_says_of_it_is_short() -> None:
    assert briefly(DeclinedError(card="a", reason="b")) == {"type": "DeclinedError", "message": "a: b"}


def test_hand_made_facts_do_not_break_it() -> None:
    assert isinstance(rebuild({}), Exception)
    assert isinstance(rebuild({"type": "ValueError", "message": "m", "args": "m"}), Exception)
    assert failure.message_of(ValueError("m")) == "m"

"""The tree of errors: drawn as it is, documented, exported, and each with facts and a hint that says what to do next."""

from __future__ import annotations

import inspect
import pickle
import traceback

import pytest

import pytest_wfreplay as face
from pytest_wfreplay import errors
from pytest_wfreplay.errors import WfreplayError

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, BaseException)]

#: one way to raise each error that wants more than a message
FACTS: dict[type[WfreplayError], tuple[object, ...]] = {
    errors.NotJsonError: ("payload.items[3].price", "NaN is not JSON"),
    errors.SignalPayloadError: ("payload.items[3].price", "NaN is not JSON"),
    errors.HarnessError: ("overloaded", "The service is busy.", True),
    errors.HandlerError: ("reducer", "ticket:*", KeyError("category")),
    errors.WorkflowTimeoutError: (1.5, 1.6),
    errors.StepTimeoutError: ("fetch", 0.25),
    errors.ActivationLimitError: (1000, ("writer", "critic", "writer")),
    errors.StepFailed: ("Odd", "it was odd"),
    **dict.fromkeys(
        (
            errors.CassetteError,
            errors.CassetteMissing,
            errors.CassetteEmpty,
            errors.CassetteTruncated,
            errors.CassetteUnreadable,
            errors.CassetteVersionError,
        ),
        ("cassettes/test_x.yaml", "there is something about it"),
    ),
}
#: errors whose hint only the place that raises them can know
HINTED_WHERE_RAISED = {
    WfreplayError,
    errors.ConfigurationError,
    errors.HarnessError,
    errors.DivergenceError,
    errors.StepInputMismatchError,
    errors.UnrecordedStepError,
    errors.LiveCallBlocked,
    errors.SecretLeakError,
    errors.SnapshotMismatchError,
    errors.StoreError,
    errors.StoreUnavailable,
    errors.LeaseTaken,
    errors.LeaseLost,
    errors.IllegalTransition,
}


def _raised(kind: type[WfreplayError]) -> WfreplayError:
    return kind(*FACTS.get(kind, ("there is something about it",)))


def _drawn() -> dict[str, str]:
    """Each name in the drawing, with the name that it hangs below."""
    parents: dict[str, str] = {}
    above: dict[int, str] = {}
    for line in (errors.__doc__ or "").splitlines()[2:]:
        if name := line.strip("│├└─ ").partition(" ")[0]:
            depth = (len(line) - len(line.lstrip("│├└─ "))) // 4
            above[depth] = name
            parents[name] = above.get(depth - 1, "")
    return parents


def test_the_drawing_is_the_tree() -> None:
    parents = _drawn()
    assert parents.pop("WfreplayError") == ""
    bases = {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES if kind is not WfreplayError}
    assert parents == bases


def test_the_drawing_names_the_builtin_errors_that_ours_are_too() -> None:
    for line in (errors.__doc__ or "").splitlines()[2:]:
        name = line.strip("│├└─ ").partition(" ")[0]
        builtin = line.partition("(also ")[2].rstrip(")")
        assert not name or [base.__name__ for base in getattr(errors, name).__bases__[1:]] == ([builtin] if builtin else [])


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_error_is_ours_documented_and_exported(kind: type[BaseException]) -> None:
    assert issubclass(kind, WfreplayError)
    assert kind.__doc__
    assert "\n" not in kind.__doc__.splitlines()[0]
    assert getattr(face, kind.__name__) is kind


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_error_says_something_and_what_to_do_next(kind: type[WfreplayError]) -> None:
    error = _raised(kind)
    assert str(error)
    if kind not in HINTED_WHERE_RAISED:
        assert error.hint
    assert error.hint not in str(error) or not error.hint


@pytest.mark.parametrize("kind", sorted(HINTED_WHERE_RAISED, key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_the_place_that_raises_can_give_the_hint(kind: type[WfreplayError]) -> None:
    error = kind(*FACTS.get(kind, ("there is something about it",)), hint="Turn it off and on again.")
    assert error.hint == "Turn it off and on again."


def test_a_hint_shows_below_the_message_in_a_traceback() -> None:
    error = errors.ConfigurationError("Recording mode 'record' requires a store.", hint="Pass store=.")
    shown = "".join(traceback.format_exception_only(error))
    assert shown == "pytest_wfreplay.errors.ConfigurationError: Recording mode 'record' requires a store.\nhint: Pass store=.\n"
    assert str(error) == "Recording mode 'record' requires a store."


def test_without_a_hint_nothing_is_noted() -> None:
    assert not hasattr(WfreplayError("There is something about it."), "__notes__")


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        (errors.NotJsonError, {"path": "payload.items[3].price", "problem": "NaN is not JSON"}),
        (errors.HarnessError, {"code": "overloaded", "message": "The service is busy.", "recoverable": True}),
        (errors.HandlerError, {"part": "reducer", "name": "ticket:*"}),
        (errors.WorkflowTimeoutError, {"timeout": 1.5, "elapsed": 1.6}),
        (errors.StepTimeoutError, {"step": "fetch", "timeout": 0.25}),
        (errors.ActivationLimitError, {"limit": 1000, "cycle": ("writer", "critic", "writer")}),
        (errors.StepFailed, {"type": "Odd", "message": "it was odd"}),
        (errors.CassetteEmpty, {"path": "cassettes/test_x.yaml", "problem": "there is something about it", "line": None}),
    ],
)
def test_errors_carry_their_facts(kind: type[WfreplayError], facts: dict[str, object]) -> None:
    error = _raised(kind)
    assert {name: getattr(error, name) for name in facts} == facts


def test_a_cassette_error_points_at_the_line() -> None:
    assert str(errors.CassetteUnreadable("a.yaml", "bad", line=7)) == "a.yaml:7: bad"


def test_a_divergence_carries_each_place() -> None:
    class Place:
        kind = "trace"

    place = Place()
    assert errors.DivergenceError("They part.", [place]).divergences == (place,)


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind not in FACTS], ids=lambda kind: kind.__name__)
def test_an_error_with_only_a_message_crosses_processes(kind: type[WfreplayError]) -> None:
    """As pytest-xdist, multiprocessing and concurrent.futures ask of any exception."""
    error = _raised(kind)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is kind

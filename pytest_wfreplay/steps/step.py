"""`step`: the door to durable work for code that knows no workflow: `@step`, `step.run`, and the clock as recorded steps."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar, overload

from pytest_wfreplay.clock import SystemClock
from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.steps.entry import ABSENT, Absent
from pytest_wfreplay.steps.journal import LiveJournal
from pytest_wfreplay.steps.line import Line
from pytest_wfreplay.steps.scope import Scope, current

if TYPE_CHECKING:
    import datetime as dt

    from pytest_wfreplay.clock import Clock
    from pytest_wfreplay.steps.inspecting import CurrentStep, StepRecord

P = ParamSpec("P")
R = TypeVar("R")


class Step:
    """What `step` is. Inside a run or a marked test its work is recorded and replayed; elsewhere it is done once (see `durable`)."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        #: The scope of what is done outside of runs; None where it is just done.
        self.outside: Callable[[], Scope | None] = lambda: None

    @overload
    def __call__(self, function: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def __call__(self, /, *, key: str | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def __call__(self, function: Callable[P, R] | None = None, /, *, key: str | None = None) -> object:
        """Make a function a step: `@step` or `@step(key="load-user")`.

        Its key is its name unless given; its input are the bound arguments, defaults included. A plain function stays plain, an async one async.

        Raises:
            ConfigurationError: the key is blank.
        """
        if function is None:
            return functools.partial(_as_step, key=key)
        return _as_step(function, key=key)

    @overload
    def run(self, key: str, handler: Callable[..., Awaitable[R]], *, input: object = ..., namespace: str | None = ...) -> Awaitable[R]: ...
    @overload
    def run(self, key: str, handler: Callable[..., R], *, input: object = ..., namespace: str | None = ...) -> R: ...
    def run(self, key: str, handler: Callable[..., object], *, input: object = ABSENT, namespace: str | None = None) -> object:
        """Do `handler`'s work at most once for `key`, its occurrence and `namespace`; awaitable if the handler is async.

        The handler is given `input` if it takes an argument. What it returns is JSON-shaped and comes back as a replay will give it: a
        tuple as a list, datetimes and other typed values as themselves.

        Raises:
            ConfigurationError: a blank key or namespace, a handler with more than one required parameter, or one that wants an input and gets none.
            NotJsonError: JSON cannot carry the input or the result.
            StepInputMismatchError, UnrecordedStepError: the recording that is replayed knows something else.
        """
        scope = _scope_of(namespace)
        wants_input = _wants_input(_stated(key, "key"), handler, given=input is not ABSENT)
        work = functools.partial(handler, input) if wants_input else handler
        given = None if isinstance(input, Absent) else input
        name = scope.key(key)
        return scope.step(name, work, given) if _is_async(handler) else scope.step_now(name, _without_waiting(key, work), given)

    async def inspect(self, namespace: str | None = None) -> list[StepRecord]:
        """The steps that were kept in a namespace, the default one unless another is given, in the order in which they were kept.

        Each is a mapping and has as attributes, too: `event_id, namespace, key, sequence, deterministic_inputs_hash, input, result, error,
        occurred_at_ms`. Outside of durable runs these are the steps of the run around us.

        Raises:
            ConfigurationError: a blank namespace.
        """
        from pytest_wfreplay.steps.inspecting import records_of

        return records_of(_scope_of(None), None if namespace is None else _stated(namespace, "namespace"))

    def current(self) -> CurrentStep:
        """The step in which this is called: `.key`, `.attempt` (from 1), and `.idempotency_key` for services that know a request again.

        Raises:
            ConfigurationError: outside of any step.
        """
        from pytest_wfreplay.steps.inspecting import CurrentStep

        scope = current.get()
        if scope is None or scope.doing is None:
            raise ConfigurationError("step.current() was called outside of a step.", hint="Call it in the function that the step does.")
        return CurrentStep(scope.doing)

    def now(self) -> dt.datetime:
        """The time of day (aware, UTC), the same in replay."""
        return self._asked("now", self._clock.now)  # type: ignore[return-value]  # a datetime keeps its type

    def new_id(self) -> str:
        """A new UUID, the same in replay."""
        return self._asked("new_id", self._clock.new_id)  # type: ignore[return-value]  # text stays text

    def random(self) -> float:
        """A number in [0, 1), the same in replay."""
        return self._asked("random", self._clock.random)  # type: ignore[return-value]  # a number stays a number

    async def sleep(self, seconds: float) -> None:
        """Wait; in replay not at all."""
        scope = _scope_of(None)
        await scope.step(scope.key("sleep"), functools.partial(self._clock.sleep, seconds), {"seconds": seconds})

    def _asked(self, name: str, work: Callable[[], object]) -> object:
        scope = _scope_of(None)
        return scope.step_now(scope.key(name), work)


step = Step()


def _as_step(function: Callable[..., object], *, key: str | None) -> Callable[..., object]:
    if not callable(function):
        raise ConfigurationError(f"@step is put on a function, not on {function!r}.", hint='Name the step with @step(key="…").')
    name = _stated(getattr(function, "__name__", type(function).__name__) if key is None else key, "key")
    signature = inspect.signature(function)

    def bound(args: tuple[object, ...], kwargs: dict[str, object]) -> dict[str, object]:
        arguments = signature.bind(*args, **kwargs)
        arguments.apply_defaults()
        return dict(arguments.arguments)

    if _is_async(function):

        @functools.wraps(function)
        async def stepping(*args: object, **kwargs: object) -> object:
            scope = _scope_of(None)
            return await scope.step(scope.key(name), lambda: function(*args, **kwargs), bound(args, kwargs))

        return stepping

    @functools.wraps(function)
    def stepping_now(*args: object, **kwargs: object) -> object:
        scope = _scope_of(None)
        return scope.step_now(scope.key(name), lambda: function(*args, **kwargs), bound(args, kwargs))

    return stepping_now


def _scope_of(namespace: str | None) -> Scope:
    scope = current.get() or step.outside() or Scope(Line(LiveJournal()))
    return scope if namespace is None else scope.below(_stated(namespace, "namespace"))


def _stated(text: str, what: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise ConfigurationError(f"A step's {what} is a text that is not blank, not {text!r}.")
    return text


def _is_async(handler: Callable[..., object]) -> bool:
    function = getattr(handler, "__func__", handler)
    code = getattr(function, "__code__", None)
    if code is not None:
        return bool(code.co_flags & inspect.CO_COROUTINE)
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004 - callables with an async __call__


def _without_waiting(key: str, work: Callable[[], object]) -> Callable[[], object]:
    """Work of a plain function, which must not turn out to give something to wait for."""

    def do() -> object:
        value = work()
        if inspect.iscoroutine(value):
            value.close()
            raise ConfigurationError(
                f"The handler of step {key!r} is a plain function that gives a coroutine.", hint="Make it an async function, and await the step."
            )
        return value

    return do


def _wants_input(key: str, handler: Callable[..., object], *, given: bool) -> bool:
    if not callable(handler):
        raise ConfigurationError(f"The handler of step {key!r} is not a function but {type(handler).__name__}.")
    required, takes = _appetite(handler)
    if required > 1:
        raise ConfigurationError(
            f"The handler of step {key!r} requires {required} arguments.", hint="A handler takes its input as one argument, or none."
        )
    if required and not given:
        raise ConfigurationError(f"The handler of step {key!r} takes an input and was given none.", hint="Pass input=.")
    if required and not takes:
        raise ConfigurationError(f"The handler of step {key!r} requires a keyword.", hint="A handler takes its input as one argument, or none.")
    return given and takes


def _appetite(handler: Callable[..., object]) -> tuple[int, bool]:
    """How many arguments a handler requires, and whether it takes a positional one."""
    try:
        return _appetite_of(handler)
    except TypeError:
        return _look_at(handler)


def _look_at(handler: Callable[..., object]) -> tuple[int, bool]:
    try:
        parameters = inspect.signature(handler).parameters.values()
    except ValueError:
        return 0, True
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    required = [one for one in parameters if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    return len(required), bool(positional) or any(one.kind is one.VAR_POSITIONAL for one in parameters)


_appetite_of = functools.lru_cache(maxsize=1024)(_look_at)

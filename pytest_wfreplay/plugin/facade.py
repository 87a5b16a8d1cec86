"""What the `wfreplay` fixture gives a test."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from pytest_wfreplay.clock import FrozenClock, SystemClock, new_seed, seeded
from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.redact import PLACEHOLDER
from pytest_wfreplay.steps.step import step

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Coroutine

    from pytest_wfreplay.clock import Luck
    from pytest_wfreplay.plugin.take import Take
    from pytest_wfreplay.recording.recording import Recording

__tracebackhide__ = True

R = TypeVar("R")


class Wfreplay:
    """The cassette of the running test."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._clock: FrozenClock | None = None
        self._luck: Luck | None = None

    @property
    def mode(self) -> str:
        """The mode of this test: the session's, narrowed by the config fixture and the marker."""
        return self._take.mode.name

    @property
    def cassette(self) -> Path:
        """The path of the cassette, whether it is there or not."""
        return self._take.path

    @property
    def recordings(self) -> list[Recording]:
        """What was recorded or replayed so far, in the order in which the runs began."""
        return self._take.deck.recordings() if self._take.deck is not None else []

    @overload
    def run(self, run: Callable[[], Coroutine[Any, Any, R]] | Coroutine[Any, Any, R]) -> R: ...
    @overload
    def run(self, run: Callable[[], R]) -> R: ...
    def run(self, run: Any) -> Any:
        """Run a workflow in a sync test: a coroutine (`wfreplay.run(flow.run_reactive(...))`), or a function, sync or async.

        Raises:
            ConfigurationError: an event loop is running already; await the workflow instead.
        """
        if _is_in_loop():
            if inspect.iscoroutine(run):
                run.close()
            raise ConfigurationError("wfreplay.run(...) is for sync tests; an event loop is running.", hint="Await the workflow in this test.")
        answer = run() if callable(run) else run
        return asyncio.run(_awaited(answer)) if inspect.isawaitable(answer) else answer

    def now(self) -> dt.datetime:
        """The time of day (aware, UTC), recorded as a step: the same in replay."""
        return step.now()

    @property
    def clock(self) -> FrozenClock:
        """A clock that stands still: `.now()`, `.time()`, `.monotonic()`, `.advance(seconds)`, `await .sleep(seconds)`.

        It starts at the time of day when it is first asked for, recorded as a step, so that a replay sees the recorded time.
        """
        if self._clock is None:
            self._clock = FrozenClock(step.run("wfreplay.clock", SystemClock().now))
        return self._clock

    @property
    def random(self) -> Luck:
        """A `random.Random` whose seed was drawn when it was first asked for, and recorded as a step: a replay draws the same numbers."""
        if self._luck is None:
            self._luck = seeded(step.run("wfreplay.random", new_seed))
        return self._luck

    def add_redactor(self, pattern_or_callable: str | Callable[[str], str], replacement: str = PLACEHOLDER) -> None:
        """Take out what a regular expression finds, what stands at a path, or what a function from text to text takes out.

        Call it before the first step: what was recorded before and would have lost something is not written (`SecretLeakError`).
        What stands at a path (`state.password`, `steps[login].output.token`) always becomes `[redacted]`.

        Raises:
            ConfigurationError: not a regular expression, nor a path.
        """
        self._take.redact(pattern_or_callable, replacement=replacement)

    def ignore(self, *paths: str) -> None:
        """Leave these paths out of what is compared: `state.updated_at`, `steps[classify].input.model`, `signals[text:*].payload`.

        Raises:
            ConfigurationError: not a path.
        """
        matching = self._take.matching
        matching.ignoring = matching.ignoring.more(paths)

    def normalise(self, *kinds: str) -> None:
        """Give volatile values steady names, from now on: `uuid`, `timestamp`, `temp_path`, `port`. Call it before anything runs.

        Raises:
            ConfigurationError: not a kind.
        """
        if self._take.deck is not None:
            self._take.deck.normalise(kinds)


async def _awaited(answer: Awaitable[R]) -> R:
    return await answer


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

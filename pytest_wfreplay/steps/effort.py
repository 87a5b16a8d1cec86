"""How hard a step tries: so many more tries after a failure, each later than the one before it, each of at most so many seconds."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_wfreplay.errors import StepTimeoutError
from pytest_wfreplay.jsonable import jsonable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.signal import Signal
    from pytest_wfreplay.steps.line import Line

#: Seconds before the second try, doubled before each further one, and the most that is ever waited.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard a step tries: `retries` more tries after the first, each of at most `timeout` seconds."""

    retries: int = 0
    timeout: float | None = None


ONCE = Effort()


def pause(failures: int, luck: float) -> float:
    """Seconds to wait after so many failures: 0.1, 0.2, 0.4 … 30; `luck` takes away up to half, so that not all come back at once."""
    longest: float = min(FIRST_PAUSE * 2 ** min(failures - 1, 20), LONGEST_PAUSE)
    return longest * (1 - luck / 2)


class Attempt:
    """One step that is being done: its key, what it was given, how often it was tried, and what came of it."""

    __slots__ = ("error", "facts", "given", "key", "line", "number", "output", "spelled", "started", "value")

    def __init__(self, key: str, given: object, line: Line) -> None:
        self.key = key
        self.given = given
        #: What it was given, as JSON.
        self.spelled = jsonable(given, path=f"input of step {key!r}")
        self.line = line
        self.number = 1
        #: The signal of its beginning; None where a stream carries it.
        self.started: Signal | None = None
        self.value: object = None
        #: The value as JSON.
        self.output: JSON = None
        self.error: BaseException | None = None
        #: What an entry keeps of the error; None where that is no outcome.
        self.facts: dict[str, JSON] | None = None


async def tried(attempt: Attempt, work: Callable[[], object], effort: Effort) -> object:
    """What one try gives.

    Raises:
        StepTimeoutError: it took too long.
    """
    async with _limit(attempt.key, effort.timeout):
        value = work()
        return await value if inspect.isawaitable(value) else value


class _limit:  # noqa: N801 - reads as the function it stands for
    """At most so many seconds; without a limit it costs nothing."""

    __slots__ = ("_key", "_timeout", "_watch")

    def __init__(self, key: str, timeout: float | None) -> None:
        self._key = key
        self._timeout = timeout
        self._watch: asyncio.Timeout | None = None

    async def __aenter__(self) -> None:
        if self._timeout is not None:
            self._watch = asyncio.timeout(self._timeout)
            await self._watch.__aenter__()

    async def __aexit__(self, *raised: object) -> None:
        if self._watch is None:
            return
        try:
            await self._watch.__aexit__(*raised)  # type: ignore[arg-type]  # what the interpreter gives
        except TimeoutError as error:
            if self._watch.expired() and self._timeout is not None:
                raise StepTimeoutError(self._key, self._timeout) from error
            raise
        when = self._watch.when()
        if raised[0] is None and when is not None and asyncio.get_running_loop().time() > when:
            # Code that does not wait for anything cannot be interrupted; it took too long nevertheless.
            raise StepTimeoutError(self._key, self._timeout or 0.0)

"""When what is recorded was said: steps that end in one moment share its time, and no two that end in different moments do.

A trace has the order of what came from outside, and no more. Whoever waits for several steps side by side (`asyncio.wait`) also sees which had
ended when he looked; so a replay must know which ended in one moment. How many milliseconds lie between them does not tell: on a busy machine a
process may stand still between two steps of one round of the event loop, and on an idle one a millisecond has room for many rounds.
"""

from __future__ import annotations

import datetime as dt
from asyncio import _get_running_loop
from typing import TYPE_CHECKING

from pytest_wfreplay.clock import iso

if TYPE_CHECKING:
    import asyncio

    from pytest_wfreplay.clock import Clock
    from pytest_wfreplay.jsonable import JSON

#: A moment is over when the event loop has come round so often: in the second round after a step's end `asyncio.wait` returns.
ROUNDS = 2

#: Whatever the loop's rounds say, what was said so much later was said later.
LONGEST = dt.timedelta(seconds=1)

_MILLISECOND = dt.timedelta(milliseconds=1)


class Ends:
    """The times of one run's signals. Called under the line's lock."""

    __slots__ = ("_begun", "_clock", "_last", "_last_end", "_loop")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        #: Where the steps that have not ended began.
        self._begun: dict[str, int] = {}
        #: The time of what was said last, where it was not the clock's own.
        self._last: dt.datetime | None = None
        #: When and where the last step ended.
        self._last_end: tuple[dt.datetime, int] | None = None
        #: The event loop in whose present moment that was.
        self._loop: asyncio.AbstractEventLoop | None = None

    def time(self, position: int, name: str, payload: JSON) -> str:
        """When the signal at a position was said: ISO-8601 with milliseconds."""
        now = _whole(self._clock.now())
        if self._last is not None:
            now = max(now, self._last)
        step = payload.get("step") if isinstance(payload, dict) else None
        if name == "step:start" and isinstance(step, str):
            self._begun[step] = position
        began = self._begun.pop(step, None) if name == "step:end" and isinstance(step, str) else None
        if began is not None:
            now = self._end(began, position, now)
        elif self._is_the_same_moment(now):
            now = self._last_end[0] if self._last_end is not None else now
        return iso(now)

    def _end(self, began: int, position: int, now: dt.datetime) -> dt.datetime:
        """When a step ended. Only with one that ended while it was under way can it share a moment."""
        loop, last = _get_running_loop(), self._last_end
        if loop is not None and last is not None and began < last[1]:
            if self._is_the_same_moment(now):
                now = last[0]
            elif now <= last[0]:
                now = self._last = last[0] + _MILLISECOND
        self._last_end = now, position
        if loop is not None and self._loop is not loop:
            self._loop = loop
            loop.call_soon(self._come_round, loop, ROUNDS - 1)
        return now

    def _is_the_same_moment(self, now: dt.datetime) -> bool:
        return self._loop is not None and self._last_end is not None and self._loop is _get_running_loop() and now - self._last_end[0] < LONGEST

    def _come_round(self, loop: asyncio.AbstractEventLoop, rounds: int) -> None:
        if self._loop is not loop:
            return
        if rounds:
            loop.call_soon(self._come_round, loop, rounds - 1)
        else:
            self._loop = None


def _whole(moment: dt.datetime) -> dt.datetime:
    """The same without the parts of a millisecond, which no recording keeps."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

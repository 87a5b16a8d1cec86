"""The times of a run that is partly replayed: as recorded where it says what was recorded, and what was done live takes the time that it took.

A signal's twin is the recorded one of the same name, step and activation, counted among those; the times of a run never run backwards.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from pytest_wfreplay.clock import SystemClock, iso, read_iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.signal import Signal, SignalSource

_Group: TypeAlias = "tuple[str, str | None, str | None]"


class Pace:
    """The times of one run. `recorded` is the trace that it is held against, `start` when that began."""

    def __init__(self, recorded: Sequence[Signal], start: str) -> None:
        self._waiting: dict[_Group, deque[Signal]] = {}
        for signal in recorded:
            self._waiting.setdefault(_group(signal.name, signal.payload, signal.source), deque()).append(signal)
        self._last = _moment(start) or (_moment(recorded[0].timestamp) if recorded else None) or SystemClock().now()
        self._clock = SystemClock()
        self._working = 0
        self._since = 0.0
        self._spent = 0.0
        #: Milliseconds of live work that the recorded run did not have.
        self.added_ms = 0.0
        #: The twin of each signal so far, None where nothing like it was recorded.
        self.twins: list[Signal | None] = []

    def begin(self) -> None:
        """A step is done live from now on."""
        if not self._working:
            self._since = self._clock.monotonic()
        self._working += 1

    def finish(self) -> None:
        """It is done."""
        self._working -= 1
        if not self._working:
            self._spent += self._clock.monotonic() - self._since

    def time(self, name: str, payload: JSON, source: SignalSource | None) -> str:
        """The timestamp of the next signal."""
        waiting = self._waiting.get(_group(name, payload, source))
        twin = waiting.popleft() if waiting else None
        self.twins.append(twin)
        spent = self._take()
        moment = None if twin is None else _moment(twin.timestamp)
        if moment is None:
            self.added_ms = round(self.added_ms + spent * 1000, 3)
            self._last += dt.timedelta(seconds=spent)
        else:
            self._last = max(self._last, moment)
        return iso(self._last)

    def _take(self) -> float:
        """The seconds of live work since the last signal."""
        now = self._clock.monotonic()
        spent = self._spent + (now - self._since if self._working else 0.0)
        self._spent, self._since = 0.0, now
        return spent


def _group(name: str, payload: JSON, source: SignalSource | None) -> _Group:
    step = payload.get("step") if name in {"step:start", "step:end"} and isinstance(payload, dict) else None
    return name, source.activation if source is not None else None, step if isinstance(step, str) else None


def _moment(text: str) -> dt.datetime | None:
    """What a timestamp says; a recording that was made by hand may have any text there, or one beyond our calendars."""
    with suppress(ValueError, TypeError):
        moment = read_iso(text)
        return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment
    return None

"""The one door by which time, identifiers and randomness enter: everything else is handed what it needs from here."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import random
import time
import uuid
from typing import Protocol, TypeAlias

from pytest_wfreplay.errors import ConfigurationError

#: What draws: its numbers follow from its seed.
Luck: TypeAlias = random.Random


class Clock(Protocol):
    """Where a run gets its time, identifiers and luck from."""

    def now(self) -> dt.datetime:
        """The time of day, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds since some moment; never runs backwards."""

    def new_id(self) -> str:
        """A text that nobody else has: 32 hex digits in UUID form."""

    def random(self) -> float:
        """A number in [0, 1)."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""


class SystemClock:
    """The machine's own time and luck."""

    def now(self) -> dt.datetime:
        """The time of day, aware, in UTC."""
        return dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        """Seconds since some moment; never runs backwards."""
        return time.monotonic()

    def new_id(self) -> str:
        """A random UUID."""
        return str(uuid.uuid4())

    def random(self) -> float:
        """A number in [0, 1), from the process's own generator."""
        return random.random()  # noqa: S311 - luck for workflows, not for secrets

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        await asyncio.sleep(seconds)


class CountingClock:
    """A clock that counts: each look is one millisecond later, each id the next, each number the next tenth; sleep only counts."""

    def __init__(self, start: dt.datetime | None = None) -> None:
        self._start = start or dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
        self._elapsed = dt.timedelta()
        self._ids = 0
        self._draws = 0

    def now(self) -> dt.datetime:
        """One millisecond later than the last look."""
        self._elapsed += dt.timedelta(milliseconds=1)
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """The seconds that were counted so far."""
        return self._elapsed.total_seconds()

    def new_id(self) -> str:
        """The next UUID, counted from 1."""
        self._ids += 1
        return str(uuid.UUID(int=self._ids))

    def random(self) -> float:
        """0.0, 0.1, … 0.9, and again."""
        self._draws += 1
        return (self._draws - 1) % 10 / 10

    async def sleep(self, seconds: float) -> None:
        """Count the seconds and let others run."""
        self._elapsed += dt.timedelta(seconds=seconds)
        await asyncio.sleep(0)


class FrozenClock:
    """A clock that stands still until it is told to go on: `advance` and `sleep` move it, nothing else does."""

    def __init__(self, start: dt.datetime) -> None:
        self._start = start.astimezone(dt.UTC)
        self._elapsed = 0.0

    def now(self) -> dt.datetime:
        """The time of day, aware, in UTC."""
        return self._start + dt.timedelta(seconds=self._elapsed)

    def time(self) -> float:
        """Seconds since 1970, as `time.time()` gives them."""
        return self.now().timestamp()

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass at once.

        Raises:
            ConfigurationError: the number is negative, or not one.
        """
        if not math.isfinite(seconds) or seconds < 0:
            raise ConfigurationError(f"A clock is advanced by seconds, not by {seconds!r}.", hint="Time goes forwards: pass 0 or more.")
        self._elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        """Let so many seconds pass without waiting, and let other tasks run. Raises as `advance` does."""
        self.advance(seconds)
        await asyncio.sleep(0)


def seeded(seed: int | str) -> Luck:
    """What draws the same numbers for the same seed, in any process."""
    return random.Random(seed)  # noqa: S311 - luck for workflows, not for secrets


def new_seed() -> int:
    """A seed that nobody could foresee, of 32 bits; the process's own generator is left as it is."""
    return random.SystemRandom().getrandbits(32)


def iso(moment: dt.datetime) -> str:
    """ISO-8601 in UTC with milliseconds: `2026-11-20T10:00:00.000Z`."""
    utc = moment if moment.tzinfo is dt.UTC else moment.astimezone(dt.UTC)
    return utc.isoformat(timespec="milliseconds")[:-6] + "Z"


def read_iso(text: str) -> dt.datetime:
    """The moment that `iso` spelled.

    Raises:
        ValueError: it is not such a text.
    """
    return dt.datetime.fromisoformat(text)

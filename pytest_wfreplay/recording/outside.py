"""Ends a run from outside, as somebody did when it was recorded: cancelled, or out of time.

1. Whoever did it then may do it again: a test that cancels its runs by itself is given the time (`patience`).
2. A recording does not say when it was. It is time when all that was said before is said again and nothing happens any more.
3. A cancelled step waits to be cancelled. Of a function workflow the whole run is cancelled, from its root; which of its steps that ends is its
   own affair, and so is what it does then, and whether it ends at all.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_wfreplay.clock import SystemClock, read_iso

if TYPE_CHECKING:
    from pytest_wfreplay.recording.recording import Recording
    from pytest_wfreplay.recording.turns import Turns
    from pytest_wfreplay.steps.journal import Interruption

#: Seconds that a run which did end when it was recorded is given now, at least; and a cancelled step to be cancelled again.
GRACE = 10.0

#: Seconds in which nothing must happen before a run is ended as it was recorded.
QUIET = 0.02

#: The same for a run that has not come as far as when it was recorded: the rest may have come while it was being cancelled.
LONG_QUIET = 0.5


class Outside:
    """What stands outside of one replayed run. Around a function workflow it is entered, in the run's task."""

    def __init__(self, recording: Recording, turns: Turns) -> None:
        #: Seconds to wait for somebody else to end the run.
        self.patience = 0.0
        #: How often the run was cancelled from here.
        self.cancellations = 0
        self.has_ended = False
        self._recording = recording
        self._turns = turns
        self._clock = SystemClock()
        self._lapses = 0
        self._root: asyncio.Task[Any] | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def was_cancelled(self) -> bool:
        """Whether somebody cancelled the run when it was recorded."""
        return self._recording.metadata.status == "cancelled"

    async def __aenter__(self) -> None:
        """A function workflow begins."""
        self._root = asyncio.current_task()
        if self.was_cancelled:
            self._begin()

    async def __aexit__(self, *raised: object) -> None:
        """It has ended: whether it is being cancelled is no longer our affair."""
        root, watch, self._root = self._root, self._watch, None
        if root is None or watch is None:
            return
        watch.cancel()
        try:
            await asyncio.gather(watch, return_exceptions=True)
        finally:
            for _ in range(self.cancellations):
                root.uncancel()

    async def interruption(self, timeout: float | None) -> Interruption:
        """Return when a run of agents is to be ended; one that ended by itself is given at least `GRACE` seconds."""
        if self.was_cancelled:
            await self._be_quiet(self.patience, spare_lapses=False)
            return asyncio.CancelledError(*self._words())
        if self._recording.metadata.status == "timeout" and timeout is not None:
            await self._be_quiet(0.0, spare_lapses=False)
        elif timeout is None:
            await asyncio.Event().wait()
        else:
            await self._clock.sleep(max(timeout, GRACE))
        return "timeout"

    async def lapse(self) -> None:
        """Wait as a cancelled step does; return when nobody cancels it.

        Raises:
            asyncio.CancelledError: it is cancelled, or its run has ended: in a loop of its own nobody would.
        """
        longest = GRACE + self._seconds()
        if self._root is not None and self._watch is None and self._root.get_loop() is asyncio.get_running_loop():
            self._begin()
        self._lapses += 1
        try:
            waited = 0.0
            while waited < longest:
                await self._clock.sleep(QUIET)
                waited += QUIET
                if self.has_ended:
                    raise asyncio.CancelledError
        finally:
            self._lapses -= 1

    def _begin(self) -> None:
        root = self._root
        if root is not None:
            self._watch = asyncio.create_task(self._cancel(root, root.cancelling()), name="wfreplay:outside")

    async def _cancel(self, root: asyncio.Task[Any], before: int) -> None:
        """Cancel a run when it is time, and again if what it does then waits to be cancelled, too; not if somebody else does."""
        # In a run that went on, whoever cancelled the step was most likely the run itself, which may take as long for it as it did.
        patience = self.patience if self.was_cancelled else max(self.patience, self._seconds() + LONG_QUIET)
        while True:
            await self._be_quiet(patience, spare_lapses=True)
            if root.cancelling() == before + self.cancellations:
                self.cancellations += 1
                root.cancel(*self._words())
            await self._clock.sleep(QUIET)
            while not self._lapses:
                await self._clock.sleep(QUIET)
            patience = 0.0

    async def _be_quiet(self, patience: float, *, spare_lapses: bool) -> None:
        """Return when everything but the last word was said again and nothing has happened for a while; or nothing at all for longer.

        That is as long as it was then before the next word came, and twice that on a slow machine. A cancelled step that waits need not be waited
        for, if `spare_lapses`.
        """
        await self._clock.sleep(patience)
        before, quiet = self._turns.happened, 0.0
        while quiet < (QUIET if self._is_all_said() else LONG_QUIET if spare_lapses and self._lapses else LONG_QUIET + 2 * self._gap()):
            await self._clock.sleep(QUIET)
            quiet = quiet + QUIET if self._turns.happened == before and not self._turns.working else 0.0
            before = self._turns.happened

    def _is_all_said(self) -> bool:
        turns = self._turns
        return turns.is_over and max(turns.said, turns.heard) >= len(self._recording.signals) - 1

    def _gap(self) -> float:
        """Seconds between what was heard last and what comes next, when it was recorded."""
        signals, heard = self._recording.signals, self._turns.heard
        if 0 < heard < len(signals):
            with suppress(ValueError, TypeError):  # a recording that was made by hand may have any texts as times
                return max(0.0, (read_iso(signals[heard].timestamp) - read_iso(signals[heard - 1].timestamp)).total_seconds())
        return 0.0

    def _seconds(self) -> float:
        return (self._recording.metadata.duration_ms or 0.0) / 1000

    def _words(self) -> tuple[str, ...]:
        """What the run was told when it was cancelled: `task.cancel("why")`."""
        error = self._recording.metadata.error or {}
        message = error.get("message")
        return (message,) if error.get("type") == asyncio.CancelledError.__name__ and message and isinstance(message, str) else ()

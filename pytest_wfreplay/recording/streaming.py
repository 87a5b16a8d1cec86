"""A recorder whose recording grows in a store while the run goes on, so that a crashed run can be looked at."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pytest_wfreplay.recording.recorder import Naming, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_wfreplay.recording.cleaning import Cleaning
    from pytest_wfreplay.recording.recording import Recording
    from pytest_wfreplay.recording.store import SignalStore
    from pytest_wfreplay.signal import Signal
    from pytest_wfreplay.steps.entry import Entry
    from pytest_wfreplay.steps.journal import Ending, RunFacts


class StoreFeed:
    """Carries signals to a store, those of one turn of the event loop in one batch; what the store raises is kept for the end."""

    def __init__(self, store: SignalStore, id: str) -> None:
        self._store = store
        self._id = id
        self._waiting: list[Signal] = []
        self._carrying: asyncio.Task[None] | None = None

    def signal(self, signal: Signal) -> None:
        """One more signal was heard."""
        self._waiting.append(signal)
        if self._carrying is None or self._carrying.done():
            try:
                self._carrying = asyncio.get_running_loop().create_task(self._carry(), name=f"{self._id}:feed")
            except RuntimeError:
                # A thread without a loop said it: the next signal from the loop, or the end, takes it along.
                return

    def entry(self, entry: Entry) -> None:
        """Entries are kept when the run has ended, in the order in which their steps began."""

    async def stop(self) -> None:
        """Wait for what is on its way."""
        if self._carrying is not None:
            await asyncio.gather(self._carrying, return_exceptions=True)

    async def _carry(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await self._store.append_batch(self._id, batch)


class StoreRecorder(Recorder):
    """Keeps a run in a store. `last` has the whole recording in its hands before it is kept."""

    def __init__(
        self,
        run: RunFacts,
        naming: Naming,
        store: SignalStore,
        cleaning: Cleaning,
        last: Callable[[Recording], Recording] = lambda recording: recording,
    ) -> None:
        self._store = store
        self._last = last
        self._store_feed = StoreFeed(store, naming.id)
        super().__init__(run, naming, clean=cleaning, feed=lambda _: self._store_feed)

    async def end(self, ending: Ending) -> None:
        """Keep the whole recording, in place of what was streamed."""
        self.conclude(ending)
        await self._store_feed.stop()
        await self._store.save(self._last(self.recording()))

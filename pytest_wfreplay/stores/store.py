"""A store as people hold it: facets of one place where things are kept, opened together and closed together."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pytest_wfreplay.errors import ConfigurationError

if TYPE_CHECKING:
    from pytest_wfreplay.recording.store import SignalStore
    from pytest_wfreplay.steps.snapshots import SnapshotStore


class Store:
    """One place where things are kept. A facet that this kind of place does not keep is a `ConfigurationError` when it is asked for.

    `facets` has what makes each; they are made when they are first asked for.
    """

    def __init__(self, url: str, facets: dict[str, Callable[[], Any]]) -> None:
        self.url = url
        self._facets = facets
        self._made: dict[str, Any] = {}

    @property
    def recordings(self) -> SignalStore:
        """Where recordings are kept."""
        found: SignalStore = self._facet("recordings")
        return found

    @property
    def snapshots(self) -> SnapshotStore:
        """Where the steps of durable runs are kept, and the leases on them."""
        found: SnapshotStore = self._facet("snapshots")
        return found

    def _facet(self, name: str) -> Any:
        if name not in self._facets:
            raise ConfigurationError(
                f"The store {self.url} keeps no {name}.", hint=f"It keeps {' and '.join(self._facets)}; use a store of another kind beside it."
            )
        if name not in self._made:
            self._made[name] = self._facets[name]()
        return self._made[name]

    async def close(self) -> None:
        """Let go of what is held open; closing twice is harmless."""
        for facet in self._made.values():
            await facet.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<Store {self.url}>"

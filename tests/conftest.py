"""What all tests share: pytester, and a word to the continuous integration server."""

from __future__ import annotations

import asyncio
import inspect
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from pytest_wfreplay.deck import Deck, Treatment
from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.codec.text import decode, encode
from pytest_wfreplay.recording.divergence import report
from pytest_wfreplay.steps.scope import entered

pytest_plugins = ["pytester"]


def pytest_configure(config: pytest.Config) -> None:
    """Our own suite must be able to record: many tests record into a temporary folder before they replay.

    `CI=true` is the product's lock on recording (a usage error for `--record`), and every pytest or script that a test starts inherits our
    environment. So the lock is taken off here, once; the tests of the lock itself set `CI` in the environment they hand down. `BUILD_NUMBER`
    goes with it: pytest reads both to decide how much of an assertion it shows, and we assert what people see.
    """
    for name in ("CI", "BUILD_NUMBER"):
        os.environ.pop(name, None)
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        # Where modules may not be kept compiled beside their sources, each process compiled them anew: they are kept in a folder of this run's own.
        os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="pycache-")
        config.add_cleanup(partial(shutil.rmtree, os.environ["PYTHONPYCACHEPREFIX"], ignore_errors=True))


@pytest.fixture(scope="session", autouse=True)
def sources() -> None:
    """What tests start reads compiled modules and writes none: Python takes a test for unchanged that is rewritten in the same second."""
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


@dataclass
class Played:
    """What a test did in a deck: what it gave, what it raised, and the deck, closed."""

    value: Any
    error: BaseException | None
    deck: Deck
    seconds: float

    @property
    def kinds(self) -> list[str]:
        """The kinds of the divergences that the deck found."""
        return [divergence.kind for divergence in self.deck.divergences]

    @property
    def report(self) -> str:
        """The report of all that diverged."""
        return "\n".join(report(self.deck.divergences)) if self.deck.divergences else ""

    @property
    def cassette(self) -> Cassette:
        """What was recorded, as it comes back from its file."""
        return decode(encode(self.deck.cassette()), path="recorded.yaml")


def _play(test: Callable[[], Any], cassette: Cassette | None = None, act: Any = None, **treatment: Any) -> Played:
    """Do what a test does: record it, or replay it from a cassette, or treat that as `act` says. `test` is a function, sync or async."""
    shown = {"shown": "cassettes/test.yaml", "test": "test.py::test", "commands": ("accept the change: pytest --record",), **treatment}
    deck = Deck(act or ("record" if cassette is None else "replay"), Treatment(**shown), cassette)
    value, error = None, None
    began = time.perf_counter()
    with entered(deck.scope):
        try:
            value = asyncio.run(asyncio.wait_for(test(), 30)) if inspect.iscoroutinefunction(test) else test()
        except (Exception, asyncio.CancelledError) as raised:  # noqa: BLE001 - whatever it is, the test looks at it
            error = raised
    deck.close()
    return Played(value, error, deck, time.perf_counter() - began)


@pytest.fixture
def play() -> Callable[..., Played]:
    """Records a test, or replays it from a cassette."""
    return _play

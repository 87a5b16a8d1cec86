"""The options that run tests again to find out what a green test proves, as they were asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_wfreplay.recording.modes import Mode

ALWAYS, SHUFFLE, MUTATE = "--wfreplay-always-replay", "--wfreplay-shuffle", "--wfreplay-mutate"


@dataclass(frozen=True, slots=True)
class Aids:
    """Whether what is recorded is replayed at once, the seed of a shuffled replay (None for none), and whether recordings are changed."""

    always_replays: bool = False
    seed: int | None = None
    mutates: bool = False

    @property
    def any(self) -> bool:
        """Whether tests are run again at all."""
        return self.always_replays or self.seed is not None or self.mutates


def aids_asked(config: pytest.Config, mode: Mode) -> Aids:
    """The aids of a session.

    Raises:
        pytest.UsageError: the seed is not a number, or the mode does not replay what is to be replayed otherwise.
    """
    seed, mutates = config.getoption("wfreplay_shuffle"), bool(config.getoption("wfreplay_mutate"))
    for option in [SHUFFLE] * (seed is not None) + [MUTATE] * mutates:
        if mode.with_cassette != "replay":
            raise pytest.UsageError(f"{option} replays what was recorded, and mode {mode.name!r} does not: leave one of them out.")
    return Aids(bool(config.getoption("wfreplay_always_replay")), None if seed is None else _seed(seed), mutates)


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise pytest.UsageError(f"{SHUFFLE} takes a whole number, such as {SHUFFLE}=7, not {text!r}.") from None

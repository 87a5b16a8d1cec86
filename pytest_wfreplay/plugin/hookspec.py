"""The hooks that projects may implement, in a conftest or a plugin. Each may take fewer arguments than it is offered, as pytest's own hooks may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_wfreplay.plugin.settings import Settings
    from pytest_wfreplay.recording.cassette import Cassette
    from pytest_wfreplay.recording.matching import Compared
    from pytest_wfreplay.recording.recording import Recording


@pytest.hookspec
def pytest_wfreplay_configure(settings: Settings) -> None:
    """Change what holds for the whole session: `settings.redact`, `.allowed_hosts`, `.cassette_dir`, `.max_bytes`. The mode may be narrowed only.

    Called once in each process, before the first test of ours.
    """


@pytest.hookspec(firstresult=True)
def pytest_wfreplay_cassette_name(item: pytest.Item, name: str) -> str | None:
    """Name the cassette of a test otherwise than `name`: a path below the cassette folder. None leaves it to the next.

    Not asked where the marker or the config fixture names the cassette.
    """


@pytest.hookspec(firstresult=True)
def pytest_wfreplay_before_record(recording: Recording) -> Recording | None:
    """Give another recording to keep instead of `recording`, whose secrets have been taken out; None leaves it to the next.

    Called for each run of a test that passed, before its cassette is written. What is given is cleaned of secrets once more.
    """


@pytest.hookspec(firstresult=True)
def pytest_wfreplay_match(recorded: Compared, current: Compared) -> bool | None:
    """Whether two values that are not equal match all the same: True or False; None leaves it to the next, and in the end they do not.

    Each has a `kind` (`input`, `output`, `signal`, `state` or `outcome`), a `key` (of the step, or the signal's name; else None) and a `value`:
    JSON, typed values tagged, without secrets and ignored places, volatile values under their names. Both have the same kind and key. What is
    matched here is listed in the report of a divergence.
    """


@pytest.hookspec
def pytest_wfreplay_check_cassette(cassette: Cassette) -> None:
    """Look at a cassette that was read and is about to be replayed; raise to fail its test."""

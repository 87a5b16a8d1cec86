"""The modes are one table: its rows, their order, and the pages that show it."""

from __future__ import annotations

import pytest

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.recording import modes
from pytest_wfreplay.recording.modes import MODES, PICKING, READS, WORKS, WRITES, mode_named, narrower

NAMES = ["none", "verify", "accept", "once", "new_episodes", "rewrite", "live"]


def test_the_modes_from_narrow_to_wide() -> None:
    assert [mode.name for mode in MODES] == NAMES


@pytest.mark.parametrize(("name", "there", "missing", "in_shared"), [
    ("none", "replay", "refuse", "replay"),
    ("verify", "verify", "refuse", "verify"),
    ("accept", "accept", "refuse", "replay"),
    ("once", "replay", "record", "record"),
    ("new_episodes", "extend", "record", "record"),
    ("rewrite", "record", "record", "record"),
    ("live", "live", "live", "live"),
])  # fmt: skip
def test_what_each_does(name: str, there: str, missing: str, in_shared: str) -> None:
    """With a cassette, without one, and in one that it shares and has no runs in."""
    mode = mode_named(name)
    assert (mode.act(is_there=True), mode.act(is_there=False), mode.act_in_shared()) == (there, missing, in_shared)


def test_the_docstring_shows_the_tables_as_they_are() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in (modes.__doc__ or "").splitlines() if line.startswith("| ")]
    assert [row for row in rows if len(row) == 3][1:] == [[mode.name, mode.with_cassette, mode.without_cassette] for mode in MODES]
    for act, reads, works, writes, _ in [row for row in rows if len(row) == 5][1:]:
        assert (reads != "no", works != "no", writes != "no") == (act in READS, act in WORKS, act in WRITES)


def test_narrower_is_the_one_that_comes_first_in_the_table() -> None:
    for one in MODES:
        for other in MODES:
            assert narrower(one, other) is MODES[min(MODES.index(one), MODES.index(other))]
    for name, picking in PICKING.items():
        assert narrower(picking, mode_named("live")).name == narrower(mode_named("live"), picking).name == name


def test_a_mode_that_is_none_lists_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="'record' is not a mode") as raised:
        mode_named("record")
    assert raised.value.hint == f"Choose one of {', '.join(NAMES)}."

"""A command that people copy does what it says."""

from __future__ import annotations

import shlex

import pytest

from pytest_wfreplay.plugin import commands
from pytest_wfreplay.recording.modes import MODES

NODE_IDS = [
    "tests/test_a.py::test_b[visa]",
    "test_a.py::test_b[a b]",
    "test_a.py::test_b[it's]",
    'test_a.py::test_b["$HOME" `id`]',
    "test_a.py::test_b[!x\\n]",
    "test_a.py::test_b['\"]",
]


@pytest.mark.parametrize("nodeid", NODE_IDS)
def test_a_shell_reads_the_node_id_as_it_is(nodeid: str) -> None:
    assert shlex.split(commands.record(nodeid)) == ["pytest", "--record", nodeid]
    assert shlex.split(commands.accept(nodeid).partition(": ")[2]) == ["pytest", "--wfreplay=accept", nodeid]
    assert shlex.split(commands.again(nodeid, "it's#2/harness", picked=["a*"]).partition(": ")[2]) == [
        *("pytest", "--wfreplay-only=a*", "--wfreplay-only=it's#2/harness", nodeid)
    ]


def test_a_plain_node_id_stands_in_double_quotes() -> None:
    assert commands.record("test_a.py::test_b") == 'pytest --record "test_a.py::test_b"'


def test_a_narrower_wish_stands_in_the_way_of_recording_and_the_narrowest_of_accepting() -> None:
    in_the_way = {mode.name: (bool(commands.obstacle(mode.name)), bool(commands.obstacle(mode.name, is_there=False))) for mode in MODES}
    assert in_the_way == {
        **dict.fromkeys(("none", "verify", "accept"), (True, True)),
        **dict.fromkeys(("once", "new_episodes"), (True, False)),
        **dict.fromkeys(("rewrite", "live"), (False, False)),
    }
    assert [mode.name for mode in MODES if not commands.may_accept(mode.name)] == ["none", "verify"]
    assert not commands.obstacle(None)
    assert commands.may_accept(None)

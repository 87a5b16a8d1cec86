"""`kill -9` at any moment of a recording leaves a whole cassette."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="SIGKILL is POSIX'")
@pytest.mark.parametrize("seed", [1, 2])
def test_a_recording_that_is_killed_leaves_a_whole_cassette_and_what_was_heard(seed: int, tmp_path: Path) -> None:
    """Fifty times in all, at random moments and in the midst of writing; the next session names the crash, the next good recording tidies up."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "WFREPLAY"))}
    environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pytest_wfreplay.plugin.hooks"}
    command = [sys.executable, str(Path(__file__).with_name("killed.py")), str(seed), "25"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["killed"] == 25
    assert found["partial"] >= 8
    assert found["most_heard"] > 100
    assert found["scratch"] >= 1, "some were killed while they wrote"

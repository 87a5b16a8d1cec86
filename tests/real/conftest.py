"""Real sessions, served on loopback as the real service sent them; they lie beside the repository and are never copied into it.

`WFREPLAY_DATA` names their folder; the default is `../shared` beside the repository. Without it these tests are skipped, and fail when
`WFREPLAY_REQUIRE_DATA=1`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(os.environ.get("WFREPLAY_DATA") or Path(__file__).parents[2].parent / "shared")


@dataclass(frozen=True, slots=True)
class Session:
    """One recorded HTTP session: what was asked, and the streams that answered."""

    path: Path
    exchanges: list[dict[str, Any]]

    def request(self, number: int) -> dict[str, Any]:
        return self.exchanges[number]["request"]["body"]

    def events(self, number: int) -> list[dict[str, Any]]:
        """The events of an exchange's stream, read by the letter of the format and by nobody's SDK."""
        lines = str(self.exchanges[number]["response"]["body"]).replace("\r\n", "\n").split("\n")
        return [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]


@dataclass(slots=True)
class WireServer:
    """A session's server in a process of its own. `log()` stops it and answers the requests that it saw."""

    url: str
    _process: subprocess.Popen[str]
    _log: list[dict[str, Any]] = field(default_factory=list)

    def log(self) -> list[dict[str, Any]]:
        self.stop()
        return self._log

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            said, _ = self._process.communicate(timeout=10)
            self._log += [json.loads(line) for line in said.splitlines()]


@contextmanager
def wire_server(session: Path, *options: str) -> Iterator[WireServer]:
    tool = SHARED / "tools" / "wire_server.py"
    with subprocess.Popen([sys.executable, str(tool), str(session), *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        server = WireServer(process.stdout.readline().strip(), process)
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def data() -> Path:
    """The folder of the recorded sessions."""
    folder = SHARED / "data"
    if not folder.is_dir():
        absent = f"no recorded sessions at {folder}; set WFREPLAY_DATA"
        if os.environ.get("WFREPLAY_REQUIRE_DATA") == "1":
            pytest.fail(absent)
        pytest.skip(absent)
    return folder


@pytest.fixture
def session(data: Path) -> Callable[[str], Session]:
    """`session("anthropic-mcp")`: a recorded session by its name."""

    def load(name: str) -> Session:
        path = data / "wire" / f"{name}.json"
        return Session(path, json.loads(path.read_text())["exchanges"])

    return load


@pytest.fixture
def serve() -> Iterator[Callable[..., WireServer]]:
    """`serve(session, "--drop-after", "900")`: a server of that session, stopped with the test."""
    with ExitStack() as servers:
        yield lambda session, *options: servers.enter_context(wire_server(session.path, *options))

"""The last words of a session: one line, and the cassettes that nobody uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_wfreplay.recording.cassette import MARK

if TYPE_CHECKING:
    from pytest_wfreplay.plugin.tally import Tally

#: How many unused cassettes are named.
NAMED = 10


def summary(tally: Tally, root: Path) -> Iterator[str]:
    """The lines that end a session."""
    did = tally.counts
    counts = f"wfreplay: {did['replayed']} replayed, {did['recorded']} recorded, {did['diverged']} diverged"
    if not tally.is_complete:
        yield f"{counts}, unused cassettes not looked for in a partial run"
        return
    found = sorted(unused(tally))
    yield f"{counts}, {len(found)} unused cassettes"
    for path in found[:NAMED]:
        yield f"  unused: {path.relative_to(root) if path.is_relative_to(root) else path}"
    if len(found) > NAMED:
        yield f"  … and {len(found) - NAMED} more"


def unused(tally: Tally) -> Iterator[Path]:
    """The files that have our first line and that no test claimed."""
    for folder in tally.folders:
        for path in Path(folder).rglob("*.yaml"):
            if str(path) not in tally.used and not path.name.endswith(".failed.yaml") and _is_ours(path):
                yield path


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(MARK)) == MARK.encode()
    except OSError:
        return False

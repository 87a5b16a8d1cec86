"""The last words of a session: one line, the cassettes that nobody uses, and the recordings that crashed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_wfreplay.plugin.unused import Found

if TYPE_CHECKING:
    from pytest_wfreplay.plugin.tally import Tally

#: How many unused cassettes are named. Those that were deleted are all named.
NAMED = 10


def summary(tally: Tally, root: Path, *, choice: str = "warn") -> Iterator[str]:
    """The lines that end a session; `choice` is what `--wfreplay-unused` says."""
    did = tally.counts
    found = tally.found or Found()
    counts = f"wfreplay: {did['replayed']} replayed, {did['recorded']} recorded, {did['diverged']} diverged"
    more = "".join(f", {did[outcome]} {outcome}" for outcome in ("verified", "accepted") if did[outcome])
    if found.unused is not None:
        yield f"{counts}, {len(found.unused)} unused cassettes{more}"
        yield from _unused(found, root, choice)
    elif choice == "ignore":
        yield f"{counts}, unused cassettes not looked for{more}"
    else:
        yield f"{counts}, unused cassettes not looked for in a partial run{more}"
        if choice == "delete":
            yield f"  nothing deleted: {tally.gaps[0]}"
    for path, command in found.crashed:
        yield f"  crashed recording: {_shown(path, root)} (record again: {command})"


def _unused(found: Found, root: Path, choice: str) -> Iterator[str]:
    """The unused cassettes, and what became of them."""
    unused = found.unused or ()
    if choice == "delete":
        yield from (f"  deleted: {_shown(path, root)}" for path in found.deleted)
        yield from (f"  not deleted: {_shown(path, root)} ({why})" for path, why in found.stayed)
        return
    yield from (f"  unused: {_shown(path, root)}" for path in unused[:NAMED])
    if len(unused) > NAMED:
        yield f"  … and {len(unused) - NAMED} more"
    if unused and choice == "fail":
        yield "  unused cassettes fail this session (--wfreplay-unused=fail; delete them with --wfreplay-unused=delete)"


def _shown(path: Path, root: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path

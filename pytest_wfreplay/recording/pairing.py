"""Which step of a live run each recorded step is.

Where it depends on luck which of two came first, their inputs tell them apart, not their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_wfreplay.jsonable import canonical
from pytest_wfreplay.steps.entry import Absent, Entry
from pytest_wfreplay.steps.key import read_key


def pairs_of(recorded: Sequence[Entry], current: Sequence[Entry], *, by_input: bool) -> dict[str, Entry]:
    """The step of this run that each recorded step is: that of its key; where it depends on luck which came first, one with its input."""
    by_key = {entry.key: entry for entry in current}
    if not by_input:
        return {entry.key: by_key[entry.key] for entry in recorded if entry.key in by_key}
    alike: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in current:
        alike.setdefault(_spelled(entry), []).append(entry)
    pairs: dict[str, Entry] = {}
    for entry in recorded:
        twins = alike.get(_spelled(entry))
        if twins:
            pairs[entry.key] = by_key.pop(twins.pop(0).key)
    for entry in recorded:
        if entry.key in pairs:
            continue
        named = read_key(entry.key)[:2]
        left = by_key.get(entry.key) or next((one for one in by_key.values() if read_key(one.key)[:2] == named), None)
        if left is not None:
            pairs[entry.key] = by_key.pop(left.key)
    return pairs


def _spelled(entry: Entry) -> tuple[str, str, str]:
    namespace, name, _ = read_key(entry.key)
    # An activation's number says which came first, too.
    return namespace.rpartition("#")[0] or namespace, name, "" if isinstance(entry.input, Absent) else canonical(entry.input)

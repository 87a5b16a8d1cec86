"""The fields in which two JSON values differ, and both sides of each as people can read them.

1. What `same` calls different is found: `True` and `1`, `0.1 + 0.2` and `0.3`, whole numbers of any size.
2. Lists are aligned before they are compared: one item that came in does not make a difference of all that follow it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import TypeAlias

from pytest_wfreplay.jsonable import JSON, canonical, same
from pytest_wfreplay.steps.entry import ABSENT, Absent

#: A side of a difference: a value, or nothing.
Side: TypeAlias = "JSON | Absent"

#: How many characters around a difference are shown.
AROUND = 48

#: Longer lists are aligned at their ends only.
_LONGEST_ALIGNED = 200

_WORD = re.compile(r"[\w-]+")


def differences(recorded: Side, current: Side, path: str = "") -> Iterator[tuple[str, Side, Side]]:
    """Path, the recorded side and this run's side of each field that differs, in the order in which they stand."""
    if isinstance(recorded, dict) and isinstance(current, dict):
        for key in [*recorded, *(key for key in current if key not in recorded)]:
            below = f"{path}.{key}" if _WORD.fullmatch(key) else f"{path}[{json.dumps(key, ensure_ascii=False)}]"
            yield from differences(recorded.get(key, ABSENT), current.get(key, ABSENT), below)
    elif isinstance(recorded, list) and isinstance(current, list):
        for at, one, other in _aligned(recorded, current):
            yield from differences(one, other, f"{path}[{at}]")
    elif isinstance(recorded, Absent) or isinstance(current, Absent):
        if recorded is not current:
            yield path, recorded, current
    elif not same(recorded, current):
        yield path, recorded, current


def shown(path: str, recorded: Side, current: Side) -> tuple[str, str, str]:
    """The path and both sides as text of one line each: long ones cut around the place where they part, of long texts the first line that differs."""
    if isinstance(recorded, str) and isinstance(current, str) and "\n" in recorded + current:
        before, after = recorded.split("\n"), current.split("\n")
        pairs = enumerate(zip(before, after, strict=False))
        at = next((at for at, (one, other) in pairs if one != other), min(len(before), len(after)))
        path = f"{path} (line {at + 1} of {len(before)})"
        recorded, current = (before[at] if at < len(before) else ABSENT), (after[at] if at < len(after) else ABSENT)
    return path, *_cut(_spelled(recorded), _spelled(current))


def _aligned(recorded: list[JSON], current: list[JSON]) -> Iterator[tuple[int, Side, Side]]:
    """Pairs of items that belong together and may differ, each with the place where it stands now, or stood."""
    start = _shared(recorded, current)
    end = _shared(recorded[start:][::-1], current[start:][::-1])
    before, after = recorded[start : len(recorded) - end], current[start : len(current) - end]
    if max(len(before), len(after)) > _LONGEST_ALIGNED or not before or not after or len(before) == len(after):
        yield from _paired(before, after, start, start)
        return
    matcher = SequenceMatcher(None, [canonical(item) for item in before], [canonical(item) for item in after], autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag != "equal":
            yield from _paired(before[a:b], after[c:d], start + a, start + c)


def _paired(before: list[JSON], after: list[JSON], was: int, now: int) -> Iterator[tuple[int, Side, Side]]:
    for at in range(max(len(before), len(after))):
        one = before[at] if at < len(before) else ABSENT
        other = after[at] if at < len(after) else ABSENT
        yield (was if other is ABSENT else now) + at, one, other


def _shared(one: list[JSON], other: list[JSON]) -> int:
    """How many items both begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if not same(a, b)), min(len(one), len(other)))


def _spelled(value: Side) -> str:
    return "(nothing)" if isinstance(value, Absent) else json.dumps(value, ensure_ascii=False)


def _cut(before: str, after: str) -> tuple[str, str]:
    if max(len(before), len(after)) <= 2 * AROUND + 20:
        return before, after
    parts = next((at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), min(len(before), len(after)))
    start = max(0, parts - AROUND)
    return _window(before, start, parts + AROUND), _window(after, start, parts + AROUND)


def _window(text: str, start: int, end: int) -> str:
    if len(text) <= 2 * AROUND:
        return text
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"

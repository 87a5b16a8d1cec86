"""The fields in which two JSON values differ, and both sides of each as people can read them.

1. What `same` calls different is found: `True` and `1`, `0.1 + 0.2` and `0.3`, whole numbers of any size.
2. Lists are aligned before they are compared: one item that came in does not make a difference of all that follow it.
3. deepdiff finds the differences. It is imported when one is shown, and never given `max_diffs`: when that is hit it answers "equal".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
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


def differences(recorded: Side, current: Side) -> Iterator[tuple[str, Side, Side]]:
    """Path, the recorded side and this run's side of each field that differs, in the order in which they stand."""
    from deepdiff import DeepDiff

    pair = _Pair()
    before, after = pair.sides(recorded, current, ())
    found = DeepDiff(before, after, view="tree", threshold_to_diff_deeper=0)
    changed = {tuple(change.path(output_format="list")) for changes in found.values() for change in changes}
    for path, (one, other) in pair.met.items():
        if path in changed:
            yield "".join(map(_step, path)), one, other


class _Pair:
    """Two values as deepdiff compares them without being lenient: lists as dicts of the items that belong together, whatever else as its spelling.

    (It calls `True` and `1` equal, and floats that print alike; and lists of dicts it compares place by place.)
    """

    def __init__(self) -> None:
        #: Every path that was met, in order, with what stands there on each side.
        self.met: dict[tuple[str | int, ...], tuple[Side, Side]] = {}

    def sides(self, recorded: Side, current: Side, path: tuple[str | int, ...]) -> tuple[object, object]:
        self.met[path] = recorded, current
        if isinstance(recorded, dict) and isinstance(current, dict):
            keys = [*recorded, *(key for key in current if key not in recorded)]
            return self._below(path, [(key, recorded.get(key, ABSENT), current.get(key, ABSENT)) for key in keys])
        if isinstance(recorded, list) and isinstance(current, list):
            return self._below(path, _aligned(recorded, current))
        return _spelling(recorded), _spelling(current)

    def _below(self, path: tuple[str | int, ...], items: Iterable[tuple[str | int, Side, Side]]) -> tuple[object, object]:
        before: dict[str | int, object] = {}
        after: dict[str | int, object] = {}
        for key, one, other in items:
            spelled = self.sides(one, other, (*path, key))
            if one is not ABSENT:
                before[key] = spelled[0]
            if other is not ABSENT:
                after[key] = spelled[1]
        return before, after


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


def _step(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if _WORD.fullmatch(key) else f"[{json.dumps(key, ensure_ascii=False)}]"


def _spelling(value: Side) -> str:
    return "" if isinstance(value, Absent) else canonical(value)


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

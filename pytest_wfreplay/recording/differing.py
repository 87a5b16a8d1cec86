"""The fields in which two JSON values differ, and both sides of each as people can read them.

1. What `same` calls different is found: `True` and `1`, `0.1 + 0.2` and `0.3`, whole numbers of any size.
2. Lists are aligned before they are compared: one item that came in does not make a difference of all that follow it.
3. deepdiff finds the differences. It is imported when one is shown, and never given `max_diffs`: when that is hit it answers "equal".
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from operator import ne
from typing import TypeAlias

from pytest_wfreplay.jsonable import JSON, canonical, same
from pytest_wfreplay.steps.entry import ABSENT, Absent

#: A side of a difference: a value, or nothing.
Side: TypeAlias = "JSON | Absent"

#: How many characters around a difference are shown.
AROUND = 48

#: Longer lists are aligned at their ends only.
_LONGEST_ALIGNED = 200

#: How many lines of a text are shown of each side, and what stands before those that both sides have.
_LINES_SHOWN = 3
_NEIGHBOUR = "            "

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
        if isinstance(recorded, dict) and isinstance(current, dict) and not _are_strangers(recorded, current):
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


def shown(recorded: Side, current: Side) -> tuple[str, str]:
    """Both sides as text of one line each: long ones cut around the place where they part."""
    before, after = _spelled(recorded), _spelled(current)
    if before != after and unicodedata.normalize("NFC", before) == unicodedata.normalize("NFC", after):
        # They look alike: one letter with an accent, or a letter and an accent.
        before, after = json.dumps(recorded), json.dumps(current)
    return _cut(before, after)


def block(title: str, recorded: Side, current: Side) -> list[str]:
    """One differing field as people read it; of texts of many lines the first place that differs, between its neighbours."""
    if isinstance(recorded, str) and isinstance(current, str) and "\n" in recorded + current:
        return _text_block(title, recorded.split("\n"), current.split("\n"))
    before, after = shown(recorded, current)
    return [title, f"  recorded: {before}", f"  this run: {after}"]


def _text_block(title: str, before: list[str], after: list[str]) -> list[str]:
    """The first place where two texts differ: at most so many of its lines, and the lines around it."""
    hunks = _hunks(before, after)
    start, end, now, now_end = hunks[0]
    lines = [f"{title}, line {start + 1} of {len(before)}"]
    if start:
        lines.append(_NEIGHBOUR + _cut(_spelled(before[start - 1]), "")[0])
    rows = [
        shown(before[start + at] if start + at < end else ABSENT, after[now + at] if now + at < now_end else ABSENT)
        for at in range(min(_LINES_SHOWN, max(end - start, now_end - now)))
    ]
    lines += [f"  recorded: {row[0]}" for row in rows[: max(1, end - start)]]
    lines += _rest(end - start)
    lines += [f"  this run: {row[1]}" for row in rows[: max(1, now_end - now)]]
    lines += _rest(now_end - now)
    if end < len(before):
        lines.append(_NEIGHBOUR + _cut(_spelled(before[end]), "")[0])
    if len(hunks) > 1:
        lines.append(f"  … and {len(hunks) - 1} other place{'' if len(hunks) == 2 else 's'} in this text")  # noqa: PLR2004 - one other
    return lines


def _rest(count: int) -> list[str]:
    return [f"{_NEIGHBOUR}… {count - _LINES_SHOWN} more line{'' if count == _LINES_SHOWN + 1 else 's'}"] if count > _LINES_SHOWN else []


def _hunks(before: list[str], after: list[str]) -> list[tuple[int, int, int, int]]:
    """Where two lists of lines differ: from, to in the one; from, to in the other."""
    start = next((at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), min(len(before), len(after)))
    rest = zip(reversed(before[start:]), reversed(after[start:]), strict=False)
    tail = next((at for at, (one, other) in enumerate(rest) if one != other), min(len(before), len(after)) - start)
    was, now = before[start : len(before) - tail], after[start : len(after) - tail]
    if max(len(was), len(now)) > _LONGEST_ALIGNED:
        return [(start, len(before) - tail, start, len(after) - tail)]
    codes = SequenceMatcher(None, was, now, autojunk=False).get_opcodes()
    return [(start + a, start + b, start + c, start + d) for tag, a, b, c, d in codes if tag != "equal"]


def _aligned(recorded: list[JSON], current: list[JSON]) -> Iterator[tuple[int, Side, Side]]:
    """Pairs of items that belong together and may differ, each with the place where it stands now; `~place` where it only stood."""
    start = _shared(recorded, current)
    end = _shared(recorded[start:][::-1], current[start:][::-1])
    before, after = recorded[start : len(recorded) - end], current[start : len(current) - end]
    if max(len(before), len(after)) > _LONGEST_ALIGNED or not before or not after:
        yield from _paired(before, after, start, start)
        return
    was, now = [canonical(item) for item in before], [canonical(item) for item in after]
    codes = [code for code in SequenceMatcher(None, was, now, autojunk=False).get_opcodes() if code[0] != "equal"]
    if len(was) == len(now) and sum(map(ne, was, now)) <= sum(max(b - a, d - c) for _, a, b, c, d in codes):
        # Place by place is as short, and easier to read: two that changed places are two changes.
        codes = [("replace", 0, len(was), 0, len(now))]
    for _, a, b, c, d in codes:
        yield from _paired(before[a:b], after[c:d], start + a, start + c)


def _paired(before: list[JSON], after: list[JSON], was: int, now: int) -> Iterator[tuple[int, Side, Side]]:
    for at in range(max(len(before), len(after))):
        one = before[at] if at < len(before) else ABSENT
        other = after[at] if at < len(after) else ABSENT
        yield ~(was + at) if other is ABSENT else now + at, one, other


def _shared(one: list[JSON], other: list[JSON]) -> int:
    """How many items both begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if not same(a, b)), min(len(one), len(other)))


def _are_strangers(recorded: dict[str, JSON], current: dict[str, JSON]) -> bool:
    """Whether two dicts share no key, and are short enough to be shown as they are."""
    return bool(recorded and current) and recorded.keys().isdisjoint(current) and max(map(len, map(canonical, (recorded, current)))) <= AROUND


def _step(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key if key >= 0 else ~key}]"
    return f".{key}" if _WORD.fullmatch(key) else f"[{json.dumps(key, ensure_ascii=False)}]"


def _spelling(value: Side) -> str:
    return "" if isinstance(value, Absent) else canonical(value)


def _spelled(value: Side) -> str:
    if isinstance(value, Absent):
        return "(nothing)"
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


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

"""The last look at a text before it is written: a known secret that still stands in it is refused, and named by its place, never by its value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TypeAlias

from pytest_wfreplay.errors import SecretLeakError

#: Where in a text a known secret stands; None where there is none.
FindLeak: TypeAlias = Callable[[str], "int | None"]

_KEY = re.compile(r'^(?P<pad> *(?:- )*)"?(?P<key>[a-z_]+)"?:')
_NAMED = re.compile(r'^ *- (?:step: (?P<step>.+)|\{"name": "(?P<signal>(?:[^"\\]|\\.)+)")')
_LINE = re.compile(
    r'\{"run": "[^"]*", "(?P<kind>[a-z]+)": \{"(?:id|key|name)": "(?P<name>(?:[^"\\]|\\.)+)"(?:, "name": "(?P<signal>(?:[^"\\]|\\.)+)")?'
)


def refuse_leak(text: str, path: str, find: FindLeak | None) -> None:
    """See that no known secret stands in the text of the file at a path.

    Raises:
        SecretLeakError: one does; `.place` says where.
    """
    at = None if find is None else find(text)
    if at is None or find is None:
        return
    place = place_of(text, at)
    if find(place) is not None:
        place = f"line {_line_number(text, at)}"
    error = SecretLeakError(
        f"{path}: a known secret would stand in it, at {place}. Nothing was written.",
        hint="Take it out where it comes from: by ini wfreplay_redact, redact= of the marker or wfreplay.add_redactor(...), or in the hook.",
    )
    error.path, error.place = path, place
    raise error


def place_of(text: str, at: int) -> str:
    """Where in a cassette, a partial recording or a report a character stands: `line 12, steps[login].output`."""
    lines = text.split("\n")
    number = _line_number(text, at)
    start = sum(len(line) + 1 for line in lines[: number - 1])
    within = _within(lines[number - 1], at - start) or ".".join(_outwards(lines, number - 1))
    return f"line {number}, {within}" if within else f"line {number}"


def _line_number(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _within(line: str, at: int) -> str:
    """What a line of a partial recording tells of."""
    found = _LINE.match(line)
    if found is None:
        return ""
    name = found["signal"] or found["name"]
    return f"{found['kind']} {name}" if found.end() <= at else found["kind"]


def _outwards(lines: list[str], at: int) -> list[str]:
    """The keys of a cassette that contain a line, the outermost first: `steps[login]`, `output`."""
    keys: list[str] = []
    limit = 10_000
    name = ""
    for number in range(at, -1, -1):
        line = lines[number]
        pad = len(line) - len(line.lstrip(" -"))
        named = _NAMED.match(line)
        if named is not None and not name and (number == at or pad <= limit):
            # The key of a step stands above its input and output, a signal's name in its own line.
            name = f"[{_unquoted(named['step'] or named['signal'])}]" if number != at or named["signal"] else "[]"
            limit = min(limit, pad)
        elif pad < limit and (found := _KEY.match(line)) is not None:
            keys.append(f"{found['key']}{name}" if found["key"] in {"steps", "signals"} else found["key"])
            limit = pad
            if pad <= 2:  # noqa: PLR2004 - the keys of a run stand at two
                break
    return keys[::-1]


def _unquoted(name: str) -> str:
    try:
        return str(json.loads(name)) if name.startswith('"') else name
    except ValueError:
        return name

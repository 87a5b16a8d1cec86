"""The fast path: a cassette in canonical form, read line by line with the JSON parser.

1. Only what JSON and YAML read alike is read here: no key twice, no NaN or infinity, no surrogate escapes, no character that YAML calls
   unprintable or a line break. (Spelling each line again and comparing proves the same, and takes longer than all the rest.)
2. At the first line that is laid out otherwise the answer is None, and YAML has its say.
"""

from __future__ import annotations

import functools
import json
import math
import re
from typing import TYPE_CHECKING, Any

from pytest_wfreplay.errors import NotJsonError
from pytest_wfreplay.recording.cassette import END, MARK, MAX_NESTING
from pytest_wfreplay.recording.codec.spelling import block_header, block_text, is_plain, is_safe, json_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_wfreplay.jsonable import JSON

_ENTRY = re.compile(r'("(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z0-9_./#@%+-]*):(?: (.+))?', re.DOTALL)
_BLOCK = re.compile(r"\|2?[-+]?")
#: How a line of JSON begins that is no number and no word.
_JSON = frozenset('"{[')
#: A character that few texts hold: a single one is looked for at the speed of memory.
_FENCE = "\u00a6"
_SURROGATE = re.compile(r"(?<!\\)(?:\\\\)*\\u(?:[dD][89a-fA-F]|00[aA]6)")
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def read_canonical(text: str) -> JSON | None:
    """The plain data of a cassette in canonical form, or None for any other."""
    lines = text.split("\n")
    if not lines[0].startswith(MARK) or lines[-2:] != [END, ""] or not is_safe(text):
        return None
    fence = _FENCE
    while fence in text:
        fence += _FENCE
    reader = _Lines(lines[1:-2], fence, _parse_warily if "\\u" in text else _parse)
    try:
        return reader.whole()
    except (_NotCanonicalError, NotJsonError, ValueError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotCanonicalError
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotCanonicalError
    return number


class _NotCanonicalError(Exception):
    """Stays in this room: it means "ask YAML"."""


class _Lines:
    """The lines of a file and how far they were read. `indent` counts the blanks before a container, `level` how deep it nests."""

    def __init__(self, lines: list[str], fence: str, parse: Callable[[str], Any]) -> None:
        self._lines = lines
        self._next = 0
        self._fence = fence
        self._parse = parse
        #: Lines of JSON that are still to be parsed, all in one go, and whose values they are.
        self._texts: list[str] = []
        self._slots: list[tuple[dict[str, JSON], str]] = []

    def whole(self) -> JSON | None:
        """What the lines say, or None when they go on where it has ended."""
        found = self.mapping(0)
        for (container, key), value in zip(self._slots, self._parsed(self._texts), strict=True):
            container[key] = value
        return found if self.is_at_end() else None

    def is_at_end(self) -> bool:
        return self._next == len(self._lines)

    def mapping(self, indent: int, level: int = 1, first: str | None = None) -> dict[str, JSON]:
        """An object, one key a line; `first` is what stands behind the dash where it is an item of a list."""
        _guard(level)
        short = _short(level)
        found: dict[str, JSON] = {}
        rest = self._rest(indent) if first is None else first
        while rest is not None and not rest.startswith("- "):
            spelled, colon, text = rest.partition(": ") if rest[0] != '"' else _cut(rest)
            if not text:
                if colon or rest[-1] != ":":
                    raise _NotCanonicalError
                spelled = rest[:-1]
            key = _key(spelled)
            if key in found:
                raise _NotCanonicalError
            if text[:1] in _JSON:
                self._next += 1
                if len(text) > short:
                    _guard_line(text, level)
                found[key] = None
                self._texts.append(text)
                self._slots.append((found, key))
            else:
                found[key] = self._value(text, indent, level)
            rest = self._rest(indent)
        if not found:
            raise _NotCanonicalError
        return found

    def _value(self, text: str, indent: int, level: int) -> JSON:
        self._next += 1
        if not text:
            following = self._rest(indent)
            if following is not None and (following.startswith("- ") or following == "-"):
                return self._sequence(indent, level + 1)
            return self.mapping(indent + 2, level + 1)
        if text[0] == "|" and _BLOCK.fullmatch(text):
            return self._block(text, indent + 2)
        if text[0] not in _JSON and is_plain(text):
            return text
        _guard_line(text, level)
        return self._parsed([text])[0]

    def _sequence(self, indent: int, level: int) -> list[JSON]:
        _guard(level)
        found: list[JSON] = []
        while (rest := self._rest(indent)) is not None and (rest.startswith("- ") or rest == "-"):
            if rest.startswith("- {"):
                found += self._batch(" " * indent + "- {", indent + 2, level)
            elif rest == "-":
                self._next += 1
                found.append(self._sequence(indent + 2, level + 1))
            elif _ENTRY.fullmatch(rest[2:]):
                found.append(self.mapping(indent + 2, level + 1, first=rest[2:]))
            else:
                found.append(self._value(rest[2:], indent, level))
        return found

    def _batch(self, start: str, column: int, level: int) -> list[JSON]:
        """Objects, one a line, parsed in one go. What the file does not hold stands between each two, so that none can reach into the next."""
        first = self._next
        while self._next < len(self._lines) and self._lines[self._next].startswith(start):
            self._next += 1
        lines = [line[column:] for line in self._lines[first : self._next]]
        short = _short(level)
        for line in lines:
            if len(line) > short:
                _guard_line(line, level)
        return self._parsed(lines)

    def _parsed(self, lines: list[str]) -> list[JSON]:
        if not lines:
            return []
        fence = self._fence
        parsed = self._parse("[" + f', "{fence}", '.join(lines) + "]")
        if len(parsed) != 2 * len(lines) - 1 or parsed[1::2].count(fence) != len(lines) - 1:
            raise _NotCanonicalError
        items: list[JSON] = parsed[::2]
        return items

    def _block(self, header: str, indent: int) -> str:
        first = self._next
        pad = " " * indent
        while self._next < len(self._lines) and (not self._lines[self._next] or self._lines[self._next].startswith(pad)):
            self._next += 1
        text = block_text(header, [line[indent:] for line in self._lines[first : self._next]])
        if block_header(text) != header:
            raise _NotCanonicalError
        return text

    def _rest(self, indent: int) -> str | None:
        """What stands on the next line, from the column `indent` on; None where the container that begins there has ended."""
        if self._next == len(self._lines):
            return None
        line = self._lines[self._next]
        return line[indent:] if line.startswith(" " * indent) and line[indent:] else None


def _refused(_: str) -> None:
    raise _NotCanonicalError


_parse = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refused).decode


def _parse_warily(text: str) -> Any:
    """For files with escapes: half a character is no text, and YAML reads the two halves of a pair as two."""
    if _SURROGATE.search(text):
        raise _NotCanonicalError
    return _parse(text)


@functools.lru_cache(maxsize=1024)
def _key(text: str) -> str:
    key = json.loads(text) if text.startswith('"') else text
    if not isinstance(key, str) or (text.startswith('"') and (is_plain(key) or json_text(key) != text)) or (key == text and not is_plain(key)):
        raise _NotCanonicalError
    return key


def _cut(rest: str) -> tuple[str, str, str]:
    """Key, colon and value of an entry whose key stands in quotes."""
    entry = _ENTRY.fullmatch(rest)
    if entry is None:
        raise _NotCanonicalError
    return (entry[1], "", "") if entry[2] is None else (entry[1], ": ", entry[2])


def _short(level: int) -> int:
    """No line of so many characters can nest too deep: what it opens it must close."""
    return 2 * (MAX_NESTING - level)


def _guard_line(line: str, level: int) -> None:
    """Refuse a line that nests too deep; nearly all are too short for that."""
    if line.count("{") + line.count("[") <= MAX_NESTING - level:
        return
    depth = level
    for found in _BRACKETS.findall(line):
        depth += (found in "[{") - (found in "]}")
        _guard(depth)


def _guard(level: int) -> None:
    if level > MAX_NESTING:
        raise _NotCanonicalError

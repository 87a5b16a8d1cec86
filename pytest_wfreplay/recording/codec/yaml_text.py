"""YAML as hands write it, read strictly: the one room that knows a YAML library.

1. Values are built from the parser's events, never from its objects: nothing is executed, nothing is shared, and what nests too deep is
   refused before anything recurses (libyaml's composer takes the process down on 30,000 levels).
2. A plain scalar is null, a boolean or a JSON-like number where it says so in YAML 1.2, and text in all other cases: `no`, `on`, `1:30`,
   `017` and dates are text.
3. Aliases, anchors, tags, duplicate keys, second documents, NaN and infinities are refused, each with its line.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from pytest_wfreplay.errors import CassetteUnreadable
from pytest_wfreplay.recording.cassette import MAX_NESTING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_wfreplay.jsonable import JSON

_CONSTANTS: dict[str, JSON] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def load_yaml(text: str, path: str) -> JSON:
    """The value of the one document in the text; null when there is none.

    Raises:
        CassetteUnreadable: it is not YAML, or YAML that a cassette does not allow; `.line` says where.
    """
    builder = _Builder(path)
    for event in _events(text, path):
        builder.take(event)
    return builder.value


def line_of(text: str, keys: tuple[str | int, ...]) -> int | None:
    """The line (from 1) at which the value under `keys` stands, or the nearest one around it that is there."""
    builder = _Builder("")
    best: tuple[int, int | None] = (-1, None)
    try:
        for event in _events(text, ""):
            here = builder.keys()
            if len(here) > best[0] and keys[: len(here)] == here and _kind(event) in _STARTS:
                best = (len(here), _line(event))
            builder.take(event)
    except CassetteUnreadable:
        pass
    return best[1]


class _Frame:
    """A list or an object that is being built."""

    def __init__(self, value: list[JSON] | dict[str, JSON]) -> None:
        self.value = value
        self.key: str | None = None

    def open_key(self) -> str | int | None:
        """Where the container stands that is being built inside of this one."""
        return len(self.value) - 1 if isinstance(self.value, list) else next(reversed(self.value))

    def next_key(self) -> str | int | None:
        """Where the next value will stand; None while the key is not known."""
        return len(self.value) if isinstance(self.value, list) else self.key


class _Builder:
    """Builds the value from events, one after the other, without recursion."""

    def __init__(self, path: str) -> None:
        self.value: JSON = None
        self._path = path
        self._documents = 0
        self._frames: list[_Frame] = []

    def keys(self) -> tuple[str | int | None, ...]:
        """Where the next value will stand."""
        if not self._frames:
            return ()
        return (*(frame.open_key() for frame in self._frames[:-1]), self._frames[-1].next_key())

    def take(self, event: Any) -> None:
        kind = _kind(event)
        if kind == "AliasEvent":
            raise self._refused(event, "an alias; a cassette says everything where it stands")
        if kind == "DocumentStartEvent":
            self._documents += 1
            if self._documents > 1:
                raise self._refused(event, "a second document; a cassette is one")
        if kind in _ENDS:
            self._frames.pop()
        if kind not in _STARTS:
            return
        self._look_at_properties(event)
        if kind == "ScalarEvent":
            self._scalar(event)
        else:
            self._open(event, [] if kind == "SequenceStartEvent" else {})

    def _look_at_properties(self, event: Any) -> None:
        if event.anchor is not None:
            raise self._refused(event, f"an anchor (&{event.anchor}); a cassette says everything where it stands")
        if event.tag is not None:
            raise self._refused(event, f"a tag ({event.tag}); a cassette is plain data")

    def _open(self, event: Any, value: list[JSON] | dict[str, JSON]) -> None:
        if self._frames and isinstance(self._frames[-1].value, dict) and self._frames[-1].key is None:
            raise self._refused(event, "a key that is not text")
        if len(self._frames) >= MAX_NESTING:
            raise self._refused(event, f"nested more than {MAX_NESTING} levels deep")
        self._put(value)
        self._frames.append(_Frame(value))

    def _scalar(self, event: Any) -> None:
        frame = self._frames[-1] if self._frames else None
        if frame is not None and isinstance(frame.value, dict) and frame.key is None:
            if event.value in frame.value:
                raise self._refused(event, f"the key {event.value!r} stands here a second time")
            frame.key = event.value
            return
        is_plain = event.implicit[0]
        self._put(self._resolved(event) if is_plain else event.value)

    def _put(self, value: JSON) -> None:
        if not self._frames:
            self.value = value
            return
        frame = self._frames[-1]
        if isinstance(frame.value, list):
            frame.value.append(value)
        elif frame.key is not None:
            frame.value[frame.key] = value
            frame.key = None

    def _resolved(self, event: Any) -> JSON:
        text: str = event.value
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        try:
            if _INTEGER.fullmatch(text):
                return int(text)
            number = float(text) if _FLOAT.fullmatch(text) else 0.0
        except ValueError:
            raise self._refused(event, "an integer of more than 4300 digits") from None
        if _NOT_FINITE.fullmatch(text) or not math.isfinite(number):
            raise self._refused(event, f"{text}; JSON has no such number")
        return number if _FLOAT.fullmatch(text) else text

    def _refused(self, event: Any, problem: str) -> CassetteUnreadable:
        return CassetteUnreadable(self._path, problem, line=_line(event))


_STARTS = frozenset({"ScalarEvent", "SequenceStartEvent", "MappingStartEvent"})
_ENDS = frozenset({"SequenceEndEvent", "MappingEndEvent"})


def _kind(event: Any) -> str:
    return type(event).__name__


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _events(text: str, path: str) -> Iterator[Any]:
    import yaml

    try:
        yield from yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        conflict = re.search(r"^(?:<{7}|={7}|>{7})(?: |$)", text, re.MULTILINE)
        if conflict:
            line = text.count("\n", 0, conflict.start()) + 1
            raise CassetteUnreadable(path, "a merge conflict stands in it", line=line, hint="Resolve it, or record again.") from None
        raise CassetteUnreadable(path, f"not YAML: {problem}", line=None if mark is None else mark.line + 1) from None
    except UnicodeEncodeError:
        raise CassetteUnreadable(path, "a lone surrogate is not text") from None

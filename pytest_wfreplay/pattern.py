"""Patterns: the questions a signal answers, in the one dialect that the whole product speaks.

1. A name without `*` is compared by `==`. `*` is any run without `:` (it may be empty), `**` any run; all else is literal.
2. A `**` that fills a whole segment stands for any number of segments, none too: `**:complete` matches `complete`,
   `a:**` matches `a`, `a:**:z` matches `a:z`.
3. A compiled `re.Pattern` is searched in the name.
4. A payload is asked for by subset: dicts by the keys that are named, lists by full length and item by item, everything else
   by `==`, where a bool is not a number and NaN equals NaN. An object's own `__eq__` has the last word.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from pytest_wfreplay.errors import ConfigurationError

if TYPE_CHECKING:
    from pytest_wfreplay.signal import Signal


class AnyPayload(enum.Enum):
    """The payload of a pattern that does not ask for one (`None` would ask for null)."""

    ANY_PAYLOAD = "any payload"

    def __repr__(self) -> str:
        return self.name


ANY_PAYLOAD: Final = AnyPayload.ANY_PAYLOAD


@dataclass(frozen=True, slots=True)
class Pattern:
    """A name, and optionally a payload, that a signal is asked for.

    `name` is an exact name, a glob, or a compiled regular expression; `payload` any JSON value, which may hold objects with an
    `__eq__` of their own (dirty-equals, `pytest.approx`). Raises `ConfigurationError` for a name of another type.
    """

    name: str | re.Pattern[str]
    payload: object = ANY_PAYLOAD
    #: None where `==` is enough.
    _regex: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_regex", _regex_of(self.name))

    def matches_name(self, name: str) -> bool:
        """Whether a signal of that name can answer, whatever its payload."""
        if self._regex is None:
            return name == self.name
        return self._regex.search(name) is not None

    def matches(self, signal: Signal) -> bool:
        """Whether the signal answers, by name and payload."""
        return self.matches_name(signal.name) and (self.payload is ANY_PAYLOAD or holds(self.payload, signal.payload))

    @property
    def text(self) -> str:
        """How the name is shown: a regular expression stands between slashes."""
        return self.name if isinstance(self.name, str) else f"/{self.name.pattern}/"


PatternLike: TypeAlias = "str | re.Pattern[str] | Mapping[str, object] | Pattern"


def as_pattern(pattern: PatternLike) -> Pattern:
    """The pattern that a name, a regular expression, a mapping `{"name": ..., "payload": ...}` or a pattern stands for.

    Raises `ConfigurationError` for anything else.
    """
    if isinstance(pattern, str):
        return _of_name(pattern)
    if isinstance(pattern, Pattern):
        return pattern
    if isinstance(pattern, Mapping):
        return _of_mapping(pattern)
    return Pattern(pattern)


@lru_cache(maxsize=2048)
def _of_name(name: str) -> Pattern:
    return Pattern(name)


def _of_mapping(mapping: Mapping[str, object]) -> Pattern:
    if "name" not in mapping or not mapping.keys() <= {"name", "payload"}:
        keys = ", ".join(repr(key) for key in mapping) or "none"
        raise ConfigurationError(
            f"A pattern mapping has the key 'name' and may have 'payload'; this one has: {keys}.",
            hint='Write {"name": "tool:call", "payload": {"name": "search"}}.',
        )
    name = mapping["name"]
    if not isinstance(name, str | re.Pattern):
        raise _unknown(name)
    return Pattern(name, mapping.get("payload", ANY_PAYLOAD))


def _regex_of(name: object) -> re.Pattern[str] | None:
    if isinstance(name, str):
        return _glob(name) if "*" in name else None
    if isinstance(name, re.Pattern) and isinstance(name.pattern, str):
        return name
    raise _unknown(name)


def _unknown(pattern: object) -> ConfigurationError:
    return ConfigurationError(
        f"Not a pattern: {pattern!r} ({type(pattern).__name__}).",
        hint='A pattern is a name such as "tool:*", a compiled regular expression, or {"name": ..., "payload": ...}.',
    )


@lru_cache(maxsize=2048)
def _glob(glob: str) -> re.Pattern[str]:
    segments = _without_repeats(glob.split(":"))
    last = len(segments) - 1
    pieces = []
    for at, segment in enumerate(segments):
        if not _is_any_run(segment):
            pieces.append(_segment(segment) + (":" if at < last and not (at + 1 == last and _is_any_run(segments[last])) else ""))
        elif at < last:
            pieces.append("(?:.*:)?")
        else:
            pieces.append("(?::.*)?" if at else ".*")
    return re.compile(r"\A" + "".join(pieces) + r"\Z", re.DOTALL)


def _without_repeats(segments: list[str]) -> list[str]:
    """`a:**:**` asks what `a:**` asks."""
    return [segment for at, segment in enumerate(segments) if not (at and _is_any_run(segment) and _is_any_run(segments[at - 1]))]


def _is_any_run(segment: str) -> bool:
    return len(segment) > 1 and not segment.strip("*")


def _segment(segment: str) -> str:
    pieces = re.split(r"(\*+)", segment)
    return "".join(re.escape(piece) if not piece.startswith("*") else "[^:]*" if piece == "*" else ".*" for piece in pieces)


def holds(asked: object, found: object) -> bool:
    """Whether the JSON value `found` has what `asked` asks for: law 4."""
    if isinstance(asked, Mapping):
        return isinstance(found, Mapping) and all(key in found and holds(value, found[key]) for key, value in asked.items())
    if isinstance(asked, list | tuple):
        return isinstance(found, list | tuple) and len(asked) == len(found) and all(map(holds, asked, found))
    return _equal(asked, found)


def _equal(asked: object, found: object) -> bool:
    if isinstance(asked, bool):
        return asked is found
    if isinstance(asked, int | float):
        return not isinstance(found, bool) and (asked == found or (asked != asked and found != found))  # noqa: PLR0124 - NaN is the one value unlike itself
    return bool(asked == found)


def nearest(pattern: PatternLike, signals: Iterable[Signal]) -> tuple[Signal, str] | None:
    """The signal that comes nearest without matching, and in one sentence where it parts from the pattern.

    A signal whose name matches is nearer than any other; among equals the first. None where there is no such signal.
    """
    wanted = as_pattern(pattern)
    others = [signal for signal in signals if not wanted.matches(signal)]
    if not others:
        return None
    named = [signal for signal in others if wanted.matches_name(signal.name)]
    if not named:
        return _nearest_name(wanted, others)
    misses = {id(signal): list(partings(wanted.payload, signal.payload, "payload")) for signal in named[:_MOST_COMPARED]}
    best = min(named[:_MOST_COMPARED], key=lambda signal: len(misses[id(signal)]))
    return best, f"its {misses[id(best)][0]}"


#: Enough to be helpful; a trace can hold a hundred thousand deltas.
_MOST_COMPARED = 2000


def _nearest_name(wanted: Pattern, signals: Sequence[Signal]) -> tuple[Signal, str]:
    likeness = SequenceMatcher(b=wanted.text.replace("*", "").strip("/"), autojunk=False)

    def how_like(name: str) -> float:
        likeness.set_seq1(name)
        return likeness.ratio()

    first_of_name: dict[str, Signal] = {}
    for signal in signals:
        first_of_name.setdefault(signal.name, signal)
    best = max(first_of_name, key=how_like)
    return first_of_name[best], f"its name is {best!r}, not {wanted.text!r}"


def partings(asked: object, found: object, path: str) -> Iterator[str]:
    """One sentence for each place where `found` is not what was asked for; none where `holds` says yes."""
    if isinstance(asked, Mapping):
        yield from _dict_partings(asked, found, path)
    elif isinstance(asked, list | tuple):
        yield from _list_partings(asked, found, path)
    elif not _equal(asked, found):
        yield f"{path} is {_brief(found)}, not {_brief(asked)}"


def _dict_partings(asked: Mapping[str, object], found: object, path: str) -> Iterator[str]:
    if not isinstance(found, Mapping):
        yield f"{path} is {_brief(found)}, not a dict"
        return
    for key, value in asked.items():
        if key in found:
            yield from partings(value, found[key], f"{path}.{key}")
        else:
            yield f"{path} has no {key!r} (it has: {', '.join(map(repr, found)) or 'nothing'})"


def _list_partings(asked: Sequence[object], found: object, path: str) -> Iterator[str]:
    if not isinstance(found, list | tuple):
        yield f"{path} is {_brief(found)}, not a list"
    elif len(asked) != len(found):
        yield f"{path} has {len(found)} items, not {len(asked)}"
    else:
        for at, (one, other) in enumerate(zip(asked, found, strict=True)):
            yield from partings(one, other, f"{path}[{at}]")


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"  # noqa: PLR2004 - about a line of a terminal

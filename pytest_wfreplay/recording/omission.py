"""One value without what is ignored in it, and what the ignored places held: the way down a path, shared by all that is compared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pytest_wfreplay.jsonable import JSON, same
from pytest_wfreplay.typed import VALUE_TAG

#: What can be compared.
Subject: TypeAlias = Literal["input", "output", "signal", "state", "outcome"]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a path: a key or an index, with `*` for any run of characters; one in quotes stands for itself."""

    text: str
    regex: re.Pattern[str] | None

    def is_key(self, key: str) -> bool:
        """Whether it leads to this key of a dict."""
        return key == self.text if self.regex is None else self.regex.fullmatch(key) is not None

    def is_index(self, at: int, length: int) -> bool:
        """Whether it leads to this place of a list of that length; -1 is the last."""
        return self.is_key(str(at)) or self.is_key(str(at - length))


#: The way down to one ignored place; the empty one is the whole value.
Path: TypeAlias = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Omission:
    """What is left out of one value: `subject` is what it is, `key` a step's key or a signal's name.

    `paths` lead to what is left out, and `rules` are those paths as the user spelled them. What they hid is noted in `hid`: rule -> where.
    """

    subject: Subject
    key: str | None = None
    paths: Sequence[Path] = ()
    rules: Sequence[str] = ()
    hid: dict[str, set[str]] = field(default_factory=dict)
    #: Whether a dict with one `$` key is a typed value.
    tagged: bool = True

    def __call__(self, value: JSON) -> JSON:
        """The value without what is left out; the same object where that is nothing, None where it is everything."""
        return without(value, self.paths, tagged=self.tagged)

    @property
    def place(self) -> str:
        """What it is, in words: `input of step load`."""
        if self.subject in {"input", "output"}:
            return f"{self.subject} of step {self.key}"
        return f"signal {self.key}" if self.subject == "signal" else {"state": "final state"}.get(self.subject, self.subject)

    def note(self, recorded: JSON, current: JSON) -> None:
        """Remember which rules hid a difference between two values."""
        for path, rule in zip(self.paths, self.rules, strict=True):
            was, now = (list(picked(value, path, tagged=self.tagged)) for value in (recorded, current))
            if len(was) != len(now) or not all(map(same, was, now)):
                self.hid.setdefault(rule, set()).add(self.place)

    def applied(self, value: JSON) -> Iterator[str]:
        """The rules that lead somewhere in a value."""
        for path, rule in zip(self.paths, self.rules, strict=True):
            if next(picked(value, path, tagged=self.tagged), self) is not self:
                yield rule


def without(value: JSON, paths: Sequence[Path], *, tagged: bool) -> JSON:
    """The value without the places that the paths lead to; `tagged` says that a dict with one `$` key is a typed value."""
    if not paths:
        return value
    if () in paths:
        return None
    if isinstance(value, list):
        return _list_without(value, paths, tagged=tagged)
    if not isinstance(value, dict):
        return value
    if tagged and len(value) == 1:
        [(tag, spelled)] = value.items()
        if tag == VALUE_TAG and isinstance(spelled, dict):
            kept = _dict_without(spelled, paths, tagged=True)
            return value if kept is spelled else {VALUE_TAG: kept} if any(key.startswith("$") for key in kept) else kept
        if tag.startswith("$"):
            return value
    return _dict_without(value, paths, tagged=tagged)


def picked(value: JSON, path: Path, *, tagged: bool) -> Iterator[JSON]:
    """What stands at the places that a path leads to."""
    if not path:
        yield value
    elif isinstance(value, list):
        for at, item in enumerate(value):
            if path[0].is_index(at, len(value)):
                yield from picked(item, path[1:], tagged=tagged)
    elif isinstance(value, dict):
        if tagged and len(value) == 1 and next(iter(value)).startswith("$"):
            inner = value.get(VALUE_TAG)
            value = inner if isinstance(inner, dict) else {}
        for key, item in value.items():
            if path[0].is_key(key):
                yield from picked(item, path[1:], tagged=tagged)


def _dict_without(value: dict[str, JSON], paths: Sequence[Path], *, tagged: bool) -> dict[str, JSON]:
    kept: dict[str, JSON] = {}
    is_whole = True
    for key, item in value.items():
        below = [path[1:] for path in paths if path[0].is_key(key)]
        if () in below:
            is_whole = False
            continue
        kept[key] = without(item, below, tagged=tagged)
        is_whole = is_whole and kept[key] is item
    return value if is_whole else kept


def _list_without(value: list[JSON], paths: Sequence[Path], *, tagged: bool) -> list[JSON]:
    kept: list[JSON] = []
    is_whole = True
    for at, item in enumerate(value):
        below = [path[1:] for path in paths if path[0].is_index(at, len(value))]
        if () in below:
            is_whole = False
            continue
        kept.append(without(item, below, tagged=tagged))
        is_whole = is_whole and kept[-1] is item
    return value if is_whole else kept

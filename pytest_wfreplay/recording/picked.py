"""Which steps are picked to be done again, by patterns over their keys: `classify*`, `writer#2/*`, `charge-card#2`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.recording.ignoring import key_glob

if TYPE_CHECKING:
    import re

#: How many keys are named when a pattern picks none.
NAMED = 3


@dataclass(frozen=True, slots=True)
class Picked:
    """The picked steps: `patterns` are globs over keys, as in `ignore`; one without `#` and `/` names an agent's harness steps, too.

    Raises:
        ConfigurationError: a blank pattern.
    """

    patterns: tuple[str, ...]
    _globs: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for pattern in self.patterns:
            if not pattern.strip():
                raise ConfigurationError("A pattern of steps is blank.", hint="Give one such as 'classify*', 'writer#2/*' or 'charge-card#2'.")
        object.__setattr__(self, "_globs", tuple(map(key_glob, self.patterns)))

    def has(self, key: str) -> bool:
        """Whether the step of a key, or a step that contains it, is picked."""
        return any(glob.fullmatch(one) for one in _outwards(key) for glob in self._globs)

    def among(self, keys: Iterable[str]) -> frozenset[str]:
        """The keys of all steps that are to be done again: those that are picked, what they contain, and what contains them."""
        listed = list(keys)
        picked = [key for key in listed if self.has(key)]
        around = {outer for key in picked for outer in _outwards(key)}
        return frozenset(picked).union(key for key in listed if key in around)

    def unmatched(self, keys: Iterable[str]) -> list[tuple[str, list[str]]]:
        """Each pattern that picks none of the keys, with the keys that are most like it."""
        listed = sorted(set(keys))
        named = {one for key in listed for one in _outwards(key)}
        missed = [pattern for pattern, glob in zip(self.patterns, self._globs, strict=True) if not any(map(glob.fullmatch, named))]
        return [(pattern, sorted(listed, key=lambda key: -_likeness(pattern, key))[:NAMED]) for pattern in missed]


def _outwards(key: str) -> list[str]:
    """A step's key, and the keys that its namespaces may be."""
    parts = key.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _likeness(pattern: str, key: str) -> float:
    return SequenceMatcher(None, pattern.replace("*", ""), key).ratio()

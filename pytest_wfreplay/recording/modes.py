"""The modes, from narrow to wide, as one table: what each does when there is a cassette and when there is none.

| mode    | there is a cassette | there is none |
|---------|---------------------|---------------|
| none    | replay              | refuse        |
| once    | replay              | record        |
| rewrite | record              | record        |
| live    | live                | live          |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from pytest_wfreplay.errors import ConfigurationError

Act: TypeAlias = Literal["replay", "record", "live", "refuse"]


@dataclass(frozen=True, slots=True)
class Mode:
    """One row of the table."""

    name: str
    with_cassette: Act
    without_cassette: Act

    def act_in_shared(self) -> Literal["replay", "record", "live"]:
        """What to do with a test that has no runs of its own in a cassette that it shares: record them, or replay those of the others."""
        return "replay" if self.without_cassette == "refuse" else self.without_cassette

    def act(self, *, is_there: bool) -> Act:
        """What to do with a test."""
        return self.with_cassette if is_there else self.without_cassette


#: Narrow to wide: whoever may only narrow may only go up in this list.
MODES: tuple[Mode, ...] = (
    Mode("none", "replay", "refuse"),
    Mode("once", "replay", "record"),
    Mode("rewrite", "record", "record"),
    Mode("live", "live", "live"),
)

_BY_NAME = {mode.name: mode for mode in MODES}


def mode_named(name: str) -> Mode:
    """The mode of a name.

    Raises:
        ConfigurationError: there is no such mode; the message lists those there are.
    """
    if name not in _BY_NAME:
        raise ConfigurationError(f"{name!r} is not a mode.", hint=f"Choose one of {', '.join(_BY_NAME)}.")
    return _BY_NAME[name]


def narrower(one: Mode, other: Mode) -> Mode:
    """The narrower of two modes."""
    return min(one, other, key=MODES.index)

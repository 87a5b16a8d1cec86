"""The modes, from narrow to wide, as one table: what each does when there is a cassette and when there is none.

| mode         | there is a cassette | there is none |
|--------------|---------------------|---------------|
| none         | replay              | refuse        |
| verify       | verify              | refuse        |
| accept       | accept              | refuse        |
| once         | replay              | record        |
| new_episodes | extend              | record        |
| rewrite      | record              | record        |
| live         | live                | live          |

And what is done:

| act    | reads the cassette | goes live      | writes | in short                                                              |
|--------|--------------------|----------------|--------|-----------------------------------------------------------------------|
| replay | yes                | no             | no     | the recorded run again, and nothing else                              |
| verify | yes                | yes            | no     | a live run, held against the recorded one                             |
| accept | yes                | no             | yes    | the recorded replies; this run's trace, state and outcome             |
| extend | yes                | what is new    | yes    | what is known is replayed, the rest is done and kept                  |
| redo   | yes                | what is picked | yes    | what is picked is done again, all else is replayed (`--wfreplay-only`) |
| record | no                 | yes            | yes    | everything is done and kept                                           |
| live   | no                 | yes            | no     | everything is done, nothing is kept                                   |
| refuse | no                 | no             | no     | there is nothing to replay                                            |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from pytest_wfreplay.errors import ConfigurationError

Act: TypeAlias = Literal["replay", "verify", "accept", "extend", "redo", "record", "live", "refuse"]

#: The acts that need the cassette, that may do work, and that write the cassette when the test has passed.
READS: frozenset[Act] = frozenset({"replay", "verify", "accept", "extend", "redo"})
WORKS: frozenset[Act] = frozenset({"verify", "extend", "redo", "record", "live"})
WRITES: frozenset[Act] = frozenset({"accept", "extend", "redo", "record"})


@dataclass(frozen=True, slots=True)
class Mode:
    """One row of the table."""

    name: str
    with_cassette: Act
    without_cassette: Act

    def act(self, *, is_there: bool) -> Act:
        """What to do with a test."""
        return self.with_cassette if is_there else self.without_cassette

    def act_in_shared(self) -> Act:
        """What to do with a test that has no runs of its own in a cassette that it shares: record them, or be content with those of the others.

        Those are not its own to change: it replays them, or verifies them.
        """
        if self.without_cassette != "refuse":
            return self.without_cassette
        return "verify" if self.with_cassette == "verify" else "replay"


#: Narrow to wide: whoever may only narrow may only go up in this list.
MODES: tuple[Mode, ...] = (
    Mode("none", "replay", "refuse"),
    Mode("verify", "verify", "refuse"),
    Mode("accept", "accept", "refuse"),
    Mode("once", "replay", "record"),
    Mode("new_episodes", "extend", "record"),
    Mode("rewrite", "record", "record"),
    Mode("live", "live", "live"),
)

#: What becomes of a mode where only some steps are picked (`--wfreplay-only`): without a cassette there is none to keep the others of.
PICKING: dict[str, Mode] = {"new_episodes": Mode("new_episodes", "extend", "record"), "rewrite": Mode("rewrite", "redo", "refuse")}

_BY_NAME = {mode.name: mode for mode in MODES}
_WIDTHS = {mode.name: width for width, mode in enumerate(MODES)}


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
    return min(one, other, key=lambda mode: _WIDTHS[mode.name])

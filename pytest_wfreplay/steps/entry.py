"""What a journal remembers of one step: its key, what it was given and what came of it, all of it JSON."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pytest_wfreplay.jsonable import JSON


class Absent(enum.Enum):
    """The word for "nothing was stored here", where None is a value like any other."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Returned:
    """It ended well, with this value."""

    value: object = None


@dataclass(frozen=True, slots=True)
class Raised:
    """It failed: with an exception where a run ended, with the JSON that describes one in an entry."""

    error: object


Outcome: TypeAlias = Returned | Raised


@dataclass(frozen=True, slots=True)
class Entry:
    """One remembered step.

    `input` and the value or error of `outcome` are JSON, typed values tagged (see `typed`); an error is
    `{"type", "message", "module"?, "args"?, "members"?, "attributes"?, "notes"?, "cause"?}`. `outcome` is None when the step began and was
    cancelled. `started_at` and `ended_at` are ISO-8601 UTC or None. An entry whose input is `ABSENT` matches any input.
    """

    key: str
    input: JSON | Absent
    outcome: Outcome | None
    attempts: int = 1
    started_at: str | None = None
    ended_at: str | None = None


def error_of(outcome: Outcome | None) -> Mapping[str, JSON] | None:
    """The JSON that describes the error of an entry's outcome, or None when it did not fail."""
    if isinstance(outcome, Raised) and isinstance(outcome.error, Mapping):
        return outcome.error
    return None

"""What tests noticed of changes in what they replay: `--wfreplay-mutate`. A test that notices none asserts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_wfreplay.plugin.aids import MUTATE

if TYPE_CHECKING:
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.plugin.ledger import Told

#: So many changes are tried on one test.
MOST = 20

#: So many of them are named in a line.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Noticed:
    """How many changes were tried on a test, and which it did not notice. `has_more`: there would have been more than MOST."""

    changes: int
    unnoticed: tuple[str, ...] = ()
    has_more: bool = False

    @property
    def count(self) -> int:
        """How many it noticed."""
        return self.changes - len(self.unnoticed)

    @property
    def asserts_nothing(self) -> bool:
        """Whether there was something to notice and nothing was noticed."""
        return self.changes > 0 and self.count == 0

    def as_json(self) -> dict[str, JSON]:
        """As a report carries it."""
        return {"changes": self.changes, "unnoticed": list(self.unnoticed), "has_more": self.has_more}

    @classmethod
    def of(cls, carried: Mapping[str, Any]) -> Noticed:
        """What `as_json` spelled."""
        return cls(carried["changes"], tuple(carried["unnoticed"]), carried["has_more"])


def noticed_by(tests: Sequence[Told]) -> dict[str, Noticed]:
    """What each test that was tried noticed."""
    return {test.nodeid: Noticed.of(test.facts[MUTATE]) for test in tests if MUTATE in test.facts}


def told(noticed: Mapping[str, Noticed], *, is_verbose: bool) -> Iterator[str]:
    """What people read of it."""
    changes, count = sum(one.changes for one in noticed.values()), sum(one.count for one in noticed.values())
    yield f"wfreplay: {_number(len(noticed), 'test')} mutated, {_number(changes, 'change')}, {count} noticed"
    for nodeid, one in noticed.items():
        if one.asserts_nothing:
            yield f"  asserts nothing: {nodeid} ({_counted(one, is_verbose=is_verbose)})"
    for nodeid, one in noticed.items() if is_verbose else ():
        if one.unnoticed and not one.asserts_nothing:
            yield f"  partly unnoticed: {nodeid} ({_counted(one, is_verbose=True)})"
    cut = sum(one.has_more for one in noticed.values())
    if cut:
        yield f"  {_number(cut, 'test')} could be changed in more than {MOST} ways; the first {MOST} of each were tried"


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _counted(one: Noticed, *, is_verbose: bool) -> str:
    names = one.unnoticed if is_verbose else one.unnoticed[:_NAMED]
    more = ", …" if len(names) < len(one.unnoticed) else ""
    return f"{one.count} of {_number(one.changes, 'change')} noticed; unnoticed: {', '.join(names)}{more}"

"""How strictly a run must equal its recording, and what of it is not looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import JSON, canonical, is_plainly
from pytest_wfreplay.recording.ignoring import Ignoring
from pytest_wfreplay.steps.entry import Absent

Strictness: TypeAlias = Literal["strict", "inputs", "keys"]


@dataclass(frozen=True, slots=True)
class Strict:
    """What one strictness looks at, besides keys and leftovers."""

    inputs: bool = True
    outcome: bool = True
    trace: bool = True
    state: bool = True


STRICTNESSES: dict[str, Strict] = {
    "strict": Strict(),
    "inputs": Strict(trace=False, state=False),
    "keys": Strict(inputs=False, outcome=False, trace=False, state=False),
}


def _unchanged(value: JSON) -> JSON:
    return value


@dataclass(slots=True)
class Matching:
    """`match` says how strictly, `ignoring` what is left out, `clean` takes secrets out of this run's side before anything is compared.

    Not frozen: a test may leave more out while it runs.
    """

    match: Strictness = "strict"
    ignoring: Ignoring = field(default_factory=Ignoring)
    clean: Callable[[JSON], JSON] = _unchanged

    def __post_init__(self) -> None:
        if self.match not in get_args(Strictness):
            raise ConfigurationError(f"match is one of {', '.join(get_args(Strictness))}, not {self.match!r}.")

    @property
    def looks_at(self) -> Strict:
        """What is compared."""
        return STRICTNESSES[self.match]

    def agree(self, recorded: JSON | Absent, current: JSON | Absent, without: Callable[[JSON], JSON]) -> bool:
        """Whether two values are equal: as they are, else without secrets and without what `without` leaves out."""
        if isinstance(recorded, Absent) or isinstance(current, Absent):
            return recorded is current
        if is_plainly(current, recorded):
            return True
        spelled = canonical(recorded)
        if spelled == canonical(current):
            return True
        return canonical(without(recorded)) == canonical(without(self.clean(current)))

"""Gates: bounds that a session must keep to, and how it kept to them. A value that equals its bound passes.

1. A gate only ever adds a failure: a session in which a test failed fails, whatever its pass rate.
2. Each test counts once, the last time it was run. In replay its numbers are the recorded ones.
3. A gate that had nothing to measure passes, and says so; so does one that could not measure everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from pytest_wfreplay.plugin.ledger import Told

#: How many tests a line names.
NAMED = 3

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Gate:
    """A bound as it was asked for: `text` is how the user spelled it."""

    option: str
    bound: Decimal
    text: str

    @property
    def name(self) -> str:
        """The gate as people know it: `--wfreplay-max-tokens=1000`."""
        return f"{self.option}={self.text}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a session kept to a gate: `passed`, `failed` or `unmeasured`. `value` is what was measured, `tests` whose fault or share it is."""

    gate: Gate
    verdict: str
    found: str
    value: Decimal | None = None
    tests: tuple[tuple[str, Decimal | None], ...] = ()
    #: What was not measured.
    note: str = ""

    @property
    def is_remarkable(self) -> bool:
        """Whether people who want to hear little want to hear of it."""
        return self.verdict != "passed" or bool(self.note)

    def line(self, *, named: int = NAMED) -> str:
        """What people read of it."""
        how = "passed, and proves nothing" if self.verdict == "unmeasured" else self.verdict
        shown = [nodeid if value is None else f"{nodeid} {plainly(value)}" for nodeid, value in self.tests[:named]]
        more = ["…"] if len(self.tests) > named else []
        whose = f" ({', '.join(shown + more)})" if shown else ""
        note = f"; {self.note}" if self.note else ""
        return f"wfreplay: gate {self.gate.name} {how}: {self.found}{whose}{note}"


def gates_asked(config: pytest.Config) -> tuple[Gate, ...]:
    """The gates of a session.

    Raises:
        pytest.UsageError: a bound cannot be meant.
    """
    return tuple(_gate(option, str(text)) for option in JUDGES if (text := config.getoption(option.removeprefix("--").replace("-", "_"))) is not None)


def judged(gates: Sequence[Gate], tests: Sequence[Told]) -> list[Verdict]:
    """How a session with these tests kept to its gates."""
    return [JUDGES[gate.option](gate, tests) for gate in gates]


def plainly(value: Decimal) -> str:
    """A number as people write it: `1000`, `0.05`."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _gate(option: str, text: str) -> Gate:
    if not _NUMBER.fullmatch(text.strip()):
        raise pytest.UsageError(f"{option} is a number from 0, not {text!r}.")
    bound = Decimal(text.strip())
    if option == RATE and bound > 1:
        raise pytest.UsageError(f"{option} is a number from 0 to 1, not {text!r}: 95 of 100 tests are 0.95.")
    if option == TOKENS and bound != bound.to_integral_value():
        raise pytest.UsageError(f"{option} is a whole number of tokens, not {text!r}.")
    return Gate(option, bound, text.strip())


def _rate(gate: Gate, tests: Sequence[Told]) -> Verdict:
    """Of the tests that ran, those that passed. A skipped one did not run; one that fails as expected ran, and did not pass."""
    ran = [test for test in tests if test.result not in ("skipped", "interrupted")]
    if not ran:
        return Verdict(gate, "unmeasured", "no test of ours ran")
    bad = tuple((test.nodeid, None) for test in ran if test.result not in ("passed", "xpassed"))
    passed = len(ran) - len(bad)
    # Not divided: two thirds are not 0.6667.
    holds = passed >= gate.bound * len(ran)
    return Verdict(gate, "passed" if holds else "failed", f"{passed} of {len(ran)} tests passed", Decimal(passed) / len(ran), bad)


def _latency(gate: Gate, tests: Sequence[Told]) -> Verdict:
    took = _told(tests, "latency_ms")
    if not took:
        return Verdict(gate, "unmeasured", _silence(tests) or "no run told how long it took")
    over = tuple(one for one in took if one[1] > gate.bound)
    if over:
        return Verdict(gate, "failed", f"{len(over)} of {len(took)} tests took longer, in ms", took[0][1], over)
    return Verdict(gate, "passed", f"at most {plainly(took[0][1])} ms", took[0][1])


def _cost(gate: Gate, tests: Sequence[Told]) -> Verdict:
    return _sum(gate, tests, "cost_usd", "USD", "cost")


def _tokens(gate: Gate, tests: Sequence[Told]) -> Verdict:
    return _sum(gate, tests, "tokens", "tokens", "tokens")


def _sum(gate: Gate, tests: Sequence[Told], fact: str, unit: str, what: str) -> Verdict:
    took = _told(tests, fact)
    calls = sum(test.facts.get("harness_calls", 0) for test in tests)
    silent = calls - sum(test.facts.get(f"told_{what}", 0) for test in tests)
    if not took:
        return Verdict(gate, "unmeasured", f"no run told its {what}" if calls else _silence(tests) or "no run called a harness")
    whole = sum((value for _, value in took), Decimal(0))
    note = f"{silent} of {calls} harness calls did not tell their {what}" if silent else ""
    if whole > gate.bound:
        return Verdict(gate, "failed", f"{plainly(whole)} {unit}", whole, tuple(took), note)
    return Verdict(gate, "passed", f"{plainly(whole)} {unit}", whole, note=note)


def _silence(tests: Sequence[Told]) -> str:
    """Why nobody could tell anything, if that is why."""
    return "what runs live is not measured" if any(test.outcome == "live" for test in tests) else ""


def _told(tests: Sequence[Told], fact: str) -> list[tuple[str, Decimal]]:
    """The tests that told a fact, the largest first."""
    told = [(test.nodeid, Decimal(repr(value))) for test in tests if (value := test.facts.get(fact)) is not None]
    return sorted(told, key=lambda one: (-one[1], one[0]))


RATE, TOKENS = "--wfreplay-min-pass-rate", "--wfreplay-max-tokens"

#: gate -> who judges it
JUDGES: Final[dict[str, Callable[[Gate, Sequence[Any]], Verdict]]] = {
    RATE: _rate,
    "--wfreplay-max-latency-ms": _latency,
    "--wfreplay-max-cost-usd": _cost,
    TOKENS: _tokens,
}

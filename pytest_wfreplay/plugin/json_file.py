"""What a session came to, as JSON for tools: the text of `--wfreplay-json=FILE`."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pytest_wfreplay.clock import SystemClock, iso

if TYPE_CHECKING:
    from pytest_wfreplay.plugin.ending import Account
    from pytest_wfreplay.plugin.gates import Verdict
    from pytest_wfreplay.plugin.ledger import Told
    from pytest_wfreplay.redact import Redactor

#: The format of the file. It changes when a key goes or means something else, not when one is added.
FORMAT = 1

#: What a test tells besides its name, its result and its outcome; null where nobody told it.
FACTS = (
    *("mode", "act", "cassette", "runs", "steps", "latency_ms"),
    *("harness_calls", "told_tokens", "tokens", "told_cost", "cost_usd"),
)


def json_text(account: Account, redactor: Redactor) -> str:
    """The text of the file. Names, paths and divergences come from outside and are redacted once more; the other words are ours."""
    unused = account.unused
    content = {
        "format": FORMAT,
        "created_at": iso(SystemClock().now()),
        "mode": account.mode,
        "exit_status": account.exit_status,
        "counts": account.counts,
        "gates": [_gate(verdict, redactor) for verdict in account.verdicts],
        "unused": None if unused is None else [redactor.text(path) for path in unused],
        "tests": [_test(test, redactor) for test in account.tests],
    }
    return json.dumps(content, indent=2) + "\n"


def _gate(verdict: Verdict, redactor: Redactor) -> dict[str, Any]:
    return {
        "gate": verdict.gate.option,
        "bound": _number(verdict.gate.bound),
        "verdict": verdict.verdict,
        "value": None if verdict.value is None else _number(verdict.value),
        "found": verdict.found,
        "note": verdict.note,
        "tests": [redactor.text(nodeid) for nodeid, _ in verdict.tests],
    }


def _number(value: Decimal) -> float:
    return int(value) if value == value.to_integral_value() else float(value)


def _test(test: Told, redactor: Redactor) -> dict[str, Any]:
    facts = test.facts
    return {
        "nodeid": redactor.text(test.nodeid),
        "result": test.result,
        "outcome": test.outcome,
        **{name: facts.get(name) for name in FACTS},
        "divergences": redactor.json(facts.get("divergences", [])),
        "report": redactor.json(facts.get("report", [])),
    }

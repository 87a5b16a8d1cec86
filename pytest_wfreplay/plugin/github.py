"""What a session came to, as Markdown for the summary of a step on GitHub.

1. Whatever is not ours is spelled in character references, so that nothing in it can be taken for Markdown or HTML.
2. GitHub takes up to 1 MiB from a whole step and drops all of it when there is more: we never say more than a small part of that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_wfreplay.plugin.ending import Account
    from pytest_wfreplay.plugin.ledger import Told
    from pytest_wfreplay.redact import Redactor

#: How many tests, cassettes and lines of a report are shown, and how long a line may be.
MOST_TESTS, MOST_UNUSED, MOST_LINES, LONGEST = 20, 20, 12, 160

_IN_WORDS = {"passed": "passed", "failed": "**failed**", "unmeasured": "passed, and proves nothing"}


def section(account: Account, redactor: Redactor) -> str:
    """The Markdown: counts, gates, diverged tests with the first lines of their reports, unused cassettes."""
    return "\n".join([*_counts(account), *_gates(account), *_diverged(account, redactor), *_unused(account, redactor), "", ""])


def spelled(text: str) -> str:
    """Text, cut, that is shown as it is, whatever it holds."""
    short = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return re.sub(r"[^\w …,;=/-]|_", lambda found: f"&#{ord(found[0])};", short)


def _counts(account: Account) -> Iterator[str]:
    counts = account.counts
    shown = [f"{counts[name]} {name}" for name in counts if name != "tests" and (counts[name] or name in ("replayed", "recorded", "diverged"))]
    yield "## wfreplay"
    yield ""
    yield f"{counts['tests']} tests in mode {account.mode}: {', '.join(shown)}"


def _gates(account: Account) -> Iterator[str]:
    if account.verdicts:
        yield from ("", "| gate | | found |", "| --- | --- | --- |")
    for verdict in account.verdicts:
        found = f"{verdict.found}; {verdict.note}" if verdict.note else verdict.found
        yield f"| {spelled(verdict.gate.name)} | {_IN_WORDS[verdict.verdict]} | {spelled(found)} |"


def _diverged(account: Account, redactor: Redactor) -> Iterator[str]:
    diverged = [test for test in account.tests if test.outcome == "diverged"]
    if diverged:
        yield from ("", "| diverged | first lines of the report |", "| --- | --- |")
    for test in diverged[:MOST_TESTS]:
        yield f"| {spelled(redactor.text(test.nodeid))} | {_lines(test, redactor)} |"
    yield from _more(diverged, MOST_TESTS, "diverged tests")


def _lines(test: Told, redactor: Redactor) -> str:
    lines = [redactor.text(line) for line in test.facts.get("report", [])]
    shown = [spelled(line) for line in lines[:MOST_LINES]] + (["…"] if len(lines) > MOST_LINES else [])
    return f"<pre>{'<br>'.join(shown)}</pre>"


def _unused(account: Account, redactor: Redactor) -> Iterator[str]:
    unused = account.unused or ()
    if unused:
        yield from ("", f"{len(unused)} unused cassettes:", "")
    yield from (f"- {spelled(redactor.text(path))}" for path in unused[:MOST_UNUSED])
    yield from _more(unused, MOST_UNUSED, "unused cassettes")


def _more(found: Sequence[object], most: int, what: str) -> Iterator[str]:
    if len(found) > most:
        yield from ("", f"… and {len(found) - most} more {what}")

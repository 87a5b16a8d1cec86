"""What a test of ours tells with its reports: what it did, what it took, where it diverged. A report carries it home from a worker of pytest-xdist.

It travels on the report itself: so it comes with every test that ended, though its worker may crash at the next one. From a worker it travels as
ASCII text.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytest_wfreplay.plugin.measures import Measures, measured
from pytest_wfreplay.plugin.runners import is_skip
from pytest_wfreplay.plugin.traceback import divergence_in
from pytest_wfreplay.recording.divergence import report as report_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.plugin.take import Take

#: Where it stands on a report.
ATTRIBUTE = "wfreplay"

#: How long a report of a divergence may be that is told: it may be cut, its beginning is what matters.
_MOST_LINES, _MOST_CHARACTERS = 60, 400


def tell(take: Take, error: BaseException | None) -> dict[str, JSON]:
    """What is told of a test whose call (or, if it does not come to that, set-up) has ended, and put among its user properties, for JUnit."""
    told = _told(take, error)
    properties = take.item.user_properties
    # A test that is run again tells it once, the last time.
    properties[:] = [one for one in properties if not one[0].startswith("wfreplay.")]
    names = ("outcome", "mode", "cassette", "runs", "steps", "latency_ms", "tokens", "cost_usd")
    properties += [(f"wfreplay.{name}", told[name]) for name in names if told[name] is not None]
    return told


def place(take: Take) -> dict[str, JSON]:
    """What is known before a test is called, and all that is known if its worker crashes then."""
    return {"mode": take.mode.name, "act": take.deck.act if take.deck is not None else None, **_cleaned(take, _cassette, {"cassette": None})}


def carry(report: pytest.TestReport, told: dict[str, JSON], *, is_far: bool) -> None:
    """Let a report carry what is told; `is_far` when it is read in another process."""
    setattr(report, ATTRIBUTE, json.dumps(told) if is_far else told)


def _told(take: Take, error: BaseException | None) -> dict[str, JSON]:
    outcome = take.did or ("skipped" if error is not None and is_skip(error) else "failed")
    if take.did is None and error is not None and divergence_in(error) is not None:
        outcome = "diverged"  # a fixture that outlasts the test, with a cassette of its own
    measures = _cleaned(take, _measures, Measures().as_json())
    return {"outcome": outcome, **place(take), **measures, **_cleaned(take, _divergences, {"divergences": [], "report": []})}


def _cleaned(take: Take, what: Callable[[Take], dict[str, JSON]], nothing: dict[str, JSON]) -> dict[str, JSON]:
    """What needs the redactor of a test to be told; nothing where there is nothing to tell, or no way to."""
    if take.deck is None:
        return nothing
    try:
        return what(take)
    except Exception:  # noqa: BLE001 - a redactor of the user's that raises fails its test; it must not end the session, too
        return nothing


def _cassette(take: Take) -> dict[str, JSON]:
    return {"cassette": take.redactor.text(take.shown)}


def _measures(take: Take) -> dict[str, JSON]:
    return measured(take.deck.recordings() if take.deck is not None else []).as_json()


def _divergences(take: Take) -> dict[str, JSON]:
    found = take.deck.divergences if take.deck is not None else []
    if not found:
        return {"divergences": [], "report": []}
    lines = [line[:_MOST_CHARACTERS] for line in report_of(found)]
    return {"divergences": [take.clean(one.as_json()) for one in found], "report": [take.redactor.text(line) for line in lines[:_MOST_LINES]]}

"""What a reactive run gives its caller."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.trace import Trace


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens that all harness calls of a run took and gave."""

    input: int = 0
    output: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """`duration_ms` is milliseconds, in replay the recorded ones; `cost_usd` dollars, as far as harnesses said."""

    duration_ms: float = 0.0
    activations: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    cost_usd: float = 0.0
    harness_calls: int = 0


@dataclass(frozen=True, slots=True)
class RunResult:
    """A reactive run, ended. `state` is of the caller's type and detached; `outputs` hold the last output of each agent that spoke."""

    state: Any
    signals: Trace
    metrics: RunMetrics
    terminated_early: bool = False
    recording_id: str | None = None
    outputs: Mapping[str, JSON] = field(default_factory=dict)
    run_id: str = ""


def attach(result: RunResult, error: BaseException) -> None:
    """Let an error that ends a run carry its result, as `.result`."""
    with suppress(AttributeError, TypeError):  # a class of the user's may have a `result` of its own that cannot be set
        error.result = result  # type: ignore[attr-defined]  # the contract: every error that ends a run has it

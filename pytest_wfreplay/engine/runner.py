"""From a plan to a result: open the journal, run, say how it ended, close, answer. Each function is the next one's caller."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pytest_wfreplay.engine.adapters import Adapters
from pytest_wfreplay.engine.dispatch import Dispatcher
from pytest_wfreplay.engine.result import RunMetrics, RunResult, Tokens, attach
from pytest_wfreplay.errors import DivergenceError, WorkflowTimeoutError
from pytest_wfreplay.steps.failure import briefly, is_from_outside
from pytest_wfreplay.steps.journal import Ending, RunFacts
from pytest_wfreplay.steps.line import Line
from pytest_wfreplay.trace import Trace

if TYPE_CHECKING:
    from pytest_wfreplay.engine.plan import Plan
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.steps.journal import Journal, JournalSource, Status


async def run_plan(plan: Plan, source: JournalSource) -> RunResult:
    """Run a plan with the journal that `source` hands out.

    Raises:
        Exception: what ended the run; `.result` has its state and signals so far.
        DivergenceError: the run is not what was recorded.
    """
    adapters = Adapters(plan.adapters)
    if source.works:
        plan.require_harnesses()
    else:
        plan = plan.without_harnesses()
    journal = await source.open(RunFacts(plan.workflow, plan.state.json(), plan.harness_types()))
    line = Line(journal, source=source.inner)
    run = Dispatcher(plan, line, adapters)
    try:
        status, error = await _live(run, journal, adapters)
    finally:
        await adapters.stop()
    result = _result(run, line, journal)
    ending = Ending(status, plan.state.json(), error=None if error is None else briefly(error), duration_ms=result.metrics.duration_ms)
    return await _answer(journal, ending, result, error)


async def _live(run: Dispatcher, journal: Journal, adapters: Adapters) -> tuple[Status, BaseException | None]:
    """Run to the end, whichever it is: how it ended, and with which error."""
    try:
        await adapters.start()
        await _until_interrupted(run, journal)
    except asyncio.CancelledError as error:
        await run.close("workflow:cancelled", {})
        return "cancelled", error
    except WorkflowTimeoutError as error:
        await run.close("workflow:timeout", {"timeout": error.timeout})
        return "timeout", error
    except BaseException as error:  # noqa: BLE001 - it is raised again when the journal is closed
        await run.close("workflow:failed", {"error": briefly(error)})
        return "failed", error
    return "completed", None


async def _until_interrupted(run: Dispatcher, journal: Journal) -> None:
    """Run until it ends by itself or is ended from outside.

    Raises:
        WorkflowTimeoutError, asyncio.CancelledError: it was.
    """
    timeout = run.plan.timeout
    living = asyncio.create_task(run.live(), name=f"{run.plan.workflow}:run")
    watch = asyncio.create_task(journal.interruption(timeout), name=f"{run.plan.workflow}:watch")
    try:
        await asyncio.wait({living, watch}, return_when=asyncio.FIRST_COMPLETED)
        if living.done():
            return living.result()
        interruption = watch.result()
        if isinstance(interruption, BaseException):
            raise interruption
        elapsed = journal.duration_ms() / 1000
        raise WorkflowTimeoutError(elapsed if timeout is None else timeout, elapsed)
    finally:
        for task in (living, watch):
            task.cancel()
        await asyncio.gather(living, watch, return_exceptions=True)


async def _answer(journal: Journal, ending: Ending, result: RunResult, error: BaseException | None) -> RunResult:
    """Close the journal, then give the result or raise the one error with which the run ended."""
    try:
        await journal.end(ending)
    except DivergenceError as divergence:
        divergence.result = result
        if error is None or not (isinstance(error, DivergenceError) or is_from_outside(error)):
            raise divergence from error
    if error is not None:
        attach(result, error)
        raise error
    return result


def _result(run: Dispatcher, line: Line, journal: Journal) -> RunResult:
    taken, given, total = (sum(one[part] for one in run.usages) for part in range(3))
    metrics = RunMetrics(
        duration_ms=journal.duration_ms(),
        activations=run.activations,
        tokens=Tokens(int(taken), int(given), int(total)),
        cost_usd=sum(one[3] for one in run.usages),
        harness_calls=run.harness_calls,
    )
    outputs: dict[str, JSON] = dict(run.outputs)
    return RunResult(
        state=run.plan.state.result(),
        signals=Trace(line.signals),
        metrics=metrics,
        terminated_early=run.is_terminating,
        recording_id=journal.recording_id,
        outputs=outputs,
        run_id=run.plan.run_id,
    )

"""What taking secrets out costs while recording, as a multiple of recording with nothing taken out; run `python tests/benchmarks redact`.

A run of steps and a run of agents, each about 10 MB as a cassette, are recorded as a test records them: taken in by the recorder, told to the
partial file, spelled and written, once with a redactor that knows four secrets, once without any.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pytest_wfreplay.deck import Deck, Treatment
from pytest_wfreplay.engine.workflow import create_workflow
from pytest_wfreplay.harnesses.scripted import ScriptedHarness
from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.recording.matching import Matching
from pytest_wfreplay.redact import Redactor
from pytest_wfreplay.steps.scope import entered
from pytest_wfreplay.steps.step import step
from pytest_wfreplay.stores.cassette_file import CassetteFile

BOUND = 1.5
ROUNDS = 3
SAID = "I understand that you would like your money back for the order which arrived late, and I have started the refund now. "
KNOWN = frozenset(f"{name}-{'4711' * 4}" for name in ("database", "service", "payment", "mailing"))


def rows(start: int, count: int) -> list[JSON]:
    """What a step of a user's gives: records with many short fields."""
    return [
        {"id": at, "name": f"customer {at}", "mail": f"customer{at}@example.org", "paid": at % 2 == 0, "note": SAID[: at % 100], "tags": ["a", "b"]}
        for at in range(start, start + count)
    ]


def steps() -> None:
    """Steps with long texts and with many short ones."""
    for at in range(40):
        step.run("read-page", lambda given: f"page {given['page']}. " + SAID * 700, input={"page": at})
        step.run("read-rows", lambda given: rows(given["page"] * 150, 150), input={"page": at})


def agents() -> None:
    """Agents that stream what they say, in small pieces."""
    flow = create_workflow("talk")
    names = [f"agent{at}" for at in range(60)]
    declared = {name: flow.agent(prompt="Be kind.", message=SAID * 20, activate_on=["workflow:start"]) for name in names}
    replies: dict[str, object] = {name: [f"I am {name}. " + SAID * 200] for name in names}
    harness = ScriptedHarness(replies)  # type: ignore[arg-type]  # a dict of lists of replies
    asyncio.run(flow.run_reactive(agents=declared, state={"ticket": SAID * 10}, harness=harness))


def seconds(run: Callable[[], None], redactor: Redactor | None, folder: Path) -> tuple[float, int]:
    """How long one recording takes, and the size of its cassette."""
    gc.collect()
    begun = time.perf_counter()
    file = CassetteFile(folder / "bench.yaml", leak=None if redactor is None else redactor.leaked_at)
    partial = file.partial()
    matching = Matching() if redactor is None else Matching(clean=redactor.json)
    deck = Deck("record", Treatment(matching=matching, feed=None if partial is None else partial.begin))
    with entered(deck.scope):
        run()
    deck.close()
    file.write(deck.cassette())
    took = time.perf_counter() - begun
    size = file.path.stat().st_size
    file.delete()
    return took, size


def main() -> int:
    """Print a line a figure; 1 when a promise is broken."""
    is_broken = False
    with tempfile.TemporaryDirectory() as folder:
        for run in (steps, agents):
            ratios = []
            size = 0
            for _ in range(ROUNDS):
                off, size = seconds(run, None, Path(folder))
                on, _ = seconds(run, Redactor(KNOWN), Path(folder))
                ratios.append(on / off)
            ratio = sorted(ratios)[ROUNDS // 2]
            is_broken |= ratio > BOUND
            print(f"recording {size / 1e6:.1f} MB of {run.__name__}: with secrets taken out {ratio:.2f}x as long as without (promised {BOUND}x)")
    return int(is_broken)


if __name__ == "__main__":
    sys.exit(main())

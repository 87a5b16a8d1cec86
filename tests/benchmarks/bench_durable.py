"""What a durable step costs in SQLite, in bare inserts of the same process and beside DBOS; run `python tests/benchmarks durable`.

By the processor's time, the best of many series: how long a disk takes to sync is the same for all, and nobody's merit. DBOS is measured inside
its workflow, without what it does around it; of ours the reading of what was kept counts, too. It is `pip install dbos`; without it nothing that
is said of it counts as kept.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from pytest_wfreplay import Entry, ResumeState, Returned, durable, step
from pytest_wfreplay import sqlite as sqlite_store

BARE, REPLAY, BESIDE, GROWTH = 2.0, 20.0, 10.0, 1.3
STEPS, ROUNDS, DBOS_STEPS, DBOS_ROUNDS = 1000, 12, 200, 5
GIVEN, VALUE = {"user_id": 7}, {"id": 7, "name": "Ada"}
AT = "2026-11-20T10:00:00.000Z"
OWNER = "0b5f8f0e-6f0a-4a43-9d6c-2c8f2a4c7a11@machine4026531836:12345:1f2e3d4c.123456"
PRAGMAS = ("page_size = 1024", "journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 16384")
TABLE = """
    CREATE TABLE steps (position INTEGER PRIMARY KEY, run_id TEXT NOT NULL, step_key TEXT NOT NULL, is_final BIGINT NOT NULL,
    updated_at BIGINT NOT NULL, attempts BIGINT NOT NULL, started_at TEXT, ended_at TEXT, owner TEXT, input TEXT, outcome TEXT,
    UNIQUE (run_id, step_key))
"""
INSERT = """
    INSERT INTO steps (run_id, step_key, is_final, updated_at, attempts, started_at, ended_at, owner, input, outcome)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_numbers = count()


def load(given: dict[str, int]) -> dict[str, Any]:
    """What the step does: next to nothing."""
    return VALUE


def bare(path: Path) -> Callable[[], float]:
    """The unit: one row like ours, one commit, with the index that finds a step again and the settings that our files have."""
    connection = sqlite3.connect(path)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(TABLE)

    def series() -> float:
        began = time.process_time()
        for _ in range(STEPS):
            key = f"load-user#{next(_numbers)}"
            connection.execute(INSERT, ("run", key, 1, 1_790_000_000_000_000, 1, AT, AT, OWNER, json.dumps(GIVEN), json.dumps(VALUE)))
            connection.commit()
        return (time.process_time() - began) / STEPS

    return series


def executed(store: Any, name: str) -> float:
    """Seconds that a step takes the first time."""
    with durable(name, store):
        began = time.process_time()
        for _ in range(STEPS):
            step.run("load-user", load, input=GIVEN)
        return (time.process_time() - began) / STEPS


def replayed(store: Any, name: str) -> float:
    """Seconds that a step takes which was done before, those included in which the run is found."""
    began = time.process_time()
    with durable(name, store):
        for _ in range(STEPS):
            step.run("load-user", load, input=GIVEN)
    return (time.process_time() - began) / STEPS


def added(store: Any) -> float:
    """Seconds that one more step takes in a run of some length."""
    with durable("long", store):
        began = time.process_time()
        for _ in range(STEPS // 10):
            step.run(f"new-{next(_numbers)}", load, input=GIVEN)
        return (time.process_time() - began) / (STEPS // 10)


def long(store: Any, length: int) -> None:
    """A run of so many steps."""
    steps = {f"long/old-{at}": Entry(f"long/old-{at}", GIVEN, Returned(VALUE)) for at in range(length)}
    asyncio.run(store.snapshots.save("long", ResumeState(steps)))


def beside_dbos(folder: str) -> tuple[float, float] | None:
    """Seconds that DBOS takes for a step the first time and again, on SQLite as it sets it up; None where it is not installed."""
    if importlib.util.find_spec("dbos") is None:
        return None
    from dbos import DBOS, SetWorkflowID

    config = {"name": "bench", "system_database_url": f"sqlite:///{folder}/dbos.sqlite", "log_level": "ERROR", "run_admin_server": False}
    DBOS(config=config)  # type: ignore[arg-type]  # its own shape of a dict
    their_load = DBOS.step()(load)
    took = []

    @DBOS.workflow()
    def flow() -> None:
        began = time.process_time()
        for _ in range(DBOS_STEPS):
            their_load(GIVEN)
        took.append((time.process_time() - began) / DBOS_STEPS)

    DBOS.launch()
    for number in range(DBOS_ROUNDS):
        with SetWorkflowID(f"run-{number}"):
            flow()
    first = min(took)
    took.clear()
    for number in range(DBOS_ROUNDS):
        DBOS.fork_workflow(f"run-{number}", DBOS_STEPS + 1).get_result()
    DBOS.destroy()
    return first, min(took)


def at_least(what: str, ratio: float, bound: float) -> bool:
    """Print a figure that has to be great; whether it keeps its promise."""
    print(f"{what}: {ratio:.1f} (promised {bound:g}): {'meets' if ratio >= bound else 'misses'}")
    return ratio >= bound


def at_most(what: str, ratio: float, bound: float) -> bool:
    """Print a figure that has to be small; whether it keeps its promise."""
    print(f"{what}: {ratio:.2f} (promised {bound:g}): {'meets' if ratio <= bound else 'misses'}")
    return ratio <= bound


def main() -> int:
    """Print a line a figure; 1 when a promise is broken."""
    with tempfile.TemporaryDirectory() as folder:
        stores = {name: sqlite_store(Path(folder, f"{name}.db")) for name in ("ours", "few", "many")}
        long(stores["few"], 10)
        long(stores["many"], 100_000)
        insert = bare(Path(folder, "bare.db"))
        rounds = [
            (insert(), executed(stores["ours"], f"run-{at}"), replayed(stores["ours"], f"run-{at}"), added(stores["few"]), added(stores["many"]))
            for at in range(ROUNDS)
        ]
        unit, first, again, few, many = map(min, zip(*rounds, strict=True))
        print(f"a bare insert {unit * 1e6:.1f} µs, a step {first * 1e6:.1f} µs, and when it was done before {again * 1e6:.1f} µs")
        kept = [
            at_most("a step, kept before and after its work, in bare inserts with a commit each", first / unit, BARE),
            at_least(f"how much faster {STEPS} steps are replayed than done", first / again, REPLAY),
            at_most("a step beside 100,000 stored ones, in those beside 10", many / few, GROWTH),
        ]
        theirs = beside_dbos(folder)
        if theirs is None:
            print("beside DBOS: not measured, because dbos is not installed: pip install dbos")
            kept.append(False)
        else:
            kept.append(at_least("steps done in the time of one of DBOS", theirs[0] / first, BESIDE))
            kept.append(at_least("steps replayed in the time of one of DBOS", theirs[1] / again, BESIDE))
        for store in stores.values():
            asyncio.run(store.close())
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())

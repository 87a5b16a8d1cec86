"""What an append to a store of snapshots costs, in bare inserts of the same process; run `python tests/benchmarks stores`.

By the processor's time, the best of many series: how long a disk takes to sync is the same for both, and nobody's merit.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from pytest_wfreplay.steps.entry import Entry, Returned
from pytest_wfreplay.steps.resume import ResumeState
from pytest_wfreplay.stores.open import sqlite

APPEND, STEP, GROWTH = 1.5, 2.5, 1.3
SERIES, ROUNDS = 500, 20
GIVEN, VALUE = {"user_id": 7}, {"id": 7, "name": "Ada", "tags": ["a", "b", "c"]}
AT = "2026-11-20T10:00:00.000Z"
_numbers = count()


def bare(path: Path) -> Callable[[], None]:
    """The unit: one row, one commit, with the index that finds a step again."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE steps (run TEXT, key TEXT, occurrence INTEGER, input TEXT, result TEXT, UNIQUE (run, key, occurrence))")

    def insert() -> None:
        row = ("run", f"load-user/{next(_numbers)}", 1, json.dumps(GIVEN), json.dumps(VALUE))
        connection.execute("INSERT INTO steps VALUES (?, ?, ?, ?, ?)", row)
        connection.commit()

    return insert


def appended(store: Any, *, marked: bool) -> Callable[[], None]:
    """One step: what it gave, and before that, where it is to be seen when it never ends, that it began."""

    def append() -> None:
        key = f"load-user/{next(_numbers)}"
        if marked:
            store.append_now("run", Entry(key, GIVEN, None, started_at=AT), owner="host:1")
        store.append_now("run", Entry(key, GIVEN, Returned(VALUE), started_at=AT, ended_at=AT), owner="host:1")

    return append


def costs(*kinds: Callable[[], None]) -> list[float]:
    """Seconds that each kind takes, the series of all in turn, so that what else the machine does is everybody's."""
    best = [float("inf")] * len(kinds)
    for _ in range(ROUNDS):
        for at, kind in enumerate(kinds):
            began = time.process_time()
            for _ in range(SERIES):
                kind()
            best[at] = min(best[at], (time.process_time() - began) / SERIES)
    return best


def told(what: str, ratio: float, bound: float) -> bool:
    """Print a figure; whether it keeps its promise."""
    print(f"{what}: {ratio:.2f} (promised {bound}): {'meets' if ratio <= bound else 'misses'}")
    return ratio <= bound


def main() -> int:
    """Print a line a figure; 1 when a promise is broken."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = (sqlite(Path(folder, name)).snapshots for name in ("few.db", "many.db"))
        asyncio.run(many.save("run", ResumeState({f"old/{at}": Entry(f"old/{at}", GIVEN, Returned(VALUE)) for at in range(100_000)})))
        unit, append, step, grown = costs(
            bare(Path(folder, "bare.db")), appended(few, marked=False), appended(few, marked=True), appended(many, marked=False)
        )
        kept = [
            told("one append, in bare inserts with a commit each", append / unit, APPEND),
            told("a step that is marked and then kept, in bare inserts", step / unit, STEP),
            told("one append beside 100,000 stored steps, in those beside few", grown / append, GROWTH),
        ]
        for store in (few, many):
            asyncio.run(store.close())
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())

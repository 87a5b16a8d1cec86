"""SQLite as a driver: files that are not ours, disks and folders that refuse, other processes, threads and forks; what an append costs."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_wfreplay.errors import StoreError, StoreUnavailable
from pytest_wfreplay.steps.entry import Entry, Returned
from pytest_wfreplay.steps.resume import ResumeState
from pytest_wfreplay.steps.spelled import Spelled
from pytest_wfreplay.stores.open import sqlite
from pytest_wfreplay.stores.sql import Query
from pytest_wfreplay.stores.sql_snapshot_store import DirectSqlSnapshotStore
from pytest_wfreplay.stores.sql_snapshots import SCHEMA
from pytest_wfreplay.stores.sqlite import SqliteDriver

RACER = """
import sys
from pytest_wfreplay import Entry, Returned, sqlite
store = sqlite(sys.argv[1]).snapshots
sys.stdin.readline()
stood = [store.append_now("run", Entry(f"k{step}", step, Returned(sys.argv[2]))).outcome.value for step in range(100)]
print(" ".join(stood))
"""
HOLDER = """
import sys
from pytest_wfreplay import Entry, LeaseLost, Returned, sqlite
store = sqlite(sys.argv[1]).snapshots
sys.stdin.readline()
kept = refused = 0
for step in range(200):
    lease = store.acquire_now("run", sys.argv[2], ttl=0.002)
    if lease is None:
        continue
    try:
        store.append_now("run", Entry(f"{lease.token}/{step}", 1, Returned(1)), lease.token, sys.argv[2])
        kept += 1
    except LeaseLost:
        refused += 1
print(kept, refused)
"""

WRITER = """
import sys
from pytest_wfreplay import Entry, Returned, sqlite
store = sqlite(sys.argv[1]).snapshots
start = sum(record.entry.outcome is not None for record in store.records_now("run"))  # one that began and never ended is done again
for step in range(start, start + 100_000):
    store.append_now("run", Entry(f"k{step}", step, None))
    store.append_now("run", Entry(f"k{step}", step, Returned("x" * (step % 3000))))
    print(step, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "state.db"


@pytest.fixture
def store(path: Path) -> Any:
    opened: Any = sqlite(path).snapshots
    yield opened
    opened.close_now()


def step(key: str, value: Any = 1) -> Entry:
    return Entry(key, {"a": 1}, Returned(value))


def test_nothing_is_made_before_it_is_needed(store: Any, path: Path) -> None:
    assert not path.parent.exists()
    store.append_now("run", step("a"))
    assert path.is_file()


def test_what_was_appended_is_there_for_the_next_process(store: Any, path: Path) -> None:
    store.append_now("run", step("a"))
    code = "import sys; from pytest_wfreplay import sqlite; print(sqlite(sys.argv[1]).snapshots.entry_now('run', 'a').outcome.value)"
    assert subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout == "1\n"


def _not_a_database(path: Path) -> None:
    path.write_text("dear diary,\n" * 1000)


def _damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * (path.stat().st_size - 100))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE wfreplay_schema_version SET version = 99")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_not_a_database, "is not a SQLite database"),
        (_damaged, "is a damaged SQLite database"),
        (_cut, "is a damaged SQLite database"),
        (_newer, "have version 99; 1 is the newest"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_untouched(path: Path, spoil: Callable[[Path], None], said: str) -> None:
    first: Any = sqlite(path).snapshots
    for number in range(200):
        first.append_now("run", step(f"k{number}"))
    first.close_now()
    spoil(path)
    before = path.read_bytes()
    store: Any = sqlite(path).snapshots
    for ask in (lambda: store.append_now("run", step("a")), lambda: store.records_now("run"), lambda: asyncio.run(store.load("run"))):
        with pytest.raises(StoreError, match=said) as refused:
            ask()
        assert refused.value.hint
    store.close_now()
    assert path.read_bytes() == before


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        sqlite(tmp_path).snapshots.append_now("run", step("a"))  # type: ignore[attr-defined]


def test_a_path_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"The folder of .* cannot be made"):
        sqlite(tmp_path / "file" / "state.db").snapshots.append_now("run", step("a"))  # type: ignore[attr-defined]


def test_a_database_that_may_not_grow_says_so_and_keeps_what_it_has(path: Path) -> None:
    driver = SqliteDriver(path, [SCHEMA])
    store = DirectSqlSnapshotStore(driver)
    store.append_now("run", step("a"))
    driver._writing().execute("PRAGMA max_page_count = 40")
    with pytest.raises(StoreError, match="the disk is full") as full:
        store.append_now("run", step("b", "x" * 100_000))
    assert "Make room" in full.value.hint
    assert isinstance(full.value.__cause__, sqlite3.Error)
    store.append_now("run", step("c"))
    assert [record.entry.key for record in store.records_now("run")] == ["a", "c"]
    store.close_now()


def test_a_database_that_may_not_be_written_says_so(path: Path) -> None:
    driver = SqliteDriver(path, [SCHEMA])
    store = DirectSqlSnapshotStore(driver)
    store.append_now("run", step("a"))
    driver._writing().execute("PRAGMA query_only = 1")
    with pytest.raises(StoreError, match="may not be written"):
        store.append_now("run", step("b"))
    store.close_now()


def test_a_closed_store_says_so(store: Any) -> None:
    store.append_now("run", step("a"))
    store.close_now()
    with pytest.raises(StoreError, match="is closed"):
        store.append_now("run", step("a"))


def test_somebody_elses_tables_stay_as_they_are(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (name)")
        connection.execute("INSERT INTO users VALUES ('ada')")
    store: Any = sqlite(path).snapshots
    store.append_now("run", step("a"))
    store.close_now()
    assert connection.execute("SELECT * FROM users").fetchall() == [("ada",)]
    connection.close()


def test_an_operation_that_fails_leaves_nothing_behind(path: Path) -> None:
    driver = SqliteDriver(path, [SCHEMA])
    store = DirectSqlSnapshotStore(driver)
    store.append_now("run", step("a"))
    with pytest.raises(OverflowError):
        driver.run(store._operations.save("run", "{}", [Spelled("b", None, None, 2**70, None, None)]))
    assert [record.entry.key for record in store.records_now("run")] == ["a"]
    store.close_now()


def _raced(code: str, path: Path, names: list[str]) -> list[str]:
    racers = [
        subprocess.Popen([sys.executable, "-c", code, path, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in names
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    ended = [racer.communicate(timeout=60) for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * len(names), [err for _, err in ended]
    return [out for out, _ in ended]


def test_eight_processes_that_race_for_steps_end_with_one_record_and_one_result(store: Any, path: Path) -> None:
    """They make the file at once, too."""
    stood = [out.split() for out in _raced(RACER, path, [f"p{number}" for number in range(8)])]
    records = store.records_now("run")
    assert sorted(record.entry.key for record in records) == sorted(f"k{number}" for number in range(100))
    assert [record.position for record in records] == [*range(1, 101)]
    final = {record.entry.key: record.entry.outcome.value for record in records}
    assert stood == [[final[f"k{number}"] for number in range(100)]] * 8


def test_two_processes_that_take_a_lease_from_each_other_are_kept_apart_by_its_token(store: Any, path: Path) -> None:
    told = [tuple(map(int, out.split())) for out in _raced(HOLDER, path, ["one", "two"])]
    records = store.records_now("run")
    assert len(records) == sum(kept for kept, _ in told)
    owners: dict[str, set[str]] = {}
    for record in records:
        owners.setdefault(record.entry.key.partition("/")[0], set()).add(record.owner)
    assert all(len(owner) == 1 for owner in owners.values()), "a token is one owner's"
    tokens = [int(record.entry.key.partition("/")[0]) for record in records]
    assert tokens == sorted(tokens), "who lost the lease wrote nothing after the one who took it"


def test_a_writer_that_is_killed_loses_nothing_that_it_was_told_is_kept(store: Any, path: Path) -> None:
    acknowledged = -1
    for round_number in range(6):
        with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(20 + 37 * round_number):
                acknowledged = int(writer.stdout.readline())
            writer.kill()
            acknowledged = max([acknowledged, *(int(line) for line in writer.stdout.read().splitlines()[:-1])])
        records = store.records_now("run")
        assert [record.entry.key for record in records] == [f"k{number}" for number in range(len(records))], "in order, none twice"
        assert all(record.entry.outcome == Returned("x" * (number % 3000)) for number, record in enumerate(records[: acknowledged + 1]))
        assert len(records) > acknowledged


def test_a_write_waits_for_another_programs_and_says_when_it_waited_in_vain(path: Path) -> None:
    store = DirectSqlSnapshotStore(SqliteDriver(path, [SCHEMA], timeout=0.2))
    store.append_now("run", step("a"))
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match=r"locked by other writers for 0\.2 s"):
        store.append_now("run", step("b"))
    assert store.entry_now("run", "a") == step("a"), "reading waits for nobody"
    timer = threading.Timer(0.05, lambda: other.execute("ROLLBACK"))
    timer.start()
    store.append_now("run", step("b"))
    timer.join()
    other.close()
    store.close_now()


def test_an_event_loop_goes_on_while_another_program_writes(path: Path) -> None:
    store = DirectSqlSnapshotStore(SqliteDriver(path, [SCHEMA]))

    async def main() -> int:
        await store.append("run", step("a"))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        appending = asyncio.create_task(store.append("run", step("b")))
        turns = 0
        while turns < 20:
            await asyncio.sleep(0.001)
            turns += 1
        assert not appending.done()
        other.execute("ROLLBACK")
        other.close()
        await appending
        return len(await store.records("run"))

    assert asyncio.run(main()) == 2
    store.close_now()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_opens_the_file_for_itself(store: Any, path: Path) -> None:
    code = """
import os, sys
from pytest_wfreplay import Entry, Returned, sqlite
store = sqlite(sys.argv[1]).snapshots
store.append_now("run", Entry("parent", 1, Returned(1)))
child = os.fork()
for step in range(50):
    store.append_now("run", Entry(f"{'parent' if child else 'child'}/{step}", 1, Returned(step)))
if child:
    assert os.waitpid(child, 0)[1] == 0
    print(len(store.records_now("run")))
"""
    ran = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("101\n", "")


def test_memory_is_shared_by_threads_and_by_nobody_else() -> None:
    one: Any = sqlite(":memory:").snapshots
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: one.append_now("run", step(f"k{number}")), range(100)))
    assert len(one.records_now("run")) == 100
    assert sqlite(":memory:").snapshots.records_now("run") == []  # type: ignore[attr-defined]
    one.close_now()


def test_lookups_use_an_index(path: Path) -> None:
    driver = SqliteDriver(path, [SCHEMA])
    store = DirectSqlSnapshotStore(driver)
    store.append_now("run", step("a"))
    for name, parameters in (("entry", 2), ("list", 7), ("held", 2)):
        plan = driver._answer(driver._writing(), Query("EXPLAIN QUERY PLAN " + store._operations._sql[name], ("",) * parameters), waits=True).rows
        steps = " ".join(row[3] for row in plan)
        assert "INDEX" in steps, steps
        assert "TEMP B-TREE" not in steps, steps
    store.close_now()


def test_an_append_costs_the_same_at_10_and_at_100_000_stored_steps(path: Path) -> None:
    """By the processor's time, the best of many short series, so that whatever else the machine does is left out."""
    few: Any = sqlite(path.with_name("few.db")).snapshots
    many: Any = sqlite(path).snapshots
    asyncio.run(many.save("run", ResumeState({f"old/{number}": step(f"old/{number}") for number in range(100_000)})))

    def cost(store: Any, series: str) -> float:
        began = time.process_time()
        for number in range(50):
            store.append_now("run", step(f"{series}/{number}"))
        return time.process_time() - began

    costs = [(cost(few, f"n{series}"), cost(many, f"n{series}")) for series in range(40)]
    ratio = min(large for _, large in costs) / min(small for small, _ in costs)
    assert ratio <= 1.3
    few.close_now()
    many.close_now()

"""One suite for every store of snapshots: each sentence of the contract, asked of each backend, waiting and at once."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_wfreplay.clock import CountingClock, FrozenClock
from pytest_wfreplay.errors import ConfigurationError, LeaseLost, NotJsonError, SnapshotFormatError
from pytest_wfreplay.jsonable import jsonable
from pytest_wfreplay.steps.entry import ABSENT, Entry, Raised, Returned
from pytest_wfreplay.steps.resume import ResumeState, to_snapshot
from pytest_wfreplay.steps.snapshot_form import serialize_resume_state
from pytest_wfreplay.steps.snapshots import DirectSnapshotStore, SnapshotStore
from pytest_wfreplay.stores.open import memory, sqlite
from pytest_wfreplay.stores.store import Store

T = TypeVar("T")
STORES: dict[str, Callable[[Path, Any], Store]] = {
    "memory": lambda _, clock: memory(clock=clock),
    "sqlite": lambda path, clock: sqlite(path / "state.db", clock=clock),
    "sqlite in memory": lambda _, clock: sqlite(":memory:", clock=clock),
}
#: what goes wrong when a store takes texts for patterns, for SQL, for lines, or for what a terminal can show
TEXTS = (
    "a",
    "A",
    "a%",
    "a_",
    "ab",
    "a'; DROP TABLE wfreplay_runs; --",
    '"',
    "a\\",
    "\\0",
    "\0",
    "a\0b",
    "a\nb",
    "tenant/a",
    "tenant_a",
    "tenant a",
    "ä",
    "a\u0308",
    "😀",
    "\ud7ff",
    "\U0010ffff",
    "{prefix}",
    "?",
    "x" * 10_000,
)
VALUES = (
    None,
    False,
    0,
    "",
    [],
    {},
    10**200,
    -(10**200),
    2**63,
    0.1,
    1e300,
    "\0\u2028'\"\\",
    {"$date": "2026-11-20"},
    {"b": 1, "a": {"c": [None, {}]}},
    "x" * 1_000_000,
)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(dt.datetime(2026, 11, 20, tzinfo=dt.UTC))


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FrozenClock) -> Any:
    opened = STORES[request.param](tmp_path, clock)
    yield opened.snapshots
    done(opened.close())
    done(opened.close())


def done(work: Awaitable[T]) -> T:
    async def run() -> T:
        return await work

    return asyncio.run(run())


def keys(store: SnapshotStore, id: str, prefix: str = "") -> list[str]:
    return [record.entry.key for record in done(store.records(id, prefix))]


def ids(store: SnapshotStore, **asked: Any) -> list[str]:
    return [item.id for item in done(store.list(**asked)).items]


def test_it_is_both_ports(store: Any) -> None:
    assert isinstance(store, SnapshotStore)
    assert isinstance(store, DirectSnapshotStore)


def test_an_append_creates_the_run_and_comes_back_with_everything_it_has(store: Any) -> None:
    entry = Entry("ns/k#2", {"a": [1, None]}, Returned({"b": 2}), 3, "2026-11-20T00:00:00.000Z", "2026-11-20T00:00:01.000Z")
    assert done(store.append("run", entry, owner="host:1")) == entry
    assert store.entry_now("run", "ns/k#2") == entry
    [record] = done(store.records("run"))
    assert (record.position, record.entry, record.owner) == (1, entry, "host:1")
    assert record.updated_at == dt.datetime(2026, 11, 20, tzinfo=dt.UTC).timestamp() * 1000
    assert done(store.load("run")) == ResumeState({"ns/k#2": entry}) == done(store.load_resume_state("run")) == store.load_resume_state_now("run")


def test_an_entry_without_input_is_not_one_whose_input_is_none(store: Any) -> None:
    for key, given_input in (("absent", ABSENT), ("none", None)):
        store.append_now("run", Entry(key, given_input, Returned()))
        assert store.entry_now("run", key).input is given_input


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_every_value_survives_as_input_and_as_outcome(store: Any, value: Any) -> None:
    entry = Entry("k", value, Returned(value))
    store.append_now("run", entry)
    found = store.entry_now("run", "k")
    assert found == entry
    assert json.dumps(found.input) == json.dumps(value), "the order of keys, True and 1 too"


def test_ids_keys_and_owners_are_any_text_and_stay_apart(store: Any) -> None:
    for text in TEXTS:
        store.append_now(text, Entry(text, text, Returned(text)), owner=text)
        assert store.acquire_now(text, text).token == 1
    assert ids(store, limit=1000) == [*reversed(TEXTS)]
    for text in TEXTS:
        [record] = store.records_now(text)
        assert (record.entry, record.owner) == (Entry(text, text, Returned(text)), text)
        assert store.entry_now(text, text + "x") is None
        assert store.holder_now(text).owner == text


def test_prefixes_are_literal(store: Any) -> None:
    for text in TEXTS:
        store.append_now(text, Entry("k", 1, Returned(1)))
        store.append_now("run", Entry(text, 1, Returned(1)))
    for prefix in (*TEXTS, "", "tenant", "\\"):
        assert keys(store, "run", prefix) == [text for text in TEXTS if text.startswith(prefix)]
        assert set(ids(store, prefix=prefix)) - {"run"} == {text for text in TEXTS if text.startswith(prefix)}


def test_the_first_that_completed_stands(store: Any) -> None:
    first, second = Entry("k", 1, Returned("first")), Entry("k", 2, Returned("second"))
    assert store.append_now("run", first) == first
    for late in (second, Entry("k", 1, None), Entry("k", 1, Raised({"type": "E", "message": "m"}))):
        assert store.append_now("run", late) == first
    assert store.entry_now("run", "k") == first


def test_a_marker_and_a_failure_are_replaced_in_their_place(store: Any) -> None:
    marker, failure = Entry("k", 1, None), Entry("k", 1, Raised({"type": "E", "message": "m", "args": [1]}))
    store.append_now("run", marker)
    store.append_now("run", Entry("later", 1, Returned(1)))
    for entry in (failure, marker, failure, Entry("k", 1, Returned(1))):
        assert store.append_now("run", entry) == entry
        assert [(record.position, record.entry.key) for record in store.records_now("run")] == [(1, "k"), (2, "later")]
        assert store.entry_now("run", "k") == entry


def test_positions_do_not_depend_on_the_prefix(store: Any) -> None:
    for key in ("a/1", "b/1", "a/2"):
        store.append_now("run", Entry(key, 1, Returned(1)))
        store.append_now("other", Entry(key, 1, Returned(1)))
    assert [(record.position, record.entry.key) for record in store.records_now("run", "a/")] == [(1, "a/1"), (3, "a/2")]


def test_a_mapping_with_the_field_names_will_do(store: Any) -> None:
    assert done(store.append("run", {"key": "k"})) == Entry("k", ABSENT, None)
    assert done(store.append("run", {"key": "k", "input": 1, "outcome": {"value": None}})) == Entry("k", 1, Returned(None))
    assert done(store.append("run", {"key": "f", "outcome": {"error": {"type": "E", "message": ""}}})).outcome == Raised({"type": "E", "message": ""})
    with pytest.raises(ConfigurationError, match="Not an Entry"):
        done(store.append("run", {"key": "k", "ouput": 1}))


def test_what_comes_back_is_detached(store: Any) -> None:
    given_input: dict[str, Any] = {"a": []}
    done(store.append("run", Entry("k", given_input, Returned(given_input))))
    given_input["a"].append(1)
    store.entry_now("run", "k").input["a"].append(2)
    done(store.load("run")).steps.clear()
    assert store.entry_now("run", "k") == Entry("k", {"a": []}, Returned({"a": []}))


def test_a_state_comes_back_as_what_it_was_saved_as(store: Any) -> None:
    state = ResumeState(
        {"a": Entry("a", 1, Returned([1])), "b": Entry("b", 1, Raised({"type": "E", "message": "m"})), "c": Entry("c", 1, None)}, "flow"
    )
    snapshot = to_snapshot(state, status="failed", definition_hash="sha256:0", note={"x": [1]})
    for run, saved, found in (
        ("state", state, state),
        ("its json", serialize_resume_state(state), state),
        ("its fields", {"steps": dict(state.steps), "workflow": "flow"}, state),
        ("empty", ResumeState(), ResumeState()),
        ("snapshot", snapshot, snapshot),
        ("its json too", snapshot.as_json(), snapshot),
    ):
        done(store.save(run, saved))
        assert done(store.load(run)) == found
    assert done(store.load_resume_state("snapshot")).workflow == "flow"
    assert done(store.load_resume_state("snapshot")).steps["a"] == Entry("a", ABSENT, Returned([1]))


def test_what_others_wrote_into_a_snapshot_is_kept(store: Any) -> None:
    snapshot = to_snapshot(ResumeState()).as_json() | {
        "steps": {"a": {"ok": False, "error": "text", "cause": "why", "meta": {"origin": "x", "y": [1]}}}
    }
    done(store.save("run", snapshot))
    assert done(store.load("run")).steps == snapshot["steps"]


def test_steps_appended_to_a_saved_snapshot_belong_to_it(store: Any) -> None:
    done(store.save("run", to_snapshot(ResumeState({"a": Entry("a", 1, Returned(1))}))))
    store.append_now("run", Entry("a", 1, Returned(2)))
    store.append_now("run", Entry("b", 1, Returned(3)))
    store.append_now("run", Entry("c", 1, None))
    assert done(store.load("run")).steps == {"a": {"ok": True, "value": 1}, "b": {"ok": True, "value": 3}}
    assert list(done(store.load_resume_state("run")).steps) == ["a", "b", "c"]


def test_saving_again_leaves_nothing_of_before(store: Any) -> None:
    done(store.save("run", ResumeState({"a": Entry("a", 1, Returned(1)), "b": Entry("b", 1, Returned(1))}, "old")))
    fresh = ResumeState({"b": Entry("b", 2, Returned(2))})
    done(store.save("run", fresh))
    assert done(store.load("run")) == fresh
    assert keys(store, "run") == ["b"]


def test_what_is_no_state_is_refused_and_what_was_there_stays(store: Any) -> None:
    state = ResumeState({"a": Entry("a", 1, Returned(1))})
    done(store.save("run", state))
    for wrong in ({"steps": {}, "kind": "?"}, {"format_version": 99, "steps": {}, "execution": {}}, {}):
        with pytest.raises(SnapshotFormatError):
            done(store.save("run", wrong))
    with pytest.raises(NotJsonError):
        done(store.save("run", ResumeState({"a": Entry("a", 2, Returned(object()))})))
    assert done(store.load("run")) == state


def test_an_unknown_id_is_none_or_silent(store: Any) -> None:
    assert done(store.load("nobody")) is None
    assert done(store.load_resume_state("nobody")) is None
    assert store.entry_now("nobody", "k") is None
    assert done(store.records("nobody")) == []
    assert done(store.pending("nobody")) == []
    assert done(store.holder("nobody")) is None
    done(store.delete("nobody"))


def test_a_deleted_run_is_gone_and_may_begin_again(store: Any) -> None:
    store.append_now("run", Entry("k", 1, Returned(1)))
    done(store.delete("run"))
    assert done(store.load("run")) is None
    assert ids(store) == []
    assert store.append_now("run", Entry("k", 2, Returned(2))) == Entry("k", 2, Returned(2))
    assert ids(store) == ["run"]


def test_the_list_is_newest_first_and_its_cursors_lead_through_it(store: Any, clock: FrozenClock) -> None:
    for number in range(25):
        store.append_now(f"run {number}", Entry("k", 1, Returned(1)))
    done(store.save("run 3", ResumeState()))
    store.append_now("run 7", Entry("l", 1, None))
    clock.advance(60)
    store.append_now("run 5", Entry("l", 1, Returned(1)))
    expected = ["run 5", "run 7", "run 3", *(f"run {number}" for number in range(24, -1, -1) if number not in (3, 5, 7))]
    assert ids(store) == expected
    found, cursor = [], None
    for _ in range(4):
        page = done(store.list(limit=7, cursor=cursor))
        found += [item.id for item in page.items]
        cursor = page.cursor
    assert found == expected
    assert cursor is None
    assert done(store.list(limit=25)).cursor is None
    assert done(store.list(limit=1)).items[0].updated_at == "2026-11-20T00:01:00.000Z"


def test_a_page_goes_on_where_it_ended_though_runs_changed_meanwhile(store: Any) -> None:
    for run in "abcd":
        store.append_now(run, Entry("k", 1, Returned(1)))
    page = done(store.list(limit=2))
    store.append_now("e", Entry("k", 1, Returned(1)))
    store.append_now("d", Entry("l", 1, Returned(1)))
    done(store.delete("c"))
    assert [item.id for item in done(store.list(limit=2, cursor=page.cursor)).items] == ["b", "a"]


@pytest.mark.parametrize("asked", [{"limit": 0}, {"limit": -1}, {"limit": 1.5}, {"cursor": "x"}, {"cursor": ""}, {"cursor": "5b315d"}])
def test_a_limit_or_cursor_that_is_none_is_refused(store: Any, asked: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        done(store.list(**asked))


@pytest.mark.parametrize("blank", ["", " ", "\n", None, 7])
def test_a_blank_id_key_or_owner_is_refused(store: Any, blank: Any) -> None:
    for ask in (
        lambda: store.append_now(blank, Entry("k", 1, None)),
        lambda: store.append_now("run", Entry(blank, 1, None)),
        lambda: store.acquire_now("run", blank),
        lambda: done(store.load(blank)),
        lambda: done(store.deliver("run", blank, 1)),
    ):
        with pytest.raises(ConfigurationError):
            ask()
    assert ids(store) == []


def test_what_json_cannot_carry_is_refused_and_nothing_is_written(store: Any) -> None:
    loop: list[Any] = []
    loop.append(loop)
    for value in (float("nan"), object(), {1, 2}, dt.datetime(2026, 1, 1, tzinfo=dt.UTC), loop, b"x"):
        for entry in (Entry("k", value, None), Entry("k", 1, Returned(value))):
            with pytest.raises(NotJsonError):
                store.append_now("run", entry)
    for run, key in (("\ud800", "k"), ("run", "\ud800")):
        with pytest.raises(NotJsonError):
            store.append_now(run, Entry(key, 1, None))
    assert ids(store) == []


def test_a_lease_is_one_owners_until_it_runs_out(store: Any, clock: FrozenClock) -> None:
    lease = done(store.acquire("run", "me", ttl=10))
    assert (lease.id, lease.owner, lease.token, lease.expires_at) == ("run", "me", 1, "2026-11-20T00:00:10.000Z")
    assert done(store.acquire("run", "you")) is None
    assert done(store.holder("run")) == lease
    assert ids(store) == [], "a lease is no run"
    clock.advance(9)
    assert done(store.renew("run", lease.token, ttl=10)).expires_at == "2026-11-20T00:00:19.000Z"
    clock.advance(10)
    assert done(store.holder("run")) is None
    assert done(store.acquire("run", "you")).token == 2


def test_a_token_grows_each_time_and_is_never_used_again(store: Any, clock: FrozenClock) -> None:
    tokens = [store.acquire_now("run", "me").token, store.acquire_now("run", "me").token]
    store.release_now("run", tokens[-1])
    tokens.append(store.acquire_now("run", "you").token)
    clock.advance(61)
    done(store.prune(clock.now()))
    done(store.delete("run"))
    tokens.append(store.acquire_now("run", "you").token)
    assert tokens == sorted(set(tokens))
    assert tokens[:3] == [1, 2, 3]


def test_a_stale_token_writes_nothing(store: Any, clock: FrozenClock) -> None:
    old = store.acquire_now("run", "me", ttl=1).token
    store.append_now("run", Entry("a", 1, Returned(1)), old)
    clock.advance(2)
    new = store.acquire_now("run", "you").token
    for ask in (
        lambda token: store.append_now("run", Entry("b", 1, Returned(1)), token),
        lambda token: store.append_now("run", Entry("a", 1, Returned(1)), token),
        lambda token: store.renew_now("run", token),
        lambda token: store.release_now("run", token),
    ):
        for token in (old, new + 1, 0, -1, 2**70):
            with pytest.raises(LeaseLost, match=r"'run'"):
                ask(token)
    assert keys(store, "run") == ["a"]
    assert store.append_now("run", Entry("b", 1, Returned(1)), new)
    assert store.append_now("run", Entry("c", 1, Returned(1)), new)
    assert keys(store, "run") == ["a", "b", "c"]


def test_a_lease_that_ran_out_or_was_released_cannot_be_renewed(store: Any, clock: FrozenClock) -> None:
    ran_out = store.acquire_now("a", "me", ttl=1).token
    released = store.acquire_now("b", "me").token
    clock.advance(1)
    store.release_now("b", released)
    store.release_now("b", released)
    for run, token in (("a", ran_out), ("b", released)):
        with pytest.raises(LeaseLost):
            store.renew_now(run, token)
    with pytest.raises(LeaseLost):
        store.append_now("b", Entry("k", 1, None), released)


def test_a_lease_is_taken_over_from_exactly_the_token_that_was_seen(store: Any) -> None:
    dead = store.acquire_now("run", "dead").token
    assert store.acquire_now("run", "me", instead_of=dead + 1) is None
    mine = store.acquire_now("run", "me", instead_of=dead)
    assert (mine.owner, mine.token) == ("me", dead + 1)
    assert store.acquire_now("run", "you", instead_of=dead) is None


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), True, "60"])
def test_a_ttl_is_more_than_nothing(store: Any, ttl: Any) -> None:
    with pytest.raises(ConfigurationError, match="ttl"):
        store.acquire_now("run", "me", ttl=ttl)


def test_a_delivery_answers_the_oldest_wait(store: Any) -> None:
    for key in ("wait_for/approve", "wait_for/approve#2"):
        store.append_now("run", Entry(key, {"wait_for": "approve"}, None, started_at="2026-11-20T00:00:00.000Z"))
    store.append_now("run", Entry("wait_for/a%2Fb", {"wait_for": "a/b"}, None))
    assert done(store.pending("run")) == ["approve", "a/b"]
    done(store.deliver("run", "approve", {"by": dt.date(2026, 1, 1)}))
    assert store.entry_now("run", "wait_for/approve").outcome == Returned(jsonable({"by": dt.date(2026, 1, 1)}))
    assert store.entry_now("run", "wait_for/approve#2").outcome is None
    done(store.deliver("run", "approve"))
    done(store.deliver("run", "a/b", 1))
    assert done(store.pending("run")) == []
    assert store.entry_now("run", "wait_for/approve#2").outcome == Returned(None)


def test_a_delivery_before_anybody_asks_waits_for_who_will(store: Any) -> None:
    done(store.deliver("run", "approve", 1))
    done(store.deliver("run", "approve", 2))
    assert store.append_now("run", Entry("wait_for/approve", {"wait_for": "approve"}, None)).outcome == Returned(1)
    assert store.append_now("run", Entry("wait_for/approve#2", {"wait_for": "approve"}, None)).outcome == Returned(2)
    with pytest.raises(NotJsonError):
        done(store.deliver("run", "approve", object()))


def test_prune_forgets_what_is_old_and_not_held(store: Any, clock: FrozenClock) -> None:
    for run in ("old", "held", "young"):
        clock.advance(10)
        store.append_now(run, Entry("k", 1, Returned(1)))
    store.acquire_now("held", "me")
    assert done(store.prune(clock.now())) == 1
    assert ids(store) == ["young", "held"]
    assert done(store.records("old")) == []
    clock.advance(100)
    assert done(store.prune(clock.now())) == 2


def test_threads_that_race_for_a_step_end_with_one_record_and_one_result(store: Any) -> None:
    stood: list[Any] = []

    def race(name: int) -> None:
        for step in range(20):
            store.append_now("run", Entry(f"k{step}", name, None))
            stood.append((step, store.append_now("run", Entry(f"k{step}", name, Returned(name)))))

    threads = [threading.Thread(target=race, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = store.records_now("run")
    assert [record.entry.key for record in records] == [f"k{step}" for step in range(20)]
    assert [record.position for record in records] == [*range(1, 21)]
    assert all(entry == records[step].entry for step, entry in stood)
    assert len(stood) == 160


def test_tasks_beside_each_other_lose_nothing(store: Any) -> None:
    async def many() -> None:
        appends = [store.append(f"run {number % 3}", Entry(f"k{number}", number, Returned(number))) for number in range(200)]
        await asyncio.gather(*appends, *(store.records("run 1") for _ in range(20)))

    done(many())
    assert sorted(len(keys(store, f"run {number}")) for number in range(3)) == [66, 67, 67]


_names = st.sampled_from(["a", "ab", "B", "b%", "\0", "é"])
_outcomes = st.one_of(st.none(), st.builds(Returned, st.integers()), st.just(Raised({"type": "E", "message": ""})))
_acts = st.one_of(
    st.tuples(st.just("append"), _names, st.builds(Entry, _names, st.integers(), _outcomes)),
    st.tuples(st.just("save"), _names, st.lists(st.builds(Entry, _names, st.integers(), _outcomes), max_size=3)),
    st.tuples(st.just("delete"), _names),
    st.tuples(st.just("advance"), st.integers(0, 3)),
    st.tuples(st.just("acquire"), _names, st.sampled_from(["me", "you"])),
    st.tuples(st.just("release"), _names, st.integers(1, 3)),
    st.tuples(st.just("renew"), _names, st.integers(1, 3)),
    st.tuples(st.just("fenced"), _names, st.builds(Entry, _names, st.integers(), _outcomes), st.integers(1, 3)),
    st.tuples(st.just("deliver"), _names, _names),
)


async def _acted(store: Any, clock: FrozenClock, act: tuple[Any, ...]) -> Any:
    """What a store answers, its refusal included."""
    name, *rest = act
    try:
        match name:
            case "append":
                return await store.append(*rest)
            case "save":
                return await store.save(rest[0], ResumeState({entry.key: entry for entry in rest[1]}))
            case "advance":
                return clock.advance(rest[0] * 0.4)
            case "acquire":
                return await store.acquire(*rest, ttl=1)
            case "fenced":
                return await store.append(*rest)
            case _:
                return await getattr(store, name)(*rest)
    except LeaseLost as lost:
        return str(lost)


@settings(max_examples=150, deadline=None)
@given(st.lists(_acts, max_size=25))
def test_any_series_of_acts_leaves_all_stores_alike(acts: list[tuple[Any, ...]]) -> None:
    """The store in memory is the model: what it answers, and what it keeps, is what SQLite answers and keeps."""

    async def played(open_one: Callable[..., Store]) -> list[Any]:
        clock = FrozenClock(dt.datetime(2026, 11, 20, tzinfo=dt.UTC))
        async with open_one(clock=clock) as store:
            told = [await _acted(store.snapshots, clock, act) for act in acts]
            page = await store.snapshots.list()
            kept = [[(record.position, record.entry) for record in await store.snapshots.records(item.id)] for item in page.items]
            return [told, [item.id for item in page.items], kept]

    assert done(played(memory)) == done(played(lambda clock: sqlite(":memory:", clock=clock)))


def test_a_clock_that_counts_will_do() -> None:
    """Every look is later than the one before: moments that are compared are read once."""
    for open_one in (memory, lambda clock: sqlite(":memory:", clock=clock)):
        store: Any = open_one(clock=CountingClock()).snapshots
        store.append_now("a", Entry("k", 1, Returned(1)))
        store.append_now("b", Entry("k", 1, Returned(1)))
        assert ids(store) == ["b", "a"]
        done(store.close())

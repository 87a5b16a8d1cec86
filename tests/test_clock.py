"""The one door for time, ids and randomness."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.clock import CountingClock, FrozenClock, SystemClock, iso, new_seed, read_iso, seeded
from pytest_wfreplay.errors import ConfigurationError


def test_iso_is_utc_with_milliseconds() -> None:
    assert iso(dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)) == "2026-11-20T10:00:00.000Z"
    assert iso(dt.datetime(2026, 11, 20, 10, 0, 0, 999_999, tzinfo=dt.timezone(dt.timedelta(hours=1)))) == "2026-11-20T09:00:00.999Z"


@given(st.datetimes(min_value=dt.datetime(2, 1, 1), max_value=dt.datetime(9998, 1, 1), timezones=st.just(dt.UTC)))  # noqa: DTZ001
def test_iso_is_read_again(moment: dt.datetime) -> None:
    assert read_iso(iso(moment)) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def test_what_is_not_iso_is_refused() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        read_iso("yesterday")


def test_the_system_clock_goes_on() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is dt.UTC
    before = clock.monotonic()
    asyncio.run(clock.sleep(0.01))
    assert clock.monotonic() > before
    assert clock.new_id() != clock.new_id()
    assert 0 <= clock.random() < 1


def test_the_counting_clock_counts() -> None:
    clock = CountingClock()
    assert [iso(clock.now()), iso(clock.now())] == ["2000-01-01T00:00:00.001Z", "2000-01-01T00:00:00.002Z"]
    asyncio.run(clock.sleep(60))
    assert clock.monotonic() == pytest.approx(60.002)
    assert clock.new_id() == "00000000-0000-0000-0000-000000000001"
    assert [clock.random() for _ in range(11)] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.0]


def test_the_frozen_clock_stands_still_until_it_is_told_to_go_on() -> None:
    start = dt.datetime(2026, 11, 20, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    clock = FrozenClock(start)
    assert clock.now() == clock.now() == start
    assert clock.now().tzinfo is dt.UTC
    clock.advance(0.5)
    began = SystemClock().monotonic()
    asyncio.run(clock.sleep(3600))
    assert SystemClock().monotonic() - began < 60
    assert clock.monotonic() == 3600.5
    assert clock.time() == start.timestamp() + 3600.5


@pytest.mark.parametrize("seconds", [-0.001, float("nan"), float("inf")])
def test_no_clock_goes_backwards(seconds: float) -> None:
    clock = FrozenClock(dt.datetime(2026, 11, 20, tzinfo=dt.UTC))
    with pytest.raises(ConfigurationError, match="not by"):
        clock.advance(seconds)
    assert clock.monotonic() == 0


@given(st.integers() | st.text())
def test_a_seed_draws_the_same_numbers_again(seed: int | str) -> None:
    assert [seeded(seed).random() for _ in range(3)] == [seeded(seed).random()] * 3


def test_seeds_are_numbers_that_nobody_could_foresee() -> None:
    seeds = {new_seed() for _ in range(20)}
    assert len(seeds) > 1
    assert all(0 <= seed < 2**32 for seed in seeds)

"""A cassette that several tests share: whoever writes when, nobody's runs are lost."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.codec.text import decode, encode
from pytest_wfreplay.recording.recording import Recording, RecordingMetadata

#: What a test wrote: its name, and what tells its runs apart.
Write = tuple[str, tuple[str, ...]]

NAMES = st.sampled_from(["t.py::a", "t.py::b[1]", "t.py::b[2]", "u.py::C::d", "größer"])
RUNS = st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=3).map(tuple)
WRITES = st.lists(st.tuples(NAMES, RUNS), max_size=12)


def recorded(test: str, runs: Sequence[str]) -> Cassette:
    """What a test recorded: runs by its name."""
    return Cassette(tuple(Recording(RecordingMetadata(f"rec_{number}", name=test), {"run": run}) for number, run in enumerate(runs)))


def merged(writes: Sequence[Write], into: Cassette | None = None) -> Cassette:
    """One write after the other."""
    cassette = into or Cassette()
    for test, runs in writes:
        cassette = cassette.with_runs_of(test, recorded(test, runs))
    return cassette


def parts(cassette: Cassette) -> dict[str | None, tuple[Recording, ...]]:
    """The runs of each test, in their order."""
    names = {run.metadata.name for run in cassette.runs}
    return {name: tuple(run for run in cassette.runs if run.metadata.name == name) for name in names}


@given(WRITES)
def test_each_test_has_what_it_wrote_last_and_nothing_else(writes: list[Write]) -> None:
    last = dict(writes)
    assert parts(merged(writes)) == {test: recorded(test, runs).runs for test, runs in last.items()}


@given(st.dictionaries(NAMES, RUNS), st.randoms(use_true_random=False))
def test_any_order_of_writers_gives_the_same_runs(last: dict[str, tuple[str, ...]], chance: object) -> None:
    writes = list(last.items())
    one = merged(writes)
    chance.shuffle(writes)  # type: ignore[attr-defined]
    assert parts(merged(writes)) == parts(one)


@given(WRITES)
def test_writing_the_same_again_changes_nothing(writes: list[Write]) -> None:
    once = merged(writes)
    assert merged(list(dict(writes).items()), once) == once


@given(WRITES, NAMES, RUNS)
def test_a_test_that_is_recorded_again_keeps_its_place_and_moves_nobody(writes: list[Write], test: str, runs: tuple[str, ...]) -> None:
    before = merged(writes)
    after = before.with_runs_of(test, recorded(test, runs))
    places = list(dict.fromkeys(run.metadata.name for run in before.runs))
    assert list(dict.fromkeys(run.metadata.name for run in after.runs)) == (places if test in places else [*places, test])
    assert [run for run in after.runs if run.metadata.name != test] == [run for run in before.runs if run.metadata.name != test]


@given(WRITES)
def test_what_was_merged_is_found_again_in_the_file(writes: list[Write]) -> None:
    cassette = merged(writes)
    read = decode(encode(cassette), path="shared.yaml")
    assert read == cassette
    for test, runs in dict(writes).items():
        assert read.has(test)
        assert read.of(test) == recorded(test, runs)

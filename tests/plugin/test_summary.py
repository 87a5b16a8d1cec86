"""The last words of a session."""

from __future__ import annotations

from pathlib import Path

from pytest_wfreplay.plugin.summary import summary
from pytest_wfreplay.plugin.tally import Tally
from pytest_wfreplay.plugin.unused import Found


def lines(tmp_path: Path, found: Found, choice: str = "warn", **tally: object) -> list[str]:
    did = {"one": "replayed", "two": "recorded", "three": "diverged", "four": "failed", "five": "live"}
    return list(summary(Tally(tmp_path / "cassettes", did=did, found=found, **tally), tmp_path, choice=choice))


COUNTS = "wfreplay: 1 replayed, 1 recorded, 1 diverged"


def test_unused_cassettes_are_named_up_to_ten(tmp_path: Path) -> None:
    paths = tuple(tmp_path / "cassettes" / f"{number:02}.yaml" for number in range(12))
    named = [f"  unused: cassettes/{number:02}.yaml" for number in range(10)]
    assert lines(tmp_path, Found(paths)) == [f"{COUNTS}, 12 unused cassettes", *named, "  … and 2 more"]
    assert lines(tmp_path, Found(())) == [f"{COUNTS}, 0 unused cassettes"]
    assert lines(tmp_path, Found()) == [f"{COUNTS}, unused cassettes not looked for in a partial run"]


def test_a_cassette_outside_of_the_root_is_named_in_full(tmp_path: Path) -> None:
    assert lines(tmp_path / "root", Found((tmp_path / "a.yaml",)))[1:] == [f"  unused: {tmp_path / 'a.yaml'}"]


def test_what_was_deleted_is_named_and_why_something_was_not(tmp_path: Path) -> None:
    paths = tuple(tmp_path / f"{number:02}.yaml" for number in range(12))
    told = lines(tmp_path, Found(paths, paths[1:], ((paths[0], "Permission denied"),)), "delete")
    assert told == [
        f"{COUNTS}, 12 unused cassettes",
        *(f"  deleted: {number:02}.yaml" for number in range(1, 12)),
        "  not deleted: 00.yaml (Permission denied)",
    ]
    partial = lines(tmp_path, Found(), "delete", left_out=["-k was given"])
    assert partial == [f"{COUNTS}, unused cassettes not looked for in a partial run", "  nothing deleted: -k was given"]


def test_crashed_recordings_are_named_whatever_is_said_of_unused_cassettes(tmp_path: Path) -> None:
    found = Found(crashed=((tmp_path / "a.partial", 'pytest --record "t.py::a"'),))
    crashed = '  crashed recording: a.partial (record again: pytest --record "t.py::a")'
    assert lines(tmp_path, found, "ignore") == [f"{COUNTS}, unused cassettes not looked for", crashed]
    assert lines(tmp_path, found)[1:] == [crashed]


def test_what_was_verified_and_accepted_is_told_where_there_is_any(tmp_path: Path) -> None:
    did = {"one": "verified", "two": "verified", "three": "accepted"}
    told = list(summary(Tally(tmp_path / "cassettes", did=did, found=Found(())), tmp_path))
    assert told == ["wfreplay: 0 replayed, 0 recorded, 0 diverged, 0 unused cassettes, 2 verified, 1 accepted"]

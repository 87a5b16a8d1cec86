"""The last words of a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_wfreplay.plugin.summary import summary
from pytest_wfreplay.plugin.tally import Tally
from pytest_wfreplay.recording.cassette import MARK


def test_unused_cassettes_are_named_up_to_ten(tmp_path: Path) -> None:
    folder = tmp_path / "cassettes"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:02}.yaml").write_text(f"{MARK} and so on\n")
    (folder / "other.yaml").write_text("a: 1\n")
    (folder / "00.failed.yaml").write_text(f"{MARK}\n")
    tally = Tally(did={"one": "replayed", "two": "recorded", "three": "diverged", "four": "failed", "five": "live"}, folders={str(folder)})
    assert list(summary(tally, tmp_path)) == [
        "wfreplay: 1 replayed, 1 recorded, 1 diverged, 12 unused cassettes",
        *(f"  unused: cassettes/{number:02}.yaml" for number in range(10)),
        "  … and 2 more",
    ]
    tally.claim(folder / "03.yaml")
    assert next(iter(summary(tally, tmp_path))).endswith("11 unused cassettes")
    tally.is_complete = False
    assert list(summary(tally, tmp_path)) == ["wfreplay: 1 replayed, 1 recorded, 1 diverged, unused cassettes not looked for in a partial run"]


@pytest.mark.parametrize("where", ["elsewhere", "nowhere"])
def test_a_cassette_outside_of_the_root_is_named_in_full(tmp_path: Path, where: str) -> None:
    folder = tmp_path / where
    if where == "elsewhere":
        folder.mkdir()
        (folder / "a.yaml").write_text(MARK)
    lines = list(summary(Tally(folders={str(folder)}), tmp_path / "root"))
    assert lines[1:] == ([f"  unused: {folder / 'a.yaml'}"] if where == "elsewhere" else [])

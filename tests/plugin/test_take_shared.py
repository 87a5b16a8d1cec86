"""A cassette that several tests share on purpose: each has runs of its own in it, and nobody's are lost."""

from __future__ import annotations

from typing import Any

import yaml

SHARING = """
@pytest.mark.wfreplay(cassette="shared")
@pytest.mark.parametrize("number", range(COUNT))
def test_one(number):
    assert step.run(f"load-{number}", live, input=number) == number
"""


def _names(project: Any) -> list[str]:
    runs = yaml.safe_load(project.cassette("shared.yaml").read_text())["runs"]
    return sorted(run["name"] for run in runs)


def test_tests_that_share_a_cassette_keep_their_own_runs_in_it(project: Any) -> None:
    """Recorded by two workers at once, by one test alone, and with one test more: the runs of the others stay."""
    project.write(text=SHARING.replace("COUNT", "6"))
    recorded = project.record("-n", "2", lean=("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio"))
    assert recorded.code == 0, recorded.text
    expected = [f"test_it.py::test_one[{number}]" for number in range(6)]
    assert _names(project) == expected
    assert project.cassettes == ["shared.yaml"]

    assert project.replay().summary.startswith("wfreplay: 6 replayed")
    assert not project.was_live

    before = project.cassette("shared.yaml").read_bytes()
    assert project.record("-k", "one[3]").code == 0
    assert project.cassette("shared.yaml").read_bytes() == before

    project.write(text=SHARING.replace("COUNT", "7"))
    missing = project.replay()
    assert missing.outcomes["test_one[6]"] == "failed"
    assert not project.was_live
    assert project.run("--wfreplay=once").summary.startswith("wfreplay: 6 replayed, 1 recorded")
    assert _names(project) == [*expected, "test_it.py::test_one[6]"]


def test_a_test_without_runs_of_its_own_replays_those_it_finds(project: Any) -> None:
    text = """
@pytest.mark.wfreplay(cassette="shared")
def test_first():
    assert step.run("load", live, input=1) == 1
"""
    project.write(text=text)
    assert project.record().code == 0
    project.write(text=text.replace("test_first", "test_second"))
    assert project.replay().outcomes == {"test_second": "passed"}
    assert not project.was_live


def test_a_shared_cassette_that_cannot_be_read_is_not_replaced(project: Any) -> None:
    """The runs of the other tests may still be saved."""
    project.write(text=SHARING.replace("COUNT", "1"))
    project.cassette("").mkdir()
    project.cassette("shared.yaml").write_text("# Recorded by pytest-wfreplay. Replay: pytest. Record again: pytest --record\nformat: 1\nruns:\n")
    ran = project.record()
    assert ran.told("test_one[0]")[0].startswith("CassetteTruncated: cassettes/shared.yaml:")
    assert project.cassette("shared.yaml").read_text().endswith("runs:\n")

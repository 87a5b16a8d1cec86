from __future__ import annotations

import pytest

from pytest_wfreplay.errors import CassetteUnreadable, CassetteVersionError
from pytest_wfreplay.recording.upgrade import upgraded


def test_the_present_format_stays_as_it_is() -> None:
    data = {"format": 1, "runs": []}
    assert upgraded(data, "c.yaml") is data


def test_an_old_format_is_lifted_one_version_at_a_time() -> None:
    upgrades = {1: lambda data: {**data, "runs": [*data["runs"], "from 1"]}, 2: lambda data: {**data, "runs": [*data["runs"], "from 2"]}}
    assert upgraded({"format": 1, "runs": []}, "c.yaml", upgrades=upgrades, current=3) == {"format": 3, "runs": ["from 1", "from 2"]}
    assert upgraded({"format": 2, "runs": []}, "c.yaml", upgrades=upgrades, current=3) == {"format": 3, "runs": ["from 2"]}


@pytest.mark.parametrize("version", [0, -1])
def test_a_format_that_never_was_is_refused(version: int) -> None:
    with pytest.raises(CassetteUnreadable, match=f"format {version} was never released"):
        upgraded({"format": version}, "c.yaml")


@pytest.mark.parametrize("version", [None, True, "1", 1.0])
def test_a_format_is_a_number(version: object) -> None:
    with pytest.raises(CassetteUnreadable, match="expected format: 1"):
        upgraded({"format": version}, "c.yaml")


def test_a_newer_format_is_refused_and_says_what_to_do() -> None:
    with pytest.raises(CassetteVersionError) as caught:
        upgraded({"format": 2}, "c.yaml")
    assert "Upgrade pytest-wfreplay" in caught.value.hint

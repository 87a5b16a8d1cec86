"""What people read of changes that tests noticed."""

from __future__ import annotations

import pytest

from pytest_wfreplay.plugin.aids import MUTATE
from pytest_wfreplay.plugin.ledger import Told
from pytest_wfreplay.plugin.noticing import Noticed, noticed_by, told

ALL = Noticed(2)
NONE = Noticed(5, ("a", "b", "c", "d", "e"))
PART = Noticed(20, ("a.b",), has_more=True)
NOTHING_TO_NOTICE = Noticed(0)


@pytest.mark.parametrize(
    ("tests", "is_verbose", "lines"),
    [
        ({}, False, ["wfreplay: 0 tests mutated, 0 changes, 0 noticed"]),
        ({"t": Noticed(1)}, False, ["wfreplay: 1 test mutated, 1 change, 1 noticed"]),
        (
            {"all": ALL, "none": NONE, "part": PART, "empty": NOTHING_TO_NOTICE},
            False,
            [
                "wfreplay: 4 tests mutated, 27 changes, 21 noticed",
                "  asserts nothing: none (0 of 5 changes noticed; unnoticed: a, b, c, …)",
                "  1 test could be changed in more than 20 ways; the first 20 of each were tried",
            ],
        ),
        (
            {"none": NONE, "part": PART},
            True,
            [
                "wfreplay: 2 tests mutated, 25 changes, 19 noticed",
                "  asserts nothing: none (0 of 5 changes noticed; unnoticed: a, b, c, d, e)",
                "  partly unnoticed: part (19 of 20 changes noticed; unnoticed: a.b)",
                "  1 test could be changed in more than 20 ways; the first 20 of each were tried",
            ],
        ),
    ],
)
def test_the_lines_name_who_asserts_nothing(tests: dict[str, Noticed], is_verbose: bool, lines: list[str]) -> None:
    assert list(told(tests, is_verbose=is_verbose)) == lines


def test_a_test_with_nothing_to_notice_asserts_something() -> None:
    assert [one.asserts_nothing for one in (ALL, NONE, PART, NOTHING_TO_NOTICE)] == [False, True, False, False]


@pytest.mark.parametrize("noticed", [ALL, NONE, PART])
def test_what_a_report_carries_is_read_again(noticed: Noticed) -> None:
    tests = [Told("a", facts={MUTATE: noticed.as_json()}), Told("b")]
    assert noticed_by(tests) == {"a": noticed}

"""A cassette lies where its test says, under a name that every file system takes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.recording.names import cassette_path, safe_name, slug

HASHED = re.compile(r"-[0-9a-f]{8}$")
ROOT = "tests/billing/test_refund.py::"


@pytest.mark.parametrize(
    ("nodeid", "testpaths", "path"),
    [
        (f"{ROOT}TestCard::test_declined[visa]", ["tests"], "billing/test_refund/TestCard.test_declined[visa].yaml"),
        (f"{ROOT}test_a", [], "tests/billing/test_refund/test_a.yaml"),
        (f"{ROOT}test_a", ["./tests/billing/"], "test_refund/test_a.yaml"),
        (f"{ROOT}test_a", ["other", "tests", "tests/billing"], "billing/test_refund/test_a.yaml"),
        (f"{ROOT}test_a", ["test"], "tests/billing/test_refund/test_a.yaml"),
        (f"{ROOT}test_a", ["tests/billing/test_refund.py"], "test_refund/test_a.yaml"),
        (f"{ROOT}test_a", ["."], "tests/billing/test_refund/test_a.yaml"),
        ("src/pay/tests/test_x.py::test_a", ["src/*/tests"], "test_x/test_a.yaml"),
        ("test_x.py::TestA::TestB::test_c", ["tests"], "test_x/TestA.TestB.test_c.yaml"),
        ("docs/guide.md::guide.md", [], "docs/guide.md/guide.md.yaml"),
        ("test_x.py", [], "test_x.yaml"),
        ("test_x.py::test_a[1-two, three=3]", [], "test_x/test_a[1-two, three=3].yaml"),
    ],
)
def test_a_cassette_mirrors_its_test(nodeid: str, testpaths: list[str], path: str) -> None:
    assert str(cassette_path(nodeid, testpaths=testpaths)) == path


@pytest.mark.parametrize(
    "parameter", ["a/b", "a::b", "../../etc/passwd", "x\0y", "..", "/", "Ü😀", "p" * 300, "A", "a:b", "C:\\x", "a\nb", "[[", "/absolute"]
)
def test_a_parameter_never_leaves_its_folder(parameter: str) -> None:
    path = cassette_path(f"{ROOT}TestCard::test_declined[{parameter}]", testpaths=["tests"])
    assert path.parts[:-1] == ("billing", "test_refund")
    assert path.name.startswith("TestCard.test_declined")
    assert len(path.name) <= 105
    assert path.name.isascii()


@pytest.mark.parametrize("text", ["test_a", "TestA.test_b", "x" * 100, "a-b c+d=e,f[g.h]", ".hidden", "console", "com10", "test_nul[nul]"])
def test_a_portable_name_is_kept(text: str) -> None:
    assert safe_name(text) == text


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.", "a ", " a", "CON", "nul", "nul.txt", "COM1", "lpt9 .x", "x" * 101, "a/b", "a\\b", "t[A]", "t[a/b]", "é", "\ud800"]
)
def test_any_other_name_becomes_a_slug_with_a_digest(text: str) -> None:
    name = safe_name(text)
    assert HASHED.search(name)
    assert len(name) <= 100
    assert safe_name(name) == name


def test_names_that_differ_in_one_character_are_different_files() -> None:
    parameters = ["a/b", "a:b", "a?b", "A", "a", "é", "è", "Ä", "ä", "a b", "a  b"]
    paths = {str(cassette_path(f"t.py::t[{parameter}]")).casefold() for parameter in parameters}
    assert len(paths) == len(parameters)


def test_the_path_outside_of_the_root_does_not_climb() -> None:
    path = cassette_path("../other/test_x.py::test_a", testpaths=["tests"])
    assert ".." not in path.parts
    assert path.parts[1:] == ("other", "test_x", "test_a.yaml")


@given(st.text(max_size=120), st.text(max_size=120))
def test_distinct_parameters_give_distinct_files_where_case_does_not_count(one: str, other: str) -> None:
    paths = {str(cassette_path(f"t.py::test_x[{parameter}]")).casefold() for parameter in (one, other)}
    assert len(paths) == len({one, other})


@given(st.text("aA", min_size=1, max_size=4), st.text("aA", min_size=1, max_size=4))
def test_letter_case_in_parameters_counts(one: str, other: str) -> None:
    paths = {str(cassette_path(f"t.py::test_x[{parameter}]")).casefold() for parameter in (one, other)}
    assert len(paths) == len({one, other})


@given(st.text(max_size=300))
def test_every_safe_name_is_one_portable_component(text: str) -> None:
    name = safe_name(text)
    assert re.fullmatch(r"[A-Za-z0-9_.\-\[\]=,+ ]{1,100}", name)
    assert name not in (".", "..")
    assert not name.endswith((".", " "))
    assert safe_name(name) == name
    assert 0 < len(slug(text)) <= 81
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", slug(text))

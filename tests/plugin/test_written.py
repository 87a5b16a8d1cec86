"""A report is written whole or not at all, and never with a secret in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_wfreplay.errors import SecretLeakError
from pytest_wfreplay.plugin.written import write
from pytest_wfreplay.redact import Redactor


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("before")
    write(path, "{}\n", Redactor())
    assert path.read_text() == "{}\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_would_hold_a_secret_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("before")
    with pytest.raises(SecretLeakError, match="a known secret would stand in it") as caught:
        write(path, '{"a": "sesame-4711"}', Redactor(known=frozenset({"sesame-4711"})))
    assert "sesame" not in str(caught.value)
    assert path.read_text() == "before"


def test_what_could_not_be_written_leaves_no_scraps(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").touch()
    with pytest.raises(OSError, match="folder"):
        write(tmp_path / "folder", "{}", Redactor())
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]

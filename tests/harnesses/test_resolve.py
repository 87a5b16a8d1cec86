"""A name finds its harness: ours in a table, others' under an entry point group."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.harnesses.anthropic import AnthropicHarness
from pytest_wfreplay.harnesses.function import FunctionHarness
from pytest_wfreplay.harnesses.resolve import resolve_harness
from pytest_wfreplay.harnesses.scripted import ScriptedHarness


def test_our_own_are_found_by_their_types() -> None:
    assert isinstance(resolve_harness("scripted", replies=["hi"]), ScriptedHarness)
    assert isinstance(resolve_harness("function", fn=str), FunctionHarness)
    assert isinstance(resolve_harness("anthropic", model="claude-opus-5-5"), AnthropicHarness)


def test_an_unknown_name_is_told_the_choices() -> None:
    with pytest.raises(ConfigurationError, match="There is no harness 'gpt'; there are anthropic, function, scripted"):
        resolve_harness("gpt")


def test_an_unknown_option_is_pythons_own_error() -> None:
    with pytest.raises(TypeError, match="colour"):
        resolve_harness("scripted", replies=[], colour="red")


def test_a_missing_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anthropic", None)
    with pytest.raises(ConfigurationError) as caught:
        resolve_harness("anthropic")
    assert 'pip install "pytest-wfreplay[anthropic]"' in str(caught.value)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that somebody installed, with a harness of its own."""
    (tmp_path / "echo_harness.py").write_text(
        "class EchoHarness:\n    type = 'echo'\n    def __init__(self, loud=False):\n        self.loud = loud\n"
    )
    described = tmp_path / "echo-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: echo\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[pytest_wfreplay.harnesses]\necho = echo_harness:EchoHarness\nlost = no_such_room:Lost\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("installed")
def test_others_are_found_by_their_entry_points() -> None:
    harness = resolve_harness("echo", loud=True)
    assert harness.type == "echo"
    assert harness.loud  # type: ignore[attr-defined]  # the stranger's own


@pytest.mark.usefixtures("installed")
def test_others_are_among_the_choices() -> None:
    with pytest.raises(ConfigurationError, match="anthropic, echo, function, lost, scripted"):
        resolve_harness("gpt")


@pytest.mark.usefixtures("installed")
def test_one_that_cannot_be_imported_says_why() -> None:
    with pytest.raises(ConfigurationError, match=r"'lost' .*no_such_room"):
        resolve_harness("lost")

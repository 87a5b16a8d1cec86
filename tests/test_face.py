"""The face: every public name is there, each from its own room, and none is loaded before it is asked for."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import GenericAlias

import pytest

import pytest_wfreplay as face

SOURCE = ast.parse(Path(face.__file__).read_text(encoding="utf-8"))
#: what a user of the engine in production must not pay for by importing the package
NOT_LOADED = ("pytest", "_pytest", "yaml", "deepdiff", "jinja2", "jsonschema", "pydantic", "anthropic", "asyncio", "filelock")
#: an attribute access may load more than the import, but the engine never brings pytest along
ENGINE_NAMES = ("create_workflow", "ScriptedHarness", "RecordingOptions", "MemorySignalStore", "FileSignalStore", "step", "expect", "Player")


def _imported_for_mypy() -> dict[str, str]:
    return {
        alias.name: node.module.removeprefix("pytest_wfreplay.")
        for node in ast.walk(SOURCE)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pytest_wfreplay")
        for alias in node.names
    }


def _loaded_after(code: str) -> set[str]:
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(ran.stdout))


@pytest.mark.parametrize("name", face.__all__)
def test_every_name_is_importable_and_keeps_its_own_name(name: str) -> None:
    value = getattr(face, name)
    assert isinstance(value, GenericAlias) or getattr(value, "__name__", name) == name


def test_all_is_complete_and_sorted() -> None:
    homes = {name: room for room, names in face._ROOMS.items() for name in names.split()}
    assert sorted(homes) == sorted(face.__all__)
    assert face.__all__ == sorted(face.__all__)
    assert set(face.__all__) <= set(dir(face))


def test_what_mypy_sees_is_what_python_loads() -> None:
    assert _imported_for_mypy() == {name: room for room, names in face._ROOMS.items() for name in names.split()}


def test_every_room_of_the_face_exists() -> None:
    assert [room for room in face._ROOMS if not importlib.import_module(f"pytest_wfreplay.{room}").__doc__] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'pytest_wfreplay' has no attribute 'creat_workflow'"):
        face.creat_workflow  # noqa: B018 - the access is the test
    with pytest.raises(ImportError, match="cannot import name 'creat_workflow'"):
        exec("from pytest_wfreplay import creat_workflow")  # noqa: S102 - as a user would spell it


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = _loaded_after("import pytest_wfreplay")
    assert loaded.isdisjoint(NOT_LOADED)
    assert {name for name in loaded if name.startswith("pytest_wfreplay")} == {"pytest_wfreplay"}


def test_the_engine_works_without_pytest() -> None:
    loaded = _loaded_after(f"from pytest_wfreplay import {', '.join(ENGINE_NAMES)}")
    assert loaded.isdisjoint({"pytest", "_pytest", "deepdiff", "jinja2", "anthropic"})


def test_the_package_tells_type_checkers_that_it_is_typed() -> None:
    assert (Path(face.__file__).parent / "py.typed").is_file()


def test_whether_something_fits_a_port_can_be_asked() -> None:
    assert isinstance(face.ScriptedHarness([]), face.Harness)
    assert isinstance(face.MemorySignalStore(), face.SignalStore)
    assert isinstance(face.logging_adapter(), face.SignalAdapter)
    assert not isinstance(object(), face.Harness)

"""The floors of the house, as a test: which room may import which, which door an outside name comes in by, how big a room may be.

1. The tables below are the law; there is no list of exceptions. A new room or a new outside name enters its table in the commit that needs it.
2. All imports count: at the top, inside functions, under TYPE_CHECKING, relative ones, and `import_module("...")` of a literal.
3. A word may import the words that stand before it; a shelf's book never imports its neighbour (its other half, `openai_events`, is itself).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pytest

import pytest_wfreplay

PACKAGE = "pytest_wfreplay"
ROOT = Path(pytest_wfreplay.__file__).parent
FILE_LIMIT, FUNCTION_LIMIT = 300, 40

#: the files at the root, from the ground upwards
WORDS = (
    "errors",
    "clock",
    "typed",
    "plainly",
    "jsonable",
    "schema",
    "secret_shapes",
    "secret_values",
    "redact",
    "learnt",
    "normalise",
    "signal",
    "pattern",
    "trace",
    "template",
    "harness",
    "reply",
)

#: room -> what it may import besides itself: `words`, rooms, or single modules where a shelf knows only the port and the model
ROOMS = {
    "steps": ("words",),
    "engine": ("words", "steps"),
    "recording": ("words", "steps"),
    "execution": ("words", "steps"),
    "harnesses": ("words",),
    "stores": (
        "words",
        "steps.entry",
        "steps.resume",
        "steps.snapshots",
        "steps.spelled",
        "recording.recording",
        "recording.store",
        "recording.given",
        "recording.draft",
        "recording.cassette",
        "recording.codec.*",
        "recording.names",
        "execution.*",
    ),
    "report": ("words", "steps.entry", "recording.recording", "recording.divergence*", "execution.execution"),
    "deck": ("words", "steps", "engine", "recording"),
    "options": ("words", "steps", "recording"),
    "durability": ("words", "steps", "stores.open"),  # scripts that name no store have one all the same
    "bulk": ("words", "steps", "engine", "recording", "deck"),
    "plugin": ("words", "steps", "engine", "recording", "execution", "harnesses", "stores", "report", "deck", "options", "durability", "bulk"),
    "cli": ("words", "steps", "engine", "recording", "execution", "harnesses", "stores", "report", "deck", "options", "durability", "bulk"),
}

#: shelf -> the files on it that its books share, or that know all its books by name
SHELVES = {"stores": ("open", "store", "asked", "sql", "cassette_file"), "harnesses": ("resolve",), "report": ()}

#: outside name -> its one door (two where two rooms need it for different ends)
DOORS = {
    "pytest": ("plugin.*",),
    "_pytest": ("plugin.*",),
    "pluggy": ("plugin.*",),
    "yaml": ("recording.codec.yaml_text",),
    "deepdiff": ("recording.differing",),
    "filelock": ("stores.cassette_file",),
    "jinja2": ("template",),
    "jsonschema": ("schema",),
    "referencing": ("schema",),  # of jsonschema: where a schema's references may lead
    "time": ("clock",),
    "random": ("clock",),
    "secrets": ("clock",),
    "uuid": ("clock", "typed"),  # the clock makes them; typed only knows their type
    "anthropic": ("harnesses.anthropic*",),
    "openai": ("harnesses.openai*",),
    "claude_agent_sdk": ("harnesses.claude*",),
    "openai_codex": ("harnesses.codex*",),
    "sqlite3": ("stores.sqlite*",),
    "psycopg": ("stores.postgres*",),
    "psycopg_pool": ("stores.postgres*",),
    "httpx": ("stores.libsql*",),
    "pymongo": ("stores.mongo*",),
    "bson": ("stores.mongo*",),
    "opentelemetry": ("report.otel*",),
}
#: outside names that are imported where they are used, never at the top of a file
LAZY = {
    "deepdiff",
    "jinja2",
    "anthropic",
    "openai",
    "claude_agent_sdk",
    "openai_codex",
    "psycopg",
    "psycopg_pool",
    "pymongo",
    "bson",
    "opentelemetry",
}

#: what only some rooms may do -> those rooms
ACTS = {
    "print": ("cli.*",),
    # programs have doors of their own: what the environment keeps secret is not recorded there either, and it names the default store
    "os.environ": ("plugin.*", "cli.*", "options", "durability"),
    "os.getenv": ("plugin.*", "cli.*"),
    "datetime.now": ("clock",),
    "datetime.utcnow": ("clock",),
    "dt.datetime.now": ("clock",),
    "datetime.datetime.now": ("clock",),
    "date.today": ("clock",),
}
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "common", "base", "manager", "managers", "data", "info", "misc", "types"}


class Import(NamedTuple):
    """One import: the full dotted name, its line, and whether it stands at the top of its file, run on import."""

    name: str
    line: int
    at_top: bool


def complaints(root: Path) -> list[str]:
    """Every way in which the package at `root` breaks the law, one sentence each."""
    found: list[str] = []
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        module = ".".join(relative.with_suffix("").parts)
        found += [
            f"{relative.as_posix()}{complaint}" for complaint in (*_size(text, tree, relative), *_acts(tree, module), *_imports(tree, relative, root))
        ]
    return found


def _size(text: str, tree: ast.Module, relative: Path) -> Iterator[str]:
    lines = len(text.splitlines())
    if lines >= FILE_LIMIT:
        yield f": {lines} lines; a file has fewer than {FILE_LIMIT}"
    if relative.stem in FORBIDDEN_NAMES:
        yield f": nobody can tell what is in a file of that name; say {relative.stem!r} with a noun of its own"
    if not ast.get_docstring(tree):
        yield ":1: a file begins with a sentence about what is in it"
    if relative.name == "__init__.py" and len(relative.parts) > 1 and len(tree.body) != 1:
        yield ": an inner __init__ is one docstring and nothing else"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (length := (node.end_lineno or 0) - node.lineno + 1) >= FUNCTION_LIMIT:
            yield f":{node.lineno}: {node.name} has {length} lines; a function has fewer than {FUNCTION_LIMIT}"


def _acts(tree: ast.Module, module: str) -> Iterator[str]:
    for node in ast.walk(tree):
        act = ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
        if act in ACTS and not _fits(module, ACTS[act]):
            yield f":{getattr(node, 'lineno', 0)}: {act} only in {_listed(ACTS[act])}"


def _imports(tree: ast.Module, relative: Path, root: Path) -> Iterator[str]:
    module = ".".join(relative.with_suffix("").parts)
    if module == "__init__":
        return  # the face knows everybody; tests/test_face.py sees that it does nothing but know them
    for found in _imported(tree, relative):
        top, _, target = found.name.partition(".")
        problem = _between_rooms(module, target, root) if top == PACKAGE else _at_the_door(module, found)
        if problem:
            yield f":{found.line}: {problem}"


def _between_rooms(module: str, target: str, root: Path) -> str:
    target = _module(target, root)
    own, other = module.partition(".")[0], target.partition(".")[0]
    if not target:
        return f"{own} may not import the face; take the name from its own room"
    if own in WORDS:
        return "" if other in WORDS and WORDS.index(other) <= WORDS.index(own) else f"{own} may not import {other}: words look downward only"
    if own not in ROOMS:
        return f"{own} is a new room; enter it in the tables of tests/test_house.py"
    if own == other:
        return _neighbours(own, module.rpartition(".")[2], target.rpartition(".")[2])
    allowed = ROOMS[own]
    if ("words" in allowed and other in WORDS) or other in allowed or _fits(target, allowed):
        return ""
    return f"{own} may not import {other if other not in {a.partition('.')[0] for a in allowed} else target}"


def _neighbours(shelf: str, book: str, other: str) -> str:
    shared = SHELVES.get(shelf)
    if shared is None or book in shared or other in shared or book.partition("_")[0] == other.partition("_")[0]:
        return ""
    return f"{shelf}: {book} may not import its neighbour {other}"


def _at_the_door(module: str, found: Import) -> str:
    top = found.name.partition(".")[0]
    if top not in DOORS:
        return "" if top in sys.stdlib_module_names else f"{top} has no door; enter it in the tables of tests/test_house.py"
    if not _fits(module, DOORS[top]):
        return f"{top} only in {_listed(DOORS[top])}"
    return f"{top} is imported where it is used, not at the top" if top in LAZY and found.at_top else ""


def _imported(tree: ast.Module, relative: Path) -> Iterator[Import]:
    package = (PACKAGE, *relative.parts[:-1])
    run_on_import = set(_run_on_import(tree))
    for node in ast.walk(tree):
        at_top = node in run_on_import
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, at_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (start, node.module) if part)
            yield from (Import(f"{base}.{alias.name}", node.lineno, at_top) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"import_module", "importlib.import_module", "__import__"}:
            yield from (
                Import(name.value, node.lineno, at_top) for name in node.args[:1] if isinstance(name, ast.Constant) and isinstance(name.value, str)
            )


def _run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        lazy = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if not lazy and not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from _run_on_import(child)


def _module(dotted: str, root: Path) -> str:
    """The module in a dotted name that may go on with the name of a thing in it: `signal.Signal` -> `signal`, `Signal` -> nothing, the face."""
    parts = dotted.split(".")
    while (
        parts
        and not (len(parts) == 1 and parts[0] in {*WORDS, *ROOMS})
        and not ((root / Path(*parts)).with_suffix(".py").is_file() or (root / Path(*parts)).is_dir())
    ):
        parts.pop()
    return ".".join(parts)


def _fits(module: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(module, pattern) for pattern in patterns)


def _listed(patterns: tuple[str, ...]) -> str:
    return " or ".join(pattern.rstrip(".*") for pattern in patterns)


def test_the_house_keeps_its_floors() -> None:
    assert complaints(ROOT) == []


def test_test_files_say_what_they_test() -> None:
    tests = Path(__file__).parent
    assert [path for path in tests.rglob("*.py") if path.stem.removeprefix("test_") in FORBIDDEN_NAMES] == []


KNOWN = ("signal.py", "trace.py", "recording/recording.py", "recording/recorder.py", "stores/memory.py", "harnesses/openai_events.py", "cli/main.py")


@pytest.mark.parametrize(
    ("path", "text", "complaint"),
    [
        ("engine/bus.py", "def f():\n    from pytest_wfreplay.stores.memory import Memory", ":3: engine may not import stores"),
        ("engine/bus.py", "if TYPE_CHECKING:\n    import pytest_wfreplay.recording.recording", ":3: engine may not import recording"),
        ("engine/bus.py", "from ..stores import memory", ":2: engine may not import stores"),
        ("engine/bus.py", "import_module('pytest_wfreplay.stores.memory')", ":2: engine may not import stores"),
        ("engine/bus.py", "from pytest_wfreplay import Signal", ":2: engine may not import the face; take the name from its own room"),
        ("signal.py", "from pytest_wfreplay.trace import Trace", ":2: signal may not import trace: words look downward only"),
        ("signal.py", "from pytest_wfreplay.engine import bus", ":2: signal may not import engine: words look downward only"),
        ("stores/files.py", "from . import memory", ":2: stores: files may not import its neighbour memory"),
        ("stores/files.py", "from pytest_wfreplay.recording.recorder import Recorder", ":2: stores may not import recording.recorder"),
        ("plugin/hooks.py", "from pytest_wfreplay.cli import main", ":2: plugin may not import cli"),
        ("shed/rake.py", "from pytest_wfreplay.signal import Signal", ":2: shed is a new room; enter it in the tables of tests/test_house.py"),
        ("engine/bus.py", "import yaml", ":2: yaml only in recording.codec.yaml_text"),
        ("engine/bus.py", "from time import monotonic", ":2: time only in clock"),
        ("engine/bus.py", "import numpy as np", ":2: numpy has no door; enter it in the tables of tests/test_house.py"),
        ("recording/differing.py", "import deepdiff", ":2: deepdiff is imported where it is used, not at the top"),
        ("engine/bus.py", "print('here')", ":2: print only in cli"),
        ("engine/bus.py", "import os\nHOME = os.environ['HOME']", ":3: os.environ only in plugin or cli or options or durability"),
        ("engine/bus.py", "def f():\n" + "    x = 1\n" * 39, ":2: f has 40 lines; a function has fewer than 40"),
        ("engine/bus.py", "x = 1\n" * 299, ": 300 lines; a file has fewer than 300"),
        ("engine/__init__.py", "from pytest_wfreplay.signal import Signal", ": an inner __init__ is one docstring and nothing else"),
        ("engine/utils.py", "", ": nobody can tell what is in a file of that name; say 'utils' with a noun of its own"),
        ("recording/differing.py", "def f():\n    import deepdiff", ""),
        ("harnesses/openai.py", "if TYPE_CHECKING:\n    import openai\nfrom pytest_wfreplay.harnesses.openai_events import decode", ""),
        ("stores/files.py", "from pytest_wfreplay.recording.recording import Recording\nfrom pytest_wfreplay.signal import Signal", ""),
        ("cli/main.py", "import os\nprint(os.environ)", ""),
    ],
)
def test_the_guard_catches_a_planted_violation_and_nothing_else(tmp_path: Path, path: str, text: str, complaint: str) -> None:
    for known in (*KNOWN, path):
        (tmp_path / known).parent.mkdir(exist_ok=True)
        (tmp_path / known).write_text('"""A room."""\n')
    (tmp_path / path).write_text(f'"""A room."""\n{text}')
    assert complaints(tmp_path) == ([f"{path}{complaint}"] if complaint else [])


def test_a_file_without_a_first_sentence_is_named(tmp_path: Path) -> None:
    (tmp_path / "signal.py").write_text("x = 1\n")
    assert complaints(tmp_path) == ["signal.py:1: a file begins with a sentence about what is in it"]


def test_the_page_about_the_house_shows_every_room() -> None:
    """docs/house.md ends with the first line of each file; where they differ, put the lines of this list there."""
    files = sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py")
    rooms = [f"- `{path.relative_to(ROOT).with_suffix('').as_posix()}`: {_first_line(path)}" for path in files]
    page = (Path(__file__).parent.parent / "docs" / "house.md").read_text(encoding="utf-8")
    assert [line for line in page.partition("## Rooms")[2].splitlines() if line.startswith("- ")] == rooms


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]

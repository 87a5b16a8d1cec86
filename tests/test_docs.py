"""Every code block of README.md and docs/ runs, in the order of its page, in a fresh folder that the blocks of the page share.

1. A block whose info string has `title="test_x.py"` is a file of that folder: it is written, not run. A later block of the same title replaces it.
2. `python` runs as a script of its own. `bash` runs line by line. Both must succeed, unless an output follows that says otherwise.
3. `text title="Output"` is what the block before it printed. `console` is both in one: lines beginning with `$ ` run, what follows is their output.
4. Outputs are compared after volatile things got steady names (times, durations, folders, ids, the width of rulers), and without what older
   versions of pytest do not print: carets below a line of code, how many lines are hidden. `...` stands for any text in a line, and on a line of
   its own for any lines.
5. `json`, `toml` and `yaml` are parsed; other languages may only be shown when SHOWN names them.
6. What made the environment that we run in (`python3 -m venv`, `pip install`), and the `.venv/bin/pytest` that runs us, are not run again here:
   `.ci/run` takes the README's commands by their word.

When an output has changed and is right as it is now, `python tests/renew_docs.py README.md docs/*.md` writes it into the page.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = {"text", "ini", "html", "jinja"}
PARSED = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)(?P<info>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
NOT_AGAIN = re.compile(r"python3 -m venv |\. \.venv/bin/activate|(?:\.venv/bin/)?pip install |\.venv/bin/pytest")
#: what changes from run to run, and its steady name
VOLATILE = [
    (re.compile(r"\x1b\[[\d;]*m"), ""),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"), "<time>"),
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:ms|s)\b"), "<duration>"),
    (re.compile(r"\brec_[0-9a-f]+"), "<recording>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"([=_-])\1{3,}"), r"\1\1\1"),
    (re.compile(r"\b0x[0-9a-f]{6,}"), "<address>"),
    (re.compile(r'("duration_ms": )[\d.]+'), r"\1<number>"),
    (re.compile(r"^(.*\bat_ms: ).*$", re.MULTILINE), r"\1<numbers>"),
    (re.compile(r"^(platform|rootdir:|plugins:) .*$", re.MULTILINE), r"\1 <yours>"),
    (re.compile(r"^asyncio: .*\n", re.MULTILINE), ""),
    (re.compile(r"^[E>]? *\^+ *\n", re.MULTILINE), ""),
    (re.compile(r"(?<=truncated) \(\d+ lines? hidden\)"), ""),
]


#: what a reader's terminal is taken to be, with pytest, pytest-asyncio (which warns without its option where there is no ini file) and us installed
READERS = {
    "COLUMNS": "80",
    "NO_COLOR": "1",
    "PYTEST_ADDOPTS": "-o asyncio_default_fixture_loop_scope=function -p no:cacheprovider -p no:anyio -p no:hypothesispytest -p no:xdist"
    " -p no:inline_snapshot -p no:randomly -p no:recording -p no:rerunfailures -p no:syrupy -p no:timeout",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONIOENCODING": "utf-8",
}


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    language: str
    title: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order, without their indentation."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        title = re.search(r'title="([^"]*)"', found["info"])
        body = "".join(line.removeprefix(found["indent"]) for line in found["text"].splitlines(keepends=True))
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page.name, line, found["language"], title[1] if title else "", body)


def run_page(page: Path, folder: Path) -> None:
    """Do with each block of the page what its language and title ask for."""
    printed = _Printed()
    for block in blocks(page):
        if block.title and block.title != "Output":
            target = folder / block.title
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        elif block.title:
            printed.matches(block.text, block)
        else:
            printed.must_be_good()
            printed = _ran(block, folder)
    printed.must_be_good()


def _ran(block: Block, folder: Path) -> _Printed:
    if block.language == "python":
        return _command([sys.executable, "-c", block.text], folder, block)
    if block.language == "console":
        return _console(block, folder)
    if block.language == "bash":
        printed = _Printed()
        for line in block.text.replace("\\\n", "").splitlines():
            printed.must_be_good()
            printed = _shell(line, folder, block)
        return printed
    if block.language in PARSED:
        PARSED[block.language](block.text)
    else:
        assert block.language in SHOWN, f"{block.place}: a block of {block.language or 'no language'} cannot be run; make it one of those above"
    return _Printed()


def _console(block: Block, folder: Path) -> _Printed:
    for spoken in re.split(r"^(?=\$ )", block.text, flags=re.MULTILINE):
        command, _, output = spoken.partition("\n")
        if not command.startswith("$ "):
            assert not command.strip(), f"{block.place}: a console begins with a line that begins with '$ '"
            continue
        printed = _shell(command.removeprefix("$ "), folder, block)
        if output.strip():
            printed.matches(output, block)
        else:
            printed.must_be_good()
    return _Printed()


def _shell(line: str, folder: Path, block: Block) -> _Printed:
    wanted = [part for part in line.split(" && ") if not NOT_AGAIN.match(part)]
    command = " && ".join(wanted).replace(".venv/bin/", "")
    return _command(["bash", "-c", command], folder, block) if command else _Printed()


def _command(command: list[str], folder: Path, block: Block) -> _Printed:
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "WFREPLAY_", "COV_", "CI", "BUILD_NUMBER", "GITHUB_"))
    }
    env |= {"PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])), **READERS}
    ran = subprocess.run(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", timeout=120, check=False
    )
    return _Printed(ran.stdout.replace(str(folder), "/home/you/desk"), ran.returncode, block)


@dataclass(slots=True)
class _Printed:
    """What a command printed, until somebody has compared it."""

    text: str = ""
    status: int = 0
    block: Block | None = None

    def must_be_good(self) -> None:
        assert self.status == 0, f"{self.block.place if self.block else ''}: ended with status {self.status}:\n{self.text}"

    def matches(self, expected: str, block: Block) -> None:
        self.status = 0  # an output is shown, so the page knows how this ended
        wanted, got = steady(expected), steady(self.text)
        if not re.fullmatch(_expression(wanted), got, re.DOTALL):
            assert got == wanted, f"{block.place}: prints something else"


def steady(text: str) -> str:
    """The text with steady names for what changes from run to run, and no white space at the ends of its lines."""
    for expression, name in VOLATILE:
        text = expression.sub(name, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


def _expression(wanted: str) -> str:
    lines = [
        "(?:[^\n]*\n)*?" if line.strip() == "..." else re.escape(line).replace(re.escape("..."), "[^\n]*?") + "\n" for line in wanted.splitlines()
    ]
    return "".join(lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_of_the_page_runs(page: Path, tmp_path: Path) -> None:
    if page.parent == ROOT:  # whoever reads the README has a clone of the repository; the pages begin in an empty folder
        shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    run_page(page, tmp_path)


GOOD = """
```python title="greet.py"
print("hello from", __file__, "in 0.01s")
```

1. A list, with a block in it:

    ```console
    $ python greet.py
    hello from ... in 7.5s
    $ python -c "print(1); print(2); print(3)"
    1
    ...
    3
    ```

```python
import pathlib
assert pathlib.Path("greet.py").is_file()
print("done")
```

```text title="Output"
done
```

```bash
python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/python greet.py
```
"""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD, None),
        ("```python\nassert False\n```", r"page.md:1: ended with status 1"),
        ("```bash\nfalse\n```", r"page.md:1: ended with status 1"),
        ("```bash\nfalse\ntrue\n```", r"page.md:1: ended with status 1"),
        ("```console\n$ false\n```", r"page.md:1: ended with status 1"),
        ("Text.\n\n```console\n$ echo 1\n2\n```", r"page.md:3: prints something else"),
        ('```python\nprint(1)\n```\n\n```text title="Output"\n1\n2\n```', r"page.md:5: prints something else"),
        ("```rust\nfn main() {}\n```", r"page.md:1: a block of rust cannot be run"),
        ("```console\nprints\n```", r"page.md:1: a console begins with a line"),
    ],
)
def test_the_mechanism_runs_what_is_shown_and_names_the_line_that_lies(tmp_path: Path, text: str, complaint: str | None) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    if complaint is None:
        run_page(page, tmp_path)
    else:
        with pytest.raises(AssertionError, match=complaint):
            run_page(page, tmp_path)

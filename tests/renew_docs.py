"""Write into the pages what their commands print now: `python tests/renew_docs.py docs/tutorial.md …`. Then read the diff as you read a cassette's.

Outputs that are still right (`...` and all) stay as they are; a lone `?` stands for an output that nobody has seen yet.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

import test_docs
from test_docs import Block

PLUGINS = re.compile(r"^plugins: .*\n(?:asyncio: .*\n)?", re.MULTILINE)
ROOTDIR = re.compile(r"^rootdir: .*$", re.MULTILINE)


def renew(page: Path, folder: Path) -> str:
    """The text of the page with the outputs of today."""
    text = page.read_text(encoding="utf-8")
    printed = test_docs._Printed()
    at = 0
    for block in test_docs.blocks(page):
        if block.title and block.title != "Output":
            target = folder / block.title
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
            continue
        if block.title:
            now = _now(block.text, printed)
        elif block.language == "console":
            now = _spoken(block, folder)
        else:
            printed = test_docs._ran(block, folder)
            continue
        old = text.index(block.text, text.index(f"```{block.language}", at))
        text = text[:old] + now + text[old + len(block.text) :]
        at = old + len(now)
    return text


def _spoken(block: Block, folder: Path) -> str:
    parts = []
    for part in re.split(r"^(?=\$ )", block.text, flags=re.MULTILINE):
        command, _, output = part.partition("\n")
        if command:
            printed = test_docs._shell(command.removeprefix("$ "), folder, block)
            parts.append(f"{command}\n{_now(output, printed) if output.strip() else ''}")
    return "".join(parts)


def _now(shown: str, printed: test_docs._Printed) -> str:
    wanted, got = test_docs.steady(shown), test_docs.steady(printed.text)
    if re.fullmatch(test_docs._expression(wanted), got, re.DOTALL):
        return shown
    text = PLUGINS.sub("plugins: wfreplay-0.1.0\n", ROOTDIR.sub("rootdir: /home/you/desk", printed.text))
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n"


for name in sys.argv[1:]:
    path = Path(name)
    with tempfile.TemporaryDirectory() as empty:
        if path.resolve().parent == test_docs.ROOT:
            shutil.copytree(test_docs.ROOT / "docs" / "examples", Path(empty) / "docs" / "examples")
        path.write_text(renew(path, Path(empty)), encoding="utf-8")

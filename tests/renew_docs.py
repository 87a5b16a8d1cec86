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
            now = block.text if _is_right(block.text, printed) else _now(block.text, printed)
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
    parts = [part.partition("\n") for part in re.split(r"^(?=\$ )", block.text, flags=re.MULTILINE) if part]
    printed = [test_docs._shell(command.removeprefix("$ "), folder, block) for command, _, _ in parts]
    shown = [output for _, _, output in parts]
    if all(not output.strip() or _is_right(output, one) for output, one in zip(shown, printed, strict=True)):
        return block.text
    now = [_now(output, one) if output.strip() else "" for output, one in zip(shown, printed, strict=True)]
    return "".join(f"{command}\n{output}" for (command, _, _), output in zip(parts, now, strict=True))


def _is_right(shown: str, printed: test_docs._Printed) -> bool:
    return re.fullmatch(test_docs._expression(test_docs.steady(shown)), test_docs.steady(printed.text), re.DOTALL) is not None


def _now(shown: str, printed: test_docs._Printed) -> str:
    if "..." in shown.split("\n") and _is_right(shown, printed):
        return shown
    text = PLUGINS.sub("plugins: wfreplay-0.1.0\n", printed.text).strip("\n")
    first = shown.split("\n")[:2]
    if first[0] == "..." and first[1] in text:  # what was left out stays out
        text = "...\n" + text[text.index(first[1]) :]
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


for name in sys.argv[1:]:
    path = Path(name)
    with tempfile.TemporaryDirectory() as empty:
        if path.resolve().parent == test_docs.ROOT:
            shutil.copytree(test_docs.ROOT / "docs" / "examples", Path(empty) / "docs" / "examples")
        path.write_text(renew(path, Path(empty)), encoding="utf-8")

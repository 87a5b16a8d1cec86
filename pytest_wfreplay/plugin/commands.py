"""What people can type when a recording and their code part: whole commands, spelled so that a shell takes them as they are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

#: What a shell reads inside double quotes, or does not leave alone there.
_READ_IN_QUOTES = re.compile(r'["$`\\!\n]')


def quoted(text: str) -> str:
    """A text as one word of a command: in double quotes, which every shell knows, unless it holds what is read inside them."""
    return shlex.quote(text) if _READ_IN_QUOTES.search(text) else f'"{text}"'


def record(nodeid: str) -> str:
    """Records one test again."""
    return f"pytest --record {quoted(nodeid)}"


def accept(nodeid: str) -> str:
    """Keeps the recorded replies of one test, and rewrites what followed from them; with what it does."""
    return f"accept it, with the recorded replies: pytest --wfreplay=accept {quoted(nodeid)}"


def again(nodeid: str, key: str, *, picked: Iterable[str] = ()) -> str:
    """Records one step of one test again, besides those that are `picked` already; with what it does."""
    patterns = " ".join(f"--wfreplay-only={quoted(pattern)}" for pattern in (*picked, key))
    return f"record this step again{', too' if picked else ''}: pytest {patterns} {quoted(nodeid)}"

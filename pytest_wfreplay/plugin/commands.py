"""What people can type when a recording and their code part: whole commands, spelled so that a shell takes them as they are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from pytest_wfreplay.recording.modes import mode_named, narrower

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


def extend(nodeid: str) -> str:
    """Does the steps of one test that are new, and keeps what was recorded of the others; with what it does."""
    return f"do the new step, keep the rest: pytest --wfreplay=new_episodes {quoted(nodeid)}"


def again(nodeid: str, key: str, *, picked: Iterable[str] = ()) -> str:
    """Records one step of one test again, besides those that are `picked` already; with what it does."""
    patterns = " ".join(f"--wfreplay-only={quoted(pattern)}" for pattern in (*picked, key))
    return f"record this step again{', too' if picked else ''}: pytest {patterns} {quoted(nodeid)}"


def obstacle(wish: str | None, *, is_there: bool = True) -> str:
    """Why no command records a test: the narrower mode that its marker or its `wfreplay_config` wishes for. Empty where nothing is in the way."""
    if wish is None or mode_named(wish).act(is_there=is_there) in ("record", "live"):
        return ""
    return f"nothing is recorded while its marker or wfreplay_config says mode={wish!r}: take that away first"


def may_accept(wish: str | None) -> bool:
    """Whether a test is accepted when that is typed, or wishes for a mode that does not even do that."""
    return wish is None or narrower(mode_named(wish), mode_named("accept")).name == "accept"


def may_extend(wish: str | None) -> bool:
    """Whether a test does what is new when that is typed: no marker or fixture wishes for something narrower."""
    return wish is None or narrower(mode_named(wish), mode_named("new_episodes")).name == "new_episodes"

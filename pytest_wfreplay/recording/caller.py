"""The line of the user's code that is being run: the nearest frame that is neither ours nor the machinery's."""

from __future__ import annotations

import sys
from pathlib import Path, PurePath
from types import FrameType

#: Whose frames are nobody's business.
_MACHINERY = ("pytest_wfreplay", "asyncio", "concurrent", "threading", "contextlib", "functools", "pluggy", "pytest_asyncio", "anyio")


def caller(*, below: str = "") -> str:
    """`path:line in function` of the nearest frame of the user's, or an empty text; a path below `below` is shown from there."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to one's callers, without reading their sources
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module == "asyncio.events" or module.startswith("_pytest."):
            # Below the event loop and the test runner stand whoever started them, not whoever called us.
            return ""
        if module.partition(".")[0] not in _MACHINERY and not frame.f_code.co_filename.startswith("<frozen"):
            path = PurePath(frame.f_code.co_filename)
            shown = path.relative_to(below) if below and path.is_relative_to(below) else path
            return f"{shown}:{frame.f_lineno} in {frame.f_code.co_name}"
        frame = frame.f_back
    return ""


def working_folder() -> str:
    """From where people outside of tests read paths; empty where it is gone."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""

"""The line of the user's code that is being run: the nearest frame that is neither ours nor the machinery's."""

from __future__ import annotations

import asyncio
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
        if module == "asyncio.events":
            # Below the event loop stands whoever started it: our caller only if the loop was started for what runs now.
            frame = _starter(frame)
            continue
        if module.startswith("_pytest."):
            return ""
        if module.partition(".")[0] not in _MACHINERY and not frame.f_code.co_filename.startswith("<frozen"):
            path = PurePath(frame.f_code.co_filename)
            shown = path.relative_to(below) if below and path.is_relative_to(below) else path
            return f"{shown}:{frame.f_lineno} in {frame.f_code.co_name}"
        frame = frame.f_back
    return ""


def _starter(frame: FrameType | None) -> FrameType | None:
    """The frame that lets its event loop run until our task has ended, as `asyncio.run` does; None where it waits for another one."""
    task = asyncio.current_task()
    while frame is not None:
        if frame.f_code.co_name == "run_until_complete":
            return frame if task is not None and task in frame.f_locals.values() else None
        frame = frame.f_back
    return None


def working_folder() -> str:
    """From where people outside of tests read paths; empty where it is gone."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""

"""From where in the user's code something was tried: the nearest frame that is nobody else's, and what of others it had called."""

from __future__ import annotations

import os
import sys
import sysconfig
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from types import FrameType

#: Where nobody's own code lies: the standard library, what was installed beside it, and we.
_FOLDERS = tuple(f"{folder}{os.sep}" for folder in (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), Path(__file__).parents[1]))
_INSTALLED = frozenset({"site-packages", "dist-packages"})

#: How a test runner's frames are told: what is below them are no callers of anybody's code.
_RUNNERS = ("_pytest.", "pluggy.")


@dataclass(frozen=True, slots=True)
class Whence:
    """A line of the user's: its file, its number, the function it stands in, and the function of others that it had called."""

    path: str
    number: int
    function: str
    through: str = ""

    def line(self, root: str) -> str:
        """`path:line`; a path below `root` is shown from there."""
        path = PurePath(self.path)
        return f"{path.relative_to(root) if root and path.is_relative_to(root) else path}:{self.number}"

    def told(self, root: str) -> str:
        """The same in words."""
        return f"{self.line(root)} in {self.function}" + (f", through {self.through}" if self.through else "")


#: Where the thread, or the work of a pool, was started that this is.
started: ContextVar[Whence | None] = ContextVar("pytest_wfreplay_started", default=None)


def whence() -> Whence | None:
    """The nearest line of the user's; in a thread without any the line that started it; None where nobody knows."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way to one's callers, without reading their sources
    through = ""
    while frame is not None:
        code = frame.f_code
        if is_users(code.co_filename):
            return Whence(code.co_filename, frame.f_lineno, code.co_name, through)
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(_RUNNERS):
            break
        if not module.startswith("pytest_wfreplay."):
            through = f"{module}.{code.co_qualname}"
        frame = frame.f_back
    return started.get()


@lru_cache(maxsize=1024)
def is_users(filename: str) -> bool:
    """Whether a file is the user's: it is one, and neither the standard library's nor installed nor ours."""
    return not (filename.startswith(("<", *_FOLDERS)) or _INSTALLED.intersection(PurePath(filename).parts))

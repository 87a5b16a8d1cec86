"""What people see of a failure that we raise: their own frames and our message, not our machinery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pytest

from pytest_wfreplay.errors import WfreplayError

_OURS = str(Path(__file__).parent.parent)
_MACHINERY = frozenset({"asyncio", "contextlib.py", "concurrent", "pluggy", "_pytest", "pytest_asyncio", "anyio", "threading.py", "functools.py"})


def tidy(call: pytest.CallInfo[None]) -> bool:
    """Leave only the user's frames in a failure of ours; whether there was none."""
    excinfo = call.excinfo
    if excinfo is None or not isinstance(excinfo.value, WfreplayError):
        return False
    users = [entry for entry in walk(excinfo.value.__traceback__) if _is_users(entry)]
    pruned: TracebackType | None = None
    for entry in reversed(users):
        pruned = TracebackType(pruned, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    if pruned is not None:
        # A filter on pytest's own Traceback does not last: it cuts again from the raw one.
        call.excinfo = pytest.ExceptionInfo.from_exception(excinfo.value.with_traceback(pruned))
    return pruned is None


def walk(entry: TracebackType | None) -> Iterator[TracebackType]:
    """A traceback's entries, the outermost first."""
    while entry is not None:
        yield entry
        entry = entry.tb_next


class Words:
    """A failure told in words alone, in the shape in which pytest asks for its representations."""

    def __init__(self, error: WfreplayError) -> None:
        self._lines = [f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]
        self.reprcrash = _Crash(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")

    def __str__(self) -> str:
        return "\n".join(self._lines)

    def toterminal(self, tw: object) -> None:
        """Write it as pytest writes the last lines of a failure."""
        for line in str(self).splitlines():
            tw.line(f"E   {line}", red=True, bold=True)  # type: ignore[attr-defined]  # pytest's TerminalWriter


class _Crash:
    """The one line of the short summary."""

    def __init__(self, message: str) -> None:
        self.message = message


def _is_users(entry: TracebackType) -> bool:
    path = entry.tb_frame.f_code.co_filename
    return not path.startswith((_OURS, "<")) and not _MACHINERY.intersection(Path(path).parts)

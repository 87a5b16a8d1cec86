"""What lies in the cassette folder when a session has ended: cassettes that no test used, recordings that crashed, what killed writers left.

1. One walk of the folder; a file that a test claimed is not opened. Links are not followed, listed or deleted.
2. A cassette is unused when every test was collected, nobody claimed it, and nothing speaks for it (see `_Judge`).
3. Only files with our header are deleted, only where the choice is `delete`, and only after a complete run.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_wfreplay.errors import CassetteError
from pytest_wfreplay.recording.cassette import HEADER, MARK
from pytest_wfreplay.stores.cassette_file import CassetteFile, abandoned_command, sweep

if TYPE_CHECKING:
    from pytest_wfreplay.plugin.settings import Settings
    from pytest_wfreplay.plugin.tally import Tally

_TEST = re.compile(r'"(.+)"\s*$')
#: The end of the name of a file that a `FileSignalStore` keeps: no test's.
_STORED = re.compile(r"rec_[0-9a-f]+$")
#: The parameters by which anyio's plugin tells the backends of one test apart.
_BACKEND = re.compile(r"\[.*\b(?:asyncio|trio)\b.*\]$")


@dataclass(frozen=True, slots=True)
class Found:
    """`unused` is None where unused cassettes were not looked for. `crashed` are partial files, each with the command that records again."""

    unused: tuple[Path, ...] | None = None
    deleted: tuple[Path, ...] = ()
    #: What could not be deleted, and why.
    stayed: tuple[tuple[Path, str], ...] = ()
    crashed: tuple[tuple[Path, str], ...] = ()


def look(tally: Tally, settings: Settings, *, blocked: frozenset[str] = frozenset()) -> Found:
    """Walk the cassette folder, and do what the settings say about the unused cassettes in it."""
    folder = settings.cassette_dir
    others = [folder / name for name in unclaimed(str(folder), tally.used)]
    elsewhere = (path for place in tally.elsewhere for path in Path(place).glob("*.partial"))
    partials = [*(path for path in others if path.suffix == ".partial"), *elsewhere]
    crashed = tuple((path, command) for path in sorted(partials) if (command := abandoned_command(path)) is not None)
    if tally.counts["recorded"]:
        sweep(path for path in others if path.suffix == ".tmp")
    if settings.unused == "ignore" or not tally.is_complete:
        return Found(crashed=crashed)
    judge = _Judge(tally, settings, blocked)
    unused = tuple(sorted(path for path in others if judge.is_unused(path)))
    if settings.unused != "delete":
        return Found(unused, crashed=crashed)
    stayed = tuple(_delete(unused, folder))
    return Found(unused, tuple(path for path in unused if path not in dict(stayed)), stayed, crashed)


def unclaimed(folder: str, used: set[str]) -> Iterator[str]:
    """The files below a folder that are not among those used: their paths below it, with slashes."""
    others: list[str] = []
    has_links = False
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            entries = os.scandir(os.path.join(folder, below))  # noqa: PTH118 - this loop runs for each of many files
        except OSError:
            continue  # it is not there, or nobody may look into it
        with entries:
            for entry in entries:
                name = below + entry.name
                if entry.is_symlink():
                    has_links = True
                elif name not in used:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{name}/")
                    else:
                        others.append(name)
    if not others:
        return
    # Where letter case does not count, or letters are taken apart, a file bears another name than the one by which it was claimed.
    claimed = _plain("\0".join(used)).split("\0")  # in one go: there may be many
    if has_links:
        real = os.path.realpath(folder)
        reached = (os.path.realpath(os.path.join(folder, name)) for name in used)  # noqa: PTH118 - as above
        claimed += [_plain(os.path.relpath(path, real).replace(os.sep, "/")) for path in reached if path.startswith(real)]
    known = set(claimed)
    yield from (name for name in others if _plain(name) not in known)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


class _Judge:
    """Whether a file that nobody claimed is an unused cassette.

    It is not when
    - it has not our header, or is the recording of a failed test, or was made without a test;
    - it says that a test recorded it which stands in a file that is there and was not collected: other settings collect it;
    - it says that it belongs to another project;
    - it was written after this session had begun: somebody else is recording.
    """

    def __init__(self, tally: Tally, settings: Settings, blocked: frozenset[str]) -> None:
        self._tally = tally
        self._settings = settings
        self._blocked = blocked

    def is_unused(self, path: Path) -> bool:
        """Whether it is."""
        if path.suffix not in (".yaml", ".yml") or path.name.endswith(".failed.yaml"):
            return False
        try:
            with path.open("rb") as file:
                head = file.readline(10_000).decode("utf-8", "replace").rstrip()
                is_new = os.fstat(file.fileno()).st_mtime >= self._tally.began
        except OSError:
            return False
        if is_new or not head.startswith(MARK):
            return False
        command = head.removeprefix(HEADER)
        prefix = home(path, self._settings)
        if not command.startswith(prefix) or command.removeprefix(prefix).startswith("cd "):
            return False
        return not any(map(self._may_be_used_by, self._tests(path, command)))

    def _tests(self, path: Path, command: str) -> Iterator[str]:
        """The tests that a cassette says it is of; what it cannot say does not speak for it."""
        named = _TEST.search(command)
        if named:
            yield named[1]
            return
        if _STORED.search(path.stem):
            yield ""
            return
        try:
            cassette = CassetteFile(path).read()
        except CassetteError:
            return
        yield from (run.metadata.name for run in cassette.runs if run.metadata.name and "::" in run.metadata.name)

    def _may_be_used_by(self, test: str) -> bool:
        file = test.partition("::")[0]
        if "anyio" in self._blocked and _BACKEND.search(test):
            return True
        return not test or (file not in self._tally.files and (self._settings.root / file).exists())


def home(path: Path, settings: Settings) -> str:
    """What stands before the command in the header of a cassette outside of the project, which may be others', too: the way home."""
    root, folder = Path(os.path.realpath(settings.root)), Path(os.path.realpath(path.parent))
    if root == folder or root in folder.parents:
        return ""
    try:
        return f"cd {Path(os.path.relpath(root, folder)).as_posix()} && "
    except ValueError:
        return f"cd {root.as_posix()} && "  # on another drive


def _delete(paths: tuple[Path, ...], folder: Path) -> Iterator[tuple[Path, str]]:
    """Delete the files, and the folders below the cassette folder that are empty then; what stayed, and why."""
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            yield path, error.strerror or str(error)
            continue
        for parent in path.parents:
            if parent == folder or folder not in parent.parents:
                break
            try:
                parent.rmdir()
            except OSError:
                break  # something else is in it

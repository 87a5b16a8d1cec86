"""One cassette on disk: read whole, written whole or not at all, left untouched when nothing but the day is new.

1. A write goes to a temporary name in the same folder, to the disk, and is renamed: whoever reads sees the old file or the new one.
2. Writers take turns by a file lock. It lies in the system's temporary folder, named by a digest of the cassette's path, so that nothing but
   cassettes is ever listed beside cassettes. (Locks on another machine that shares the folder are not seen; the rename holds there too.)
3. What was heard before a crash lies in `<name>.partial`, a failed test's recording in `<name>.failed.yaml`. Neither is ever replayed, and the
   next good write removes both.
4. Who dies lets go of its locks: a `.partial`, and a temporary file, whose lock is free has lost its writer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_wfreplay.clock import SystemClock
from pytest_wfreplay.errors import CassetteError, CassetteMissing, CassetteUnreadable
from pytest_wfreplay.recording.cassette import MAX_BYTES, RECORD, Cassette
from pytest_wfreplay.recording.codec.leak import FindLeak, refuse_leak
from pytest_wfreplay.recording.codec.text import decode, differs_only_in_volatile, encode
from pytest_wfreplay.recording.names import safe_name
from pytest_wfreplay.stores.files_partial import PartialFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from filelock import BaseFileLock

#: What a file is called until it is whole: by the digest under which its writer holds the lock.
_SCRATCH = re.compile(r"\.wfreplay-([0-9a-f]{32})-[^/]+\.tmp")

#: How the cassettes of VCR.py begin.
_VCR = b"interactions:"

#: How long a writer waits for another one, in seconds; writing takes milliseconds.
_PATIENCE = 30.0


class CassetteFile:
    """The cassette at a path. `command` is what records it again: it stands in the file's first line and in errors' hints.

    Where several tests share a cassette, `test` is the one that is meant: it replaces its own runs only, and has its own sidecars. `leak` finds
    secrets in what is about to be written, which then is not (`SecretLeakError`).
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        command: str = RECORD,
        max_bytes: int = MAX_BYTES,
        test: str | None = None,
        leak: FindLeak | None = None,
    ) -> None:
        self.path = Path(path)
        self._leak = leak
        self.command = command
        self.max_bytes = max_bytes
        self.test = test

    @property
    def partial_path(self) -> Path:
        """Where what was heard so far lies while it is recorded."""
        return self._beside("partial")

    @property
    def failed_path(self) -> Path:
        """Where the recording of a failed test lies."""
        return self._beside("failed.yaml")

    def exists(self) -> bool:
        """Whether there is a file, readable or not."""
        return os.path.lexists(self.path)

    def read(self) -> Cassette:
        """The cassette.

        Raises:
            CassetteMissing: there is none.
            CassetteEmpty, CassetteTruncated, CassetteUnreadable, CassetteVersionError: there is one that cannot be used.
        """
        text = self.read_bytes()
        if text.startswith(_VCR):
            self._refuse_stranger()
        return decode(text, path=str(self.path), max_bytes=self.max_bytes)

    def read_bytes(self) -> bytes:
        """What the file holds; one that is larger than `max_bytes` is only read as far as is needed to say so."""
        try:
            with open(self.path, "rb", buffering=0) as file:  # noqa: PTH123 - it is read whole, so nothing needs a buffer
                size = os.fstat(file.fileno()).st_size
                if size > self.max_bytes:
                    problem = f"{size} bytes, and the limit (max_bytes) is {self.max_bytes}"
                    raise CassetteUnreadable(str(self.path), problem, hint="Record less, or raise the limit.")
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            raise CassetteMissing(str(self.path), "there is no cassette", hint=f"Record it: {self.command}") from None
        except OSError as error:
            raise CassetteUnreadable(str(self.path), f"it cannot be read: {error.strerror}", hint="Mend its rights, or delete it.") from error

    def write(self, cassette: Cassette, *, command: str | None = None, home: str = "") -> bool:
        """Keep the cassette; False when the file says the same already and was left as it is, byte for byte.

        `home` is what people must type before the command when they stand beside the cassette; nothing where that is their project.

        Raises:
            CassetteUnreadable: the system does not let us write; the old file is as it was.
            NotJsonError: something in it is not JSON; the old file is as it was.
        """
        with self._lock():
            self._refuse_stranger()
            if self.test is not None and self.exists():
                # What cannot be read is not replaced: the runs of the others may still be saved.
                cassette = self.read().with_runs_of(self.test, cassette)
            is_new = not self._says_the_same(cassette)
            if is_new:
                command = command or (self.command if self.test is None else RECORD)
                self._put(self.path, encode(cassette, command=f"{home}{command}"))
            self._tidy()
        return is_new

    def stage(self, cassette: Cassette) -> None:
        """Keep a recording beside the cassette, as that of a failed test, until `write` may put it in its place. Raises as `write` does."""
        with self._lock():
            if self.test is not None and self.exists():
                self.read()
            self._put(self.failed_path, encode(cassette, command=self.command), told=self.path)

    def replace(self, cassette: Cassette, *, command: str | None = None) -> None:
        """Keep the cassette in any case; raises as `write` does."""
        with self._lock():
            self._put(self.path, encode(cassette, command=command or self.command))
            self._tidy()

    def write_failed(self, cassette: Cassette, *, command: str | None = None) -> Path:
        """Keep the recording of a failed test beside the cassette, which is not touched; where it lies. Raises as `write` does."""
        with self._lock():
            self._put(self.failed_path, encode(cassette, command=command or self.command))
        return self.failed_path

    def partial(self) -> PartialFile | None:
        """A writer of what is heard from now on, or None while another process has one: the sidecar tells of one recording.

        What an earlier crash left there is dropped. As long as the writer lives, everybody can see that it does.
        """
        from filelock import Timeout

        self._refuse_stranger()
        lock = _presence(self.partial_path)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return None
        with self._told(self.partial_path):
            self.partial_path.unlink(missing_ok=True)
        return PartialFile(self.partial_path, command=self.command, presence=lock, leak=self._leak)

    def delete(self) -> None:
        """Remove the cassette and what lies beside it; silent when there is none."""
        with self._lock(), self._told(self.path):
            self.path.unlink(missing_ok=True)
            self._tidy()

    def _beside(self, ending: str) -> Path:
        name = self.path.name.removesuffix(".yaml")
        return self.path.with_name(f"{name}.{ending}" if self.test is None else f"{name}.{safe_name(self.test)}.{ending}")

    def _says_the_same(self, cassette: Cassette) -> bool:
        try:
            return differs_only_in_volatile(self.read(), cassette)
        except CassetteError:
            return False  # missing or broken: it is about to be replaced by a good one

    def _refuse_stranger(self) -> None:
        """Leave a cassette of VCR.py alone: pytest-recording keeps them in `cassettes/` too, for a test at the root under the very name of ours."""
        with contextlib.suppress(OSError), self.path.open("rb") as file:
            if file.read(len(_VCR)) == _VCR:
                hint = "Let it or ours lie elsewhere: the fixture vcr_cassette_dir, or ini wfreplay_cassette_dir."
                raise CassetteUnreadable(str(self.path), "it is a cassette of VCR.py, not one of ours", hint=hint)

    def _tidy(self) -> None:
        for path in (self.partial_path, self.failed_path):
            with self._told(path):
                if path.exists() and (path == self.failed_path or is_abandoned(path)):
                    path.unlink(missing_ok=True)

    def _put(self, path: Path, text: str, *, told: Path | None = None) -> None:
        refuse_leak(text, str(told or path), self._leak)
        target = Path(os.path.realpath(path))  # a linked cassette stays a link
        scratch = target.with_name(f".wfreplay-{_digest(self.path)}-{SystemClock().new_id()}.tmp")
        with self._told(told or path):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with open(scratch, "xb") as file:  # noqa: PTH123 - one way to open is enough
                    file.write(text.encode())
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(scratch, target)  # noqa: PTH105 - see above
            except BaseException:
                with contextlib.suppress(OSError):
                    scratch.unlink(missing_ok=True)
                raise

    @contextlib.contextmanager
    def _told(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = f"Make room or mend the rights of its folder, then record it again: {self.command}"
            raise CassetteUnreadable(str(path), f"it cannot be written: {error.strerror or error}", hint=hint) from error

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        with self._told(_lock_folder()):
            lock = FileLock(_lock_path(_digest(self.path)), timeout=_PATIENCE)
            try:
                lock.acquire()
            except Timeout:
                raise CassetteUnreadable(str(self.path), "another process has been writing it for 30 s", hint="End that process.") from None
        try:
            yield
        finally:
            lock.release()


def is_abandoned(partial: Path) -> bool:
    """Whether nobody is writing a sidecar any more (on this machine, and but for this very process)."""
    from filelock import Timeout

    lock = _presence(partial)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    lock.release()
    return True


def abandoned_command(partial: Path) -> str | None:
    """The command that records again what a sidecar has the rest of; None while it is being written, or where it is gone."""
    try:
        if not is_abandoned(partial):
            return None
        with partial.open(encoding="utf-8", errors="replace") as file:
            return str(json.loads(file.readline())["command"])
    except (FileNotFoundError, KeyError):
        return None  # or a store's: nobody's test recorded it
    except (OSError, ValueError, TypeError):
        return RECORD  # its first line was cut off, too


def sweep(paths: Iterable[Path]) -> None:
    """Remove those of the files that writers left which were killed while they wrote."""
    from filelock import FileLock, Timeout

    for path in paths:
        found = _SCRATCH.fullmatch(path.name)
        if found is not None:
            with contextlib.suppress(Timeout, OSError), FileLock(_lock_path(found[1]), blocking=False):
                path.unlink(missing_ok=True)


def _presence(partial: Path) -> BaseFileLock:
    """The lock that a sidecar's writer holds for as long as it lives: one in a process, whichever of its threads asks."""
    from filelock import FileLock

    return FileLock(_lock_path(_digest(partial)), is_singleton=True, thread_local=False)


def _lock_path(digest: str) -> Path:
    folder = _lock_folder()
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{digest}.lock"


def _lock_folder() -> Path:
    return Path(tempfile.gettempdir(), f"pytest-wfreplay-{os.getuid() if hasattr(os, 'getuid') else 'locks'}")


def _digest(path: Path) -> str:
    return hashlib.sha256(os.path.realpath(path).encode("utf-8", "surrogatepass")).hexdigest()[:32]

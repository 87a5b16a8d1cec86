"""A disk that is full, a folder that is read-only, a file in a folder's place: a clear error, the old cassette, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TEST = """
import os
from pytest_wfreplay import step

def test_it(wfreplay):
    for number in range(int(os.environ["STEPS"])):
        step.run(f"step-{number}", str, input="x" * 1000)
"""
#: No file may grow beyond 8 kB: what a full disk is to whoever writes, and it takes no mount.
FULL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
"""
#: Root may write everywhere, unless it gives that up.
HUMBLE = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def session(folder: Path, steps: int, *args: str, before: tuple[str, ...] = ()) -> tuple[int, str]:
    """A session of its own, and all that it says."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "WFREPLAY"))}
    environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "STEPS": str(steps), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
    command = [*before, sys.executable, "-m", "pytest", "-p", "pytest_wfreplay.plugin.hooks", "-p", "no:cacheprovider", *args]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a cassette."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(TEST)
    assert session(tmp_path, 1, "--record")[0] == 0
    return tmp_path


def kept(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in (folder / "cassettes").rglob("*") if path.is_file()}


@pytest.mark.skipif(sys.platform == "win32", reason="limits on files are POSIX'")
def test_a_full_disk_fails_the_test_and_keeps_the_old_cassette(folder: Path) -> None:
    before = kept(folder)
    (folder / "conftest.py").write_text(FULL)
    code, said = session(folder, 50, "--record")
    assert code == 1, said
    assert "cassettes/test_it/test_it.partial: it cannot be written: File too large" in said
    assert "hint: Make room or mend the rights of its folder" in said
    after = kept(folder)
    # What was recorded while there was room lies beside it, as that of any failed test.
    after.pop("cassettes/test_it/test_it.failed.yaml", None)
    assert after == before
    (folder / "conftest.py").unlink()
    assert session(folder, 50, "--record")[0] == 0
    assert list(kept(folder)) == ["cassettes/test_it/test_it.yaml"]


@pytest.mark.skipif(sys.platform == "win32", reason="rights of folders are POSIX'")
def test_a_folder_that_is_read_only_fails_the_test_and_keeps_the_old_cassette(folder: Path) -> None:
    before = kept(folder)
    is_root = os.getuid() == 0
    if is_root and shutil.which("setpriv") is None:
        # Nobody writes below a file, not even root.
        (folder / "cassettes").rename(folder / "kept")
        (folder / "cassettes").write_text("")
        expected = "Not a directory"
    else:
        (folder / "cassettes" / "test_it").chmod(0o555)
        expected = "Permission denied"
    try:
        code, said = session(folder, 2, "--record", before=tuple(HUMBLE) if is_root and expected == "Permission denied" else ())
    finally:
        if expected == "Permission denied":
            (folder / "cassettes" / "test_it").chmod(0o755)
        else:
            (folder / "cassettes").unlink()
            (folder / "kept").rename(folder / "cassettes")
    assert code == 1, said
    assert f"it cannot be written: {expected}" in said
    assert "hint: Make room or mend the rights of its folder" in said
    assert kept(folder) == before
    assert session(folder, 1)[0] == 0


def test_a_file_in_the_folders_place_is_named(folder: Path) -> None:
    shutil.rmtree(folder / "cassettes" / "test_it")
    (folder / "cassettes" / "test_it").write_text("mine")
    code, said = session(folder, 1, "--record")
    assert code == 1
    assert "CassetteUnreadable: cassettes/test_it/test_it" in said
    assert "it cannot be written" in said
    assert kept(folder) == {"cassettes/test_it": b"mine"}

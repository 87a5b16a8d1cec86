"""A report on disk: whole or not at all, and never with a secret in it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_wfreplay.clock import SystemClock
from pytest_wfreplay.recording.codec.leak import refuse_leak

if TYPE_CHECKING:
    from pytest_wfreplay.redact import Redactor


def write(path: Path, text: str, redactor: Redactor) -> None:
    """Write the text under a temporary name, and rename it: whoever reads sees what was there before or all of this.

    Raises:
        SecretLeakError: a secret still stands in it; nothing was written.
        OSError: the system does not let us.
    """
    refuse_leak(text, str(path), redactor.leaked_at)
    scratch = path.with_name(f".{SystemClock().new_id()}.tmp")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise


def file_asked(config: pytest.Config) -> Path | None:
    """The file of `--wfreplay-json`, below the folder in which pytest was started; its folder is made, now that somebody is there to be told.

    Raises:
        pytest.UsageError: no file can be written there.
    """
    option = config.getoption("wfreplay_json")
    if option is None or hasattr(config, "workerinput"):
        return None
    asked = str(option)
    path: Path = config.invocation_params.dir / asked
    if asked.strip() in ("", "-") or path.is_dir():
        raise pytest.UsageError(f"--wfreplay-json takes the name of a file, not {asked!r}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise pytest.UsageError(f"--wfreplay-json={asked} cannot be written: {error.strerror}: {error.filename}.") from None
    if not os.access(path.parent, os.W_OK):
        raise pytest.UsageError(f"--wfreplay-json={asked} cannot be written: {path.parent} is read-only.")
    return path

"""What all tests share: pytester, and a word to the continuous integration server."""

from __future__ import annotations

import os

pytest_plugins = ["pytester"]


def pytest_configure() -> None:
    """Our own suite must be able to record: many tests record into a temporary folder before they replay.

    `CI=true` is the product's lock on recording (a usage error for `--record`), and every pytest or script that a test starts inherits our
    environment. So the lock is taken off here, once; the tests of the lock itself set `CI` in the environment they hand down. `BUILD_NUMBER`
    goes with it: pytest reads both to decide how much of an assertion it shows, and we assert what people see.
    """
    for name in ("CI", "BUILD_NUMBER"):
        os.environ.pop(name, None)

"""Where a test's cassette lies, and how names that files cannot bear become names that they can.

1. A name is judged alone, never beside its neighbours: adding a test moves no other test's cassette.
2. Short, portable names whose parameter part has no upper-case letter are kept; every other becomes a readable slug and 8 hex digits
   of its SHA-256. So `a/b`, `a:b` and `a?b` are three files, and so are `[A]` and `[a]` where letter case does not count.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

#: Longer names are cut: with `.failed.yaml` behind them they must fit into 255 bytes, and into a line of a report.
LONGEST_NAME = 100

_LONGEST_SLUG = 80
_PORTABLE = re.compile(r"[A-Za-z0-9_.\-\[\]=,+ ]+")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9]) *(?:\..*)?", re.IGNORECASE | re.DOTALL)


def cassette_path(nodeid: str, *, testpaths: Sequence[str] = ()) -> PurePosixPath:
    """The cassette of a test, relative to the cassette folder: `billing/test_refund/TestCard.test_declined[visa].yaml`.

    `nodeid` is pytest's (its parameter part may hold `/` and `::`), `testpaths` are ini's, globs too: the first that matches is left out.
    """
    module, _, test = nodeid.partition("::")
    folders = _below_testpaths([part for part in module.split("/") if part not in ("", ".")], testpaths)
    if folders:
        folders[-1] = folders[-1].removesuffix(".py") or folders[-1]
    names, bracket, parameters = test.partition("[")
    stem = ".".join(names.split("::")) + bracket + parameters
    if not test:
        stem = folders.pop() if folders else ""
    return PurePosixPath(*map(safe_name, folders), f"{safe_name(stem)}.yaml")


def _below_testpaths(parts: list[str], testpaths: Sequence[str]) -> list[str]:
    for entry in testpaths:
        wanted = [part for part in entry.replace("\\", "/").split("/") if part not in ("", ".")]
        if len(wanted) < len(parts) and all(map(fnmatchcase, parts, wanted)):
            return parts[len(wanted) :]
        if len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted)):
            return parts[-1:]
    return parts


def safe_name(text: str) -> str:
    """The text where every file system takes it for a name of its own, else its slug and 8 hex digits of its SHA-256."""
    return text if _is_safe(text) else f"{slug(text)}-{_digits(text)}"


def _is_safe(text: str) -> bool:
    return (
        len(text) <= LONGEST_NAME
        and _PORTABLE.fullmatch(text) is not None
        and not text.endswith((".", " "))
        and not text.startswith(" ")
        and not _RESERVED.fullmatch(text)
        and not re.search("[A-Z]", text.partition("[")[2])
    )


def slug(text: str) -> str:
    """A readable, portable shadow of any text: at most 80 of `[A-Za-z0-9_.-]`, never empty, never a name that Windows keeps for itself."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    shadow = re.sub(r"[^A-Za-z0-9_.]+", "-", plain).strip("-.")[:_LONGEST_SLUG].rstrip("-.")
    shadow = re.sub(r"\.{2,}", ".", shadow)
    return f"_{shadow}" if not shadow or _RESERVED.fullmatch(shadow) else shadow


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]

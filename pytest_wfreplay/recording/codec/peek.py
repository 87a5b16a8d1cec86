"""What a cassette says of its recordings, without reading what they hold: for lists of many."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from pytest_wfreplay.errors import CassetteError
from pytest_wfreplay.recording.cassette import END, MARK
from pytest_wfreplay.recording.codec.text import decode

if TYPE_CHECKING:
    from pytest_wfreplay.recording.recording import RecordingMetadata

#: The first line of a run that says more than its metadata.
_BODY = re.compile(rf"\n(?:  (?:checkpoints|state|outcome|steps|signals|at_ms):|{END}\n)")
_TIMES = re.compile(rf"\n  at_ms: \[([^\]\n]*)\]\n{END}\n\Z")


def peek(source: bytes, *, path: str, max_bytes: int) -> list[RecordingMetadata]:
    """The metadata of each recording in a cassette; one in canonical form with a single run is not read further than its head.

    Raises:
        CassetteError: as `decode` does.
    """
    head = _head(source.decode("utf-8", "replace"), path)
    if head is not None and len(source) <= max_bytes:
        return [head]
    return [run.metadata for run in decode(source, path=path, max_bytes=max_bytes).runs]


def _head(text: str, path: str) -> RecordingMetadata | None:
    body, times = _BODY.search(text), _TIMES.search(text, max(0, text.rfind("\n  at_ms: ")))
    if (
        not text.startswith(MARK)
        or body is None
        or text.count("\n- ") != 1
        or not text.endswith(f"\n{END}\n")
        or (times is None and "\n  signals:" in text)
    ):
        return None
    try:
        runs = decode(f"{text[: body.start()]}\n{END}\n", path=path).runs
    except CassetteError:
        return None  # read whole, it says what is wrong and on which line
    count = times[1].count(",") + 1 if times is not None else 0
    return dataclasses.replace(runs[0].metadata, signal_count=count) if len(runs) == 1 else None

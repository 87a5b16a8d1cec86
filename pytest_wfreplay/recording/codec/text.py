"""A cassette as text and back: lossless, canonical, read at JSON speed where it is canonical and by YAML where a hand has been at it."""

from __future__ import annotations

import contextlib
import gc
import re
from typing import TYPE_CHECKING

from pytest_wfreplay.errors import CassetteEmpty, CassetteTruncated, CassetteUnreadable
from pytest_wfreplay.jsonable import same
from pytest_wfreplay.recording.cassette import END, MARK, MAX_BYTES, RECORD, Cassette
from pytest_wfreplay.recording.codec.place import Place
from pytest_wfreplay.recording.codec.read import read_canonical
from pytest_wfreplay.recording.codec.runs import run_of, stable_run
from pytest_wfreplay.recording.codec.shape import cassette_of
from pytest_wfreplay.recording.codec.write import cassette_text
from pytest_wfreplay.recording.codec.yaml_text import load_yaml
from pytest_wfreplay.recording.upgrade import refuse_newer, upgraded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_wfreplay.jsonable import JSON

_FORMAT = re.compile(r"\A#[^\n]*\nformat: (\d{1,9})$", re.MULTILINE)

_LAST = f"\n{END}\n"
_END = re.compile(rf"\n{END}[ \t]*(?:\n|\Z)")


def encode(cassette: Cassette, *, command: str = RECORD) -> str:
    """The cassette's canonical text; `command` is what records it again.

    Raises:
        NotJsonError: a lone surrogate, NaN or an infinity is in it.
    """
    with _without_collecting():
        return cassette_text(map(run_of, cassette.runs), command)


def decode(source: str | bytes, *, path: str, max_bytes: int = MAX_BYTES) -> Cassette:
    """The cassette that a text is. `path` is only named in errors.

    Raises:
        CassetteEmpty: nothing is in it.
        CassetteTruncated: it begins as ours and has no end.
        CassetteVersionError: a newer version of this package wrote it.
        CassetteUnreadable: it is larger than `max_bytes`, not UTF-8, not YAML, or not the shape of a cassette.
    """
    text = _text(source, path, max_bytes)
    _refuse_parts(text, path)
    with _without_collecting():
        data: JSON = read_canonical(text)
        if data is None:
            data = load_yaml(text, path)
        place = Place(path, text)
        if not isinstance(data, dict):
            raise place.wrong("an object with format, runs", data)
        return cassette_of(upgraded(data, path), place)


def differs_only_in_volatile(old: Cassette, new: Cassette) -> bool:
    """Whether the two say the same but for when they were recorded: then the old file stays as it is, byte for byte."""
    if len(old.runs) != len(new.runs):
        return False
    return all(same(stable_run(one), stable_run(other)) for one, other in zip(old.runs, new.runs, strict=True))


def _text(source: str | bytes, path: str, max_bytes: int) -> str:
    # A text of ASCII has as many bytes as characters.
    size = len(source if isinstance(source, bytes) or source.isascii() else source.encode("utf-8", "surrogatepass"))
    if size > max_bytes:
        hint = "Record less, or raise max_bytes where the cassette is read."
        raise CassetteUnreadable(path, f"{size} bytes, and the limit (max_bytes) is {max_bytes}", hint=hint)
    if isinstance(source, bytes):
        try:
            source = source.decode("utf-8")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise CassetteUnreadable(path, f"not UTF-8: {error.reason}", line=line) from None
    return source.removeprefix("\ufeff").replace("\r\n", "\n") if "\r" in source or not source.isascii() else source  # editors and git on Windows


def _refuse_parts(text: str, path: str) -> None:
    if not text or text.isspace():
        raise CassetteEmpty(path, "the file is empty")
    version = _FORMAT.match(text)
    if version is not None:
        refuse_newer(int(version[1]), path)
    if text.endswith(_LAST):
        return
    is_ours = text.startswith(MARK) or MARK.startswith(text.rstrip())
    if is_ours and not _END.search(text):
        line = text.rstrip().count("\n") + 1
        raise CassetteTruncated(
            path, f"its end is missing (the last line, {END!r})", line=line, hint="Restore it from git, or record it again with pytest --record."
        )


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """Hundreds of thousands of new objects and no garbage among them: looking for it would take longer than the work."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

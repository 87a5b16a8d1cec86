"""Where in a cassette something stands, and the error that says what should have stood there."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_wfreplay.errors import CassetteUnreadable
from pytest_wfreplay.recording.codec.yaml_text import line_of

_LONGEST = 60


@dataclass(slots=True)
class Place:
    """A value in the file at `path`: `text` is the whole file, `keys` lead from its top to the value.

    Never changed; not frozen, because several are made for each recording, and a frozen one takes three times as long to make.
    """

    path: str
    text: str
    keys: tuple[str | int, ...] = ()

    def at(self, *keys: str | int) -> Place:
        """The place to which the keys lead from this one."""
        return Place(self.path, self.text, (*self.keys, *keys))

    def wrong(self, expected: str, found: object) -> CassetteUnreadable:
        """The error to raise: what was expected here and what was found. The file is walked again to find the line; that is rare."""
        shown = repr(found)
        shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
        return CassetteUnreadable(self.path, f"{self._name()}: expected {expected}, found {shown}", line=line_of(self.text, self.keys))

    def _name(self) -> str:
        name = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.keys)
        return name.removeprefix(".") or "the file"

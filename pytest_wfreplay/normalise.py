"""Volatile values get steady names: the first uuid of a run is `<uuid-1>` wherever it stands, today and tomorrow.

1. The same value has the same name through one normaliser's life; another value has another name.
2. Idempotent: a name holds nothing that would be named again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from typing import Final

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import JSON

# None of these looks at its neighbours (no \b, no lookaround): a name put beside a value must not change whether it is one.
_SHAPES: Final = {
    "temp_path": (
        r"(?:/private)?/(?:tmp|var/tmp|var/folders)/[^\s\"'<>|:;,)\]}]*[^\s\"'<>|:;,.)\]}]"
        r"|[A-Za-z]:\\(?:Users\\[^\\\s]+\\AppData\\Local\\Temp|Windows\\Temp|Temp)\\[^\s\"'<>|:*?;,)\]}]*[^\s\"'<>|:*?;,.)\]}]"
    ),
    "uuid": r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
    "timestamp": r"[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9](?::[0-6][0-9](?:[.,][0-9]+)?)?(?:[Zz]|[+-][0-2][0-9]:?[0-5][0-9])?",
    "port": r"(?P<host>localhost|127\.[0-9]+\.[0-9]+\.[0-9]+|0\.0\.0\.0|\[::1?\]):[0-9]{1,5}",
}


class Normaliser:
    """Gives volatile values steady names; one normaliser lives as long as one recording.

    `kinds` are some of `uuid`, `timestamp` (ISO-8601 date and time), `temp_path` and `port` (of this machine: `localhost:53412`). Raises
    `ConfigurationError` for another.
    """

    __slots__ = ("_counts", "_names", "_regex")

    def __init__(self, kinds: Collection[str] = ()) -> None:
        unknown = [kind for kind in kinds if kind not in _SHAPES]
        if isinstance(kinds, str) or unknown:
            raise ConfigurationError(f"Unknown kinds of volatile values: {unknown or kinds!r}.", hint=f"There are: {', '.join(sorted(_SHAPES))}.")
        wanted = [f"(?P<{kind}>{shape})" for kind, shape in _SHAPES.items() if kind in kinds]
        self._regex = re.compile("|".join(wanted)) if wanted else None
        self._names: dict[tuple[str, str], str] = {}
        self._counts: Counter[str] = Counter()

    def text(self, text: str) -> str:
        """The text with steady names for its volatile values; the same object where it has none."""
        if self._regex is None or self._regex.search(text) is None:
            return text
        return self._regex.sub(self._named, text)

    def json(self, value: JSON) -> JSON:
        """The value with steady names in all its texts and keys; the same object where it has nothing volatile."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            items = [self.json(item) for item in value]
            return value if all(one is other for one, other in zip(items, value, strict=True)) else items
        if isinstance(value, dict):
            pairs = [(self.text(key), self.json(item)) for key, item in value.items()]
            unchanged = all(name is key and new is item for (name, new), (key, item) in zip(pairs, value.items(), strict=True))
            return value if unchanged else dict(pairs)
        return value

    def _named(self, match: re.Match[str]) -> str:
        kind = next(kind for kind in _SHAPES if kind in match.re.groupindex and match[kind] is not None)
        if kind == "port":
            host, _, port = match[kind].rpartition(":")
            return f"{host}:{self._name(kind, port)}"
        return self._name(kind, match[kind].lower() if kind == "uuid" else match[kind])

    def _name(self, kind: str, value: str) -> str:
        if (kind, value) not in self._names:
            self._counts[kind] += 1
            self._names[kind, value] = f"<{kind}-{self._counts[kind]}>"
        return self._names[kind, value]

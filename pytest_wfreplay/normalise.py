"""Volatile values get steady names: the first uuid of a run is `<uuid-1>` wherever it stands, today and tomorrow.

1. The same value has the same name through one normaliser's life; another value has another name.
2. Idempotent: a name holds nothing that would be named again.
3. A replay makes values of its own. Which is which is not counted (side by side, who comes first is luck) but read off: where one stands in this
   run's input, a name stands in the recorded one. Two values never are one name; only timestamps may: two moments can be one tick of a clock.
4. What a step gave under a name that is this run's own value is given to the run as that value, so that an echo is an echo.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import JSON, same

_NAME: Final = r"<(?:uuid|timestamp|temp_path|port)-[0-9]+>"

# None of these looks at its neighbours (no \b, no lookaround): a name put beside a value must not change whether it is one.
_SHAPES: Final = {
    "temp_path": (
        rf"(?:/private)?/(?:tmp|var/tmp|var/folders)/(?:[^\s\"'<>|:;,)\]}}]|{_NAME})*(?:[^\s\"'<>|:;,.)\]}}]|{_NAME})"
        r"|[A-Za-z]:\\(?:Users\\[^\\\s]+\\AppData\\Local\\Temp|Windows\\Temp|Temp)\\[^\s\"'<>|:*?;,)\]}]*[^\s\"'<>|:*?;,.)\]}]"
    ),
    "uuid": r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
    "timestamp": r"[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9](?::[0-6][0-9](?:[.,][0-9]+)?)?(?:[Zz]|[+-][0-2][0-9]:?[0-5][0-9])?",
    "port": r"(?P<host>localhost|127\.[0-9]+\.[0-9]+\.[0-9]+|0\.0\.0\.0|\[::1?\]):[0-9]{1,5}",
}

KINDS: Final = tuple(sorted(_SHAPES))

#: Typed values that must be readable where a name stands for them: tag -> kind.
_TYPED: Final = {"$uuid": "uuid", "$datetime": "timestamp"}

_STEADY_UUID: Final = re.compile(r"00000000-0000-4000-8000-([0-9]{12})")
_STEADY_DAY: Final = dt.datetime(2000, 1, 1, microsecond=424242, tzinfo=dt.UTC)
_STEADY_TIME: Final = re.compile(r"(2000-[01][0-9]-[0-3][0-9])[T ]([0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.424242)(?:[+-][0-2][0-9]:[0-5][0-9])?")


class _Volatile(NamedTuple):
    """A volatile value in a text, or the name of one."""

    kind: str
    text: str

    @property
    def value(self) -> str:
        """What makes it another one."""
        return self.text.lower() if self.kind == "uuid" else self.text

    @property
    def is_name(self) -> bool:
        return self.text.startswith("<")


@dataclass(slots=True)
class _Names:
    """Who is called what. A name whose owner is itself was given to the run by a step."""

    of: dict[tuple[str, str], str] = field(default_factory=dict)
    #: Name -> its value, as it was first spelled.
    owners: dict[str, str] = field(default_factory=dict)


class Normaliser:
    """Gives volatile values steady names; one normaliser lives as long as one cassette is recorded or replayed.

    `kinds` are some of `uuid`, `timestamp` (ISO-8601 date and time), `temp_path` and `port` (of this machine: `localhost:53412`). Raises
    `ConfigurationError` for another.
    """

    __slots__ = ("_counts", "_known", "_lock", "_new", "_regex", "kinds")

    def __init__(self, kinds: Collection[str] = ()) -> None:
        self.kinds: tuple[str, ...] = ()
        self._regex: re.Pattern[str] | None = None
        self._counts: Counter[str] = Counter()
        self._lock = threading.RLock()
        #: What is certain, and names that were counted: those give way to what a recording says.
        self._known, self._new = _Names(), _Names()
        if kinds:
            self.add(kinds)

    def add(self, kinds: Collection[str]) -> None:
        """Name these kinds too, from now on. Raises `ConfigurationError` for an unknown one."""
        unknown = [kind for kind in kinds if kind not in _SHAPES]
        if isinstance(kinds, str) or unknown:
            raise ConfigurationError(f"Unknown kinds of volatile values: {unknown or kinds!r}.", hint=f"There are: {', '.join(KINDS)}.")
        self.kinds = tuple(kind for kind in _SHAPES if kind in kinds or kind in self.kinds)
        wanted = [f"(?P<{kind}>{_SHAPES[kind]})" for kind in self.kinds]
        self._regex = re.compile("|".join([*wanted, rf"(?P<name>{_NAME})"])) if wanted else None

    @property
    def named(self) -> Counter[str]:
        """How many values of each kind have a name."""
        return Counter(kind for kind, _ in {**self._new.of, **self._known.of})

    def text(self, text: str) -> str:
        """The text with steady names for its volatile values; the same object where it has none."""
        return self._told(text, self._known)

    def json(self, value: JSON) -> JSON:
        """The value with steady names in all its texts and keys; the same object where it has nothing volatile."""
        if self._regex is None:
            return value
        return self._json_by(self._known)(value)

    def take(self, value: JSON) -> None:
        """The names in a recorded value are taken: no new value is called so."""
        self._mapped(value, self._taken, lambda _, text: self._taken(text))

    def agreed(self, recorded: JSON, current: JSON) -> JSON:
        """`current` with the names that stand in `recorded` where its own values stand; if that makes them equal, the names stay."""
        if self._regex is None:
            return current
        with self._lock:
            guess = _Names(dict(self._known.of), dict(self._known.owners))
            named = self._aligned(recorded, current, guess)
            if same(recorded, named):
                self._known = guess
            return named

    def recalled(self, value: JSON) -> JSON:
        """What a step gave, with this run's own values under their names; names of other values are from now on that step's."""
        if self._regex is None:
            return value
        with self._lock:
            return self._mapped(value, lambda text: self._each(text, self._owner), self._given_back)

    def _mapped(self, value: JSON, text: Callable[[str], str], typed: Callable[[str, str], str]) -> JSON:
        """A copy with other texts and keys, those of typed values by `typed`; the same object where nothing is another."""
        if self._regex is None:
            return value
        if isinstance(value, str):
            return text(value)
        if isinstance(value, list):
            items = [self._mapped(item, text, typed) for item in value]
            return value if all(one is other for one, other in zip(items, value, strict=True)) else items
        if isinstance(value, dict):
            if (tagged := self._typed(value)) is not None:
                tag, kind, spelled = tagged
                new = typed(kind, spelled)
                return value if new == spelled else {tag: new}
            pairs = [(text(key), self._mapped(item, text, typed)) for key, item in value.items()]
            unchanged = all(name is key and new is item for (name, new), (key, item) in zip(pairs, value.items(), strict=True))
            return value if unchanged else dict(pairs)
        return value

    def _typed(self, value: dict[str, JSON]) -> tuple[str, str, str] | None:
        """Tag, kind and spelling of a typed value that is volatile."""
        if len(value) != 1:
            return None
        [(tag, spelled)] = value.items()
        kind = _TYPED.get(tag)
        return (tag, kind, spelled) if kind in self.kinds and kind is not None and isinstance(spelled, str) else None

    def _split(self, text: str) -> tuple[list[str], list[_Volatile]]:
        """What stands between the volatile values of a text, and these: one fewer."""
        between, values, end = [], [], 0
        for match in self._regex.finditer(text) if self._regex is not None else ():
            kind = next(kind for kind in (*self.kinds, "name") if match[kind] is not None)
            start = match.start() + len(match["host"]) + 1 if kind == "port" else match.start()
            found = text[start : match.end()]
            between.append(text[end:start])
            values.append(_Volatile(found[1:].rpartition("-")[0] if kind == "name" else kind, _name_of_steady(kind, found) or found))
            end = match.end()
        return [*between, text[end:]], values

    def _told(self, text: str, known: _Names) -> str:
        return self._each(text, lambda value: self._name(value, known))

    def _each(self, text: str, called: Callable[[_Volatile], str]) -> str:
        if self._regex is None or self._regex.search(text) is None:
            return text
        between, values = self._split(text)
        told = _joined(between, [called(value) for value in values])
        return text if told == text else told

    def _name(self, value: _Volatile, known: _Names) -> str:
        """The name of a value: the certain one, the one counted before, or the next."""
        if value.is_name:
            self._taken(value.text)
            return value.text
        asked = value.kind, value.value
        name = known.of.get(asked) or self._new.of.get(asked)
        if name is None:
            with self._lock:
                if asked not in self._new.of:
                    self._counts[value.kind] += 1
                    self._new.of[asked] = f"<{value.kind}-{self._counts[value.kind]}>"
                    self._new.owners[self._new.of[asked]] = value.text
                name = self._new.of[asked]
        return name

    def _steady(self, kind: str, spelled: str, known: _Names) -> str:
        """A typed value's spelling under its name: one that can be read."""
        return _steady_of(self._name(_Volatile(kind, _name_of_steady(kind, spelled) or spelled), known), spelled)

    def _taken(self, text: str) -> str:
        for value in self._split(text)[1]:
            if value.is_name and value.text not in self._new.owners:
                self._counts[value.kind] = max(self._counts[value.kind], int(value.text[1:-1].rpartition("-")[2]))
        return text

    def _given_back(self, kind: str, spelled: str) -> str:
        name = _name_of_steady(kind, spelled)
        owner = None if name is None else self._owner(_Volatile(kind, name))
        return spelled if owner is None or owner == name else owner

    def _owner(self, value: _Volatile) -> str:
        """This run's value of that name. Where it has none, the name (or value) stands for itself from now on."""
        return self._known.owners.setdefault(value.text, value.text)

    def _aligned(self, recorded: JSON, current: JSON, guess: _Names) -> JSON:
        if isinstance(recorded, str) and isinstance(current, str):
            return self._aligned_text(recorded, current, guess)
        if isinstance(recorded, list) and isinstance(current, list):
            rest = current[len(recorded) :]
            return [*(self._aligned(one, other, guess) for one, other in zip(recorded, current, strict=False)), *map(self._json_by(guess), rest)]
        if isinstance(recorded, dict) and isinstance(current, dict):
            before, now = self._typed(recorded), self._typed(current)
            if before is not None and now is not None and before[1] == now[1]:
                return {now[0]: self._aligned_typed(before[2], now[2], now[1], guess)}
            if before is None and now is None:
                return self._aligned_dict(recorded, current, guess)
        return self._json_by(guess)(current)

    def _aligned_dict(self, recorded: dict[str, JSON], current: dict[str, JSON], guess: _Names) -> JSON:
        """Keys that only one side has are paired in their order: they may be values themselves."""
        others = iter([key for key in recorded if key not in current])
        named: dict[str, JSON] = {}
        for key, item in current.items():
            twin = key if key in recorded else next(others, None)
            if twin is None:
                named[self._told(key, guess)] = self._json_by(guess)(item)
            else:
                named[self._aligned_text(twin, key, guess)] = self._aligned(recorded[twin], item, guess)
        return named

    def _aligned_typed(self, recorded: str, current: str, kind: str, guess: _Names) -> str:
        was, now = (_Volatile(kind, _name_of_steady(kind, spelled) or spelled) for spelled in (recorded, current))
        name = self._paired(was, now, guess)
        return recorded if name == was.text else _steady_of(name, current)

    def _aligned_text(self, recorded: str, current: str, guess: _Names) -> str:
        before, was = self._split(recorded)
        between, values = self._split(current)
        if not values:
            return current
        if before != between or [value.kind for value in was] != [value.kind for value in values]:
            return self._told(current, guess)
        return _joined(between, [self._paired(one, other, guess) for one, other in zip(was, values, strict=True)])

    def _paired(self, was: _Volatile, now: _Volatile, guess: _Names) -> str:
        """The name of this run's value, which stands where `was` stood: that one, unless one of them belongs to another."""
        self._taken(was.text)
        if now.text == was.text or now.is_name:
            return now.text
        asked = now.kind, now.value
        if asked not in guess.of and was.text not in guess.owners:
            guess.of[asked] = was.text
            guess.owners[was.text] = now.text
        if now.kind == "timestamp" or guess.of.get(asked) == was.text:
            return was.text
        return self._name(now, guess)

    def _json_by(self, guess: _Names) -> Callable[[JSON], JSON]:
        return lambda value: self._mapped(value, lambda text: self._told(text, guess), lambda kind, text: self._steady(kind, text, guess))


def _joined(between: list[str], values: list[str]) -> str:
    return "".join(part for pair in zip(between, values, strict=False) for part in pair) + between[-1]


def _steady_of(name: str, spelled: str) -> str:
    """The readable value that stands for a name, told apart from others by its number; of a time with the offset that it had."""
    number = int(name[1:-1].rpartition("-")[2]) if name.startswith("<") else 0
    if not number:
        return name
    if name.startswith("<uuid"):
        return f"00000000-0000-4000-8000-{number:012}"
    offset = re.search(r"[+-][0-9]{2}:[0-9]{2}$", spelled)
    return (_STEADY_DAY + dt.timedelta(seconds=number)).isoformat()[:-6] + (offset[0] if offset else "")


def _name_of_steady(kind: str, spelled: str) -> str | None:
    """The name that a readable value stands for, None for any other value."""
    if kind == "uuid" and (steady := _STEADY_UUID.fullmatch(spelled)):
        return f"<uuid-{int(steady[1])}>"
    if kind == "timestamp" and (steady := _STEADY_TIME.fullmatch(spelled)):
        number = (dt.datetime.fromisoformat(f"{steady[1]}T{steady[2]}Z") - _STEADY_DAY) // dt.timedelta(seconds=1)
        return f"<timestamp-{number}>" if number > 0 else None
    return None

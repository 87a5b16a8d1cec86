"""Secrets out: what must never reach the disk becomes one placeholder, the same whatever the value.

1. Idempotent: what was redacted stays as it is. The placeholder (and any replacement text) is an atom that no rule looks into.
2. Complete: rules are applied until nothing is left for them to find. A known value is found in every spelling that text gives it.
3. What holds no secret is the same object afterwards, and costs one scan.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from operator import is_ as _is
from typing import Final

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.secret_shapes import SHAPES, has_named_values, is_header, is_secret_key, shapes_in, without_named_values
from pytest_wfreplay.secret_values import SHORTEST_SECRET, as_base64, in_base64, is_login, kernel, leaked, number_spelled, spelled

PLACEHOLDER: Final = "[redacted]"

_SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")


def known_secrets(environ: Mapping[str, str]) -> frozenset[str]:
    """The values (8 characters or more) of the environment variables whose name says KEY, TOKEN, SECRET, PASSWORD or CREDENTIAL."""
    values = {value.strip() for name, value in environ.items() if any(word in name.upper() for word in _SECRET_NAMES)}
    return frozenset(value for value in values if len(value) >= SHORTEST_SECRET)


@dataclass(frozen=True, slots=True)
class Rule:
    """A user's own rule: what the regular expression finds becomes `replacement`, literally; or a function from text to text."""

    pattern: str | re.Pattern[str] | Callable[[str], str]
    replacement: str = PLACEHOLDER

    def __post_init__(self) -> None:
        if not isinstance(self.replacement, str):
            raise ConfigurationError(f"A replacement is a text, not {self.replacement!r}.", hint='Leave it out, or pass one such as "<name>".')
        if isinstance(self.pattern, str):
            try:
                object.__setattr__(self, "pattern", re.compile(self.pattern))
            except re.error as error:
                raise ConfigurationError(f"Not a regular expression to redact by: {self.pattern!r} ({error}).") from error
        elif not isinstance(self.pattern, re.Pattern) and not callable(self.pattern):
            raise ConfigurationError(
                f"Not something to redact by: {self.pattern!r}.", hint="Pass a regular expression or a function from text to text."
            )

    @property
    def literal(self) -> str | None:
        """The one text that this rule finds, where it is no more than that, and long enough to be a secret."""
        if not isinstance(self.pattern, re.Pattern) or self.pattern.flags & re.IGNORECASE:
            return None
        plain = re.sub(r"\\([^A-Za-z0-9])", r"\1", self.pattern.pattern)
        return plain if len(plain) >= SHORTEST_SECRET and re.escape(plain) == re.escape(self.pattern.pattern.replace("\\", "")) else None

    def apply(self, text: str) -> str:
        """The text without what this rule finds.

        Raises:
            ConfigurationError: the user's function gives something else than a text.
        """
        if isinstance(self.pattern, re.Pattern):
            return self.pattern.sub(lambda match: self.replacement if match.group() else "", text)
        assert callable(self.pattern)  # noqa: S101 - by birth
        found: object = self.pattern(text)
        if not isinstance(found, str):
            raise ConfigurationError(
                f"A redactor gave {type(found).__name__}, not a text.", hint="A function that redacts takes a text and gives one."
            )
        return found


class _Texts(set[str]):
    """The texts that came lately: about four million characters of them."""

    __slots__ = ("_length",)
    _length: int

    def add(self, text: str) -> None:
        """Remember a text, and forget all others when there are too many."""
        length = getattr(self, "_length", 0) + len(text) + _OVERHEAD
        if length > _MOST_CHARACTERS:
            self.clear()
            length = 0
        self._length = length
        super().add(text)


#: What remembering a text costs besides its characters, and how many are remembered.
_OVERHEAD, _MOST_CHARACTERS = 100, 4_000_000


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes secrets out of JSON and text: token shapes, secret keys, the known values, and what the user's rules find.

    `known` are values to look for (`known_secrets` finds them), `rules` come after the built-in ones.
    """

    known: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()
    _atoms: re.Pattern[str] = field(init=False, repr=False, compare=False)
    #: The known values, the longest first, each with what of it stands in every spelling.
    _sought: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    _numbers: frozenset[str] = field(init=False, repr=False, compare=False)
    #: A text with fewer characters holds nothing.
    _shortest: int = field(init=False, repr=False, compare=False)
    #: The keys that were looked at: what each becomes, and whether its value is a secret.
    _keys: dict[str, tuple[str, bool]] = field(init=False, repr=False, compare=False, default_factory=dict)

    #: Texts that hold nothing: what one speaker said is told by several signals.
    _clean: _Texts = field(init=False, repr=False, compare=False, default_factory=_Texts)

    def __post_init__(self) -> None:
        known = frozenset(value for value in self.known if value)
        atoms = {PLACEHOLDER, *(rule.replacement for rule in self.rules if isinstance(rule.pattern, re.Pattern) and rule.replacement)}
        object.__setattr__(self, "known", known)
        object.__setattr__(self, "_atoms", re.compile("(" + "|".join(map(re.escape, _longest_first(atoms))) + ")"))
        object.__setattr__(self, "_sought", tuple((value, kernel(value)) for value in _longest_first(known)))
        object.__setattr__(self, "_numbers", frozenset(filter(None, map(number_spelled, known))))
        object.__setattr__(self, "_shortest", 0 if self.rules else min([SHORTEST_SECRET, *map(len, known)]))

    def with_rule(self, pattern: str | re.Pattern[str] | Callable[[str], str], replacement: str = PLACEHOLDER) -> Redactor:
        """A redactor with one rule more. Raises `ConfigurationError` for a pattern that is none."""
        return Redactor(self.known, (*self.rules, Rule(pattern, replacement)))

    def knowing(self, values: Collection[str]) -> Redactor:
        """A redactor that looks for these values, too; this one where it does so already."""
        return self if self.known.issuperset(values) else Redactor(self.known.union(values), self.rules)

    def text(self, text: str) -> str:
        """The text without its secrets; the same object where it has none.

        Raises:
            ConfigurationError: the user's rules never settle, each finding something in what the other left.
        """
        if len(text) < self._shortest or text in self._clean:
            return text
        if not self.rules and not self._may_hold(text):
            self._clean.add(text)
            return text
        before = text
        for _ in range(_MOST_ROUNDS):
            after = self._once(before)
            if after == before:
                return text if after == text else after
            before = after
        raise ConfigurationError(
            f"The redaction rules never settle: after {_MOST_ROUNDS} rounds they still change the text.",
            hint="A function given to add_redactor must leave alone what it has redacted.",
        )

    def json(self, value: JSON) -> JSON:
        """The value without its secrets; the same object where it has none. Keys are looked at as text and as names of secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self._dict(value, hidden=False)
        if isinstance(value, list):
            redacted = [self.json(item) for item in value] if not _is_header_pair(value) else [value[0], self.hidden(value[1])]
            return value if all(map(_is, redacted, value)) else redacted
        if self._numbers and str(value) in self._numbers:
            return PLACEHOLDER
        return value

    def hidden(self, value: JSON) -> JSON:
        """What stands under a secret key: everything goes but null and the shape of containers."""
        if value is None or value == PLACEHOLDER:
            return value
        if isinstance(value, dict):
            return self._dict(value, hidden=True)
        if isinstance(value, list):
            redacted = [self.hidden(item) for item in value]
            return value if all(map(_is, redacted, value)) else redacted
        return PLACEHOLDER

    def leaks(self, text: str) -> str | None:
        """What kind of secret still stands in the text of a file, never its value; None where there is none."""
        if self.leaked_at(text) is not None:
            return "the value of a known secret"
        raw = "\n".join(self._atoms.split(text)[::2])
        regex = self._searched_in(raw, frozenset())
        match = None if regex is None else regex.search(raw)
        return None if match is None else _shape_of(match)

    def leaked_at(self, text: str) -> int | None:
        """Where in the text of a file a known value still stands, as itself or as JSON and YAML spell it; None where there is none.

        Looked for are `known`, and the rules that say no more than one text.
        """
        literals = [rule.literal for rule in self.rules]
        return leaked(text, frozenset([*self.known, *(one for one in literals if one is not None)]))

    def _once(self, text: str) -> str:
        said = in_base64(text)
        if said is not None and (clean := self.text(said)) != said:
            return as_base64(clean)
        if "asic " in text:
            text = _LOGIN.sub(lambda found: PLACEHOLDER if is_login(found[0]) else found[0], text)
        if has_named_values(text):
            text = without_named_values(text, PLACEHOLDER)
        for rule in (self._built_in, *(rule.apply for rule in self.rules)):
            pieces = self._atoms.split(text)
            pieces[::2] = [rule(piece) if piece else piece for piece in pieces[::2]]
            text = "".join(pieces)
        return text

    def _built_in(self, text: str) -> str:
        regex = self._searched_in(text, self.known)
        return text if regex is None else regex.sub(_replaced, text)

    def _may_hold(self, text: str) -> bool:
        return any(part in text for _, part in self._sought) or bool(shapes_in(text)) or has_named_values(text) or self._may_encode(text)

    def _may_encode(self, text: str) -> bool:
        return "asic " in text or ((said := in_base64(text)) is not None and self._may_hold(said))

    def _searched_in(self, text: str, known: frozenset[str]) -> re.Pattern[str] | None:
        """One regular expression for what may stand in this text: all shapes at once cost twenty times what a few substrings do."""
        shapes = shapes_in(text)
        present = tuple(value for value, part in self._sought if part in text) if known else ()
        return _combined(present, shapes) if present or shapes else None

    def _dict(self, value: dict[str, JSON], *, hidden: bool) -> JSON:
        if hidden and len(value) == 1 and next(iter(value)).startswith("$"):
            return PLACEHOLDER  # a typed value: its tag around a placeholder could not be read again
        named = None if hidden else _named_value(value)
        redacted: dict[str, JSON] = {}
        changed = False
        for key, item in value.items():
            clean, is_secret = self._keys.get(key) or self._looked_at(key)
            name = self._unused(clean, redacted)
            new = self.hidden(item) if hidden or is_secret or key == named else self.json(item)
            changed = changed or new is not item or name is not clean or clean != key
            redacted[name] = new
        return redacted if changed else value

    def _looked_at(self, key: str) -> tuple[str, bool]:
        if len(self._keys) > _MOST_KEYS:
            self._keys.clear()
        answer = self._keys[key] = (self.text(key), is_secret_key(key))
        return answer

    @staticmethod
    def _unused(name: str, taken: Mapping[str, JSON]) -> str:
        """Two secrets as keys of one dict stay two keys."""
        if name not in taken:
            return name
        return next(other for other in (f"{name}#{number}" for number in count(2)) if other not in taken)


_MOST_ROUNDS: Final = 20
#: What may be a user and a password in a header.
_LOGIN: Final = re.compile(r"(?<=[Bb]asic )[A-Za-z0-9+/]{8,}={0,2}(?![A-Za-z0-9+/=])")
_MOST_KEYS: Final = 10_000
_PAIR: Final = 2


def _is_header_pair(value: list[JSON]) -> bool:
    """Whether it is a header as HTTP libraries list them: `["authorization", "Basic …"]`."""
    return len(value) == _PAIR and isinstance(value[0], str) and isinstance(value[1], str) and is_header(value[0])


def _named_value(value: dict[str, JSON]) -> str | None:
    """The key of what is a secret because another key names it: `{"name": "authorization", "value": "Basic …"}`."""
    if "value" not in value:
        return None
    name = value.get("name") or value.get("key")
    return "value" if isinstance(name, str) and is_secret_key(name) else None


@lru_cache(maxsize=256)
def _combined(known: tuple[str, ...], shapes: tuple[int, ...]) -> re.Pattern[str]:
    alternatives = [spelled(value) for value in known]
    alternatives += [f"(?P<shape_{at}>{SHAPES[at].regex.replace('(?P<lead>', f'(?P<lead_{at}>')})" for at in shapes]
    return re.compile("|".join(alternatives), re.DOTALL)


def _replaced(match: re.Match[str]) -> str:
    leads = (found for name, found in match.groupdict().items() if found is not None and name.startswith("lead_"))
    return next(leads, "") + PLACEHOLDER


def _shape_of(match: re.Match[str]) -> str:
    return next(SHAPES[int(name.removeprefix("shape_"))].name for name, found in match.groupdict().items() if found is not None and name[0] == "s")


def _longest_first(texts: Collection[str]) -> list[str]:
    return sorted(texts, key=lambda text: (-len(text), text))

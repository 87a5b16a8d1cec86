"""Secrets out: what must never reach the disk becomes one placeholder, the same whatever the value.

1. Idempotent: what was redacted stays as it is. The placeholder (and any replacement text) is an atom that no rule looks into.
2. Complete: rules are applied until nothing is left for them to find.
3. What holds no secret is the same object afterwards, and costs one scan.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, count
from operator import is_ as _is
from typing import Final, NamedTuple

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import JSON

PLACEHOLDER: Final = "[redacted]"

#: A known value shorter than this is too likely to be an innocent word.
SHORTEST_SECRET: Final = 8

_SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")


def known_secrets(environ: Mapping[str, str]) -> frozenset[str]:
    """The values (8 characters or more) of the environment variables whose name says KEY, TOKEN, SECRET, PASSWORD or CREDENTIAL."""
    values = {value.strip() for name, value in environ.items() if any(word in name.upper() for word in _SECRET_NAMES)}
    return frozenset(value for value in values if len(value) >= SHORTEST_SECRET)


class Shape(NamedTuple):
    """What a service's tokens look like. Where one stands, one of the `markers` stands too: text without any is not searched."""

    name: str
    markers: tuple[str, ...]
    regex: str


_SHAPES: Final = (
    Shape("PEM block", ("-----BEGIN ",), r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)"),
    Shape("Anthropic key", ("sk-",), r"sk-ant-[A-Za-z0-9_-]{8,}"),
    Shape("OpenAI key", ("sk-",), r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{8,}"),
    # The old spelling wants an unbroken run or a digit, or `sk-learn-for-absolute-beginners` would be one; and `task-…` is none.
    Shape("OpenAI key", ("sk-",), r"(?<![A-Za-z0-9])sk-(?:[A-Za-z0-9]{20,}[A-Za-z0-9_-]*|(?=[A-Za-z_-]{0,60}[0-9])[A-Za-z0-9_-]{12,})"),
    Shape("GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{10,}"),
    Shape("GitHub token", ("github_pat_",), r"github_pat_[A-Za-z0-9_]{10,}"),
    Shape(
        "GitLab token",
        ("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glft-", "glimt-", "glagent-", "gloas-", "glsoat-"),
        r"gl(?:pat|dt|rt|ptt|cbt|ft|imt|agent|oas|soat)-[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*",
    ),
    Shape("AWS key", ("AKIA", "ASIA", "ABIA", "ACCA", "AGPA", "AIDA", "AROA", "ANPA", "ANVA"), r"A(?:KI|SI|BI|CC|GP|ID|RO|NP|NV)A[A-Z0-9]{16}"),
    Shape("Google key", ("AIza", "ya29.", "GOCSPX-"), r"AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{16,}|GOCSPX-[A-Za-z0-9_-]{16,}"),
    Shape("Slack token", ("xox", "xapp-"), r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{8,}"),
    Shape("Slack web hook", ("hooks.slack.com",), r"hooks\.slack\.com/services/[A-Za-z0-9/_-]{8,}"),
    Shape("JWT", ("eyJ",), r"eyJ[A-Za-z0-9_-]{6,2000}+\.[A-Za-z0-9_-]{6,}+\.[A-Za-z0-9_-]*"),
    # Prose says "bearer authentication" too.
    Shape(
        "bearer token",
        ("earer", "EARER"),
        r"(?P<scheme>[Bb]earer\s+|BEARER\s+)(?!(?:[Aa]uthenti|[Aa]uthori|[Cc]ertificat|[Cc]redential|[Ss]ecurit|[Tt]oken)[a-z]*\b)[A-Za-z0-9._~+/=-]{6,}",
    ),
)

_MARKED: Final = re.compile("|".join(re.escape(marker) for marker in sorted({marker for shape in _SHAPES for marker in shape.markers})))

#: No shape fits into fewer characters, and most pieces of streamed text are shorter.
_SHORTEST_SHAPE: Final = 13

_SECRET_KEY: Final = re.compile(
    r"(?:proxy_)?authorization|(?:set_)?cookie|(?!(?:is|has|needs?|requires?|uses?|allows?|shows?|no)_)(?:.*_)?"
    r"(?:api_?key|password|passwd|passphrase|secret|(?:access|refresh|auth|session|bearer)_?token|(?:private|secret|access)_?key)s?",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_KEY_MARKERS: Final = ("authorization", "cookie", "passw", "passphrase", "secret")
_KEY_MARKER_PAIRS: Final = re.compile(r"(?:access|refresh|auth|session|bearer)[_\- ]?token|(?:api|private|access)[_\- ]?key")


@lru_cache(maxsize=4096)
def is_secret_key(key: str) -> bool:
    """Whether a dict's key or a header's name says that its value is a secret: `apiKey`, `db_password`; not `max_tokens`, `has_password`."""
    spelled = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[-\s]", "_", key)
    return _SECRET_KEY.fullmatch(spelled) is not None


@dataclass(frozen=True, slots=True)
class Rule:
    """A user's own rule: what the regular expression finds becomes `replacement`, literally; or a function from text to text."""

    pattern: str | re.Pattern[str] | Callable[[str], str]
    replacement: str = PLACEHOLDER

    def __post_init__(self) -> None:
        if isinstance(self.pattern, str):
            try:
                object.__setattr__(self, "pattern", re.compile(self.pattern))
            except re.error as error:
                raise ConfigurationError(f"Not a regular expression to redact by: {self.pattern!r} ({error}).") from error
        elif not isinstance(self.pattern, re.Pattern) and not callable(self.pattern):
            raise ConfigurationError(
                f"Not something to redact by: {self.pattern!r}.", hint="Pass a regular expression or a function from text to text."
            )

    def apply(self, text: str) -> str:
        """The text without what this rule finds."""
        if isinstance(self.pattern, re.Pattern):
            return self.pattern.sub(lambda match: self.replacement if match.group() else "", text)
        assert callable(self.pattern)  # noqa: S101 - by birth
        return self.pattern(text)


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes secrets out of JSON and text: token shapes, secret keys, the known values, and what the user's rules find.

    `known` are values to look for (`known_secrets` finds them), `rules` come after the built-in ones.
    """

    known: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()
    _atoms: re.Pattern[str] = field(init=False, repr=False, compare=False)
    #: The known values as they are, and as they stand in JSON text.
    _spelled: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = frozenset(value for value in self.known if value)
        object.__setattr__(self, "known", known)
        atoms = {PLACEHOLDER, *(rule.replacement for rule in self.rules if isinstance(rule.pattern, re.Pattern) and rule.replacement)}
        object.__setattr__(self, "_atoms", re.compile("(" + "|".join(map(re.escape, _longest_first(atoms))) + ")"))
        object.__setattr__(self, "_spelled", tuple(sorted({form for value in known for form in _spellings(value)})))

    def with_rule(self, pattern: str | re.Pattern[str] | Callable[[str], str], replacement: str = PLACEHOLDER) -> Redactor:
        """A redactor with one rule more. Raises `ConfigurationError` for a pattern that is none."""
        return Redactor(self.known, (*self.rules, Rule(pattern, replacement)))

    def text(self, text: str) -> str:
        """The text without its secrets; the same object where it has none.

        Raises:
            ConfigurationError: the user's rules never settle, each finding something in what the other left.
        """
        if not self.rules and not self._found_in(text):
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
            redacted = [self.json(item) for item in value]
            return value if all(map(_is, redacted, value)) else redacted
        return value

    def chunks(self, parts: Sequence[str]) -> list[str]:
        """Text that came in pieces, redacted as one: a secret may stand across them. As many pieces come out, and joined they are `text(joined)`."""
        return redact_pieces(parts, self.text)

    def is_clean(self, text: str) -> bool:
        """Whether JSON text (as `json.dumps` writes it) certainly holds no secret: one quick scan, and False where it is not sure."""
        if self.rules or _MARKED.search(text) or any(secret in text for secret in self._spelled):
            return False
        lowered = text.lower()
        if any(marker in lowered for marker in _KEY_MARKERS):
            return False
        return ("token" not in lowered and "key" not in lowered) or _KEY_MARKER_PAIRS.search(lowered) is None

    def leaks(self, text: str) -> str | None:
        """What kind of secret still stands in the text of a file, never its value; None where there is none.

        Known values of lower-case letters alone are not looked for here: `recorded` is a word of the file itself.
        """
        raw = "\n".join(self._atoms.split(text)[::2])
        if any(secret in raw for secret in self._spelled if not re.fullmatch("[a-z_]+", secret)):
            return "the value of a secret environment variable"
        regex = _searched_in(raw, frozenset())
        match = None if regex is None else regex.search(raw)
        return None if match is None else _shape_of(match)

    def _once(self, text: str) -> str:
        for rule in (self._built_in, *(rule.apply for rule in self.rules)):
            pieces = self._atoms.split(text)
            pieces[::2] = [rule(piece) if piece else piece for piece in pieces[::2]]
            text = "".join(pieces)
        return text

    def _built_in(self, text: str) -> str:
        regex = _searched_in(text, self.known)
        return text if regex is None else regex.sub(lambda match: (match["scheme"] or "") + PLACEHOLDER, text)

    def _found_in(self, text: str) -> bool:
        regex = _searched_in(text, self.known)
        return regex is not None and regex.search(text) is not None

    def _dict(self, value: dict[str, JSON], *, hidden: bool) -> JSON:
        if hidden and len(value) == 1 and next(iter(value)).startswith("$"):
            return PLACEHOLDER  # a typed value: its tag around a placeholder could not be read again
        redacted: dict[str, JSON] = {}
        changed = False
        for key, item in value.items():
            name = self._unused(self.text(key), redacted)
            new = self._hidden(item) if hidden or is_secret_key(key) else self.json(item)
            changed = changed or new is not item or name is not key
            redacted[name] = new
        return redacted if changed else value

    def _hidden(self, value: JSON) -> JSON:
        """Everything under a secret key but null and the shape of containers."""
        if value is None or value == PLACEHOLDER:
            return value
        if isinstance(value, dict):
            return self._dict(value, hidden=True)
        if isinstance(value, list):
            redacted = [self._hidden(item) for item in value]
            return value if all(map(_is, redacted, value)) else redacted
        return PLACEHOLDER

    @staticmethod
    def _unused(name: str, taken: Mapping[str, JSON]) -> str:
        """Two secrets as keys of one dict stay two keys."""
        if name not in taken:
            return name
        return next(other for other in (f"{name}#{number}" for number in count(2)) if other not in taken)


_MOST_ROUNDS: Final = 20


def _searched_in(text: str, known: frozenset[str]) -> re.Pattern[str] | None:
    """One regular expression for what may stand in this text: all shapes at once cost twenty times what a few substrings do."""
    shapes: tuple[int, ...] = ()
    if len(text) >= _SHORTEST_SHAPE and _MARKED.search(text):
        shapes = tuple(at for at, shape in enumerate(_SHAPES) if any(marker in text for marker in shape.markers))
    present = frozenset([value for value in known if value in text]) if known else known
    return _combined(present, shapes) if present or shapes else None


@lru_cache(maxsize=256)
def _combined(known: frozenset[str], shapes: tuple[int, ...]) -> re.Pattern[str]:
    alternatives = [re.escape(value) for value in _longest_first(known)] + [f"(?P<shape_{at}>{_SHAPES[at].regex})" for at in shapes]
    no_scheme = "" if _BEARER in shapes else "|(?!)(?P<scheme>)"
    return re.compile("|".join(alternatives) + no_scheme, re.DOTALL)


_BEARER: Final = len(_SHAPES) - 1


def _shape_of(match: re.Match[str]) -> str:
    return next(_SHAPES[int(name.removeprefix("shape_"))].name for name, found in match.groupdict().items() if found is not None and name != "scheme")


def _longest_first(texts: Collection[str]) -> list[str]:
    return sorted(texts, key=lambda text: (-len(text), text))


def _spellings(value: str) -> set[str]:
    return {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}


def redact_pieces(parts: Sequence[str], redact: Callable[[str], str]) -> list[str]:
    """Text that came in pieces, redacted as one: as many pieces come out, and joined they are `redact(joined)`."""
    whole = "".join(parts)
    clean = redact(whole)
    alone = list(parts) if clean == whole else [redact(part) for part in parts]
    return alone if "".join(alone) == clean else _resplit(parts, whole, clean)


def _resplit(parts: Sequence[str], whole: str, clean: str) -> list[str]:
    """The pieces before and after the redacted middle as they were; the middle itself stands in the first of its pieces."""
    head = _shared(whole, clean)
    tail = _shared(whole[head:][::-1], clean[head:][::-1])
    ends = list(accumulate(map(len, parts)))
    first = next(at for at, end in enumerate(ends) if end > head)
    after = next((at for at in range(first + 1, len(parts)) if len(whole) - ends[at - 1] <= tail), len(parts))
    kept = sum(map(len, parts[after:]))
    middle = clean[sum(map(len, parts[:first])) : len(clean) - kept]
    return [*parts[:first], middle, *([""] * (after - first - 1)), *parts[after:]]


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))

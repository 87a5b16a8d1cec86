"""How a value is spelled in a cassette: one line of JSON, a name or a block literal, each read alike by JSON, YAML 1.1 and YAML 1.2.

1. A line of JSON holds no character that YAML calls unprintable or a line break, and no number that YAML 1.1 takes for text (`1e16`).
2. A name stands without quotes only where no YAML reads it as anything but text.
3. A text is a block literal only if that carries it exactly, to the last blank.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from pytest_wfreplay.errors import NotJsonError

if TYPE_CHECKING:
    from pytest_wfreplay.jsonable import JSON

_dump = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode

#: YAML looks for the colon of a key within 1024 characters; a longer key needs a question mark before it.
_LONGEST_KEY = 1000

_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_UNSAFE_C1 = re.compile(b"\xc2[\x80-\x9f]")
_UNSAFE_BYTES = tuple(character.encode() for character in "\x7f\u2028\u2029\ufeff\ufffe\uffff")
_UNSAFE_IN_BLOCK = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_EXPONENT = re.compile(r'"(?:[^"\\]|\\.)*"|(?<![.\d])(?P<whole>-?\d+)(?=e[+-]\d)')
_LONG_KEY = re.compile(rf'"(?:[^"\\]|\\.){{{_LONGEST_KEY},}}":')

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./#@%+-]*")
#: What YAML 1.1 reads as a boolean or null, in any mixture of cases.
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def json_line(value: JSON) -> str:
    """The value as one line of JSON that YAML reads alike.

    Raises:
        NotJsonError: a lone surrogate, NaN or an infinity is in it.
    """
    text = json_text(value)
    return _flow(value) if len(text) > _LONGEST_KEY and _LONG_KEY.search(text) else text


def json_text(value: JSON) -> str:
    """`json_line` for a value without keys that are too long for YAML."""
    try:
        text = _dump(value)
    except ValueError as error:
        raise NotJsonError("cassette", f"a value that JSON cannot carry: {error}") from None
    if not text.isascii() or "\x7f" in text:
        text = _UNSAFE.sub(_escaped, text)
    if "e+" in text or "e-" in text:
        text = _EXPONENT.sub(lambda found: f"{found['whole']}.0" if found["whole"] else found[0], text)
    return text


def is_safe(text: str) -> bool:
    """Whether YAML reads every character of the text as itself."""
    if text.isascii():
        return "\x7f" not in text
    try:
        raw = text.encode()  # among bytes the search for a first byte is ten times faster
    except UnicodeEncodeError:
        return False
    return _UNSAFE_C1.search(raw) is None and not any(unsafe in raw for unsafe in _UNSAFE_BYTES)


def json_lines(values: list[JSON]) -> list[str]:
    """`json_line` of each, in one call of the encoder: the text is cut at a fence that none of them holds."""
    fence = "|"
    while True:
        fenced: list[JSON] = [fence] * (2 * len(values) - 1)
        fenced[::2] = values
        lines = json_text(fenced)[1:-1].split(f', "{fence}", ')
        if len(lines) == len(values):
            break
        fence += "|"
    return [_flow(value) if len(line) > _LONGEST_KEY and _LONG_KEY.search(line) else line for value, line in zip(values, lines, strict=True)]


def name_line(text: str | None) -> str:
    """A name, in quotes only where it needs them."""
    return text if text is not None and is_plain(text) else json_text(text)


def is_plain(text: str) -> bool:
    """Whether every YAML reads it as text without quotes."""
    return len(text) <= _LONGEST_KEY and _PLAIN.fullmatch(text) is not None and text.lower() not in _RESERVED


def can_be_key(text: str) -> bool:
    """Whether YAML can read it as the key of a block mapping."""
    return len(text) <= _LONGEST_KEY and len(json_text(text)) <= _LONGEST_KEY


def block_header(text: str) -> str | None:
    """The header (`|-`, `|`, `|+`, with the indentation said where it cannot be seen) of the block literal that carries the text, or None."""
    if "\n" not in text or _UNSAFE_IN_BLOCK.search(text):
        return None
    first = next((line for line in text.split("\n") if line), "")
    if not first:
        return None
    indentation = "2" if first[0] in " \t" else ""
    if not text.endswith("\n"):
        return f"|{indentation}-"
    return f"|{indentation}+" if text.endswith("\n\n") else f"|{indentation}"


def block_lines(text: str) -> list[str]:
    """The lines of a block literal, not yet indented."""
    return text.removesuffix("\n").split("\n")


def block_text(header: str, lines: list[str]) -> str:
    """What `block_lines` was given."""
    text = "\n".join(lines)
    return text if header.endswith("-") else f"{text}\n"


def comment(text: str) -> str:
    """A text as it stands in a comment: one line, printable."""
    return re.sub(_UNSAFE_IN_BLOCK.pattern + "|[\t\n]", lambda found: ascii(found[0])[1:-1], text)


def _escaped(found: re.Match[str]) -> str:
    if "\ud800" <= found[0] <= "\udfff":
        raise NotJsonError("cassette", "a lone surrogate is not text")
    return f"\\u{ord(found[0]):04x}"


def _flow(value: JSON) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow_key(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return json_text(value)


def _flow_key(key: str) -> str:
    text = json_text(key)
    return f"? {text}" if len(text) > _LONGEST_KEY else text

"""The identity of a step: namespace / name # occurrence, spelled so that no name can be mistaken for another.

1. `/` ends a namespace, `#` begins an occurrence; in names both are percent-quoted, and so are `%` and control characters.
2. The first occurrence is spelled without `#1`. An activation is a namespace and always shows its number: `classify#1/harness`.
"""

from __future__ import annotations

import functools
import re
from urllib.parse import unquote

from pytest_wfreplay.errors import NotJsonError

_SPECIAL = re.compile(r"[/#%\x00-\x1f\x7f-\x9f]")


@functools.lru_cache(maxsize=4096)
def quote(name: str) -> str:
    """A name as it stands in a key.

    Raises:
        NotJsonError: it has a lone surrogate, which no file can hold.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise NotJsonError(f"the name {name!r}", "a lone surrogate is not text") from None
    return _SPECIAL.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), name)


def spell_key(namespace: str, name: str, occurrence: int) -> str:
    """The key of one occurrence; `namespace` is empty or ends with `/`, `name` is quoted already."""
    return f"{namespace}{name}" if occurrence == 1 else f"{namespace}{name}#{occurrence}"


def activation_id(agent: str, number: int) -> str:
    """The name of one speaking of an agent: `classify#1`."""
    return f"{quote(agent)}#{number}"


def read_key(key: str) -> tuple[str, str, int]:
    """Namespace (as spelled, without its last `/`), name (unquoted) and occurrence of a key."""
    namespace, _, last = key.rpartition("/")
    name, _, number = last.partition("#")
    return namespace, unquote(name), int(number) if number.isascii() and number.isdigit() else 1


def agent_of(activation: str) -> str:
    """The agent that an activation's id names."""
    return unquote(activation.rpartition("#")[0])

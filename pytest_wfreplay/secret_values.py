"""The values that are known to be secret: how texts and files spell them, and whether one of them still stands in a file.

A value is looked for as itself and as JSON, Python, a URL and YAML spell it. The words of a file's own layout are no secrets there: where somebody's
password is `recorded`, it is taken out of what was said and done, and the file may still say when it was recorded.
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from typing import Final

#: A known value shorter than this is too likely to be an innocent word.
SHORTEST_SECRET: Final = 8

#: What the files that we write say by themselves.
_LAYOUT: Final = """
    Recorded by pytest-wfreplay. Replay: pytest. Record again: pytest --record "
    format: 1 runs: workflow: recorded: {"id": "rec_ "at": "by": "pytest-wfreplay "duration_ms": "harness_type": "signal_count" "created_at"
    name: tags: harnesses: status: completed failed cancelled timeout recording error: {"type": "message": "args": "module": "builtins" "attributes":
    "notes": "cause": "members": checkpoints: index: state: initial: final: outcome: value: steps: - step: input: output: cancelled: true attempts:
    signals: {"name": "payload": "source": {"agent": "activation": "harness": "parent": at_ms: # end {"run": "began": {"metadata": "initial_state":
    "final_state": "signal": "timestamp": "entry": {"key": "outcome": "started_at": "ended_at": "checkpoint": null false
    workflow:start workflow:end workflow:failed workflow:timeout workflow:cancelled workflow:terminating agent:activated agent:skipped
    agent:completed agent:failed state: :changed harness:start harness:end harness:error text:delta text:complete thinking:delta
    thinking:complete tool:call tool:result step:start step:end step:cached agents activations trigger reason old_value new_value recoverable
    provider "content" structured_output tool_calls session_id cost_usd stop_reason max_tokens temperature tool_results output_schema messages
    input_tokens output_tokens total_tokens cache_read_tokens cache_write_tokens "exit_status" "divergences" "harness_calls" "latency_ms"
    input_mismatch unrecorded_step unused_step replayed diverged cassette[redacted]
"""


@lru_cache(maxsize=1024)
def kernel(value: str) -> str:
    """A part of a value that stands in every spelling of it as it is; the whole value where all spellings are one."""
    return max(_PLAIN.findall(value), key=len, default="")


@lru_cache(maxsize=1024)
def spelled(value: str) -> str:
    """A regular expression for a value as texts spell it: as it is, in JSON or Python however often quoted, in a URL."""
    return "".join(map(_spelled_character, value))


def _spelled_character(character: str) -> str:
    if _PLAIN.fullmatch(character):
        return character.replace(".", r"\.").replace("-", r"\-")
    # A URL may be quoted again, and where the character is `%` itself, that is longer than the character.
    forms = ["".join(f"%(?:25){{0,8}}(?i:{byte:02x})" for byte in character.encode("utf-8", "surrogatepass"))]
    forms.append(r"\\{1,64}" if character == "\\" else rf"\\{{0,64}}{re.escape(character)}")
    code = ord(character)
    if character in _LETTERS:
        forms.append(rf"\\{{1,64}}{_LETTERS[character]}")
    if character == " ":
        forms.append(r"\+")
    if character == "\n":
        forms.append(r"[ \t]*\r?\n[ \t]*")
    if code <= _WIDEST_SHORT:
        forms.append(rf"\\{{1,64}}u(?i:{code:04x})")
    else:
        high, low = divmod(code - 0x10000, 0x400)
        forms += [rf"\\{{1,64}}u(?i:{0xD800 + high:04x})\\{{1,64}}u(?i:{0xDC00 + low:04x})", rf"\\{{1,64}}U(?i:{code:08x})"]
    if code <= _WIDEST_BYTE:
        forms.append(rf"\\{{1,64}}x(?i:{code:02x})")
    return f"(?:{'|'.join(forms)})"


#: What is the same in every spelling.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]+")
_WIDEST_BYTE, _WIDEST_SHORT = 0xFF, 0xFFFF
_LETTERS: Final = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


def in_base64(text: str) -> str | None:
    """What a text says that is nothing but base64, as bytes are spelled in JSON; None for any other. What is no text in it stands as surrogates."""
    if len(text) % 4 or len(text) < _SHORTEST_BASE64 or " " in text[:_FEW] or _BASE64.fullmatch(text) is None:
        return None
    try:
        return base64.b64decode(text).decode("utf-8", "surrogateescape")
    except ValueError:  # wrong padding
        return None


def as_base64(text: str) -> str:
    """A text as bytes are spelled in JSON; the opposite of `in_base64`."""
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")


def is_login(text: str) -> bool:
    """Whether it is the base64 of a user and a password, as it follows `Basic`."""
    said = in_base64(text)
    return said is not None and ":" in said and said.isprintable()


#: The base64 of the shortest secret has as many characters.
_SHORTEST_BASE64: Final = 12
_FEW: Final = 80
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def number_spelled(value: str) -> str | None:
    """The value, where it is how a number is spelled."""
    return value if re.fullmatch(r"-?\d+(?:\.\d+)?", value) else None


def leaked(text: str, known: frozenset[str]) -> int | None:
    """Where in the text of a file a known value still stands; None where none does."""
    found: list[int] = []
    for value in known:
        if len(value) < SHORTEST_SECRET or value in _LAYOUT or kernel(value) not in text:
            continue
        match = re.search(spelled(value), text)
        if match is not None:
            found.append(match.start())
    return min(found, default=None)

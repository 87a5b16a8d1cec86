"""Why a known step may not be used: it is known with another input. The message says where they differ, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pytest_wfreplay.errors import StepInputMismatchError
from pytest_wfreplay.jsonable import JSON, canonical, digest, same
from pytest_wfreplay.steps.key import read_key

if TYPE_CHECKING:
    from pytest_wfreplay.steps.entry import Entry

#: So many fields are shown, and so many characters of each side.
_FIELDS, _WIDTH = 10, 80

_HINT = "A known step is not done again with another input: undo the change, give the new work another key, or forget the run."


def input_mismatch(entry: Entry, given: JSON) -> StepInputMismatchError:
    """The error of a step that was done with another input than it is given now."""
    recorded: JSON = entry.input  # type: ignore[assignment]  # an absent input matches any
    namespace, name, occurrence = read_key(entry.key)
    what = f"key `{name}` occurrence {occurrence} in namespace `{unquote(namespace)}`"
    lines = [f"step.run: deterministic input mismatch for {what} (recorded {digest(recorded)}, current {digest(given)})"]
    fields = list(_differing(recorded, given, "input"))
    lines += [f"  {path}: recorded {was}, now {now}" for path, was, now in fields[:_FIELDS]]
    if len(fields) > _FIELDS:
        lines.append(f"  and {len(fields) - _FIELDS} more")
    return StepInputMismatchError("\n".join(lines), hint=_HINT)


def _differing(recorded: JSON, current: JSON, path: str) -> Iterator[tuple[str, str, str]]:
    """Path and both sides of each field that differs; lists of one length are compared item by item."""
    if same(recorded, current):
        return
    if isinstance(recorded, dict) and isinstance(current, dict):
        for key in [*recorded, *(key for key in current if key not in recorded)]:
            if key not in recorded or key not in current:
                yield f"{path}.{key}", _side(recorded, key), _side(current, key)
            else:
                yield from _differing(recorded[key], current[key], f"{path}.{key}")
    elif isinstance(recorded, list) and isinstance(current, list) and len(recorded) == len(current):
        for index, pair in enumerate(zip(recorded, current, strict=True)):
            yield from _differing(*pair, f"{path}[{index}]")
    else:
        yield path, _shown(recorded), _shown(current)


def _side(mapping: dict[str, JSON], key: str) -> str:
    return _shown(mapping[key]) if key in mapping else "nothing"


def _shown(value: JSON) -> str:
    text = canonical(value)
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"

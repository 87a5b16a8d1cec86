"""The layout of a cassette: which value stands on a line of its own, which is a line of JSON, which reads as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_wfreplay.recording.cassette import END, FORMAT, HEADER
from pytest_wfreplay.recording.codec.spelling import block_header, block_lines, can_be_key, comment, json_line, json_lines, name_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_wfreplay.jsonable import JSON

#: The values that are names: without quotes where they need none.
_NAMES = frozenset({"workflow", "name", "status"})


def cassette_text(runs: Iterable[dict[str, JSON]], command: str) -> str:
    """The whole file, canonical; `command` records it again.

    Raises:
        NotJsonError: a lone surrogate, NaN or an infinity is in it.
    """
    lines = [HEADER + comment(command), f"format: {FORMAT}"]
    body = [line for run in runs for line in _run(run)]
    lines += ["runs:", *body] if body else ["runs: []"]
    return "\n".join([*lines, END, ""])


def _run(run: dict[str, JSON]) -> Iterator[str]:
    lead = "- "
    for key, value in run.items():
        if key in _NAMES:
            yield f"{lead}{key}: {name_line(value)}"  # type: ignore[arg-type]  # names are texts
        elif key == "state" and isinstance(value, dict):
            yield f"{lead}state:"
            yield from (f"    {side}: {json_line(state)}" for side, state in value.items())
        elif key == "steps" and isinstance(value, list):
            yield f"{lead}steps:"
            yield from (line for step in value for line in _step(step))
        elif key == "signals" and isinstance(value, list) and value:
            yield f"{lead}signals:"
            yield from (f"  - {line}" for line in json_lines(value))
        else:
            yield f"{lead}{key}: {json_line(value)}"
        lead = "  "


def _step(step: JSON) -> Iterator[str]:
    lead = "  - "
    for key, value in step.items():  # type: ignore[union-attr]  # a step is an object
        if key == "step":
            yield f"{lead}step: {name_line(value)}"  # type: ignore[arg-type]  # a key is text
        else:
            yield from _value(f"{lead}{key}:", value, "    ")
        lead = "    "


def _value(lead: str, value: JSON, pad: str) -> Iterator[str]:
    """A value below a key or behind a dash that stands at `pad`: a block literal, a block that holds one, or a line of JSON."""
    header = block_header(value) if isinstance(value, str) else None
    if header is not None:
        yield f"{lead} {header}"
        yield from (f"{pad}  {line}" if line else "" for line in block_lines(value))  # type: ignore[arg-type]  # only texts have headers
    elif not _holds_block(value):
        yield f"{lead} {json_line(value)}"
    elif isinstance(value, dict):
        yield lead
        for key, item in value.items():
            yield from _value(f"{pad}  {name_line(key)}:", item, f"{pad}  ")
    elif isinstance(value, list):
        yield lead
        inner = pad if lead.endswith(":") else f"{pad}  "
        for item in value:
            yield from _item(item, inner)


def _item(item: JSON, pad: str) -> Iterator[str]:
    """An item of a list whose dashes stand at `pad`; an object begins on the line of its dash."""
    if not isinstance(item, dict) or not _holds_block(item):
        yield from _value(f"{pad}-", item, pad)
        return
    lead = f"{pad}- "
    for key, inner in item.items():
        yield from _value(f"{lead}{name_line(key)}:", inner, f"{pad}  ")
        lead = f"{pad}  "


def _holds_block(value: JSON) -> bool:
    """Whether it is a container in which a text reads as a block literal; one with a key that YAML cannot find stays on one line."""
    if isinstance(value, list):
        return any(_reads_as_text(item) for item in value)
    if isinstance(value, dict):
        return any(_reads_as_text(item) for item in value.values()) and all(map(can_be_key, value))
    return False


def _reads_as_text(value: JSON) -> bool:
    return block_header(value) is not None if isinstance(value, str) else _holds_block(value)

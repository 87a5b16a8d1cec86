"""One speaking of an agent, as far as it can be computed: what its harness is told, and what it said. Pure.

The value of a reply is, with a schema, the validated JSON: from `structured_output`, else the first JSON value in the text (the whole of it,
else the first object, array or code fence that is one, else the first number, text, true, false or null). Without one it is the text.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_wfreplay.errors import NotJsonError, OutputSchemaError
from pytest_wfreplay.harness import HarnessInput
from pytest_wfreplay.jsonable import JSON, canonical, plain_json
from pytest_wfreplay.schema import Schema, validated

if TYPE_CHECKING:
    from pytest_wfreplay.engine.agent import Agent

_OPENING = re.compile(r"[{\[]|```[^\n`]*\n")
_SCALAR = re.compile(r'(?<![\w.])(?=["\-\d]|true\b|false\b|null\b)')
_LONGEST_SHOWN = 200

#: A reply that is one long row of brackets must not keep the run busy for minutes.
_MOST_TRIED = 1000


def _refuse_constant(name: str) -> JSON:
    raise ValueError(f"JSON has no {name}")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def told(agent: Agent, system: str, message: str | None, run_input: JSON) -> HarnessInput:
    """What the harness of an activation is told: the state goes nowhere by itself."""
    text = message if message is not None else _as_text(run_input)
    return HarnessInput(
        system=system,
        messages=[] if text is None else [{"role": "user", "content": text}],
        tools=list(agent.tools),
        output_schema=None if agent.output_schema is None else (agent.output_schema.model or agent.output_schema.json),
        model=agent.model,
        max_tokens=agent.max_tokens,
        temperature=agent.temperature,
    )


def spoken(name: str, schema: Schema | None, output: JSON) -> JSON:
    """The one value of a reply: it goes to `updates`, to the run's outputs and into emits.

    Raises:
        OutputSchemaError: there is no JSON value in the reply, or the schema refuses it.
    """
    reply: Mapping[str, JSON] = output if isinstance(output, dict) else {"content": output}
    if schema is None:
        content = reply.get("content")
        return "" if content is None else content
    structured = reply.get("structured_output")
    if structured is None:
        content = reply.get("content")
        found = next(json_values(content), None) if isinstance(content, str) else None
        if found is None:
            raise OutputSchemaError(f"Agent {name!r} was asked for JSON and its reply has none: {_short(content)}", agent=name, value=content)
        structured = found[0]
    value, problems = validated(schema, structured)
    if problems:
        message = f"Agent {name!r} replied {_short(structured)}; {'; '.join(problems)}"
        raise OutputSchemaError(message, agent=name, value=structured, problems=problems)
    return value


def json_values(text: str) -> Iterator[tuple[JSON]]:
    """The JSON values in a text, the likeliest first; each in a tuple, for null is one too."""
    whole = text.strip()
    yield from _decoded(whole, 0, len(whole))
    for opening in itertools.islice(_OPENING.finditer(text), _MOST_TRIED):
        if opening[0].startswith("`"):
            yield from _fenced(text, opening.end())
        else:
            yield from _decoded(text, opening.start())
    for word in itertools.islice(_SCALAR.finditer(text), _MOST_TRIED):
        yield from _decoded(text, word.start())


def _fenced(text: str, start: int) -> Iterator[tuple[JSON]]:
    end = text.find("```", start)
    if end > 0:
        inside = text[start:end].strip()
        yield from _decoded(inside, 0, len(inside))


def usage_of(output: JSON) -> tuple[int, int, int, float]:
    """Input, output and total tokens and dollars of a reply; 0 where it does not say."""
    reply = output if isinstance(output, dict) else {}
    usage = reply.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    spent, made = _count(counts.get("input_tokens")), _count(counts.get("output_tokens"))
    cost = reply.get("cost_usd")
    return spent, made, _count(counts.get("total_tokens")) or spent + made, float(cost) if isinstance(cost, (int, float)) else 0.0


def _decoded(text: str, start: int, until: int | None = None) -> Iterator[tuple[JSON]]:
    """The value that begins at `start` (and ends at `until`, if given), unless it is one that we cannot carry: a lone surrogate, say."""
    try:
        value, end = _DECODER.raw_decode(text, start)
        if until is None or end == until:
            yield (plain_json(value),)
    except (ValueError, RecursionError, NotJsonError):
        return


def _as_text(value: JSON) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _count(value: JSON) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _short(value: JSON) -> str:
    text = value if isinstance(value, str) else canonical(value)
    return repr(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…")

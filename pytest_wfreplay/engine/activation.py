"""One speaking of an agent, as far as it can be computed: what its harness is told, and what it said. Pure.

The value of a reply is, with a schema, the validated JSON: from `structured_output`, else the first JSON value in the text (the whole of it,
else what a code fence holds, else the first object or array, else the first number, text, true, false or null). Without one it is the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_wfreplay.errors import OutputSchemaError
from pytest_wfreplay.harness import HarnessInput
from pytest_wfreplay.jsonable import JSON, canonical
from pytest_wfreplay.schema import Schema, validated

if TYPE_CHECKING:
    from pytest_wfreplay.engine.agent import Agent

_FENCE = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)
_DECODER = json.JSONDecoder()


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
        return reply.get("content", "")
    structured = reply.get("structured_output")
    if structured is None:
        content = reply.get("content")
        found = next(json_values(content), None) if isinstance(content, str) else None
        if found is None:
            raise OutputSchemaError(f"Agent {name!r} was asked for JSON and its reply has none: {_short(content)}", agent=name, value=content)
        structured = found[0]
    value, problems = validated(schema, structured)
    if problems:
        raise OutputSchemaError(f"Agent {name!r} replied {_short(structured)}; {'; '.join(problems)}", agent=name, value=structured, problems=problems)
    return value


def json_values(text: str) -> Iterator[tuple[JSON]]:
    """The JSON values in a text, the likeliest first; each in a tuple, for null is one too."""
    yield from _decoded(text.strip(), whole=True)
    for fence in _FENCE.finditer(text):
        yield from _decoded(fence[1].strip(), whole=True)
    for opening in re.finditer(r"[{\[]", text):
        yield from _decoded(text[opening.start() :], whole=False)
    for word in re.finditer(r'(?<![\w.])(?=["\-\d]|true\b|false\b|null\b)', text):
        yield from _decoded(text[word.start() :], whole=False)


def usage_of(output: JSON) -> tuple[int, int, int, float]:
    """Input, output and total tokens and dollars of a reply; 0 where it does not say."""
    reply = output if isinstance(output, dict) else {}
    usage = reply.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    spent, made = _count(counts.get("input_tokens")), _count(counts.get("output_tokens"))
    cost = reply.get("cost_usd")
    return spent, made, _count(counts.get("total_tokens")) or spent + made, float(cost) if isinstance(cost, (int, float)) else 0.0


def _decoded(text: str, *, whole: bool) -> Iterator[tuple[JSON]]:
    try:
        value, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return
    if not whole or end == len(text):
        yield (value,)


def _as_text(value: JSON) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _count(value: JSON) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _short(value: JSON) -> str:
    text = value if isinstance(value, str) else canonical(value)
    return repr(text if len(text) <= 200 else text[:200] + "…")

"""The values that are known to be secret: how texts and files spell them, and whether one of them still stands in a file.

A value is looked for as itself and as JSON, Python, a URL and YAML spell it. The words of a file's own layout are no secrets there: where somebody's
password is `recorded`, it is taken out of what was said and done, and the file may still say when it was recorded.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, quote_plus

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
def spellings(value: str) -> frozenset[str]:
    """A value as texts spell it: as it is, in JSON (once and twice), in Python, in a URL."""
    in_json = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    in_json |= {re.sub(r"\\u[0-9a-f]{4}", lambda found: rf"\u{found[0][2:].upper()}", one) for one in in_json}
    in_json |= {one.replace("/", r"\/") for one in in_json}
    in_json |= {json.dumps(one, ensure_ascii=False)[1:-1] for one in in_json}
    raw = value.encode("utf-8", "surrogatepass")
    in_urls = {quote(raw), quote(raw, safe=""), quote_plus(raw), quote(raw, safe="!'()*~:@,;+$")}
    in_urls |= {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), one) for one in in_urls}
    return frozenset({value, *in_json, *in_urls, repr(value)[1:-1]})


def number_spelled(value: str) -> str | None:
    """The value, where it is how a number is spelled."""
    return value if re.fullmatch(r"-?\d+(?:\.\d+)?", value) else None


def leaked(text: str, known: frozenset[str]) -> int | None:
    """Where in the text of a file a known value still stands; None where none does."""
    lines, regex = _sought(known)
    found = [at for at in map(text.find, lines) if at >= 0]
    if regex is not None and (match := regex.search(text)) is not None:
        found.append(match.start())
    return min(found, default=None)


@lru_cache(maxsize=64)
def _sought(known: frozenset[str]) -> tuple[tuple[str, ...], re.Pattern[str] | None]:
    """What is looked for in a file: spellings that stand on one line, and an expression for those that a block literal spreads over several."""
    values = [value for value in known if len(value) >= SHORTEST_SECRET and value not in _LAYOUT]
    forms = {form for value in values for form in spellings(value)}
    forms |= {json.dumps(form, ensure_ascii=is_ascii)[1:-1] for form in list(forms) for is_ascii in (False, True)}
    spread = ["[ \t]*\n[ \t]*".join(map(re.escape, value.strip().splitlines())) for value in values if "\n" in value.strip()]
    return tuple(sorted(form for form in forms if "\n" not in form)), re.compile("|".join(sorted(spread))) if spread else None

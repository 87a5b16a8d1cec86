"""How fast a cassette is read and written, as multiples of what libyaml needs for the same text; run `python tests/benchmarks codec`."""

from __future__ import annotations

import datetime as dt
import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator

import yaml

from pytest_wfreplay.clock import iso
from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.codec.text import decode, encode
from pytest_wfreplay.recording.recording import Recording, RecordingMetadata
from pytest_wfreplay.signal import Signal, SignalSource, signal_id
from pytest_wfreplay.trace import Trace

MEGABYTE = 1_000_000
START = dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)
READ_BOUND, WRITE_BOUND = 20, 10
WORDS = [
    "I",
    "understand",
    "that",
    "you",
    "would",
    "like",
    "your",
    "money",
    "back",
    "for",
    "the",
    "order",
    "which",
    "arrived",
    "late",
    "and",
    "I",
    "have",
    "started",
    "the",
    "refund",
    "now",
    ".",
]


def deltas(luck: random.Random) -> Iterator[tuple[str, JSON]]:
    """One activation that talks: what a harness with streaming says."""
    said = [f" {luck.choice(WORDS)} {luck.choice(WORDS)}" for _ in range(luck.randint(20, 60))]
    yield "agent:activated", {"agent": "writer", "trigger": "ticket:opened"}
    yield "harness:start", {"input": {"system": "You are kind.", "messages": [{"role": "user", "content": "Where is my order?"}], "model": "claude"}}
    yield from (("text:delta", {"content": piece}) for piece in said)
    yield "text:complete", {"content": "".join(said)}
    yield "harness:end", {"output": {"content": "".join(said), "usage": {"input_tokens": 41, "output_tokens": 60, "total_tokens": 101}}}
    yield "agent:completed", {"agent": "writer", "output": "".join(said)}


def tools(luck: random.Random) -> Iterator[tuple[str, JSON]]:
    """One activation that works: tool calls, their results and a change of state."""
    for call in range(luck.randint(2, 6)):
        row: JSON = {"id": luck.randint(1, 10**6), "name": luck.choice(WORDS), "price": round(luck.random() * 100, 2), "sent": luck.random() < 0.5}
        yield "tool:call", {"id": f"call_{call}", "name": "find_order", "input": {"order": luck.randint(1, 10**6), "fields": ["id", "name", "price"]}}
        yield "tool:result", {"id": f"call_{call}", "name": "find_order", "result": {"rows": [row, row], "next": None}}
        yield "state:order:changed", {"key": "order", "old_value": {"id": call}, "new_value": row, "agent": "worker"}


def cassette_of(size: int, talk: Callable[[random.Random], Iterator[tuple[str, JSON]]]) -> Cassette:
    """A cassette whose text has about `size` bytes."""
    luck = random.Random(7)  # noqa: S311 - the same cassette each time
    signals: list[Signal] = []
    written = number = 0
    while written < size:
        number += 1
        source = SignalSource("worker", f"worker#{number}", "claude", signal_id(len(signals) + 1))
        for name, payload in talk(luck):
            stamp = iso(START + dt.timedelta(milliseconds=len(signals)))
            signals.append(Signal(signal_id(len(signals) + 1), name, payload, stamp, source))
            written += 30 if name == "text:delta" else 100 + len(str(payload))
    metadata = RecordingMetadata("rec_0", None, (), "support", None, "2026-11-20T10:00:00.000Z", 1.0, len(signals), "completed")
    return Cassette((Recording(metadata, signals=Trace(signals)),))


def seconds(work: Callable[[], object], rounds: int) -> float:
    """The best of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best


def main() -> int:
    """Print a line a figure; 1 when a promise is broken."""
    broken = False
    for kind, talk in (("deltas", deltas), ("tools", tools)):
        for megabytes in (1, 10):
            cassette = cassette_of(megabytes * MEGABYTE, talk)
            text = encode(cassette)
            assert decode(text, path="bench") == cassette
            data = yaml.load(text, Loader=yaml.CSafeLoader)
            reading = seconds(lambda t=text: yaml.load(t, Loader=yaml.CSafeLoader), 1) / seconds(lambda t=text: decode(t, path="bench"), 5)
            writing = seconds(lambda d=data: yaml.dump(d, Dumper=yaml.CSafeDumper), 1) / seconds(lambda c=cassette: encode(c), 3)
            tracemalloc.start()
            kept = decode(text, path="bench")
            memory = tracemalloc.get_traced_memory()[0] / len(kept.runs[0].signals)
            tracemalloc.stop()
            size = f"{len(text) / MEGABYTE:.1f} MB, {len(cassette.runs[0].signals)} signals, mostly {kind}"
            print(f"read  {size}: {reading:.1f}x libyaml (promised {READ_BOUND}x)")
            print(f"write {size}: {writing:.1f}x libyaml (promised {WRITE_BOUND}x)")
            print(f"keep  {size}: {memory:.0f} bytes a signal")
            broken |= reading < READ_BOUND or writing < WRITE_BOUND
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())

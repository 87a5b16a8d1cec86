"""Streamed text on its way into a recording: its pieces wait for each other, since a secret may stand across them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from pytest_wfreplay.recording.cleaning import Clean, Cleaning, as_cleaning
from pytest_wfreplay.trace import Trace

if TYPE_CHECKING:
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.recording.recording import Recording
    from pytest_wfreplay.signal import Signal

_PIECES = frozenset({"text:delta", "thinking:delta"})


@dataclass(slots=True)
class _Text:
    """The pieces of one text that came so far; the text goes on until its activation says something else."""

    name: str
    pieces: list[_Held] = field(default_factory=list)


@dataclass(slots=True)
class _Held:
    """A signal in the queue; one that is part of a text that goes on is not ready."""

    signal: Signal
    is_ready: bool = False


class Pieces:
    """Hands signals on (`keep`) in their order, without secrets (`clean`); those of a text when all of it is there."""

    def __init__(self, clean: Clean | Cleaning, keep: Callable[[Signal], None]) -> None:
        self._cleaning = as_cleaning(clean)
        self._keep = keep
        self._texts: dict[str | None, _Text] = {}
        self._held: deque[_Held] = deque()

    def add(self, signal: Signal) -> None:
        """The next signal."""
        speaker = signal.source.activation if signal.source else None
        text = self._texts.get(speaker)
        is_piece = signal.name in _PIECES and _content(signal) is not None
        if text is not None and not (is_piece and text.name == signal.name):
            self._end(speaker)
            text = None
        held = _Held(signal)
        if is_piece:
            if text is None:
                text = self._texts[speaker] = _Text(signal.name)
            text.pieces.append(held)
            self._held.append(held)
            return
        held.signal = self._cleaning.signal(signal)
        if self._held:
            held.is_ready = True
            self._held.append(held)
            self._hand_on()
        else:
            self._keep(held.signal)

    def close(self) -> None:
        """No text goes on."""
        for speaker in list(self._texts):
            self._end(speaker)
        self._hand_on()

    def _end(self, speaker: str | None) -> None:
        text = self._texts.pop(speaker)
        whole = redact_pieces([_content(held.signal) or "" for held in text.pieces], self._text)
        for held, content in zip(text.pieces, whole, strict=True):
            held.is_ready = True
            items = _items(held.signal.payload)
            if content != items["content"]:
                held.signal = replace(held.signal, payload={**items, "content": content})
            elif len(items) == 1:
                held.signal = self._cleaning.signal_of_piece(held.signal)
                continue
            held.signal = self._cleaning.signal(held.signal)

    def _text(self, text: str) -> str:
        return str(self._cleaning.clean(text))

    def _hand_on(self) -> None:
        while self._held and self._held[0].is_ready:
            self._keep(self._held.popleft().signal)


def cleaned(signals: Iterable[Signal], clean: Clean | Cleaning) -> list[Signal]:
    """A whole trace without secrets."""
    kept: list[Signal] = []
    pieces = Pieces(clean, kept.append)
    for signal in signals:
        pieces.add(signal)
    pieces.close()
    return kept


def cleaned_recording(recording: Recording, cleaning: Cleaning) -> Recording:
    """A whole recording without secrets, such as one that a project's hook has had in its hands."""
    metadata = recording.metadata
    return replace(
        recording,
        metadata=replace(
            metadata,
            name=cleaning.optional_name(metadata.name),
            tags=tuple(map(cleaning.name, metadata.tags)),
            workflow=cleaning.optional_name(metadata.workflow),
            harness_type=cleaning.optional_name(metadata.harness_type),
            error=None if metadata.error is None else cleaning.error(metadata.error),
        ),
        initial_state=cleaning.state(recording.initial_state),
        final_state=cleaning.state(recording.final_state),
        entries=tuple(map(cleaning.entry, recording.entries)),
        signals=Trace(cleaned(recording.signals, cleaning)),
        harnesses=cleaning.mapping(recording.harnesses),
        outcome=cleaning.outcome(recording.outcome),
        checkpoints=tuple(replace(one, name=cleaning.name(one.name)) for one in recording.checkpoints),
    )


def _content(signal: Signal) -> str | None:
    content = _items(signal.payload).get("content")
    return content if isinstance(content, str) else None


def _items(payload: JSON) -> dict[str, JSON]:
    return payload if isinstance(payload, dict) else {}


def redact_pieces(parts: Sequence[str], redact: Callable[[str], str]) -> list[str]:
    """Text that came in pieces, redacted as one: as many pieces come out, and joined they are `redact(joined)`."""
    whole = "".join(parts)
    clean = redact(whole)
    if clean == whole:
        return list(parts)
    alone = [redact(part) for part in parts]
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

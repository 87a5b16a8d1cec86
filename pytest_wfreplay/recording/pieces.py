"""Streamed text on its way into a recording: its pieces wait for each other, since a secret may stand across them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_wfreplay.recording.cleaning import Clean, Cleaning, as_cleaning
from pytest_wfreplay.redact import redact_pieces
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

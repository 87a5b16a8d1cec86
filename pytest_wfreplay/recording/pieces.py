"""Streamed text on its way into a recording: its pieces wait for each other, since a secret may stand across them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from pytest_wfreplay.redact import redact_pieces

if TYPE_CHECKING:
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.signal import Signal

#: Takes secrets out of a JSON value; gives the value itself back when there are none.
Clean: TypeAlias = Callable[["JSON"], "JSON"]

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

    def __init__(self, clean: Clean, keep: Callable[[Signal], None]) -> None:
        self._clean = clean
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
        self._set(held, self._clean(signal.payload))
        if self._held:
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
            payload = held.signal.payload
            self._set(held, self._clean(payload if content == _content(held.signal) else {**_items(payload), "content": content}))

    def _text(self, text: str) -> str:
        return str(self._clean(text))

    def _hand_on(self) -> None:
        while self._held and self._held[0].is_ready:
            self._keep(self._held.popleft().signal)

    @staticmethod
    def _set(held: _Held, payload: JSON) -> None:
        held.is_ready = True
        if payload is not held.signal.payload:
            held.signal = replace(held.signal, payload=payload)


def cleaned(signals: Iterable[Signal], clean: Clean) -> list[Signal]:
    """A whole trace without secrets."""
    kept: list[Signal] = []
    pieces = Pieces(clean, kept.append)
    for signal in signals:
        pieces.add(signal)
    pieces.close()
    return kept


def _content(signal: Signal) -> str | None:
    content = _items(signal.payload).get("content")
    return content if isinstance(content, str) else None


def _items(payload: JSON) -> dict[str, JSON]:
    return payload if isinstance(payload, dict) else {}

"""Adapters: people outside a run who are told its signals, in order, and can never break it."""

from __future__ import annotations

import inspect
import logging
import re
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.pattern import Pattern, as_pattern

if TYPE_CHECKING:
    from pytest_wfreplay.signal import Signal

_LOGGER = logging.getLogger("pytest_wfreplay")

#: Which level a signal is logged with: the first pattern that fits. Below debug stands what comes by the thousand.
_LEVELS: tuple[tuple[str, int], ...] = (
    ("**:error", logging.ERROR),
    ("**:failed", logging.ERROR),
    ("**:timeout", logging.WARNING),
    ("**:cancelled", logging.WARNING),
    ("**:delta", logging.DEBUG - 5),
    ("workflow:*", logging.INFO),
    ("harness:start", logging.INFO),
    ("harness:end", logging.INFO),
    ("agent:activated", logging.INFO),
    ("**:complete", logging.INFO),
    ("**:completed", logging.INFO),
)


@runtime_checkable
class SignalAdapter(Protocol):
    """Told of the signals that one of `patterns` matches, between `on_start` and `on_stop`. Each method may be async; it is awaited."""

    @property
    def name(self) -> str:
        """What logs call it."""

    @property
    def patterns(self) -> Sequence[object]:
        """The signals it wants to be told of."""

    def on_start(self) -> Awaitable[None] | None:
        """The run is about to start."""

    def on_signal(self, signal: Signal) -> Awaitable[None] | None:
        """A signal took its place in the run's order."""

    def on_stop(self) -> Awaitable[None] | None:
        """The run has ended; every signal was told."""


class Adapters:
    """All adapters of a run, in the order in which they were given.

    Raises:
        ConfigurationError: one is not an adapter, or asks for a pattern that is none.
    """

    def __init__(self, adapters: Sequence[SignalAdapter]) -> None:
        self._adapters = [(one, _patterns_of(one)) for one in adapters]

    async def start(self) -> None:
        """Tell everybody that the run starts."""
        for adapter, _ in self._adapters:
            await _told(adapter, "on_start")

    def __bool__(self) -> bool:
        return bool(self._adapters)

    async def tell(self, signal: Signal) -> None:
        """Tell a signal to everybody who wants it."""
        for adapter, patterns in self._adapters:
            if any(pattern.matches(signal) for pattern in patterns):
                await _told(adapter, "on_signal", signal)

    async def stop(self) -> None:
        """Tell everybody that the run has ended."""
        for adapter, _ in self._adapters:
            await _told(adapter, "on_stop")


def _patterns_of(adapter: Any) -> tuple[Pattern, ...]:
    missing = [name for name in ("name", "patterns", "on_start", "on_signal", "on_stop") if not hasattr(adapter, name)]
    if missing:
        raise ConfigurationError(f"An adapter has no {', '.join(missing)}: {adapter!r}.", hint="See the SignalAdapter protocol.")
    patterns = adapter.patterns
    one_stands_alone = isinstance(patterns, (str, Mapping, re.Pattern, Pattern))
    return tuple(as_pattern(pattern) for pattern in ([patterns] if one_stands_alone else patterns))


async def _told(adapter: SignalAdapter, method: str, *args: object) -> None:
    try:
        answer = getattr(adapter, method)(*args)
        if inspect.isawaitable(answer):
            await answer
    except Exception:
        _LOGGER.exception("Adapter %r raised in %s; the run goes on.", adapter.name, method)


class _FunctionAdapter:
    """An adapter made of one function."""

    def __init__(self, name: str, patterns: Sequence[object], function: Callable[[Signal], None]) -> None:
        self.name = name
        self.patterns = patterns
        self.on_signal = function

    def on_start(self) -> None:
        """Nothing to prepare."""

    def on_stop(self) -> None:
        """Nothing to clean up."""


def logging_adapter(logger: logging.Logger | None = None) -> SignalAdapter:
    """Logs each signal: failures as errors, timeouts and cancellations as warnings, deltas below debug, milestones as info, the rest as debug.

    `logger` is `logging.getLogger("pytest_wfreplay")` unless given; its level decides what is shown.
    """
    log = logger or _LOGGER
    levels = [(as_pattern(pattern), level) for pattern, level in _LEVELS]

    def write(signal: Signal) -> None:
        level = next((level for pattern, level in levels if pattern.matches_name(signal.name)), logging.DEBUG)
        if log.isEnabledFor(level):
            log.log(level, "%s %s", signal.name, signal.payload, extra={"signal": signal})

    return _FunctionAdapter("logging", ["**"], write)


#: How the terminal shows the signals of a pattern: a function that gives the text, or None for nothing.
Renderer = Callable[["Signal"], "str | None"]


def terminal_adapter(renderers: Mapping[str, Renderer] | None = None) -> SignalAdapter:
    """Writes what happens to standard output: texts as they stream, one line for each milestone.

    `renderers` maps patterns to functions that give the text to write (its line break included) or None; yours are asked before the built-in ones.
    """
    table: list[tuple[Pattern, Renderer]] = [(as_pattern(key), renderer) for key, renderer in {**(renderers or {})}.items()]
    table += [(as_pattern(key), renderer) for key, renderer in _RENDERERS.items()]

    def write(signal: Signal) -> None:
        renderer = next((renderer for pattern, renderer in table if pattern.matches(signal)), None)
        text = renderer(signal) if renderer else None
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()

    return _FunctionAdapter("terminal", ["**"], write)


def _content(signal: Signal) -> str:
    return str(signal.payload.get("content", "")) if isinstance(signal.payload, dict) else ""


def _headline(signal: Signal) -> str:
    agent = signal.source.agent if signal.source else None
    return f"[{signal.name}]{f' {agent}' if agent else ''}\n"


_RENDERERS: dict[str, Renderer] = {
    "text:delta": _content,
    "text:complete": lambda _: "\n",
    "workflow:*": _headline,
    "agent:activated": _headline,
    "agent:failed": _headline,
}

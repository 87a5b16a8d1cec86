"""What a test wishes for: the keywords of its markers over those of the config fixture, the nearest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.recording.matching import STRICTNESSES, Strictness
from pytest_wfreplay.recording.modes import mode_named

KEYWORDS = ("cassette", "mode", "match", "ignore", "max_age", "redact")


@dataclass(frozen=True, slots=True)
class Wishes:
    """The keywords of the marker; `max_age` is seconds."""

    cassette: str | None = None
    mode: str | None = None
    match: Strictness = "strict"
    ignore: tuple[str, ...] = ()
    max_age: float | None = None
    redact: tuple[str | Callable[[str], str], ...] = ()

    def over(self, config: Mapping[str, object]) -> Wishes:
        """These wishes, and where they say nothing those of a config fixture."""
        return wishes_of("the wfreplay_config fixture", [config], self)


def marker_wishes(item: pytest.Item) -> Wishes:
    """What the markers of a test wish for.

    Raises:
        pytest.UsageError: a keyword or a value that cannot be meant.
    """
    markers = list(item.iter_markers("wfreplay"))
    if any(marker.args for marker in markers):
        raise pytest.UsageError(f'{item.nodeid}: the wfreplay marker takes keywords only, such as cassette="shared".')
    try:
        return wishes_of(item.nodeid, [marker.kwargs for marker in markers], Wishes())
    except ConfigurationError as error:
        raise pytest.UsageError(f"{error} {error.hint}") from None


def wishes_of(where: str, said: list[Any], over: Wishes) -> Wishes:
    """The wishes of several places, the nearest first, below those of `over`. What is listed adds up.

    Raises:
        ConfigurationError: a keyword or a value that cannot be meant.
    """
    nearest: dict[str, Any] = {}
    for keywords in said:
        for name, value in keywords.items():
            if name not in KEYWORDS:
                raise ConfigurationError(f"{where}: the wfreplay marker has no {name!r}.", hint=f"It has {', '.join(KEYWORDS)}.")
            nearest.setdefault(name, value)
    for name in ("ignore", "redact"):
        nearest[name] = (*getattr(over, name), *(one for keywords in said for one in _listed(keywords.get(name, ()))))
    defaults = Wishes()
    for name in ("cassette", "mode", "match", "max_age"):
        if getattr(over, name) != getattr(defaults, name):
            nearest[name] = getattr(over, name)
    return _checked(where, nearest)


def _checked(where: str, said: dict[str, Any]) -> Wishes:
    match = said.get("match", "strict")
    if match not in STRICTNESSES:
        raise ConfigurationError(f"{where}: match={match!r} is none.", hint=f"Choose one of {', '.join(STRICTNESSES)}.")
    if said.get("mode") is not None:
        mode_named(str(said["mode"]))
    age = said.get("max_age")
    if isinstance(age, timedelta):
        said["max_age"] = age.total_seconds()
    elif age is not None and (isinstance(age, bool) or not isinstance(age, (int, float)) or age <= 0):
        raise ConfigurationError(f"{where}: max_age={age!r} is not a number of seconds, nor a timedelta.")
    return Wishes(**said)


def _listed(value: Any) -> tuple[Any, ...]:
    return (value,) if isinstance(value, str) or callable(value) else tuple(value)

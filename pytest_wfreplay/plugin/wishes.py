"""What a test wishes for: the keywords of its markers over those of the config fixture, the nearest first; the narrowest mode of all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.recording.hiding import Hiding, is_path
from pytest_wfreplay.recording.ignoring import Ignoring
from pytest_wfreplay.recording.matching import STRICTNESSES, Strictness
from pytest_wfreplay.recording.modes import mode_named, narrower
from pytest_wfreplay.redact import Rule

if TYPE_CHECKING:
    from _pytest.nodes import Node

KEYWORDS = ("cassette", "mode", "match", "ignore", "max_age", "redact")


@dataclass(frozen=True, slots=True)
class Wishes:
    """The keywords of the marker; `max_age` is seconds. Where nobody said anything there is None, or nothing in the tuple."""

    cassette: str | None = None
    mode: str | None = None
    match: Strictness | None = None
    ignore: tuple[str, ...] = ()
    max_age: float | None = None
    redact: tuple[str | Callable[[str], str], ...] = ()

    def over(self, config: Mapping[str, object]) -> Wishes:
        """These wishes, and where they say nothing those of a config fixture.

        Raises:
            ConfigurationError: the fixture has a keyword or a value that cannot be meant.
        """
        where = "the wfreplay_config fixture"
        if not isinstance(config, Mapping):
            raise ConfigurationError(f"{where} gives {config!r}.", hint=f"It gives a dict of the marker's keywords: {', '.join(KEYWORDS)}.")
        return self._over(_read(where, config)) if config else self

    def _over(self, below: Wishes) -> Wishes:
        modes = [mode for mode in (self.mode, below.mode) if mode is not None]
        return Wishes(
            cassette=below.cassette if self.cassette is None else self.cassette,
            mode=narrower(mode_named(modes[0]), mode_named(modes[-1])).name if modes else None,
            match=below.match if self.match is None else self.match,
            ignore=(*self.ignore, *below.ignore),
            max_age=below.max_age if self.max_age is None else self.max_age,
            redact=(*self.redact, *below.redact),
        )


def marker_wishes(item: Node) -> Wishes:
    """What the markers of a test, or of whatever it lies in, wish for.

    Raises:
        pytest.UsageError: a keyword or a value that cannot be meant.
    """
    wishes = Wishes()
    for marker in item.iter_markers("wfreplay"):
        if marker.args:
            raise pytest.UsageError(f'{item.nodeid}: the wfreplay marker takes keywords only, such as cassette="shared".')
        if marker.kwargs:
            try:
                wishes = wishes._over(_read(item.nodeid, marker.kwargs))  # noqa: SLF001 - the same file's own
            except ConfigurationError as error:
                raise pytest.UsageError(f"{error} {error.hint}".rstrip()) from None
    return wishes


def _read(where: str, said: Mapping[str, Any]) -> Wishes:
    """The wishes of one place. Raises `ConfigurationError` for a keyword or a value that cannot be meant."""
    for name in said:
        if name not in KEYWORDS:
            raise ConfigurationError(f"{where}: the wfreplay marker has no {name!r}.", hint=f"It has {', '.join(KEYWORDS)}.")
    match = said.get("match")
    if match is not None and (not isinstance(match, str) or match not in STRICTNESSES):
        raise ConfigurationError(f"{where}: match={match!r} is none.", hint=f"Choose one of {', '.join(STRICTNESSES)}.")
    try:
        mode = said.get("mode")
        ignore = Ignoring(_listed(where, "ignore", said.get("ignore")))
        redact = _listed(where, "redact", said.get("redact"))
        Hiding(tuple(path for path in redact if is_path(path)))
        for pattern in redact:
            if not is_path(pattern):
                Rule(pattern)
        return Wishes(
            cassette=_name(said.get("cassette")),
            mode=None if mode is None else mode_named(str(mode)).name,
            match=match,  # type: ignore[arg-type]  # it was looked up above
            ignore=tuple(ignore.paths),
            max_age=_age(said.get("max_age")),
            redact=redact,
        )
    except ConfigurationError as error:
        if str(error).startswith(where):
            raise
        raise ConfigurationError(f"{where}: {error}", hint=error.hint) from None


def _name(cassette: object) -> str | None:
    if cassette is not None and (not isinstance(cassette, str) or not cassette.strip() or "\0" in cassette):
        raise ConfigurationError(f"cassette={cassette!r} is not the name of a file.", hint='Give a path below the cassette folder, such as "shared".')
    return cassette


def _age(age: object) -> float | None:
    if isinstance(age, timedelta):
        age = age.total_seconds()
    if age is not None and (isinstance(age, bool) or not isinstance(age, int | float) or not age > 0):
        raise ConfigurationError(f"max_age={age!r} is not a number of seconds above 0, nor a timedelta.")
    return age


def _listed(where: str, name: str, value: object) -> tuple[Any, ...]:
    if value is None:
        return ()
    if isinstance(value, str | re.Pattern) or callable(value):
        return (value,)
    if not isinstance(value, Iterable):
        raise ConfigurationError(f"{where}: {name}={value!r} is neither a text nor a list.")
    return tuple(value)

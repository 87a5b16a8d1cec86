"""Which cassette a test will use, as far as it is known before the test runs, and which tests claim one file.

A cassette that is named, in the marker or by the config fixture, is shared on purpose by those who name it alike; any other belongs to one test
alone. Letter case does not make another file, because on some file systems it does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_wfreplay.plugin.asked import named
from pytest_wfreplay.plugin.wishes import Wishes
from pytest_wfreplay.recording.names import cassette_path

if TYPE_CHECKING:
    import pytest

    from pytest_wfreplay.plugin.settings import Settings
    from pytest_wfreplay.redact import Redactor

_FIXTURES = ("wfreplay_config", "wfreplay_cassette_dir", "wfreplay_cassette_name")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a test wishes for, and its cassette, or None where fixtures of the project decide it when the test runs."""

    wishes: Wishes
    path: Path | None

    @property
    def is_alone(self) -> bool:
        """Whether nobody named the cassette, so that it is this test's alone."""
        return self.wishes.cassette is None


class Plans:
    """The plans of a session's tests. What fixtures a test finds is asked once for all that stand in one class or module."""

    def __init__(self, settings: Settings, redactor: Redactor) -> None:
        self._settings = settings
        self._redactor = redactor
        self._is_decided_later: dict[object, bool] = {}

    def of(self, item: pytest.Item, wishes: Wishes) -> Plan:
        """What is known of a test before it runs."""
        if item.parent not in self._is_decided_later:
            self._is_decided_later[item.parent] = any(_is_overridden(item, fixture) for fixture in _FIXTURES)
        if self._is_decided_later[item.parent]:
            return Plan(wishes, None)
        name = wishes.cassette
        if name is None:
            name = named(item, str(cassette_path(called(item, self._redactor), testpaths=self._settings.testpaths)))
        return Plan(wishes, self._settings.cassette_dir / file_name(name))


def called(item: pytest.Item, redactor: Redactor) -> str:
    """The id of a test without secrets. Tests whose parameters are secret are told apart by the places of those among the others."""
    name = redactor.text(item.nodeid)
    if name == item.nodeid:
        return name
    indices: dict[str, int] = getattr(getattr(item, "callspec", None), "indices", {})
    numbers = "-".join(str(index + 1) for index in indices.values())
    return f"{name.removesuffix(']')}={numbers}]" if numbers else name


def file_name(name: str) -> str:
    """The name of a cassette as a file's."""
    return name if name.endswith((".yaml", ".yml")) else f"{name}.yaml"


class Rivals:
    """Who claims which cassette: those who say so beforehand, and those who come to it."""

    def __init__(self) -> None:
        self._claims: dict[str, dict[str, Path | None]] = {}

    def claim(self, nodeid: str, path: Path, *, is_alone: bool) -> list[str]:
        """A test claims a cassette, for itself alone or as one that shares it; the tests that do, when they do not agree to share."""
        claims = self._claims.setdefault(str(path).casefold(), {})
        claims[nodeid] = None if is_alone else path
        agreed = set(claims.values())
        return list(claims) if len(claims) > 1 and (None in agreed or len(agreed) > 1) else []


def _is_overridden(item: pytest.Item, fixture: str) -> bool:
    """Whether a test finds another fixture of that name than ours."""
    found = item.session._fixturemanager.getfixturedefs(fixture, item)  # noqa: SLF001 - pytest has no public way to ask
    return found is not None and len(found) > 1

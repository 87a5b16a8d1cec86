"""From a name to a harness: one table of our own, then the entry points of whoever is installed."""

from __future__ import annotations

import importlib
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.harness import Harness

#: The entry point group in which other packages name their harnesses: `name = "package.module:Class"`.
GROUP = "pytest_wfreplay.harnesses"

#: name -> the book that has it, and its class there; a book that needs an extra says so itself
_HARNESSES = {
    "anthropic": "pytest_wfreplay.harnesses.anthropic:AnthropicHarness",
    "function": "pytest_wfreplay.harnesses.function:FunctionHarness",
    "scripted": "pytest_wfreplay.harnesses.scripted:ScriptedHarness",
}


def resolve_harness(name: str, **options: Any) -> Harness:
    """The harness of that name, built with `options` (the keywords of its class).

    Ours come first, then those that installed packages name under the entry point group `pytest_wfreplay.harnesses`.

    Raises:
        ConfigurationError: nobody has a harness of that name, or its package or extra is not installed.
        TypeError: the harness does not know an option.
    """
    made: Harness = _factory(name)(**options)
    return made


def _factory(name: str) -> Any:
    if name in _HARNESSES:
        module, _, attribute = _HARNESSES[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
    theirs = {point.name: point for point in entry_points(group=GROUP)}
    if name in theirs:
        return _loaded(theirs[name])
    choices = ", ".join(sorted({*_HARNESSES, *theirs}))
    raise ConfigurationError(
        f"There is no harness {name!r}; there are {choices}.", hint=f"Other packages name theirs under the entry point group {GROUP}."
    )


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"The harness {point.name!r} ({point.value}) cannot be imported: {error}", hint="Install what it needs.") from error

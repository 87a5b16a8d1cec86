"""The project's own hooks, asked on behalf of one test, and what they answer held against what they may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_wfreplay.errors import CassetteError, ConfigurationError, WfreplayError
from pytest_wfreplay.plugin.runners import is_skip
from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.pieces import cleaned_recording
from pytest_wfreplay.recording.recording import Recording

if TYPE_CHECKING:
    from pytest_wfreplay.recording.cleaning import Cleaning
    from pytest_wfreplay.recording.matching import Compared, Judge


def named(item: pytest.Item, name: str) -> str:
    """The name of a test's cassette, which `pytest_wfreplay_cassette_name` may change.

    Raises:
        ConfigurationError: what it gives is no name of a file.
    """
    given: object = item.ihook.pytest_wfreplay_cassette_name(item=item, name=name)
    if given is None:
        return name
    if not isinstance(given, str) or not given.strip() or "\0" in given:
        raise ConfigurationError(f"pytest_wfreplay_cassette_name gives {given!r} for {item.nodeid}.", hint="Give a path below the cassette folder.")
    return given


def judge(item: pytest.Item) -> Judge | None:
    """Who is asked whether two values match that differ; None where no `pytest_wfreplay_match` sees this test."""
    hook = item.ihook.pytest_wfreplay_match
    if not hook.get_hookimpls():
        return None

    def asked(recorded: Compared, current: Compared) -> bool | None:
        given: object = hook(recorded=recorded, current=current)
        if given is None or isinstance(given, bool):
            return given
        raise ConfigurationError(f"pytest_wfreplay_match gives {given!r} for {item.nodeid}.", hint="Give True, False or None.")

    return asked


def offered(item: pytest.Item, cassette: Cassette, cleaning: Cleaning) -> Cassette:
    """The cassette that is kept: each recording may be replaced by `pytest_wfreplay_before_record`, and what that gives is cleaned once more.

    Raises:
        ConfigurationError: what it gives is no recording.
    """
    return Cassette(tuple(_offered(item, recording, cleaning) for recording in cassette.runs))


def _offered(item: pytest.Item, recording: Recording, cleaning: Cleaning) -> Recording:
    given: object = item.ihook.pytest_wfreplay_before_record(recording=recording)
    if given is None:
        return recording
    if not isinstance(given, Recording):
        raise ConfigurationError(
            f"pytest_wfreplay_before_record gives a {type(given).__name__} for {item.nodeid}.",
            hint="Give a Recording, such as dataclasses.replace(recording, ...), or None.",
        )
    return given if given is recording else cleaned_recording(given, cleaning)


def checked(item: pytest.Item, cassette: Cassette, *, shown: str, command: str) -> Cassette:
    """The cassette, which `pytest_wfreplay_check_cassette` has seen.

    Raises:
        CassetteError: that raised something; errors of ours, skips and the user's interrupts come as they are.
    """
    try:
        item.ihook.pytest_wfreplay_check_cassette(cassette=cassette)
    except (Exception, pytest.fail.Exception) as error:
        if isinstance(error, WfreplayError) or is_skip(error):
            raise
        problem = f"pytest_wfreplay_check_cassette raised {type(error).__name__}: {error}"
        raise CassetteError(shown, problem, hint=f"Mend what it complains of, or record it again: {command}") from error
    return cassette

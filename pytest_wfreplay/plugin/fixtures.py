"""The fixtures that tests use, and the session's settings that some of them show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_wfreplay.plugin.facade import Wfreplay
    from pytest_wfreplay.plugin.settings import Settings

_settings: pytest.StashKey[Settings] = pytest.StashKey()


def settings_of(config: pytest.Config) -> Settings:
    """The settings, decided when they are first asked for: a session without a test of ours need not read how."""
    if _settings not in config.stash:
        from pytest_wfreplay.plugin.settings import session_settings
        from pytest_wfreplay.recording.modes import narrower

        settings = session_settings(config)
        mode = settings.mode
        config.hook.pytest_wfreplay_configure(settings=settings)
        settings.mode = narrower(mode, settings.mode)
        config.stash[_settings] = settings
    return config.stash[_settings]


@pytest.fixture
def wfreplay(request: pytest.FixtureRequest) -> Generator[Wfreplay, None, None]:
    """The cassette of this test: `.run(...)` for sync tests, `.mode`, `.cassette`, `.recordings`, `.add_redactor(...)`, `.ignore(...)`.

    A test that asks for it is marked by that.
    """
    from pytest_wfreplay.plugin.facade import Wfreplay
    from pytest_wfreplay.plugin.takes import take_of

    take = take_of(request.node)
    if take is None:
        raise pytest.UsageError(f"{request.node.nodeid} asked for the wfreplay fixture too late: mark it with @pytest.mark.wfreplay.")
    with take.prepared(request):
        yield Wfreplay(take)


@pytest.fixture(scope="session")
def wfreplay_config() -> dict[str, object]:
    """Keywords of the marker for all tests that see this fixture; override it in a conftest, with any scope."""
    return {}


@pytest.fixture(scope="session")
def wfreplay_cassette_dir(request: pytest.FixtureRequest) -> str:
    """Where cassettes lie; override it for a folder of your own."""
    return str(settings_of(request.config).cassette_dir)


@pytest.fixture
def wfreplay_cassette_name(request: pytest.FixtureRequest) -> str:
    """The path of this test's cassette below the cassette folder; override it for a name of your own."""
    from pytest_wfreplay.plugin.asked import named
    from pytest_wfreplay.plugin.rivals import called
    from pytest_wfreplay.recording.names import cassette_path

    settings = settings_of(request.config)
    name = str(cassette_path(called(request.node, settings.redactor()), testpaths=settings.testpaths))
    return named(request.node, name)

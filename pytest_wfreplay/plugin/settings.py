"""What the session was asked for, and who may narrow it. Precedence is decided here and nowhere else.

1. command line, else `WFREPLAY_MODE`, else ini `wfreplay_mode`, else `none`;
2. the config fixture and the marker may narrow that; a wider wish of theirs has no effect;
3. under CI nothing but `none`: asked for on the command line or in the environment it is an error, from the ini it is narrowed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.plugin.aids import Aids, aids_asked
from pytest_wfreplay.plugin.gates import Gate, gates_asked
from pytest_wfreplay.plugin.written import file_asked
from pytest_wfreplay.recording.modes import MODES, PICKING, Mode, mode_named, narrower
from pytest_wfreplay.recording.picked import Picked

if TYPE_CHECKING:
    from pytest_wfreplay.plugin.hosts import Hosts
    from pytest_wfreplay.recording.hiding import Hiding
    from pytest_wfreplay.redact import Redactor

NONE = MODES[0]

#: What can become of cassettes that no test uses.
UNUSED = ("warn", "fail", "ignore", "delete")


@dataclass(slots=True)
class Settings:
    """What holds for the whole session. `pytest_wfreplay_configure` may change what is here, but not widen the mode.

    `redact` are regular expressions and paths, `allowed_hosts` hosts that code under test may reach in replay.
    """

    mode: Mode
    root: Path
    cassette_dir: Path
    testpaths: tuple[str, ...] = ()
    redact: list[str] = field(default_factory=list)
    allowed_hosts: list[str] = field(default_factory=list)
    #: The kinds of volatile values that get steady names.
    normalise: list[str] = field(default_factory=list)
    #: How large a cassette may be, in bytes; None for the default.
    max_bytes: int | None = None
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: What becomes of cassettes that no test uses.
    unused: str = UNUSED[0]
    #: The steps that are to be done again, where not all are.
    picked: Picked | None = None
    #: What the session must keep to.
    gates: tuple[Gate, ...] = ()
    #: Where the session's report for tools is written; None for nowhere, and in workers of pytest-xdist.
    json_file: Path | None = None
    #: What runs tests again.
    aids: Aids = field(default_factory=Aids)

    def redactor(self) -> Redactor:
        """Takes out what must not reach a cassette: the built-in shapes, what the environment keeps secret, what the ini says.

        Raises:
            ConfigurationError: the ini has something that is not a regular expression.
        """
        from pytest_wfreplay.recording.hiding import is_path
        from pytest_wfreplay.redact import Redactor, Rule, known_secrets

        # Code that was imported since may have put more into the environment.
        known = known_secrets(self.environ) | known_secrets(os.environ)
        return Redactor(known, tuple(Rule(pattern) for pattern in self.redact if not is_path(pattern)))

    def hiding(self) -> Hiding:
        """The places that are secret by what the ini says.

        Raises:
            ConfigurationError: one of them is not a path.
        """
        from pytest_wfreplay.recording.hiding import Hiding, is_path

        return Hiding(tuple(path for path in self.redact if is_path(path)))

    def hosts(self) -> Hosts:
        """The hosts that code under test may reach in replay.

        Raises:
            pytest.UsageError: an entry is not a host, an address or a network.
        """
        from pytest_wfreplay.plugin.hosts import hosts_of

        try:
            return hosts_of(tuple(self.allowed_hosts))
        except ConfigurationError as error:
            raise pytest.UsageError(f"ini wfreplay_allowed_hosts: {error} {error.hint}") from None

    def narrowed(self, wish: str | None) -> Mode:
        """The session's mode, narrowed by what a fixture and a marker wish for; None is no wish."""
        return self.mode if wish is None else narrower(self.mode, mode_named(wish))


def session_settings(config: pytest.Config) -> Settings:
    """The settings of a session.

    Raises:
        pytest.UsageError: a setting cannot be meant.
    """
    try:
        mode, picked = _mode(config, os.environ), _picked(config)
        settings = Settings(
            mode=PICKING[mode.name] if picked else mode,
            picked=picked,
            root=config.rootpath,
            cassette_dir=config.rootpath / str(config.getini("wfreplay_cassette_dir")),
            testpaths=tuple(config.getini("testpaths")),
            redact=list(config.getini("wfreplay_redact")),
            allowed_hosts=list(config.getini("wfreplay_allowed_hosts")),
            normalise=_kinds(config.getini("wfreplay_normalise")),
            max_bytes=_count(str(config.getini("wfreplay_max_bytes"))),
            environ=dict(os.environ),
            unused=_unused(config, os.environ),
            gates=gates_asked(config),
            json_file=file_asked(config),
            aids=aids_asked(config, PICKING[mode.name] if picked else mode),
        )
    except ConfigurationError as error:
        raise pytest.UsageError(f"{error} {error.hint}".rstrip()) from None
    if settings.allowed_hosts:
        settings.hosts()
    return settings


def is_ci(environ: Mapping[str, str]) -> bool:
    """Whether `CI` is set: not empty, `0`, `false` or `no`."""
    return environ.get("CI", "").strip().lower() not in ("", "0", "false", "no")


def _mode(config: pytest.Config, environ: Mapping[str, str]) -> Mode:
    is_locked = is_ci(environ) and not config.getoption("wfreplay_allow_ci")
    asked, where = _asked(config, environ)
    default = _named(str(config.getini("wfreplay_mode")).strip() or NONE.name, "ini wfreplay_mode")
    if asked:
        mode = _named(asked, where)
        if is_locked and mode != NONE:
            raise pytest.UsageError(f"{where} asks for mode {mode.name!r}, and CI is set: CI replays. Pass --wfreplay-allow-ci if you mean it.")
        return mode
    return NONE if is_locked else default


def _unused(config: pytest.Config, environ: Mapping[str, str]) -> str:
    chosen = str(config.getoption("wfreplay_unused") or UNUSED[0])
    if chosen not in UNUSED:
        raise pytest.UsageError(f"--wfreplay-unused: {chosen!r} is no choice. Choose one of {', '.join(UNUSED)}.")
    if chosen == "delete" and is_ci(environ) and not config.getoption("wfreplay_allow_ci"):
        raise pytest.UsageError("--wfreplay-unused=delete, and CI is set: CI deletes nothing. Pass --wfreplay-allow-ci if you mean it.")
    return chosen


def _asked(config: pytest.Config, environ: Mapping[str, str]) -> tuple[str, str]:
    """What was asked for on the command line or in the environment, and where."""
    named = config.getoption("wfreplay")
    records = config.getoption("wfreplay_record", default=False)
    if records and named not in (None, "rewrite"):
        raise pytest.UsageError(f"--record means --wfreplay=rewrite, and --wfreplay={named} contradicts it: give one of them.")
    if named is not None:
        return named, "--wfreplay"
    if records:
        return "rewrite", "--record"
    if config.getoption("wfreplay_only"):
        return "rewrite", "--wfreplay-only"
    return environ.get("WFREPLAY_MODE", "").strip(), "WFREPLAY_MODE"


def _picked(config: pytest.Config) -> Picked | None:
    """The steps that are to be done again: `--wfreplay-only`, which may be given more than once."""
    patterns = config.getoption("wfreplay_only")
    if not patterns:
        return None
    named = config.getoption("wfreplay")
    if named is not None and named not in PICKING:
        raise pytest.UsageError(
            f"--wfreplay-only records steps again, and --wfreplay={named} does not: leave it out, or give {' or '.join(PICKING)}."
        )
    return Picked(tuple(patterns))


def _named(name: str, where: str) -> Mode:
    try:
        return mode_named(name)
    except ConfigurationError as error:
        raise pytest.UsageError(f"{where}: {error} {error.hint}") from None


def _kinds(kinds: list[str]) -> list[str]:
    """The kinds of volatile values that the ini names."""
    if kinds:
        from pytest_wfreplay.normalise import KINDS

    for kind in kinds:
        if kind not in KINDS:
            raise ConfigurationError(f"ini wfreplay_normalise has {kind!r}.", hint=f"It takes {', '.join(KINDS)}.")
    return list(kinds)


def _count(text: str) -> int | None:
    if not text:
        return None
    if not text.isdigit() or not int(text):
        raise ConfigurationError(f"ini wfreplay_max_bytes is a number of bytes, not {text!r}.")
    return int(text)

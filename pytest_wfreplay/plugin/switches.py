"""What the command line and the ini file can say to us: one table each. What is said is read in `settings`, and by the room that a switch is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

#: option -> how argparse takes it
OPTIONS: dict[str, dict[str, Any]] = {
    "--wfreplay": {
        "metavar": "MODE",
        "help": "none: replay only (default); verify: run live and compare; accept: keep the replies, rewrite trace and state; once: record "
        "where there is no cassette; new_episodes: replay what is known, record the rest; rewrite: record; live: no cassettes.",
    },
    "--wfreplay-allow-ci": {"action": "store_true", "default": False, "help": "Let CI record: by default a set CI variable forbids it."},
    "--wfreplay-only": {
        "action": "append",
        "metavar": "STEP_PATTERN",
        "help": "Record again just the steps whose key matches, such as 'classify*'; keep all others. It may be given more than once.",
    },
    "--wfreplay-json": {"metavar": "FILE", "help": "Write what every test did, and every divergence, as JSON."},
    "--wfreplay-unused": {"metavar": "CHOICE", "help": "Cassettes that no test uses: warn (default), fail, ignore or delete."},
    "--wfreplay-always-replay": {
        "action": "store_true",
        "default": False,
        "help": "While recording, replay each test at once from what it has just recorded.",
    },
    "--wfreplay-shuffle": {"metavar": "SEED", "help": "Replay concurrent work in another order of ending, drawn from this number."},
    "--wfreplay-mutate": {"action": "store_true", "default": False, "help": "Change what was recorded, in memory, and report tests that stay green."},
    "--wfreplay-min-pass-rate": {"metavar": "RATE", "help": "Fail the session when fewer of its recorded tests pass (0 to 1)."},
    "--wfreplay-max-latency-ms": {"metavar": "MS", "help": "Fail the session when a test's recorded runs took longer."},
    "--wfreplay-max-cost-usd": {"metavar": "USD", "help": "Fail the session when its runs cost more, as recorded."},
    "--wfreplay-max-tokens": {"metavar": "TOKENS", "help": "Fail the session when its runs took more tokens, as recorded."},
}

#: ini -> how pytest takes it
INI: dict[str, dict[str, Any]] = {
    "wfreplay_mode": {"help": "The mode when neither the command line nor WFREPLAY_MODE says one.", "default": ""},
    "wfreplay_cassette_dir": {"help": "Where cassettes lie, below the rootdir.", "default": "cassettes"},
    "wfreplay_redact": {"help": "What must not reach a cassette: regular expressions, or paths as in ignore.", "type": "linelist", "default": []},
    "wfreplay_normalise": {"help": "Volatile values that get steady names: uuid, timestamp, temp_path, port.", "type": "args", "default": []},
    "wfreplay_max_bytes": {"help": "How large a cassette may be.", "default": ""},
    "wfreplay_allowed_hosts": {"help": "Hosts that code under test may reach in replay.", "type": "linelist", "default": []},
}

#: What need not be read before a test of ours is found: it cannot be mistyped.
_NEED_NO_CHECK = {"wfreplay_cassette_dir", "wfreplay_redact"}


def add_switches(parser: pytest.Parser) -> None:
    """Add the options and ini values."""
    group = parser.getgroup("wfreplay", "recorded workflow replay")
    for option, takes in OPTIONS.items():
        group.addoption(option, **takes)
    for name, takes in INI.items():
        parser.addini(name, **takes)


def asked_for(config: pytest.Config) -> bool:
    """Whether anything was said that may be mistyped, so that it is worth reading the settings at once."""
    options = ("wfreplay_record", *(option.removeprefix("--").replace("-", "_") for option in OPTIONS))
    # An empty text was said, too.
    said = any(config.getoption(option, default=None) not in (None, False) for option in options)
    return said or any(config.getini(name) for name in INI if name not in _NEED_NO_CHECK)

"""What a test's mode makes of its cassette when the test begins: what is done with it, and what is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_wfreplay.clock import SystemClock, read_iso
from pytest_wfreplay.errors import CassetteError, CassetteMissing, ConfigurationError
from pytest_wfreplay.plugin.asked import checked
from pytest_wfreplay.plugin.commands import obstacle
from pytest_wfreplay.recording.modes import READS

if TYPE_CHECKING:
    from pytest_wfreplay.plugin.take import Take
    from pytest_wfreplay.recording.cassette import Cassette
    from pytest_wfreplay.recording.modes import Act


def opened(take: Take) -> tuple[Act, Cassette | None]:
    """What is done with a test, and the cassette (its own runs of one that it shares) where that is needed.

    Raises:
        ConfigurationError: its name leads out of the cassette folder.
        CassetteError: there is none, or none that can be used. Raises errors of ours that the project's own check raises, too.
    """
    _check_place(take)
    file, owner = take.file, take.owner
    act = take.mode.act(is_there=file.exists())
    if act == "refuse":
        raise CassetteMissing(take.shown, "there is no cassette for this test", hint=_hint("Record it", take, is_there=False))
    if act not in READS:
        return act, None
    cassette = file.read()
    if owner is not None:
        if not cassette.has(owner):
            act = take.mode.act_in_shared()
            if act not in READS:
                return act, None
        cassette = cassette.of(owner)
    cassette = checked(take.item, cassette, shown=take.shown, command=take.command)
    _check_age(take, cassette)
    return act, cassette


def _check_place(take: Take) -> None:
    if not Path(os.path.normpath(take.path)).is_relative_to(os.path.normpath(take.folder)):
        name = take.cleaned_text(str(take.path).removeprefix(f"{take.folder}{os.sep}"))
        hint = "Name a place below that folder; another folder is given by the fixture wfreplay_cassette_dir, or ini wfreplay_cassette_dir."
        raise ConfigurationError(f"The cassette {name!r} of {take.selection} would lie outside of the cassette folder.", hint=hint)


def _check_age(take: Take, cassette: Cassette) -> None:
    limit = take.wishes.max_age
    for recording in cassette.runs if limit is not None else ():
        if recording.metadata.created_at:
            age = (SystemClock().now() - read_iso(recording.metadata.created_at)).total_seconds()
            if limit is not None and age > limit:
                hint = _hint("Record it again", take, is_there=True)
                raise CassetteError(take.shown, f"recorded {_span(age)} ago; max_age is {_span(limit)}", hint=hint)


def _hint(what: str, take: Take, *, is_there: bool) -> str:
    return "\n".join(filter(None, (f"{what}: {take.command}", obstacle(take.wishes.mode, is_there=is_there))))


def _span(seconds: float) -> str:
    """Seconds, or days where there are many."""
    days = seconds / 86400
    return f"{seconds:.0f} s" if days < 2 and seconds >= 10 else f"{seconds:g} s" if days < 2 else f"{days:.0f} days"  # noqa: PLR2004 - see above

"""Old formats of the cassette, lifted in memory: one function a version, a newer one refused.

The table maps a version to the function that makes the next one of its plain data. Format 1 is the first, so it is empty; the corpus of old
files in the tests grows with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pytest_wfreplay.errors import CassetteUnreadable, CassetteVersionError
from pytest_wfreplay.recording.cassette import FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_wfreplay.jsonable import JSON

Upgrades: TypeAlias = "Mapping[int, Callable[[dict[str, JSON]], dict[str, JSON]]]"

UPGRADES: Upgrades = {}


def upgraded(data: dict[str, JSON], path: str, *, upgrades: Upgrades = UPGRADES, current: int = FORMAT) -> dict[str, JSON]:
    """The plain data of a cassette in the present format.

    Raises:
        CassetteVersionError: a newer version of this package wrote it.
        CassetteUnreadable: its format is no number from 1, or there is no way from it to the present one.
    """
    version = data.get("format")
    if type(version) is not int:
        raise CassetteUnreadable(path, f"expected format: {current} at its top, found {version!r}", line=1)
    refuse_newer(version, path, current=current)
    while version < current:
        if version not in upgrades:
            raise CassetteUnreadable(path, f"format {version} was never released; this is format {current}", line=1)
        data = {**upgrades[version](data), "format": version + 1}
        version += 1
    return data


def refuse_newer(version: int, path: str, *, current: int = FORMAT) -> None:
    """Raise `CassetteVersionError` for a format that a newer version of this package wrote."""
    if version > current:
        problem = f"it has format {version}, and this version of pytest-wfreplay reads up to {current}"
        raise CassetteVersionError(path, problem, line=2, hint="Upgrade pytest-wfreplay, or record it again with pytest --record.")
